"""Inverse-probability-of-censoring weights: rows stand for those like them that were lost."""

import numpy as np
import pandas as pd
import pytest

from models import censoring
from models.baselines import MODEL
from models.protocol import Predictions

FIRST = pd.Timestamp("2026-01-01").as_unit("us")
NIGHT = FIRST + pd.Timedelta(days=100)


def lost(subjects: int = 400, seed: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row a subject; of those with scarce data two in three are lost, of the others one in ten."""
    rng = np.random.default_rng(seed)
    is_scarce = np.arange(subjects) % 2 == 0
    is_lost = rng.random(subjects) < np.where(is_scarce, 2 / 3, 0.1)
    rows = pd.DataFrame({
        "subject_id": [f"p{i}" for i in range(subjects)], "index_date": FIRST, "task": "onset", "is_masked": False,
        "is_admitted": False, "days_to_event": np.where(rng.random(subjects) < np.where(is_scarce, 0.6, 0.2), 2.0, np.nan),
        "followed_days": np.where(is_lost, 0, 30),
    })  # fmt: skip
    return rows, pd.DataFrame({"completeness": is_scarce.astype(float)})


def test_rows_stand_for_those_like_them_that_were_lost():
    """Weighted, the labelled rows have scarce data as often as all rows had: one in two, not one in four."""
    labels, covariates = lost()
    weight = censoring.weights(labels, covariates, 7, NIGHT)
    is_labelled, is_scarce = np.isfinite(weight), (covariates["completeness"] == 1).to_numpy()
    assert is_scarce[is_labelled].mean() < 0.32
    assert weight[is_labelled & is_scarce].sum() / weight[is_labelled].sum() == pytest.approx(0.5, abs=0.02)
    assert weight[is_labelled].mean() == pytest.approx(1)


def test_what_the_calendar_took_asks_for_no_weight():
    """Rows whose horizon is not over on the night, masked ones and those of the admitted are not lost to follow-up."""
    labels, covariates = lost()
    is_lost = labels["followed_days"] == 0
    late = labels.assign(index_date=labels["index_date"].mask(is_lost, NIGHT - pd.Timedelta(days=6)))
    for spared in (late, labels.assign(is_masked=is_lost), labels.assign(is_admitted=is_lost)):
        assert np.nanmax(censoring.weights(spared, covariates, 7, NIGHT)) == 1


def test_the_gain_is_told_by_weighted_rows_and_not_where_none_was_lost():
    """The model ranks within those of scarce data and the rule does not: weighted, these count more."""
    labels, covariates = lost(2000)
    is_scarce = covariates["completeness"] == 1
    rng = np.random.default_rng(2)
    helped = np.where(is_scarce, labels["days_to_event"].notna(), False) + rng.normal(0, 0.5, len(labels))
    risks = {MODEL: helped[:, None], "history_only": rng.random((len(labels), 1))}
    predictions = Predictions("onset", "unseen_subjects", (7,), labels, risks)
    told = (covariates, 7, "history_only", NIGHT, "simulated", "crisis", 100, 1)
    found = censoring.sensitivity(predictions, *told).set_index(["model", "metric"])["value"]
    plain = censoring.sensitivity(predictions, covariates * 0 + 1, *told[1:])
    assert plain.empty
    gain = found[MODEL, "auroc_ipcw"] - found["history_only", "auroc_ipcw"]
    assert found[MODEL, "auroc_minus_best_baseline_ipcw"] == pytest.approx(gain)
    kept = labels["followed_days"] > 0
    positive = labels["days_to_event"][kept].notna()
    pairs = helped[kept][positive][:, None] > helped[kept][~positive]
    assert found[MODEL, "auroc_ipcw"] > pairs.mean() + 0.02
    whole = Predictions("onset", "unseen_subjects", (7,), labels.assign(followed_days=30), risks)
    assert censoring.sensitivity(whole, *told).empty
