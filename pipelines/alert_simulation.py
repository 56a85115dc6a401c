"""What an alert policy would have done on past nights, from scores that were delivered then and what became of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from features import history
from models import alerting, operational, resampling
from models.fairness.disclosure import SMALLEST_SUBJECTS
from models.outcomes import Outcome, at_horizon
from pipelines import alerts, engineering
from pipelines import cohort as cohorts
from pipelines.alert_sections import AlertPolicy
from pipelines.cohort import Cohort
from pipelines.delivery import contract
from pipelines.delivery.nights import nights, run_in_force
from pipelines.delivery.publish import read_scores
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.training import labelling

SINCE = "history_days_since_last_event"


@dataclass(frozen=True)
class Simulated:
    """Tidy rows, and how many nights they rest on.

    Attributes:
        rows: `policy, outcome, tier, metric, value, low, high, n_subjects, n_episodes`; the numbers are of the subjects and
            episodes that a figure rests on. All are missing where those are too few subjects to be told of.
    """

    rows: pd.DataFrame
    nights: int
    nights_with_outcomes: int


def simulate(
    installation: Installation, policies: Mapping[str, AlertPolicy], deliveries: Path, until: str
) -> Simulated:
    """Each policy on the nights delivered into a folder, one after the other, from nobody having an alert.

    What became of it is told by subject-days whose alert horizon is over and was followed up; what it asks of people, by all.

    Args:
        until: the night as of which outcomes are known.

    Raises:
        Refused: the folder holds no delivery with scores.
    """
    scored = delivered(installation, deliveries)
    known = engineering.cohort(installation, until)
    days = engineering.panel(installation, until)
    parts, n_known = [], 0
    for outcome in engineering.outcomes(installation):
        nights = _with_what_was_known(installation, known, outcome, scored[scored["outcome"] == outcome.name])
        index = nights[["subject_id", "as_of_date"]].rename(columns={"as_of_date": "index_date"})
        reports = days.load(columns=cohorts.reporting_columns(outcome))
        labels = labelling.as_known(installation, known, outcome, index, reports)
        labels = labels[labels["task"] == "onset"].reset_index(drop=True)
        label = at_horizon(labels, installation.settings.outcomes[outcome.name].alert_horizon)
        is_known = ~np.isnan(label)
        n_known = max(n_known, labels.loc[is_known, "index_date"].nunique())
        for name, policy in policies.items():
            installation.report(f"simulating {name}")
            decided = alerting.through(nights, alerts.rules_of(policy)).merge(
                index.assign(place=np.arange(len(index))), left_on=["subject_id", "as_of_date"], right_on=["subject_id", "index_date"]
            )  # fmt: skip
            told = [
                *_outcomes(decided, labels, label, is_known, installation.settings.training.seed),
                *_workload(decided),
            ]
            parts.append(pd.DataFrame(told).assign(policy=name, outcome=outcome.name))
    columns = ["policy", "outcome", "tier", "metric", "value", "low", "high", "n_subjects", "n_episodes"]
    return Simulated(pd.concat(parts, ignore_index=True)[columns], scored["as_of_date"].nunique(), n_known)


def delivered(installation: Installation, deliveries: Path) -> pd.DataFrame:
    """Risks within the alert horizon that were delivered, of nights in force: `as_of_date, outcome, subject_id, risk`.

    Raises:
        Refused: there is none, or one cannot be read: damaged, or without Parquet. Its night is named.
    """
    horizons = installation.settings.alert_horizons
    parts = []
    for night in nights(deliveries):
        rows = _rows_in_force(night)
        is_asked = (rows["status"] == "scored") & (rows["horizon_days"] == rows["outcome"].map(horizons))
        named = {"probability": "risk"}
        parts.append(rows.loc[is_asked, ["as_of_date", "outcome", "subject_id", "probability"]].rename(columns=named))
    found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    if found.empty:
        raise Refused(
            f"`{deliveries.name}` holds no night with scores. Name the deliveries of a backtest: `foretide backtest --from DATE` "
            "makes them."
        )
    return found.assign(as_of_date=pd.to_datetime(found["as_of_date"]).astype("datetime64[us]"))


def _rows_in_force(night: Path) -> pd.DataFrame:
    try:
        run_id = run_in_force(night)
        return pd.DataFrame(columns=list(contract.COLUMNS)) if run_id is None else read_scores(night / run_id)
    except Refused as refused:
        raise Refused(
            f"The night of {night.name} cannot be simulated on, and without it the others would not be what they were. {refused} "
            f"`foretide score --as-of {night.name}` makes it again, and `foretide backtest` one that is of a backtest."
        ) from refused


def _with_what_was_known(
    installation: Installation, known: Cohort, outcome: Outcome, scored: pd.DataFrame
) -> pd.DataFrame:
    """Beside each risk, as that night knew: the subject's site, and whether there was no event in the 28 days before."""
    index = scored[["subject_id", "as_of_date"]].rename(columns={"as_of_date": "index_date"}).reset_index(drop=True)
    events = cohorts.outcome_event_days(installation.lake, known, outcome)
    enrolled = history.enrolment(known.enrolments, index)
    since = history.history(events, index, enrolled, outcome.merge_within_days)[SINCE]
    return (
        scored.drop(columns="outcome")
        .reset_index(drop=True)
        .assign(site=cohorts.sites_on(known, index), is_quiet=alerting.is_quiet(since))
    )


