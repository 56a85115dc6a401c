"""Writes that survive a kill or a power cut: a file is on disk before anything points to it.

Every published file, pointer and log entry goes through here, so that there is one place to check for it.
"""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

KEY_BYTES = 32


def write(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file and wait until its content is on disk; the name is durable after `sync_folder` of its folder."""
    with path.open("wb") as handle:
        for chunk in chunks:
            handle.write(chunk)
        handle.flush()
        os.fsync(handle.fileno())


def replace(path: Path, content: bytes) -> None:
    """Put new content in place of a file's old one: a reader sees the one or the other, whole.

    Two writers of the same path must hold a lock; a leftover of a killed writer is written over.
    """
    fresh = path.with_name(f".{path.name}.partial")
    write(fresh, [content])
    fresh.replace(path)
    sync_folder(path.parent)


def put_first(path: Path, content: bytes) -> bool:
    """Put a file in place unless there is one, by a process that need hold nothing; whether it was put."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    write(fresh, [content])
    try:
        # Unlike a rename, a link fails where somebody else came first.
        os.link(fresh, path)
    except FileExistsError:
        return False
    finally:
        fresh.unlink()
    sync_folder(path.parent)
    return True


def new_key(path: Path) -> None:
    """Make a file of random bytes that nobody but its owner may read; whoever calls has seen that there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    write(partial, [secrets.token_bytes(KEY_BYTES)])
    partial.replace(path)
    sync_folder(path.parent)


def append(path: Path, content: bytes) -> None:
    """Add content at the end of a file and wait until it is on disk."""
    with path.open("ab") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk; without it a rename can be undone by a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
