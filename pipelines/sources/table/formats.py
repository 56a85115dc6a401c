"""Which reader takes a file: by its name, and whatever is inside is checked against it."""

from collections.abc import Iterator
from pathlib import Path

from pipelines.sources.table import delimited, parquet
from pipelines.sources.table.chunks import Chunk, Layout


def read_chunks(file: Path, layout: Layout, dropped: frozenset[str]) -> Iterator[Chunk]:
    """The rows of a CSV or Parquet file, portion by portion, at least one; dropped columns are not read.

    Raises:
        Refused: the file is not what its name says, damaged, or its columns cannot be told apart.
    """
    if file.suffix.lower() in (".parquet", ".pq"):
        return parquet.read_chunks(file, layout, dropped)
    return delimited.read_chunks(file, layout, dropped)
