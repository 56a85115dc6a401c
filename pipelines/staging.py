"""Batches as typed, checked rows beside the lake: what an intake does before it touches anything that counts."""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.tables import TABLES, Table
from pipelines.errors import Refused
from pipelines.lake import bucket_of
from pipelines.rules import rules
from pipelines.sources.batch import Batch

# What a source need not say. `received_at` is not among them: without it nobody knows what was knowable.
UNSAID = {"source": "unnamed", "device_id": "", "is_deleted": False, "utc_offset_min": 0, "version": 0}
ROWS_PER_GROUP = 100_000
INT32 = np.iinfo(np.int32)


@dataclass
class Staging:
    """A folder with one Parquet file per batch; each row carries the rule it broke, if any, and where it stood."""

    folder: Path
    ingest_id: str
    received_at: pd.Timestamp | None
    newest: pd.Timestamp | None = None
    batches: int = 0

    def of(self, table: str) -> Path:
        """Where the batches of one table are."""
        return self.folder / table

    def add(self, connection: duckdb.DuckDBPyConnection, batch: Batch) -> int:
        """Check and write one batch; the number of its rows.

        Raises:
            Refused: see `typed_rows`.
        """
        rows = typed_rows(batch, self.ingest_id, self.received_at)
        table = TABLES[batch.table]
        self.of(table.name).mkdir(parents=True, exist_ok=True)
        staged = (
            rows.append_column("bucket", _buckets(rows))
            .append_column("month", _months(rows, table))
            .append_column("rule", _broken_rules(connection, rows, table))
            .append_column("row_number", pa.array(np.arange(1, len(rows) + 1)))
            .append_column("file", _repeated(batch.file, len(rows)))
        )
        # Bounds of `bucket` alone let the intake skip row groups when it goes through the rows bucket by bucket.
        pq.write_table(
            staged, self.of(table.name) / f"{self.batches:06d}.parquet", compression="lz4",
            row_group_size=ROWS_PER_GROUP, write_statistics=["bucket"],
        )  # fmt: skip
        self.batches += 1
        self._note(pc.max(rows["received_at"]).as_py())
        return rows.num_rows

    def _note(self, latest: pd.Timestamp | None) -> None:
        known = [instant for instant in (self.newest, latest) if instant is not None]
        self.newest = max(known, default=None)


def _buckets(rows: pa.Table) -> pa.Array:
    subjects = pc.dictionary_encode(rows["subject_id"]).combine_chunks()
    of_each = pa.array([bucket_of(name) for name in subjects.dictionary.to_pylist()], pa.int32())
    return of_each.take(subjects.indices).fill_null(0)


def _months(rows: pa.Table, table: Table) -> pa.Array:
    if table.time is None:
        return _repeated("none", len(rows))
    months, codes = np.unique(rows[table.time].to_numpy().astype("datetime64[M]"), return_inverse=True)
    return pa.DictionaryArray.from_arrays(codes, pa.array(months.astype(str)))


def _broken_rules(connection: duckdb.DuckDBPyConnection, rows: pa.Table, table: Table) -> pa.Array:
    """The first rule that each row breaks; missing where it keeps them all."""
    broken = list(rules(table).items())
    cases = " ".join(f"WHEN {condition} THEN {number}" for number, (_, condition) in enumerate(broken))
    connection.register("incoming", rows.append_column("position", pa.array(np.arange(len(rows)))))
    found = connection.sql(
        f"SELECT position, rule FROM (SELECT position, CASE {cases} END AS rule FROM incoming) WHERE rule IS NOT NULL"
    ).fetchnumpy()
    connection.unregister("incoming")
    codes = np.full(len(rows), -1)
    codes[found["position"]] = found["rule"]
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array([rule for rule, _ in broken]))


def _repeated(value: str, times: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(np.zeros(times, np.int32), pa.array([value]))


def typed_rows(batch: Batch, ingest_id: str, received_at: pd.Timestamp | None) -> pa.Table:
    """A batch as Arrow rows of its table's schema, provenance filled in; missing values are left to the rules.

    Raises:
        Refused: an unknown table or column, a missing required column, a type that does not fit, no receipt time.
    """
    if batch.table not in TABLES:
        raise Refused(f"`{batch.table}` is not a table of Foretide. Use one of {', '.join(TABLES)}.")
    table = TABLES[batch.table]
    _refuse_columns(batch, table)
    if "received_at" not in batch.frame.columns and received_at is None:
        raise Refused(f"{batch.file} does not say when its rows were received. Give --received-at INSTANT.")
    said = {**UNSAID, "received_at": received_at, "ingest_id": ingest_id}
    columns = {}
    for column in table.arrow_schema():
        if column.name in batch.frame.columns and column.name != "ingest_id":
            filled = _array(batch.frame[column.name], column, table, batch.file)
            columns[column.name] = filled.fill_null("") if column.name == "device_id" else filled
        else:
            columns[column.name] = pa.repeat(pa.scalar(said.get(column.name), type=column.type), len(batch.frame))
    return pa.table(columns)


def _refuse_columns(batch: Batch, table: Table) -> None:
    names = list(batch.frame.columns)
    stray = [str(name) for name in names if name not in table.arrow_schema().names]
    if stray:
        raise Refused(
            f"`{table.name}` in {batch.file} has {len(stray)} undeclared columns: {', '.join(stray)}. Drop them."
        )
    missing = [column.name for column in table.columns if column.is_required and column.name not in names]
    if missing:
        raise Refused(
            f"`{table.name}` in {batch.file} lacks {len(missing)} columns: {', '.join(missing)}. "
            "Add them to the file or to the mapping."
        )


def _array(values: pd.Series, column: pa.Field, table: Table, file: str) -> pa.Array:
    where = f"`{table.name}.{column.name}` in {file}"
    if pa.types.is_timestamp(column.type) and values.dtype.kind == "M" and values.dt.tz is None:
        count = int(values.notna().sum())
        raise Refused(f"{where}: {count} times have no time zone. Give `time_zone:` in the mapping.")
    if pa.types.is_integer(column.type) and values.dtype.kind in "iuf" and values.dtype != np.int32:
        # Numbers too large for the type are clipped, not wrapped: the rules then find them out of range.
        values = values.round().clip(INT32.min, INT32.max)
    try:
        found = pa.array(values, from_pandas=True)
        return found if found.type == column.type else pc.cast(found, column.type, safe=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        # Not chained: Arrow's message quotes the value.
        raise Refused(
            f"{where}: some of {len(values)} values are not of type {column.type}. Give their type, format or unit "
            "in the mapping."
        ) from None
