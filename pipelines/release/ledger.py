"""The ledger of promotions: who made which version champion, when, instead of which, by which policy, and why.

It is a reading of the audit log, to which entries are only ever added; MLflow keeps no history of its aliases. What is
done is recorded before the alias is moved, so that nothing serves unrecorded; a kill between the two leaves an entry whose
deed the next command makes up for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pipelines.audit_log import AuditLog
from pipelines.release.registry import ModelVersion

PROMOTION, ROLLBACK = "promotion", "rollback"


@dataclass(frozen=True)
class Entry:
    """One change of a champion.

    Args:
        kind: promotion or rollback.
        model: the registered name.
        before, after: versions; `before` is None where nothing served.
        by: who did it; the job itself where it followed from the policy.
        policy: the version of the policies in force.
        report: sha256 of the model report that it was decided on; empty for a rollback.
        reasons: of the gate, or of the person who took a champion back.
        override: why it serves though the policy holds it back; empty where the policy lets it.
        written_at: by the wall clock; empty until it is on record.
    """

    kind: str
    model: str
    before: str | None
    after: str
    by: str
    policy: str
    reasons: tuple[str, ...]
    report: str = ""
    override: str = ""
    written_at: str = ""


def record(log: AuditLog, entry: Entry, at: datetime | None) -> None:
    """Add an entry; `at` is the knowledge time of what it was decided on."""
    details = {key: value for key, value in asdict(entry).items() if key not in ("kind", "by", "written_at")}
    log.append(entry.kind, {**details, "from": details.pop("before"), "to": details.pop("after")}, at, entry.by)


def entries(log: AuditLog, model: str | None = None) -> list[Entry]:
    """Every entry, of one model or of all, oldest first."""
    kept = [_read(line) for line in log.entries() if line["kind"] in (PROMOTION, ROLLBACK)]
    return [entry for entry in kept if model in (None, entry.model)]


def _read(line: Mapping[str, Any]) -> Entry:
    told = line["details"]
    return Entry(
        line["kind"], told["model"], told["from"], told["to"], line["by"], told["policy"], tuple(told["reasons"]),
        # Entries of earlier code had neither.
        told.get("report", ""), told.get("override", ""), line["written_at"],
    )  # fmt: skip


def before(log: AuditLog, champion: ModelVersion) -> str | None:
    """The version that served before the champion; one that was taken back does not count. None if nothing did."""
    served = _served(entries(log, champion.name))
    if champion.version not in served:
        return served[-1] if served else None
    place = len(served) - 1 - served[::-1].index(champion.version)
    return served[place - 1] if place else None


def _served(kept: Sequence[Entry]) -> list[str]:
    """Versions in the order in which they came to serve, without those that were taken back."""
    served: list[str] = []
    for entry in kept:
        if entry.kind == ROLLBACK:
            while served and served[-1] != entry.after:
                served.pop()
        if not served or served[-1] != entry.after:
            served.append(entry.after)
    return served


def is_taken_back(log: AuditLog, model: str) -> bool:
    """Whether a person took the last champion back, so that the next promotion is a person's, too."""
    kept = entries(log, model)
    return bool(kept) and kept[-1].kind == ROLLBACK


def is_released(log: AuditLog, champion: ModelVersion) -> bool:
    """Whether the alias points to what the ledger says; while a promotion is not carried out, to what served before."""
    kept = entries(log, champion.name)
    if not kept:
        return False
    last = kept[-1]
    return champion.version == last.after or (last.kind == PROMOTION and champion.version == last.before)


def override_of(log: AuditLog, model: ModelVersion) -> Entry | None:
    """The promotion by which a version serves outside the release policy; None if it has none."""
    promoted = [e for e in entries(log, model.name) if e.kind == PROMOTION and e.after == model.version]
    return promoted[-1] if promoted and promoted[-1].override else None


def overrides(log: AuditLog, models: Iterable[ModelVersion]) -> tuple[str, ...]:
    """A sentence for everything that people read about each of the versions that serves outside the release policy."""
    return tuple(_in_words(entry) for model in models if (entry := override_of(log, model)) is not None)


def _in_words(entry: Entry) -> str:
    reasons = "; ".join(entry.reasons)
    return (
        f"{entry.model} version {entry.after} serves outside the release policy, on the word of {entry.by}: "
        f"“{entry.override}”. The policy held it back: {reasons}."
    )


def table(log: AuditLog) -> list[dict[str, object]]:
    """The ledger as rows, oldest first."""
    return [
        {
            "when": entry.written_at, "what": entry.kind, "model": entry.model, "from": entry.before, "to": entry.after,
            "by": entry.by, "policy": entry.policy,
            "report": entry.report,
            "override": entry.override, "reasons": "; ".join(entry.reasons),
        }
        for entry in entries(log)
    ]  # fmt: skip
