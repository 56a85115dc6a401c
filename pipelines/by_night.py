"""Derived tables that grow by a night at a time; the others are overwritten whole (`Lake.replace`)."""

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from pipelines.lake import DELTA, WRITER, Lake

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
    folder = str(lake.derived(name))
    files = DeltaTable(folder).file_uris() if DeltaTable.is_deltatable(folder) else []
    return connection.read_parquet(files, hive_partitioning=True) if files else None


def quoted(value: object) -> str:
    """A value as SQL and Delta's conditions write it."""
    return "'" + str(value).replace("'", "''") + "'"
