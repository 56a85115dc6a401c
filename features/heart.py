"""Heart rate and its variability: resting level, mean, nocturnal dip."""

import numpy as np
from numpy.typing import NDArray

from features.measures import LEVEL, TREND, Measure

# An hour's mean counts for the resting rate when at least this many of its minutes have a heart rate.
FEWEST_MINUTES = 20
NIGHT_HOURS = slice(0, 6)
DAY_HOURS = slice(10, 22)

MEASURES = (
    Measure("heart_resting", "bpm", "resting heart rate", "lowest hourly mean with >= 20 valid minutes", "", (*TREND, "last")),
    Measure("heart_mean", "bpm", "mean heart rate", "mean over minutes with a value", "", LEVEL),
    Measure("heart_night_dip", "share", "fall of the heart rate at night", "1 - mean 0-6 h / mean 10-22 h",
            "Ben-Dov 2007", LEVEL),
    Measure("heart_hrv", "ms", "heart rate variability", "mean RMSSD of RR intervals", "Task Force 1996", LEVEL),
    Measure("heart_max", "bpm", "highest heart rate", "highest value of the day, where the source gives it", "",
            ("mean_7d", "z_7d")),
    Measure("heart_variance", "bpm2", "variance of the heart rate", "variance over the day, where the source gives it",
            "", ("mean_7d", "z_7d")),
)  # fmt: skip


def resting(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lowest hourly mean heart rate of each day, in bpm.

    Args:
        sums: sum of heart rates per hour, of shape (n_days, 24).
        counts: minutes with a heart rate per hour, same shape.

    Returns:
        Shape (n_days,); missing where no hour has enough valid minutes.
    """
    means = np.where(counts >= FEWEST_MINUTES, sums / np.maximum(counts, 1), np.inf)
    lowest = means.min(axis=1)
    return np.where(np.isfinite(lowest), lowest, np.nan)


def night_dip(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Relative fall of the mean heart rate from day to night; missing where either has too few valid minutes."""

    def mean(hours: slice) -> NDArray[np.float64]:
        minutes = counts[:, hours].sum(axis=1)
        return np.where(minutes >= FEWEST_MINUTES, sums[:, hours].sum(axis=1) / np.maximum(minutes, 1), np.nan)

    return 1.0 - mean(NIGHT_HOURS) / mean(DAY_HOURS)
