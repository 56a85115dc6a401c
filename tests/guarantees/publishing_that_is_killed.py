"""A program that publishes a night and is killed with SIGKILL at the n-th step that touches the disk.

Run with a FOLDER: for n = 1, 2, ... it copies FOLDER/before to FOLDER/killed-n, forks a process that publishes there
and dies just before its n-th step, and stops when one gets to the end alive. Forking spares loading pandas each time.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd

from pipelines.delivery.contract import DeliveryContext
from pipelines.delivery.publish import publish
from pipelines.delivery.rows import build

AS_OF = pd.Timestamp("2026-06-30").as_unit("us")
# Every call into the system that can change what lies on disk, by the name it has in C.
STEPS = {"open", "write", "flush", "fsync", "close", "mkdir", "rename", "replace", "unlink", "rmdir", "__exit__"}


def context(content: str) -> DeliveryContext:
    """A night of 300 subjects with this input content."""
    known_at = pd.Timestamp("2026-06-30T01:00:00Z").as_unit("us")
    return DeliveryContext(AS_OF, known_at, {"crisis": "m1"}, "p1", content, "0.1.0", 300)


def night(of: DeliveryContext) -> pd.DataFrame:
    """Its rows, all scored."""
    keys = pd.DataFrame({"subject_id": [f"s{n:03}" for n in range(300)], "outcome": "crisis"})
    standings = keys.assign(status="scored", reason_codes=[()] * 300, completeness=1.0, last_observation_at=of.known_at)
    probability = [n / 1000 for n in range(300)]
    scores = keys.assign(horizon_days=7, probability=probability, mean_risk_low=0.0, mean_risk_high=1.0)
    tiers = keys.assign(tier="baseline", rank=range(300), alert=None, action=None)
    return build(of, {"crisis": (7,)}, standings, scores, tiers, keys.assign(drivers=[()] * 300))


def killed_at(step: int) -> Any:
    """A profiler that counts the steps and kills this process just before the given one."""
    left = step

    def count(frame: FrameType, event: str, called: Any) -> None:
        nonlocal left
        if event == "c_call" and called.__name__ in STEPS:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return count


def at_every_step(folder: Path, work: Callable[[Path], object]) -> None:
    """Do the work in copies of FOLDER/before, killed at every step in turn, until one gets to the end alive."""
    for step in range(1, 1000):
        root = folder / f"killed-{step:03}"
        shutil.copytree(folder / "before", root)
        child = os.fork()
        if child == 0:
            sys.setprofile(killed_at(step))
            work(root)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return


def main(folder: Path) -> None:
    """Publish and be killed at every step in turn."""
    of = context("new")
    rows = night(of)
    at_every_step(folder, lambda root: publish(root, rows, of))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
