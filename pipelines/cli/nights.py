"""Commands about nights: `run`, `score`, `backtest`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.cli.answer import Answer, explained
from pipelines.cli.app import AsOf, Config, Json, answering, app
from pipelines.cli.held import held, held_for_a_night

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipelines.installation import Installation
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
    """One night's delivery by the champion; without a date tonight's, after the nights that were missed."""
    from pipelines.cli.night_of import nights_to_score
    from pipelines.defs.run import execute
    from pipelines.night import overrides
    from pipelines.night_status import of, watched
    from pipelines.settings import load_settings

    with held_for_a_night(load_settings(config), as_json, as_of) as installation:
        nights, is_tonight = nights_to_score(installation, as_of)
        if not is_tonight:
            # What has come in since may show that tonight's is due, as after weeks without power.
            with watched(installation, nights[-1]):
                execute(installation, "take_in")
            nights, is_tonight = nights_to_score(installation, as_of)
        missed = [_catch_up(installation, night) for night in nights[:-1]]
        done, counts, folder = _score(installation, nights[-1])
        outside = overrides(installation)
        status = of(installation, nights[-1])
    told, extra = _told(done)
    said = [*outside, *_of_missed(missed), *told, *_in_words(status)]
    if not is_tonight:
        said.append(f"Data end with the night of {nights[-1]}; for another night give `--as-of`.")
    return Answer("score", counts, [folder], said, extra={**extra, "missed_nights": missed, **_as_json(status)})


def _score(installation: "Installation", night: str) -> "tuple[Mapping[str, Counts], list[dict[str, object]], Path]":
    """One night to its delivery: what each asset told, subjects by status and tier, and the delivery's folder."""
    from pipelines.defs.run import execute
    from pipelines.night import delivered, refuse_early
    from pipelines.night_status import watched
    from pipelines.turn import say_which_night

    say_which_night(installation, night)
    with watched(installation, night):
        refuse_early(installation, night)
        done = execute(installation, "nightly", night)
        return done, *delivered(installation, night)


def _catch_up(installation: "Installation", night: str) -> dict[str, str]:
    """A night that was missed: how it went. One that fails is on record, and keeps no later one from being scored.

    Raises:
        Refused: another run took this one's place.
    """
    from pipelines.night_status import of

    try:
        _score(installation, night)
    except Exception as error:  # noqa: BLE001 (whatever it is, tonight's scores are more urgent)
        installation.lease.check()
        return {"night": night, "status": "red", "error": explained(error)[1]}
    status = of(installation, night)
    return {"night": night, "status": "" if status is None else status.level}


def _of_missed(missed: "list[dict[str, str]]") -> list[str]:
    """Which nights were caught up, in sentences."""
    nights = [one["night"] for one in missed if "error" not in one]
    failed = [f"The night of {one['night']}, missed too, failed: {one['error']}" for one in missed if "error" in one]
    return [*([f"Caught up, having been missed: {', '.join(nights)}."] if nights else []), *failed]


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
    """The night's status, with what there is to see to."""
    if status is None:
        return []
    return [f"The night is {status.level}.", *(reason.replace("`", "") for reason in status.reasons)]


def _as_json(status: "NightStatus | None") -> dict[str, Any]:
    """The night's status for machines."""
    return {} if status is None else {"status": status.level, "reasons": list(status.reasons)}
