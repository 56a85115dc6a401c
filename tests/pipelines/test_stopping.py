"""A command that is asked to end says so in one line, and leaves nothing that the next one would stumble over."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from dagster._utils.interrupts import capture_interrupts

from pipelines.defs.run import interrupts_kept
from tests.pipelines.small_job import foretide, make_home

FORETIDE = Path(sys.executable).with_name("foretide")
PATIENCE_S = 120


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation that nothing was done in yet."""
    return make_home(tmp_path_factory.mktemp("stopped"), subjects=20)


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_job_that_is_asked_to_end_says_so_in_one_line(home, asked):
    """Ctrl-C and SIGTERM amid a step of a job: 130, one line, no traceback."""
    folder = home / ".state" / "dagster" / "history" / "runs"
    before = len(list(folder.glob("*.db")))
    job = subprocess.Popen([FORETIDE, "run"], cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + PATIENCE_S
    while len(list(folder.glob("*.db"))) == before and job.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    job.send_signal(asked)
    said, complaint = job.communicate(timeout=PATIENCE_S)
    stopped = ["Stopped before the end. Nothing is half-written: give the same command again."]
    assert (job.returncode, said, complaint.splitlines()) == (130, "", stopped)


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_dagster_forgets_ends_the_command_all_the_same(asked):
    """It came amid Dagster's own work, after the last step: nothing is raised there, and the next job would begin."""
    with pytest.raises(KeyboardInterrupt), interrupts_kept(), capture_interrupts():
        os.kill(os.getpid(), asked)


def test_without_a_signal_nothing_is_raised():
    """And what is raised otherwise stays what it is."""
    with interrupts_kept():
        pass
    with pytest.raises(ValueError, match="else"), interrupts_kept():
        raise ValueError("else")


def test_the_same_command_works_after_one_that_was_stopped(home):
    """What was cut off is taken back or finished: nobody has to mend anything by hand."""
    code, _, complaint = foretide(home, "ingest", "simulated")
    assert code == 0, complaint
