"""One command at a time: whoever changes an installation holds it alone, after what was cut off before is finished."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines import consent, ingestion, retention
from pipelines.errors import Refused
from pipelines.installation import Installation


@contextmanager
def alone(installation: Installation) -> Iterator[None]:
    """Hold the installation's lock while the block runs; it is gone when the process is.

    Before anything is read, an ingest that was cut off is taken back or put on record, subjects who withdrew and came
    back with a restored copy are erased again, and a removal of old minutes that was cut off is finished.

    Raises:
        Refused: another process holds it.
    """
    state = installation.settings.state_folder
    state.mkdir(parents=True, exist_ok=True)
    with (state / "installation.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(
                "Another command or Dagster run is at work in this installation. Wait for it to end, then try again."
            ) from error
        ingestion.finish(installation)
        consent.enforce(installation)
        retention.finish(installation)
        yield
