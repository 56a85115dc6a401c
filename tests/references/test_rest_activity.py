"""Rest-activity rhythm against pyActigraphy: equal where the definitions agree, the reason where they do not.

pyActigraphy divides both variances of its IS and that of its IV by n - 1 (pandas' default) where Witting 1990 divides by n.
"""

import numpy as np
import pytest
import statsmodels.api as sm

from features import circadian
from tests.references.figures import same, shown
from tests.references.made_up import DAYS, as_days, minutes_of, steps_per_hour, with_gaps

SEEDS = range(3)
HOURS = DAYS * 24


def stability(hours: np.ndarray) -> float:
    """Ours, of one series of hours."""
    return circadian.interdaily_stability(as_days(hours))[0]


def variability(hours: np.ndarray) -> float:
    """Ours, of one series of hours."""
    return circadian.intradaily_variability(as_days(hours))[0]


def amplitude(hours: np.ndarray) -> tuple[float, float, float]:
    """Our L5, M10 and RA, of one series of hours."""
    l5, m10 = circadian.lowest_and_highest(as_days(hours))
    return l5[0], m10[0], circadian.relative_amplitude(l5, m10)[0]


def nights_unworn(nights: int) -> np.ndarray:
    """Hours whose first nights, midnight to 7 h, are unknown."""
    hours = steps_per_hour().reshape(DAYS, 24)
    hours[:nights, :7] = np.nan
    return hours.ravel()


@pytest.mark.parametrize("seed", SEEDS)
def test_stability_is_pyactigraphys_without_its_n_minus_1(ask, seed):
    """Theirs is 24/23 * (n - 1)/n times ours: 24 hourly means and n hours, each divided by one less."""
    hours = steps_per_hour(seed=seed)
    theirs = ask("rest_activity", values=hours, minutes=60)["IS"]
    assert stability(hours) * 24 / 23 * (HOURS - 1) / HOURS == same(theirs)


def test_pyactigraphys_stability_is_4_percent_higher(ask):
    """Deviation: of the same two weeks theirs says 0.8993 and ours 0.8644."""
    hours = steps_per_hour()
    theirs = ask("rest_activity", values=hours, minutes=60)["IS"]
    assert (theirs, stability(hours)) == shown(0.8993, 0.8644)


def test_pyactigraphys_stability_exceeds_1_where_all_days_are_the_same(ask):
    """Deviation: theirs is 1.0404, ours the 1 that the measure was given to mean "every day the same"."""
    hours = np.tile(steps_per_hour()[:24], DAYS)
    theirs = ask("rest_activity", values=hours, minutes=60)["IS"]
    assert (theirs, stability(hours)) == shown(1.0404, 1.0)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_variability_is_pyactigraphys_without_its_n_minus_1(ask, share):
    """Both average over valid successive pairs, so theirs is (n - 1)/n times ours, n the valid hours."""
    hours = with_gaps(steps_per_hour(), share)
    n = np.isfinite(hours).sum()
    theirs = ask("rest_activity", values=hours, minutes=60)["IV"]
    assert variability(hours) * (n - 1) / n == same(theirs)


def test_pyactigraphys_variability_is_lower_by_one_hour_in_all(ask):
    """Deviation: of the same two weeks theirs says 0.3951 and ours 0.3963."""
    hours = steps_per_hour()
    theirs = ask("rest_activity", values=hours, minutes=60)["IV"]
    assert (theirs, variability(hours)) == shown(0.3951, 0.3963)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_l5_m10_and_amplitude_are_pyactigraphys_on_hours(ask, share):
    """Both average each hour over its valid days first and then over 5 and 10 consecutive hours, around midnight too."""
    hours = with_gaps(steps_per_hour(), share)
    theirs = ask("rest_activity", values=hours, minutes=60)
    assert amplitude(hours) == same((theirs["L5"], theirs["M10"], theirs["RA"]))


def test_pyactigraphy_starts_the_quietest_hours_at_any_minute(ask):
    """Deviation: still from half past 23 to half past 4, theirs finds no step in 5 h, ours 5 steps an hour more.

    Ours starts on the hour, since hours are what outlives the minutes (decision 0012).
    """
    minutes = np.tile(np.ones(1440), 3)
    minutes[np.isin(np.arange(len(minutes)) % 1440 // 30, [47, *range(9)])] = 0
    hours = minutes.reshape(-1, 60).sum(axis=1)
    theirs = ask("rest_activity", values=minutes, minutes=1)["L5"] * 60
    assert (theirs, amplitude(hours)[0]) == shown(0.0, 6.0)


def test_pyactigraphy_counts_active_minutes_unless_told_otherwise(ask):
    """Deviation: by default theirs is of minutes above 4 counts, RA 0.9178; ours is of steps, 0.7716.

    A sum of steps weighs how much somebody moves, a count of active minutes only whether.
    """
    hours = steps_per_hour()
    theirs = ask("rest_activity", values=minutes_of(hours), minutes=1, binarize=True)["RA"]
    assert (theirs, amplitude(hours)[2]) == shown(0.9178, 0.7716)


def test_pyactigraphy_adds_unknown_minutes_up_to_nothing(ask):
    """Deviation: with 8 of 14 nights unworn theirs says IV 0.3205 unless a mask says so too; with one, what ours says.

    Unknown minutes are no movement in its sum, and a flat battery would be calm.
    """
    hours = nights_unworn(8)
    n = np.isfinite(hours).sum()
    minutes = minutes_of(hours)
    bare, masked = (ask("rest_activity", values=minutes, minutes=1, masks=masks)["IV"] for masks in (False, True))
    assert (bare, variability(hours)) == shown(0.3205, 0.4583)
    assert variability(hours) * (n - 1) / n == same(masked)


def test_pyactigraphy_weighs_an_hour_that_was_seldom_seen_like_the_others(ask):
    """Deviation: with 8 of 14 nights unworn theirs is 1.0441 and ours 0.8471, a share of the variance and never above 1.

    Ours weighs each hourly mean by the days it is of. With all hours known, that is the published formula.
    """
    hours = nights_unworn(8)
    theirs = ask("rest_activity", values=hours, minutes=60)["IS"]
    assert (theirs, stability(hours)) == shown(1.0441, 0.8471)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_stability_with_gaps_is_the_share_of_variance_that_the_hour_explains(share):
    """statsmodels' R squared of the valid hours on the hour of the day."""
    hours = with_gaps(steps_per_hour(), share)
    hour_of_day = np.eye(24)[np.arange(HOURS) % 24]
    assert stability(hours) == same(sm.OLS(hours, hour_of_day, missing="drop", hasconst=True).fit().rsquared)
