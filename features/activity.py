"""Steps: totals, brisk minutes, share of sitting, spread over the day."""

import numpy as np
from numpy.typing import NDArray

from features.measures import LEVEL, TREND, Measure

Hours = NDArray[np.float64]
# Minutes at or above this cadence are brisk walking.
BRISK_STEPS_PER_MIN = 100

MEASURES = (
    Measure("activity_steps", "steps", "steps", "steps of the day", "", (*TREND, "rmssd_28d", "last")),
    Measure("activity_brisk_minutes", "min", "brisk walking", "minutes of at least 100 steps", "Tudor-Locke 2018", LEVEL),
    Measure("activity_sedentary_share", "share", "time without movement", "worn minutes without a step / worn minutes",
            "", LEVEL),
    Measure("activity_entropy", "nat", "spread of movement over the day", "- sum p ln p over hourly shares of steps",
            "Shannon 1948", LEVEL),
)  # fmt: skip


def entropy(hourly_steps: Hours) -> NDArray[np.float64]:
    """Shannon entropy, in nats, of how a day's steps spread over its 24 hours.

    Args:
        hourly_steps: steps per hour, of shape (n_days, 24); missing hours are NaN and count as no steps.

    Returns:
        Shape (n_days,); missing where there was no step at all.
    """
    steps = np.nan_to_num(hourly_steps)
    total = steps.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = steps / total
        summed: NDArray[np.float64] = -np.nansum(share * np.log(share), axis=1)
    return np.where(total[:, 0] > 0, summed, np.nan)
