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
import pandas as pd
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
# Shorter runs of one partition are sorted together: cutting each out would cost more.
FEWEST_ROWS_PER_RUN = 500

Codes = NDArray[np.int32]


def write_pieces(folder: Path, table: Table, rows: pa.Table) -> list[AddAction]:
    """Write rows, which carry `bucket` and `month`, as one file per partition below the folder of a Delta table."""
    if rows.num_rows == 0:
        return []
    with ThreadPoolExecutor(WRITERS) as pool:
        return list(pool.map(lambda part: _write_piece(folder, table, part), _by_partition(rows, table)))


def write_parts(folder: Path, frames: Iterable[pd.DataFrame]) -> tuple[list[AddAction], pa.Schema]:
    """Write the parts of a derived table as they come, named in their order; all have the first one's columns."""
    parts: list[AddAction] = []
    schema = pa.schema([])
    for frame in frames:
        content = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
        schema = schema if parts else content.schema
        path = folder / f"part-{len(parts):05}-{uuid.uuid4().hex}.parquet"
        # Real numbers hardly compress: a fast code, and no dictionary of them.
        words = [field.name for field in schema if not pa.types.is_floating(field.type)]
        pq.write_table(content.cast(schema), path, compression="lz4", row_group_size=ROWS_PER_GROUP, store_schema=False,
                       use_dictionary=words, write_statistics=False, write_page_checksum=True)  # fmt: skip
        stats = json.dumps({"numRecords": content.num_rows})
        parts.append(AddAction(path.name, path.stat().st_size, {}, 0, True, stats))
    return parts, schema


def remove_pieces(folder: Path, pieces: Iterable[AddAction]) -> None:
    """Take away files that no commit names."""
    for piece in pieces:
        (folder / piece.path).unlink(missing_ok=True)


def codes(column: pa.ChunkedArray) -> Codes:
    """A number per distinct value; missing values have one of their own."""
    encoded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
    whole = encoded.unify_dictionaries().combine_chunks()
    whole = whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole
    return pc.fill_null(whole.indices, -1).to_numpy(zero_copy_only=False).astype(np.int32) + np.int32(1)


def _by_partition(rows: pa.Table, table: Table) -> Iterator[pa.Table]:
    """The rows of each partition, sorted by subject and time."""
    months = codes(rows["month"])
    partitions = rows["bucket"].to_numpy().astype(np.int32) * (months.max() + 1) + months
    subjects = codes(rows["subject_id"])
    # Repeats hold keys alone: a time that is no part of the key is not among them.
    is_timed = table.time in rows.column_names
    times = rows[table.time].cast(_whole(rows[table.time].type)).to_numpy() if is_timed else np.zeros(len(rows))
    if not _is_sorted(subjects, times):
        order = np.lexsort((times, subjects))
        rows, partitions = rows.take(pa.array(order)), partitions[order]
    starts = np.flatnonzero(np.diff(partitions, prepend=-1))
    if len(starts) * FEWEST_ROWS_PER_RUN > rows.num_rows:
        order = np.argsort(partitions, kind="stable")
        rows, partitions = rows.take(pa.array(order)), partitions[order]
        starts = np.flatnonzero(np.diff(partitions, prepend=-1))
    # Runs are cut out without copying them; a partition's runs stay in the order of subjects and times.
    runs = pd.DataFrame({"partition": partitions[starts], "start": starts, "end": [*starts[1:], rows.num_rows]})
    for _, part in runs.groupby("partition"):
        yield pa.concat_tables(
            rows.slice(start, end - start) for start, end in zip(part["start"], part["end"], strict=True)
        )


def _whole(time: pa.DataType) -> pa.DataType:
    return pa.int32() if pa.types.is_date32(time) else pa.int64()


def _is_sorted(subjects: Codes, times: NDArray[np.number]) -> bool:
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
    stored = _with_own_words(rows.drop_columns(list(PARTITION)))
    rising = [name for name in _instants(stored) if name != "received_at"]
    pq.write_table(
        stored, path, compression="zstd", compression_level=1, row_group_size=ROWS_PER_GROUP, store_schema=False,
        use_dictionary=[name for name in stored.column_names if name not in rising],
        column_encoding=dict.fromkeys(rising, "DELTA_BINARY_PACKED"),
        write_statistics=[name for name in (*STATISTICS, table.time) if name in stored.column_names], write_page_checksum=True,
    )  # fmt: skip
    stats = json.dumps({"numRecords": rows.num_rows})
    return AddAction(str(relative), path.stat().st_size, values, 0, True, stats)


def _with_own_words(rows: pa.Table) -> pa.Table:
    """The rows with dictionaries of the words that stand in them: Arrow writes the whole dictionary of a slice, and
    with it ids of subjects who have no row in the piece, so that an erasure would not find them."""
    for at, name in enumerate(rows.column_names):
        column = rows[name].combine_chunks()
        if pa.types.is_dictionary(column.type) and len(column.dictionary) > 1:
            indices = pc.fill_null(column.indices, 0).to_numpy(zero_copy_only=False)
            used = np.flatnonzero(np.bincount(indices, minlength=len(column.dictionary)))
            place = np.zeros(len(column.dictionary), np.int32)
            place[used] = np.arange(len(used), dtype=np.int32)
            own = pa.array(place[indices], mask=column.is_null().to_numpy(zero_copy_only=False))
            words = column.dictionary.take(pa.array(used))
            rows = rows.set_column(at, name, pa.DictionaryArray.from_arrays(own, words))
    return rows


def _instants(rows: pa.Table) -> Iterator[str]:
    return (field.name for field in rows.schema if pa.types.is_timestamp(field.type))
