"""Batches as typed, checked rows beside the lake: what an intake does before it touches anything that counts."""

import re
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import dataset, feather

from features.tables import TABLES, WEARABLE, Table
from pipelines.deidentification import gate
from pipelines.door.policy import DoorPolicy
from pipelines.door.rules import CLEAN_ID, UNCLEAN_ID, rules
from pipelines.door.spans import Span, key_hashes, spans_of, whole_times
from pipelines.door.typed import repeated, typed_rows
from pipelines.lake import bucket_of
from pipelines.progress import Report
from pipelines.pseudonyms import plain
from pipelines.raw_rows import US_PER_DAY
from pipelines.sources.batch import Batch

WORKERS = 2
# Wrong clocks spread a batch over centuries: its days are then listed one by one.
LONGEST_SPAN_DAYS = 20_000


@dataclass(frozen=True)
class StagedBatch:
    """One checked batch on disk: its table, rows in all, and where the subjects of its sound rows begin and end."""

    table: str
    path: Path
    received: int
    withdrawn: int
    expired: int
    newest: pd.Timestamp | None
    subjects: frozenset[str]
    broken: dict[str, int]
    spans: tuple[Span, ...] | None

    @property
    def dropped(self) -> int:
        """Rows that nothing keeps: of subjects who withdrew, and minutes of days whose minutes were removed."""
        return self.withdrawn + self.expired


