"""A program that releases a report and is killed with SIGKILL at the n-th step that touches the disk.

Run with a FOLDER: for n = 1, 2, ... it copies FOLDER/before to FOLDER/killed-n, forks a process that releases there
and dies just before its n-th step, and stops when one gets to the end alive.
"""

import os
import shutil
import sys
from pathlib import Path

import pandas as pd

from models.fairness.showing import releasable
from pipelines.release.releases import Release, release
from tests.guarantees.publishing_that_is_killed import killed_at
from tests.models.small_audit import SmallAudit, audit_of, cohort

PAGE = "<p>what was found</p>"


def audit(n: int = 120) -> SmallAudit:
    """Of a cohort of so many."""
    return audit_of(*cohort(n))


def release_at(root: Path, of: SmallAudit, night: str = "2026-06-30", name: str = "out") -> Release:
    """Release an audit in a folder with a ledger of its own."""
    return release(
        root / "ledger", releasable(of), of.members, of.event_members, night=night, report="fairness", folder=root / name,
        page=PAGE,
    )  # fmt: skip


def main(folder: Path) -> None:
    """Release and be killed at every step in turn."""
    pd.DataFrame({"a": [1.0]}).to_csv()
    of = audit()
    shown = releasable(of)
    for step in range(1, 1000):
        root = folder / f"killed-{step:03}"
        shutil.copytree(folder / "before", root)
        child = os.fork()
        if child == 0:
            sys.setprofile(killed_at(step))
            release(
                root / "ledger",
                shown,
                of.members,
                of.event_members,
                night="2026-06-30",
                report="fairness",
                folder=root / "out",
                page=PAGE,
            )
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
