"""The simulated row that shows how a registered model is fed."""

import numpy as np
import pytest
import yaml

from features.history import TENURE
from models.outcomes import Outcome
from pipelines import cohort as cohorts
from pipelines.settings import Settings, settings_from
from pipelines.training.example import simulated_row
from tests.pipelines.small_job import ROOT

Declared = tuple[Settings, Outcome]


@pytest.fixture(scope="module")
def declared(tmp_path_factory) -> Declared:
    """The project's own configuration and outcome, with a signal that the simulator does not make."""
    content = yaml.safe_load((ROOT / "foretide.yaml").read_text())
    content["signals"] = {"speech_rate": {"unit": "/min", "low": 0, "high": 400}}
    settings = settings_from(content, tmp_path_factory.mktemp("example"))
    return settings, cohorts.outcome_named(*next(iter(settings.outcomes.items())))


def test_it_has_every_feature_that_models_see_and_is_the_same_each_time(declared):
    """Most of them have a value, and sane ones; a declared signal is missing, not refused."""
    settings, outcome = declared
    row = simulated_row(settings, outcome, settings.features_on())
    assert tuple(row.columns) == settings.features_on()
    assert len(row) == 1
    assert (row.dtypes == np.float64).all()
    signals = [name for name in row if name.startswith("signals_")]
    assert signals
    assert row[signals].isna().all(axis=None)
    assert row.notna().mean(axis=1).item() > 0.6
    assert 300 < row["sleep_duration_mean_28d_min"].item() < 720
    again = simulated_row(settings, outcome, settings.features_on())
    assert again.to_numpy().tobytes() == row.to_numpy().tobytes()


def test_a_model_without_features_is_shown_a_row_all_the_same(declared):
    """Any row will do for it; it is the time since enrolment."""
    row = simulated_row(*declared, ())
    assert list(row.columns) == [TENURE]
    assert row[TENURE].item() > 100
