"""Rows at risk by interval: places in a matrix, of which no copy is made."""

import numpy as np
import pandas as pd
import pytest

from models import intervals, risk
from models.growth import Growth
from models.intervals import Rows
from tests.models.made_up import FEATURES, OUTCOME, cohort


def test_a_row_is_at_risk_until_its_event_and_while_it_is_followed():
    """Horizons of 7 and 14 days: an event on day 9, one on day 3, nine days without one, and a masked row."""
    labels = pd.DataFrame({
        "days_to_event": [9.0, 3.0, np.nan, 3.0], "followed_days": [30, 30, 9, 30], "is_masked": [False, False, False, True],
    })  # fmt: skip
    place, interval, y = intervals.at_risk(labels, (7, 14))
    assert list(zip(place, interval, y, strict=True)) == [(0, 0, 0.0), (1, 0, 1.0), (2, 0, 0.0), (0, 1, 1.0)]


def test_batches_hold_each_row_once_with_its_interval_last(monkeypatch):
    """Whatever the type of a column; a missing value stays missing."""
    monkeypatch.setattr(intervals, "BATCH_ROWS", 2)
    matrix = pd.DataFrame({"a": [0.1, np.nan, 3.0], "b": [True, False, True], "c": np.array([7, 8, 9], np.float32)})
    rows = Rows(intervals.columns_of(matrix, ("c", "a", "b")), np.array([2, 1, 0]), np.array([0, 0, 1]))
    x = np.concatenate([x for _, x in rows.batches()])
    np.testing.assert_array_equal(x, np.array([[9, 3, 1, 0], [8, np.nan, 0, 0], [7, 0.1, 1, 1]], np.float32))
    np.testing.assert_array_equal(rows.among(np.array([False, True, True])).values(("b", "a")), [[0, np.nan], [1, 0.1]])


def test_columns_of_floating_point_numbers_are_not_copied():
    """A million rows are in memory once."""
    matrix = pd.DataFrame(np.zeros((3, 100), np.float32).T, columns=["a", "b", "c"], copy=False)
    for name, values in intervals.columns_of(matrix, ("a", "c")).items():
        assert np.shares_memory(values, matrix[name].to_numpy())


@pytest.mark.parametrize("batch", [100, 100_000])
def test_a_model_is_the_same_bytes_whatever_a_batch_holds(monkeypatch, batch: int):
    """XGBoost bins what it is handed in pieces as it bins the whole, and scores it so."""
    matrix, labels = cohort(30, 60)

    def fitted() -> risk.HazardModel:
        return risk.fit(matrix, labels, OUTCOME.horizons_days, FEATURES, "boosted_trees", 1, growth=Growth(rounds=10))

    usual = fitted()
    monkeypatch.setattr(intervals, "BATCH_ROWS", batch)
    other = fitted()
    assert other == usual
    assert np.array_equal(risk.predict(other, matrix), risk.predict(usual, matrix))
