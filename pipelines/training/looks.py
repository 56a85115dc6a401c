"""The ledger of looks: how often figures of labels that nothing was fitted on were made, and of how many configurations.

Whoever tries long enough finds something that looks well on any labels. The count stands beside the gain, so that a
reader knows how often chance was asked. It is a reading of the audit log; the same look again is none.
"""

from dataclasses import dataclass

from pipelines import engineering
from pipelines.audit_log import AuditLog
from pipelines.installation import Installation
from pipelines.training.provenance import basis

KIND = "look"
TUNING = "tuning"


@dataclass(frozen=True)
class Looks:
    """How often labels of an outcome were looked at, and how many configurations of models that was with in all."""

    times: int
    configurations: int


def record(installation: Installation, night: str, outcome: str, what: str, configurations: int) -> None:
    """Add a look at an outcome's test labels, unless the same was had before on the same data, declarations and code.

    Args:
        what: the command's work: evaluation, ablation, tuning, ...
        configurations: of models, simple rules left out.
    """
    told = {"what": what, "outcome": outcome, "configurations": configurations, "basis": basis(installation, night)}
    log = installation.audit_log
    if not any(line["kind"] == KIND and line["details"] == told for line in log.entries()):
        log.append(KIND, told, engineering.cohort(installation, night).known_at)


def of(log: AuditLog, outcome: str) -> Looks:
    """Every look at an outcome's labels so far."""
    kept = [line["details"] for line in log.entries() if line["kind"] == KIND and line["details"]["outcome"] == outcome]
    return Looks(len(kept), sum(look["configurations"] for look in kept))


def is_on_record(log: AuditLog, outcome: str, what: str) -> bool:
    """Whether an outcome's labels were ever looked at in that way."""
    looked = {"what": what, "outcome": outcome}.items()
    return any(line["kind"] == KIND and looked <= line["details"].items() for line in log.entries())


def sentence(log: AuditLog, outcome: str) -> str:
    """The count for people who read a gain."""
    looks = of(log, outcome)
    times, many = "once" if looks.times == 1 else f"{looks.times} times", looks.configurations
    return f"Test labels of {outcome} were looked at {times}, with {many} {'configuration' if many == 1 else 'configurations'}."
