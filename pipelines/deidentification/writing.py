"""Writing prepared files portion by portion: the same rows give the same bytes."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq


@contextmanager
def writer(path: Path, schema: pa.Schema, separator: str) -> Iterator[pa.csv.CSVWriter | pq.ParquetWriter]:
    """Something that takes tables of this schema and writes them as the ending of the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        with pq.ParquetWriter(path, schema) as parquet:
            yield parquet
        return
    options = pa.csv.WriteOptions(delimiter=separator)
    with path.open("wb") as handle:
        if path.suffix == ".gz":
            # Neither a time nor a name in the header: the same content packs to the same bytes.
            with (
                gzip.GzipFile("", "wb", 6, handle, mtime=0) as packed,
                pa.csv.CSVWriter(packed, schema, write_options=options) as csv,
            ):
                yield csv
        else:
            with pa.csv.CSVWriter(handle, schema, write_options=options) as csv:
                yield csv
