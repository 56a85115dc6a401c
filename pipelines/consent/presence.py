"""Whether rows of subjects who withdrew are in the installation, though they should not be: a restored copy, say.

Files that were looked through are remembered with their size and time, so that the cost of looking grows with new
files and not with history; new tombstones make every file unknown again, and so does a memory that is damaged.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from deltalake import DeltaTable

from pipelines import durable, memory
from pipelines.consent import erasure
from pipelines.consent.tombstones import Tombstones
from pipelines.delivery import erasure as deliveries
from pipelines.errors import Refused
from pipelines.installation import Installation

Marks = dict[str, str]


def withdrawn_here(installation: Installation, tombstones: Tombstones) -> set[str]:
    """Ids of subjects who withdrew and have rows in a table of the lake or in a delivery, among files not seen before."""
    known = _remembered(installation, tombstones)
    found: set[str] = set()
    with installation.lake.connection() as connection:
        for files in _tables(installation):
            fresh = [path for path, (name, mark) in _marks(installation, files).items() if known.get(name) != mark]
            found |= tombstones.withdrawn(erasure.distinct_subjects(fresh, connection))
    for folder, files in _deliveries(installation).items():
        if any(known.get(name) != mark for name, mark in _marks(installation, files).values()):
            found |= tombstones.withdrawn(_delivered(folder))
    return found


def remember(installation: Installation, tombstones: Tombstones) -> None:
    """Note that the files as they are now hold nothing of anybody who withdrew."""
    paths = [path for files in (*_tables(installation), *_deliveries(installation).values()) for path in files]
    noted = {"tombstones": _digest(tombstones), "files": dict(sorted(_marks(installation, paths).values()))}
    if memory.recall(_memory(installation)) != noted:
        memory.remember(_memory(installation), noted)


@contextmanager
def unfinished(installation: Installation) -> Iterator[None]:
    """Leave a mark while rows are being erased; it outlives a kill, beside the tombstones."""
    marker = _marker(installation)
    durable.write(marker, [])
    durable.sync_folder(marker.parent)
    yield
    marker.unlink()


def is_unfinished(installation: Installation) -> bool:
    """Whether an erasure was cut off."""
    return _marker(installation).exists()


def _marker(installation: Installation) -> Path:
    return installation.settings.consent_folder / "unfinished"


def _memory(installation: Installation) -> Path:
    return installation.settings.state_folder / "withdrawals-checked.json"


def _remembered(installation: Installation, tombstones: Tombstones) -> Marks:
    noted = memory.recall(_memory(installation))
    files: Marks = noted.get("files", {})
    return files if noted.get("tombstones") == _digest(tombstones) else {}


def _digest(tombstones: Tombstones) -> str:
    return hashlib.sha256("".join(tombstone.subject for tombstone in tombstones.all).encode()).hexdigest()


def _tables(installation: Installation) -> list[list[str]]:
    """Files of each table of the lake that is about subjects."""
    tables = [DeltaTable(str(folder)) for folder in erasure.delta_tables(installation.lake)]
    return [table.file_uris() for table in tables if "subject_id" in {field.name for field in table.schema().fields}]


def _deliveries(installation: Installation) -> dict[Path, list[str]]:
    """Files of each delivery."""
    settings = installation.settings
    roots = (settings.deliveries_folder, *settings.backtests_folder.glob("*/deliveries"))
    folders = [folder for root in roots for folder in deliveries.folders(root)]
    return {folder: [str(path) for path in folder.iterdir()] for folder in folders}


def _marks(installation: Installation, paths: Iterable[str]) -> dict[str, tuple[str, str]]:
    """By path a file's place in the installation, which may be moved, and its size and time: a restored copy differs."""
    home, marks = f"{installation.settings.home.resolve()}{os.sep}", {}
    for path in paths:
        told = os.stat(path)  # noqa: PTH116  (ten thousand `Path`s take longer to make than to ask)
        marks[path] = path.removeprefix(home), f"{told.st_size} {told.st_mtime_ns}"
    return marks


def _delivered(folder: Path) -> set[str]:
    try:
        return set(deliveries.rows_held(folder)["subject_id"])
    except Refused:
        return set()  # unreadable; it is removed when somebody withdraws
