"""Early-warning indicators against ewstools and scipy."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from features import early_warning
from tests.references.figures import same, shown
from tests.references.made_up import mood_of_days, with_gaps

DAYS = 90
WINDOW, BANDWIDTH = 45, 18
FIGURES = ("variance", "autocorrelation", "variance_tau", "autocorrelation_tau")


def ours(days: np.ndarray) -> dict[str, float]:
    """Our four figures of one series."""
    found = early_warning.early_warning(days[None, :, None])
    return {name: float(values[0]) for name, values in zip(FIGURES, found, strict=True)}


def last_of(theirs: dict) -> dict[str, float]:
    """The newest rolling figures of ewstools, and its taus."""
    return {name: theirs[name] if name.endswith("tau") else theirs[name][-1] for name in FIGURES}


@pytest.mark.parametrize("seed", range(3))
def test_the_four_figures_are_those_of_ewstools(ask, seed):
    """On complete days, with its Gaussian detrending, its default bandwidth of 0.2 and a rolling half."""
    days = mood_of_days(DAYS, seed=seed)
    theirs = ask("early_warning", values=days, window=WINDOW, bandwidth=BANDWIDTH)
    assert ours(days) == same(last_of(theirs))


def test_every_rolling_figure_is_that_of_ewstools(ask):
    """The trend's residuals, their variance and their autocorrelation, one by one."""
    days = mood_of_days(DAYS)
    theirs = ask("early_warning", values=days, window=WINDOW, bandwidth=BANDWIDTH)
    residuals = early_warning.detrended(days[None])
    assert residuals[0] == same(np.array(theirs["residuals"]))
    variances = early_warning.rolling_variance(residuals, WINDOW)[0]
    assert variances == same(np.array(theirs["variance"][WINDOW - 1 :]))
    autocorrelations = early_warning.rolling_autocorrelation(residuals, WINDOW)[0]
    assert autocorrelations == same(np.array(theirs["autocorrelation"][WINDOW - 1 :]))


def test_one_missing_day_leaves_ewstools_without_a_figure(ask):
    """Deviation: theirs is missing, ours is 0.0101 with 1 of 90 days unknown.

    A gap spreads over its Gaussian trend; ours is the weighted mean of the valid days around.
    """
    days = mood_of_days(DAYS)
    days[-10] = np.nan
    theirs = ask("early_warning", values=days, window=WINDOW, bandwidth=BANDWIDTH)
    assert (theirs["variance"][-1], ours(days)["variance"]) == shown(np.nan, 0.0101)


@pytest.mark.parametrize("share", [0.0, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_kendalls_tau_is_scipys(seed, share):
    """Tau-b against time, ties and unknown values too."""
    values = with_gaps(np.round(mood_of_days(40, seed=seed), 1), share)
    theirs = kendalltau(np.arange(len(values)), values, nan_policy="omit").statistic
    assert early_warning.kendall_tau(values[None])[0] == same(theirs)
