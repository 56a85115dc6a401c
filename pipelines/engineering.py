"""Builds and stores what a model sees: the cohort, the day panel, and feature matrices for training or for a night."""

import pandas as pd

from features import history, matrix
from features.flags import restarts_of
from models.baselines import LAST_MOOD
from models.outcomes import Outcome
from pipelines import cohort as cohorts
from pipelines import panel as panels
from pipelines.cohort import Cohort
from pipelines.installation import Installation
from pipelines.settings import Settings

# Share of the last four weeks' days with any data.
COMPLETENESS = "adherence_coverage_28d"
Shapes = dict[str, tuple[int, int]]


def cohort(installation: Installation, night: str) -> Cohort:
    """Who was known for the night."""
    return cohorts.load(installation.lake, installation.settings, pd.Timestamp(night))


def days(installation: Installation, night: str) -> pd.DataFrame:
    """The bitemporal day panel of the night, stored as `days`."""
    installation.report("summarising days")
    return panels.refresh(installation.lake, cohort(installation, night)).load()


def outcomes(installation: Installation) -> list[Outcome]:
    """The declared outcomes."""
    return [cohorts.outcome_named(name, o) for name, o in installation.settings.outcomes.items()]


def training_matrices(installation: Installation, night: str) -> Shapes:
    """Build and store `feature_matrix_<outcome>` over every index date before the night; their shapes."""
    known, panel = cohort(installation, night), days(installation, night)
    shapes = {}
    for outcome in outcomes(installation):
        until = cohorts.follow_up(installation.lake, known, outcome, panel)
        shapes[outcome.name] = _store(installation, known, panel, outcome, cohorts.index_rows(known, until), "training")
    return shapes


def night_matrices(installation: Installation, night: str) -> Shapes:
    """Build and store `night_matrix_<outcome>`, one row per subject on the roster; their shapes."""
    known, panel = cohort(installation, night), days(installation, night)
    index = known.roster[["subject_id"]].assign(index_date=known.as_of).sort_values("subject_id", ignore_index=True)
    return {o.name: _store(installation, known, panel, o, index, "night") for o in outcomes(installation)}


def needed(settings: Settings) -> tuple[str, ...]:
    """Features of the matrices: what models see, and what baselines, controls and deliveries need beside it."""
    return tuple(dict.fromkeys([*settings.features_on(), *history.NAMES, LAST_MOOD, COMPLETENESS]))


def _store(
    installation: Installation, known: Cohort, panel: pd.DataFrame, outcome: Outcome, index: pd.DataFrame, kind: str
) -> tuple[int, int]:
    installation.report(f"building features of {len(index):,} rows")
    events = cohorts.outcome_event_days(installation.lake, known, outcome)
    settings = installation.settings
    built = matrix.build_matrix(
        panel, events, known.subjects, index, outcome.merge_within_days, needed(settings), settings.catalog(),
        restarts_of(installation.lake.load("flags")), settings.training.threads,
    )  # fmt: skip
    installation.lake.replace(f"{kind}_matrix_{outcome.name}", built)
    return len(built), built.shape[1] - 2
