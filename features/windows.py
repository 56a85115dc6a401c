"""Statistics of trailing windows over a dense grid of days.

A window is put together from blocks of neighbouring days: one day and one day make two, two and one make three, three
and four a week, and so on to 90 days. The same blocks serve every window and every index date, so that a day more costs
a few merges and not another look at 90 days. Nothing but the window's own days goes into a merge and the order of merges
is fixed: what lies outside the window cannot change a result, not even in the last bit, however it is computed.
Merging means and squared deviations keeps the precision that sums of squares would lose (Chan 1983).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

Values = NDArray[np.float64]
Places = NDArray[np.int64]

# Days of a block -> days of the newer and of the older block that it is merged from.
MERGED_FROM = {2: (1, 1), 3: (2, 1), 4: (2, 2), 6: (4, 2), 7: (3, 4), 14: (7, 7), 28: (14, 14), 56: (28, 28),
               84: (56, 28), 90: (84, 6)}  # fmt: skip
STATISTICS = ("mean", "sd", "slope", "rmssd", "last")


@dataclass(frozen=True)
class Block:
    """What some days on end hold, up to each of their ends and for each series; arrays of shape (n_ends, n_series).

    Args:
        n: valid days.
        mean: their mean, 0 where there is none.
        squares: sum of their squared deviations from the mean.
        age: mean age of the valid days, in days before the newest day of the block.
        ages: sum of squared deviations of the ages.
        covariation: sum of products of both deviations.
        step_squares: sum of squared differences of adjacent valid days.
        steps: pairs of adjacent valid days.
        last: value of the newest valid day, missing where there is none.
    """

    n: Values
    mean: Values
    squares: Values
    age: Values
    ages: Values
    covariation: Values
    step_squares: Values
    steps: Values
    last: Values


@dataclass(frozen=True)
class Window:
    """One trailing window at the ends that were asked for.

    Args:
        block: the days of the window.
        at: for each end that was asked for, which of the block's.
    """

    block: Block
    at: Places

    @property
    def n(self) -> Values:
        """Valid days, of shape (n_ends, n_series)."""
        return self.block.n[self.at]

    def statistic(self, name: str, fewest: int) -> Values:
        """Mean, SD (n - 1), least-squares slope per day (positive when rising), RMSSD over adjacent valid days, or last.

        Missing below `fewest` valid days; the last value needs one. Of shape (n_ends, n_series).
        """
        block = self.block
        if name == "last":
            return block.last[self.at]
        out = np.empty((len(self.at), block.n.shape[1]))
        if name == "mean":
            _mean(self.at, fewest, block.n, block.mean, out)
        elif name == "sd":
            _sd(self.at, fewest, block.n, block.squares, out)
        elif name == "slope":
            _slope(self.at, fewest, block.n, block.covariation, block.ages, out)
        else:
            _rmssd(self.at, fewest, block.n, block.step_squares, block.steps, out)
        return out


class Windows:
    """Trailing windows of given lengths at given ends, for one measure after another.

    A window of w days that ends at e holds the days e - w to e - 1. Memory is taken once and used for every measure.

    Args:
        ends: places of the days after the windows' newest days, rising. No window may begin before the first day.
        lengths: of `MERGED_FROM`, in days.
        n_series: how many subjects, or other series, lie side by side.
    """

    def __init__(self, ends: Places, lengths: Iterable[int], n_series: int) -> None:
        self.lengths = tuple(sorted(lengths))
        self.ends: dict[int, Places] = dict.fromkeys(self.lengths, ends)
        for size in sorted(MERGED_FROM, reverse=True):
            if size in self.ends:
                newer, older = MERGED_FROM[size]
                for part, at in ((newer, self.ends[size]), (older, self.ends[size] - newer)):
                    self.ends[part] = np.union1d(self.ends[part], at) if part in self.ends else at
        self.blocks = {size: Block(*np.zeros((9, len(at), n_series))) for size, at in self.ends.items()}
        self.parts = {size: (np.searchsorted(self.ends[MERGED_FROM[size][0]], at),
                             np.searchsorted(self.ends[MERGED_FROM[size][1]], at - MERGED_FROM[size][0]))
                      for size, at in self.ends.items() if size > 1}  # fmt: skip
        self.wanted = {length: np.searchsorted(self.ends[length], ends) for length in self.lengths}

    def of(self, values: Values, statistics: Collection[str] = STATISTICS) -> dict[int, Window]:
        """Each window of a measure; valid until the next call.

        Args:
            values: of shape (n_days, n_series), oldest day first, NaN where unknown, none infinite.
            statistics: those that will be asked for; what the others need is left out.
        """
        values = np.ascontiguousarray(values)
        single = self.blocks[1]
        _single_days(self.ends[1] - 1, values, single.n, single.mean, single.last)
        for size in sorted(self.ends)[1:]:
            self._merge(values, size, statistics)
        return {length: Window(self.blocks[length], at) for length, at in self.wanted.items()}

    def _merge(self, values: Values, size: int, statistics: Collection[str]) -> None:
        newer_days, older_days = MERGED_FROM[size]
        new, old, out, places = self.blocks[newer_days], self.blocks[older_days], self.blocks[size], self.parts[size]
        _merge_levels(*places, new.n, new.mean, new.squares, old.n, old.mean, old.squares, out.n, out.mean, out.squares)
        if "slope" in statistics:
            _merge_ages(*places, float(newer_days), new.n, new.mean, new.age, new.ages, new.covariation, old.n, old.mean,
                        old.age, old.ages, old.covariation, out.age, out.ages, out.covariation)  # fmt: skip
        if "rmssd" in statistics:
            _merge_steps(*places, self.ends[size] - newer_days, values, new.step_squares, new.steps, old.step_squares,
                         old.steps, out.step_squares, out.steps)  # fmt: skip
        if "last" in statistics:
            _merge_last(*places, new.n, new.last, old.last, out.last)


@njit(nogil=True, cache=True)
def _single_days(places, values, n, mean, last):  # type: ignore[no-untyped-def]
    for row in range(n.shape[0]):
        day = places[row]
        for k in range(n.shape[1]):
            value = values[day, k]
            is_valid = value == value
            n[row, k] = 1.0 if is_valid else 0.0
            mean[row, k] = value if is_valid else 0.0
            last[row, k] = value


# Four short loops, not one long one: each is small enough for the compiler to work on several series at once.
@njit(nogil=True, cache=True)
def _merge_levels(newer, older, n_new, mean_new, squares_new, n_old, mean_old, squares_old, n, mean, squares):  # type: ignore[no-untyped-def]
    for row in range(n.shape[0]):
        i, j = newer[row], older[row]
        for k in range(n.shape[1]):
            total = n_new[i, k] + n_old[j, k]
            share = n_old[j, k] / max(total, 1.0)
            apart = mean_old[j, k] - mean_new[i, k]
            n[row, k] = total
            mean[row, k] = mean_new[i, k] + apart * share
            squares[row, k] = squares_new[i, k] + squares_old[j, k] + apart * apart * share * n_new[i, k]


@njit(nogil=True, cache=True)
def _merge_ages(  # type: ignore[no-untyped-def]
    newer, older, shift, n_new, mean_new, age_new, ages_new, both_new, n_old, mean_old, age_old, ages_old, both_old, age, ages,
    both,
):  # fmt: skip
    for row in range(age.shape[0]):
        i, j = newer[row], older[row]
        for k in range(age.shape[1]):
            share = n_old[j, k] / max(n_new[i, k] + n_old[j, k], 1.0)
            weight = n_new[i, k] * share
            apart = age_old[j, k] + shift - age_new[i, k]
            age[row, k] = age_new[i, k] + apart * share
            ages[row, k] = ages_new[i, k] + ages_old[j, k] + apart * apart * weight
            both[row, k] = both_new[i, k] + both_old[j, k] + apart * (mean_old[j, k] - mean_new[i, k]) * weight


@njit(nogil=True, cache=True)
def _merge_steps(newer, older, oldest, values, squares_new, steps_new, squares_old, steps_old, squares, steps):  # type: ignore[no-untyped-def]
    for row in range(squares.shape[0]):
        i, j, day = newer[row], older[row], oldest[row]
        for k in range(squares.shape[1]):
            step = values[day, k] - values[day - 1, k]
            is_valid = step == step
            squares[row, k] = squares_new[i, k] + squares_old[j, k] + (step * step if is_valid else 0.0)
            steps[row, k] = steps_new[i, k] + steps_old[j, k] + (1.0 if is_valid else 0.0)


@njit(nogil=True, cache=True)
def _merge_last(newer, older, n_new, last_new, last_old, last):  # type: ignore[no-untyped-def]
    for row in range(last.shape[0]):
        i, j = newer[row], older[row]
        for k in range(last.shape[1]):
            last[row, k] = last_new[i, k] if n_new[i, k] > 0 else last_old[j, k]


@njit(nogil=True, cache=True)
def _mean(at, fewest, n, mean, out):  # type: ignore[no-untyped-def]
    for row in range(out.shape[0]):
        i = at[row]
        for k in range(out.shape[1]):
            out[row, k] = mean[i, k] if n[i, k] >= fewest else np.nan


@njit(nogil=True, cache=True)
def _sd(at, fewest, n, squares, out):  # type: ignore[no-untyped-def]
    fewest = max(fewest, 2)
    for row in range(out.shape[0]):
        i = at[row]
        for k in range(out.shape[1]):
            variance = squares[i, k] / max(n[i, k] - 1.0, 1.0)
            out[row, k] = np.sqrt(variance) if n[i, k] >= fewest else np.nan


@njit(nogil=True, cache=True)
def _slope(at, fewest, n, covariation, ages, out):  # type: ignore[no-untyped-def]
    fewest = max(fewest, 2)
    for row in range(out.shape[0]):
        i = at[row]
        for k in range(out.shape[1]):
            is_given = n[i, k] >= fewest and ages[i, k] > 0
            # Ages count backwards. Taken from zero, so that no slope is no slope and not minus zero.
            out[row, k] = (0.0 - covariation[i, k]) / ages[i, k] if is_given else np.nan


@njit(nogil=True, cache=True)
def _rmssd(at, fewest, n, squares, steps, out):  # type: ignore[no-untyped-def]
    fewest = max(fewest, 2)
    for row in range(out.shape[0]):
        i = at[row]
        for k in range(out.shape[1]):
            is_given = n[i, k] >= fewest and steps[i, k] > 0
            out[row, k] = np.sqrt(squares[i, k] / steps[i, k]) if is_given else np.nan
