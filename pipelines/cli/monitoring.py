"""The command `monitor`: what changed over the weeks, and how past scores turned out."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.answer import Answer
from pipelines.cli.app import AsOf, Config, Json, answering, app
from pipelines.cli.held import held

if TYPE_CHECKING:
    from pipelines.installation import Installation

Deliveries = Annotated[
    Path | None,
    typer.Option(
        "--deliveries", help="Judge the nights of this folder instead, such as the `deliveries` of a backtest."
    ),
]


@app.command("monitor")
@answering
def monitor_command(
    as_of: AsOf = None, deliveries: Deliveries = None, config: Config = None, as_json: Json = False
) -> Answer:
    """What changed over the weeks, and how past scores turned out: of the newest watched night, or of the one asked for."""
    from pipelines.settings import load_settings

    settings = load_settings(config)
    with held(settings, as_json, settings.night.wait_minutes) as installation:
        if deliveries is not None:
            return _tried(installation, deliveries, as_json)
        return _watched(installation, as_of, as_json)


def _watched(installation: "Installation", as_of: str | None, as_json: bool) -> Answer:
    """Of a watched night: for a machine every series and figure, for a person what is out of the ordinary."""
    from pipelines.cli.night_of import night_of
    from pipelines.errors import Refused
    from pipelines.monitoring import record, reporting, telling, watching

    night = record.newest(installation) if as_of is None else night_of(installation, as_of)
    if night is None:
        raise Refused(
            "There is not enough history yet: no night was watched. `foretide score` scores one and watches it."
        )
    watched = watching.again(installation, night)
    found = telling.findings(watched.record, reporting.words_of(installation))
    said = [f"Night of {night}: {telling.lead(watched.record, found)}", *(of.sentence for of in found)]
    said += telling.unjudged(watched.record, watched.charts)
    extra = {"night": night, "signals": [asdict(of) for of in watched.record.signals]}
    rows = reporting.rows(installation, watched) if as_json else reporting.summary(watched.record.figures)
    return Answer("monitor", rows, [reporting.write(installation, watched)], said, extra=extra)


def _tried(installation: "Installation", deliveries: Path, as_json: bool) -> Answer:
    """Of nights that were scored to try something out: what would have been told, and when first."""
    from pipelines.monitoring import record, reporting, trial

    tried = trial.of_deliveries(installation, deliveries)
    said = [
        f"{tried.nights} nights from {tried.first} to {tried.last}; what models saw is not among deliveries, and not judged."
    ]
    if tried.nights < trial.FEWEST_NIGHTS:
        said.append(
            f"There is not enough history to say what is ordinary of scores and alerts: that takes {trial.FEWEST_NIGHTS} nights."
        )
    said += [f"{night}: {text}" for night, text in trial.sentences(tried, reporting.words_of(installation))]
    if not tried.signals:
        said.append("Nothing would have been told.")
    figures = record.rows_of(tried.figures)
    rows = [reporting.tidy(installation, of) for of in figures] if as_json else reporting.summary(figures)
    signals = [{"night": night, **asdict(of)} for night, of in tried.signals]
    return Answer("monitor", rows, [], said, extra={"signals": signals})
