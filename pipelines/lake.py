"""The lake: append-only Delta tables of raw rows, one known-at reader over them, and the tables derived from them.

Raw tables live in `raw/<table>`, partitioned by `bucket` (a stable hash of the subject) and `month` of the event;
derived tables are overwritten whole in `derived/<name>`, but for those that grow by what is new (`panel/`). DuckDB reads
the files of a Delta version: the Arrow readers of the Delta package abort the process at exit. What may get in is the
door's affair (`door/`); the SQL over raw rows is `raw_rows`.
"""

import uuid
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
from deltalake import ColumnProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import AddAction

from features.tables import TABLES, Table
from pipelines import locks, raw_rows
from pipelines.locks import Lock
from pipelines.pieces import PARTITION, remove_pieces, write_parts, write_pieces
from pipelines.raw_rows import FAMILIES, RAW, REPEATS, sql_list

LOCK_NAME = "writing.lock"
# A property of every table, changed whenever a process that was stopped is superseded.
TURN = "foretide.turn"
# In the place of what a derived table was derived from, while it is being written.
UNFINISHED = "unfinished"
BUCKETS = 16
# Nothing may survive an erasure: no log or file is kept longer than its successor, and statistics, which would hold
# identifiers, are not collected.
DELTA = {
    "delta.logRetentionDuration": "interval 0 days",
    "delta.deletedFileRetentionDuration": "interval 0 days",
    "delta.dataSkippingNumIndexedCols": "0",
}
WRITER = WriterProperties(
    compression="ZSTD",
    compression_level=1,
    max_row_group_size=500_000,
    default_column_properties=ColumnProperties(statistics_enabled="NONE"),
)
MEMORY_LIMIT = "1GB"


def bucket_of(subject_id: str) -> int:
    """The subject's bucket, 0 to 15, from a hash that no release of any library changes."""
    return zlib.crc32(subject_id.encode()) % BUCKETS


