"""A program that withdraws the sentinel and is killed with SIGKILL at steps that touch the disk, spread over all of them.

Run with FOLDER and TRIALS: FOLDER/before is copied to FOLDER/killed-n, a forked process withdraws there and dies just
before its step, and another forked process does what the next command does first. Forking spares loading pandas anew.
"""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import FrameType
from typing import Any

from pipelines.consent import withdrawal
from pipelines.installation import Installation
from pipelines.settings import load_settings
from pipelines.turn import alone

# Calls into the system or into Delta that change what lies on disk, by the name they have in C or in Rust.
STEPS = {
    "open", "write", "flush", "fsync", "close", "mkdir", "rename", "replace", "unlink", "rmdir", "__exit__",
    "create_write_transaction", "set_table_properties", "vacuum", "create_checkpoint", "cleanup_metadata",
    "write_table", "write_batch",
}  # fmt: skip


def in_a_process(work: Callable[[], None]) -> int:
    """Run work in a forked process; how it ended."""
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    return os.waitpid(child, 0)[1]


def withdraw(home: Path, after: Callable[[int], None]) -> Callable[[], None]:
    """Withdraw the sentinel, telling `after` the number of each step just before it."""

    def work() -> None:
        steps = 0

        def count(frame: FrameType, event: str, called: Any) -> None:
            nonlocal steps
            if event == "c_call" and called.__name__ in STEPS:
                steps += 1
                after(steps)

        installation = Installation(load_settings(home / "foretide.yaml"))
        with alone(installation):
            sys.setprofile(count)
            withdrawal.withdraw(installation, ["zebra-77"], date(2026, 7, 5))
            sys.setprofile(None)

    return work


def next_command(home: Path) -> Callable[[], None]:
    """What every command that works in the installation does first."""

    def work() -> None:
        with alone(Installation(load_settings(home / "foretide.yaml"))):
            pass

    return work


def main(folder: Path, trials: int) -> None:
    """Count the steps, then be killed at `trials` of them."""
    whole, counted = folder / "whole", folder / "steps"
    shutil.copytree(folder / "before", whole)
    assert in_a_process(withdraw(whole, lambda step: counted.write_text(str(step)) and None)) == 0  # noqa: S101
    steps = int(counted.read_text())
    for step in sorted({1 + trial * (steps - 1) // (trials - 1) for trial in range(trials)}):
        home = folder / f"killed-{step:04}"
        shutil.copytree(folder / "before", home)
        kill = {step: lambda: os.kill(os.getpid(), signal.SIGKILL)}
        assert in_a_process(withdraw(home, lambda at, kill=kill: kill.get(at, int)() and None)) != 0  # noqa: S101
        assert in_a_process(next_command(home)) == 0  # noqa: S101


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
