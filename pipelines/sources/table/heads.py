"""The first bytes of a CSV: what the file really is, in which encoding, and the names of its columns."""

import codecs
import csv
import gzip
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from pipelines.errors import Refused
from pipelines.sources.archive import MOST_RATIO, RATIO_COUNTS_FROM
from pipelines.sources.table.chunks import Layout

HEAD = 1 << 20
# First bytes of what is sometimes named .csv and is none.
FOREIGN = {
    b"PAR1": "Parquet. Name it .parquet",
    b"\x1f\x8b": "gzip. Name it .csv.gz",
    b"PK\x03\x04": "a zip or a spreadsheet. Name it .zip, or export it as CSV",
    b"\xd0\xcf\x11\xe0": "a spreadsheet. Export it as CSV",
    b"SQLite": "a database. Export it as CSV",
    b"%PDF": "PDF. Export it as CSV",
}
# A gzip file that is cut off or damaged says so in one of these.
UNPACKABLE = (OSError, EOFError, zlib.error)
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Head:
    """Names of the columns, and how many lines they take."""

    names: tuple[str, ...]
    lines: int


class _Unpacked(io.RawIOBase):
    """A gzip file as bytes, refused as soon as it proves to be a bomb."""

    def __init__(self, file: Path) -> None:
        self._file, self._packed, self._bytes = file, file.stat().st_size, 0
        self._stream = gzip.GzipFile(file)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        count = self._stream.readinto(buffer)
        self._bytes += count
        if self._bytes > RATIO_COUNTS_FROM and self._bytes > MOST_RATIO * self._packed:
            raise Refused(f"`{self._file.name}` unpacks to more than {MOST_RATIO} times its size. Send it unpacked.")
        return count

    def close(self) -> None:
        self._stream.close()
        super().close()


def open_bytes(file: Path) -> BinaryIO:
    """The content of a file, unpacked where its name ends in `.gz`."""
    if file.suffix.lower() == ".gz":
        return cast(BinaryIO, io.BufferedReader(_Unpacked(file), HEAD))
    return file.open("rb")


def head_of(file: Path, layout: Layout) -> Head:
    """The header of a CSV file.

    Raises:
        Refused: it is something else than text of the declared encoding with a header line; says what and the cure.
    """
    try:
        with open_bytes(file) as stream:
            start = stream.read(HEAD)
    except UNPACKABLE as error:
        raise Refused(f"`{file.name}` is cut off or damaged: it cannot be read. Export it again.") from error
    _refuse_foreign(start, file.name, layout.encoding)
    text = _decoded(start, file, layout.encoding)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=layout.separator)
        names = tuple(next(reader, ()))
    except csv.Error:
        names = ()
    if not any(names) or (len(start) == HEAD and reader.line_num == text.count("\n") + 1):
        raise Refused(
            f"`{file.name}` is not readable as {layout.encoding.upper()} CSV with a header line: its first line names "
            "no columns. Export it again."
        )
    return Head(names, reader.line_num)


def _refuse_foreign(start: bytes, file: str, encoding: str) -> None:
    for mark, kind in FOREIGN.items():
        if start.startswith(mark):
            raise Refused(f"`{file}` is not CSV but {kind}.")
    is_declared = encoding.lower().replace("_", "-").startswith(("utf-16", "utf16", "utf-32"))
    if start.startswith(UTF_16_MARKS) and not is_declared:
        raise Refused(
            f"`{file}` is UTF-16, not UTF-8 CSV. Export it again, or declare `encoding: utf-16` in the mapping."
        )
    if b"\0" in start and not is_declared:
        line = start[: start.index(b"\0")].count(b"\n") + 1
        raise Refused(
            f"`{file}` line {line} holds NUL bytes. If it is UTF-16, declare `encoding: utf-16-le`; else export it again."
        )


def _decoded(start: bytes, file: Path, encoding: str) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(start).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise not_of_its_encoding(file, encoding) from None


def not_of_its_encoding(file: Path, encoding: str) -> Refused:
    """The refusal of a file whose bytes are not text of the declared encoding, with the first such line."""
    line = _line_that_is_not(file, encoding)
    at = "" if line is None else f" line {line}"
    return Refused(
        f"`{file.name}`{at} is not {encoding}. Declare `encoding:` in the mapping, for example latin-1 or utf-16, "
        "or export the file as UTF-8 CSV."
    )


def _line_that_is_not(file: Path, encoding: str) -> int | None:
    """The first line that cannot be decoded; None where lines are not told apart by one byte."""
    if "16" in encoding or "32" in encoding:
        return None
    with open_bytes(file) as stream:
        for number, line in enumerate(iter(lambda: stream.readline(HEAD), b""), 1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError:
                return number
    return None
