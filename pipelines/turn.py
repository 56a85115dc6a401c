"""One command at a time: whoever changes an installation holds it alone, after what was cut off before is finished."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from pipelines import consent, ingestion, locks, retention
from pipelines.delivery import publish
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.settings import Settings

LOCK_NAME = "installation.lock"
# A holder that showed no sign of life for so long was stopped, and may be superseded: as long as a run in Dagster may take.
QUIET_AFTER = timedelta(hours=2)
SUPERSEDED = "superseded"


class AtWork(Refused):
    """Another process is at work in the installation."""


@contextmanager
def alone(installation: Installation) -> Iterator[None]:
    """Hold the installation's lock while the block runs; it is gone when the process is.

    A holder that was stopped and gives no sign of life is superseded, by a command that was told what time it is: once it
    wakes, it cannot make anything visible. Before anything is read, an ingest that was cut off is taken back or put on
    record, subjects who withdrew and came back with a restored copy are erased again, and a removal of old minutes that
    was cut off is finished.

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
        _clear_the_way(installation)
    try:
        lock.write(json.dumps(_own(installation.now)).encode())
        with installation.lease.of(lock), lock.beating():
            if former:
                installation.audit_log.append(SUPERSEDED, {"holder": former}, installation.now)
            ingestion.finish(installation)
            consent.enforce(installation)
            retention.finish(installation)
            yield
    finally:
        lock.close()


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


def _own(now: datetime | None) -> dict[str, object]:
    return {"process": os.getpid(), "since": None if now is None else now.isoformat(timespec="seconds")}


def _holder(path: Path) -> str:
    """Who holds the lock, as far as they said: the process and since when."""
    try:
        told = json.loads(path.read_bytes())
        return f"process {int(told['process'])}" + (f", since {told['since']}" if told["since"] else "")
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that has not said who it is"


def _refuse_the_living(path: Path, holder: str, now: datetime | None) -> None:
    quiet = None if now is None else now.timestamp() - path.stat().st_mtime
    if quiet is None or quiet <= QUIET_AFTER.total_seconds():
        raise AtWork(
            f"Another command or Dagster run is at work in this installation ({holder}). Wait for it to end, then try again."
        )


def _clear_the_way(installation: Installation) -> None:
    """Take from a superseded process the locks within the installation, and what it was about to put in place.

    Each lock's file is removed: the next one to come makes another, and the former holder's is at no path any more.
    """
    settings = installation.settings
    for path in (settings.state_folder / "models" / ".lock", settings.artifacts_folder / ".store.lock",
                 settings.deliveries_folder / publish.LOCK_NAME):  # fmt: skip
        path.unlink(missing_ok=True)
    publish.sweep(settings.deliveries_folder)
    installation.lake.take_over()
    installation.audit_log.take_over()
