"""Which incoming rows say something new, and which version of their key they are.

A row that says the same as the version received before it is not added; one that says something else is the next
version. Only *places* where a key can meet itself are compared: a place is a subject-day where the event time is part
of the key, and the whole subject elsewhere, since a corrected sleep episode may have moved to another day.
"""

from collections.abc import Iterator

import duckdb
import pyarrow as pa

from features.tables import Table
from pipelines.lake import BUCKETS, Lake

ROWS_AT_ONCE = 1_000_000
ROWS_PER_BATCH = 200_000


def new_rows(lake: Lake, connection: duckdb.DuckDBPyConnection, table: Table) -> Iterator[pa.RecordBatch]:
    """Rows of the view `clean` that are news, versions numbered, in storage order: bucket, month, subject, time."""
    # Opened once, before the writer asks for rows: the Delta package panics when a table is opened while it writes.
    lake.rows(table.name, connection).create_view("stored", replace=True)
    (rows,) = connection.sql("SELECT count(*) FROM clean").fetchall()[0]
    for portion in ["TRUE"] if rows <= ROWS_AT_ONCE else [f"bucket = {bucket}" for bucket in range(BUCKETS)]:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT *, {_place(table)} AS place FROM clean WHERE {portion}"
        )
        _find_meetings(connection, table)
        yield from connection.sql(_news_sql(table)).to_arrow_reader(ROWS_PER_BATCH)


def _place(table: Table) -> str:
    return f"CAST({table.time} AS DATE)" if _has_time_in_key(table) else "DATE '1970-01-01'"


def _has_time_in_key(table: Table) -> bool:
    return table.time in table.key


def _find_meetings(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Make the table `meetings` of places where keys may meet, and `earlier` of what the lake holds there."""
    # Within a subject-day the minute alone decides in most tables, and is quicker to count than the whole key.
    known = f"CAST({table.time} AS TIMESTAMP)" if table.name == "wearable" else f"({', '.join(table.key)})"
    names = ", ".join(table.arrow_schema().names)
    partitions = _partitions(connection, table)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE places AS
        SELECT subject_id, place, count(*) > count(DISTINCT {known}) AS is_meeting FROM fresh GROUP BY ALL;
        CREATE OR REPLACE TEMP TABLE earlier AS
        SELECT s.* FROM (SELECT {names}, bucket, month, {_place(table)} AS place FROM stored WHERE {partitions}) s
        SEMI JOIN places USING (subject_id, place);
        CREATE OR REPLACE TEMP TABLE meetings AS
        SELECT subject_id, place FROM places WHERE is_meeting UNION SELECT subject_id, place FROM earlier""")


def _partitions(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    """A condition in literals, so that only the files of partitions with incoming rows are read."""
    found = connection.sql("SELECT DISTINCT bucket, month FROM fresh ORDER BY ALL").fetchall()
    buckets = ", ".join(str(bucket) for bucket in sorted({bucket for bucket, _ in found}))
    months = ", ".join(f"'{month}'" for month in sorted({month for _, month in found}))
    if not found:
        return "FALSE"
    return f"bucket IN ({buckets})" + (f" AND month IN ({months})" if _has_time_in_key(table) else "")


def _news_sql(table: Table) -> str:
    names, key = ", ".join(table.arrow_schema().names), ", ".join(table.key)
    said = ", ".join([*(c for c in table.column_names if c not in table.key), "is_deleted"])
    order = ", ".join(["bucket", "month", "subject_id", *([table.time] if table.time else [])])
    return f"""
        WITH candidates AS (
            SELECT {names}, bucket, month, TRUE AS is_stored FROM earlier
            UNION ALL SELECT {names}, bucket, month, FALSE FROM fresh SEMI JOIN meetings USING (subject_id, place)),
        compared AS (
            SELECT *, lag(row({said})) OVER in_turn AS said_before,
                   max(version) FILTER (is_stored) OVER of_key AS last_version
            FROM candidates
            WINDOW of_key AS (PARTITION BY {key}),
                   in_turn AS (PARTITION BY {key} ORDER BY received_at, is_stored DESC, version, {said})),
        news AS (SELECT * FROM compared WHERE NOT is_stored AND row({said}) IS DISTINCT FROM said_before),
        numbered AS (
            SELECT * REPLACE (CAST(coalesce(last_version, -1) + row_number() OVER (
                PARTITION BY {key} ORDER BY received_at, version, {said}) AS INTEGER) AS version)
            FROM news)
        SELECT * FROM (
            SELECT * REPLACE (0::INTEGER AS version)
            FROM (SELECT {names}, bucket, month FROM fresh ANTI JOIN meetings USING (subject_id, place))
            UNION ALL SELECT {names}, bucket, month FROM numbered)
        ORDER BY {order}"""
