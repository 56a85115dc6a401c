"""Which incoming rows say something new, and which version of their key they are.

A row that says the same as the version received before it is not added; one that says something else is the next
version. Only keys that meet themselves, among the incoming rows or in the lake, are compared.
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
        connection.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM clean WHERE {portion}")
        _find_meetings(connection, table)
        yield from connection.sql(_news_sql(table)).to_arrow_reader(ROWS_PER_BATCH)


def _find_meetings(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Make the table `earlier` of what the lake holds under incoming keys, and `meetings` of keys to be compared."""
    key, names = ", ".join(table.key), ", ".join(table.arrow_schema().names)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE earlier AS
        SELECT {names}, bucket, month FROM stored SEMI JOIN fresh USING ({key}) WHERE {_partitions(connection, table)};
        CREATE OR REPLACE TEMP TABLE meetings AS
        SELECT {key} FROM fresh GROUP BY ALL HAVING count(*) > 1 UNION SELECT {key} FROM earlier""")


def _partitions(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    """A condition in literals, so that only files of partitions with incoming rows are read.

    Where the time is not part of the key, a correction may have moved its row to another month.
    """
    found = connection.sql("SELECT DISTINCT bucket, month FROM fresh ORDER BY ALL").fetchall()
    if not found:
        return "FALSE"
    buckets = ", ".join(str(bucket) for bucket in sorted({bucket for bucket, _ in found}))
    months = ", ".join(f"'{month}'" for month in sorted({month for _, month in found}))
    return f"bucket IN ({buckets})" + (f" AND month IN ({months})" if table.time in table.key else "")


def _news_sql(table: Table) -> str:
    names, key = ", ".join(table.arrow_schema().names), ", ".join(table.key)
    said = ", ".join([*(c for c in table.column_names if c not in table.key), "is_deleted"])
    order = ", ".join(["bucket", "month", "subject_id", *([table.time] if table.time else [])])
    return f"""
        WITH candidates AS (
            SELECT {names}, bucket, month, TRUE AS is_stored FROM earlier
            UNION ALL SELECT {names}, bucket, month, FALSE FROM fresh SEMI JOIN meetings USING ({key})),
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
            FROM (SELECT {names}, bucket, month FROM fresh ANTI JOIN meetings USING ({key}))
            UNION ALL SELECT {names}, bucket, month FROM numbered)
        ORDER BY {order}"""
