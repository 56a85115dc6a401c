"""How far new rows reach beyond their own subject-day: to neighbouring days, and to flags of the days around them.

All else in the day panel is a matter of one subject-day. Whoever keeps a panel from night to night relies on what is
said here; a test holds it against panels that are built from scratch.
"""

import pandas as pd

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
from features.flags import SLEEP_MEASURES, WATCHED, has_rhythm, in_order
from features.hours import HOUR_COLUMNS

# An hour is stuck beside one with the same value, over midnight too: a day's minutes decide on the days next to it.
NEIGHBOURS = {"wearable": 1}
# A flag rests on so many days with data from its own on, and before it. A move of the clock is not told of twice.
AFTER = max(CLOCK_DAYS_AFTER, LEVEL_DAYS_AFTER, SLEEP_DAYS_AFTER)
BEFORE = max(2 * CLOCK_DAYS_BEFORE, LEVEL_DAYS_BEFORE, NEW_AFTER_DAYS, SLEEP_DAYS_BEFORE)


def flags_from(told: Days, since: pd.Timestamp) -> pd.Series:
    """The first day of each subject whose flags what came after a night can change; later days' flags can change too.

    Nothing that was known by the night may have changed meanwhile.

    Args:
        told: what flags rest on, of the last months or of all time.
        since: the night; what has a later `known_on` is new.

    Returns:
        Days by subject, of those of whom anything is new; missing where `told` does not reach back far enough to give
        the flags from that day on.
    """
    rows = _series(told)
    groups = rows.groupby(["subject_id", "series"], sort=False)
    place = groups.cumcount()
    is_new = rows["known_on"] > since
    first = place.where(is_new).groupby([rows["subject_id"], rows["series"]]).transform("min")
    around = place >= first - AFTER
    from_day = rows[around].groupby("subject_id")["local_date"].min()
    from_day = pd.concat([from_day, *_told_at_once(told, since)]).groupby(level=0).min()
    later = rows["local_date"].to_numpy() >= from_day.reindex(rows["subject_id"]).to_numpy()
    known_before = place[later].groupby([rows["subject_id"], rows["series"]]).min().groupby("subject_id").min()
    given: pd.Series = from_day.where(known_before.reindex(from_day.index).fillna(BEFORE) >= BEFORE)
    return given


def _told_at_once(told: Days, since: pd.Timestamp) -> list[pd.Series]:
    """First days of flags that new offsets, and days of a clock that is ahead, can change."""
    offsets, ahead = (rows[rows["known_on"] > since] for rows in (told.offsets, told.ahead))
    moved = offsets.groupby("subject_id")["local_date"].min() - pd.Timedelta(days=CLOCK_DAYS_AFTER)
    return [moved, ahead.groupby("subject_id")["local_date"].min()]


def _series(told: Days) -> pd.DataFrame:
    """Every row of successive days that flags look along: `subject_id, series, local_date, known_on`, sorted."""
    days = in_order(told.panel)
    levels = in_order(told.levels, "measure")
    parts = [days[days[name] > 0].assign(series=f"level {name}") for name in WATCHED if name in days]
    parts += [days[days[name].notna()].assign(series=f"night {name}") for name in SLEEP_MEASURES if name in days]
    parts += [days[has_rhythm(days)].assign(series="rhythm")] if HOUR_COLUMNS[0] in days else []
    parts += [levels[levels["value"] > 0].assign(series=levels["measure"])]
    origins = in_order(told.origins, "stream")
    parts += [origins.assign(series="origin " + origins["stream"])]
    columns = ["subject_id", "series", "local_date", "known_on"]
    return pd.concat([part[columns] for part in parts]).sort_values(columns, ignore_index=True)
