"""Whether rows of subjects who withdrew are in the installation, though they should not be: a restored copy, say.

Files that were looked through are remembered with their size and time, so that the cost of looking grows with new
files and not with history; new tombstones make every file unknown again.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deltalake import DeltaTable

from pipelines import durable
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
        for table in _tables(installation):
            fresh = [path for path in _files(table) if known.get(_name(installation, path)) != _mark(path)]
            found |= tombstones.withdrawn(erasure.distinct_subjects(fresh, connection))
    for folder in deliveries.folders(installation.settings.deliveries_folder):
        if any(known.get(_name(installation, path)) != _mark(path) for path in folder.iterdir()):
            found |= tombstones.withdrawn(_delivered(folder))
    return found


def remember(installation: Installation, tombstones: Tombstones) -> None:
    """Note that the files as they are now hold nothing of anybody who withdrew."""
    paths = [path for table in _tables(installation) for path in _files(table)]
    for folder in deliveries.folders(installation.settings.deliveries_folder):
        paths.extend(map(str, folder.iterdir()))
    files = {_name(installation, path): _mark(path) for path in sorted(paths)}
    content = json.dumps({"tombstones": _digest(tombstones), "files": files}).encode()
    memory = _memory(installation)
    if not memory.is_file() or memory.read_bytes() != content:
        memory.parent.mkdir(parents=True, exist_ok=True)
        durable.replace(memory, content)


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
    memory = _memory(installation)
    noted = json.loads(memory.read_bytes()) if memory.is_file() else {}
    return noted["files"] if noted.get("tombstones") == _digest(tombstones) else {}


def _digest(tombstones: Tombstones) -> str:
    return hashlib.sha256("".join(tombstone.subject for tombstone in tombstones.all).encode()).hexdigest()


def _tables(installation: Installation) -> list[Path]:
    return [table for table in erasure.delta_tables(installation.lake) if "subject_id" in erasure.columns_of(table)]


def _files(table: Path) -> list[str]:
    return DeltaTable(str(table)).file_uris()


def _name(installation: Installation, path: str | Path) -> str:
    """A file's place in the installation, which may be moved."""
    return os.path.relpath(path, installation.settings.home)


def _mark(path: str | Path) -> str:
    """Size and time of a file: a restored copy differs in one of them."""
    told = Path(path).stat()
    return f"{told.st_size} {told.st_mtime_ns}"


def _delivered(folder: Path) -> set[str]:
    try:
        return set(deliveries.rows_held(folder)["subject_id"])
    except Refused:
        return set()  # unreadable; it is removed when somebody withdraws
