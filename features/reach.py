"""How far new rows reach beyond their own subject-day: to neighbouring days, and to flags of the days around them.

All else in the day panel is a matter of one subject-day. Whoever keeps a panel from night to night relies on what is
said here; a test holds it against panels that are built from scratch.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.calendar import day_number
from features.change_limits import (
    CLOCK_DAYS_AFTER,
    CLOCK_DAYS_BEFORE,
    LEVEL_DAYS_AFTER,
    LEVEL_DAYS_BEFORE,
    NEW_AFTER_DAYS,
    SLEEP_DAYS_AFTER,
    SLEEP_DAYS_BEFORE,
)
from features.days import Days
from features.flags import SLEEP_MEASURES, WATCHED, has_rhythm
from features.hours import HOUR_COLUMNS
from features.order import Numbers, Ordered, begins, ordered

# An hour is stuck beside one with the same value, over midnight too: a day's minutes decide on the days next to it.
NEIGHBOURS = {"wearable": 1}
# A flag rests on so many days with data from its own on, and before it. A move of the clock is not told of twice.
AFTER = max(CLOCK_DAYS_AFTER, LEVEL_DAYS_AFTER, SLEEP_DAYS_AFTER)
NEVER = np.int64(2**40)
BEFORE = max(2 * CLOCK_DAYS_BEFORE, LEVEL_DAYS_BEFORE, NEW_AFTER_DAYS, SLEEP_DAYS_BEFORE)


def flags_from(told: Days | Ordered, since: pd.Timestamp) -> pd.Series:
    """The first day of each subject whose flags what came after a night can change; later days' flags can change too.

    Nothing that was known by the night may have changed meanwhile.

    Args:
        told: what flags rest on, of the last months or of all time.
        since: the night; what has a later `known_on` is new.

    Returns:
        Days by subject, of those of whom anything is new; missing where `told` does not reach back far enough to give
        the flags from that day on.
    """
    rows = ordered(told) if isinstance(told, Days) else told
    night, every = int((since - pd.Timestamp(0)).days), list(_series(rows))
    from_day = _told_at_once(rows, night)
    for one in every:
        first = (
            np.minimum.reduceat(np.where(one.known > night, one.place, NEVER), one.starts)
            if len(one.starts)
            else one.starts
        )
        around = one.place >= np.repeat(first, np.diff(one.starts, append=len(one.place))) - AFTER
        np.minimum.at(from_day, one.subject[around], one.date[around])
    known_before = np.full(len(rows.names), BEFORE)
    for one in every:
        later = one.date >= from_day[one.subject]
        np.minimum.at(known_before, one.subject[later], one.place[later])
    is_new = from_day < NEVER
    days = pd.Series(from_day[is_new].astype("datetime64[D]").astype("datetime64[us]"), rows.names[is_new])
    return days.where(known_before[is_new] >= BEFORE)


def _told_at_once(rows: Ordered, night: int) -> Numbers:
    """By subject, the first day of flags that new offsets, and days of a clock that is ahead, can change."""
    first = np.full(len(rows.names), NEVER)
    for frame, days_after in ((rows.offsets, CLOCK_DAYS_AFTER), (rows.ahead, 0)):
        new = frame[day_number(frame["known_on"]) > night]
        np.minimum.at(first, new["subject_id"].to_numpy(), day_number(new["local_date"]) - days_after)
    return first


@dataclass(frozen=True)
class _Series:
    """Successive days that flags look along: of each its subject, place in the series, date and the date it was known on;
    and where each series starts."""

    subject: Numbers
    place: Numbers
    date: Numbers
    known: Numbers
    starts: Numbers

    @classmethod
    def of(cls, rows: pd.DataFrame, *more: str) -> "_Series":
        """Rows in order, a series for each subject and what `more` names."""
        subject = rows["subject_id"].to_numpy(dtype=np.int64)
        starts = np.flatnonzero(begins([subject, *(pd.factorize(rows[name])[0] for name in more)]))
        place = np.arange(len(rows)) - np.repeat(starts, np.diff(starts, append=len(rows)))
        return cls(subject, place, day_number(rows["local_date"]), day_number(rows["known_on"]), starts)


def _series(told: Ordered) -> Iterator[_Series]:
    """Every row of successive days that flags look along."""
    days, levels = told.panel, told.levels
    yield from (_Series.of(days[days[name] > 0]) for name in WATCHED if name in days)
    yield from (_Series.of(days[days[name].notna()]) for name in SLEEP_MEASURES if name in days)
    if HOUR_COLUMNS[0] in days:
        yield _Series.of(days[has_rhythm(days)])
    yield _Series.of(levels[levels["value"] > 0], "measure")
    yield _Series.of(told.origins, "stream")
