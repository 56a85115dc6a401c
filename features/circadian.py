"""Rest-activity rhythm from hourly steps: stability, variability, L5, M10, relative amplitude, cosinor.

Several days show it, so that there are patterns and no daily measures.
"""

import bottleneck as bn
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from features.activity import HOUR_COLUMNS
from features.coverage import coverage
from features.measures import Pattern, PatternFeature

HOURS = 24
FEWEST_HOURS = 72
# A cosine has three unknowns, but a day of which the nights are missing would be made up by it.
COSINOR_FEWEST_HOURS, COSINOR_FEWEST_CLOCK_HOURS = 48, 18
# A cosine smaller than this share of its mean is rounding, and peaks nowhere; a variance smaller than this share of
# the mean square is rounding too.
NEGLIGIBLE = 1e-9

Profile = NDArray[np.float64]
Counts = NDArray[np.int64]


def interdaily_stability(hours: Profile) -> Profile:
    """How alike the days are: 0 (noise) to 1 (every day the same), on valid hours only (Witting 1990).

    Variance of the average day over that of all hours, each clock hour as often as it was seen: where nights are missing
    more often than days, the published mean over 24 clock hours would pass 1. On complete days it is the same.

    Args:
        hours: of shape (n_rows, n_days, 24), NaN where unknown.

    Returns:
        Shape (n_rows,); missing below 72 valid hours, or where activity never varies.
    """
    profile, n = _average_day(hours)
    series = hours.reshape(len(hours), -1)
    deviations = n * (profile - bn.nanmean(series, axis=1)[:, None]) ** 2
    between = bn.nansum(deviations, axis=1) / np.maximum(n.sum(axis=1), 1)
    return _relative(between, series, n)


def intradaily_variability(hours: Profile) -> Profile:
    """How broken up the rhythm is: near 0 for a sine, about 2 for noise (Witting 1990).

    Mean squared difference over valid successive pairs, relative to the population variance.

    Args:
        hours: of shape (n_rows, n_days, 24) with the **oldest day first**, NaN where unknown.

    Returns:
        Shape (n_rows,); missing below 72 valid hours, without a valid pair, or where activity never varies.
    """
    return _variability(hours, _times_seen(hours))


def _variability(hours: Profile, n: Counts) -> Profile:
    series = hours.reshape(len(hours), -1)
    steps = np.diff(series, axis=1)
    return _relative(bn.nanmean(steps * steps, axis=1), series, n)


def _relative(part: Profile, series: Profile, n: Counts) -> Profile:
    """A part of the variance over the whole; missing below 72 valid hours, or without any variance but rounding."""
    variance = bn.nanvar(series, axis=1)
    mean_square = variance + bn.nanmean(series, axis=1) ** 2
    enough = (n.sum(axis=1) >= FEWEST_HOURS) & (variance > NEGLIGIBLE * mean_square)
    return np.where(enough, part / np.where(enough, variance, 1.0), np.nan)


def _average_day(hours: Profile) -> tuple[Profile, Counts]:
    """Mean of each clock hour over the days on which it is valid, and on how many it is: of shape (n_rows, 24)."""
    return bn.nanmean(hours, axis=1), _times_seen(hours)


def _times_seen(hours: Profile) -> Counts:
    """On how many days each clock hour is valid, of shape (n_rows, 24)."""
    seen: Counts = np.isfinite(hours).sum(axis=1)
    return seen


def valid_hours(hours: Profile) -> Counts:
    """How many hours are valid: what stability, variability and cosinor need enough of.

    Args:
        hours: of shape (n_rows, n_days, 24), NaN where unknown.
    """
    n: Counts = _times_seen(hours).sum(axis=1)
    return n


def lowest_and_highest(hours: Profile) -> tuple[Profile, Profile]:
    """L5 and M10: mean activity of the quietest 5 and the busiest 10 consecutive hours of the average day.

    Args:
        hours: of shape (n_rows, n_days, 24).

    Returns:
        Two arrays of shape (n_rows,), in steps per hour; missing where an hour of the day was never seen.
    """
    l5, m10, _, _ = _l5_and_m10(_average_day(hours)[0])
    return l5, m10


def onsets(hours: Profile) -> tuple[Profile, Profile]:
    """Clock hours, 0 to 23, at which L5 and M10 begin: the first after midnight where several are alike.

    Args:
        hours: of shape (n_rows, n_days, 24).

    Returns:
        Two arrays of shape (n_rows,); missing where an hour of the day was never seen, or no hour differs from others.
    """
    _, _, l5_onset, m10_onset = _l5_and_m10(_average_day(hours)[0])
    return l5_onset, m10_onset


def _l5_and_m10(profile: Profile) -> tuple[Profile, Profile, Profile, Profile]:
    quiet, busy = _from_each_hour(profile, 5), _from_each_hour(profile, 10)
    varies = profile.max(axis=1) > profile.min(axis=1)
    begins = (np.where(varies, first, np.nan) for first in (quiet.argmin(axis=1), busy.argmax(axis=1)))
    return quiet.min(axis=1), busy.max(axis=1), *begins


def _from_each_hour(profile: Profile, n_hours: int) -> Profile:
    """Mean over the hours that follow each clock hour, round the clock, of shape (n_rows, 24)."""
    around = np.concatenate([profile, profile[:, : n_hours - 1]], axis=1)
    means: Profile = sliding_window_view(around, n_hours, axis=1).mean(axis=2)
    return means


def relative_amplitude(l5: Profile, m10: Profile) -> Profile:
    """(M10 - L5) / (M10 + L5): 1 for a square wave, 0 for a flat day; missing where there was no activity."""
    total = m10 + l5
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (m10 - l5) / total, np.nan)


