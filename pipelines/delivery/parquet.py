"""The reference format: Parquet with a checksum on every page, so that a flipped bit is an error and not a number."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import Refused

NAME = "scores.parquet"


def chunks(table: pa.Table) -> Iterator[bytes]:
    """The file's bytes; the same for the same rows and the same pyarrow."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True, store_schema=False)
    yield memoryview(sink.getvalue())  # type: ignore[misc]


def read(path: Path) -> pd.DataFrame:
    """The rows of a delivered file, every page's checksum verified.

    Raises:
        Refused: the file is truncated or altered, or not Parquet.
    """
    rows: pd.DataFrame = table(path).to_pandas()
    return rows


def table(path: Path) -> pa.Table:
    """The same as an Arrow table."""
    try:
        return pq.read_table(path, page_checksum_verification=True, use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise Refused(
            f"`{path.name}` is damaged or no Parquet file. Fetch the delivery again, or score anew."
        ) from error
