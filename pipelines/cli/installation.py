"""Commands about the installation itself: `doctor`, `ui`, `verify`."""

from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.answer import Answer
from pipelines.cli.app import Config, Json, answering, app


@app.command("doctor")
@answering
def doctor_command(config: Config = None, as_json: Json = False) -> Answer:
    """Check the installation: versions, configuration, folders, lake, champion. Changes nothing."""
    from pipelines.doctor import examine

    findings = examine(config)
    bad = sum(finding.state == "fault" for finding in findings)
    closing = "Everything that is needed is here." if not bad else f"{bad} of {len(findings)} checks found a fault."
    rows = [{"check": f.check, "state": f.state, "finding": f.finding} for f in findings]
    return Answer("doctor", rows, sentences=[closing], ok=not bad)


@app.command("verify")
@answering
def verify_command(
    folder: Annotated[Path, typer.Argument(help="A delivery's folder, the folder of an audit log, or of a lake.")],
    as_json: Json = False,
) -> Answer:
    """Check that a delivery, an audit log or a lake is whole and unaltered."""
    from pipelines.verification import verify

    checks = verify(folder)
    states = {check["state"] for check in checks}
    said = "Whole and unaltered, but for subjects who withdrew." if "erased" in states else "Whole and unaltered."
    ok = "fault" not in states
    return Answer("verify", checks, sentences=[said if ok else "NOT as it was written."], ok=ok)


@app.command("ui")
@answering
def ui_command(
    config: Config = None,
    dagster_port: int = 3000,
    mlflow_port: int = 5000,
    reports_port: int = 8000,
    as_json: Json = False,
) -> Answer:
    """Open Dagster, MLflow and the reports on 127.0.0.1, until Ctrl-C."""
    import signal
    import threading

    from rich.console import Console

    from pipelines import ui
    from pipelines.settings import config_path, load_settings

    settings = load_settings(config)
    programs = ui.servers(settings, dagster_port, mlflow_port, reports_port)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    console = Console(stderr=True)
    console.print("Starting Dagster, MLflow and the reports ...")
    with ui.running(settings, programs, config_path(config)) as started:
        for server in programs:
            if server.address:
                console.print(f"  {server.name:<9}{server.address}", highlight=False)
        console.print("Ctrl-C ends them.")
        ui.watch(started, stop)
    return Answer("ui", sentences=["Stopped."])
