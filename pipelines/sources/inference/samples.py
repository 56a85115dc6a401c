"""Some rows of every kind of file below a folder: files of equal columns in equally named folders are one kind."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.errors import Refused
from pipelines.sources.archive import open_source
from pipelines.sources.table.chunks import Layout
from pipelines.sources.table.formats import read_chunks
from pipelines.sources.table.heads import UTF_16_MARKS, head_of, open_bytes
from pipelines.sources.table.mapping import NO_VALUE

ROWS = 10_000
SEPARATORS = (",", ";", "\t", "|")
PARQUET = (".parquet", ".pq")
TEXT = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class Sample:
    """One kind of file: the pattern that finds its files, how many there are, and the first rows of one."""

    pattern: str
    files: int
    layout: Layout
    rows: pa.Table


@dataclass(frozen=True)
class Unread:
    """A file that could not be looked at, and why."""

    pattern: str
    why: str


def samples(path: Path) -> Iterator[Sample | Unread]:
    """Every kind of CSV and Parquet file at a path, in the order of their names; zips are looked into.

    Raises:
        Refused: there is none.
    """
    with open_source(path, lambda name: _is_table(PurePosixPath(name))) as folder:
        files = [folder] if folder.is_file() else sorted(file for file in folder.rglob("*") if file.is_file())
        tables = [file for file in files if _is_table(file)]
        if not tables:
            raise Refused(f"`{path.name}` holds no CSV or Parquet file. Name the folder, zip or file of the export.")
        kinds: dict[object, list[Path]] = {}
        for file in tables:
            kinds.setdefault(_kind(file), []).append(file)
        for same in kinds.values():
            yield _sample(same, folder)


def _is_table(file: Path | PurePosixPath) -> bool:
    suffixes = [suffix.lower() for suffix in file.suffixes]
    return suffixes[-1:] in ([ending] for ending in (*PARQUET, *TEXT)) or (
        suffixes[-1:] == [".gz"] and suffixes[-2:-1] in ([ending] for ending in TEXT)
    )


def _kind(file: Path) -> object:
    """What files of one kind share: the name of their folder, their ending, and their columns."""
    try:
        if file.suffix.lower() in PARQUET:
            return file.parent.name, file.suffix, tuple(pq.read_schema(file).names)
        with open_bytes(file) as stream:
            return file.parent.name, tuple(file.suffixes[-2:]), stream.readline(1 << 20)
    except (Refused, OSError, EOFError, pa.ArrowException):
        return file


def _sample(files: list[Path], folder: Path) -> Sample | Unread:
    pattern, first = _pattern(files, folder), files[0]
    try:
        layout, rows = _first_rows(first)
    except Refused as refusal:
        return Unread(pattern, str(refusal))
    return Sample(pattern, len(files), layout, rows)


def _pattern(files: list[Path], folder: Path) -> str:
    """The path of one file, or a pattern for several: what the names have in common before their first digit."""
    if folder.is_file():
        return folder.name
    paths = [file.relative_to(folder) for file in files]
    if len(paths) == 1:
        return paths[0].as_posix()
    begin = re.split(r"\d", os.path.commonprefix([path.name for path in paths]))[0]
    suffixes = files[0].suffixes[-2:] if files[0].suffix.lower() == ".gz" else files[0].suffixes[-1:]
    ending = "".join(suffixes)
    name = f"{begin.removesuffix(ending)}*{ending}"
    parents = {path.parent for path in paths}
    if len(parents) == 1:
        return (parents.pop() / name).as_posix()
    return f"**/{paths[0].parent.name}/{name}"


def _first_rows(file: Path) -> tuple[Layout, pa.Table]:
    """How a file is read, found by trying, and its first rows."""
    if file.suffix.lower() in PARQUET:
        return _rows(file, Layout(",", "utf-8", NO_VALUE))
    try:
        with open_bytes(file) as stream:
            encodings = ("utf-16",) if stream.read(2) in UTF_16_MARKS else ("utf-8", "latin-1")
    except (OSError, EOFError):
        encodings = ("utf-8",)
    refusals = []
    for encoding in encodings:
        try:
            # The right separator is the one that makes most columns.
            layouts = [Layout(separator, encoding, NO_VALUE) for separator in SEPARATORS]
            return _rows(file, max(layouts, key=lambda layout: len(head_of(file, layout).names)))
        except Refused as refusal:
            refusals.append(refusal)
    raise refusals[0]


def _rows(file: Path, layout: Layout) -> tuple[Layout, pa.Table]:
    chunk = next(iter(read_chunks(file, layout, frozenset())))
    return layout, chunk.rows.slice(0, ROWS)
