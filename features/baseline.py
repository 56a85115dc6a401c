"""A subject against their own past: how far the last days lie from what was usual before them, robustly.

The past of a window of w days are the 90 days before it, and begins anew where a device, an algorithm or a unit
changed. While it is short, the usual spread of the measure stands in for the spread of the subject, and the difference
counts in proportion to the days it rests on: a z that is missing for weeks would tell who is newly enrolled.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

Values = NDArray[np.float64]
Places = NDArray[np.int64]

PAST_DAYS = 90
# Makes the median absolute deviation of normal data equal to their standard deviation.
MAD_TO_SD = 1.4826
# How many days of the subject's own the usual spread, and the assumption that nothing changed, are worth.
PRIOR_DAYS = 7.0
# Without a usual spread to stand in, fewer days than this say nothing of a subject's spread.
FEWEST_WITHOUT_PRIOR = 3
# Of the level: what varies by less has not varied, but was rounded.
ROUNDING = 1e-9
# Measures whose common deviation the anomaly distance weighs, one or two of each stream.
TOGETHER = ("mood_valence", "sleep_duration", "sleep_efficiency", "activity_steps", "activity_entropy", "heart_resting")
FEWEST_TOGETHER, FEWEST_FOR_DISTANCE = 2, 7
# Measures that moved as one would leave a covariance that cannot be solved.
LEAST_SHRINKAGE = 1e-6


@dataclass(frozen=True)
class Past:
    """What was usual: valid days, their median, and the median absolute deviation; missing where there is no day."""

    n: Values
    median: Values
    mad: Values


@dataclass(frozen=True)
class Begins:
    """Where the pasts of some series begin anew.

    Args:
        is_new: whether a new past begins with a day, of shape (n_series, n_days).
        newest: place of the newest begin up to each day, -1 before the first; (n_days, n_series).
    """

    is_new: NDArray[np.bool_]
    newest: Places

    @classmethod
    def at(cls, days: Places, series: Places, shape: tuple[int, int]) -> "Begins":
        """Begins at given days of given series, of shape (n_days, n_series)."""
        newest = np.full(shape, -1)
        newest[days, series] = days
        return cls(np.ascontiguousarray(newest.T >= 0), np.maximum.accumulate(newest, axis=0))


def past(values: Values, ends: Places, windows: Collection[int], begins: Begins | None = None) -> dict[int, Past]:
    """Median and MAD of the 90 days before each trailing window, for each series.

    Exact whatever way the past came there: a sorted list of its days is kept from day to day. Pasts of several windows that
    end on the same day are one.

    Args:
        values: of shape (n_days, n_series), oldest day first, NaN where unknown.
        ends: places of the index dates, the days after the windows' newest days, rising.
        windows: their lengths in days.
        begins: where pasts begin anew; None where they never do. One that begins after a past's end and before its index
            date leaves it without a past.

    Returns:
        By window, arrays of shape (n_ends, n_series).
    """
    every = np.unique(np.concatenate([ends - window for window in windows]))
    n, median, mad = np.empty((3, len(every), values.shape[1]))
    by_series = np.ascontiguousarray(values.T)
    is_new = np.zeros(by_series.shape, np.bool_) if begins is None else begins.is_new
    _past(by_series, is_new, every, PAST_DAYS, n, median, mad)
    found = {}
    for window in windows:
        at = np.searchsorted(every, ends - window)
        found[window] = Past(n[at], median[at], mad[at])
        if begins is not None:
            is_gone = begins.newest[ends - 1] >= (ends - window)[:, None]
            for plane, nothing in ((found[window].n, 0.0), (found[window].median, np.nan), (found[window].mad, np.nan)):
                plane[is_gone] = nothing
    return found


def since_begin(values: Values, begins: Begins | None) -> Values:
    """The values of the days since the newest begin before the sheet's last day, the others missing."""
    if begins is None:
        return values
    days = np.arange(len(values))[:, None]
    return np.where(days >= begins.newest[-1], values, np.nan)


def robust_z(recent: Values, usual: Past, usual_spread: float) -> Values:
    """How many robust standard deviations a recent mean lies from the median of the past.

    z = (recent - median) / s * n / (n + 7), s^2 = (n (1.4826 MAD)^2 + 7 u^2) / (n + 7), with n the valid days of the past
    and u the usual spread. Missing where the recent mean is, or where there is no past; without u also below 3 days, or
    where the past never varied.

    Args:
        recent: mean of the recent days, any shape.
        usual: the days before them, same shape.
        usual_spread: in the measure's unit; NaN where none is declared.
    """
    z: Values = usual.n / (usual.n + PRIOR_DAYS) * (recent - usual.median) / spread(usual, usual_spread)
    return z


def spread(usual: Past, usual_spread: float) -> Values:
    """The spread s of `robust_z`; missing where the past cannot tell."""
    own = np.where(usual.mad > ROUNDING * np.abs(usual.median), (MAD_TO_SD * usual.mad) ** 2, 0.0 * usual.mad)
    if np.isfinite(usual_spread):
        weight = usual.n / (usual.n + PRIOR_DAYS)
        variance = weight * own + (1 - weight) * usual_spread**2
    else:
        variance = np.where((usual.n >= FEWEST_WITHOUT_PRIOR) & (own > 0), own, np.nan)
    found: Values = np.sqrt(variance)
    return found


def letters(usual_spread: float, unit: str) -> str:
    """What n and s of `robust_z` stand for, in words.

    Args:
        usual_spread: of the measure; NaN where none is declared.
        unit: the measure's.
    """
    s = f"s = {MAD_TO_SD} MAD"
    if np.isfinite(usual_spread):
        s = (f"s^2 = (n ({MAD_TO_SD} MAD)^2 + {PRIOR_DAYS:g} u^2) / (n + {PRIOR_DAYS:g}), u = {usual_spread:g} {unit} the usual "
             "spread from day to day")  # fmt: skip
    return f"n: valid days of those {PAST_DAYS}, MAD: the median distance from their median, {s}"


