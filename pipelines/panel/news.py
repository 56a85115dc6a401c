"""What is new since the stored panel, and which subject-days it concerns.

New are rows in files that the panel does not rest on, and rows that came to be known after its night. A row concerns
its own local day; a version of a row also the days of all other versions, for a correction can move it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import duckdb
import pandas as pd

from features import calendar, reach
from features.calendar import is_knowable_sql, is_known_on_sql, local_day_sql
from features.tables import TABLES
from features.versions import with_known_on
from pipelines import kept_hours
from pipelines.cohort import PANEL_STREAMS, Cohort
from pipelines.lake import Lake, bucket_of
from pipelines.panel.extent import DAY_KEY, NO_DAYS, Extent
from pipelines.panel.state import Held, State, bucket_in
from pipelines.raw_rows import RAW, scan_sql

Files = Mapping[str, Mapping[str, Held]]


@dataclass(frozen=True)
class News:
    """What is to be computed anew, and subjects who are known no longer."""

    extent: Extent
    gone: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.extent) or bool(self.gone)


def everything(cohort: Cohort) -> News:
    """Where nothing is stored."""
    return News(Extent(frozenset(cohort.zones.index)), frozenset())


def find(
    lake: Lake, cohort: Cohort, state: State, zones: pd.Series, files: Files, kept: Mapping[str, int],
    connection: duckdb.DuckDBPyConnection,
) -> News:  # fmt: skip
    """What of the cohort's night the stored panel does not tell, or not rightly.

    Args:
        zones: the zone of each subject in the stored panel.
        files: the raw tables' files as they are now.
        kept: the newest `known_on` in each file of kept hours, as days since 1970.
    """
    untrusted = set(state.untrusted)
    for table in PANEL_STREAMS:
        untrusted |= {bucket_in(name) for name in state.raw.get(table, {}) if name not in files[table]}
    stands = zones.reindex(cohort.zones.index) == cohort.zones
    whole = frozenset(name for name, is_same in stands.items() if not is_same or bucket_of(str(name)) in untrusted)
    days = [_around(_touched(lake, table, cohort, state, files[table], connection), reach.NEIGHBOURS.get(table, 0))
            for table in PANEL_STREAMS]  # fmt: skip
    if max(kept.values(), default=0) > (state.as_of - pd.Timestamp(0)).days:
        days.append(_around(_kept(lake, cohort, state, connection), reach.NEIGHBOURS["wearable"]))
    touched = pd.concat(days).drop_duplicates(ignore_index=True)
    gone = frozenset(zones.index.difference(cohort.zones.index))
    return News(Extent(whole, touched[~touched["subject_id"].isin(whole)].reset_index(drop=True)), gone)


def _around(days: pd.DataFrame, neighbours: int) -> pd.DataFrame:
    """Days with their neighbours."""
    shifts = [pd.Timedelta(days=step) for step in range(-neighbours, neighbours + 1)]
    return pd.concat([days.assign(local_date=days["local_date"] + shift) for shift in shifts], ignore_index=True)


def _touched(
    lake: Lake, table: str, cohort: Cohort, state: State, files: Mapping[str, Held], connection: duckdb.DuckDBPyConnection
) -> pd.DataFrame:  # fmt: skip
    """Subject-days of a stream that new rows are about."""
    cutoffs = [calendar.cutoff_of(state.as_of, zone, cohort.cutoff) for zone in sorted(cohort.zones.unique())]
    known = state.raw.get(table, {})
    added = [name for name in files if name not in known]
    pending = [name for name, held in files.items()
               if cohort.as_of > state.as_of and name in known and held.received_at > min(cutoffs).value // 1000]  # fmt: skip
    if not added and not pending:
        return NO_DAYS
    folder = lake.root / RAW / table
    parts = [f"SELECT *, {is_added} AS is_added FROM ({scan_sql(table, [str(folder / name) for name in names])})"
             for is_added, names in (("TRUE", added), ("FALSE", pending)) if names]  # fmt: skip
    known_at = f"'{cohort.known_at.isoformat()}'::TIMESTAMPTZ"
    earliest = f"'{min(cutoffs).isoformat()}'::TIMESTAMPTZ"
    connection.execute(f"""
        CREATE OR REPLACE TEMP VIEW panel_fresh AS
        SELECT *, {_day_sql(table)} AS local_date FROM ({" UNION ALL ".join(parts)})
        WHERE {is_knowable_sql(known_at)} AND (is_added OR NOT {is_knowable_sql(earliest)})""")
    days = _in_days(_known_new(cohort, state, "subject_id, local_date", "TRUE", connection))
    key = ", ".join(TABLES[table].key)
    again = _known_new(cohort, state, f"{key}, bucket, month", "version > 0", connection)
    if len(again):
        days = pd.concat([days, _days_of(lake, table, again, files, connection)])
    return days.drop_duplicates(ignore_index=True)


def _known_new(
    cohort: Cohort, state: State, columns: str, where: str, connection: duckdb.DuckDBPyConnection
) -> pd.DataFrame:
    """Some columns of fresh rows that the cohort's night knows and the stored panel does not."""
    rows = connection.sql(f"SELECT DISTINCT {columns}, received_at, is_added FROM panel_fresh WHERE {where}")
    dated = with_known_on(connection, "panel_fresh", rows, cohort.zones, cohort.cutoff, cohort.as_of)
    is_told = is_known_on_sql(f"DATE '{state.night}'")
    return dated.filter(f"is_added OR NOT {is_told}").project(columns).distinct().df()


def _days_of(
    lake: Lake, table: str, keys: pd.DataFrame, files: Collection[str], connection: duckdb.DuckDBPyConnection
) -> pd.DataFrame:
    """Subject-days of every version of some keys."""
    key, is_timed = TABLES[table].key, TABLES[table].time in TABLES[table].key
    places, buckets = set(zip(keys["bucket"], keys["month"], strict=True)), set(keys["bucket"])
    held = [name for name in files if bucket_in(name) in buckets and (not is_timed or place_in(name) in places)]
    connection.register("panel_keys", keys[list(key)].drop_duplicates())
    scan = scan_sql(table, [str(lake.root / RAW / table / name) for name in held])
    rows = connection.sql(f"""
        SELECT DISTINCT rows.subject_id, {_day_sql(table)} AS local_date FROM ({scan}) AS rows
        SEMI JOIN panel_keys USING ({", ".join(key)})""")
    return _in_days(rows.df())


def place_in(name: str) -> tuple[int, str]:
    """The bucket and month of a file, from its place."""
    return bucket_in(name), name.partition("month=")[2].partition("/")[0]


def _kept(lake: Lake, cohort: Cohort, state: State, connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Subject-days of kept hours that came to be known after the stored night; retention itself is no news."""
    rows = kept_hours.kept_hours(lake, cohort.as_of, "TRUE", connection)
    if rows is None:
        return NO_DAYS
    was_known = is_known_on_sql(f"DATE '{state.night}'")
    days = "subject_id, DATE '1970-01-01' + (hour // 24)::INTEGER AS local_date"
    found = rows.filter(f"NOT ({was_known})").project(days).distinct().df()
    return _in_days(found[found["subject_id"].isin(cohort.zones.index)])


def _day_sql(table: str) -> str:
    time = str(TABLES[table].time)
    return time if time == "local_date" else local_day_sql(time)


def _in_days(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[DAY_KEY].astype({"subject_id": "str", "local_date": "datetime64[us]"}).reset_index(drop=True)
