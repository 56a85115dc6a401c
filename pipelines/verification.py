"""Checks a folder that Foretide wrote: a delivery, an audit log or a lake; says which of them it found."""

from pathlib import Path

from pipelines import lake_check
from pipelines.audit_log import AuditLog
from pipelines.delivery.manifest import MANIFEST_NAME
from pipelines.delivery.verify import verify as verify_delivery
from pipelines.errors import Refused
from pipelines.reports import words


def verify(folder: Path) -> list[dict[str, str]]:
    """One row per thing checked: `check`, `state` (ok, erased or fault), `finding`.

    Erased is a delivery that is whole but for subjects who withdrew; their rows went as its manifest says.

    Raises:
        Refused: the folder is none of them.
    """
    if (folder / MANIFEST_NAME).is_file():
        report = verify_delivery(folder)
        told = f"{words.counted(report.files, 'file')}, {words.counted(report.rows, 'row')} as the manifest says"
        if report.is_whole and report.subjects_erased:
            erased = words.counted(report.subjects_erased, "subject who withdrew was", "subjects who withdrew were")
            finding = f"{told}; {erased} erased"
            return [{"check": "delivery", "state": "erased", "finding": finding}]
        return _rows("delivery", list(report.faults), told)
    if AuditLog.is_at(folder):
        return _rows("audit log", AuditLog(folder).verify(), "the chain is whole up to its head")
    if lake_check.is_lake(folder):
        files, faults = lake_check.damaged(folder)
        return _rows("lake", faults, f"{words.counted(files, 'file')}, every page as it was written")
    raise Refused(
        f"`{folder}` is neither a delivery (no {MANIFEST_NAME}) nor an audit log or a lake. Name such a folder."
    )


def _rows(what: str, faults: list[str], otherwise: str) -> list[dict[str, str]]:
    if not faults:
        return [{"check": what, "state": "ok", "finding": otherwise}]
    return [{"check": what, "state": "fault", "finding": fault} for fault in faults]
