"""Local days, cutoffs, and the one rule that keeps the future out.

The index date t has a cutoff instant c(t), by default 03:00 on the wall clock of the subject's site. A row may be
used for t if and only if it was received by c(t). `is_knowable` says so for an instant, in pandas and in SQL, and
`index_date_knowing` gives the first index date for which it is true. No other module compares `received_at`.

An outcome event belongs to the *risk day* r with c(r) <= occurred_at < c(r + 1), so that "before c(t)" is r < t and
"within H days from c(t)" is t <= r < t + H. Days are naive midnight `datetime64[us]`; instants are UTC.
"""

from datetime import time
from math import gcd

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DEFAULT_CUTOFF = time(3, 0)
DAY = pd.Timedelta(days=1)


def is_knowable(received_at: pd.Series, known_at: pd.Timestamp | pd.Series) -> pd.Series:
    """Whether each row had been received by `known_at`. Never true for a missing `received_at`."""
    return received_at <= known_at


def is_knowable_sql(known_at: str = "$known_at", received_at: str = "received_at") -> str:
    """`is_knowable` as a SQL condition over a column and a bound parameter or column."""
    return f"({received_at} <= {known_at})"


def is_known_on(known_on: pd.Series, index_date: pd.Timestamp | pd.Series) -> pd.Series:
    """`is_knowable` in whole index dates: whether a row first known on `known_on` may be used for `index_date`."""
    return known_on <= index_date


def is_known_on_sql(index_date: str, known_on: str = "known_on") -> str:
    """`is_known_on` as a SQL condition over a column and a day, given as a column or a literal."""
    return f"({known_on} <= {index_date})"


def cutoffs(dates: pd.DatetimeIndex, zone: str, cutoff: time = DEFAULT_CUTOFF) -> pd.DatetimeIndex:
    """The cutoff instant c(t), UTC, of each civil day in an IANA time zone.

    A wall-clock time that a DST change skips moves to the first instant that exists; one that occurs twice means
    the first, so that a cutoff never lets in an hour more than its wall clock says.
    """
    wall = dates + pd.Timedelta(hours=cutoff.hour, minutes=cutoff.minute)
    ambiguous = np.ones(len(wall), dtype=bool)
    instants = wall.tz_localize(zone, ambiguous=ambiguous, nonexistent="shift_forward").tz_convert("UTC")
    return instants.as_unit("us")


def cutoff_of(date: pd.Timestamp, zone: str, cutoff: time = DEFAULT_CUTOFF) -> pd.Timestamp:
    """c(t) of one civil day."""
    return cutoffs(pd.DatetimeIndex([date]), zone, cutoff)[0]


def day_number(dates: pd.Series) -> NDArray[np.int64]:
    """Civil days as days since 1970."""
    days: NDArray[np.int64] = dates.to_numpy().astype("datetime64[D]").astype(np.int64)
    return days


def _days_around(instants: pd.Series) -> pd.DatetimeIndex:
    """Every civil day that could hold any of the instants, with two days to spare for zones."""
    low, high = instants.min().tz_localize(None).normalize(), instants.max().tz_localize(None).normalize()
    return pd.date_range(low - 2 * DAY, high + 2 * DAY, freq="D", unit="us")


def receipt_bin_us(cutoff: time) -> int:
    """Microseconds of the bins in which receipts count alike: cutoffs lie on whole quarters of an hour, or as fine as declared."""
    return gcd(15, cutoff.minute or 15) * 60_000_000


def receipt_bin_sql(cutoff: time) -> str:
    """The number of a row's bin, rounded up, so that its end is by a cutoff if and only if the receipt is."""
    bin_us = receipt_bin_us(cutoff)
    return f"(epoch_us(received_at) + {bin_us - 1}) // {bin_us}"


def index_date_knowing(received_at: pd.Series, zone: str, cutoff: time = DEFAULT_CUTOFF) -> pd.Series:
    """The first index date t with received_at <= c(t), per row; missing where `received_at` is missing."""
    return _day_by_cutoff(received_at, zone, cutoff, side="left", shift=0)


def risk_day(occurred_at: pd.Series, zone: str, cutoff: time = DEFAULT_CUTOFF) -> pd.Series:
    """The day r with c(r) <= occurred_at < c(r + 1), per row; missing where `occurred_at` is missing."""
    return _day_by_cutoff(occurred_at, zone, cutoff, side="right", shift=-1)


def _day_by_cutoff(instants: pd.Series, zone: str, cutoff: time, side: str, shift: int) -> pd.Series:
    result = pd.Series(pd.NaT, index=instants.index, dtype="datetime64[us]")
    given = instants.dropna()
    if given.empty:
        return result
    days = _days_around(given)
    position = np.searchsorted(
        cutoffs(days, zone, cutoff).asi8,
        pd.DatetimeIndex(given).as_unit("us").asi8,
        side=side,  # type: ignore[call-overload]
    )
    result.loc[given.index] = days[position + shift]
    return result


def local_time(instants: pd.Series, utc_offset_min: pd.Series) -> pd.Series:
    """Wall-clock time where the subject was, naive, from UTC and the offset stored beside it."""
    offset = pd.to_timedelta(utc_offset_min, unit="min").astype("timedelta64[us]")
    local: pd.Series = instants.dt.tz_localize(None) + offset
    return local


def local_day(instants: pd.Series, utc_offset_min: pd.Series) -> pd.Series:
    """Civil day where the subject was, as naive midnight."""
    day: pd.Series = local_time(instants, utc_offset_min).dt.normalize()
    return day


def local_time_sql(instant: str, utc_offset_min: str = "utc_offset_min") -> str:
    """`local_time` in SQL: a naive TIMESTAMP, from microseconds so that no session time zone takes part."""
    return f"make_timestamp(epoch_us({instant}) + {utc_offset_min}::BIGINT * 60000000)"


def local_day_sql(instant: str, utc_offset_min: str = "utc_offset_min") -> str:
    """`local_day` in SQL: a DATE."""
    return f"CAST({local_time_sql(instant, utc_offset_min)} AS DATE)"
