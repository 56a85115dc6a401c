"""Raw rows as Parquet files of one partition each, written before they count: a commit of the lake names them.

A piece holds the rows of one bucket and month, sorted by subject and time. PyArrow writes them, for it knows how to
store a rising time in a bit per row; the Delta package only keeps the log of which files count.
"""

import json
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction
from numpy.typing import NDArray

from features.tables import Table

PARTITION = ("bucket", "month")
# Footer statistics let a read skip what is too late, of another day, or free of corrections. Never of a subject.
STATISTICS = ("version", "received_at")
ROWS_PER_GROUP = 250_000
WRITERS = 2

Codes = NDArray[np.int64]


def write_pieces(folder: Path, table: Table, rows: pa.Table) -> list[AddAction]:
    """Write rows, which carry `bucket` and `month`, as one file per partition below the folder of a Delta table."""
    if rows.num_rows == 0:
        return []
    partitions, order = _partitions(rows, table)
    if order is not None:
        rows, partitions = rows.take(pa.array(order)), partitions[order]
    starts = np.flatnonzero(np.diff(partitions, prepend=-1))
    ends = [*starts[1:], rows.num_rows]
    slices = [rows.slice(start, end - start) for start, end in zip(starts, ends, strict=True)]
    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(lambda part: _write_piece(folder, table, part), slices))


def remove_pieces(folder: Path, pieces: Iterable[AddAction]) -> None:
    """Take away files that no commit names."""
    for piece in pieces:
        (folder / piece.path).unlink(missing_ok=True)


def codes(column: pa.ChunkedArray) -> Codes:
    """A number per distinct value; missing values have one of their own."""
    encoded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
    whole = encoded.unify_dictionaries().combine_chunks()
    whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    return pc.fill_null(whole.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64) + 1


def _partitions(rows: pa.Table, table: Table) -> tuple[Codes, Codes | None]:
    """The partition of each row as a number, and the order that sorts rows by it, by subject and by time if need be."""
    months = codes(rows["month"])
    partitions = rows["bucket"].to_numpy().astype(np.int64) * (months.max() + 1) + months
    subjects = codes(rows["subject_id"])
    times = rows[table.time].cast(_whole(rows[table.time].type)).to_numpy() if table.time else np.zeros(len(rows))
    order = None
    if not _is_sorted(subjects, times):
        order = np.lexsort((times, subjects))
    by_partition = partitions if order is None else partitions[order]
    if (np.diff(by_partition) < 0).any():
        # Small numbers are sorted by radix, and a stable sort keeps subjects and times in their order.
        _, small = np.unique(by_partition, return_inverse=True)
        within = np.argsort(small.astype(np.uint16) if small.max() < 2**16 else small, kind="stable")
        order = within if order is None else order[within]
    return partitions, order


def _whole(time: pa.DataType) -> pa.DataType:
    return pa.int32() if pa.types.is_date32(time) else pa.int64()


def _is_sorted(subjects: Codes, times: Codes) -> bool:
    """Whether each subject's rows stand together in the order of their times."""
    changes = np.diff(subjects) != 0
    runs = int(changes.sum()) + 1
    return bool((changes | (np.diff(times) >= 0)).all()) and runs == len(np.unique(subjects[np.r_[True, changes]]))


def _write_piece(folder: Path, table: Table, rows: pa.Table) -> AddAction:
    """One file, named at random; nothing of its content stands in its name or in the log but a count of rows."""
    values = {name: str(rows[name][0].as_py()) for name in PARTITION}
    relative = Path(*(f"{name}={value}" for name, value in values.items())) / f"part-{uuid.uuid4().hex}.parquet"
    path = folder / relative
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = rows.drop_columns(list(PARTITION))
    rising = [name for name in _instants(stored) if name != "received_at"]
    pq.write_table(
        stored, path, compression="zstd", compression_level=1, row_group_size=ROWS_PER_GROUP, store_schema=False,
        use_dictionary=[name for name in stored.column_names if name not in rising],
        column_encoding=dict.fromkeys(rising, "DELTA_BINARY_PACKED"),
        write_statistics=[name for name in (*STATISTICS, table.time) if name in stored.column_names],
    )  # fmt: skip
    stats = json.dumps({"numRecords": rows.num_rows})
    return AddAction(str(relative), path.stat().st_size, values, 0, True, stats)


def _instants(rows: pa.Table) -> Iterator[str]:
    return (field.name for field in rows.schema if pa.types.is_timestamp(field.type))
