"""A pattern against its own past: the last days against the windows of the same length that lie before them.

Earlier windows overlap neither the newest one nor each other, lie within the 90 days of a past, and are seen as they were
known at the index date. A past that began anew holds only windows that began no sooner.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features import baseline, circular
from features.grid import DayGrid, Places, Sheet, Values
from features.measures import Measure, Pattern

# Figures that differ by less than the last of these decimals differ by rounding: a past of them did not vary.
DECIMALS = 9


def n_earlier(window: int) -> int:
    """How many windows of so many days a past of 90 days holds."""
    return baseline.PAST_DAYS // window


def windows(pattern: Pattern) -> tuple[int, ...]:
    """Windows in days over which a pattern has a past that can tell what is usual: 3 earlier ones at least."""
    has_past = (window for window in pattern.windows if n_earlier(window) >= baseline.FEWEST_WITHOUT_PRIOR)
    return tuple(has_past) if pattern.has_own_past else ()


def robust_z(grid: DayGrid, sheet: Sheet, pattern: Pattern, window: int, measures: Sequence[Measure]) -> list[Values]:
    """How far each figure of a pattern lies from the median of its earlier windows, by `baseline.robust_z`.

    Args:
        grid: the days.
        sheet: index rows that stand alone.
        pattern: what is compared.
        window: length in days of the newest window, and of each before it.
        measures: those that the pattern restarts with.

    Returns:
        For each figure of the pattern an array of shape (n_rows,); missing below 3 earlier windows with a value, or where
        these are all alike.
    """
    ago = np.arange(n_earlier(window), 0, -1) * window
    is_own = _is_own(sheet, window + ago, measures)
    *earlier, newest = (
        pattern.compute(grid.pattern_values(sheet, window, pattern.columns, int(before))) for before in (*ago, 0)
    )
    found = []
    for told, recent, *past in zip(pattern.features, newest, *earlier, strict=True):
        values = np.where(is_own, np.stack(past), np.nan)
        if told.is_circular:
            # Seen from the newest clock time, so that none lies across midnight from it.
            values, recent = circular.apart(values, recent), np.where(np.isfinite(recent), 0.0, np.nan)
        usual = baseline.past(values.round(DECIMALS), np.array([len(values)]), (0,))[0]
        found.append(baseline.robust_z(recent.round(DECIMALS), usual, np.nan)[0])
    return found


def _is_own(sheet: Sheet, oldest: Places, measures: Sequence[Measure]) -> NDArray[np.bool_]:
    """Whether the past had begun when each window did, of shape (n_windows, n_rows).

    Args:
        oldest: days from each window's first day to the index date.
    """
    days = np.zeros(sheet.panel_rows.shape)
    for measure in measures:
        days = baseline.since_begin(days, sheet.begins_of(measure))
    has_begun: NDArray[np.bool_] = np.isfinite(days[len(days) - oldest])
    return has_begun
