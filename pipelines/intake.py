"""The door of the lake: batches from a reader go in as clean, versioned rows, or into quarantine; whole or not at all.

First every batch is checked and staged beside the lake; a file that cannot be read leaves no trace. Then each table
is added in one commit. A marker tells an ingest that was cut off in between, and the next one takes its rows back.
"""

import itertools
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa

from features.tables import PROVENANCE, TABLES, Table
from pipelines import quarantine
from pipelines.errors import Refused
from pipelines.lake import BUCKETS, Lake, bucket_sql, month_sql
from pipelines.progress import silent
from pipelines.rules import NOT_ENROLLED, rules
from pipelines.sources.batch import Batch

KINDS = ("received", "appended", "duplicate", "quarantined")
ROWS_PER_BATCH_OUT = 200_000
ROWS_PER_PORTION = 2_000_000


@dataclass
class IntakeReport:
    """What became of the rows of one ingest, by table; counts only."""

    ingest_id: str
    is_new: bool
    received_at: str
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    broken: dict[str, dict[str, int]] = field(default_factory=dict)

    def count(self, table: str, kind: str) -> int:
        """How many rows of a table were `received`, `appended`, `duplicate` or `quarantined`."""
        return self.counts.get(table, {}).get(kind, 0) if self.is_new else 0

    def summary(self) -> dict[str, object]:
        """The report as plain data, for the audit log and the ledger."""
        return {"ingest_id": self.ingest_id, "counts": self.counts, "broken": self.broken}

    def rows(self) -> list[dict[str, object]]:
        """One row per table, as people read it."""
        return [{"table": table, **{kind: self.count(table, kind) for kind in KINDS},
                 "rules broken": ", ".join(f"{rule} {n}" for rule, n in sorted(self.broken.get(table, {}).items()))}
                for table in self.counts]  # fmt: skip


def ingest(
    lake: Lake,
    batches: Iterable[Batch],
    ingest_id: str,
    received_at: pd.Timestamp | None = None,
    progress: Callable[..., None] = silent,
) -> IntakeReport:
    """Take batches into the lake.

    Rows without a receipt time of their own get `received_at`. A row equal to the latest version of its key is not
    added; a different one becomes a new version. Content whose `ingest_id` was taken in before changes nothing.

    Raises:
        Refused: a table or column is not ours, a type does not fit, a receipt time is missing, or nothing came.
    """
    with lake.writing():
        ledger = lake.root / "ingests" / f"{ingest_id}.json"
        if ledger.exists():
            known = json.loads(ledger.read_text())
            return IntakeReport(ingest_id, False, known["received_at"], known["counts"], known["broken"])
        _take_back_unfinished(lake)
        staging = lake.root / "staging"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
        connection = lake.connection()
        try:
            report = _stage(connection, staging, batches, ingest_id, received_at, progress)
            _commit(lake, connection, staging, report, ledger, progress)
        finally:
            connection.close()
            shutil.rmtree(staging, ignore_errors=True)
    return report


def _take_back_unfinished(lake: Lake) -> None:
    for marker in (lake.root / "ingests").glob("*.started"):
        for table in lake.tables():
            lake.delete_ingest(table, marker.stem)
        quarantine.forget_ingest(lake, marker.stem)
        marker.unlink()


def _stage(
    connection: duckdb.DuckDBPyConnection, staging: Path, batches: Iterable[Batch], ingest_id: str,
    received_at: pd.Timestamp | None, progress: Callable[..., None],
) -> IntakeReport:  # fmt: skip
    """Check every batch and write it, with the rule each row broke if any, to a staging file."""
    report = IntakeReport(ingest_id, True, "")
    newest = None
    for number, batch in enumerate(batches):
        rows = typed_rows(batch, ingest_id, received_at)
        progress(f"reading {batch.table}")
        counts = report.counts.setdefault(batch.table, dict.fromkeys(KINDS, 0))
        counts["received"] += rows.num_rows
        folder = staging / batch.table
        folder.mkdir(exist_ok=True)
        connection.register("incoming", rows)
        cases = " ".join(f"WHEN {condition} THEN '{rule}'" for rule, condition in rules(TABLES[batch.table]).items())
        connection.execute(f"""
            COPY (SELECT *, {bucket_sql()} AS bucket, {month_sql(TABLES[batch.table])} AS month, CASE {cases} END AS rule, {number} AS batch, $file AS file,
                         row_number() OVER () AS row_number FROM incoming)
            TO '{folder / f"{number:06d}.parquet"}' (COMPRESSION LZ4)""", {"file": batch.file})  # fmt: skip
        connection.unregister("incoming")
        latest = pa.compute.max(rows["received_at"]).as_py()
        newest = latest if newest is None or (latest is not None and latest > newest) else newest
    if newest is None:
        raise Refused("The source holds no rows at all. Check that the path names the right file or folder.")
    report.received_at = pd.Timestamp(newest).isoformat()
    return report


