"""Dagster (webserver and daemon), MLflow and the report site, started together on 127.0.0.1 and stopped together."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import Fault, Refused
from pipelines.settings import Settings

HOST = "127.0.0.1"
START_WITHIN_S = 90


@dataclass(frozen=True)
class Server:
    """One server program: what it shows, where, and the command that starts it."""

    name: str
    port: int | None
    command: tuple[str, ...]

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
def running(settings: Settings, programs: tuple[Server, ...], config: Path) -> Iterator[None]:
    """Start the programs, wait until each with a port answers, and stop them all at the end.

    Raises:
        Refused: a port is taken.
        Fault: a program ended or did not answer in time; its log is named.
    """
    for server in programs:
        if server.port and _answers(server.port):
            raise Refused(f"Port {server.port} is taken, {server.name} cannot use it. Choose another with the options.")
    free_the_queue(settings)
    logs = settings.state_folder / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    settings.reports_folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "DAGSTER_HOME": str(settings.home), "FORETIDE_CONFIG": str(config)}
    started: list[subprocess.Popen[bytes]] = []
    try:
        for server in programs:
            with (logs / f"{server.name.lower().replace(' ', '-')}.log").open("wb") as log:
                started.append(
                    subprocess.Popen(server.command, cwd=settings.home, env=environment, stdout=log, stderr=log)  # noqa: S603
                )
        _wait_for(programs, started, logs)
        yield
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(timeout=30)


def free_the_queue(settings: Settings) -> None:
    """Make Dagster's home before several programs want to, and put runs on record as failed whose process is gone.

    Where a command is at work its run is in progress: then nothing is touched, and that command has seen to it.
    """
    from pipelines import dagster_home, turn

    with turn.if_free(settings) as is_free, dagster_home.opened(settings) as instance:
        if is_free:
            dagster_home.reap(instance, None)


def _wait_for(programs: tuple[Server, ...], started: list[subprocess.Popen[bytes]], logs: Path) -> None:
    patience = START_WITHIN_S * 10
    for server, process in zip(programs, started, strict=True):
        while server.port and not _answers(server.port):
            patience -= 1
            if process.poll() is not None or patience == 0:
                raise Fault(f"{server.name} did not start; {logs.name}/ in the state folder holds its log.")
            time.sleep(0.1)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, port)) == 0
