"""What files hold, as hashes: a file that did not change since it was last looked at is not read again."""

import hashlib
from pathlib import Path

from pipelines import memory

CHUNK = 1 << 20


class FileDigests:
    """Hashes of files' contents, remembered with inode, size and times of change in a file of the state folder."""

    def __init__(self, noted: Path) -> None:
        self._noted = noted
        self._known: dict[str, list[str]] = memory.recall(noted)
        self._seen: dict[str, list[str]] = {}

    def of(self, file: Path) -> str:
        """Hash of a file's content."""
        mark = mark_of(file)
        # By a hash of its path: folders of an export are often named after a subject.
        place = hashlib.sha256(str(file).encode()).hexdigest()
        known = self._known.get(place)
        digest = known[1] if known and known[0] == mark else sha256_of(file)
        self._seen[place] = [mark, digest]
        return digest

    def remember(self) -> None:
        """Keep what was found out for the next time; nothing is written where nothing is new."""
        merged = {**self._known, **self._seen}
        if merged != self._known:
            memory.remember(self._noted, merged)


def files_below(path: Path) -> list[Path]:
    """The file itself, or every file below a folder, in a stable order."""
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def mark_of(file: Path) -> str:
    """Inode, size and times of change: whoever touches a file changes one of them; a disk that rots does not."""
    told = file.stat()
    return f"{told.st_ino} {told.st_size} {told.st_mtime_ns} {told.st_ctime_ns}"


def sha256_of(file: Path) -> str:
    """Hash of a file's content, read in pieces."""
    digest = hashlib.sha256()
    with file.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
