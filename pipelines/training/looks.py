"""The ledger of looks: how often figures of labels that nothing was fitted on were made, and of how many configurations.

Whoever tries long enough finds something that looks well on any labels. The count stands beside the gain, so that a
reader knows how often chance was asked. It is a reading of the audit log; the same look again is none.
"""

from dataclasses import dataclass
from typing import Any

from pipelines import engineering
from pipelines.audit_log import AuditLog
from pipelines.installation import Installation
from pipelines.training.provenance import basis

KIND = "look"
TUNING = "tuning"


@dataclass(frozen=True)
class Looks:
    """How often labels of an outcome were looked at, and how many configurations of models that was with in all.

    A look is a command's work on the same data, declarations and code, however many calls it took.
    """

    times: int
    configurations: int


def record(installation: Installation, night: str, outcome: str, what: str, configurations: int) -> None:
    """Bring the ledger up to a look at an outcome's test labels; nothing is added where it is there already.

    Args:
        what: the command's work: evaluation, ablation, tuning, ...
        configurations: models tried by it so far on the same data, declarations and code, those of earlier calls included.
            Simple rules are none, nor is another seed.
    """
    look, log = {"what": what, "outcome": outcome, "basis": basis(installation, night)}, installation.audit_log
    further = configurations - sum(
        told["configurations"] for told in _kept(log, outcome) if look.items() <= told.items()
    )
    if further > 0:
        log.append(KIND, {**look, "configurations": further}, engineering.cohort(installation, night).known_at)


def of(log: AuditLog, outcome: str) -> Looks:
    """Every look at an outcome's labels so far."""
    kept = _kept(log, outcome)
    return Looks(len({(told["what"], told["basis"]) for told in kept}), sum(told["configurations"] for told in kept))


def _kept(log: AuditLog, outcome: str) -> list[dict[str, Any]]:
    return [line["details"] for line in log.entries() if line["kind"] == KIND and line["details"]["outcome"] == outcome]


def is_on_record(log: AuditLog, outcome: str, what: str) -> bool:
    """Whether an outcome's labels were ever looked at in that way."""
    looked = {"what": what, "outcome": outcome}.items()
    return any(line["kind"] == KIND and looked <= line["details"].items() for line in log.entries())


def sentence(log: AuditLog, outcome: str) -> str:
    """The count for people who read a gain."""
    looks = of(log, outcome)
    times, many = "once" if looks.times == 1 else f"{looks.times} times", looks.configurations
    return f"Test labels of {outcome} were looked at {times}, with {many} {'configuration' if many == 1 else 'configurations'}."
