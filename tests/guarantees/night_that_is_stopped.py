"""A program that works in an installation and stops itself (SIGSTOP) at the n-th step that touches the disk.

Run with HOME STEP WHAT: it takes the installation in HOME, stops itself right before its STEP-th step while it does WHAT
(`publish` a delivery, `record` in the audit log, `store` a table), and goes on once it gets SIGCONT. It prints what became of it.
"""

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import pandas as pd

from pipelines.delivery.publish import publish
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.settings import settings_from
from pipelines.turn import alone
from tests.guarantees import publishing_that_is_killed as deliveries

STEPS = deliveries.STEPS | {"flock", "stat", "create_write_transaction", "write", "write_table", "unlink"}
OUTCOMES = {"crisis": {"events": ["panic"], "horizons_days": [7]}}


def installation(home: Path, now: datetime) -> Installation:
    """The installation in a home, for a command given at an instant."""
    return Installation(settings_from({"outcomes": OUTCOMES}, home), now=now)


def do(what: str, of: Installation, content: str) -> None:
    """Make something visible that tells by whom it was made."""
    if what == "publish":
        context = deliveries.context(content)
        publish(of.settings.deliveries_folder, deliveries.night(context), context, fence=of.lease.check)
    elif what == "record":
        of.audit_log.append("test", {"by": content}, None)
    else:
        of.lake.replace("scores", pd.DataFrame({"by": [content]}), content)


def stopped_at(step: int) -> Any:
    """A profiler that counts the steps and stops this process just before the given one."""
    left = step

    def count(frame: FrameType, event: str, called: Any) -> None:
        nonlocal left
        if event == "c_call" and called.__name__ in STEPS:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGSTOP)

    return count


def main(home: Path, step: int, what: str) -> None:
    """Take the installation and be stopped on the way."""
    of = installation(home, datetime.now(UTC))
    try:
        with alone(of):
            sys.setprofile(stopped_at(step))
            do(what, of, "old")
            sys.setprofile(None)
        print("done", flush=True)
    except Refused as refused:
        sys.setprofile(None)
        print(f"refused: {refused}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
