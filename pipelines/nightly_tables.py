"""Derived tables that grow by a night at a time, beside those that are overwritten whole."""

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from pipelines.lake import DELTA, WRITER, Lake, sql_list

# Every such table has it, and is kept in parts by it.
NIGHT = "as_of_date"


def put(lake: Lake, name: str, schema: pa.Schema, rows: pd.DataFrame, place: str) -> None:
    """Put rows in the place of those of before, in one commit; what is replaced leaves no byte behind.

    Args:
        schema: with `as_of_date`.
        rows: with the schema's columns; none changes nothing.
        place: SQL of what they are put in the place of; the rows keep it themselves.
    """
    if rows.empty:
        return
    content = pa.Table.from_pandas(rows, schema, preserve_index=False).replace_schema_metadata(None)
    folder = str(lake.derived(name))
    with lake.writing():
        # First of all a log: rows without one could be found by no erasure.
        DeltaTable.create(folder, schema, mode="ignore", partition_by=[NIGHT], configuration=DELTA)
        write_deltalake(folder, content, mode="overwrite", predicate=place, writer_properties=WRITER)
        _sweep(folder)


def forget(lake: Lake, name: str, before: pd.Timestamp) -> None:
    """Take out the nights before one, whole and for good."""
    folder = str(lake.derived(name))
    if not files(lake, name) or first_night(lake, name) >= before:
        return
    with lake.writing():
        DeltaTable(folder).delete(f"{NIGHT} < '{before:%Y-%m-%d}'")
        _sweep(folder)


def files(lake: Lake, name: str) -> list[str]:
    """The files that hold its rows; none if nothing was ever put there."""
    folder = str(lake.derived(name))
    return sorted(DeltaTable(folder).file_uris()) if DeltaTable.is_deltatable(folder) else []


def first_night(lake: Lake, name: str) -> pd.Timestamp:
    """The earliest night of a table that holds any."""
    return pd.Timestamp(min(map(_night, files(lake, name))))


def between(lake: Lake, name: str, schema: pa.Schema, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """Rows of the nights from the first to the last, these included; without any, an empty frame of the same columns."""
    asked = [path for path in files(lake, name) if f"{first:%Y-%m-%d}" <= _night(path) <= f"{last:%Y-%m-%d}"]
    if not asked:
        return schema.empty_table().to_pandas().astype({NIGHT: "datetime64[us]"})
    with lake.connection() as connection:
        scan = f"read_parquet({sql_list(asked)}, hive_partitioning = true, hive_types = {{'{NIGHT}': DATE}})"
        found = connection.sql(f"SELECT {_listed(schema.names)} FROM {scan} ORDER BY {NIGHT}").df()
    return found.astype({NIGHT: "datetime64[us]"})


def _night(path: str) -> str:
    return path.partition(f"{NIGHT}=")[2].partition("/")[0]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _sweep(folder: str) -> None:
    DeltaTable(folder).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
