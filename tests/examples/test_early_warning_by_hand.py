"""Early-warning indicators, computed on paper. Arrays hold one row per series, oldest day first."""

import numpy as np
import pytest

from features import early_warning

NAN = np.nan


def series(*values: float) -> np.ndarray:
    """One series, oldest day first."""
    return np.array([values], dtype=float)


def test_the_variance_rolls_over_valid_days():
    """Three days at a time, divided by one less than the valid among them."""
    found = early_warning.rolling_variance(series(1, 2, 4, NAN, 3), 3)
    # 1, 2, 4: mean 7/3, squares (16 + 1 + 25) / 9, halved; 2, 4: 2; 4, 3: 1/2
    assert found[0].tolist() == pytest.approx([42 / 9 / 2, 2.0, 0.5])


def test_a_rolling_window_with_less_than_half_of_its_days_has_no_variance():
    """One of four days, then two of four."""
    found = early_warning.rolling_variance(series(NAN, NAN, NAN, 1, 3), 4)
    assert np.isnan(found[0, 0])
    assert found[0, 1] == pytest.approx(2.0)


def test_autocorrelation_pairs_each_day_with_the_next():
    """0, 2, 0, 2: after a low day comes a high one, always."""
    # pairs (0, 2), (2, 0), (0, 2); then (2, 0), (0, 2), (2, 3): before 2, 0, 2 (mean 4/3), after 0, 2, 3 (mean 5/3):
    # covariation 2 * 0 + 0 * 2 + 2 * 3 - 3 * 4/3 * 5/3 = -2/3; squares 8 - 16/3 = 8/3 and 13 - 25/3 = 14/3
    found = early_warning.rolling_autocorrelation(series(0, 2, 0, 2, 3), 4)
    assert found[0].tolist() == pytest.approx([-1.0, -2 / 3 / (8 / 3 * 14 / 3) ** 0.5])


def test_autocorrelation_uses_valid_pairs_only():
    """A missing day takes two pairs with it and joins none across the gap."""
    # pairs (0, 1), (1, 0), (4, 6), (6, 5): before 0, 1, 4, 6 (mean 11/4), after 1, 0, 6, 5 (mean 3);
    # covariation 24 + 30 - 33 = 21; squares 53 - 121/4 = 91/4 and 62 - 36 = 26
    found = early_warning.rolling_autocorrelation(series(0, 1, 0, NAN, 4, 6, 5), 7)
    assert found[0].tolist() == pytest.approx([21 / (91 / 4 * 26) ** 0.5])


def test_days_that_do_not_vary_have_no_autocorrelation():
    """Zero over zero is missing; so is a correlation of two pairs."""
    assert np.isnan(early_warning.rolling_autocorrelation(series(3, 3, 3, 3, 3), 4)).all()
    assert np.isnan(early_warning.rolling_autocorrelation(series(1, 2, 5), 3)).all()


def test_tau_counts_the_pairs_that_rise_and_those_that_fall():
    """Of 1, 3, 2, 4 five pairs rise and one falls: 4 / 6; with a tie 1, 1, 2 it is 2 / sqrt(3 * 2)."""
    assert early_warning.kendall_tau(series(1, 3, 2, 4))[0] == pytest.approx(4 / 6)
    assert early_warning.kendall_tau(series(1, 1, 2))[0] == pytest.approx(2 / 6**0.5)
    assert early_warning.kendall_tau(series(3, 2, 1))[0] == -1.0


def test_tau_needs_half_of_the_values_and_a_difference():
    """Two of four are enough, two of five are not; equal values neither rise nor fall."""
    assert early_warning.kendall_tau(series(1, NAN, 2, NAN))[0] == 1.0
    assert np.isnan(early_warning.kendall_tau(series(1, NAN, 2, NAN, NAN))[0])
    assert np.isnan(early_warning.kendall_tau(series(2, 2, 2))[0])


def test_the_trend_is_a_gaussian_mean_of_the_days_around():
    """One day of 1 among 27 of 0: what is left of it is 1 less its own weight, of the others less theirs."""
    # quartiles at a quarter of 0.2 * 28 days: the standard deviation is 1.4 / 0.675 days
    weights = {day: np.exp(-((day / (1.4 / 0.675)) ** 2) / 2) for day in range(-8, 9)}
    own, beside = (weights[day] / sum(weights.values()) for day in (0, 1))
    found = early_warning.detrended(series(*[0] * 14, 1, *[0] * 13))[0]
    assert found[14] == pytest.approx(1 - own)
    assert found[[13, 15]] == pytest.approx([-beside, -beside])


def test_a_gap_takes_no_part_in_the_trend():
    """A level with gaps is its own trend: as zeros the missing days would pull it down."""
    values = series(*[7.0] * 28)
    values[0, [3, 4, 20]] = NAN
    found = early_warning.detrended(values)[0]
    assert np.isnan(found[[3, 4, 20]]).all()
    assert (found[np.isfinite(values[0])] == 0).all()


def test_swings_that_grow_are_a_warning_of_variance_alone():
    """Up and down in turn by 1, 2, ... 28: each half varies more than the one before, and each day undoes the last."""
    swings = series(*[day if day % 2 else -day for day in range(1, 29)])[:, :, None]
    variance, autocorrelation, variance_rise, autocorrelation_rise = early_warning.early_warning(swings)
    assert variance[0] > 200
    assert autocorrelation[0] < -0.9
    assert variance_rise[0] == 1.0
    assert np.isfinite(autocorrelation_rise[0])


def test_fewer_than_half_of_the_days_are_no_series():
    """Of 28 days 13 are known, in every rolling half too few; a level without fluctuation has a variance of 0 only."""
    few = np.where(np.arange(28) % 28 < 13, np.arange(28.0) ** 2, NAN)[None, :, None]
    assert np.isnan(np.concatenate(early_warning.early_warning(few)[:1])).all()
    assert np.isnan(np.concatenate(early_warning.early_warning(np.full((1, 28, 1), NAN)))).all()
    level = np.concatenate(early_warning.early_warning(np.full((1, 28, 1), 0.3)))
    assert level[0] == 0.0
    assert np.isnan(level[1:]).all()


def test_rows_do_not_depend_on_one_another():
    """A series beside others has the figures that it has alone, to the bit."""
    rng = np.random.default_rng(3)
    values = np.where(rng.random((5, 28, 1)) < 0.8, rng.normal(size=(5, 28, 1)), NAN)
    together = early_warning.early_warning(values)
    alone = [early_warning.early_warning(values[row : row + 1]) for row in range(5)]
    for figure, each in enumerate(together):
        np.testing.assert_array_equal(each, np.concatenate([single[figure] for single in alone]))
