"""Rest-activity rhythm against GGIR and nparACT, which are R packages and cannot be installed here.

What they compute is restated below from their sources, in our words. Where a release changes it, these tests do not see it.
"""

import numpy as np
import pytest

from features import circadian
from tests.references.figures import same, shown
from tests.references.made_up import Values, as_days, steps_per_hour, with_gaps


def ggir(hours: Values) -> tuple[float, float]:
    """IS and IV as GGIR defines them since 3.1-6 (`R/g.IVIS.R`, function `g.IVIS`), of hours with gaps.

    Deviations are from the mean of the 24 hourly means; n is the number of valid hours, and IV is n / (n - 1) times the
    sum over valid pairs.
    """
    day = np.nanmean(hours.reshape(-1, 24), axis=0)
    n = np.isfinite(hours).sum()
    squares = np.nansum((hours - day.mean()) ** 2)
    stability = n * ((day - day.mean()) ** 2).sum() / (24 * squares)
    return stability, n / (n - 1) * np.nansum(np.diff(hours) ** 2) / squares


def nparact(hours: Values) -> tuple[float, float]:
    """IS and IV as nparACT 0.10 defines them (`R/nparACT_ISIVfunctions.R`), of whole days without gaps.

    The last hour of the last day takes no part in its hourly mean; both figures are rounded to two decimals.
    """
    days = hours.reshape(-1, 24).copy()
    days[-1, -1] = np.nan
    n, squares = len(hours), ((hours - hours.mean()) ** 2).sum()
    stability = n * ((np.nanmean(days, axis=0) - hours.mean()) ** 2).sum() / (24 * squares)
    return round(stability, 2), round(n / (n - 1) * (np.diff(hours) ** 2).sum() / squares, 2)


def ours(hours: Values) -> tuple[float, float]:
    """Our IS and IV."""
    return circadian.interdaily_stability(as_days(hours))[0], circadian.intradaily_variability(as_days(hours))[0]


@pytest.mark.parametrize("seed", range(3))
def test_ggir_agrees_on_complete_data(seed):
    """With all hours known there are n - 1 pairs, and both means are the same."""
    hours = steps_per_hour(seed=seed)
    assert ours(hours) == same(ggir(hours))


@pytest.mark.parametrize(("share", "theirs", "valid"), [(0.1, 0.3527, 0.3947), (0.3, 0.2964, 0.4082)])
def test_ggirs_variability_falls_with_every_hour_unknown(share, theirs, valid):
    """Deviation: with 10 % and 30 % of the hours unknown theirs says 0.3527 and 0.2964, ours 0.3947 and 0.4082.

    It sums over valid pairs only and divides by n - 1, as if each valid hour but one had a valid one before it.
    """
    hours = with_gaps(steps_per_hour(), share)
    assert (ggir(hours)[1], ours(hours)[1]) == shown(theirs, valid)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_the_share_of_pairs_is_all_that_parts_ggirs_variability_from_ours(share):
    """Theirs is ours times valid pairs per valid hour but one, when both take deviations from the same mean."""
    hours = with_gaps(steps_per_hour(), share)
    n, pairs = np.isfinite(hours).sum(), np.isfinite(np.diff(hours)).sum()
    means = np.nanmean(hours), np.nanmean(hours.reshape(-1, 24), axis=0).mean()
    of_all, of_day = (np.nansum((hours - mean) ** 2) for mean in means)
    assert ours(hours)[1] * pairs / (n - 1) * of_all / of_day == same(ggir(hours)[1])


@pytest.mark.parametrize("seed", range(3))
def test_nparacts_variability_is_ours_rounded(seed):
    """It takes complete data only and gives two decimals."""
    hours = steps_per_hour(seed=seed)
    assert round(ours(hours)[1], 2) == nparact(hours)[1]


def test_nparact_leaves_the_last_hour_out_of_its_hourly_mean():
    """Deviation: with a burst in the very last hour theirs says IS 0.35, ours 0.5253.

    It makes the number of hours whole by writing a gap at the end, which falls on a value when the days are whole.
    """
    hours = steps_per_hour(days=3)
    hours[-1] = 3000
    assert (nparact(hours)[0], ours(hours)[0]) == shown(0.35, 0.5253)
