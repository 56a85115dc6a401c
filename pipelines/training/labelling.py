"""Labels of every outcome for the rows of its stored matrix: `labels_<outcome>`; the flow to them, and which were acted on."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from features.calendar import is_known_on
from models import outcomes, reweighing, splits
from models.flow import flow
from models.learnability import refuse_what_cannot_be_learnt
from models.outcomes import Outcome, at_horizon
from pipelines import cohort as cohorts
from pipelines import engineering
from pipelines.cohort import Cohort
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.progress import Counts
from pipelines.training import deeds
from pipelines.training.attributes import with_device
from pipelines.training.declared import refuse_what_no_stream_gives
from pipelines.training.provenance import basis

KEY = ["subject_id", "index_date"]
# Below this share of index dates with any data in the 28 days before, the past was not known when it happened.
FEWEST_WITH_DATA = 0.05


def make_labels(installation: Installation, night: str) -> Counts:
    """Store labels of every outcome, the flow from index dates to them, and how many were acted on; how many are positive.

    Raises:
        Refused: no stream gives an outcome, or no past was known when it happened.
        ModelsError: nothing can be learnt from the labels.
    """
    days = engineering.panel(installation, night)
    known = days.cohort
    counts: Counts = {}
    flows, acted_on, done = [], [], deeds.known(installation.lake, known)
    for outcome in engineering.outcomes(installation):
        refuse_what_no_stream_gives(installation.lake, known, outcome)
        matrix = installation.lake.load(f"training_matrix_{outcome.name}")
        refuse_an_unknown_past(matrix)
        reports = days.load(columns=cohorts.reporting_columns(outcome))
        labels = labels_of(installation, known, outcome, matrix[KEY], reports)
        installation.lake.replace(f"labels_{outcome.name}", labels, version=basis(installation, night))
        flows.append(flow(labels, outcome.horizons_days).assign(outcome=outcome.name))
        horizon = installation.settings.outcomes[outcome.name].alert_horizon
        acted_on.append(deeds.counted(done, labels, outcome, horizon))
        counts[f"{outcome.name} rows with an onset within {outcome.horizons_days[-1]} days"] = int(
            (at_horizon(labels[labels["task"] == "onset"], outcome.horizons_days[-1]) == 1).sum()
        )
    installation.lake.replace("flow", pd.concat(flows, ignore_index=True))
    installation.lake.replace(deeds.ACTED_ON, pd.DataFrame(acted_on))
    return counts


def labelled_past(
    installation: Installation, night: str, outcome: Outcome, features: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Features of every past index date, and its onset labels, row by row; nothing is stored.

    Args:
        features: `engineering.COMPLETENESS` among them.

    Raises:
        Refused: there is no such date, or hardly any whose data were known by then, or no stream gives the outcome.
        ModelsError: nothing can be learnt from the labels.
    """
    days = engineering.panel(installation, night)
    refuse_what_no_stream_gives(installation.lake, days.cohort, outcome)
    reports = days.load(columns=cohorts.reporting_columns(outcome))
    until = cohorts.follow_up(installation.lake, days.cohort, outcome, reports)
    index = engineering.training_index(installation, days, outcome, until)
    matrix = pd.concat(engineering.built(installation, days, outcome, index, features), ignore_index=True)
    refuse_an_unknown_past(matrix)
    labels = labels_of(installation, days.cohort, outcome, matrix[KEY], reports)
    return matrix, labels[labels["task"] == "onset"].reset_index(drop=True)


def labels_of(
    installation: Installation, known: Cohort, outcome: Outcome, index: pd.DataFrame, reports: pd.DataFrame
) -> pd.DataFrame:
    """Labels of both tasks for index rows as a night knows them and, of those over by then, as each forward cut did.

    An event that was received after a cut is none to a training there: it would have seen a row without one. Where a mitigation
    is declared, rows have the group by which they are reweighed, as the night knows it.

    Args:
        known: the cohort of the night.
        reports: versions of subject-days on which the outcome may have been reported, with `known_on`.

    Raises:
        ModelsError: nothing can be learnt from the labels that are known by now, or everybody is in one group.
    """
    longest = max(outcome.horizons_days)
    labels = as_known(installation, known, outcome, index, reports)
    for cut, begin in enumerate(splits.cut_dates(index["index_date"], installation.settings.training.cuts)):
        is_over = splits.is_over(index["index_date"], longest, begin)
        if is_over.any():
            then = cohorts.load(installation.lake, installation.settings, begin)
            by_then = reports[is_known_on(reports["known_on"], begin)]
            told = as_known(installation, then, outcome, index[is_over], by_then)
            labels = splits.with_known(labels, cut, np.tile(is_over, len(outcomes.TASKS)), told)
    refuse_what_cannot_be_learnt(labels[labels["task"] == "onset"], outcome.horizons_days)
    by = installation.settings.training.reweighed_by
    return reweighing.with_groups(labels, with_device(installation, known), by) if by else labels


def grouped(installation: Installation, night: str, labels: pd.DataFrame, by: Collection[str]) -> pd.DataFrame:
    """Label rows with their groups by further attributes, as the night knows them.

    Raises:
        ModelsError: an attribute that no source gives, or by which everybody is in one group.
    """
    subjects = with_device(installation, engineering.cohort(installation, night))
    for attribute in sorted(by):
        if reweighing.column(attribute) not in labels:
            labels = reweighing.with_groups(labels, subjects, attribute)
    return labels


def as_known(
    installation: Installation, known: Cohort, outcome: Outcome, index: pd.DataFrame, reports: pd.DataFrame
) -> pd.DataFrame:
    """Labels of both tasks, one below the other, as a night knows them, with the days since the newest event."""
    until = cohorts.follow_up(installation.lake, known, outcome, reports)
    events = cohorts.in_force(cohorts.outcome_event_days(installation.lake, known, outcome), known.as_of)
    reported = cohorts.reporting_days(installation.lake, known, outcome, reports)
    care = cohorts.care_statuses(installation.lake, known)
    since = outcomes.days_since_event(index, events)
    parts = [outcomes.label(index, outcome, task, events, until, reported, care) for task in outcomes.TASKS]
    return pd.concat([part.assign(days_since_event=since) for part in parts], ignore_index=True)


def refuse_an_unknown_past(matrix: pd.DataFrame) -> None:
    """Refuse history that was loaded in one go: it was known at no cutoff of its own; nothing can be learnt from it.

    Raises:
        Refused: hardly any index date had data by then.
    """
    had_data = float((matrix[engineering.COMPLETENESS] > 0).mean())
    if had_data < FEWEST_WITH_DATA:
        raise Refused(
            f"{1 - had_data:.0%} of {len(matrix)} past index dates had no data that were received by their own cutoff. "
            "Say when the rows were received: map `received_at`, or write `received: end_of_local_day` in the mapping."
        )
