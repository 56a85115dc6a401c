"""One command at a time: whoever changes an installation holds it alone, after what was cut off before is finished."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines import consent, ingestion, locks, retention, scrubbing
from pipelines.delivery import publish
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.notices import outbox
from pipelines.settings import Settings

LOCK_NAME = "installation.lock"
# A holder that showed no sign of life for so long was stopped, and may be superseded: as long as a run in Dagster may take.
QUIET_AFTER = timedelta(hours=2)
SUPERSEDED = "superseded"


class AtWork(Refused):
    """Another process is at work in the installation.

    Args:
        holder: who it is, as far as they said.
    """

    def __init__(self, holder: str) -> None:
        super().__init__(
            f"Another command or Dagster run is at work in this installation ({holder}). Wait for it to end, then try again."
        )
        self.holder = holder


@contextmanager
def alone(installation: Installation, night: str | None = None) -> Iterator[None]:
    """Hold the installation's lock while the block runs, after what was cut off before is finished.

    Args:
        installation: which is held.
        night: which one it is held for, where that is known (`say_which_night`).

    Raises:
        AtWork: another process holds it.
        Refused: as `finish`.
    """
    with hold(installation, night) as former:
        finish(installation, former)
        yield


@contextmanager
def hold(installation: Installation, night: str | None = None) -> Iterator[str]:
    """Hold the installation's lock while the block runs; it is gone when the process is. Whoever holds it must `finish` first.

    A holder that was stopped and gives no sign of life is superseded, by a command that was told what time it is: once it
    wakes, it cannot make anything visible. Yields who was superseded, if anybody.

    Raises:
        AtWork: another process holds it.
    """
    settings = installation.settings
    settings.state_folder.mkdir(parents=True, exist_ok=True)
    path = settings.state_folder / LOCK_NAME
    lock, former = locks.take(path), ""
    if lock is None:
        former = _holder(path)
        _refuse_the_living(path, former, installation.now)
        lock = locks.take_place(path)
    try:
        with installation.lease.of(lock), lock.beating():
            say_which_night(installation, night)
            yield former
    finally:
        lock.close()


def finish(installation: Installation, former: str) -> None:
    """Finish what was cut off before, in an installation that is held, before anything else is read.

    An ingest that was cut off is taken back or put on record, subjects who withdrew and came back with a restored copy are
    erased again, a removal of old minutes that was cut off is finished, and what was about to be delivered is cleared away.

    Args:
        installation: which is held.
        former: who was superseded, if anybody.

    Raises:
        Refused: files of the lake are damaged, as `scrubbing.refuse_damage` says.
    """
    scrubbing.despite_damage(installation, lambda: _finish(installation, former))


def _finish(installation: Installation, former: str) -> None:
    if former:
        _clear_the_way(installation)
        installation.audit_log.append(SUPERSEDED, {"holder": former}, installation.now)
    ingestion.finish(installation)
    consent.enforce(installation)
    retention.finish(installation)
    publish.sweep(installation.settings.deliveries_folder)


def say_which_night(installation: Installation, night: str | None) -> None:
    """Have the lock tell which process holds it, since when, and which night it is at work on, if any."""
    since = None if installation.now is None else installation.now.isoformat(timespec="seconds")
    installation.lease.say(json.dumps({"process": os.getpid(), "since": since, "night": night}).encode())


def night_at_work_on(settings: Settings) -> str | None:
    """The night that the holder of the lock said it is at work on; None where it said none."""
    night = _told(settings.state_folder / LOCK_NAME).get("night")
    return night if isinstance(night, str) else None


@contextmanager
def if_free(settings: Settings) -> Iterator[bool]:
    """Whether nobody else is at work in the installation, which is held while the block runs if so."""
    settings.state_folder.mkdir(parents=True, exist_ok=True)
    lock = locks.take(settings.state_folder / LOCK_NAME)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.close()


def _told(path: Path) -> dict[str, Any]:
    """What the lock's file says; nothing where it says nothing that can be read."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def _holder(path: Path) -> str:
    """Who holds the lock, as far as they said: the process, since when, and for which night."""
    told = _told(path)
    if "process" not in told:
        return "a process that has not said who it is"
    since = f", since {told['since']}" if told.get("since") else ""
    return f"process {told['process']}{since}" + (f", for the night of {told['night']}" if told.get("night") else "")


def _refuse_the_living(path: Path, holder: str, now: datetime | None) -> None:
    quiet = None if now is None else now.timestamp() - path.stat().st_mtime
    if quiet is None or quiet <= QUIET_AFTER.total_seconds():
        raise AtWork(holder)


def _clear_the_way(installation: Installation) -> None:
    """Take from a superseded process the locks within the installation, and what it was about to put in place.

    Each lock's file is removed: the next one to come makes another, and the former holder's is at no path any more.
    """
    settings = installation.settings
    for path in (settings.state_folder / "models" / ".lock", settings.artifacts_folder / ".store.lock",
                 settings.deliveries_folder / publish.LOCK_NAME, settings.notices_folder / outbox.LOCK_NAME):  # fmt: skip
        path.unlink(missing_ok=True)
    publish.sweep(settings.deliveries_folder)
    installation.lake.take_over()
    installation.audit_log.take_over()
