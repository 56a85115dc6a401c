"""The report of one night: how many subjects have a score, in which tier, and why the others have none."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.delivery.contract import ALERTS
from pipelines.night_record import NightStatus
from pipelines.reports import words
from pipelines.reports.alerts import AlertsNight
from pipelines.reports.site import Context, environment, slug, write_index, write_page, write_text

STATUSES = {
    "scored": "Scored",
    "insufficient_data": "Too little data: not low risk, but unknown",
    "in_episode": "In a known episode or shortly after: no new alert",
    "not_eligible": "Not eligible: admitted, discharged, paused or deceased",
    "withheld": "Withheld by policy",
    "consent_withdrawn": "Consent withdrawn",
}
# Of delivered rows, what subjects are counted by.
COUNTED = ("outcome", "horizon_days", "status", "tier")
# Where the status stands on a page.
SECTION = re.compile(r'<section id="status".*?</section>', re.DOTALL)


@dataclass(frozen=True)
class Serving:
    """What scored an outcome: the predictor by its name, the registered model, and whether the release policy held it back.

    `reweighed_by` is the attribute by which its training rows were reweighed, if by any.
    """

    outcome: str
    predictor: str
    model: str
    version: str
    is_outside_policy: bool
    reweighed_by: str = ""


def count_rows(scores: pd.DataFrame) -> pd.DataFrame:
    """How many subjects each status and tier holds.

    Grain in: one delivered row (columns `COUNTED`). Grain out: outcome x horizon_days x status x
    tier, with n_subjects; the tier of a row without a score is empty.
    """
    counted = scores.assign(tier=scores["tier"].fillna(""))
    return counted.groupby(list(COUNTED)).size().rename("n_subjects").reset_index()


def write_nightly(
    folder: Path,
    counts: pd.DataFrame,
    alerts: Mapping[str, AlertsNight],
    roster: int,
    context: Context,
    serving: Sequence[Serving],
    status: NightStatus | None = None,
    feedback: Mapping[str, Any] | None = None,
) -> Path:
    """Write the report of one delivery and give its path.

    Args:
        counts: as of `count_rows`.
        alerts: by outcome, as of `alerts.of_night`.
        roster: subjects that had to have a row.
        serving: what scored each outcome.
        status: what is on record about the night.
        feedback: of `reports.feedback.section`; None where nobody said anything of a score.
    """
    delivered = _delivered(counts)
    return write_page(
        folder,
        _name(context.as_of.isoformat()),
        "nightly",
        f"Night of {context.as_of.isoformat()}",
        _finding(counts, delivered, roster),
        context,
        serving=[_serving(of) for of in serving],
        sections=[_section(str(name), part, alerts[str(name)]) for name, part in counts.groupby("outcome", sort=True)],
        roster=words.count(roster),
        delivered=words.count(delivered),
        is_whole=delivered == roster,
        alerts=ALERTS,
        status=status or NightStatus(context.as_of.isoformat()),
        feedback=feedback,
    )


def _name(night: str) -> str:
    return f"nightly {night}"


def show_status(folder: Path, status: NightStatus) -> None:
    """Put a night's status onto its page, if that is written, and onto the index page."""
    page = folder / f"{slug(_name(status.night))}.html"
    if page.is_file():
        section = environment().get_template("_status.html.j2").module.section(status)  # type: ignore[attr-defined]
        text = page.read_text(encoding="utf-8")
        write_text(page, SECTION.sub(lambda _: str(section).strip(), text, count=1))
    write_index(folder)


def _serving(of: Serving) -> tuple[str, bool]:
    """What serves, in a sentence, and whether outside the release policy."""
    served = words.served(of.predictor, of.reweighed_by)
    told = f"{words.plain(of.outcome).capitalize()} is scored by {served} ({of.model} version {of.version})."
    return told, of.is_outside_policy


def _delivered(counts: pd.DataFrame) -> int:
    """Subjects with a row for every outcome and horizon: the smallest number delivered for any."""
    per_horizon = counts.groupby(["outcome", "horizon_days"])["n_subjects"].sum()
    return int(per_horizon.min()) if len(per_horizon) else 0


def _finding(counts: pd.DataFrame, delivered: int, roster: int) -> str:
    scored = counts[counts["status"] == "scored"].groupby(["outcome", "horizon_days"])["n_subjects"].sum()
    n_scored = int(scored.max()) if len(scored) else 0
    whole = (
        "everybody on the roster has a row"
        if delivered == roster
        else words.counted(roster - delivered, "is missing", "are missing")
    )
    of = words.counted(roster, "subject")
    return f"{words.count(n_scored)} of {of} {'has' if n_scored == 1 else 'have'} a score; {whole}."


def _section(name: str, counts: pd.DataFrame, alerts: AlertsNight) -> dict[str, Any]:
    """One outcome: a line per status, a column per horizon, and the tiers with their alerts."""
    horizons = sorted(counts["horizon_days"].unique())
    by_status = counts.pivot_table(
        index="status", columns="horizon_days", values="n_subjects", aggfunc="sum", fill_value=0
    )
    known = [s for s in STATUSES if s in by_status.index] + [s for s in by_status.index if s not in STATUSES]
    return {
        "name": words.plain(name),
        "horizons": [words.counted(h, "day") for h in horizons],
        "lines": [
            (STATUSES.get(s, words.plain(s)), [words.count(by_status.loc[s, h]) for h in horizons]) for s in known
        ],
        "night": alerts,
    }
