"""CSV, block by block: every value as text, every row with the line it begins on, lines that are no rows set apart."""

import codecs
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from pipelines.errors import Refused
from pipelines.sources.table.chunks import LONGEST, NO_LINES, Chunk, Layout, portions
from pipelines.sources.table.headers import refuse_confusable
from pipelines.sources.table.heads import UNPACKABLE, Head, head_of, not_of_its_encoding, open_bytes

BLOCK = 4 << 20
# A file of which so many lines are no rows is not the CSV that its mapping describes.
RAGGED_MOST = 100_000
MEND = "Export the file again, or mend that line."


def read_chunks(file: Path, layout: Layout, dropped: frozenset[str]) -> Iterator[Chunk]:
    """The rows of a CSV file with a header line, packed or not.

    Blank lines are passed over. A line with another number of fields than the header is no row and is told by its
    line; a quotation mark that never closes ends up as one.

    Raises:
        Refused: it is no CSV of the declared separator and encoding; names the line where there is one.
    """
    head = head_of(file, layout)
    refuse_confusable(list(head.names), dropped, file.name)
    lines = _Lines(head)
    try:
        with open_bytes(file) as stream:
            reader = pa.csv.open_csv(stream, *_options(layout, head, dropped, lines))
            for rows in portions(iter(reader), reader.schema):
                yield _checked(rows, lines, file.name)
            if len(rest := lines.rest()):
                yield Chunk(reader.schema.empty_table(), NO_LINES, rest)
    except (pa.ArrowException, UnicodeDecodeError, *UNPACKABLE) as error:
        # Not chained: Arrow's messages quote the file.
        raise _refusal(file, layout, error, lines) from None


def _options(layout: Layout, head: Head, dropped: frozenset[str], lines: "_Lines") -> tuple[object, ...]:
    names = [name for name in head.names if name not in dropped]
    return (
        # Only a serial reader says which row it could not take.
        pa.csv.ReadOptions(use_threads=False, block_size=BLOCK, encoding=_checked_encoding(layout.encoding)),
        pa.csv.ParseOptions(
            delimiter=layout.separator, newlines_in_values=True, ignore_empty_lines=False,
            invalid_row_handler=lines.note_ragged,
        ),
        pa.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), include_columns=names, null_values=list(layout.missing),
            strings_can_be_null=True,
        ),
    )  # fmt: skip


def _checked_encoding(encoding: str) -> str:
    """Arrow takes UTF-8 as it comes, and then fails on a line that is neither a row nor text; decoded, it is checked."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


class _Lines:
    """Which line each row begins on: rows are counted, lines that are no rows and line ends within values added."""

    def __init__(self, head: Head) -> None:
        self._next_row = 2
        self._shift = head.lines - 1
        self._ragged: list[int] = []

    def note_ragged(self, row: pa.csv.InvalidRow) -> str:
        """Called by the reader for each line with more or fewer fields than the header."""
        self._ragged.append(row.number)
        return "skip" if len(self._ragged) <= RAGGED_MOST else "error"

    def number(self, rows: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Lines of the next rows, and of what stood between them and was no row."""
        ragged = np.array(self._ragged, np.int64)
        numbers = np.arange(self._next_row, self._next_row + len(rows) + len(ragged))
        numbers = numbers[~np.isin(numbers, ragged)][: len(rows)] if len(ragged) else numbers
        last = int(numbers[-1]) if len(numbers) else self._next_row - 1
        within = _line_ends(rows)
        shift = self._shift + np.concatenate([[0], np.cumsum(within)])
        passed = ragged[ragged < last]
        passed_lines = passed + shift[np.searchsorted(numbers, passed)]
        self._ragged = [number for number in self._ragged if number > last]
        self._next_row, self._shift = last + 1, int(shift[-1])
        return numbers + shift[:-1], passed_lines

    @property
    def are_lost(self) -> bool:
        """Whether so many lines were no rows that reading was given up."""
        return len(self._ragged) > RAGGED_MOST

    def rest(self) -> NDArray[np.int64]:
        """Lines after the last row that are no rows."""
        return np.array(self._ragged, np.int64) + self._shift


def _line_ends(rows: pa.Table) -> NDArray[np.int64]:
    """How many line ends each row holds within its values."""
    found = np.zeros(len(rows), np.int64)
    for values in rows.columns:
        if any(_holds(part, b"\n") for part in values.chunks):
            found += pc.count_substring(values, "\n").fill_null(0).to_numpy()
    return found


def _holds(values: pa.StringArray, byte: bytes) -> bool:
    """Whether a byte stands anywhere in the texts; one pass over the memory they lie in."""
    content = values.buffers()[2]
    return content is not None and bool((np.frombuffer(content, np.uint8) == byte[0]).any())


def _checked(rows: pa.Table, lines: _Lines, file: str) -> Chunk:
    """Rows with their lines, without blank ones; refused where a value is no text or far too long."""
    of_row, ragged = lines.number(rows)
    for name, values in zip(rows.column_names, rows.columns, strict=True):
        longest = pc.max(pc.binary_length(values)).as_py() or 0
        if longest > LONGEST:
            at = of_row[pc.fill_null(pc.greater(pc.binary_length(values), LONGEST), False).to_numpy()]
            raise Refused(f"`{file}` line {at[0]}: a value of `{name}` is longer than {LONGEST >> 20} MB. {MEND}")
        if any(_holds(part, b"\0") for part in values.chunks):
            at = of_row[pc.fill_null(pc.match_substring(values, "\0"), False).to_numpy()]
            raise Refused(f"`{file}` line {at[0]}: a value of `{name}` holds a NUL byte. {MEND}")
    is_row = _has_values(rows)
    if is_row is None:
        return Chunk(rows, of_row, ragged)
    return Chunk(rows.filter(is_row), of_row[is_row.to_numpy(zero_copy_only=False)], ragged)


def _has_values(rows: pa.Table) -> pa.Array | None:
    """Which rows have any value at all; None if every one has."""
    if any(values.null_count == 0 for values in rows.columns):
        return None
    given = [pc.is_valid(values).combine_chunks() for values in rows.columns]
    return pa.array(np.logical_or.reduce([one.to_numpy(zero_copy_only=False) for one in given]))


def _refusal(file: Path, layout: Layout, error: Exception, lines: _Lines) -> Refused:
    """What is wrong with a file that could not be read to its end, with the line where one can be told."""
    if lines.are_lost:
        return Refused(
            f"`{file.name}` has more than {RAGGED_MOST} lines with another number of fields than its header. "
            "Check `separator:` in the mapping, or export it again."
        )
    if isinstance(error, UNPACKABLE) and not isinstance(error, pa.ArrowException):
        return Refused(f"`{file.name}` is cut off or damaged: it cannot be read to its end. Export it again.")
    if "straddling" in str(error):
        return Refused(
            f"`{file.name}`: a value is longer than {BLOCK >> 20} MB, or a quotation mark is missing. {MEND}"
        )
    if isinstance(error, UnicodeDecodeError) or "UTF8" in str(error):
        return not_of_its_encoding(file, layout.encoding)
    return Refused(
        f"`{file.name}` is not readable as {layout.encoding.upper()} CSV with a header line. Export it again."
    )
