"""Erases rows from the lake's Delta tables so that no byte of them is left: no old file, no log entry, no leftover.

Deleting alone is not enough: the former files stay for time travel, and the predicate, with the id in it, stands in
the log. Whoever calls holds the lake's lock, for what is done here breaks readers of earlier versions.
"""

import shutil
from collections.abc import Collection
from pathlib import Path

import duckdb
import pandas as pd
from deltalake import DeltaTable, write_deltalake

from pipelines.lake import DELTA, WRITER, Lake

DERIVED = "derived"


def delta_tables(lake: Lake) -> list[Path]:
    """Folders of all Delta tables of the lake, whoever made them."""
    found = [*lake.root.glob("*/_delta_log"), *lake.root.glob("*/*/_delta_log")]
    return sorted(log.parent for log in found)


def columns_of(table: Path) -> list[str]:
    """Names of a table's columns."""
    return [field.name for field in DeltaTable(str(table)).schema().fields]


def distinct_subjects(files: Collection[str], connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Whom the rows of Parquet files are about."""
    if not files:
        return set()
    rows = connection.sql(f"SELECT DISTINCT subject_id FROM {_scan(files)} WHERE subject_id IS NOT NULL")
    return {name for (name,) in rows.fetchall()}


def first_received(lake: Lake, ids: Collection[str], connection: duckdb.DuckDBPyConnection) -> pd.Timestamp | None:
    """When the first row of the subjects came to be known; none if there is none in a raw table."""
    instants = []
    for table in delta_tables(lake):
        files = DeltaTable(str(table)).file_uris()
        if files and {"subject_id", "received_at"} <= set(columns_of(table)):
            rows = connection.sql(
                f"SELECT epoch_us(min(received_at)) FROM {_scan(files)} WHERE subject_id IN {_among(ids)}"
            )
            instants.extend(instant for (instant,) in rows.fetchall() if instant is not None)
    return pd.Timestamp(min(instants), unit="us", tz="UTC") if instants else None


def erase_subjects(lake: Lake, ids: Collection[str], connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Delete the subjects' rows from every table that has any; how many rows went, by table."""
    counts = {}
    for table in delta_tables(lake):
        files = DeltaTable(str(table)).file_uris()
        if not files or "subject_id" not in columns_of(table):
            continue
        ((rows,),) = connection.sql(f"SELECT count(*) FROM {_scan(files)} WHERE subject_id IN {_among(ids)}").fetchall()
        if rows:
            counts[table.relative_to(lake.root).as_posix()] = rows
            _delete_subjects(table, files, ids, connection)
    return counts


def _delete_subjects(
    table: Path, files: Collection[str], ids: Collection[str], connection: duckdb.DuckDBPyConnection
) -> None:
    if table.parent.name != DERIVED:
        DeltaTable(str(table)).delete(f"subject_id IN {_among(ids)}", writer_properties=WRITER)
        return
    # Rows of derived tables stand in the order in which they were stored, and some are matched by it.
    connection.execute("SET preserve_insertion_order = true")
    left = connection.sql(
        f"SELECT * FROM {_scan(sorted(files))} WHERE subject_id IS NULL OR subject_id NOT IN {_among(ids)}"
    ).to_arrow_table()
    table.with_suffix(".version").unlink(missing_ok=True)
    write_deltalake(
        str(table), left, mode="overwrite", schema_mode="overwrite", configuration=DELTA, writer_properties=WRITER
    )


def scrub(table: Path) -> None:
    """Remove every file and log entry of a Delta table but those of its newest version; safe to repeat."""
    # A commit of its own, so that the one with the predicate is never the last, which would be kept.
    properties = {key: value for key, value in DELTA.items() if key.endswith("RetentionDuration")}
    DeltaTable(str(table)).alter.set_table_properties(properties)
    DeltaTable(str(table)).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
    DeltaTable(str(table)).create_checkpoint()
    DeltaTable(str(table)).cleanup_metadata()
    # What killed writers left and Delta does not call a file of its own.
    for stray in [*table.glob("_delta_log/.tmp*"), *table.rglob("*.parquet#*")]:
        stray.unlink()


def remove_leftovers(lake: Lake) -> None:
    """Remove what killed commands left beside the tables: staged rows, and what DuckDB spilled."""
    for folder in [lake.root / "staging", *lake.root.glob("spill-*")]:
        shutil.rmtree(folder, ignore_errors=True)


def _scan(files: Collection[str]) -> str:
    listed = ", ".join(_quoted(path) for path in files)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"


def _among(ids: Collection[str]) -> str:
    return f"({', '.join(_quoted(name) for name in sorted(ids))})" if ids else "(NULL)"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
