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

from features.tables import TABLES, Table
from pipelines import durable, quarantine
from pipelines.errors import Refused
from pipelines.lake import Lake
from pipelines.progress import silent
from pipelines.rules import NOT_ENROLLED
from pipelines.sources.batch import Batch
from pipelines.staging import Staging
from pipelines.versions import new_rows

KINDS = ("received", "appended", "duplicate", "quarantined")


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

    Rows without a receipt time of their own get `received_at`. A row equal to the version of its key received before
    it is not added; a different one becomes a new version. Content whose `ingest_id` was taken in before changes
    nothing. Of two different rows with the same key and receipt in one delivery, the one that sorts last counts,
    whatever their order in the files.

    Raises:
        Refused: a table or column is not ours, a type does not fit, a receipt time is missing, nothing came, or
            none of the rows belongs to an enrolled subject. The lake is as it was.
    """
    with lake.writing():
        ledger = lake.root / "ingests" / f"{ingest_id}.json"
        if ledger.exists():
            known = json.loads(ledger.read_text())
            return IntakeReport(ingest_id, False, known["received_at"], known["counts"], known["broken"])
        _take_back_unfinished(lake)
        staging = Staging(lake.root / "staging", ingest_id, received_at)
        shutil.rmtree(staging.folder, ignore_errors=True)
        connection = lake.connection()
        try:
            report = _stage(connection, staging, batches, progress)
            _refuse_if_all_are_strangers(lake, connection, staging, report)
            _commit(lake, connection, staging, report, ledger, progress)
        finally:
            connection.close()
            shutil.rmtree(staging.folder, ignore_errors=True)
            _take_back_unfinished(lake)
    return report


def _take_back_unfinished(lake: Lake) -> None:
    """Undo an ingest that was cut off: by a fault just now, or by a kill before this process began."""
    for marker in (lake.root / "ingests").glob("*.started"):
        if not marker.with_suffix(".json").exists():
            for table in lake.tables():
                lake.delete_ingest(table, marker.stem)
            quarantine.forget_ingest(lake, marker.stem)
        marker.unlink()


def _stage(
    connection: duckdb.DuckDBPyConnection, staging: Staging, batches: Iterable[Batch], progress: Callable[..., None]
) -> IntakeReport:
    """Check and write every batch beside the lake."""
    report = IntakeReport(staging.ingest_id, True, "")
    for batch in batches:
        progress(f"reading {batch.table}")
        rows = staging.add(connection, batch)
        report.counts.setdefault(batch.table, dict.fromkeys(KINDS, 0))["received"] += rows
    if staging.newest is None:
        raise Refused(
            f"The source holds no rows: {staging.batches} files or parts were read, all empty. "
            "Check that the path names the right file or folder."
        )
    report.received_at = pd.Timestamp(staging.newest).isoformat()
    return report


def _refuse_if_all_are_strangers(
    lake: Lake, connection: duckdb.DuckDBPyConnection, staging: Staging, report: IntakeReport
) -> None:
    """Register who is enrolled, in the lake already or by this delivery; refuse when it is about nobody of them."""
    connection.execute(f"""
        CREATE TEMP TABLE enrolled AS
        SELECT DISTINCT subject_id FROM ({lake.rows("subjects", connection).sql_query()})""")
    if "subjects" in report.counts:
        connection.execute(f"""
            INSERT INTO enrolled
            SELECT DISTINCT subject_id FROM '{staging.of("subjects")}/*.parquet' WHERE rule IS NULL""")
    for name in report.counts:
        clean, known = connection.sql(f"""
            SELECT count(*), count(*) FILTER (subject_id IN (SELECT subject_id FROM enrolled))
            FROM '{staging.of(name)}/*.parquet' WHERE rule IS NULL""").fetchall()[0]
        if clean and not known:
            raise Refused(
                f"None of the {clean} rows of `{name}` belongs to an enrolled subject. "
                "Ingest the `subjects` table first, or bring it in the same delivery."
            )


def _commit(
    lake: Lake, connection: duckdb.DuckDBPyConnection, staging: Staging, report: IntakeReport, ledger: Path,
    progress: Callable[..., None],
) -> None:  # fmt: skip
    """Add each staged table in one commit, then write the ledger entry that makes the ingest count."""
    ledger.parent.mkdir(exist_ok=True)
    marker = ledger.with_suffix(".started")
    marker.touch()
    for name in report.counts:
        progress(f"storing {name}")
        _commit_table(lake, connection, TABLES[name], staging.of(name), report)
    entry = {"received_at": report.received_at, **report.summary()}
    durable.replace(ledger, json.dumps(entry, sort_keys=True).encode())
    marker.unlink()


def _commit_table(
    lake: Lake, connection: duckdb.DuckDBPyConnection, table: Table, folder: Path, report: IntakeReport
) -> None:
    connection.execute(f"""
        CREATE OR REPLACE TEMP VIEW staged AS
        SELECT * REPLACE (coalesce(rule, CASE WHEN subject_id NOT IN (SELECT subject_id FROM enrolled)
                                              THEN '{NOT_ENROLLED}' END) AS rule)
        FROM '{folder}/*.parquet';
        CREATE OR REPLACE TEMP VIEW clean AS SELECT * FROM staged WHERE rule IS NULL""")
    counts = report.counts[table.name]
    report.broken[table.name] = quarantine.keep_broken(lake, connection, table, report.ingest_id)
    counts["quarantined"] = sum(report.broken[table.name].values())
    counts["appended"] = _append(lake, connection, table)
    counts["duplicate"] = counts["received"] - counts["quarantined"] - counts["appended"]


def _append(lake: Lake, connection: duckdb.DuckDBPyConnection, table: Table) -> int:
    """Add the clean rows that are news in one commit, none if there are none; how many they were."""
    counted = _Counted(new_rows(lake, connection, table))
    first = next(iter(counted), None)
    if first is not None:
        lake.append(table, pa.RecordBatchReader.from_batches(first.schema, itertools.chain([first], counted)))
    return counted.rows


class _Counted:
    """Counts rows as they stream by, so that the lake is written and counted in one pass."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self.rows = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            self.rows += batch.num_rows
            yield batch
