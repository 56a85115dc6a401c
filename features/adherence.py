"""How much data there is: wear time, answers, days with anything at all, the longest gap. Silence is information.

Days before enrolment cannot hold data: they are missing, and take no part. `HAS_DATA` is 1 or 0 on all others.
"""

import numpy as np
from numpy.typing import NDArray

from features.measures import HAS_DATA, LONG, SHORT, SINCE_RECEIPT, Measure, Pattern, PatternFeature

Days = NDArray[np.float64]

MEASURES = (
    Measure(
        "adherence_wear_minutes", "min", "time the device was worn",
        "minutes with a word of being worn, a pulse, its variability or a step, none of a stuck sensor; missing without such a word "
        "and with a pulse in fewer than 3 hours of a day with steps",
        "Foretide",
        ("mean_7d", "mean_28d", "z_3d"),
    ),
    Measure(
        "adherence_answers", "answers", "answers given", "mood answers of the day", "Foretide",
        ("mean_7d", "mean_28d", "z_3d"),
        stream="mood",
    ),
)  # fmt: skip


def coverage(has_data: Days) -> Days:
    """Share of the observable days of a window that hold any data; missing where no day was observable.

    Args:
        has_data: of shape (n_rows, n_days), oldest day first.
    """
    return _per_day((has_data == 1).sum(axis=1), has_data)


def answer_rate(answers: Days, has_data: Days) -> Days:
    """Answers given per observable day, days without one included; missing where no day was observable.

    How many were asked for is not known: no source tells of questions that were not answered.

    Args:
        answers: of shape (n_rows, n_days), missing on days without any.
        has_data: the same shape; says which days were observable.
    """
    return _per_day(np.where(np.isfinite(has_data), np.nan_to_num(answers), 0.0).sum(axis=1), has_data)


def days_since_data(has_data: Days) -> Days:
    """Whole days without data just before the index date; all observable days where none holds any.

    Args:
        has_data: of shape (n_rows, n_days), oldest day first.
    """
    backwards = has_data[:, ::-1] == 1
    observable = np.isfinite(has_data).sum(axis=1)
    days: Days = np.where(backwards.any(axis=1), backwards.argmax(axis=1), observable).astype(np.float64)
    return days


def longest_gap(has_data: Days) -> Days:
    """Longest run of observable days without data; missing where no day was observable.

    Args:
        has_data: of shape (n_rows, n_days), oldest day first.
    """
    day = np.arange(has_data.shape[1])
    last_other = np.maximum.accumulate(np.where(has_data == 0, -1, day), axis=1)
    longest = (day - last_other).max(axis=1).astype(np.float64)
    return np.where(np.isfinite(has_data).any(axis=1), longest, np.nan)


def days_since_sync(since_receipt: Days) -> Days:
    """Days from the newest receipt of any of the window's data to the index date; missing where none came.

    Args:
        since_receipt: by day, of shape (n_rows, n_days).
    """
    newest: Days = np.fmin.reduce(since_receipt, axis=1)
    return newest


def _per_day(total: Days, has_data: Days) -> Days:
    observable = np.isfinite(has_data).sum(axis=1)
    return np.where(observable > 0, total / np.maximum(observable, 1), np.nan)


_OBSERVABLE = "1 day since enrolment"
PATTERNS = (
    Pattern((HAS_DATA,), lambda days: (coverage(days[:, :, 0]), longest_gap(days[:, :, 0])), (
        PatternFeature("adherence_coverage", "share", "days with data", "days with any data / days since enrolment",
                       "Foretide", _OBSERVABLE, (SHORT, LONG)),
        PatternFeature("adherence_longest_gap", "days", "longest silence", "longest run of days without data", "Foretide",
                       _OBSERVABLE, (LONG,)),
    )),
    Pattern((HAS_DATA,), lambda days: (days_since_data(days[:, :, 0]),), (
        PatternFeature("adherence_days_since_data", "days", "days of silence up to now",
                       "days without data just before the index date, at most the window's", "Foretide", "none", (LONG,)),
    ), windows=(LONG,), has_own_past=False),
    Pattern((SINCE_RECEIPT,), lambda days: (days_since_sync(days[:, :, 0]),), (
        PatternFeature("adherence_days_since_sync", "days", "days since anything was received",
                       "index date minus the day of the newest receipt, least over the window's days", "Foretide",
                       "1 day with data"),
    ), windows=(LONG,), has_own_past=False),
    Pattern(("adherence_answers", HAS_DATA), lambda days: (answer_rate(days[:, :, 0], days[:, :, 1]),), (
        PatternFeature("adherence_answer_rate", "answers/day", "answers given a day, silent days included",
                       "mood answers / days since enrolment", "Foretide", _OBSERVABLE),
    ), restarts_with=("adherence_answers",)),
)  # fmt: skip
