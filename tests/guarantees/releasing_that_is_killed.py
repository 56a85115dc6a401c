"""A program that releases a report and is killed with SIGKILL at the n-th step that touches the disk.

Run with a FOLDER: for n = 1, 2, ... it copies FOLDER/before to FOLDER/killed-n, forks a process that releases there
and dies just before its n-th step, and stops when one gets to the end alive.
"""

import sys
from pathlib import Path

import pandas as pd

from models.fairness.showing import Shown, releasable
from pipelines.release.releases import Release, release
from tests.guarantees.publishing_that_is_killed import at_every_step
from tests.models.small_audit import SmallAudit, audit_of, cohort

PAGE = "<p>what was found</p>"


def audit(n: int = 120) -> SmallAudit:
    """Of a cohort of so many."""
    return audit_of(*cohort(n))


def release_at(root: Path, of: SmallAudit, night: str = "2026-06-30", name: str = "out") -> Release:
    """Release an audit in a folder with a ledger of its own."""
    return _release(root, of, releasable(of), night, name)


def _release(root: Path, of: SmallAudit, shown: Shown, night: str = "2026-06-30", name: str = "out") -> Release:
    return release(
        root / "ledger",
        shown,
        of.members,
        of.event_members,
        night=night,
        report="fairness",
        folder=root / name,
        page=PAGE,
    )


def main(folder: Path) -> None:
    """Release and be killed at every step in turn."""
    pd.DataFrame({"a": [1.0]}).to_csv()
    of = audit()
    shown = releasable(of)
    at_every_step(folder, lambda root: _release(root, of, shown))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
