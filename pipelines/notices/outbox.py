"""Notices on disk: one file each, until every channel was told; then it is kept among the told, so that none is told twice."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines import durable
from pipelines.notices.notice import Notice


@dataclass(frozen=True)
class Letter:
    """A notice and the channels by which it was told."""

    notice: Notice
    told: tuple[str, ...]


class Outbox:
    """The folder of notices to be told, and of those that were; whoever works in it holds `alone`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.waiting, self.told = folder, folder / "waiting", folder / "told"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the outbox while the block runs."""
        self.waiting.mkdir(parents=True, exist_ok=True)
        self.told.mkdir(exist_ok=True)
        with (self.folder / ".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def put(self, notice: Notice) -> None:
        """Keep a notice for telling, unless it is here already."""
        if not (self.told / _name(notice)).exists() and not (self.waiting / _name(notice)).exists():
            self.keep(Letter(notice, ()))

    def keep(self, letter: Letter) -> None:
        """Remember by which channels a notice was told so far."""
        content = json.dumps({**letter.notice.told(), "told": letter.told}).encode()
        durable.replace(self.waiting / _name(letter.notice), content)

    def done(self, letter: Letter) -> None:
        """Put a notice among those that every channel was told."""
        (self.waiting / _name(letter.notice)).rename(self.told / _name(letter.notice))
        durable.sync_folder(self.told)

    def letters(self) -> list[Letter]:
        """What waits, the oldest night first."""
        found = []
        for path in self.waiting.glob("*.json"):
            body = json.loads(path.read_bytes())
            told = body.pop("told")
            found.append(Letter(Notice(**{**body, "sentences": tuple(body["sentences"])}), tuple(told)))
        return sorted(found, key=lambda letter: (letter.notice.night, letter.notice.key))


def _name(notice: Notice) -> str:
    return f"{notice.key}.json"
