"""Locks on files: gone when their process is, and to be taken from a process that was stopped and may wake late.

A lock is a lock on an open file (`flock`) *and* that file's place at its path. Who finds a holder that gives no sign of
life puts a file of their own there; the former holder, once it wakes, sees that another file lies at the path and makes
nothing visible any more. Decision record 0039 says what that holds off, and what it cannot.
"""

import fcntl
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pipelines import durable
from pipelines.errors import Refused

OVERTAKEN = (
    "Another run took this one's place: it had given no sign of life for too long. Nothing further was written; what that "
    "run made stands."
)
# How often a holder shows that it lives, and how often one who waits for a lock looks again.
BEAT_S = 60.0
GLANCE_S = 0.02
PARTIAL = ".partial"


class Lock:
    """A lock file that this process holds, unless another file was put in its place."""

    def __init__(self, path: Path, handle: BinaryIO) -> None:
        self.path = path
        self._handle = handle

    @property
    def is_held(self) -> bool:
        """Whether the file that lies at the path is still the one that was locked."""
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False
        own = os.fstat(self._handle.fileno())
        return (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)

    def check(self) -> None:
        """To be asked right before anything becomes visible.

        Raises:
            Refused: another run took this one's place.
        """
        if not self.is_held:
            raise Refused(OVERTAKEN)

    def replace(self, path: Path, content: bytes) -> None:
        """Put new content in place of a file's old one, as `durable.replace`, unless another run took this one's place.

        The content lies under a name of its own until it is known that the lock is held: who takes the place removes such
        files (`sweep_partials`), so that this one's rename cannot succeed any more.

        Raises:
            Refused: another run took this one's place.
        """
        fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex}{PARTIAL}")
        durable.write(fresh, [content])
        try:
            self.check()
            fresh.rename(path)
        except FileNotFoundError as error:
            raise Refused(OVERTAKEN) from error
        finally:
            fresh.unlink(missing_ok=True)
        durable.sync_folder(path.parent)

    def append(self, path: Path, content: bytes) -> None:
        """Add content at the end of a file, as `durable.append`, unless another run took this one's place.

        Who takes the place puts a copy in the place of the file (`renew`): what a former holder has open leads nowhere.

        Raises:
            Refused: another run took this one's place.
        """
        with path.open("ab") as handle:
            self.check()
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())

    def write(self, content: bytes) -> None:
        """Say in the file who holds it, instead of what was said before."""
        self._handle.seek(0)
        self._handle.truncate()
        self._handle.write(content)
        self._handle.flush()

    def close(self) -> None:
        """Let the lock go."""
        self._handle.close()

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Show every minute, by the file's time of change, that this process lives; a stopped one does not."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(BEAT_S):
                os.utime(self._handle.fileno())

        heart = threading.Thread(target=beat, daemon=True)
        heart.start()
        try:
            yield
        finally:
            done.set()
            heart.join()


class Lease:
    """The right to change an installation: asked by its stores before anything of theirs becomes visible."""

    def __init__(self) -> None:
        self._lock: Lock | None = None

    @contextmanager
    def of(self, lock: Lock) -> Iterator[None]:
        """Make a lock the one that is asked for while the block runs."""
        self._lock = lock
        try:
            yield
        finally:
            self._lock = None

    def say(self, content: bytes) -> None:
        """Say in the lock's file who holds it; whoever holds none says nothing."""
        if self._lock is not None:
            self._lock.write(content)

    def check(self) -> None:
        """Nothing is asked of a process that never took the installation, as tests and readers do not.

        Raises:
            Refused: another run took this one's place.
        """
        if self._lock is not None:
            self._lock.check()


def sweep_partials(path: Path) -> None:
    """Remove what killed or superseded writers of a file left beside it."""
    for left in path.parent.glob(f".{path.name}.*{PARTIAL}"):
        left.unlink(missing_ok=True)


def renew(path: Path) -> None:
    """Put a copy of a file in its place, so that nobody has it open for writing."""
    if path.is_file():
        durable.replace(path, path.read_bytes())


def unfenced() -> None:
    """For stores that stand alone: nobody can take their place."""


def take(path: Path) -> Lock | None:
    """Take a lock at once; None while another process holds it."""
    while True:
        handle = path.open("a+b")
        lock = Lock(path, handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return None
        if lock.is_held:
            return lock
        lock.close()  # The file was replaced between opening and locking it: the one there now is asked for.


def take_place(path: Path) -> Lock:
    """Put a fresh file, locked already, in the place of one whose holder gives no sign of life."""
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    handle = fresh.open("w+b")
    fcntl.flock(handle, fcntl.LOCK_EX)
    fresh.replace(path)
    return Lock(path, handle)


@contextmanager
def at_once(path: Path, otherwise: str, fence: Callable[[], None] = unfenced) -> Iterator[Lock]:
    """Hold a lock while the block runs.

    Raises:
        Refused: `otherwise`, where another process holds it; or what `fence` raises once it is held.
    """
    lock = take(path)
    if lock is None:
        raise Refused(otherwise)
    try:
        fence()
        yield lock
    finally:
        lock.close()


@contextmanager
def in_turn(path: Path, fence: Callable[[], None] = unfenced) -> Iterator[Lock]:
    """Hold a lock while the block runs, after whoever holds it now.

    Waiting looks again and again instead of queueing, for the file that one queues at may be replaced.

    Raises:
        Refused: what `fence` raises once it is held.
    """
    while (lock := take(path)) is None:
        time.sleep(GLANCE_S)
    try:
        fence()
        yield lock
    finally:
        lock.close()