def typed_rows(batch: Batch, ingest_id: str, received_at: pd.Timestamp | None) -> pa.Table:
    """A batch as Arrow rows of its table's schema, provenance filled in.

    Raises:
        Refused: an unknown table or column, a missing required column, a type that does not fit, no receipt time.
    """
    if batch.table not in TABLES:
        raise Refused(f"`{batch.table}` is not a table of Foretide. Use one of {', '.join(TABLES)}.")
    table = TABLES[batch.table]
    frame = batch.frame.assign(**_provenance(batch.frame, ingest_id, received_at))
    schema = table.arrow_schema()
    stray = [name for name in frame.columns if name not in schema.names]
    if stray:
        raise Refused(f"`{table.name}` in {batch.file} has {len(stray)} undeclared columns: {', '.join(stray)}. Drop them.")
    missing = [c.name for c in table.columns if c.is_required and c.name not in frame.columns]
    if missing:
        raise Refused(f"`{table.name}` in {batch.file} lacks the columns {', '.join(missing)}. Add them to the mapping.")
    arrays = [_array(frame, schema.field(name), table, batch.file) for name in schema.names]
    loose = pa.schema([pa.field(f.name, f.type) for f in schema])  # the rules, not the schema, refuse missing values
    return pa.Table.from_arrays(arrays, schema=loose)


def _provenance(frame: pd.DataFrame, ingest_id: str, received_at: pd.Timestamp | None) -> dict[str, object]:
    filled: dict[str, object] = {"ingest_id": ingest_id, "version": 0}
    if "received_at" not in frame.columns:
        if received_at is None:
            raise Refused("The source does not say when its rows were received. Give --received-at INSTANT.")
        filled["received_at"] = received_at
    defaults = {"source": "unnamed", "device_id": "", "is_deleted": False, "utc_offset_min": 0}
    for column in PROVENANCE:
        if column.name not in frame.columns and column.name in defaults:
            filled[column.name] = defaults[column.name]
    return filled


