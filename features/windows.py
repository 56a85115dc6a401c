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
# What the statistics need beside days, mean and squared deviations.
NEEDS = {"slope": ("ages", "covariation"), "rmssd": ("step_squares", "steps"), "last": ("last",)}


@dataclass(frozen=True)
class Window:
    """What one trailing window holds, at each end and for each series; arrays of shape (n_ends, n_series).

    Args:
        n: valid days.
        mean: their mean, 0 where there is none.
        squares: sum of their squared deviations from the mean.
        age: mean age of the valid days, in days before the newest day of the window.
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

    def statistic(self, name: str, fewest: int) -> Values:
        """Mean, SD (n - 1), least-squares slope per day (positive when rising), RMSSD over adjacent valid days, or last.

        Missing below `fewest` valid days; the last value needs one.
        """
        out = np.empty(self.n.shape)
        if name == "last":
            np.copyto(out, self.last)
        elif name == "mean":
            _ratio(fewest, 1, *_flat(self.n, self.mean, np.ones_like(self.n), out))
        elif name == "sd":
            _root_ratio(fewest, 2, *_flat(self.n, self.squares, self.n - 1, out))
        elif name == "slope":
            _ratio(fewest, 2, *_flat(self.n, 0.0 - self.covariation, self.ages, out))
        else:
            _root_ratio(fewest, 2, *_flat(self.n, self.step_squares, self.steps, out))
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
        self.blocks = {size: _empty(len(at), n_series) for size, at in self.ends.items()}
        self.parts = {size: (_span(self.ends[MERGED_FROM[size][0]], at),
                             _span(self.ends[MERGED_FROM[size][1]], at - MERGED_FROM[size][0]))
                      for size, at in self.ends.items() if size > 1}  # fmt: skip
        self.wanted = {length: _span(self.ends[length], ends) for length in self.lengths}

    def of(self, values: Values, statistics: Collection[str] = STATISTICS) -> dict[int, Window]:
        """Each window of a measure; valid until the next call.

        Args:
            values: of shape (n_days, n_series), oldest day first, NaN where unknown, none infinite.
            statistics: those that will be asked for; what the others need is left out.
        """
        self._single_days(values)
        for size in sorted(self.ends)[1:]:
            self._merge(values, size, statistics)
        planes = {plane for kind in statistics for plane in NEEDS.get(kind, ())} | {"n", "mean", "squares"}
        return {length: _at(self.blocks[length], places, planes) for length, places in self.wanted.items()}

    def _single_days(self, values: Values) -> None:
        single, day = self.blocks[1], values[_span(np.arange(len(values)), self.ends[1] - 1)]
        is_valid = day == day
        np.copyto(single.n, is_valid)
        np.copyto(single.last, day)
        np.multiply(np.nan_to_num(day), 1.0, out=single.mean)

    def _merge(self, values: Values, size: int, statistics: Collection[str]) -> None:
        newer_days, older_days = MERGED_FROM[size]
        ends, out = self.ends[size], self.blocks[size]
        newer, older = self.blocks[newer_days], self.blocks[older_days]
        in_newer, in_older = self.parts[size]

        def parts(*names: str) -> list[Values]:
            return [getattr(block, name)[places].reshape(-1) for block, places in ((newer, in_newer), (older, in_older))
                    for name in names]  # fmt: skip

        def whole(*names: str) -> list[Values]:
            return [getattr(out, name).reshape(-1) for name in names]

        levels = parts("n", "mean", "squares")
        _merge_levels(*levels, *whole("n", "mean", "squares"))
        if "slope" in statistics:
            new, old = (levels[k : k + 2] for k in (0, 3))
            ages = parts("age", "ages", "covariation")
            _merge_ages(float(newer_days), *new, *ages[:3], *old, *ages[3:], *whole("age", "ages", "covariation"))
        if "rmssd" in statistics:
            days = np.arange(len(values))
            oldest, before = (values[_span(days, ends - newer_days - k)].reshape(-1) for k in (0, 1))
            _merge_steps(oldest, before, *parts("step_squares", "steps"), *whole("step_squares", "steps"))
        if "last" in statistics:
            _merge_last(levels[0], *parts("last"), *whole("last"))


def _empty(n_ends: int, n_series: int) -> Window:
    return Window(*np.zeros((9, n_ends, n_series)))


def _span(places: Places, wanted: Places) -> Places | slice:
    """Where the wanted places lie among all of them: a slice, hence a view, where they follow one another."""
    found = np.searchsorted(places, wanted)
    if len(found) and found[-1] - found[0] == len(found) - 1:
        return slice(int(found[0]), int(found[-1]) + 1)
    return found


def _at(block: Window, places: Places | slice, planes: Collection[str]) -> Window:
    """The block at some of its ends; planes that nobody asked for as they stand."""
    return Window(**{name: plane[places] if name in planes else plane for name, plane in vars(block).items()})


def _flat(*planes: Values) -> list[Values]:
    return [plane.reshape(-1) for plane in planes]


# Four short loops, not one long one: each is small enough for the compiler to work on several days at once.
@njit(nogil=True, cache=True)
def _merge_levels(n_new, mean_new, squares_new, n_old, mean_old, squares_old, n, mean, squares):  # type: ignore[no-untyped-def]
    for i in range(len(n)):
        total = n_new[i] + n_old[i]
        share = n_old[i] / max(total, 1.0)
        apart = mean_old[i] - mean_new[i]
        n[i] = total
        mean[i] = mean_new[i] + apart * share
        squares[i] = squares_new[i] + squares_old[i] + apart * apart * share * n_new[i]


@njit(nogil=True, cache=True)
def _merge_ages(  # type: ignore[no-untyped-def]
    shift, n_new, mean_new, age_new, ages_new, both_new, n_old, mean_old, age_old, ages_old, both_old, age, ages, both
):
    for i in range(len(age)):
        share = n_old[i] / max(n_new[i] + n_old[i], 1.0)
        weight = n_new[i] * share
        apart = age_old[i] + shift - age_new[i]
        age[i] = age_new[i] + apart * share
        ages[i] = ages_new[i] + ages_old[i] + apart * apart * weight
        both[i] = both_new[i] + both_old[i] + apart * (mean_old[i] - mean_new[i]) * weight


@njit(nogil=True, cache=True)
def _merge_steps(oldest, before, squares_new, steps_new, squares_old, steps_old, squares, steps):  # type: ignore[no-untyped-def]
    for i in range(len(squares)):
        step = oldest[i] - before[i]
        is_valid = step == step
        squares[i] = squares_new[i] + squares_old[i] + (step * step if is_valid else 0.0)
        steps[i] = steps_new[i] + steps_old[i] + (1.0 if is_valid else 0.0)


@njit(nogil=True, cache=True)
def _merge_last(n_new, last_new, last_old, last):  # type: ignore[no-untyped-def]
    for i in range(len(last)):
        last[i] = last_new[i] if n_new[i] > 0 else last_old[i]


@njit(nogil=True, cache=True)
def _ratio(fewest, least, n, above, below, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        is_given = n[i] >= fewest and n[i] >= least and below[i] > 0
        out[i] = above[i] / below[i] if is_given else np.nan


@njit(nogil=True, cache=True)
def _root_ratio(fewest, least, n, above, below, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        is_given = n[i] >= fewest and n[i] >= least and below[i] > 0
        out[i] = np.sqrt(above[i] / below[i]) if is_given else np.nan
