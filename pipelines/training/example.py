"""The row that shows how a registered model is fed. MLflow stores it beside the model, so it is nobody's: it is simulated."""

import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pandas as pd

from features.history import TENURE
from features.matrix import build_matrix
from models.outcomes import Outcome
from pipelines import cohort as cohorts
from pipelines import panel as panels
from pipelines.door.intake import ingest
from pipelines.lake import Lake
from pipelines.settings import Settings
from pipelines.sources import simulated
from pipelines.sources.simulated import SimulatedCohort

# Who answers and wears the device at night, too; for the longest window and the past before it, minutes for a month.
SOMEONE = SimulatedCohort(subjects=1, days=130, minute_days=28, seed=9, until=date(2026, 6, 30))
NIGHT = pd.Timestamp("2026-07-01").as_unit("us")


def simulated_row(settings: Settings, outcome: Outcome, features: Sequence[str]) -> pd.DataFrame:
    """One row of these features of somebody simulated, on the way of every night: door, lake, day panel, matrix.

    The same whenever it is asked for. What the simulator does not make, declared signals for instance, is missing. For a
    model without features, to which any row will do, it is the time since enrolment.
    """
    names = list(features) or [TENURE]
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        ingest(lake, simulated.read(SOMEONE), "example")
        days = panels.refresh(lake, cohorts.load(lake, settings, NIGHT))
        known = days.cohort
        row = build_matrix(
            days.load(), cohorts.outcome_event_days(lake, known, outcome), known.enrolments,
            known.subjects[["subject_id"]].assign(index_date=NIGHT), outcome.merge_within_days, names, settings.catalog(),
            days.restarts,
        )  # fmt: skip
    return row[names]
