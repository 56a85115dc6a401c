"""Rest-activity rhythm from hourly steps: interdaily stability, intradaily variability, L5, M10, relative amplitude."""

import numpy as np
from numpy.typing import NDArray

HOURS = 24
# Two weeks: a single week is too short for stability.
WINDOW_DAYS = 14
FEWEST_HOURS = 72

Profile = NDArray[np.float64]


def _mean(values: Profile, axis: int | tuple[int, ...]) -> Profile:
    counts = np.isfinite(values).sum(axis=axis)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Profile = np.nansum(values, axis=axis) / counts
    return mean


def interdaily_stability(hours: Profile) -> Profile:
    """How alike the days are: 0 (noise) to 1 (every day the same), on valid hours only (Witting 1990).

    Args:
        hours: of shape (n_rows, n_days, 24), NaN where unknown.

    Returns:
        Shape (n_rows,); missing below 72 valid hours, or where activity never varies.
    """
    valid = np.isfinite(hours)
    n = valid.sum(axis=(1, 2))
    grand = _mean(hours, (1, 2))
    profile = _mean(hours, 1)
    between = np.nansum((profile - grand[:, None]) ** 2, axis=1)
    within = np.nansum((hours - grand[:, None, None]) ** 2, axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        stability = n * between / (HOURS * within)
    return np.where((n >= FEWEST_HOURS) & (within > 0), stability, np.nan)


def intradaily_variability(hours: Profile) -> Profile:
    """How broken up the rhythm is: near 0 for a sine, about 2 for noise (Witting 1990).

    Mean squared difference over valid successive pairs, relative to the population variance.

    Args:
        hours: of shape (n_rows, n_days, 24) with the **oldest day first**, NaN where unknown.
    """
    series = hours.reshape(len(hours), -1)
    steps = np.diff(series, axis=1)
    pairs = np.isfinite(steps).sum(axis=1)
    n = np.isfinite(series).sum(axis=1)
    deviation = np.nansum((series - _mean(series, 1)[:, None]) ** 2, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        variability = (np.nansum(steps**2, axis=1) / pairs) / (deviation / n)
    return np.where((n >= FEWEST_HOURS) & (deviation > 0), variability, np.nan)


def lowest_and_highest(hours: Profile) -> tuple[Profile, Profile]:
    """L5 and M10: mean activity of the quietest 5 and the busiest 10 consecutive hours of the average day.

    Args:
        hours: of shape (n_rows, n_days, 24).

    Returns:
        Two arrays of shape (n_rows,), in steps per hour; missing where an hour of the day was never seen.
    """
    profile = _mean(hours, 1)
    around = np.concatenate([profile, profile], axis=1)
    sums = np.concatenate([np.zeros((len(profile), 1)), np.cumsum(around, axis=1)], axis=1)
    starts = np.arange(HOURS)
    l5 = (sums[:, starts + 5] - sums[:, starts]) / 5
    m10 = (sums[:, starts + 10] - sums[:, starts]) / 10
    return l5.min(axis=1), m10.max(axis=1)


def relative_amplitude(l5: Profile, m10: Profile) -> Profile:
    """(M10 - L5) / (M10 + L5): 1 for a square wave, 0 for a flat day; missing where there was no activity."""
    total = m10 + l5
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (m10 - l5) / total, np.nan)
