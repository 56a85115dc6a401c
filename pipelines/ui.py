"""Dagster (webserver and daemon), MLflow and the report site, started together on 127.0.0.1 and stopped together.

One that ends by itself ends all: a daemon that is gone would be missed on the first night that nobody scores.
"""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import Fault, Refused
from pipelines.settings import Settings

HOST = "127.0.0.1"
START_WITHIN_S, END_WITHIN_S = 90, 30
GLANCE_S = 1.0


@dataclass(frozen=True)
class Server:
    """One server program: what it shows, where, and the command that starts it."""

    name: str
    port: int | None
    command: tuple[str, ...]

    @property
    def log(self) -> str:
        """The file of its log, in the state folder."""
        return f"logs/{self.name.lower().replace(' ', '-')}.log"

    @property
    def address(self) -> str:
        """Where to point a browser; empty for a server without pages."""
        return f"http://{HOST}:{self.port}" if self.port else ""


def servers(settings: Settings, dagster_port: int, mlflow_port: int, reports_port: int) -> tuple[Server, ...]:
    """The four programs of the user interface."""
    python = sys.executable
    code = ("-m", "pipelines.definitions")
    return (
        Server("Dagster", dagster_port, (python, "-m", "dagster_webserver", "-h", HOST, "-p", str(dagster_port), *code)),
        Server("Dagster daemon", None, (python, "-m", "dagster._daemon", "run", *code)),
        Server(
            "MLflow",
            mlflow_port,
            (python, "-m", "mlflow", "ui", "--host", HOST, "--port", str(mlflow_port), "--workers", "1",
             "--backend-store-uri", settings.tracking_uri),
        ),
        Server(
            "Reports",
            reports_port,
            (python, "-m", "http.server", str(reports_port), "--bind", HOST,
             "--directory", str(settings.reports_folder)),
        ),
    )  # fmt: skip


@contextmanager
def running(
    settings: Settings, programs: tuple[Server, ...], config: Path
) -> Iterator[list[tuple[Server, "subprocess.Popen[bytes]"]]]:
    """Start the programs, wait until each with a port answers, and stop them all at the end.

    Raises:
        Refused: a port is taken.
        Fault: a program ended or did not answer in time; its log is named.
    """
    for server in programs:
        if server.port and _answers(server.port):
            raise Refused(f"Port {server.port} is taken, {server.name} cannot use it. Choose another with the options.")
    free_the_queue(settings)
    (settings.state_folder / "logs").mkdir(parents=True, exist_ok=True)
    settings.reports_folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "DAGSTER_HOME": str(settings.home), "FORETIDE_CONFIG": str(config)}
    started: list[tuple[Server, subprocess.Popen[bytes]]] = []
    try:
        for server in programs:
            path = settings.state_folder / server.log
            if path.is_file():
                # Whoever starts it again, as systemd does, must still find why it ended.
                path.replace(path.with_suffix(".before.log"))
            with path.open("wb") as log:
                process = subprocess.Popen(server.command, cwd=settings.home, env=environment, stdout=log, stderr=log)  # noqa: S603
            started.append((server, process))
        _wait_for(started)
        yield started
    finally:
        _stop([process for _, process in started])


def watch(started: "list[tuple[Server, subprocess.Popen[bytes]]]", stop: threading.Event) -> None:
    """Wait until somebody asks for the end.

    Raises:
        Fault: a program ended by itself before; it and its log are named.
    """
    while not stop.wait(GLANCE_S):
        for server, process in started:
            code = process.poll()
            if code is not None and not stop.is_set():
                how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
                raise Fault(
                    f"{server.name} ended by itself, {how}; the others were stopped. Its log: {server.log} in the state folder "
                    "(once started again: the one named `.before.log`)."
                )


def _stop(processes: "list[subprocess.Popen[bytes]]") -> None:
    """End programs, and those by force that do not end."""
    for process in processes:
        process.terminate()
    end = time.monotonic() + END_WITHIN_S
    for process in processes:
        try:
            process.wait(timeout=max(end - time.monotonic(), 0))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_the_queue(settings: Settings) -> None:
    """Make Dagster's home before several programs want to, and put runs on record as failed whose process is gone.

    Where a command is at work its run is in progress: then nothing is touched, and that command has seen to it.
    """
    from pipelines import dagster_home, turn

    with turn.if_free(settings) as is_free, dagster_home.opened(settings) as instance:
        if is_free:
            dagster_home.reap(instance, None)


def _wait_for(started: "list[tuple[Server, subprocess.Popen[bytes]]]") -> None:
    patience = START_WITHIN_S * 10
    for server, process in started:
        while server.port and not _answers(server.port):
            patience -= 1
            if process.poll() is not None or patience == 0:
                raise Fault(f"{server.name} did not start. Its log: {server.log} in the state folder.")
            time.sleep(0.1)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0