def distance(recent: Values, days: Values) -> Values:
    """How unusual recent days were in several measures at once: a Mahalanobis distance, per measure.

    sqrt(d' C^-1 d / k) over the k measures that have a recent mean; C is the covariance of the past days, shrunk towards
    a multiple of the identity (Ledoit and Wolf 2004, centre assumed known). A past day without a measure counts as usual.

    Args:
        recent: robust z of the recent means, not weighted, of shape (n_rows, n_measures); NaN where unknown.
        days: the same of each past day, of shape (n_rows, n_days, n_measures).

    Returns:
        Shape (n_rows,); missing with fewer than 2 measures, or 7 past days with any of them.
    """
    known = np.isfinite(recent) & np.isfinite(days).any(axis=1)
    seen = (np.isfinite(days) & known[:, None, :]).any(axis=2)
    x = np.where(np.isfinite(days) & known[:, None, :], days, 0.0)
    k, n = known.sum(axis=1), seen.sum(axis=1)
    enough = (k >= FEWEST_TOGETHER) & (n >= FEWEST_FOR_DISTANCE)
    covariance = _shrunk(x, n, known & enough[:, None])
    d = np.where(known, recent, 0.0)
    squared = (d * np.linalg.solve(covariance, d[:, :, None])[:, :, 0]).sum(axis=1)
    return np.where(enough, np.sqrt(squared / np.maximum(k, 1)), np.nan)


def _shrunk(x: Values, n_days: Places, known: NDArray[np.bool_]) -> Values:
    """Ledoit-Wolf covariance of each row's days about zero; the identity in measures that are not known."""
    n, k = np.maximum(n_days, 1)[:, None, None], np.maximum(known.sum(axis=1), 1)
    both = known[:, :, None] & known[:, None, :]
    x = np.ascontiguousarray(x)
    sample = np.matmul(x.transpose(0, 2, 1), x) / n
    mu = np.trace(sample, axis1=1, axis2=2) / k
    target = mu[:, None, None] * np.eye(x.shape[2]) * both
    apart = ((sample - target) ** 2).sum(axis=(1, 2))
    noise = (np.matmul((x**2).transpose(0, 2, 1), x**2) / n - sample**2).sum(axis=(1, 2)) / n[:, 0, 0]
    weight = np.clip(noise / np.where(apart > 0, apart, 1.0), LEAST_SHRINKAGE, 1.0)[:, None, None]
    # Where nothing was known or nothing ever varied, the identity keeps the matrix solvable.
    empty = np.eye(x.shape[2]) * ~(both & (mu > 0)[:, None, None])
    shrunk: Values = (1 - weight) * sample + weight * target + empty
    return shrunk


@njit(nogil=True, cache=True)
def _past(values, is_new, ends, length, n_out, median_out, mad_out):  # type: ignore[no-untyped-def]
    days = np.empty(length)
    for series in range(values.shape[0]):
        n, place = 0, 0
        oldest = max(ends[0] - length, 0)
        for day in range(oldest, ends[-1] + 1):
            if ends[place] == day:
                median = (days[(n - 1) // 2] + days[n // 2]) / 2 if n > 0 else np.nan
                n_out[place, series], median_out[place, series] = n, median
                mad_out[place, series] = _mad(days, n, median) if n > 0 else np.nan
                place += 1
            if day < ends[-1]:
                if is_new[series, day]:
                    n, oldest = 0, day
                leaving = np.nan
                if day - oldest == length:
                    leaving = values[series, oldest]
                    oldest += 1
                n = _exchange(days, n, leaving, values[series, day])


@njit(nogil=True, cache=True)
def _exchange(days, n, old, new):  # type: ignore[no-untyped-def]
    """Take the old value out of the sorted list and put the new one in; only what lies between them moves."""
    hole = _first_at_least(days, n, old) if old == old else n
    if new != new:
        for place in range(hole, n - 1):
            days[place] = days[place + 1]
        return n - 1 if old == old else n
    while hole > 0 and days[hole - 1] > new:
        days[hole] = days[hole - 1]
        hole -= 1
    if old == old:
        while hole < n - 1 and days[hole + 1] < new:
            days[hole] = days[hole + 1]
            hole += 1
    days[hole] = new
    return n if old == old else n + 1


@njit(nogil=True, cache=True)
def _first_at_least(days, n, value):  # type: ignore[no-untyped-def]
    low, high = 0, n
    while low < high:
        middle = (low + high) // 2
        if days[middle] < value:
            low = middle + 1
        else:
            high = middle
    return low


@njit(nogil=True, cache=True)
def _mad(days, n, median):  # type: ignore[no-untyped-def]
    """Median distance from the median: below it and above it distances are sorted already, and are merged by search."""
    split = _first_at_least(days, n, median)
    wanted = (n - 1) // 2 + 1
    low, high = max(0, wanted - (n - split)), min(split, wanted)
    while low < high:
        below = (low + high) // 2
        if median - days[split - 1 - below] < days[split + wanted - below - 1] - median:
            low = below + 1
        else:
            high = below
    above = wanted - low
    nearest = 0.0
    if low > 0:
        nearest = max(nearest, median - days[split - low])
    if above > 0:
        nearest = max(nearest, days[split + above - 1] - median)
    if n % 2 == 1:
        return nearest
    following = np.inf
    if low < split:
        following = min(following, median - days[split - 1 - low])
    if split + above < n:
        following = min(following, days[split + above] - median)
    return (nearest + following) / 2
