"""What monitoring would have told of nights that were scored to try something out: their deliveries in a folder of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from models.monitoring import counts, signals
from models.monitoring.limits import FEWEST_COMPARED, FEWEST_DISTANCES, LEFT_OUT_DAYS
from models.monitoring.signals import Signal
from pipelines.by_night import NIGHT
from pipelines.cohort import newest_night
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.monitoring import published, turnout, watching
from pipelines.monitoring.record import NightRecord
from pipelines.monitoring.telling import findings
from pipelines.training.attributes import attributes

# Before that no night is compared with four weeks of which it is known how far nights lie from them.
FEWEST_NIGHTS = LEFT_OUT_DAYS + FEWEST_COMPARED + LEFT_OUT_DAYS + FEWEST_DISTANCES


@dataclass(frozen=True)
class Tried:
    """The first and last night, how many there are, each signal with the night that would have told it first, and figures of how
    scores turned out by the last night."""

    first: str
    last: str
    nights: int
    signals: list[tuple[str, Signal]]
    figures: pd.DataFrame


def of_deliveries(installation: Installation, root: Path) -> Tried:
    """Judge the nights of a folder by their scores and alerts, and look once at how they turned out, as known on the last of them.

    What models saw is not among deliveries, and is not judged.

    Raises:
        Refused: no night was delivered there, or a delivery is damaged.
    """
    rows = published.below(root, installation.settings.alert_horizons)
    if rows.empty:
        raise Refused(f"No night was delivered below `{root.name}`. Give the `deliveries` folder of a backtest.")
    nights = sorted(rows[NIGHT].unique())
    first, last = f"{nights[0]:%Y-%m-%d}", f"{nights[-1]:%Y-%m-%d}"
    subjects = attributes(installation, last)
    early = rows[rows[NIGHT].isin(nights[: watching.FIRST_NIGHTS]) & rows["probability"].notna()]
    edges = {
        str(name): counts.edges_of(of[["probability"]].set_axis([published.RISK], axis=1))
        for name, of in early.groupby("outcome")
    }
    budget = installation.settings.monitoring.false_alarms_per_year
    charts = signals.charts(watching.series_of_nights(published.count(rows, edges, subjects), first), budget)
    told = [(f"{night:%Y-%m-%d}", of) for night in nights for of in signals.of_night(charts, night)]
    scored = rows[rows["status"] == published.SCORED]
    told += [
        (at, of)
        for at in (f"{night:%Y-%m-%d}" for night in nights)
        for of in watching.order(installation, at, scored)[1]
    ]
    figures = turnout.look(installation, _known_by(installation, last), rows, subjects, signals.share_of(budget))
    told += [(last, of) for of in signals.of_look(figures, last)]
    return Tried(first, last, len(nights), _first_told(told), figures)


def _known_by(installation: Installation, last: str) -> str:
    """The newest night the lake has data for, or the last that was delivered if that is later: then more has turned out."""
    newest = newest_night(installation.lake, installation.settings.sites)
    return f"{max(newest, pd.Timestamp(last)):%Y-%m-%d}"


def _first_told(told: list[tuple[str, Signal]]) -> list[tuple[str, Signal]]:
    """Each signal once for each stretch in which it stood."""
    found: dict[tuple[str, ...], tuple[str, Signal]] = {}
    for night, of in told:
        found.setdefault((*of.identity, of.since), (night, of))
    return list(found.values())


def sentences(tried: Tried, told: Mapping[str, str]) -> list[tuple[str, str]]:
    """What would have been told, night by night, in words."""
    found = []
    for night in dict.fromkeys(night for night, _ in tried.signals):
        some = [of for at, of in tried.signals if at == night]
        new = NightRecord(night, {}, some, list(range(len(some))))
        found += [(night, of.sentence) for of in findings(new, told)]
    return found
