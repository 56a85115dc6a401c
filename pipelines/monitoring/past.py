"""Counts of nights from what models see: of tonight, and of many past nights at once, each as it was known at its own cutoff."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from models import risk
from models.fairness.groups import levels_of
from models.monitoring import counts
from models.outcomes import Outcome, is_masked
from pipelines import cohort as cohorts
from pipelines import engineering
from pipelines.installation import Installation
from pipelines.lake import BUCKETS
from pipelines.panel.extent import buckets_of
from pipelines.panel.view import Panel

Edges = Mapping[str, tuple[float, ...]]
# Past nights that are counted when watching begins: what is compared with, and how distances usually are, are known at once.
PAST_NIGHTS = 70
# Of more subject-nights than these, some buckets of subjects stand for all.
MOST_ROWS = 300_000
NIGHT, KEY = "as_of_date", ["subject_id", "index_date"]


def past_matrix(
    installation: Installation, days: Panel, outcome: Outcome, features: Sequence[str], nights: int = PAST_NIGHTS
) -> pd.DataFrame:
    """Features of whoever was followed on the nights before a panel's night; of some buckets only where they are too many."""
    until = cohorts.follow_up(installation.lake, days.cohort, outcome, reports(days, outcome))
    some = int(np.clip(BUCKETS * MOST_ROWS // max(len(until) * nights, 1), 1, BUCKETS))
    until = until[buckets_of(until["subject_id"]).to_numpy() < some]
    index = cohorts.index_rows(days.cohort, until)
    index = index[index["index_date"] >= days.cohort.as_of - pd.Timedelta(days=nights)].reset_index(drop=True)
    if index.empty:
        return pd.DataFrame(columns=[*KEY, *features])
    return pd.concat(engineering.built(installation, days, outcome, index, features), ignore_index=True)


def reports(days: Panel | None, outcome: Outcome) -> pd.DataFrame:
    """Days on which an outcome may have been reported; none where a registry tells of events, for they decide nothing there."""
    if days is None or not outcome.needs_reports:
        return pd.DataFrame(columns=["subject_id", "local_date"])
    return days.load(columns=cohorts.reporting_columns(outcome))


def present(matrix: pd.DataFrame) -> pd.DataFrame:
    """Rows of subjects with any data in the last four weeks: of the others nothing is missing that ever comes."""
    return matrix[matrix[engineering.COMPLETENESS] > 0].reset_index(drop=True)


def count_features(
    matrix: pd.DataFrame, outcome: str, features: Sequence[str], edges: Edges, attributes: pd.DataFrame
) -> pd.DataFrame:
    """Counts of features, night by night, with `as_of_date`."""
    found = []
    for night, rows in present(matrix).groupby("index_date"):
        subjects = pd.Index(rows["subject_id"])
        groups = counts.groups_of(levels_of(attributes, subjects), subjects)
        found.append(
            counts.count(counts.FEATURE, outcome, rows[list(features)], edges, groups).assign(**{NIGHT: night})
        )
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def past_scores(
    installation: Installation, days: Panel, outcome: Outcome, matrix: pd.DataFrame, model: risk.HazardModel, horizon_days: int
) -> pd.DataFrame:  # fmt: skip
    """What a model would have said on past nights of those who would have been scored: `subject_id, as_of_date, probability`.

    It may have learnt from these very nights: they tell how its scores are spread, and nothing of how good they are.
    """
    lake, policy = installation.lake, installation.settings.alert_policy
    events = cohorts.in_force(cohorts.outcome_event_days(lake, days.cohort, outcome), days.cohort.as_of)
    is_scored = matrix[engineering.COMPLETENESS] >= policy.min_completeness
    rows = matrix[is_scored & ~is_masked(matrix[KEY], events, outcome)].reset_index(drop=True)
    place = model.horizons_days.index(horizon_days)
    risks = risk.predict(model, rows)[:, place] if len(rows) else np.zeros(0)
    return rows[KEY].rename(columns={"index_date": NIGHT}).assign(probability=risks)
