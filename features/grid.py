"""The day panel of some subjects as dense sheets of days, each as it was known at its index dates.

Most index rows may see the newest version of every day in their past: they share one sheet, subjects side by side. An
index row for which some day had not come in yet, or was corrected later, gets a series of its own with the versions that
counted then. Statistics are computed the same way on both, so that they agree to the last bit.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.baseline import Begins
from features.calendar import day_number
from features.errors import FeaturesError
from features.measures import HAS_DATA, SINCE_RECEIPT, WEEKDAY, Measure

Values = NDArray[np.float64]
Places = NDArray[np.int64]
# A sheet of all days pays off where a subject has at least one index row in so many days.
DAYS_PER_ROW = 30
# Thursday, the first of January 1970, as Monday-based day of the week.
WEEKDAY_OF_DAY_ZERO = 3


@dataclass(frozen=True)
class SubjectDays:
    """The versions of subject-days, ordered by subject, local day and receipt; their measures stay where they lie.

    Args:
        measures: name -> figures, in an order of their own.
        rows: place of each version in that order.
        names: subjects, sorted.
        subject: of each version, as a place in the names.
        day: local day of each version, since 1970.
        known_on: day from which on each version was known.
    """

    measures: Mapping[str, Values]
    rows: Places
    names: pd.Index
    subject: Places
    day: Places
    known_on: Places

    def __getitem__(self, part: slice) -> "SubjectDays":
        subject = self.subject[part]
        first, last = (subject[0], subject[-1]) if len(subject) else (0, -1)
        names = self.names[first : last + 1]
        return SubjectDays(self.measures, self.rows[part], names, subject - first, self.day[part], self.known_on[part])

    def of(self, name: str) -> Values:
        """A measure of each version, missing where the panel lacks it."""
        if name not in self.measures:
            return np.full(len(self.rows), np.nan)
        return self.measures[name][self.rows]


@dataclass(frozen=True)
class Sheet:
    """Days side by side, and which index rows they answer.

    Args:
        panel_rows: row of the grid's panel for each day and series, -1 where there is none; (n_days, n_series).
        answers: the index rows, as places in the grid's index.
        ends: places of the days after the newest day that any of them sees, rising.
        end: for each answered row, which of the ends.
        series: for each answered row, which series.
        subject: for each series, its subject's place.
        today: for each series, the index date that its versions are of; None where all are the newest.
        first_day: day of each series' first row.
        begins: where pasts begin anew, by stream and measure ("" for all of a stream).
    """

    panel_rows: Places
    answers: Places
    ends: Places
    end: Places
    series: Places
    subject: Places
    today: Places | None
    first_day: Places
    begins: dict[tuple[str, str], Begins]

    def begins_of(self, measure: Measure) -> Begins | None:
        """Where pasts begin anew for a measure; None where they never do."""
        return self.begins.get((measure.stream, measure.name), self.begins.get((measure.stream, "")))


class DayGrid:
    """The versions of days of some subjects, and the index rows that ask for their past.

    Args:
        days: their versions.
        index: `subject_id, index_date`, sorted.
        restarts: `subject_id, stream, measure, on_date, known_on`: from which day on a subject's past begins anew, for one
            measure or (measure "") for all of a stream.
        enrolled_on: first day of each index row's subject.
        lookback: how many days before an index date are asked for.
    """

    def __init__(
        self, days: SubjectDays, index: pd.DataFrame, restarts: pd.DataFrame, enrolled_on: pd.Series, lookback: int
    ) -> None:
        self.lookback = lookback
        self.days = days
        self.subjects = pd.Index(index["subject_id"].unique())
        self.subject = self.subjects.get_indexer(index["subject_id"])
        self.today = day_number(index["index_date"])
        self.observable = self.today - day_number(enrolled_on)
        self.first_day = int(self.today.min()) - lookback
        self.n_days = int(self.today.max()) - self.first_day
        self._place_versions(days)
        of_subject = self.subjects.get_indexer(restarts["subject_id"])
        restarts = restarts[of_subject >= 0]
        self.restarts = {
            "subject": of_subject[of_subject >= 0], "day": day_number(restarts["on_date"]),
            "known": day_number(restarts["known_on"]),
        }  # fmt: skip
        self.restarting = {
            (stream, measure): (restarts["stream"].eq(stream) & restarts["measure"].isin(["", measure])).to_numpy()
            for stream, measure in restarts[["stream", "measure"]].drop_duplicates().itertuples(index=False, name=None)
        }
        self.columns: dict[str, Values] = {}

    def _place_versions(self, days: SubjectDays) -> None:
        """First and last version of each cell; a cell is a day of a subject, days of one subject side by side."""
        subject, day = self.subjects.get_indexer(days.names)[days.subject], days.day - self.first_day
        inside = np.flatnonzero((subject >= 0) & (day >= 0) & (day < self.n_days))
        cell = subject[inside] * self.n_days + day[inside]
        n_cells = len(self.subjects) * self.n_days
        # One more version, for row -1: a day without data is known from the first day on and has no later version.
        self.known_on = np.append(days.known_on, np.iinfo(np.int64).min)
        self.first_version, self.last_version = np.full(n_cells, -1), np.full(n_cells, -1)
        self.last_version[cell] = inside
        self.first_version[cell[::-1]] = inside[::-1]
        self.most_versions = int((self.last_version - self.first_version).max(initial=0)) + 1

    def as_known(self, rows: Places) -> Places:
        """Panel row of each day before some index rows, oldest first, of shape (lookback, n_rows); -1 where none.

        The row is the latest version with `known_on <= index_date`.
        """
        today = self.today[rows]
        cell = self.subject[rows] * self.n_days + today - self.first_day + np.arange(-self.lookback, 0)[:, None]
        found = self.first_version[cell]
        last = self.last_version[cell]
        found[self.known_on[found] > today] = -1
        for _ in range(self.most_versions - 1):
            can_move = (found >= 0) & (found < last)
            later = found + can_move
            moves = can_move & (self.known_on[later] <= today)
            if not moves.any():
                break
            found = np.where(moves, later, found)
        seen: Places = found
        return seen

    def sheets(self, rows_at_once: int) -> list[Sheet]:
        """All index rows: those that see only newest versions together, the others in groups of `rows_at_once`."""
        alone = np.ones(len(self.today), dtype=bool)
        if len(self.today) * DAYS_PER_ROW >= len(self.subjects) * self.n_days:
            alone = self._sees_an_older_version()
        groups = np.flatnonzero(alone)
        sheets = [self.alone(groups[start : start + rows_at_once]) for start in range(0, len(groups), rows_at_once)]
        return sheets if alone.all() else [self._together(np.flatnonzero(~alone)), *sheets]

    def _sees_an_older_version(self) -> NDArray[np.bool_]:
        """Whether, at an index row, some version was not known yet that came later, or a restart."""
        changes = np.zeros((len(self.subjects), self.n_days + 2), dtype=np.int32)
        cell = np.flatnonzero(self.last_version >= 0)
        subject, day = cell // self.n_days, cell % self.n_days
        until = self.known_on[self.last_version[cell]] - self.first_day
        self._mark(changes, subject, day + 1, np.minimum(until, day + 1 + self.lookback))
        day, known = (self.restarts[name] - self.first_day for name in ("day", "known"))
        self._mark(changes, self.restarts["subject"], day + 1, known)
        unsettled: NDArray[np.bool_] = np.cumsum(changes, axis=1)[self.subject, self.today - self.first_day] > 0
        return unsettled

    def _mark(self, changes: NDArray[np.int32], subject: Places, first: Places, until: Places) -> None:
        last = changes.shape[1] - 1
        real = (until > first) & (first <= last)
        np.add.at(changes, (subject[real], np.maximum(first[real], 0)), 1)
        np.add.at(changes, (subject[real], np.clip(until[real], 0, last)), -1)

    def _together(self, rows: Places) -> Sheet:
        asked, series = np.unique(self.subject[rows], return_inverse=True)
        cell = asked * self.n_days + np.arange(self.n_days)[:, None]
        ends, end = np.unique(self.today[rows] - self.first_day, return_inverse=True)
        first_day = np.full(len(asked), self.first_day)
        begins = self._begins(asked, None, first_day, self.n_days)
        return Sheet(self.last_version[cell], rows, ends, end, series, asked, None, first_day, begins)

    def alone(self, rows: Places) -> Sheet:
        """Index rows each with a series of its own."""
        place, subject, today = np.arange(len(rows)), self.subject[rows], self.today[rows]
        begins = self._begins(subject, today, today - self.lookback, self.lookback)
        return Sheet(self.as_known(rows), rows, np.array([self.lookback]), np.zeros(len(rows), np.int64), place,
                     subject, today, today - self.lookback, begins)  # fmt: skip

    def _begins(
        self, subject: Places, today: Places | None, first_day: Places, n_days: int
    ) -> dict[tuple[str, str], Begins]:
        """Where the pasts of a sheet's series begin anew, by stream and measure; subjects rising."""
        found = {}
        for of_what, is_of in self.restarting.items():
            of = {name: values[is_of] for name, values in self.restarts.items()}
            first, last = (np.searchsorted(subject, of["subject"], side) for side in ("left", "right"))
            row = np.repeat(np.arange(len(first)), last - first)
            series = np.arange(len(row)) - np.repeat(np.cumsum(last - first) - last, last - first)
            day = of["day"][row] - first_day[series]
            counts = (day >= 0) & (day < n_days)
            if today is not None:
                counts &= of["known"][row] <= today[series]
            if counts.any():
                found[of_what] = Begins.at(day[counts], series[counts], (n_days, len(subject)))
        return found

    def column(self, name: str) -> Values:
        """A column's values by panel row, with one more at the end that stands for missing (row -1).

        Raises:
            FeaturesError: it holds infinite values.
        """
        if name not in self.columns:
            # Adding zero makes -0 the same as 0 for good.
            values = np.append(self.days.of(name), np.nan) + 0.0
            infinite = int(np.isinf(values).sum())
            if infinite:
                raise FeaturesError(
                    f"`days.{name}` has {infinite} infinite values. Make them missing, or mend their source."
                )
            self.columns[name] = values
        return self.columns[name]

    def pattern_values(self, sheet: Sheet, window: int, columns: tuple[str, ...], before: int = 0) -> Values:
        """What a pattern asks for of index rows that stand alone, of shape (n_rows, n_days, n_columns), oldest first.

        Args:
            sheet: the index rows.
            window: how many days.
            columns: what of each day.
            before: how many days lie between the window and the index date.
        """
        end = len(sheet.panel_rows) - before
        seen, rows = sheet.panel_rows[end - window : end], sheet.answers
        age = np.arange(window + before, before, -1)[:, None]
        made_up: dict[str, Callable[[], Values]] = {
            WEEKDAY: lambda: ((self.today[rows] - age + WEEKDAY_OF_DAY_ZERO) % 7).astype(float),
            HAS_DATA: lambda: np.where(age <= self.observable[rows], np.nan_to_num(self.column(HAS_DATA)[seen]), np.nan),
            SINCE_RECEIPT: lambda: np.where(seen >= 0, self.today[rows] - self.known_on[seen].astype(float), np.nan),
        }  # fmt: skip
        planes = [made_up[name]() if name in made_up else self.column(name)[seen] for name in columns]
        stacked: Values = np.ascontiguousarray(np.stack(planes, axis=2).transpose(1, 0, 2))
        return stacked
