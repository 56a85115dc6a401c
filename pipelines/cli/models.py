"""Commands about models: `train`, `audit`, `replay`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pipelines.cli.answer import Answer
from pipelines.cli.app import AsOf, Config, Json, answering, app


@app.command("train")
@answering
def train_command(as_of: AsOf = None, config: Config = None, as_json: Json = False) -> Answer:
    """Retrain on everything known by the night, audit, register, and pass through the gate."""
    from pipelines.cli.night_of import night_of
    from pipelines.defs.run import execute
    from pipelines.installation import Installation
    from pipelines.progress import progress_bar
    from pipelines.release import findings
    from pipelines.reports.comparison import comparison
    from pipelines.settings import load_settings
    from pipelines.turn import alone

    settings = load_settings(config)
    with progress_bar(as_json) as report:
        installation = Installation(settings, report, datetime.now(UTC))
        with alone(installation):
            night = night_of(installation, as_of)
            execute(installation, "retrain", night)
            results, sentences = findings(installation)
    rows = results.to_dict("records") if as_json else comparison(results, settings.alert_horizons)
    return Answer("train", rows, [settings.reports_folder / "index.html"], sentences)


@app.command("audit")
@answering
def audit_command(config: Config = None, as_json: Json = False) -> Answer:
    """Write the fairness report of the last training again, and say its verdicts."""
    from pipelines.installation import Installation
    from pipelines.progress import progress_bar
    from pipelines.release import audit_again
    from pipelines.settings import load_settings
    from pipelines.turn import alone

    settings = load_settings(config)
    with progress_bar(as_json) as report:
        installation = Installation(settings, report, datetime.now(UTC))
        with alone(installation):
            rows, path = audit_again(installation)
    return Answer("audit", rows, [path], ["Insufficient evidence never means fair."])


@app.command("replay")
@answering
def replay_command(
    name: Annotated[str, typer.Argument(help="jang2024 or lifesnaps.")],
    data: Annotated[Path, typer.Option(help="Folder that holds the cohort's files.")],
    out: Annotated[Path | None, typer.Option(help="Keep the lake and the reports here.")] = None,
    resamples: Annotated[int, typer.Option(help="Subject resamples for every interval.", min=100)] = 1000,
    as_json: Json = False,
) -> Answer:
    """Evaluate end to end on a real cohort, from its raw files, in a lake of its own."""
    from pipelines.progress import progress_bar
    from pipelines.replay import replay
    from pipelines.reports.comparison import comparison

    with progress_bar(as_json) as report:
        result = replay(name, data, out, resamples, report)
    rows = result.results.to_dict("records") if as_json else comparison(result.results, result.alert_horizons)
    return Answer("replay", rows, result.paths, result.sentences)
