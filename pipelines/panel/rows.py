"""The raw rows that some subject-days need: from the files of their buckets and months, and no more than is near.

What a day needs is read by instants, with room for every offset from UTC there is, so that all versions of a row come
together: the offset is no part of a key. Sleep can be moved by a correction; all versions of such episodes are read.
"""

from collections.abc import Collection, Iterator, Mapping

import duckdb
import pandas as pd

from features import reach
from features.calendar import is_knowable_sql
from features.tables import TABLES
from pipelines import kept_hours
from pipelines.cohort import PANEL_STREAMS, Cohort
from pipelines.lake import Lake
from pipelines.panel.extent import Extent, months_of
from pipelines.panel.news import Files, place_in
from pipelines.panel.state import Held, bucket_in
from pipelines.raw_rows import RAW, scan_sql

# Instants are looked for by pieces of a day.
SLOT_H = 6
SLOTS = 24 // SLOT_H
# Of a local day and the hours beside it, at any offset from UTC (-12 h to +14 h): first and last slot from its midnight.
FIRST_SLOT, LAST_SLOT = -(15 // SLOT_H + 1), (24 + 13) // SLOT_H


def streams(
    lake: Lake, cohort: Cohort, extent: Extent, buckets: Collection[int], files: Files,
    connection: duckdb.DuckDBPyConnection,
) -> dict[str, duckdb.DuckDBPyRelation]:  # fmt: skip
    """All rows of each stream of the panel that the subject-days need, as known for the night; and some others.

    Args:
        extent: subject-days of the buckets.
        files: the raw tables' files.
    """
    everybody = not len(extent.days) and len(extent.whole) > 0 and _is_everybody(cohort, extent, buckets)
    connection.register("panel_whole", pd.DataFrame({"subject_id": pd.Series(sorted(extent.whole), dtype="str")}))
    connection.register("panel_days", extent.days)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE panel_slots AS
        SELECT DISTINCT subject_id, (local_date::DATE - DATE '1970-01-01') * {SLOTS} + step.step AS slot
        FROM panel_days, range({FIRST_SLOT}, {LAST_SLOT + 1}) AS step(step)""")
    return {
        table: connection.sql(f"""
            SELECT * FROM ({_stream_sql(lake, table, extent, buckets, files[table], everybody, connection)})
            WHERE {is_knowable_sql(f"'{cohort.known_at.isoformat()}'::TIMESTAMPTZ")}""")
        for table in PANEL_STREAMS
    }  # fmt: skip


def kept(
    lake: Lake, cohort: Cohort, extent: Extent, buckets: Collection[int], connection: duckdb.DuckDBPyConnection
) -> duckdb.DuckDBPyRelation | None:
    """What is kept of minutes of the subject-days that are no more; None where there can be nothing."""
    until = kept_hours.kept_from(lake)
    near = extent.days["local_date"] - pd.Timedelta(days=reach.NEIGHBOURS["wearable"])
    if until is None or not extent.whole and not (near <= pd.Timestamp(until)).any():
        return None
    rows = kept_hours.kept_hours(lake, cohort.as_of, f"bucket IN ({', '.join(map(str, buckets))})", connection)
    wide = [extent.days.assign(local_date=extent.days["local_date"] + pd.Timedelta(days=step)) for step in (-1, 0, 1)]
    connection.register("panel_kept_days", pd.concat(wide).drop_duplicates())
    return None if rows is None else rows.query("kept", """
        SELECT kept.* FROM kept SEMI JOIN panel_whole USING (subject_id) UNION ALL
        SELECT kept.* FROM kept SEMI JOIN panel_kept_days AS days
        ON kept.subject_id = days.subject_id AND kept.hour // 24 = days.local_date::DATE - DATE '1970-01-01'""")  # fmt: skip


def _is_everybody(cohort: Cohort, extent: Extent, buckets: Collection[int]) -> bool:
    return extent.whole.issuperset(Extent(frozenset(cohort.zones.index)).among(buckets).whole)


def _stream_sql(
    lake: Lake, table: str, extent: Extent, buckets: Collection[int], files: Mapping[str, Held], everybody: bool,
    connection: duckdb.DuckDBPyConnection,
) -> str:  # fmt: skip
    def scan(names: Collection[str]) -> str:
        return scan_sql(table, [str(lake.root / RAW / table / name) for name in names])

    held = [name for name in files if bucket_in(name) in buckets]
    # Strangers among them are left out later.
    whole = f"({scan(held)}) AS rows" + ("" if everybody else " SEMI JOIN panel_whole USING (subject_id)")
    parts = [f"SELECT rows.* FROM {whole}"] if extent.whole else []
    if len(extent.days):
        near = [_near_sql(table, scan(names), days) for names, days in _by_month(extent.days, held)]
        of_days = " UNION ALL ".join(near) if near else scan([])
        if TABLES[table].time not in TABLES[table].key:
            revised = scan([name for name in held if files[name].version > 0])
            of_days = _with_moved(table, of_days, scan(held), revised, connection)
        parts.append(of_days)
    return " UNION ALL ".join(parts) if parts else scan([])


def _by_month(days: pd.DataFrame, held: Collection[str]) -> Iterator[tuple[list[str], pd.Series]]:
    """Files of each month in which rows that the days need can be, with those days."""
    near = pd.concat(
        [days.assign(month=months_of(days["local_date"] + pd.Timedelta(days=step))) for step in (-1, 0, 1)]
    )
    for month, part in near.groupby("month"):
        names = [name for name in held if place_in(name)[1] == month]
        if names:
            yield names, part["local_date"]


def _near_sql(table: str, scan: str, dates: pd.Series) -> str:
    """Rows of the wanted days: the bounds, in literals, let whole files and row groups be passed over."""
    time = str(TABLES[table].time)
    if TABLES[table].column(time).kind == "day":
        return f"""
            SELECT rows.* FROM ({scan}) AS rows
            SEMI JOIN panel_days AS days ON rows.subject_id = days.subject_id AND rows.{time} = days.local_date::DATE
            WHERE rows.{time} BETWEEN DATE '{dates.min():%Y-%m-%d}' AND DATE '{dates.max():%Y-%m-%d}'"""
    low, high = dates.min() - pd.Timedelta(days=1), dates.max() + pd.Timedelta(days=2)
    return f"""
        SELECT rows.* FROM ({scan}) AS rows SEMI JOIN panel_slots AS slots
        ON rows.subject_id = slots.subject_id AND epoch_us(rows.{time}) // {SLOT_H * 3_600_000_000} = slots.slot
        WHERE rows.{time} >= TIMESTAMPTZ '{low:%Y-%m-%d}T00:00Z' AND rows.{time} < TIMESTAMPTZ '{high:%Y-%m-%d}T00:00Z'"""


def _with_moved(table: str, near: str, everywhere: str, revised: str, connection: duckdb.DuckDBPyConnection) -> str:
    """Near rows, and all versions of those that a correction may have moved away or hither."""
    key = ", ".join(TABLES[table].key)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE panel_near AS {near}")
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE panel_moved AS
        SELECT DISTINCT {key} FROM ({revised}) AS rows SEMI JOIN panel_near USING ({key}) WHERE rows.version > 0""")
    (moved,) = connection.sql("SELECT count(*) FROM panel_moved").fetchall()[0]
    if not moved:
        return "SELECT * FROM panel_near"
    return f"""
        SELECT near.* FROM panel_near AS near ANTI JOIN panel_moved USING ({key}) UNION ALL
        SELECT rows.* FROM ({everywhere}) AS rows SEMI JOIN panel_moved USING ({key})"""