class Lake:
    """Raw and derived tables below one folder; `fence` raises once another run took the place of this one."""

    def __init__(self, root: Path, fence: Callable[[], None] = locks.unfenced) -> None:
        self.root = Path(root)
        self._fence = fence
        self._lock: Lock | None = None

    def connection(self) -> duckdb.DuckDBPyConnection:
        """A fresh DuckDB connection in UTC, with bounded memory and no progress output of its own."""
        connection = duckdb.connect()
        # A folder of its own: two processes that spill into one would overwrite each other's files.
        spill = self.root / f"spill-{uuid.uuid4().hex}"
        connection.execute(f"SET TimeZone = 'UTC'; SET memory_limit = '{MEMORY_LIMIT}'; SET temp_directory = '{spill}'")
        connection.execute("SET preserve_insertion_order = false; SET enable_progress_bar = false")
        return connection

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lake's lock; others wait, who holds it already goes on. The lock is gone when the process is.

        Raises:
            Refused: another run took this one's place.
        """
        if self._lock is not None:
            yield
            return
        self.root.mkdir(parents=True, exist_ok=True)
        with locks.in_turn(self.root / LOCK_NAME, self._fence) as self._lock:
            try:
                yield
            except DeltaError:
                self._lock.check()
                raise
            finally:
                self._lock = None

    def check_turn(self) -> None:
        """To be asked right before a commit, once its table is open, or before something is removed.

        Raises:
            Refused: another run took this one's place.
        """
        self._fence()
        if self._lock is not None:
            self._lock.check()

    def take_over(self) -> None:
        """Keep a superseded process from committing: of every table that it may have opened the log changes in a way that no
        commit of before can be put behind."""
        (self.root / LOCK_NAME).unlink(missing_ok=True)
        for mark in (self.root / "derived").glob("*.version"):
            locks.sweep_partials(mark)
        for log in sorted(self.root.glob("**/_delta_log")):
            DeltaTable(str(log.parent)).alter.set_table_properties({TURN: uuid.uuid4().hex}, raise_if_not_exists=False)

    def append(self, table: Table, portions: Iterable[pa.Table], family: str = RAW) -> int:
        """Add rows in one commit, none if there are none; how many they were.

        Args:
            table: what the rows are.
            portions: rows with the table's columns, provenance, `bucket` and `month`, some million at a time.
            family: `raw`, or `repeats` (the keys of rows that were said again).
        """
        folder, pieces, rows = self.root / family / table.name, [], 0
        try:
            for portion in _one_ahead(portions):
                pieces += write_pieces(folder, table, portion)
                rows += portion.num_rows
            if pieces:
                self._commit(folder, pieces, portion)
        except BaseException:  # an interrupt too: nothing half-written stays
            remove_pieces(folder, pieces)
            raise
        return rows

    def _commit(self, folder: Path, pieces: list[AddAction], sample: pa.Table) -> None:
        """Make pieces count, all at once; the first commit makes the table."""
        fields = [
            pa.field(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type) for f in sample.schema
        ]
        schema = pa.schema(fields)
        delta = self._open(folder) or DeltaTable.create(
            str(folder), schema, partition_by=list(PARTITION), configuration=DELTA
        )
        self.check_turn()
        delta.create_write_transaction([*pieces], "append", schema, list(PARTITION))

    def delete_ingest(self, table: str, ingest_id: str) -> None:
        """Take back every row of an ingest that did not finish."""
        for family in FAMILIES:
            delta = self._open(self.root / family / table)
            if delta is not None:
                self.check_turn()
                delta.delete(f"ingest_id = '{ingest_id}'")

    def read(
        self, table: str, known_at: pd.Timestamp, connection: duckdb.DuckDBPyConnection | None = None
    ) -> duckdb.DuckDBPyRelation:
        """The latest version of each key that had been received by `known_at`; rows taken back are gone.

        Latest is the greatest (received_at, version, ingest_id). Only subject-days with a correction are compared.
        """
        connection = connection or self.connection()
        known = raw_rows.known_sql(table, self.files(table), known_at)
        # A deletion is never version 0, so the footers of most files tell that nothing in them was corrected.
        if not connection.sql(f"SELECT 1 FROM ({known}) WHERE version > 0 LIMIT 1").fetchall():
            return connection.sql(known)
        return connection.sql(raw_rows.latest_sql(table, known))

    def history(
        self, table: str, known_at: pd.Timestamp, connection: duckdb.DuckDBPyConnection
    ) -> duckdb.DuckDBPyRelation:
        """Every version of every row received by `known_at`, deletions included."""
        return connection.sql(raw_rows.known_sql(table, self.files(table), known_at))

    def rows(self, table: str, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """Every stored row, whenever received: for the door, never for features; a table nobody wrote is empty."""
        return connection.sql(raw_rows.scan_sql(table, self.files(table)))

    def repeats(self, table: str, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
        """Keys of rows that a delivery said again without news, with that receipt; for the door (see `versions.py`)."""
        return connection.sql(raw_rows.scan_sql(table, self.files(table, REPEATS), REPEATS))

    def files(self, table: str, family: str = RAW) -> list[str]:
        """The files that hold a raw table's rows; none if nobody wrote it."""
        delta = self._open(self.root / family / table)
        return [] if delta is None else delta.file_uris()

    def replace(self, name: str, frames: pd.DataFrame | Iterable[pd.DataFrame], version: str = "") -> None:
        """Store a derived table, or its parts as they come, instead of an earlier one; `version`: what it came from."""
        folder = self.derived(name)
        mark = self.mark_of(name)
        folder.mkdir(parents=True, exist_ok=True)
        with self.writing():
            locks.sweep_partials(mark)
            self._mark(mark, UNFINISHED)
            parts, schema = write_parts(folder, [frames] if isinstance(frames, pd.DataFrame) else frames)
            former = self._open(folder) or str(folder)
            self.check_turn()
            # The mark makes the two commits one: without it there is no table.
            write_deltalake(
                former, schema.empty_table(), mode="overwrite", schema_mode="overwrite", configuration=DELTA
            )
            stored = DeltaTable(str(folder))
            self.check_turn()
            stored.create_write_transaction([*parts], "append", stored.schema())
            stored = DeltaTable(str(folder))
            self.check_turn()
            stored.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
            self._mark(mark, version)

    def _mark(self, mark: Path, text: str) -> None:
        """Say of a derived table that it is whole, or not; who was superseded cannot."""
        if self._lock is not None:
            self._lock.replace(mark, text.encode())

    def load(self, name: str, columns: Collection[str] = ()) -> pd.DataFrame:
        """A derived table, whole or some of its columns; rows come as they were stored. KeyError if never stored whole."""
        delta = self._open(self.derived(name))
        if delta is None or self.derived_version(name) is None:
            raise KeyError(name)
        connection = self.connection()
        connection.execute("SET preserve_insertion_order = true")
        scan = f"read_parquet({sql_list(sorted(delta.file_uris()))}, hive_partitioning = false)"
        frame = connection.sql(f"SELECT {', '.join(columns) or '*'} FROM {scan}").df()
        days = frame.select_dtypes("datetime").columns
        return frame.astype(dict.fromkeys(days, "datetime64[us]"))

    def derived_version(self, name: str) -> str | None:
        """What the stored derived table was derived from; None if there is none, or its writing was cut off."""
        mark = self.mark_of(name)
        version = mark.read_text() if mark.exists() else UNFINISHED
        return None if version == UNFINISHED else version

    def tables(self) -> list[str]:
        """Names of the raw tables that hold anything."""
        return [name for name in TABLES if self.files(name)]

    def derived(self, name: str) -> Path:
        """Folder of a derived table."""
        return self.root / "derived" / name

    def mark_of(self, name: str) -> Path:
        """The file that says what a derived table, stored whole, was derived from."""
        return self.derived(name).with_suffix(".version")

    def count(self, table: str) -> int:
        """How many rows are stored, by the log alone."""
        delta = self._open(self.root / RAW / table)
        return 0 if delta is None else sum(pa.table(delta.get_add_actions(flatten=True))["num_records"].to_pylist())

    @staticmethod
    def _open(folder: Path) -> DeltaTable | None:
        try:
            return DeltaTable(str(folder))
        except TableNotFoundError:
            return None


def _one_ahead(portions: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The portions, each made ready while the one before it is being written."""
    coming = iter(portions)
    with ThreadPoolExecutor(1) as pool:
        ready = pool.submit(next, coming, None)
        while (portion := ready.result()) is not None:
            ready = pool.submit(next, coming, None)
            yield portion
