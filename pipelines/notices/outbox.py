"""Notices on disk: one file each, until every channel was told; then it is kept among the told, so that none is told twice."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines import durable, locks
from pipelines.notices.notice import Notice

LOCK_NAME = ".lock"


@dataclass(frozen=True)
class Letter:
    """A notice and the channels by which it was told."""

    notice: Notice
    told: tuple[str, ...]


class Taken(Exception):
    """Another process works in the outbox, and did so all the time that it was waited for."""


class Outbox:
    """The folder of notices to be told, of those that were, and of what cannot be read; whoever works in it holds `alone`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.waiting, self.told = folder, folder / "waiting", folder / "told"
        self.unreadable = folder / "unreadable"

    @contextmanager
    def alone(self, wait_s: float) -> Iterator[None]:
        """Hold the outbox while the block runs.

        Raises:
            Taken: another process holds it, and held it for so many seconds: it was stopped, or its channels are slow.
        """
        self.waiting.mkdir(parents=True, exist_ok=True)
        self.told.mkdir(exist_ok=True)
        end = time.monotonic() + wait_s
        while (lock := locks.take(self.folder / LOCK_NAME)) is None:
            if time.monotonic() >= end:
                raise Taken
            time.sleep(locks.GLANCE_S)
        try:
            yield
        finally:
            lock.close()

    def put(self, notice: Notice) -> None:
        """Keep a notice for telling, unless it is here already; also beside whoever holds the outbox."""
        # In this order: whoever holds the outbox moves it from the one to the other.
        if not (self.waiting / _name(notice)).exists() and not (self.told / _name(notice)).exists():
            durable.put_first(self.waiting / _name(notice), _content(Letter(notice, ())))

    def keep(self, letter: Letter) -> None:
        """Remember by which channels a notice was told so far."""
        durable.replace(self.waiting / _name(letter.notice), _content(letter))

    def done(self, letter: Letter) -> None:
        """Put a notice among those that every channel was told."""
        (self.waiting / _name(letter.notice)).rename(self.told / _name(letter.notice))
        durable.sync_folder(self.told)

    def set_aside(self) -> int:
        """Take what cannot be read from among what waits, and keep it, lest it keep the others from being told; how many."""
        damaged = [path for path in self.waiting.glob("*.json") if _letter(path) is None]
        for path in damaged:
            self.unreadable.mkdir(exist_ok=True)
            path.rename(self.unreadable / path.name)
        return len(damaged)

    def letters(self) -> list[Letter]:
        """What waits, the oldest night first."""
        found = [letter for path in self.waiting.glob("*.json") if (letter := _letter(path)) is not None]
        return sorted(found, key=lambda letter: (letter.notice.night, letter.notice.key))


def _letter(path: Path) -> Letter | None:
    """What a file holds; None if it cannot be read, or is another notice than its name says."""
    try:
        body = json.loads(path.read_bytes())
        told = body.pop("told")
        letter = Letter(Notice(**{**body, "sentences": tuple(body["sentences"])}), tuple(told))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return letter if _name(letter.notice) == path.name else None


def _content(letter: Letter) -> bytes:
    return json.dumps({**letter.notice.told(), "told": letter.told}).encode()


def _name(notice: Notice) -> str:
    return f"{notice.key}.json"
