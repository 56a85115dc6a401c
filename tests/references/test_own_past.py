"""A subject against their own past: median and MAD against scipy, the anomaly distance against scikit-learn."""

import numpy as np
import pytest
from scipy.stats import median_abs_deviation
from sklearn.covariance import LedoitWolf

from features import baseline
from tests.references.figures import same, shown
from tests.references.made_up import minutes_asleep, with_gaps

DAYS = 120
WEEK = 7


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_the_usual_and_its_spread_are_numpys_and_scipys(share):
    """Median and median absolute deviation of the 90 days before the week, at each of many ends."""
    nights = with_gaps(minutes_asleep(DAYS), share)
    ends = np.arange(90, DAYS - WEEK + 1)
    ours = baseline.past(nights[:, None], ends + WEEK, (WEEK,))[WEEK]
    pasts = [nights[end - 90 : end] for end in ends]
    assert ours.median[:, 0] == same(np.array([np.nanmedian(past) for past in pasts]))
    assert ours.mad[:, 0] == same(np.array([median_abs_deviation(past, nan_policy="omit") for past in pasts]))


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_the_robust_z_rests_on_both(features_of, share):
    """Of a measure without a usual spread: the week's mean from the median, in 1.4826 MAD, times n / (n + 7)."""
    swings = with_gaps(minutes_asleep(DAYS) / 2000, share)
    week, past = swings[-WEEK:], swings[-WEEK - 90 : -WEEK]
    n = np.isfinite(past).sum()
    spread = median_abs_deviation(past, scale=1 / 1.4826, nan_policy="omit")
    theirs = (np.nanmean(week) - np.nanmedian(past)) / spread * n / (n + 7)
    assert features_of(["mood_swing_z_7d"], mood_swing=swings)["mood_swing_z_7d"] == same(theirs)


def test_scipy_knows_more_digits_of_the_normal_spread():
    """Deviation: its scale "normal" is 1.48260222, ours 1.4826: of 10,000 minutes 14826.0222 and 14826.

    Four digits are what is published and what everybody can check by hand; 1.5 in a million is below any measurement.
    """
    theirs = median_abs_deviation([-10_000, 0, 10_000, -10_000, 10_000], scale="normal")
    assert (theirs, 10_000 * baseline.MAD_TO_SD) == shown(14826.0222, 14826.0)


@pytest.mark.parametrize(("n_days", "n_measures"), [(90, 3), (40, 6), (14, 6)])
def test_the_anomaly_distance_is_mahalanobis_with_ledoit_and_wolfs_shrinkage(n_days, n_measures):
    """scikit-learn with the centre known to be 0, per measure; days without any measure take no part."""
    rng = np.random.default_rng(n_days)
    mixing = rng.normal(size=(n_measures, n_measures))
    days, recent = rng.normal(size=(n_days, n_measures)) @ mixing, rng.normal(size=n_measures)
    squared = LedoitWolf(assume_centered=True).fit(days).mahalanobis(recent[None])[0]
    unseen = np.full((20, n_measures), np.nan)
    ours = baseline.distance(recent[None], np.concatenate([days, unseen])[None])
    assert ours[0] == same(np.sqrt(squared / n_measures))


def test_a_day_without_a_measure_counts_as_usual_in_the_distance():
    """scikit-learn takes no gaps: it is given 0, a z of nothing unusual, where a day lacks a measure."""
    days = np.random.default_rng(6).normal(size=(60, 4))
    days[::7, 2] = np.nan
    recent = np.array([1.0, -2.0, 0.5, 3.0])
    squared = LedoitWolf(assume_centered=True).fit(np.nan_to_num(days)).mahalanobis(recent[None])[0]
    assert baseline.distance(recent[None], days[None])[0] == same(np.sqrt(squared / 4))
