"""Commands about nights: `run`, `score`."""

from pipelines.cli.answer import Answer
from pipelines.cli.app import AsOf, Config, Json, answering, app
from pipelines.cli.held import held

# The asset that tells what became of shadow nights.
SHADOW = "model_shadow_scores"


@app.command("run")
@answering
def run_command(as_of: AsOf = None, config: Config = None, as_json: Json = False) -> Answer:
    """The whole job: ingest, validate, features, train, audit, gate, score, deliver, reports."""
    from pipelines.cli.night_of import night_of
    from pipelines.defs.run import execute
    from pipelines.night import delivered
    from pipelines.release import shadow
    from pipelines.release.reporting import findings
    from pipelines.settings import load_settings

    with held(load_settings(config), as_json) as installation:
        if as_of is None:
            execute(installation, "take_in")
        night = night_of(installation, as_of)
        execute(installation, "retrain", night)
        told = execute(installation, "nightly", night)[SHADOW]
        _, sentences = findings(installation)
        counts, folder = delivered(installation, night)
    paths = [installation.settings.reports_folder / "index.html", folder]
    return Answer("run", counts, paths, [*sentences, *shadow.sentences(told)], extra={"shadow_nights": told})


@app.command("score")
@answering
def score_command(as_of: AsOf = None, config: Config = None, as_json: Json = False) -> Answer:
    """One night's delivery by the champion."""
    from pipelines.cli.night_of import night_of
    from pipelines.defs.run import execute
    from pipelines.night import delivered, overrides, refuse_early
    from pipelines.release import shadow
    from pipelines.settings import load_settings

    with held(load_settings(config), as_json) as installation:
        night = night_of(installation, as_of)
        refuse_early(installation, night)
        told = execute(installation, "nightly", night)[SHADOW]
        counts, folder = delivered(installation, night)
        outside = overrides(installation)
    said = [*outside, *shadow.sentences(told)]
    return Answer("score", counts, [folder], said, extra={"shadow_nights": told})