def _outcomes(
    decided: pd.DataFrame, labels: pd.DataFrame, label: np.ndarray, is_known: np.ndarray, seed: int
) -> Iterator[dict[str, object]]:
    """What was caught and what was a false alarm, by tier and together, with intervals over resampled subjects."""
    rows, told = labels[is_known].reset_index(drop=True), label[is_known]
    if not len(rows):
        return
    n_subjects = rows["subject_id"].nunique()
    weights = np.vstack([np.ones(n_subjects), resampling.draws(n_subjects, 1000, seed)])
    for tier in (alerting.HIGH, "all"):
        alerted = np.zeros(len(label), dtype=bool)
        is_meant = decided["alert"].notna() & ((decided["tier"] == tier) | (tier == "all"))
        alerted[decided.loc[is_meant, "place"]] = True
        found = operational.of_alerts(rows, told, alerted[is_known], weights)
        yield from (
            _told(found, rows.loc[alerted[is_known], "subject_id"].nunique()).assign(tier=tier).to_dict("records")
        )


def _told(found: pd.DataFrame, n_alerted: int) -> pd.DataFrame:
    """The figures without those of a few subjects: they would be somebody's own.

    False alarms go with the alerts of so few, which would follow from them and from how many alerts there were.
    """
    is_of_few = found["n_subjects"] < SMALLEST_SUBJECTS
    is_of_few |= (found["metric"] == operational.FALSE_ALERTS) & (0 < n_alerted < SMALLEST_SUBJECTS)
    figures = ["value", "low", "high", "n_subjects", "n_episodes"]
    return found.assign(**found[figures].astype(float).mask(is_of_few))


def _workload(decided: pd.DataFrame) -> Iterator[dict[str, object]]:
    """What it asks of a site: alerts in its usual and its fullest 7 nights, subjects that stand, and those who wait.

    Of a site of a few subjects nothing is told: it would be somebody's own.
    """
    nights = pd.date_range(decided["as_of_date"].min(), decided["as_of_date"].max())
    for site, rows in decided.groupby("site"):
        alerted = rows[rows["alert"].notna()].groupby("as_of_date").size().reindex(nights, fill_value=0)
        weeks = alerted.rolling(min(7, len(nights))).sum().dropna()
        per_night = (
            rows.assign(stands=rows["tier"] != alerting.BASELINE).groupby("as_of_date")[["stands", "waits"]].sum()
        )
        told = {
            "alerts_in_7_nights_median": weeks.median(), "alerts_in_7_nights_most": weeks.max(),
            "subjects_in_tiers_median": per_night["stands"].median(),
            "subjects_waiting_median": per_night["waits"].median(),
        }  # fmt: skip
        n_subjects = rows["subject_id"].nunique()
        is_of_few = n_subjects < SMALLEST_SUBJECTS
        for metric, value in told.items():
            yield {"tier": f"site {site}", "metric": metric, "value": np.nan if is_of_few else float(value), "low": np.nan,
                   "high": np.nan, "n_subjects": np.nan if is_of_few else n_subjects, "n_episodes": np.nan}  # fmt: skip
