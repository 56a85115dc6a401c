"""Zips as folders: unpacked within limits, or refused before anything of them is believed.

What a zip says about itself (sizes, counts, names) is the sender's word. Limits are therefore kept while bytes come
out, not by the header. Messages name the zip and the number of a member, never a member's name: it may be a person's.
Readers of single formats belong elsewhere.
"""

import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from pipelines.errors import Refused

CHUNK = 1 << 20
# Minutes of a wearable, text as repetitive as any, are packed 20:1 to 35:1; a bomb 1000:1.
MOST_RATIO = 250
# Below this a high ratio harms nobody.
RATIO_COUNTS_FROM = 64 << 20
MOST_BYTES_A_MEMBER = 16 << 30
MOST_BYTES = 64 << 30
# The directory of a zip is held in memory whole: about a million members.
MOST_DIRECTORY_BYTES = 64 << 20
ENCRYPTED = 0x1
END, END_64, LOCATOR_64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
END_BYTES, LONGEST_COMMENT = 22, 0xFFFF
UNREADABLE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, struct.error, RuntimeError)


def everything(name: str) -> bool:
    """Wants every member."""
    return True


@contextmanager
def open_source(path: Path, is_wanted: Callable[[str], bool] = everything) -> Iterator[Path]:
    """A folder with the files at `path`: itself, or of a zip its wanted members, unpacked until the block ends.

    A file that is no zip is given as it is. Members that nobody wants are never unpacked.

    Raises:
        Refused: the zip is broken, encrypted, too large, or holds links or paths that lead out of it.
    """
    if path.is_dir() or path.suffix.lower() != ".zip":
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="foretide-") as folder:
        with _opened(path) as archive:
            _unpack(archive, path, Path(folder), is_wanted)
        yield Path(folder)


def names_in(path: Path) -> list[str]:
    """Names of all files in a folder or zip, relative to it, with `/`, sorted.

    Raises:
        Refused: see `open_source`.
    """
    if path.is_dir():
        return sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    with _opened(path) as archive:
        return sorted(member.filename for _, member in _files(archive, path))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        _refuse_long_directory(path)
        with zipfile.ZipFile(path) as archive:
            yield archive
    except UNREADABLE:
        # Not chained: these errors quote names of members.
        raise Refused(f"`{path.name}` is not a whole zip. Fetch it again, or unpack it and name the folder.") from None


def _refuse_long_directory(path: Path) -> None:
    with path.open("rb") as handle:
        size = path.stat().st_size
        handle.seek(max(0, size - END_BYTES - LONGEST_COMMENT))
        tail = handle.read()
        at = tail.rfind(END)
        if at < 0:
            raise zipfile.BadZipFile
        length = struct.unpack_from("<I", tail, at + 12)[0]
        if tail[at - 20 : at - 16] == LOCATOR_64:
            handle.seek(struct.unpack_from("<Q", tail, at - 12)[0])
            record = handle.read(56)
            length = struct.unpack_from("<Q", record, 40)[0] if record.startswith(END_64) else length
    if length > MOST_DIRECTORY_BYTES:
        raise Refused(f"`{path.name}` lists more members than any export has. Unpack it and name the folder.")


def _files(archive: zipfile.ZipFile, path: Path) -> Iterator[tuple[int, zipfile.ZipInfo]]:
    """Number, counted from 1, and entry of each file; the whole zip is refused for one member that is out of order."""
    seen: set[str] = set()
    for number, member in enumerate(archive.infolist(), start=1):
        fault = _fault(member) or ("has the name of another one" if member.filename in seen else None)
        if fault:
            raise Refused(
                f"`{path.name}`: member {number} {fault}. Unpack it yourself, look at it, and name the folder."
            )
        seen.add(member.filename)
        if not member.is_dir():
            yield number, member


def _fault(member: zipfile.ZipInfo) -> str | None:
    name, mode = member.filename, member.external_attr >> 16
    parts = PurePosixPath(name).parts
    if (
        ".." in parts
        or PurePosixPath(name).is_absolute()
        or "\\" in name
        or ":" in name[:2]
        or "\0" in member.orig_filename
    ):
        return "has a path that leads out of the zip"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if member.flag_bits & ENCRYPTED:
        return "is encrypted"
    return None


def _unpack(archive: zipfile.ZipFile, path: Path, folder: Path, is_wanted: Callable[[str], bool]) -> None:
    total = 0
    packed = path.stat().st_size
    for number, member in _files(archive, path):
        if not is_wanted(member.filename):
            continue
        target = folder / member.filename
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            # Never over another member: a name may be a file in one and a folder in the next.
            with archive.open(member) as source, target.open("xb") as sink:
                written = 0
                while chunk := source.read(CHUNK):
                    written += len(chunk)
                    total += len(chunk)
                    _refuse_bomb(path, number, written, total, packed)
                    sink.write(chunk)
        except OSError:
            raise Refused(
                f"`{path.name}`: member {number} cannot be unpacked: its name is too long, or the disk for temporary "
                "files (TMPDIR) is full. Make room, or unpack it yourself and name the folder."
            ) from None


def _refuse_bomb(path: Path, number: int, written: int, total: int, packed: int) -> None:
    is_bomb = total > RATIO_COUNTS_FROM and total > MOST_RATIO * packed
    if is_bomb or written > MOST_BYTES_A_MEMBER or total > MOST_BYTES:
        raise Refused(
            f"`{path.name}`: member {number} unpacks beyond {MOST_RATIO} times the size of the zip, or beyond "
            f"{MOST_BYTES >> 30} GB in all. If it is sound, unpack it yourself and name the folder."
        )
