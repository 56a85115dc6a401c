"""Trees as they are walked for every interval at once say what XGBoost says, to the bit."""

import numpy as np
import pytest
import xgboost as xgb

from models.trees import Trees

INTERVALS = 3


def grown(rounds: int, depth: int, seed: int) -> tuple[xgb.Booster, np.ndarray, np.ndarray]:
    """Trees that ask for the interval and meet missing values, the rows without it, and margins."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0, 1, (600, 5)).astype(np.float32)
    x[rng.random(x.shape) < 0.2] = np.nan
    interval = rng.integers(0, INTERVALS, len(x))
    y = (np.nan_to_num(x[:, 0]) + interval + rng.normal(0, 1, len(x)) > 1).astype(float)
    told = {"objective": "binary:logistic", "max_depth": depth, "base_score": 0.5, "subsample": 0.7, "seed": seed}
    booster = xgb.train(told, xgb.DMatrix(np.column_stack([x, interval]), y), rounds)
    return booster, x, rng.normal(-3, 1, (len(x), INTERVALS))


@pytest.mark.parametrize(("rounds", "depth"), [(40, 3), (25, 6), (1, 1), (3, 0)])
def test_walks_say_what_xgboost_says(rounds, depth):
    """Of every row in every interval, missing values and thresholds that are met exactly among them."""
    if depth == 0:  # nothing to split on: every tree is a leaf
        booster, x, margin = grown(rounds, 3, 1)
        booster = xgb.train({"gamma": 1e9, "base_score": 0.5}, xgb.DMatrix(np.zeros((9, 6)), np.arange(9) % 2), rounds)
    else:
        booster, x, margin = grown(rounds, depth, 1)
    trees = Trees.of(booster)
    x[: trees.threshold.shape[1], 0] = trees.threshold[0]
    wide = np.column_stack([x, np.zeros(len(x), np.float32)])
    wanted = margin.copy()
    for interval in range(INTERVALS):
        rows = wide.copy()
        rows[:, -1] = interval
        base = margin[:, interval].copy()
        wanted[:, interval] = booster.inplace_predict(rows, base_margin=base, predict_type="margin")
    trees.add_to(margin, np.ascontiguousarray(wide))
    np.testing.assert_array_equal(margin, wanted)
    assert trees.asks_interval.any() == (depth > 0)
