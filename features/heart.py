"""Heart rate and its variability: resting level, mean, nocturnal dip, daily rhythm.

Of the variability there is RMSSD; SDNN is not here, for no table or daily metric holds it.
"""

import numpy as np
from numpy.typing import NDArray

from features.circadian import HOURS, cosinor, valid_hours
from features.coverage import coverage
from features.measures import LEVEL, TREND, Measure, Pattern, PatternFeature

# An hour's mean counts when at least this many of its minutes have a heart rate.
FEWEST_MINUTES = 20
# A day's mean too: one minute of a device that was put on once is no day.
FEWEST_DAY_MINUTES = 20
NIGHT_HOURS = slice(0, 6)
DAY_HOURS = slice(10, 22)
# Mean heart rate of each clock hour, in the day panel.
HOUR_COLUMNS = tuple(f"heart_h{hour:02d}" for hour in range(24))

MEASURES = (
    Measure("heart_resting", "bpm", "resting heart rate", "lowest mean of a clock hour with >= 20 valid minutes", "Foretide",
            (*TREND, "last_7d"), usual_spread=2.5),
    Measure("heart_mean", "bpm", "mean heart rate", "mean over minutes with a value; missing below 20", "Foretide", LEVEL,
            usual_spread=4.0),
    Measure("heart_night_dip", "share", "fall of the heart rate at night",
            "1 - mean of 0 to 6 h / mean of 10 to 22 h, each with >= 20 valid minutes", "Ben-Dov 2007", LEVEL),
    Measure("heart_hrv", "ms", "heart rate variability", "mean of the RMSSD of RR intervals that the source gives",
            "Task Force 1996", LEVEL),
    Measure("heart_max", "bpm", "highest heart rate", "highest value of the day, where the source gives it", "the vendor",
            ("mean_7d", "z_3d")),
    Measure("heart_variance", "bpm^2", "variance of the heart rate", "variance over the day, where the source gives it",
            "the vendor", ("mean_7d", "z_3d")),
)  # fmt: skip

_COSINOR = "48 valid hours, 18 different clock hours"
PATTERNS = (
    Pattern(HOUR_COLUMNS, cosinor, (
        PatternFeature("heart_mesor", "bpm", "mean level of the heart's daily rhythm",
                       "M of M + A cos(2 pi t / 24 + phi) on hourly means", "Cornelissen 2014", _COSINOR),
        PatternFeature("heart_swing", "bpm", "swing of the heart's daily rhythm",
                       "A of M + A cos(2 pi t / 24 + phi) on hourly means", "Cornelissen 2014", _COSINOR),
        PatternFeature("heart_acrophase", "h", "the time of the fastest heart",
                       "clock time of the peak of M + A cos(2 pi t / 24 + phi) on hourly means", "Cornelissen 2014", _COSINOR,
                       is_circular=True),
    ), coverage="heart_rhythm", restarts_with=("heart_mean",)),
    coverage("heart_rhythm", HOUR_COLUMNS, valid_hours, "hours with a mean heart rate",
             "how much of the heart's daily rhythm is known", per_day=HOURS),
)  # fmt: skip


def hourly(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean heart rate of each clock hour, in bpm; missing below 20 valid minutes.

    Args:
        sums: sum of heart rates per hour, of shape (n_days, 24).
        counts: minutes with a heart rate per hour, same shape.
    """
    return np.where(counts >= FEWEST_MINUTES, sums / np.maximum(counts, 1), np.nan)


def resting(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lowest hourly mean heart rate of each day, in bpm.

    Args:
        sums: sum of heart rates per hour, of shape (n_days, 24).
        counts: minutes with a heart rate per hour, same shape.

    Returns:
        Shape (n_days,); missing where no hour has enough valid minutes.
    """
    lowest: NDArray[np.float64] = np.fmin.reduce(hourly(sums, counts), axis=1)
    return lowest


def night_dip(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Relative fall of the mean heart rate from day to night; missing where either has too few valid minutes."""

    def mean(hours: slice) -> NDArray[np.float64]:
        minutes = counts[:, hours].sum(axis=1)
        return np.where(minutes >= FEWEST_MINUTES, sums[:, hours].sum(axis=1) / np.maximum(minutes, 1), np.nan)

    return 1.0 - mean(NIGHT_HOURS) / mean(DAY_HOURS)
