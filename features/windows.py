"""Trailing windows as they were known: gathers the days before each index row and reduces them.

A reduction sees an explicit array of days, yesterday first, and nothing else: what lies outside the window cannot
change a result, not even in the last bit.
"""

import bottleneck as bn
import numpy as np
import pandas as pd
from numpy.typing import NDArray

Values = NDArray[np.float64]
Rows = NDArray[np.int64]
FIRST = np.iinfo(np.int64).min


class DayGrid:
    """Finds, for any index row, which panel rows were valid then on each of the days before it."""

    def __init__(self, days: pd.DataFrame) -> None:
        ordered = days.sort_values(["subject_id", "local_date", "known_on"], ignore_index=True)
        self.days = ordered
        # One more, for row -1: a day without data is known from the first day on and has no later version.
        self.known_on = np.append(_days(ordered["known_on"]), FIRST)
        measured = ordered.columns.difference(["subject_id", "local_date", "known_on"])
        self.holds_data = np.append(ordered[measured].notna().any(axis=1).to_numpy(dtype=bool), False)
        self.subjects = pd.Index(ordered["subject_id"].unique())
        local = _days(ordered["local_date"])
        self.first_day = int(local.min()) if len(local) else 0
        width = int(local.max()) - self.first_day + 1 if len(local) else 1
        subject = self.subjects.get_indexer(ordered["subject_id"])
        cell = subject * width + (local - self.first_day)
        is_first = np.concatenate([[True], cell[1:] != cell[:-1]]) if len(cell) else np.zeros(0, bool)
        self.is_last = np.append(np.append(is_first[1:], True), True) if len(cell) else np.ones(1, bool)
        self.first_row = np.full((len(self.subjects) + 1) * width, -1, dtype=np.int64)
        self.first_row[cell[is_first]] = np.flatnonzero(is_first)
        self.width = width
        starts = np.flatnonzero(is_first)
        self.most_versions = int(np.diff(np.append(starts, len(cell))).max()) if len(cell) else 0

    def rows(self, subject_id: pd.Series, index_date: pd.Series, window: int) -> Rows:
        """Panel row per index row and trailing day, of shape (n_rows, window), yesterday first; -1 where none.

        The row is the latest version with `known_on <= index_date`.
        """
        subject = self.subjects.get_indexer(subject_id)
        subject = np.where(subject < 0, len(self.subjects), subject)
        today = _days(index_date)[:, None]
        day = today - 1 - np.arange(window) - self.first_day
        inside = (day >= 0) & (day < self.width)
        found = np.where(inside, self.first_row[subject[:, None] * self.width + np.clip(day, 0, self.width - 1)], -1)
        found = np.where((found >= 0) & (self.known_on[found] <= today), found, -1)
        for _ in range(self.most_versions - 1):
            can_move = (found >= 0) & ~self.is_last[found]
            later = found + can_move
            found = np.where(can_move & (self.known_on[later] <= today), later, found)
        return found

    def values(self, measure: str) -> Values:
        """A measure's values by panel row, with one more at the end that stands for missing (row -1)."""
        return np.append(self.days[measure].to_numpy(dtype=np.float64), np.nan)


def _days(dates: pd.Series) -> Rows:
    return dates.to_numpy().astype("datetime64[D]").astype(np.int64)


def mean(values: Values, fewest: int) -> Values:
    """Mean over valid days; missing below `fewest` of them."""
    return np.where(_count(values) >= fewest, bn.nanmean(values, axis=1), np.nan)


def sd(values: Values, fewest: int) -> Values:
    """Standard deviation (n - 1) over valid days; missing below `fewest` of them."""
    return np.where(_count(values) >= fewest, bn.nanstd(values, axis=1, ddof=1), np.nan)


def slope(values: Values, fewest: int) -> Values:
    """Least-squares change per day over valid days, positive when rising; missing below `fewest` of them."""
    valid = np.isfinite(values)
    n = valid.sum(axis=1)
    time = -np.arange(values.shape[1], dtype=np.float64)
    x_mean = (valid * time).sum(axis=1) / np.maximum(n, 1)
    y_mean = np.nansum(values, axis=1) / np.maximum(n, 1)
    x = np.where(valid, time - x_mean[:, None], 0.0)
    y = np.where(valid, values - y_mean[:, None], 0.0)
    spread = (x * x).sum(axis=1)
    return np.where((n >= max(fewest, 2)) & (spread > 0), (x * y).sum(axis=1) / np.where(spread > 0, spread, 1), np.nan)


def rmssd(values: Values, fewest: int) -> Values:
    """Root mean square of successive differences over adjacent valid days; missing below `fewest` valid days."""
    steps = np.diff(values, axis=1)
    pairs = np.isfinite(steps).sum(axis=1)
    squares = np.nansum(steps * steps, axis=1)
    return np.where((_count(values) >= fewest) & (pairs > 0), np.sqrt(squares / np.maximum(pairs, 1)), np.nan)


def last(values: Values) -> Values:
    """The newest valid value of the window; missing where there is none."""
    valid = np.isfinite(values)
    newest = valid.argmax(axis=1)
    return np.where(valid.any(axis=1), values[np.arange(len(values)), newest], np.nan)


def circular_mean(hours: Values, fewest: int) -> Values:
    """Mean clock time in hours, 0 to 24, as an angle: 23 h and 1 h average to 0 h."""
    east, north = _angles(hours)
    mean_hours = np.arctan2(north, east) / (2 * np.pi) * 24 % 24
    return np.where(_count(hours) >= fewest, mean_hours, np.nan)


def circular_sd(hours: Values, fewest: int) -> Values:
    """Circular standard deviation of clock times, in hours: sqrt(-2 ln R)."""
    east, north = _angles(hours)
    length = np.clip(np.hypot(east, north), 1e-12, 1.0)
    return np.where(_count(hours) >= fewest, np.sqrt(-2 * np.log(length)) / (2 * np.pi) * 24, np.nan)


def unwrapped(hours: Values) -> Values:
    """Clock times as distances, -12 to 12 h, from each row's circular mean: then ordinary statistics apply."""
    centre = circular_mean(hours, 1)[:, None]
    return (hours - centre + 12) % 24 - 12


def _angles(hours: Values) -> tuple[Values, Values]:
    turns = hours / 24 * 2 * np.pi
    n = np.maximum(_count(hours), 1)
    return np.nansum(np.cos(turns), axis=1) / n, np.nansum(np.sin(turns), axis=1) / n


def _count(values: Values) -> Rows:
    count: Rows = np.isfinite(values).sum(axis=1)
    return count
