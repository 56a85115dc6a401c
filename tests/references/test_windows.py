"""Statistics of trailing windows, as features, against numpy, scipy and statsmodels on the window's own days."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from features.measures import WINDOWS
from tests.references.figures import same
from tests.references.made_up import clock_times, minutes_asleep, with_gaps

DAYS = 120
SHARES = (0.0, 0.25)
BY_WINDOW = pytest.mark.parametrize(("window", "share"), [(w, share) for w in WINDOWS for share in SHARES])


def newest(values: np.ndarray, window: int) -> np.ndarray:
    """The days of the window."""
    return values[-window:]


@BY_WINDOW
def test_the_moments_are_numpys(features_of, window, share):
    """Mean and standard deviation (n - 1) of the valid days."""
    nights = with_gaps(minutes_asleep(DAYS), share)
    valid = newest(nights, window)[np.isfinite(newest(nights, window))]
    names = [f"sleep_duration_{kind}_{window}d_min" for kind in ("mean", "sd")]
    assert features_of(names, sleep_duration=nights)[names].to_list() == same([valid.mean(), valid.std(ddof=1)])


@BY_WINDOW
def test_the_slope_is_that_of_least_squares(features_of, window, share):
    """statsmodels and scipy fit a line to the valid days at their true distances."""
    nights = with_gaps(minutes_asleep(DAYS), share)
    value = newest(nights, window)
    day = np.arange(window, dtype=float)
    name = f"sleep_duration_slope_{window}d_min"
    ours = features_of([name], sleep_duration=nights)[name]
    assert ours == same(sm.OLS(value, sm.add_constant(day), missing="drop").fit().params[1])
    assert ours == same(stats.linregress(day[np.isfinite(value)], value[np.isfinite(value)]).slope)


@BY_WINDOW
def test_the_instability_is_that_of_pandas_differences(features_of, window, share):
    """Root mean square of the differences of adjacent days that are both valid."""
    nights = with_gaps(minutes_asleep(DAYS), share)
    name = f"sleep_duration_rmssd_{window}d_min"
    theirs = pd.Series(newest(nights, window)).diff().pow(2).mean() ** 0.5
    assert features_of([name], sleep_duration=nights)[name] == same(theirs)


def test_small_spread_around_a_large_level_keeps_its_precision(features_of):
    """A thousandth around a million: numpy's two passes and our merged blocks agree where sums of squares would not."""
    nights = 1e6 + minutes_asleep(DAYS) / 1e5
    name = "sleep_duration_sd_90d_min"
    assert features_of([name], sleep_duration=nights)[name] == same(nights[-90:].std(ddof=1))


@BY_WINDOW
def test_clock_times_are_averaged_as_scipy_does(features_of, window, share):
    """Circular mean and standard deviation around midnight, of the valid days."""
    times = with_gaps(clock_times(DAYS), share)
    value = newest(times, window)
    names = [f"sleep_midpoint_{kind}_{window}d_h" for kind in ("mean", "sd")]
    circle = {"high": 24, "low": 0, "nan_policy": "omit"}
    theirs = [stats.circmean(value, **circle), stats.circstd(value, **circle)]
    assert features_of(names, sleep_midpoint=times)[names].to_list() == same(theirs)


def test_the_plain_mean_of_clock_times_is_another(features_of):
    """What a linear mean says of nights around midnight is nowhere near them."""
    times = clock_times(DAYS)
    name = "sleep_midpoint_mean_28d_h"
    ours = features_of([name], sleep_midpoint=times)[name]
    assert abs((times[-28:].mean() - ours + 12) % 24 - 12) > 6
