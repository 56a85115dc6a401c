"""Walks through sorted rows that count for many resamples at once: each step adds a short vector, one number a resample."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from models.fairness.rows import Places, Rows, Values


@dataclass(frozen=True)
class Walk:
    """Positive rows by episode and unit, the earliest first: `rows`, the `starts` of each such run, its `unit`, and `days` ahead."""

    rows: Places
    starts: Places
    unit: Places
    days: Values

    @classmethod
    def of(cls, rows: Rows, counted_in: Places, is_in: NDArray[np.bool_]) -> "Walk":
        """The walk through those of the positive rows that are in, and count.

        Args:
            counted_in: the unit that each row counts in, -1 for those that do not count.
        """
        place = np.flatnonzero((rows.episode >= 0) & (counted_in >= 0) & is_in)
        episode, unit, days = rows.episode[place], counted_in[place], np.nan_to_num(rows.days_ahead[place])
        order = np.lexsort((-days, unit, episode))
        place, episode, unit, days = place[order], episode[order], unit[order], days[order]
        is_first = np.append(True, (np.diff(episode) != 0) | (np.diff(unit) != 0))[: len(place)]
        first = np.flatnonzero(is_first)
        return cls(place, np.append(first, len(place)), unit[first], days)

    def caught(self, chosen: NDArray[np.int32], n_units: int) -> tuple[Values, Values]:
        """Episodes caught and the days of their first flags ahead of the onset, summed by unit: (n_units, n_weightings) each.

        Of a subject drawn several times some copies may be flagged and others not; each copy has its own first flag.
        """
        caught = np.zeros((n_units, chosen.shape[1]))
        days = np.zeros((n_units, chosen.shape[1]))
        _walk(self.rows, self.starts, self.unit, self.days, chosen, caught, days)
        return caught, days


@njit(nogil=True, cache=True)
def count_pairs(order, ties, level, label, subject, weights, below, right):  # type: ignore[no-untyped-def]
    """Walk rows of rising score: each positive one outranks the negative ones below it, and half of those of its own score."""
    n = weights.shape[1]
    for tie in range(len(ties) - 1):
        first, last = ties[tie], ties[tie + 1]
        half = 0.5 if last > first + 1 else 1.0
        for step in range(2):
            for place in range(first, last):
                row = order[place]
                if level[row] >= 0 and label[row] == 0:
                    times, under = weights[subject[row]], below[level[row]]
                    for k in range(n):
                        under[k] += half * times[k]
            if step == 0:
                for place in range(first, last):
                    row = order[place]
                    if level[row] >= 0 and label[row] == 1:
                        times, under, found = weights[subject[row]], below[level[row]], right[level[row]]
                        for k in range(n):
                            found[k] += times[k] * under[k]
            if last == first + 1:
                break


@njit(nogil=True, cache=True)
def add(place, source, values, out):  # type: ignore[no-untyped-def]
    """Add to each place (none where negative) the values of its source, resample by resample."""
    for i in range(len(place)):
        if place[i] >= 0:
            more, here = values[source[i]], out[place[i]]
            for k in range(out.shape[1]):
                here[k] += more[k]


@njit(nogil=True, cache=True)
def _walk(rows, starts, unit, days, chosen, caught, days_ahead):  # type: ignore[no-untyped-def]
    """Add to each episode's unit how many copies are flagged on any of its days, and how far ahead each copy first is."""
    n = chosen.shape[1]
    most = np.empty(n, np.int32)
    for run in range(len(starts) - 1):
        most[:] = 0
        total = days_ahead[unit[run]]
        for place in range(starts[run], starts[run + 1]):
            flagged = chosen[rows[place]]
            for k in range(n):
                more = max(flagged[k] - most[k], 0)
                total[k] += more * days[place]
                most[k] += more
        found = caught[unit[run]]
        for k in range(n):
            found[k] += most[k]
