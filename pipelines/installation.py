"""One installation of Foretide: its settings and the stores they point to, opened when first used."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

from pipelines.audit_log import AuditLog
from pipelines.lake import Lake
from pipelines.locks import Lease
from pipelines.progress import Report, silent
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pipelines.cohort import Cohort
    from pipelines.release.registry import Registry


@dataclass(frozen=True)
class Installation:
    """Settings, lake, model registry and audit log, where to report progress to, and when the command was given.

    `now` is only known to a command line or a Dagster run; nothing below asks the clock. `lease` is the right to change the
    installation (`turn.alone`), which its stores ask for before anything of theirs becomes visible.
    """

    settings: Settings
    report: Report = silent
    now: datetime | None = None
    lease: Lease = field(default_factory=Lease, compare=False)

    @cached_property
    def lake(self) -> Lake:
        """The Delta tables."""
        return Lake(self.settings.lake_folder, self.lease.check)

    @cached_property
    def audit_log(self) -> AuditLog:
        """The hash-chained record of who or what did what."""
        return AuditLog(self.settings.state_folder / "audit", self.lease.check)

    @cached_property
    def memory(self) -> "dict[Hashable, Cohort]":
        """The cohort that this process read last, by everything that it was read from."""
        return {}

    @cached_property
    def registry(self) -> "Registry":
        """The MLflow store; imports MLflow, which takes seconds."""
        from pipelines.release.registry import Registry

        return Registry(
            self.settings.tracking_uri, self.settings.artifacts_folder, self.settings.state_folder / "models",
            self.lease.check,
        )  # fmt: skip