@dataclass
class Staging:
    """A folder with one Arrow file per batch; each row carries the rule it broke, if any, and where it stood."""

    folder: Path
    ingest_id: str
    received_at: pd.Timestamp | None
    policy: DoorPolicy
    batches: list[StagedBatch] = field(default_factory=list)

    def fill(self, connection: duckdb.DuckDBPyConnection, batches: Iterable[Batch], report: Report) -> None:
        """Check and write every batch, two at a time while the next is being read.

        Raises:
            Refused: see `typed_rows`.
        """
        waiting: list[Future[StagedBatch]] = []
        with ThreadPoolExecutor(WORKERS) as pool:
            try:
                for number, batch in enumerate(batches):
                    report(f"reading {batch.table}")
                    waiting.append(pool.submit(self._stage, connection.cursor(), batch, number))
                    if len(waiting) > WORKERS:
                        self.batches.append(waiting.pop(0).result())
                self.batches.extend(future.result() for future in waiting)
            except BaseException:  # an interrupt too: no further batch begins
                pool.shutdown(cancel_futures=True)
                raise

    def tables(self) -> list[str]:
        """Names of the tables that came, in the order of their first batch."""
        return list(dict.fromkeys(staged.table for staged in self.batches))

    def of(self, table: str) -> list[StagedBatch]:
        """The batches of one table."""
        return [staged for staged in self.batches if staged.table == table]

    def rows(self, table: str, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """Every staged row of a table."""
        return connection.from_arrow(dataset.dataset([str(staged.path) for staged in self.of(table)], format="feather"))

    def _stage(self, connection: duckdb.DuckDBPyConnection, batch: Batch, number: int) -> StagedBatch:
        batch = replace(batch, file=harmless_name(batch, number, self.policy.withdrawn))
        rows = typed_rows(batch, self.ingest_id, self.received_at)
        table, received = TABLES[batch.table], rows.num_rows
        gate.refuse_identifying_rows(table, rows, batch.file)
        rows = self._without_withdrawn(self._with_place(rows, batch))
        withdrawn = received - rows.num_rows
        rows = self._without_expired(rows, table)
        expired = received - withdrawn - rows.num_rows
        rule, broken = self._broken(connection, rows, table)
        rows = rows.append_column("bucket", _buckets(rows)).append_column("month", _months(rows, table))
        rows = rows.drop_columns(["broken"]).append_column("rule", rule)
        rows = rows.append_column("key_hash", pa.array(key_hashes(rows, table)))
        path = self.folder / table.name / f"{number:06d}.arrow"
        path.parent.mkdir(parents=True, exist_ok=True)
        feather.write_feather(rows, path, compression="lz4")
        newest = pc.max(rows["received_at"]).as_py() if rows.num_rows else None
        sound = rows if not broken else rows.filter(pc.is_null(rule))
        subjects = frozenset(pc.unique(rows["subject_id"]).drop_null().to_pylist())
        return StagedBatch(
            table.name, path, received, withdrawn, expired, newest, subjects, broken, spans_of(sound, table)
        )

    @staticmethod
    def _with_place(rows: pa.Table, batch: Batch) -> pa.Table:
        lines = np.arange(1, len(rows) + 1) if batch.lines is None else batch.lines
        broken = pa.nulls(len(rows), pa.string()) if batch.broken is None else batch.broken
        rows = rows.append_column("broken", broken.cast(pa.string()) if batch.broken is not None else broken)
        return rows.append_column("row_number", pa.array(lines, pa.int64())).append_column(
            "file", repeated(batch.file, pa.string(), len(rows))
        )

    def _without_withdrawn(self, rows: pa.Table) -> pa.Table:
        gone = self.policy.withdrawn(pc.unique(rows["subject_id"]).drop_null().to_pylist())
        if not gone:
            return rows
        return rows.filter(pc.invert(pc.is_in(rows["subject_id"].cast(pa.string()), pa.array(sorted(gone)))))

    def _without_expired(self, rows: pa.Table, table: Table) -> pa.Table:
        kept_from = self.policy.minutes_kept_from
        if table.name != WEARABLE.name or kept_from is None:
            return rows
        is_late = pc.less(
            rows[str(table.time)], pa.scalar(pd.Timestamp(kept_from, tz="UTC"), rows[str(table.time)].type)
        )
        return rows.filter(pc.invert(pc.fill_null(is_late, False)))

    def _broken(
        self, connection: duckdb.DuckDBPyConnection, rows: pa.Table, table: Table
    ) -> tuple[pa.Array, dict[str, int]]:
        """The first rule that each row breaks, what its reader found before all; and how many broke which."""
        declared = [(name, sql) for name, sql in rules(table, self.policy).items()
                    if name != CLEAN_ID or _has_unclean_ids(connection, rows)]  # fmt: skip
        cases = " ".join(f"WHEN {condition} THEN {number}" for number, (_, condition) in enumerate(declared))
        connection.register("incoming", rows.append_column("position", pa.array(np.arange(len(rows)))))
        found = connection.sql(
            f"SELECT position, rule FROM (SELECT position, CASE {cases} END AS rule FROM incoming) WHERE rule IS NOT NULL"
        ).fetchnumpy()
        connection.unregister("incoming")
        codes = np.full(len(rows), -1)
        codes[found["position"]] = found["rule"]
        names = pa.array([name for name, _ in declared], pa.string())
        rule = pc.coalesce(rows["broken"].combine_chunks(), names.take(pa.array(codes, mask=codes < 0)))
        counted = pc.value_counts(rule.drop_null()).to_pylist()
        return rule.dictionary_encode(), {count["values"]: count["counts"] for count in counted}


def _has_unclean_ids(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> bool:
    """Whether any id is unclean: ids are few and rows many, so that most batches need not be looked through for it."""
    connection.register("ids", pa.table({"subject_id": pc.unique(rows["subject_id"]).cast(pa.string())}))
    found = connection.sql(f"SELECT 1 FROM ids WHERE {UNCLEAN_ID} LIMIT 1").fetchall()
    connection.unregister("ids")
    return bool(found)


def _buckets(rows: pa.Table) -> pa.Array:
    subjects = pc.dictionary_encode(rows["subject_id"]).unify_dictionaries().combine_chunks()
    of_each = pa.array([bucket_of(name) for name in subjects.dictionary.to_pylist()], pa.int32())
    return of_each.take(subjects.indices).fill_null(0)


def _months(rows: pa.Table, table: Table) -> pa.Array:
    """The month of each row's event time, missing times in the first: looked up by day, of which there are few."""
    if table.time is None or rows.num_rows == 0:
        return repeated("none", pa.string(), len(rows))
    times = whole_times(rows[table.time]).fill_null(0).to_numpy()
    days = times if table.column(table.time).kind == "day" else times // US_PER_DAY
    span = np.arange(days.min(), days.max() + 1) if np.ptp(days) < LONGEST_SPAN_DAYS else np.unique(days)
    months, of_span = np.unique(span.astype("datetime64[D]").astype("datetime64[M]"), return_inverse=True)
    return pa.DictionaryArray.from_arrays(
        of_span[np.searchsorted(span, days) if len(span) <= np.ptp(days) else days - days.min()].astype(np.int32),
        pa.array(months.astype(str)),
    )


def harmless_name(batch: Batch, number: int, withdrawn: Callable[[Iterable[str]], set[str]]) -> str:
    """The name of a batch's file; a number instead where it holds somebody's id, for records outlive rows.

    Lines that are no rows have no ids: then at least nobody who withdrew is named.
    """
    frame = batch.frame
    pieces = re.split(r"([^0-9A-Za-z]+)", batch.file)
    runs = ("".join(pieces[start:end]) for start in range(len(pieces)) for end in range(start + 1, len(pieces) + 1))
    named = {plain(run) for run in runs if run}
    ids: Iterable[object] = []
    if "subject_id" in (frame.column_names if isinstance(frame, pa.Table) else frame.columns):
        ids = (
            pc.unique(frame["subject_id"]).to_pylist() if isinstance(frame, pa.Table) else frame["subject_id"].unique()
        )
    is_harmless = named.isdisjoint(plain(str(name)) for name in ids) and not withdrawn(named)
    return batch.file if is_harmless else f"file {number + 1}"
