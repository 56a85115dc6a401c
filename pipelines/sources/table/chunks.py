"""Files in portions that fit into memory, whatever their size: source columns by name, and the line of each row."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.sources.table.mapping import FileMapping

ROWS = 500_000
BYTES = 64 << 20
# No value of a table is longer: a longer one is a lost quotation mark, or an attack.
LONGEST = 1 << 20
NO_LINES: NDArray[np.int64] = np.array([], np.int64)


@dataclass(frozen=True)
class Layout:
    """How a file is to be read: entries of a mapping with equal layouts for one file share its reading."""

    separator: str
    encoding: str
    missing: tuple[str, ...]

    @classmethod
    def of(cls, mapped: FileMapping) -> "Layout":
        """What an entry of a mapping declares."""
        return cls(mapped.separator, mapped.encoding, mapped.missing)


@dataclass(frozen=True)
class Chunk:
    """Rows of a file as they stand there; `lines` of shape (rows,), `ragged` the lines that are no rows."""

    rows: pa.Table
    lines: NDArray[np.int64]
    ragged: NDArray[np.int64]


def portions(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Batches put together until they are worth a portion; one without rows if there are none."""
    gathered: list[pa.RecordBatch] = []
    rows = size = 0
    is_first = True
    for batch in batches:
        gathered.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows >= ROWS or size >= BYTES:
            yield pa.Table.from_batches(gathered, schema)
            gathered, rows, size, is_first = [], 0, 0, False
    if gathered or is_first:
        yield pa.Table.from_batches(gathered, schema)
