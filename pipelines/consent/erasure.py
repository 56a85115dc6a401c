"""Erases rows from the lake's Delta tables so that no byte of them is left: no old file, no log entry, no leftover.

Deleting alone is not enough: the former files stay for time travel. Whoever calls holds the lake's lock, for what is
done here breaks readers of earlier versions.
"""

import json
import shutil
import uuid
from collections.abc import Callable, Collection
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.transaction import AddAction, RemoveAction

from pipelines.lake import DELTA, Lake, bucket_of
from pipelines.panel import state


def delta_tables(lake: Lake) -> list[Path]:
    """Folders of all Delta tables of the lake, whoever made them."""
    found = [*lake.root.glob("*/_delta_log"), *lake.root.glob("*/*/_delta_log")]
    return sorted(log.parent for log in found)


def columns_of(table: Path) -> list[str]:
    """Names of a table's columns."""
    return [field.name for field in DeltaTable(str(table)).schema().fields]


def _files_about(table: Path, ids: Collection[str]) -> list[str]:
    """A table's files that can hold rows of the subjects: of their buckets, where it is kept in buckets."""
    buckets = tuple(f"/bucket={bucket_of(name)}/" for name in ids)
    files = sorted(DeltaTable(str(table)).file_uris())
    return [path for path in files if "/bucket=" not in path or any(bucket in path for bucket in buckets)]


def distinct_subjects(files: Collection[str], connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Whom the rows of Parquet files are about."""
    if not files:
        return set()
    rows = connection.sql(f"SELECT DISTINCT subject_id FROM {_scan(files)} WHERE subject_id IS NOT NULL")
    return {name for (name,) in rows.fetchall()}


def first_received(lake: Lake, ids: Collection[str], connection: duckdb.DuckDBPyConnection) -> dict[str, pd.Timestamp]:
    """When the first row of each subject came to be known, of those with a row that was received."""
    first: dict[str, pd.Timestamp] = {}
    for table in delta_tables(lake):
        files = _files_about(table, ids)
        if files and {"subject_id", "received_at"} <= set(columns_of(table)):
            rows = connection.sql(f"""
                SELECT subject_id, epoch_us(min(received_at)) FROM {_scan(files)}
                WHERE subject_id IN {_among(ids)} GROUP BY subject_id""")
            for name, instant in rows.fetchall():
                found = pd.Timestamp(instant, unit="us", tz="UTC")
                first[name] = min(found, first.get(name, found))
    return first


def erase_subjects(lake: Lake, ids: Collection[str], connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Take the subjects' rows out of every table that has any; how many rows went, by table."""
    counts = {}
    for table in delta_tables(lake):
        files = _files_about(table, ids)
        if files and "subject_id" in columns_of(table):
            found = connection.sql(
                f"SELECT filename, count(*) FROM {_scan(files)} WHERE subject_id IN {_among(ids)} GROUP BY filename"
            ).fetchall()
            counts[table.relative_to(lake.root).as_posix()] = sum(rows for _, rows in found)
            rewrite_without(table, [Path(path) for path, _ in found], is_about(ids))
    return {name: rows for name, rows in counts.items() if rows}


def is_about(ids: Collection[str]) -> Callable[[pa.Table], pa.ChunkedArray]:
    """Which rows are about the subjects."""
    sought = pa.array(sorted(ids), pa.string())
    return lambda rows: pc.is_in(rows["subject_id"].cast(pa.string()), value_set=sought)


def rewrite_without(table: Path, files: Collection[Path], is_gone: Callable[[pa.Table], pa.ChunkedArray]) -> int:
    """Put files of a Delta table anew without some of their rows, as `rewrite` does; how many rows went."""

    def left(rows: pa.Table) -> pa.Table | None:
        kept = rows.filter(pc.invert(pc.fill_null(is_gone(rows), False)))
        return kept if kept.num_rows < rows.num_rows else None

    return rewrite(table, files, left)


def rewrite(table: Path, files: Collection[Path], change: Callable[[pa.Table], pa.Table | None]) -> int:
    """Put files of a Delta table anew with their rows changed, in one commit that says nothing of them.

    Delta's own deletion would write the predicate, and with it the id, into the log. Rows keep their order and their
    layout, which readers rely on. A file for whose rows `change` gives None stays. Returns how many rows went.
    """
    actions: list[AddAction | RemoveAction] = []
    replaced: dict[str, str | None] = {}
    removed = 0
    for path in sorted(files):
        rows = pq.ParquetFile(path).read()
        left = change(rows)
        if left is None:
            continue
        removed += rows.num_rows - left.num_rows
        parts = (part.partition("=") for part in path.relative_to(table).parts[:-1])
        values: dict[str, str | None] = {name: value for name, _, value in parts}
        # Removed long ago, as far as any retention is concerned.
        former = path.relative_to(table).as_posix()
        actions.append(RemoveAction(former, True, 0, path.stat().st_size, values))
        written = _written(table, path, left, values) if left.num_rows else None
        actions += [written] if written else []
        replaced[former] = written.path if written else None
    if actions:
        delta = DeltaTable(str(table))
        delta.create_write_transaction(actions, "append", delta.schema(), delta.metadata().partition_columns)
        state.follow(table, replaced)
    return removed


def _written(table: Path, former: Path, rows: pa.Table, values: dict[str, str | None]) -> AddAction:
    """Write rows beside the file they come from, laid out as it is; the name sorts where the former one did."""
    path = former.with_name(f"{former.stem}-{uuid.uuid4().hex[:8]}.parquet")
    written = pq.ParquetFile(former).metadata
    columns = [written.row_group(0).column(at) for at in range(written.num_columns)]
    packed = [column.path_in_schema for column in columns if "DELTA_BINARY_PACKED" in column.encodings]
    pq.write_table(
        rows, path, compression=columns[0].compression, row_group_size=written.row_group(0).num_rows,
        store_schema=b"ARROW:schema" in (written.metadata or {}),
        use_dictionary=[name for name in rows.column_names if name not in packed],
        column_encoding=dict.fromkeys(packed, "DELTA_BINARY_PACKED"),
        write_statistics=[column.path_in_schema for column in columns if column.is_stats_set], write_page_checksum=True,
    )  # fmt: skip
    stats = json.dumps({"numRecords": rows.num_rows})
    return AddAction(path.relative_to(table).as_posix(), path.stat().st_size, values, 0, True, stats)


def scrub(table: Path) -> None:
    """Remove every file and log entry of a Delta table but those of its newest version; safe to repeat."""
    # A commit of its own: the last one is kept, and that of a deletion elsewhere may hold what it was about.
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
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false, filename = true)"


def _among(ids: Collection[str]) -> str:
    return f"({', '.join(_quoted(name) for name in sorted(ids))})" if ids else "(NULL)"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
