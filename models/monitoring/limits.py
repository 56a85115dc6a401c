"""Control limits: how far a series may lie from its nights before until that is no longer ordinary.

Subjects are the same night after night, so that what is measured is no sample drawn anew, and limits for independent samples
alarm all the time. Here a night's distance from the weeks before it is compared with the distances that earlier nights had from
the weeks before them. Many series are looked at on many nights: a declared number of false alarms a year is shared among all looks.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student

from models.fairness.groups import EVERYBODY
from models.monitoring.counts import ALERT, SCORE
from models.monitoring.series import ABSENT, SHARE, Series

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]
# A night is compared with four weeks that end a week before it: a week in which something may have begun already.
COMPARED_DAYS, LEFT_OUT_DAYS = 28, 7
# Nights that must be there of those four weeks, and earlier distances that must be known, before a night is judged.
FEWEST_COMPARED, FEWEST_DISTANCES = 14, 14
# Distances of neighbouring nights tell the same: so many of them count as one.
NIGHTS_PER_DISTANCE = 7
# As how many distances a kind's usual spread counts beside a series' own.
PRIOR_DISTANCES = 8.0
# What is beyond its limits is told on its second night; it is over when it is back within half of them.
PERSISTENT_NIGHTS, HYSTERESIS = 2, 0.5
# Less than this is of no interest, however sure: standard deviations or variances where nothing else is said, else shares.
LEAST, LEAST_BY_STATISTIC, LEAST_BY_KIND = 0.15, {ABSENT: 0.05, SHARE: 0.05}, {SCORE: 0.1, ALERT: 0.02}
NIGHTS_A_YEAR = 365
# Half of the budget is for what befalls everybody, half for what befalls a group.
SHARE_FOR_EVERYBODY = 0.5


@dataclass(frozen=True)
class Chart:
    """Each series against its limits; arrays of shape (n_nights, n_series), missing where a night cannot be judged.

    Attributes:
        series: what is judged.
        expected: mean of the nights compared with.
        reach: how far from it is ordinary.
        is_alarm: whether a night is one of a stretch that is out of the ordinary, from its second night on.
    """

    series: Series
    expected: Values
    reach: Values
    is_alarm: Flags

    @property
    def ratio(self) -> Values:
        """Distance from what is expected, in limits: beyond 1 or -1 is out of the ordinary."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return (self.series.value - self.expected) / self.reach


def chart(series: Series, false_alarms_per_year: float) -> Chart:
    """Walk through the nights, judging each by what was known then.

    Args:
        series: of one kind, which shares a budget.
        false_alarms_per_year: how many false alarms a year are accepted of all these series together.
    """
    shape = series.value.shape
    expected, reach, alarm = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, dtype=bool)
    distance, beyond = np.full(shape, np.nan), np.zeros(shape, dtype=np.int8)
    days = series.nights.to_numpy().astype("datetime64[D]").astype(np.int64)
    least, usual, done = _least(series.table), _Usual(series.table), 0
    for night in range(len(days)):
        end = int(np.searchsorted(days, days[night] - LEFT_OUT_DAYS))
        begin = int(np.searchsorted(days, days[night] - LEFT_OUT_DAYS - COMPARED_DAYS))
        expected[night] = _mean(series.value[begin:end], alarm[begin:end])
        distance[night] = series.value[night] - expected[night]
        usual.add(distance[done:end], alarm[done:end])
        done = end
        limit = _limit(series.table["group"].to_numpy(), usual.known, false_alarms_per_year)
        reach[night] = np.maximum(limit * usual.scale(series.subjects[night]), least)
        beyond[night] = _beyond(distance[night], reach[night])
        before = alarm[night - 1] if night else np.zeros(shape[1], dtype=bool)
        alarm[night] = _goes_on(distance[night], reach[night], before) | _persists(beyond, night)
    return Chart(series, expected, reach, alarm)


def _mean(values: Values, is_alarm: Flags) -> Values:
    """Mean of the ordinary nights or, where too few are, of all: what lasts for weeks is what is expected by then."""
    known = np.isfinite(values)
    ordinary = known & ~is_alarm
    used = np.where(ordinary.sum(axis=0) >= FEWEST_COMPARED, ordinary, known)
    n = used.sum(axis=0)
    total = np.where(used, np.nan_to_num(values), 0.0).sum(axis=0)
    return np.where(n >= FEWEST_COMPARED, total / np.maximum(n, 1), np.nan)


