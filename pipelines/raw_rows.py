"""SQL over raw tables: the rows in some of their files, those that were known at an instant, the latest version of each."""

from collections.abc import Collection, Iterable

import pandas as pd
import pyarrow as pa

from features.calendar import is_knowable_sql
from features.tables import ARROW_TYPES, TABLES, Table

# Families of raw tables: the rows, and the keys of rows that a later delivery said again.
RAW, REPEATS = "raw", "repeats"
FAMILIES = (RAW, REPEATS)
US_PER_DAY = 86_400_000_000
SQL_TYPES = {
    ARROW_TYPES["string"]: "VARCHAR", ARROW_TYPES["integer"]: "INTEGER", ARROW_TYPES["real"]: "DOUBLE",
    ARROW_TYPES["instant"]: "TIMESTAMPTZ", ARROW_TYPES["day"]: "DATE", ARROW_TYPES["flag"]: "BOOLEAN",
}  # fmt: skip


def scan_sql(table: str, files: Collection[str], family: str = RAW) -> str:
    """SQL of the rows in some files of a raw table."""
    schema = TABLES[table].arrow_schema()
    if family == REPEATS:
        schema = pa.schema([schema.field(name) for name in (*TABLES[table].key, "received_at", "ingest_id")])
    if not files:
        nothing = ", ".join(f"NULL::{SQL_TYPES[field.type]} AS {field.name}" for field in schema)
        return f"SELECT {nothing}, NULL::INTEGER AS bucket, NULL::VARCHAR AS month WHERE FALSE"
    columns = ", ".join([*schema.names, "bucket", "month"])
    return (
        f"SELECT {columns} FROM read_parquet({sql_list(files)}, union_by_name = true, "
        "hive_partitioning = true, hive_types = {'bucket': INTEGER, 'month': VARCHAR})"
    )


def known_sql(table: str, files: Collection[str], known_at: pd.Timestamp) -> str:
    """SQL of every version of every row in some files that had been received by an instant, deletions included."""
    instant = f"'{pd.Timestamp(known_at).isoformat()}'::TIMESTAMPTZ"
    return f"SELECT * FROM ({scan_sql(table, files)}) WHERE {is_knowable_sql(instant)}"


def latest_sql(table: str, known: str) -> str:
    """SQL of the latest version of each key among known rows (`known_sql`), without those taken back."""
    key, latest_first = ", ".join(TABLES[table].key), "received_at DESC, version DESC, ingest_id DESC"
    place = place_of(TABLES[table], "known")
    revised_in = ", ".join(f"{expression} AS {name}" for name, expression in place.items())
    is_in_it = " AND ".join(f"{expression} = revised.{name}" for name, expression in place.items())
    # Inlined, not a view: a second read at another instant must not change what this relation yields.
    return f"""
        WITH known AS NOT MATERIALIZED ({known}),
        revised AS MATERIALIZED (SELECT DISTINCT {revised_in} FROM known WHERE version > 0),
        latest AS (
            SELECT known.* FROM known SEMI JOIN revised ON {is_in_it}
            QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {latest_first}) = 1)
        SELECT known.* FROM known ANTI JOIN revised ON {is_in_it}
        UNION ALL SELECT * FROM latest WHERE NOT is_deleted"""


def place_of(table: Table, row: str) -> dict[str, str]:
    """Where all versions of a row's key stand together: in its subject-day; as SQL expressions by name.

    Where the time is not part of the key a correction can move it, and the key itself is the place.
    """
    if table.time not in table.key:
        return {name: f"{row}.{name}" for name in table.key}
    is_day = table.column(str(table.time)).kind == "day"
    day = f"{row}.{table.time}" if is_day else f"epoch_us({row}.{table.time}) // {US_PER_DAY}"
    return {"subject_id": f"{row}.subject_id", "day": day}


def sql_list(paths: Iterable[str]) -> str:
    """Paths of files as a SQL list."""
    return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"
