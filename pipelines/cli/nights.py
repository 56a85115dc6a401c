"""Commands about nights: `run`, `score`."""

from pipelines.cli.answer import Answer
from pipelines.cli.app import AsOf, Config, Json, answering, app
from pipelines.cli.held import held


@app.command("run")
@answering
def run_command(as_of: AsOf = None, config: Config = None, as_json: Json = False) -> Answer:
    """The whole job: ingest, validate, features, train, audit, gate, score, deliver, reports."""
    from pipelines.cli.night_of import night_of
    from pipelines.defs.run import execute
    from pipelines.night import delivered
    from pipelines.release.reporting import findings
    from pipelines.settings import load_settings

    with held(load_settings(config), as_json) as installation:
        if as_of is None:
            execute(installation, "take_in")
        night = night_of(installation, as_of)
        execute(installation, "retrain", night)
        execute(installation, "nightly", night)
        _, sentences = findings(installation)
        counts, folder = delivered(installation, night)
    return Answer("run", counts, [installation.settings.reports_folder / "index.html", folder], sentences)


@app.command("score")
@answering
def score_command(as_of: AsOf = None, config: Config = None, as_json: Json = False) -> Answer:
    """One night's delivery by the champion."""
    from pipelines.cli.night_of import night_of
    from pipelines.defs.run import execute
    from pipelines.night import delivered, overrides, refuse_early
    from pipelines.settings import load_settings

    with held(load_settings(config), as_json) as installation:
        night = night_of(installation, as_of)
        refuse_early(installation, night)
        execute(installation, "nightly", night)
        counts, folder = delivered(installation, night)
        outside = overrides(installation)
    return Answer("score", counts, [folder], outside)
