"""Finds the published row that a `score_id` names, and reads it only from a delivery that was verified."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.delivery import contract, manifest, parquet
from pipelines.delivery.erasure import rows_held
from pipelines.delivery.nights import age, runs
from pipelines.delivery.verify import verify
from pipelines.errors import Refused
from pipelines.raw_rows import sql_list

Row = dict[str, Any]


@dataclass(frozen=True)
class Delivered:
    """A row as it was delivered, in the contract's types, the manifest of its delivery, and whether that is in force."""

    row: Row
    manifest: dict[str, Any]
    is_in_force: bool


@dataclass(frozen=True)
class Search:
    """What came of a search: the row, if any delivery has it, and how many deliveries could not be searched."""

    found: Delivered | None
    damaged: int = 0


def find(root: Path, score_id: str) -> Search:
    """The newest delivery's row of this id.

    Only the column of ids is scanned; the delivery that has it is verified whole before the row is read.

    Raises:
        Refused: the delivery that has it is damaged, or holds no Parquet, so that the row cannot be read as it was typed.
    """
    newest_first = sorted(runs(root), key=age, reverse=True)
    holding = {folder for folder in newest_first if not (folder / parquet.NAME).is_file() and _holds(folder, score_id)}
    holding |= set(_with_it([folder for folder in newest_first if (folder / parquet.NAME).is_file()], score_id))
    for folder in newest_first:
        if folder in holding:
            return Search(_read(folder, score_id))
    return Search(None, sum(_is_damaged(folder) for folder in newest_first))


def _with_it(searched: list[Path], score_id: str) -> Iterator[Path]:
    """Which of the deliveries have it in their Parquet; all at once, one by one where a damaged one is among them."""
    paths = [str(folder / parquet.NAME) for folder in searched]
    try:
        yield from (Path(path).parent for path in _scan(paths, score_id))
    except duckdb.Error:
        for path in paths:
            try:
                yield from (Path(found).parent for found in _scan([path], score_id))
            except duckdb.Error:
                continue  # counted with those that could not be searched


def _scan(paths: list[str], score_id: str) -> list[str]:
    if not paths:
        return []
    with duckdb.connect() as connection:
        asked = f"SELECT DISTINCT filename FROM read_parquet({sql_list(paths)}, filename = true) WHERE score_id = ?"
        return [path for (path,) in connection.execute(asked, [score_id]).fetchall()]


def _holds(folder: Path, score_id: str) -> bool:
    """Whether a delivery without Parquet has it."""
    try:
        return bool((rows_held(folder)["score_id"] == score_id).any())
    except Refused:
        return False


def _read(folder: Path, score_id: str) -> Delivered:
    report, path = verify(folder), folder / parquet.NAME
    if report.faults:
        raise Refused(
            f"The delivery of {folder.parent.name} that has this score is damaged, so nothing of it is told. {report.faults[0]}"
        )
    if not path.is_file():
        raise Refused(
            f"The delivery of {folder.parent.name} has this score, but holds no {parquet.NAME}, so that it cannot be compared. "
            "Put `parquet` among `delivery: formats:`."
        )
    rows = pq.read_table(path, page_checksum_verification=True, filters=[("score_id", "=", score_id)])
    (row,) = rows.cast(contract.SCHEMA).to_pylist()
    _, is_in_force, _ = age(folder)
    return Delivered(row, manifest.read(folder), is_in_force)


def _is_damaged(folder: Path) -> bool:
    """Whether the ids of a delivery cannot be relied on: its manifest, or the file that was searched."""
    try:
        listed = {file["name"]: file for file in manifest.read(folder)["files"]}
        path = folder / parquet.NAME
        return parquet.NAME in listed and not _is_listed(path, listed[parquet.NAME])
    except Refused:
        return True


def _is_listed(path: Path, file: dict[str, Any]) -> bool:
    if not path.is_file() or path.stat().st_size != file["bytes"]:
        return False
    try:
        # Every page of the searched column against its checksum; hashing all files of all nights would take minutes.
        pq.read_table(path, columns=["score_id"], page_checksum_verification=True)
    except (OSError, pa.ArrowException):
        return False
    return True
