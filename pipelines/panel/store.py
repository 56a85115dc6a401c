"""Derived tables of subject-days, stored as one sorted file per bucket and month, each put anew when its days change.

A night touches the files of its own month, and of a few others where late rows came in; history stays as it lies.
Which day panel the files make up, and whether they are whole, says `state`.
"""

import json
import shutil
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable, Schema
from deltalake.transaction import AddAction, RemoveAction
from numpy.typing import NDArray

from features.calendar import is_known_on
from pipelines.lake import DELTA, Lake
from pipelines.panel.extent import Extent, buckets_of
from pipelines.pieces import PARTITION, WRITERS
from pipelines.raw_rows import sql_list

# Columns by type; all others are measures.
TYPES = dict.fromkeys(("local_date", "known_on"), pa.date32()) | {"device": pa.int64()}
TEXTS = ("subject_id", "stream", "rule", "kind", "measure", "source", "device_id", "device_model", "algorithm_version")
ALWAYS = "all"
NO_MONTHS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Piece:
    """A file of a store, with its partition."""

    path: Path
    bucket: int
    month: str


class Store:
    """One derived table: rows by subject and local day."""

    def __init__(self, lake: Lake, name: str, key: Collection[str], is_monthly: bool = True) -> None:
        self._lake = lake
        self.folder = lake.derived(name)
        self.key = list(key)
        self.is_monthly = is_monthly

    def pieces(self) -> list[Piece]:
        """All files, in the order of their partitions."""
        if not (self.folder / "_delta_log").is_dir():
            return []
        paths = sorted(Path(uri) for uri in DeltaTable(str(self.folder)).file_uris())
        named = ((path, dict(part.split("=", 1) for part in path.parts[-3:-1])) for path in paths)
        return [Piece(path, int(values["bucket"]), values["month"]) for path, values in named]

    def read(
        self, pieces: Collection[Piece], connection: duckdb.DuckDBPyConnection, columns: Collection[str] | None = None,
        where: str = "TRUE", months: Mapping[str, str] = NO_MONTHS,
    ) -> pd.DataFrame:  # fmt: skip
        """Rows of some files for which a condition holds, in no order; columns that no file has are left out.

        Args:
            columns: all unless given.
            months: from which month on files are asked for some columns; in rows of others these are missing.
        """
        if not pieces:
            return typed(pd.DataFrame(columns=self.key))
        alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for piece in pieces:
            alike[tuple(name for name, month in months.items() if piece.month < month)].append(str(piece.path))
        parts = []
        for unasked, paths in alike.items():
            scan = f"read_parquet({sql_list(paths)}, union_by_name = true, hive_partitioning = false)"
            held = (name for name in connection.sql(f"SELECT * FROM {scan}").columns if name not in unasked)
            chosen = ", ".join(name for name in held if columns is None or name in columns)
            parts.append(f"SELECT {chosen} FROM {scan} AS rows WHERE {where}")
        found = connection.sql(" UNION ALL BY NAME ".join(parts)).to_arrow_table()
        # A block for each column: to put them together would copy them all once more.
        return typed(found.to_pandas(split_blocks=True, self_destruct=True, date_as_object=False))

    def put(self, rows: pd.DataFrame, extent: Extent, since: pd.Timestamp | None) -> "Change":
        """Write files that hold the extent's rows instead of what is there of it; they count once committed.

        Args:
            rows: all rows of the extent's subject-days.
            since: a night; of whom it would now know other rows is told.
        """
        # First of all the log: an erasure finds what a killed write left by it.
        self._delta(list(rows.columns))
        fresh = self._by_place(rows)
        there = {(piece.bucket, piece.month): piece for piece in self._holding(extent)}
        none = self._table(rows.iloc[:0])

        def change(place: tuple[int, str]) -> Change:
            return self._put(place, fresh.get(place, none), there.get(place), extent, since)

        with ThreadPoolExecutor(WRITERS) as pool:
            return sum(pool.map(change, sorted({*fresh, *there})), Change())

    def _put(
        self, place: tuple[int, str], new: pa.Table, piece: Piece | None, extent: Extent, since: pd.Timestamp | None
    ) -> "Change":
        if piece is None:
            return Change(self._written(new, *place), [], _others(new.slice(0, 0), new, since))
        old = pq.ParquetFile(piece.path, page_checksum_verification=True).read()
        is_old = pa.array(extent.holds(_days_of(old)))
        outgoing = old.filter(is_old)
        if not outgoing.num_rows and not new.num_rows:
            return Change()
        content = pa.concat_tables([old.filter(pc.invert(is_old)), new], promote_options="default")
        values: dict[str, str | None] = {"bucket": str(piece.bucket), "month": piece.month}
        name = piece.path.relative_to(self.folder).as_posix()
        former = RemoveAction(name, True, 0, piece.path.stat().st_size, values)
        return Change(self._written(content, *place), [former], _others(outgoing, new, since))

    def _by_place(self, rows: pd.DataFrame) -> dict[tuple[int, str], pa.Table]:
        """The rows of each bucket and month."""
        content, (month, months) = self._table(rows), self._months(rows["local_date"])
        place = buckets_of(rows["subject_id"]).to_numpy() * len(months) + month
        order = np.argsort(place, kind="stable")
        starts = np.flatnonzero(np.diff(place[order], prepend=-1))
        parts = zip(place[order[starts]], np.split(order, starts[1:]) if len(starts) else [], strict=True)
        return {(int(at) // len(months), months[at % len(months)]): content.take(pa.array(some)) for at, some in parts}

    def commit(self, change: "Change") -> None:
        """Make the files count and take the former ones away."""
        if not change.added and not change.removed:
            return
        names = sorted({name for piece in change.added for name in pq.read_schema(self.folder / piece.path).names})
        delta = self._delta(names)
        actions: list[AddAction | RemoveAction] = [*change.removed, *change.added]
        self._lake.check_turn()
        delta.create_write_transaction(actions, "append", delta.schema(), list(PARTITION))
        for former in change.removed:
            (self.folder / former.path).unlink()

    def begin_anew(self) -> None:
        """Take everything away."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _months(self, days: pd.Series) -> tuple[NDArray[np.int64], list[str]]:
        """The place of each day's month, and the months as partitions are called."""
        if not self.is_monthly:
            return np.zeros(len(days), np.int64), [ALWAYS]
        place, months = pd.factorize(days.to_numpy().astype("datetime64[M]"))
        return place.astype(np.int64), [str(month) for month in months]

    def _holding(self, extent: Extent) -> Iterator[Piece]:
        """Files that can hold rows of the extent."""
        whole = Extent(extent.whole).every_bucket
        month, months = self._months(extent.days["local_date"])
        numbers = np.unique(extent.buckets.to_numpy() * len(months) + month)
        places = {(int(at) // len(months), months[at % len(months)]) for at in numbers}
        return (piece for piece in self.pieces() if piece.bucket in whole or (piece.bucket, piece.month) in places)

    def _table(self, rows: pd.DataFrame) -> pa.Table:
        schema = pa.schema([(name, self._type(name)) for name in rows.columns])
        return pa.Table.from_pandas(rows, schema, preserve_index=False).replace_schema_metadata(None)

    def _written(self, rows: pa.Table, bucket: int, month: str) -> list[AddAction]:
        if not rows.num_rows:
            return []
        rows = rows.sort_by([(name, "ascending") for name in self.key])
        values: dict[str, str | None] = {"bucket": str(bucket), "month": month}
        path = Path(f"bucket={bucket}", f"month={month}", f"part-{uuid.uuid4().hex}.parquet")
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(
            rows, self.folder / path, compression="zstd", compression_level=1, store_schema=False,
            use_dictionary=[name for name in rows.column_names if rows[name].type != pa.float64()],
            write_statistics=False, write_page_checksum=True,
        )  # fmt: skip
        stats = json.dumps({"numRecords": rows.num_rows})
        return [AddAction(path.as_posix(), (self.folder / path).stat().st_size, values, 0, True, stats)]

    def _delta(self, names: list[str]) -> DeltaTable:
        """The table's log, with all columns of new files."""
        fields = [pa.field(name, self._type(name)) for name in names]
        if not (self.folder / "_delta_log").is_dir():
            schema = pa.schema([*fields, ("bucket", pa.int32()), ("month", pa.string())])
            return DeltaTable.create(str(self.folder), schema, partition_by=list(PARTITION), configuration=DELTA)
        delta = DeltaTable(str(self.folder))
        known = {field.name for field in delta.schema().fields}
        further = pa.schema([field for field in fields if field.name not in known])
        if len(further):
            delta.alter.add_columns(list(Schema.from_arrow(further).fields))
            delta = DeltaTable(str(self.folder))
        return delta

    @staticmethod
    def _type(name: str) -> pa.DataType:
        return TYPES.get(name, pa.string() if name in TEXTS else pa.float64())


def typed(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows in the types that this project holds them in."""
    types = {"local_date": "datetime64[us]", "known_on": "datetime64[us]", "device": "int64"}
    types |= dict.fromkeys(TEXTS, "str")
    return rows.astype({name: types.get(name, "float64") for name in rows.columns})


@dataclass(frozen=True)
class Change:
    """Files of a store that come, those that they stand in for, and subjects of whom a night would know other rows."""

    added: list[AddAction] = field(default_factory=list)
    removed: list[RemoveAction] = field(default_factory=list)
    others: set[str] = field(default_factory=set)

    def __add__(self, other: "Change") -> "Change":
        return Change(self.added + other.added, self.removed + other.removed, self.others | other.others)


def _days_of(rows: pa.Table) -> pd.DataFrame:
    """The subject and local day of each row."""
    return pd.DataFrame({"subject_id": rows["subject_id"].to_pandas(), "local_date": _dates(rows["local_date"])})


def _dates(days: pa.ChunkedArray) -> pd.Series:
    return pd.Series(days.cast(pa.int32()).to_numpy().astype("datetime64[D]").astype("datetime64[us]"))


def _others(old: pa.Table, new: pa.Table, since: pd.Timestamp | None) -> set[str]:
    """Subjects of whom other rows are known by a night."""
    if since is None:
        return set()
    known = [rows.filter(pa.array(is_known_on(_dates(rows["known_on"]), since))) for rows in (old, new)]
    both = pa.concat_tables(known, promote_options="default").to_pandas()
    return set(both[~both.duplicated(keep=False)]["subject_id"])
