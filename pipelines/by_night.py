"""Derived tables that grow by a night at a time; the others are overwritten whole (`Lake.replace`)."""

import duckdb
import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from pipelines.lake import DELTA, WRITER, Lake
from pipelines.raw_rows import sql_list

NIGHT = "as_of_date"


def put(lake: Lake, name: str, content: pa.Table, place: str) -> None:
    """Put rows in the place of those that a condition names, in one commit.

    Args:
        content: rows in the table's schema, with a column `as_of_date`; none only removes.
        place: a condition as Delta reads it, of rows that go.
    """
    folder = str(lake.derived(name))
    content = content.replace_schema_metadata(None)
    with lake.writing():
        # First of all a log: rows without one could be found by no erasure.
        table = DeltaTable.create(folder, content.schema, mode="ignore", partition_by=[NIGHT], configuration=DELTA)
        lake.check_turn()
        if content.num_rows:
            write_deltalake(table, content, mode="overwrite", predicate=place, writer_properties=WRITER)
        elif table.file_uris():
            table.delete(place)
        DeltaTable(folder).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)


def rows(lake: Lake, name: str, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation | None:
    """Every row of such a table; None if there is none."""
    found = files(lake, name)
    return connection.read_parquet(found, hive_partitioning=True) if found else None


def between(lake: Lake, name: str, schema: pa.Schema, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Rows of the nights from the first to the last, these included; other nights' files are not opened."""
    span = f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}"
    asked = [path for path in files(lake, name) if span[0] <= path.partition(f"/{NIGHT}=")[2][:10] <= span[1]]
    if not asked:
        return schema.empty_table().to_pandas().astype({NIGHT: "datetime64[us]"})
    columns = ", ".join(f'"{name}"' for name in schema.names)
    with lake.connection() as connection:
        scan = f"read_parquet({sql_list(asked)}, hive_partitioning = true, hive_types = {{'{NIGHT}': DATE}})"
        found = connection.sql(f"SELECT {columns} FROM {scan} ORDER BY {NIGHT}").df()
    return found.astype({NIGHT: "datetime64[us]"})


def files(lake: Lake, name: str) -> list[str]:
    """The files that hold a table's rows; none if there is none."""
    folder = str(lake.derived(name))
    return sorted(DeltaTable(folder).file_uris()) if DeltaTable.is_deltatable(folder) else []


def quoted(value: object) -> str:
    """A value as SQL and Delta's conditions write it."""
    return "'" + str(value).replace("'", "''") + "'"
