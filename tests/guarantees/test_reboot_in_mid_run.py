"""A reboot in mid-run: the daemon and its workers are gone, a run is left in progress, and the next night runs unattended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from dagster import DagsterRunStatus, RunsFilter

from pipelines import dagster_home, locks, night_record, ui
from pipelines.delivery.publish import current
from pipelines.delivery.verify import verify
from pipelines.settings import Settings, load_settings
from pipelines.turn import LOCK_NAME
from tests.pipelines.small_job import NIGHT, ROOT, foretide, make_smallest_home

CUT_OFF, NEXT = "2026-07-02", "2026-07-03"
PATIENCE_S = 400


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a champion."""
    folder = make_smallest_home(tmp_path_factory.mktemp("rebooted"))
    code, answer, said = foretide(folder, "train", "--as-of", NIGHT)
    assert code == 0, (answer, said)
    return folder


def environment(home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "DAGSTER_HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "FORETIDE_CONFIG": str(home / "foretide.yaml"),
    }


def daemon(home: Path, settings: Settings) -> "subprocess.Popen[bytes]":
    """The daemon, as `foretide ui` starts it, with everything that it starts in one group."""
    ui.free_the_queue(settings)
    command = next(server.command for server in ui.servers(settings, 0, 0, 0) if server.name == "Dagster daemon")
    with (home / "daemon.log").open("ab") as log:
        return subprocess.Popen(
            command, cwd=home, env=environment(home), stdout=log, stderr=log, start_new_session=True
        )


def queue(home: Path, night: str) -> None:
    """Have the daemon run a night, as its schedule does."""
    tags = f'{{"dagster/partition": "{night}"}}'
    command = [
        sys.executable,
        "-m",
        "dagster",
        "job",
        "launch",
        "-m",
        "pipelines.definitions",
        "-j",
        "nightly",
        "--tags",
        tags,
    ]
    done = subprocess.run(command, cwd=home, env=environment(home), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def wait(until: Callable[[], bool], home: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < end, (home / "daemon.log").read_text()[-3000:]
        time.sleep(0.3)


def is_at_work(settings: Settings) -> bool:
    """Whether a run holds the installation."""
    path = settings.state_folder / LOCK_NAME
    lock = locks.take(path)
    if lock is not None:
        lock.close()
    return lock is None


def statuses(settings: Settings, night: str) -> list[DagsterRunStatus]:
    """What became of the runs of a night, newest first."""
    with dagster_home.opened(settings) as instance:
        return [run.status for run in instance.get_runs(RunsFilter(tags={dagster_home.PARTITION: night}))]


def test_after_a_reboot_in_mid_run_the_nights_run_unattended(home):
    """kill -9 of daemon and workers; then nobody does anything but start the daemon again.

    The run that was cut off is on record as failed, with the reason, and is run again; the next night is delivered too.
    """
    settings = load_settings(home / "foretide.yaml")
    queue(home, CUT_OFF)
    first = daemon(home, settings)
    try:
        wait(lambda: is_at_work(settings), home)
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert statuses(settings, CUT_OFF)[-1] in (DagsterRunStatus.STARTED, DagsterRunStatus.STARTING)
    queue(home, NEXT)
    second = daemon(home, settings)
    try:
        wait(lambda: all(statuses(settings, night)[0] == DagsterRunStatus.SUCCESS for night in (CUT_OFF, NEXT)), home)
    finally:
        os.killpg(second.pid, signal.SIGKILL)
        second.wait()
    assert statuses(settings, CUT_OFF)[-1] == DagsterRunStatus.FAILURE
    for night in (CUT_OFF, NEXT):
        folder = current(settings.deliveries_folder, pd.Timestamp(night))
        assert folder is not None
        assert verify(folder).is_whole
        status = night_record.read(settings.state_folder, night)
        assert status is not None
        assert status.is_over
        assert status.level != "red", status.reasons


def test_a_run_that_a_command_left_is_put_on_record_by_the_next_one(home):
    """A command that was killed leaves its run in progress; the next command that runs a job says so and goes on."""
    settings = load_settings(home / "foretide.yaml")
    command = subprocess.Popen([Path(sys.executable).with_name("foretide"), "score", "--as-of", NIGHT], cwd=home)
    wait(lambda: DagsterRunStatus.STARTED in statuses(settings, NIGHT), home)
    command.kill()
    command.wait()
    assert statuses(settings, NIGHT)[0] == DagsterRunStatus.STARTED
    code, answer, said = foretide(home, "score", "--as-of", NIGHT)
    assert code == 0, (answer, said)
    assert statuses(settings, NIGHT)[:2] == [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE]
