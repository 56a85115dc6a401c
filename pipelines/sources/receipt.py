"""What real cohorts do not tell: when a row came to be known, and what its wall clock was.

Assumption, for every published cohort: all rows of a local day were received at the next local midnight. It is the
earliest time at which a complete day can be known, and makes no use of a day before it is over.
"""

import pandas as pd


def received_next_midnight(local_day: pd.Series, zone: str) -> pd.Series:
    """The instant at which the civil day after `local_day` begins in `zone`."""
    midnight = pd.DatetimeIndex(local_day + pd.Timedelta(days=1))
    instants = midnight.tz_localize(zone, ambiguous=[True] * len(midnight), nonexistent="shift_forward").tz_convert(
        "UTC"
    )
    return pd.Series(instants.as_unit("us"), index=local_day.index)


def to_utc(local_time: pd.Series, zone: str) -> pd.Series:
    """Wall-clock times, naive, as instants; a time that occurs twice means the first."""
    times = pd.DatetimeIndex(local_time)
    instants = times.tz_localize(zone, ambiguous=[True] * len(times), nonexistent="shift_forward").tz_convert("UTC")
    return pd.Series(instants.as_unit("us"), index=local_time.index)


def offset_minutes(instants: pd.Series, zone: str) -> pd.Series:
    """Local time minus UTC, in minutes, of each instant in `zone`."""
    local = instants.dt.tz_convert(zone).dt.tz_localize(None)
    return (local - instants.dt.tz_localize(None)).dt.total_seconds().div(60)
