"""Parquet, row group by row group; text comes as codes of distinct values, which costs a fraction of text."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import types

from pipelines.errors import Refused
from pipelines.sources.table.chunks import LONGEST, NO_LINES, ROWS, Chunk, Layout, portions
from pipelines.sources.table.headers import refuse_confusable
from pipelines.sources.table.parsing import Values, codes_of, is_text, without

BUFFER = 1 << 20
CODES = pa.dictionary(pa.int32(), pa.string())


def read_chunks(file: Path, layout: Layout, dropped: frozenset[str]) -> Iterator[Chunk]:
    """The rows of a Parquet file; `lines` are row numbers from 1.

    Raises:
        Refused: it is not Parquet, is cut off or damaged, or holds a column whose type no table could take.
    """
    try:
        parquet = pq.ParquetFile(file)
        names = [name for name in parquet.schema_arrow.names if name not in dropped]
        refuse_confusable(parquet.schema_arrow.names, dropped, file.name)
        _refuse_types(parquet.schema_arrow, names, file.name)
        texts = [name for name in names if is_text(parquet.schema_arrow.field(name).type)]
        parquet = pq.ParquetFile(
            file, metadata=parquet.metadata, read_dictionary=texts, buffer_size=BUFFER, pre_buffer=False,
            page_checksum_verification=True,
        )  # fmt: skip
        yield from _numbered(parquet, names, layout, file.name)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise Refused(f"`{file.name}` is not readable as Parquet, or cut off. Export it again.") from error


def _numbered(parquet: pq.ParquetFile, names: list[str], layout: Layout, file: str) -> Iterator[Chunk]:
    schema = pa.schema([parquet.schema_arrow.field(name) for name in names])
    before = 0
    for portion in portions(parquet.iter_batches(ROWS, columns=names), schema):
        columns = {name: _sound_texts(portion[name], layout, name, file) for name in names}
        yield Chunk(pa.table(columns), np.arange(before + 1, before + 1 + len(portion)), NO_LINES)
        before += len(portion)


def _sound_texts(values: pa.ChunkedArray, layout: Layout, name: str, file: str) -> Values:
    """A column with its texts as codes, without those that mean no value; refused where one is no such text."""
    if not is_text(values.type):
        return values
    if values.type != CODES:
        values = values.cast(CODES)
    texts = codes_of(values).dictionary
    texts.validate(full=True)
    if (pc.max(pc.binary_length(texts)).as_py() or 0) > LONGEST:
        raise Refused(
            f"`{file}`: a value of `{name}` is longer than {LONGEST >> 20} MB. Leave it out, or drop the column."
        )
    if pc.any(pc.match_substring(texts, "\0")).as_py():
        raise Refused(f"`{file}`: a value of `{name}` holds a NUL byte. Export the file again.")
    return without(values, layout.missing)


def _refuse_types(schema: pa.Schema, names: list[str], file: str) -> None:
    strange = [name for name in names if not _is_flat(schema.field(name).type)]
    if strange:
        raise Refused(
            f"`{file}` has {len(strange)} columns of a nested, binary or unknown type: "
            f"{', '.join(f'`{name}`' for name in strange[:5])}. Flatten them, or list them under `drop:`."
        )


def _is_flat(kind: pa.DataType) -> bool:
    if types.is_dictionary(kind):
        return is_text(kind.value_type)
    return (
        is_text(kind) or types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
        or types.is_boolean(kind) or types.is_null(kind)
        or types.is_timestamp(kind) or types.is_date(kind) or types.is_time(kind)
    )  # fmt: skip