class _Usual:
    """What distances are usual, as far as nights were added.

    A series' own is drawn towards that of its statistic, which shrinks with the square root of the subjects: nobody can tell from a
    few weeks of a small group how much it varies.
    """

    def __init__(self, table: pd.DataFrame) -> None:
        statistic = table["statistic"].to_numpy()
        self._alike = [np.flatnonzero(statistic == name) for name in dict.fromkeys(statistic)]
        self._squares, self._n = np.zeros(len(table)), np.zeros(len(table))

    def add(self, distance: Values, is_alarm: Flags) -> None:
        used = np.isfinite(distance) & ~is_alarm
        self._squares += np.where(used, np.nan_to_num(distance) ** 2, 0.0).sum(axis=0)
        self._n += used.sum(axis=0)

    @property
    def known(self) -> Values:
        """How many distances that tell something of their own were added, of each series."""
        known: Values = self._n / NIGHTS_PER_DISTANCE
        return known

    def scale(self, subjects: Values) -> Values:
        """The usual distance of each series of so many subjects; missing where too few nights are known."""
        subjects = np.maximum(subjects, 1.0)
        own = np.divide(self._squares, self._n, out=np.full(len(self._n), np.nan), where=self._n > 0)
        prior, each = np.full(len(own), np.nan), own * subjects
        for alike in self._alike:
            known = each[alike][np.isfinite(each[alike])]
            prior[alike] = np.median(known) / subjects[alike] if len(known) else np.nan
        mixed = (self.known * np.nan_to_num(own) + PRIOR_DISTANCES * prior) / (self.known + PRIOR_DISTANCES)
        return np.where(self._n >= FEWEST_DISTANCES, np.sqrt(mixed), np.nan)


def _least(table: pd.DataFrame) -> Values:
    """The smallest distance that is of any interest, of each series."""
    by_statistic = table["statistic"].map(LEAST_BY_STATISTIC)
    return np.asarray(table["kind"].map(LEAST_BY_KIND).fillna(by_statistic).fillna(LEAST), dtype=np.float64)


def _limit(groups: NDArray[np.object_], known: Values, false_alarms_per_year: float) -> Values:
    """How many usual distances are ordinary, for each series, so that all looks of a year share the budget."""
    found: Values = np.empty(len(groups), dtype=np.float64)
    for is_in, part in ((groups == EVERYBODY, SHARE_FOR_EVERYBODY), (groups != EVERYBODY, 1 - SHARE_FOR_EVERYBODY)):
        chance = false_alarms_per_year * part / (NIGHTS_A_YEAR * max(int(is_in.sum()), 1))
        # Few of them are different: quantiles are dear.
        cases, place = np.unique(known[is_in], return_inverse=True)
        found[is_in] = np.asarray(student.isf(chance / 2, df=cases + PRIOR_DISTANCES), dtype=np.float64)[place]
    return found


def _beyond(distance: Values, reach: Values) -> NDArray[np.int8]:
    """1 above the limits, -1 below them, 0 within, or where that cannot be told."""
    with np.errstate(invalid="ignore"):
        return np.where(distance > reach, 1, np.where(distance < -reach, -1, 0)).astype(np.int8)


def _persists(beyond: NDArray[np.int8], night: int) -> Flags:
    """Beyond the same limit on so many nights in a row."""
    recent = beyond[max(night - PERSISTENT_NIGHTS + 1, 0) : night + 1]
    enough = len(recent) == PERSISTENT_NIGHTS
    same: Flags = (recent == recent[-1]).all(axis=0) & (recent[-1] != 0)
    return same if enough else np.zeros_like(same)


def _goes_on(distance: Values, reach: Values, before: Flags) -> Flags:
    with np.errstate(invalid="ignore"):
        is_far: Flags = np.abs(distance) > HYSTERESIS * reach
    # A night that cannot be judged ends nothing.
    return before & (is_far | ~np.isfinite(distance))
