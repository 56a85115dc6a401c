"""When a training fits again on resampled subjects: where that can decide what serves, and what it must to decide it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.baselines import MODEL
from models.evaluation import COLUMNS, GAIN
from models.refitting import REFITS, REFITTED_GAIN
from pipelines.installation import Installation
from pipelines.settings import load_settings
from pipelines.training import evaluating
from pipelines.training.candidates import candidates
from pipelines.training.evaluating import Evaluated
from tests.models.made_up import OUTCOME, cohort
from tests.pipelines.small_job import make_home

SPLIT = "unseen_subjects"


def evaluated(low: float) -> Evaluated:
    """Result rows in which the conditional interval of the gain at 14 days begins there."""
    told = {
        "dataset": "made up",
        "outcome": "crisis",
        "task": "onset",
        "split": SPLIT,
        "n_subjects": 60,
        "n_episodes": 40,
    }
    rows = [
        (MODEL, 14, "best baseline: history_only", GAIN, 0.05, low, 0.1),
        (MODEL, 7, "best baseline: last_mood", GAIN, 0.05, 0.01, 0.1),
    ]
    rows += [(name, days, "all", "auroc", value, 0.6, 0.9)
             for name, value in ((MODEL, 0.8), ("history_only", 0.75), ("prevalence", 0.5)) for days in (7, 14)]  # fmt: skip
    named = pd.DataFrame(rows, columns=["model", "horizon_days", "group", "metric", "value", "low", "high"]).assign(
        **told
    )
    return Evaluated([], named[list(COLUMNS)], SPLIT)


def settings(folder: Path, **training: object) -> Installation:
    """An installation whose training is declared so."""
    declared = load_settings(make_home(folder / "home") / "foretide.yaml")
    how = declared.training.model_copy(update={"refits": 200, **training})
    outcomes = {
        "crisis": declared.outcomes["crisis"].model_copy(update={"horizons_days": (7, 14), "alert_horizon_days": 14})
    }
    return Installation(declared.model_copy(update={"training": how, "outcomes": outcomes}))


@pytest.mark.parametrize(
    ("low", "training", "asked"),
    [
        (0.01, {}, {MODEL, "history_only"}),
        (0.0, {}, None),
        (float("nan"), {}, None),
        (0.01, {"refits": 0}, None),
        (-0.1, {"every_split": True}, "all"),
        (-0.1, {"every_split": True, "refits": 0}, None),
    ],
    ids=["seems proven", "proves nothing", "not estimable", "none asked for", "full protocol", "full, none asked for"],
)
def test_refits_are_made_where_they_can_decide(tmp_path, monkeypatch, low, training, asked):
    """By default where the conditional interval lies above the policy's limit, of the model and the bar alone."""
    matrix, labels = cohort(30, 60)
    matrix = matrix.drop(columns="noise")
    made = []

    def refit(matrix, labels, outcome, predictors, split, how, report):
        made.append({predictor.name for predictor in predictors})
        drawn = np.linspace(0.6, 0.9, how.refits)[:, None] * np.ones(2)
        return {predictor.name: drawn + 0.02 * (predictor.name == MODEL) for predictor in predictors}

    monkeypatch.setattr(evaluating, "refit", refit)
    found, installation = evaluated(low), settings(tmp_path, **training)
    rows = evaluating._refitted(installation, OUTCOME, matrix, labels, found)
    if asked is None:
        assert (made, len(rows)) == ([], len(found.rows))
        return
    everything = {
        p.name for p in candidates(matrix, installation.settings.features_on(), installation.settings.training)
    }
    assert made == [everything if asked == "all" else asked]
    at = rows[rows["horizon_days"] == 14].set_index("metric")
    assert at.loc[REFITS, "value"] == installation.settings.training.refits == 200
    assert at.loc[REFITTED_GAIN, "low"] == pytest.approx(0.02)
    assert set(rows.columns) == set(COLUMNS)