def _array(frame: pd.DataFrame, column: pa.Field, table: Table, file: str) -> pa.Array:
    if column.name not in frame.columns:
        return pa.nulls(len(frame), column.type)
    values = frame[column.name]
    try:
        if pa.types.is_integer(column.type) and values.dtype.kind == "f":
            values = values.round()
        return pa.Array.from_pandas(values, type=column.type, safe=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise Refused(
            f"`{table.name}.{column.name}` in {file} does not hold {column.type} values. Give its type, format or unit "
            "in the mapping."
        ) from error


def _commit(
    lake: Lake, connection: duckdb.DuckDBPyConnection, staging: Path, report: IntakeReport, ledger: Path,
    progress: Callable[..., None],
) -> None:  # fmt: skip
    """Add each staged table in one commit, then write the ledger entry that makes the ingest count."""
    _mark_strangers(lake, connection, staging)
    ledger.parent.mkdir(exist_ok=True)
    marker = ledger.with_suffix(".started")
    marker.touch()
    for name in report.counts:
        progress(f"storing {name}")
        _commit_table(lake, connection, TABLES[name], staging / name, report)
    partial = ledger.with_suffix(".partial")
    partial.write_text(json.dumps({"received_at": report.received_at, **report.summary()}, sort_keys=True))
    partial.replace(ledger)
    marker.unlink()


def _mark_strangers(lake: Lake, connection: duckdb.DuckDBPyConnection, staging: Path) -> None:
    """Register who is enrolled: in the lake already, or by a clean row of this very delivery."""
    lake.rows("subjects", connection).create_view("known_subjects", replace=True)
    connection.execute("CREATE OR REPLACE TEMP TABLE enrolled AS SELECT DISTINCT subject_id FROM known_subjects")
    if (staging / "subjects").is_dir():
        connection.execute(
            f"INSERT INTO enrolled SELECT DISTINCT subject_id FROM '{staging}/subjects/*.parquet' WHERE rule IS NULL"
        )


def _commit_table(
    lake: Lake, connection: duckdb.DuckDBPyConnection, table: Table, folder: Path, report: IntakeReport
) -> None:
    connection.execute(f"""
        CREATE OR REPLACE TEMP VIEW staged AS
        SELECT * REPLACE (coalesce(rule, CASE WHEN subject_id NOT IN (SELECT subject_id FROM enrolled)
                                              THEN '{NOT_ENROLLED}' END) AS rule)
        FROM '{folder}/*.parquet'""")  # fmt: skip
    counts = report.counts[table.name]
    report.broken[table.name] = _refuse(lake, connection, table, report.ingest_id)
    counts["quarantined"] = sum(report.broken[table.name].values())
    counts["appended"] = _append(lake, connection, table)
    counts["duplicate"] = counts["received"] - counts["quarantined"] - counts["appended"]


def _refuse(lake: Lake, connection: duckdb.DuckDBPyConnection, table: Table, ingest_id: str) -> dict[str, int]:
    columns = ", ".join(table.arrow_schema().names)
    refused = connection.sql(f"""
        SELECT ingest_id, '{table.name}' AS "table", file, row_number, rule, subject_id,
               to_json(struct_pack({", ".join(f"{c} := {c}" for c in columns.split(", "))}))::VARCHAR AS "row"
        FROM staged WHERE rule IS NOT NULL ORDER BY file, row_number""").to_arrow_table()  # fmt: skip
    if refused.num_rows:
        quarantine.keep(lake, refused)
    broken = refused["rule"].value_counts().to_pylist()
    return {entry["values"]: entry["counts"] for entry in broken}


def _append(lake: Lake, connection: duckdb.DuckDBPyConnection, table: Table) -> int:
    """Add the staged rows that say something new; the slow comparison is for subject-days seen more than once."""
    day, key = _day(table), ", ".join(table.key)
    lake.rows(table.name, connection).create_view("stored", replace=True)
    minutes = "minute_at" if table.name == "wearable" else f"({key})"
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE repeated AS
        WITH new AS (SELECT subject_id, {day} AS day, count(*) > count(DISTINCT {minutes}) AS is_repeated
                     FROM staged WHERE rule IS NULL GROUP BY ALL),
        old AS (SELECT DISTINCT subject_id, {day} AS day FROM stored
                WHERE month IN (SELECT DISTINCT {month_sql(table)} FROM staged WHERE rule IS NULL))
        SELECT new.subject_id, new.day FROM new LEFT JOIN old USING (subject_id, day)
        WHERE is_repeated OR old.subject_id IS NOT NULL""")  # fmt: skip
    counted = _Counted(_fresh_rows(connection, table, buckets) for buckets in _portions(connection))
    first = counted.first()
    if first is not None:
        lake.append(table, pa.RecordBatchReader.from_batches(first.schema, counted.batches(first)))
    return counted.count


def _portions(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Conditions that cut the staged rows into portions small enough to be sorted in memory."""
    (rows,) = connection.sql("SELECT count(*) FROM staged").fetchall()[0]
    return ["TRUE"] if rows <= ROWS_PER_PORTION else [f"bucket = {bucket}" for bucket in range(BUCKETS)]


def _fresh_rows(connection: duckdb.DuckDBPyConnection, table: Table, portion: str) -> pa.RecordBatchReader:
    """Rows of a portion that say something new, versions numbered, sorted by subject and time."""
    day = _day(table)
    key, names = ", ".join(table.key), ", ".join(table.arrow_schema().names)
    said = ", ".join(c for c in (*table.column_names, "is_deleted") if c not in table.key)
    rows = connection.sql(f"""
        WITH fresh AS (SELECT {names}, bucket, month, batch, row_number, {day} AS day
                       FROM staged WHERE rule IS NULL AND {portion}),
        candidates AS (
            SELECT {names}, bucket, month, -1 AS batch, 0 AS row_number, TRUE AS is_stored FROM stored
            SEMI JOIN (SELECT subject_id, day AS repeated_day FROM repeated) r
            ON stored.subject_id = r.subject_id AND {day} = r.repeated_day WHERE {portion}
            UNION ALL BY NAME
            SELECT * EXCLUDE (day), FALSE AS is_stored FROM fresh SEMI JOIN repeated USING (subject_id, day)),
        compared AS (
            SELECT *, hash({said}) AS said,
                   lag(hash({said})) OVER same AS said_before,
                   max(CASE WHEN is_stored THEN version END) OVER (PARTITION BY {key}) AS stored_version
            FROM candidates
            WINDOW same AS (PARTITION BY {key} ORDER BY received_at, is_stored DESC, version, batch, row_number)),
        news AS (SELECT * FROM compared WHERE NOT is_stored AND (said_before IS NULL OR said <> said_before)),
        numbered AS (
            SELECT * REPLACE (CAST(coalesce(stored_version + 1, 0) + row_number() OVER (
                       PARTITION BY {key} ORDER BY received_at, batch, row_number) - 1 AS INTEGER) AS version)
            FROM news)
        SELECT * FROM (
            SELECT {names}, bucket, month FROM fresh ANTI JOIN repeated USING (subject_id, day)
            UNION ALL SELECT {names}, bucket, month FROM numbered)
        ORDER BY bucket, month, subject_id{f", {table.time}" if table.time else ""}""")  # fmt: skip
    return rows.to_arrow_reader(ROWS_PER_BATCH_OUT)


def _day(table: Table) -> str:
    return f"CAST({table.time} AS DATE)" if table.time else "DATE '1970-01-01'"


class _Counted:
    """Counts rows as they stream by, so that the lake is written and counted in one pass."""

    def __init__(self, readers: Iterable[pa.RecordBatchReader]) -> None:
        self._stream = (batch for reader in readers for batch in reader if batch.num_rows)
        self.count = 0

    def first(self) -> pa.RecordBatch | None:
        """The first batch, so that an empty stream makes no commit."""
        return next(self._stream, None)

    def batches(self, first: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """The first batch and all that follow, counting."""
        for batch in itertools.chain([first], self._stream):
            self.count += batch.num_rows
            yield batch
