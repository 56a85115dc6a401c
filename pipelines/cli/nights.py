"""Commands about nights: `run`, `score`, `backtest`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.answer import Answer
from pipelines.cli.app import AsOf, Config, Json, answering, app
from pipelines.cli.held import held, held_for_a_night

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.night_record import NightStatus
    from pipelines.progress import Counts

# Assets that tell what became of shadow nights, of late data, and of sinks.
SHADOW, LATE, SINKS = "model_shadow_scores", "report_late", "report_sinks"


@app.command("run")
@answering
def run_command(as_of: AsOf = None, config: Config = None, as_json: Json = False) -> Answer:
    """The whole job: ingest, validate, features, train, audit, gate, score, deliver, reports."""
    from pipelines.cli.night_of import night_of
    from pipelines.defs.run import execute
    from pipelines.night import delivered
    from pipelines.night_status import of, watched
    from pipelines.release.reporting import findings
    from pipelines.settings import load_settings
    from pipelines.turn import say_which_night

    with held_for_a_night(load_settings(config), as_json, as_of) as installation:
        if as_of is None:
            execute(installation, "take_in")
        night = night_of(installation, as_of)
        say_which_night(installation, night)
        with watched(installation, night):
            execute(installation, "retrain", night)
            done = execute(installation, "nightly", night)
            _, sentences = findings(installation)
            counts, folder = delivered(installation, night)
        status = of(installation, night)
    paths = [installation.settings.reports_folder / "index.html", folder]
    told, extra = _told(done)
    return Answer("run", counts, paths, [*sentences, *told, *_in_words(status)], extra={**extra, **_as_json(status)})


@app.command("score")
@answering
def score_command(as_of: AsOf = None, config: Config = None, as_json: Json = False) -> Answer:
    """One night's delivery by the champion."""
    from pipelines.cli.night_of import night_of
    from pipelines.defs.run import execute
    from pipelines.night import delivered, overrides, refuse_early
    from pipelines.night_status import of, watched
    from pipelines.settings import load_settings
    from pipelines.turn import say_which_night

    with held_for_a_night(load_settings(config), as_json, as_of) as installation:
        night = night_of(installation, as_of)
        say_which_night(installation, night)
        with watched(installation, night):
            refuse_early(installation, night)
            done = execute(installation, "nightly", night)
            counts, folder = delivered(installation, night)
        outside = overrides(installation)
        status = of(installation, night)
    told, extra = _told(done)
    return Answer("score", counts, [folder], [*outside, *told, *_in_words(status)], extra={**extra, **_as_json(status)})


def _told(done: "Mapping[str, Counts]") -> tuple[list[str], dict[str, Any]]:
    """What became of late nights, sinks and shadow nights: in sentences, and for machines."""
    from pipelines import late
    from pipelines.release import shadow
    from pipelines.sinks import night as sinks
    from pipelines.sinks.catching_up import reports

    brought = reports(done[SINKS])
    sentences = [*late.sentences(done[LATE]), *sinks.sentences(brought), *shadow.sentences(done[SHADOW])]
    extra = {"late_nights": done[LATE], "sinks": [of.told() for of in brought], "shadow_nights": done[SHADOW]}
    return sentences, extra


@app.command("backtest")
@answering
def backtest_command(
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="The first night, as YYYY-MM-DD.")],
    last: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="The last night; the newest by default.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> Answer:
    """Many nights as they would have happened, in a folder of their own; no consumer sees them."""
    import pandas as pd

    from pipelines.backtest import backtest, refuse_a_range
    from pipelines.cli.night_of import night_of
    from pipelines.settings import load_settings

    with held(load_settings(config), as_json) as installation:
        nights = night_of(installation, first, "--from"), night_of(installation, last, "--to")
        refuse_a_range(installation, *map(pd.Timestamp, nights))
        found = backtest(installation, *nights)
    told = found.nights.assign(as_of_date=found.nights["as_of_date"].dt.strftime("%Y-%m-%d"))
    by_outcome = told.drop(columns="as_of_date").groupby("outcome").mean().round(1).reset_index()
    sentences = [
        f"{told['as_of_date'].nunique()} nights from {nights[0]} to {nights[1]}, scored by {' and '.join(found.models)}; "
        "means per night:",
    ]
    rows = told.to_dict("records") if as_json else by_outcome.to_dict("records")
    return Answer("backtest", rows, [found.deliveries], sentences, is_told_first=True)


def _in_words(status: "NightStatus | None") -> list[str]:
    """What there is to see to, if anything."""
    if status is None or status.level == "green":
        return []
    return [f"The night is {status.level}.", *(reason.replace("`", "") for reason in status.reasons)]


def _as_json(status: "NightStatus | None") -> dict[str, Any]:
    """The night's status for machines."""
    return {} if status is None else {"status": status.level, "reasons": list(status.reasons)}
