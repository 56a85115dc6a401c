"""A run that was stopped and wakes late: another took its place, its lock is gone, and it cannot make anything visible.

Real processes: one stops itself (SIGSTOP) at some step of its work, another supersedes it two hours later and does the
same work, then the first one wakes (SIGCONT).
"""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.delivery.publish import current
from pipelines.delivery.verify import verify
from pipelines.errors import Refused
from pipelines.locks import OVERTAKEN
from pipelines.release.registry import CHALLENGER, ModelVersion
from pipelines.turn import AtWork, alone
from tests.guarantees import night_that_is_stopped as stopped
from tests.guarantees import publishing_that_is_killed as deliveries

PROGRAM = Path(stopped.__file__)
# Every so many steps; an odd number, so that each kind of step comes in turn. STRIDE_OF_STOPS=1 tries all.
EVERY = {"publish": 9, "record": 9, "store": 3}
MOST = {"publish": 100, "record": 140, "store": 30}


def started(home: Path, step: int, what: str) -> subprocess.Popen[str]:
    """A process that works in the home, once it has stopped itself, or is over."""
    program = subprocess.Popen(
        [sys.executable, str(PROGRAM), str(home), str(step), what], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": "."},
    )  # fmt: skip
    os.waitid(os.P_PID, program.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    return program


def what_is_there(home: Path, what: str) -> object:
    """What a reader finds of the work."""
    of = stopped.installation(home, datetime.now(UTC))
    if what == "publish":
        folder = current(of.settings.deliveries_folder, deliveries.AS_OF)
        assert folder is not None
        assert verify(folder).is_whole
        return folder.name
    if what == "record":
        assert of.audit_log.verify() == []
        return [entry["details"]["by"] for entry in of.audit_log.entries() if entry["kind"] == "test"][-1]
    return of.lake.load("scores")["by"].to_list(), of.lake.derived_version("scores")


NEW = {"publish": deliveries.context("new").run_id, "record": "new", "store": (["new"], "new")}


@pytest.mark.parametrize("what", ["publish", "record", "store"])
def test_whoever_is_superseded_at_any_step_changes_nothing_any_more(tmp_path, what):
    """After it woke, what the one that took its place made stands, and it says that its place was taken."""
    said, stride = [], int(os.environ.get("STRIDE_OF_STOPS", EVERY[what]))
    for step in range(1, MOST[what], stride):
        home = tmp_path / str(step)
        home.mkdir()
        program = started(home, step, what)
        if program.poll() is not None:
            assert program.communicate()[0].strip() == "done"
            break
        with alone(stopped.installation(home, datetime.now(UTC) + timedelta(hours=3))):
            of = stopped.installation(home, datetime.now(UTC))
            stopped.do(what, of, "new")
        before = what_is_there(home, what)
        program.send_signal(signal.SIGCONT)
        said.append(program.communicate(timeout=60)[0].strip())
        assert what_is_there(home, what) == before == NEW[what], (step, said[-1])
        assert program.returncode == 0, (step, said[-1])
    assert said.count(f"refused: {OVERTAKEN}") > len(said) / 2, said


def test_who_gives_signs_of_life_is_not_superseded(tmp_path):
    """A stopped process keeps its place for two hours, and to one that is not told what time it is."""
    program = started(tmp_path, 1, "publish")
    try:
        for now in (datetime.now(UTC) + timedelta(hours=1, minutes=50), None):
            said = rf"at work in this installation \(process {program.pid}, since "
            with pytest.raises(AtWork, match=said), alone(stopped.installation(tmp_path, now)):
                pytest.fail("it took the place of one that may live")
    finally:
        program.send_signal(signal.SIGCONT)
        assert program.communicate(timeout=60)[0].strip() == "done"


def test_that_one_was_superseded_is_on_record(tmp_path):
    """The audit log says whose place was taken."""
    program = started(tmp_path, 1, "record")
    with alone(stopped.installation(tmp_path, datetime.now(UTC) + timedelta(hours=3))):
        pass
    program.send_signal(signal.SIGCONT)
    program.communicate(timeout=60)
    entries = stopped.installation(tmp_path, None).audit_log.entries()
    assert [entry["details"]["holder"].split(",")[0] for entry in entries] == [f"process {program.pid}"]


def test_a_long_job_shows_that_it_lives(tmp_path, monkeypatch):
    """Its lock's file is touched again and again, so that no job is superseded for being long."""
    monkeypatch.setattr("pipelines.locks.BEAT_S", 0.01)
    path = tmp_path / ".state" / "installation.lock"
    with alone(stopped.installation(tmp_path, datetime.now(UTC))):
        os.utime(path, (0, 0))
        until = datetime.now(UTC) + timedelta(seconds=20)
        while path.stat().st_mtime == 0 and datetime.now(UTC) < until:
            pass
        assert path.stat().st_mtime > 0


def test_a_command_that_was_superseded_is_refused_wherever_it_would_change_something(tmp_path):
    """Lake, audit log, deliveries and registry ask the one lease."""
    of = stopped.installation(tmp_path, datetime.now(UTC))
    with alone(of):
        (tmp_path / ".state" / "installation.lock").unlink()
        for what in ("publish", "record", "store"):
            with pytest.raises(Refused, match="took this one's place"):
                stopped.do(what, of, "old")
        with pytest.raises(Refused, match="took this one's place"):
            of.registry.set_alias(ModelVersion("foretide-crisis", "1", "", ""), CHALLENGER)