def cosinor(hours: Profile) -> tuple[Profile, Profile, Profile]:
    """Mesor, amplitude and acrophase of the cosine of 24 hours that fits best (Cornelissen 2014).

    Least squares of M + A cos(2 pi t / 24 + phi) over the valid hours, each at its middle; hours that are missing
    more often at night than by day do not move it. The acrophase is the clock time of the peak, -24 phi / 2 pi.

    Args:
        hours: means or sums of hours, of shape (n_rows, n_days, 24), NaN where unknown.

    Returns:
        Three arrays of shape (n_rows,): mesor and amplitude in the unit of `hours`, acrophase in hours from 0 to 24.
        Missing below 48 valid hours or 18 clock hours; the acrophase also where there is no amplitude.
    """
    return _fitted(*_average_day(hours))


def _fitted(profile: Profile, n: Counts) -> tuple[Profile, Profile, Profile]:
    turns = 2 * np.pi * (np.arange(HOURS) + 0.5) / HOURS
    basis = np.stack([np.ones(HOURS), np.cos(turns), np.sin(turns)], axis=1)
    # Summed in the order of hours: what a row gives must not depend on how many stand beside it.
    normal = (n[:, :, None, None] * (basis[:, :, None] * basis[:, None, :])).sum(axis=1)
    right = ((n * np.nan_to_num(profile))[:, :, None] * basis).sum(axis=1)
    enough = (n.sum(axis=1) >= COSINOR_FEWEST_HOURS) & ((n > 0).sum(axis=1) >= COSINOR_FEWEST_CLOCK_HOURS)
    mesor, east, north = _solved(normal, right)
    amplitude = np.hypot(east, north)
    # Twice, for a hair's breadth below 0 is 24 after the first time.
    peak = np.arctan2(north, east) / (2 * np.pi) * HOURS % HOURS % HOURS
    has_peak = enough & (amplitude > NEGLIGIBLE * np.abs(mesor))
    return np.where(enough, mesor, np.nan), np.where(enough, amplitude, np.nan), np.where(has_peak, peak, np.nan)


def _solved(normal: Profile, right: Profile) -> tuple[Profile, Profile, Profile]:
    """The three unknowns of each row's normal equations, by Cramer's rule."""
    rows = np.moveaxis(np.concatenate([normal, right[:, :, None]], axis=2), 0, -1)
    whole = _determinant(rows[:, :3])
    with np.errstate(invalid="ignore", divide="ignore"):
        first, second, third = (
            _determinant(np.stack([rows[:, 3 if column == place else column] for column in range(3)], axis=1)) / whole
            for place in range(3)
        )
    return first, second, third


def _determinant(matrix: Profile) -> Profile:
    """Of 3 x 3 matrices, one to each place of the last axis."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    value: Profile = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return value


def _rhythm(hours: Profile) -> tuple[Profile, ...]:
    profile, n = _average_day(hours)
    l5, m10, *begins = _l5_and_m10(profile)
    return _variability(hours, n), l5, m10, relative_amplitude(l5, m10), *begins, *_fitted(profile, n)


_SEEN = "each clock hour seen once"
_COSINOR = "48 valid hours, 18 different clock hours"
PATTERNS = (
    Pattern(HOUR_COLUMNS, lambda hours: (interdaily_stability(hours),), (
        PatternFeature("circadian_stability", "share", "how alike the days were",
                       "variance of the average day, each clock hour as often as it is valid / variance (n) of all valid hours of "
                       "steps", "Witting 1990",
                       "72 valid hours in a window of more than a week"),
    ), (14, 28, 90), "circadian", restarts_with=("activity_steps",)),
    Pattern(HOUR_COLUMNS, _rhythm, (
        PatternFeature("circadian_variability", "1", "how broken up the days were (2: like noise)",
                       "mean squared difference of valid successive hours / variance (n) of all valid hours of steps",
                       "Witting 1990", "72 valid hours"),
        PatternFeature("circadian_l5", "steps/h", "movement in the quietest hours",
                       "mean of the quietest 5 consecutive hours of the average day", "Witting 1990", _SEEN),
        PatternFeature("circadian_m10", "steps/h", "movement in the busiest hours",
                       "mean of the busiest 10 consecutive hours of the average day", "Witting 1990", _SEEN),
        PatternFeature("circadian_amplitude", "share", "contrast between day and night",
                       "(M10 - L5) / (M10 + L5)", "Witting 1990", _SEEN),
        PatternFeature("circadian_l5_onset", "h", "when the quietest hours began", "clock hour at which L5 begins",
                       "Witting 1990", _SEEN, is_circular=True),
        PatternFeature("circadian_m10_onset", "h", "when the busiest hours began", "clock hour at which M10 begins",
                       "Witting 1990", _SEEN, is_circular=True),
        PatternFeature("circadian_mesor", "steps/h", "mean level of the rhythm of movement",
                       "M of M + A cos(2 pi t / 24 + phi) on hourly steps", "Cornelissen 2014", _COSINOR),
        PatternFeature("circadian_swing", "steps/h", "swing of the rhythm of movement",
                       "A of M + A cos(2 pi t / 24 + phi) on hourly steps", "Cornelissen 2014", _COSINOR),
        PatternFeature("circadian_acrophase", "h", "the time of most movement",
                       "clock time of the peak of M + A cos(2 pi t / 24 + phi) on hourly steps", "Cornelissen 2014", _COSINOR,
                       is_circular=True),
    ), coverage="circadian", restarts_with=("activity_steps",)),
    coverage("circadian", HOUR_COLUMNS, valid_hours, "valid hours of steps", "how much of the rhythm of movement is known",
             per_day=HOURS),
)  # fmt: skip
