"""How much data there is: wear time, answers, days with anything at all, the longest gap. Silence is information."""

import numpy as np
from numpy.typing import NDArray

from features.measures import Measure

MEASURES = (
    Measure(
        "adherence_wear_minutes", "min", "time the device was worn", "minutes worn", "", ("mean_7d", "mean_28d", "z_7d")
    ),
    Measure(
        "adherence_answers", "answers", "answers given", "mood answers of the day", "", ("mean_7d", "mean_28d", "z_7d")
    ),
)


def coverage(has_data: NDArray[np.bool_], observable: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of the observable trailing days that hold any data.

    Args:
        has_data: of shape (n_rows, window), yesterday first.
        observable: days since enrolment, at most the window; days before enrolment cannot hold data.
    """
    share: NDArray[np.float64] = has_data.sum(axis=1) / np.maximum(observable, 1)
    return share


def days_since_data(has_data: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Whole days without data just before the index date; the window's length where all of it is empty."""
    found = has_data.any(axis=1)
    days: NDArray[np.float64] = np.where(found, has_data.argmax(axis=1), has_data.shape[1]).astype(np.float64)
    return days


def longest_gap(has_data: NDArray[np.bool_], observable: NDArray[np.int64]) -> NDArray[np.float64]:
    """Longest run of days without data within the observable part of the window."""
    longest = np.zeros(len(has_data))
    run = np.zeros(len(has_data))
    for day in range(has_data.shape[1]):
        is_gap = ~has_data[:, day] & (day < observable)
        run = np.where(is_gap, run + 1, 0)
        longest = np.maximum(longest, run)
    return longest
