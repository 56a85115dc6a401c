"""A program that scores, delivers and reports a night, and is killed with SIGKILL at steps that touch the disk.

Run with FOLDER TRIALS: it counts the steps of an undisturbed night in FOLDER/after, a copy of FOLDER/before, and then, at so
many steps spread over all of them, has a process do the night in FOLDER/killed-n and die just before its n-th step; then another
does it there to the end. Forking spares loading everything each time.
"""

import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

from pipelines import engineering, night, night_status, supply
from pipelines.installation import Installation
from pipelines.settings import load_settings
from pipelines.turn import alone
from tests.guarantees import publishing_that_is_killed as deliveries

NIGHT = "2026-07-02"
# What Delta and Arrow do is done by calls of their own.
STEPS = deliveries.STEPS | {
    "create_write_transaction",
    "write_to_deltalake",
    "write_batch",
    "write_table",
    "vacuum",
    "create_table",
}


def work(home: Path) -> None:
    """The night as its job does it, from the day panel to the page."""
    of = Installation(load_settings(home / "foretide.yaml"), now=datetime.now(UTC))
    with alone(of):
        engineering.panel(of, NIGHT)
        engineering.night_matrices(of, NIGHT)
        night_status.begin(of, NIGHT, supply.counts_of(of, NIGHT))
        night.score(of, NIGHT)
        night.deliver(of, NIGHT)
        night.report(of, NIGHT)


def in_a_process(home: Path, profiler: Any) -> int:
    """Do the night in a process of its own; how it ended."""
    child = os.fork()
    if child == 0:
        sys.setprofile(profiler)
        code = 1
        try:
            work(home)
            code = 0
        finally:
            sys.setprofile(None)
            os._exit(code)
    return os.waitpid(child, 0)[1]


def counted(home: Path) -> int:
    """How many steps an undisturbed night takes."""
    tally = home / "steps"

    def count(frame: FrameType, event: str, called: Any) -> None:
        nonlocal steps
        if event == "c_call" and called.__name__ in STEPS:
            steps += 1
            os.pwrite(descriptor, str(steps).encode(), 0)

    steps, descriptor = 0, os.open(tally, os.O_CREAT | os.O_WRONLY)
    assert in_a_process(home, count) == 0
    return int(tally.read_text())


def main(folder: Path, trials: int) -> None:
    """Do the night, be killed at steps spread over it, and finish it."""
    shutil.copytree(folder / "before", folder / "after")
    steps = counted(folder / "after")
    print(f"{steps} steps")
    deliveries.STEPS |= STEPS
    for trial in range(trials):
        step = 1 + (2 * trial + 1) * steps // (2 * trials)
        home = folder / f"killed-{step:05}"
        shutil.copytree(folder / "before", home)
        killed = in_a_process(home, deliveries.killed_at(step))
        shutil.copytree(home / ".state" / "deliveries", home / "as-it-was-left")
        print(step, killed, in_a_process(home, None), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
