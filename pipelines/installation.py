"""One installation of Foretide: its settings and the stores they point to, opened when first used."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pipelines.audit_log import AuditLog
from pipelines.consent import enforce
from pipelines.errors import Refused
from pipelines.kept_hours import intent
from pipelines.lake import Lake
from pipelines.progress import Report, silent
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pipelines.registry import Registry


@dataclass(frozen=True)
class Installation:
    """Settings, lake, model registry and audit log, and where to report progress to."""

    settings: Settings
    report: Report = silent

    @cached_property
    def lake(self) -> Lake:
        """The Delta tables."""
        return Lake(self.settings.lake_folder)

    @cached_property
    def audit_log(self) -> AuditLog:
        """The hash-chained record of who or what did what."""
        return AuditLog(self.settings.state_folder / "audit")

    @cached_property
    def registry(self) -> "Registry":
        """The MLflow store; imports MLflow, which takes seconds."""
        from pipelines.registry import Registry

        return Registry(
            self.settings.tracking_uri, self.settings.artifacts_folder, self.settings.state_folder / "models"
        )

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the installation's lock while the block runs; it is gone when the process is.

        Before anything is read, subjects who withdrew and came back with a restored copy are erased again, and a
        removal of old minutes that was cut off is finished.

        Raises:
            Refused: another process holds it.
        """
        self.settings.state_folder.mkdir(parents=True, exist_ok=True)
        with (self.settings.state_folder / "installation.lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Refused(
                    "Another command or Dagster run is at work in this installation. Wait for it to end, then try again."
                ) from error
            enforce(self)
            if intent(self.lake).is_file():
                from pipelines.retention import finish

                finish(self)
            yield
