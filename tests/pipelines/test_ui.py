"""The programs of `foretide ui`, which end together: when asked to, and when one of them ends by itself."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from pipelines import ui
from pipelines.errors import Fault
from pipelines.settings import Settings, settings_from
from tests.pipelines.small_job import ROOT

OUTCOMES = {"crisis": {"events": ["panic"], "horizons_days": [7]}}
PATIENCE_S = 200


def sleeper(name: str, code: str = "import time; print('awake', flush=True); time.sleep(600)") -> ui.Server:
    """A program without pages."""
    return ui.Server(name, None, (sys.executable, "-c", code))


def wait_for(text: str, log: Path) -> None:
    end = time.monotonic() + PATIENCE_S
    while log.read_text() != text:
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def settings(tmp_path, monkeypatch) -> Settings:
    monkeypatch.setattr(ui, "free_the_queue", lambda settings: None)
    monkeypatch.setattr(ui, "GLANCE_S", 0.05)
    return settings_from({"outcomes": OUTCOMES}, tmp_path)


def test_a_program_that_is_killed_ends_all_with_a_fault(settings):
    """It and its log are named; the other is stopped; and what the log said is kept when all is started again."""
    programs = (sleeper("Pages"), sleeper("Dagster daemon"))
    log, processes = settings.state_folder / programs[1].log, []

    def serve_and_kill():
        with ui.running(settings, programs, Path("foretide.yaml")) as started:
            processes.extend(process for _, process in started)
            wait_for("awake\n", log)
            os.kill(processes[1].pid, signal.SIGKILL)
            ui.watch(started, threading.Event())

    with pytest.raises(Fault, match=r"Dagster daemon ended by itself, by signal 9.*logs/dagster-daemon\.log") as caught:
        serve_and_kill()
    assert caught.value.exit_code == 3
    assert [process.poll() for process in processes] == [-signal.SIGTERM, -signal.SIGKILL]
    with ui.running(settings, programs, Path("foretide.yaml")):
        assert log.with_suffix(".before.log").read_text() == "awake\n"


def test_programs_that_are_asked_to_end_are_no_fault(settings):
    """Who asked is answered; nothing is left running."""
    stop = threading.Event()
    stop.set()
    with ui.running(settings, (sleeper("Pages"),), Path("foretide.yaml")) as started:
        ui.watch(started, stop)
    assert started[0][1].poll() == -signal.SIGTERM


def test_a_program_that_will_not_end_is_ended_by_force(settings, monkeypatch):
    """So that a service that is started again finds its ports free."""
    monkeypatch.setattr(ui, "END_WITHIN_S", 0.2)
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    )
    with ui.running(settings, (sleeper("Pages", deaf),), Path("foretide.yaml")) as started:
        wait_for("deaf\n", settings.state_folder / started[0][0].log)
    assert started[0][1].poll() == -signal.SIGKILL


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def test_the_real_daemon_killed_ends_the_real_command_with_exit_code_3(tmp_path):
    """`foretide ui`, as a service runs it: the daemon dies, the command names it on standard error and is gone, all of it."""
    for name in ("foretide.yaml", "dagster.yaml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    dagster, mlflow, reports = map(str, free_ports(3))
    command = subprocess.Popen(
        [Path(sys.executable).with_name("foretide"), "ui", "--dagster-port", dagster, "--mlflow-port", mlflow,
         "--reports-port", reports],
        cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert command.stderr is not None
    said = ""
    while "Ctrl-C" not in said:
        line = command.stderr.readline()
        assert line, said
        said += line
    children = [int(pid) for pid in Path(f"/proc/{command.pid}/task/{command.pid}/children").read_text().split()]
    (daemon,) = [pid for pid in children if b"dagster._daemon" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(daemon, signal.SIGKILL)
    said = command.communicate(timeout=PATIENCE_S)[1]
    assert (command.returncode, "Dagster daemon ended by itself, by signal 9" in said) == (3, True), said
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
