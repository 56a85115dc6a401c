"""Commands about models: `train`, `audit`, `replay`, `plan`, `validate`, `compare`, `mitigate`, `tune`."""

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.cli.answer import Answer
from pipelines.cli.app import AsOf, Config, Json, answering, app
from pipelines.cli.held import held

if TYPE_CHECKING:
    import pandas as pd

Ablate = Annotated[
    bool,
    typer.Option(
        "--ablate",
        help="Also try what each family of features adds: some 27 sets of features, 3 seeds each; 20 minutes for 300 subjects.",
    ),
]


@app.command("train")
@answering
def train_command(as_of: AsOf = None, ablate: Ablate = False, config: Config = None, as_json: Json = False) -> Answer:
    """Retrain on everything known by the night, audit, register, and pass through the gate."""
    from pipelines.cli.night_of import night_of
    from pipelines.defs.run import execute
    from pipelines.release.reporting import findings
    from pipelines.settings import load_settings

    with held(load_settings(config), as_json) as installation:
        night = night_of(installation, as_of)
        execute(installation, "retrain_and_ablate" if ablate else "retrain", night)
        results, sentences = findings(installation)
        tried = installation.lake.load("ablation") if ablate else None
    paths = [installation.settings.reports_folder / "index.html"]
    return _evaluated("train", results, tried, installation.settings.alert_horizons, sentences, paths, as_json)


def _evaluated(
    command: str, results: "pd.DataFrame", tried: "pd.DataFrame | None", alert_horizons: dict[str, int],
    sentences: list[str], paths: list[Path], as_json: bool,
) -> Answer:  # fmt: skip
    """What was measured, in full for a machine; for a person the model beside the baselines, or the families tried."""
    from pipelines.reports import ablation
    from pipelines.reports.comparison import comparison

    if tried is not None:
        sentences = [*sentences, *ablation.sentences(tried, alert_horizons)]
    if as_json:
        extra = (
            {} if tried is None else {"ablation": tried.astype(object).where(tried.notna(), None).to_dict("records")}
        )
        return Answer(command, results.to_dict("records"), paths, sentences, extra=extra)
    rows = comparison(results, alert_horizons) if tried is None else ablation.table(tried, alert_horizons)
    return Answer(command, rows, paths, sentences)


@app.command("replay")
@answering
def replay_command(
    name: Annotated[str, typer.Argument(help="jang2024 or lifesnaps.")],
    data: Annotated[Path, typer.Option(help="Folder that holds the cohort's files.")],
    out: Annotated[Path | None, typer.Option(help="Keep the lake and the reports here.")] = None,
    resamples: Annotated[int, typer.Option(help="Subject resamples for every interval.", min=100)] = 1000,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="The whole protocol: every split, ten seeds, the gain refitted.",
        ),
    ] = False,
    ablate: Ablate = False,
    as_json: Json = False,
) -> Answer:
    """Evaluate end to end on a real cohort, from its raw files, in a lake of its own."""
    from pipelines.progress import progress_bar
    from pipelines.replay import replay

    with progress_bar(as_json) as report:
        found = replay(name, data, out, resamples, report, ablate, full)
    return _evaluated(
        "replay", found.results, found.ablation, found.alert_horizons, found.sentences, found.paths, as_json
    )


@app.command("plan")
@answering
def plan_command(as_of: AsOf = None, config: Config = None, as_json: Json = False) -> Answer:
    """Before training: which gain and which group gap this cohort can prove, and how many event subjects are missing."""
    from models import power
    from pipelines.cli.night_of import night_of
    from pipelines.reports import prospects
    from pipelines.settings import load_settings
    from pipelines.training.planning import plan

    with held(load_settings(config), as_json) as installation:
        plans = plan(installation, night_of(installation, as_of))
    tidy = [row for found in plans for row in power.tidy(found.prospects, found.audit).to_dict("records")]
    rows = tidy if as_json else prospects.table(plans)
    return Answer("plan", rows, sentences=prospects.sentences(plans), is_told_first=True)


@app.command("validate")
@answering
def validate_command(
    cohort: Annotated[
        Path, typer.Option(help="The other cohort: its foretide.yaml, or a folder that `foretide replay --out` kept.")
    ],
    model: Annotated[
        str | None, typer.Option(help="NAME/VERSION or NAME@ALIAS; the champion by default.", metavar="MODEL")
    ] = None,
    outcome: Annotated[
        str | None, typer.Option("--outcome", help="Which of the cohort's, if named otherwise than the model's.")
    ] = None,
    as_of: AsOf = None,
    config: Config = None,
    as_json: Json = False,
) -> Answer:
    """Try a registered model on a cohort it never saw: as is, calibrated anew, and refitted."""
    from pipelines.cli.night_of import night_of
    from pipelines.installation import Installation
    from pipelines.release.external_validation import cohort_settings, validate
    from pipelines.reports import elsewhere
    from pipelines.settings import load_settings

    settings, others = load_settings(config), cohort_settings(cohort)
    with held(others, as_json) as tested:
        found = validate(Installation(settings, tested.report), model, tested, night_of(tested, as_of), outcome)
    rows = found.rows.to_dict("records") if as_json else elsewhere.table(found)
    return Answer("validate", rows, sentences=elsewhere.sentences(found), is_told_first=True,
                  extra={"model": found.model, "remarks": found.remarks})  # fmt: skip


@app.command("compare")
@answering
def compare_command(
    one: Annotated[str, typer.Argument(help="NAME/VERSION or NAME@ALIAS.", metavar="A")],
    other: Annotated[str, typer.Argument(help="The other model, likewise.", metavar="B")],
    config: Config = None,
    as_json: Json = False,
) -> Answer:
    """Compare two registered models of one outcome on the same rows, overall and by group."""
    from pipelines.release.comparing import compare
    from pipelines.reports import versus
    from pipelines.settings import load_settings

    with held(load_settings(config), as_json) as installation:
        found = compare(installation, (one, other))
    rows = found.rows.to_dict("records") if as_json else versus.table(found)
    return Answer("compare", rows, sentences=versus.sentences(found), is_told_first=True)


@app.command("mitigate")
@answering
def mitigate_command(
    outcome: Annotated[str, typer.Argument(help="A declared one, e.g. crisis.")],
    attribute: Annotated[
        str | None,
        typer.Option(
            help="One of `audit: attributes:`; by default the first with two groups large enough to be shown."
        ),
    ] = None,
    as_of: AsOf = None,
    config: Config = None,
    as_json: Json = False,
) -> Answer:
    """Compare ways to narrow a gap between groups with what serves: who gains, who pays; applies none of them."""
    from datetime import date

    from pipelines.cli.night_of import night_of
    from pipelines.reports import mitigation as told
    from pipelines.reports.mitigation_page import write_mitigation
    from pipelines.reports.site import Context, write_index
    from pipelines.settings import load_settings
    from pipelines.training.mitigating import compare
    from pipelines.training.provenance import code_version, dataset_name

    with held(load_settings(config), as_json) as installation:
        night = night_of(installation, as_of)
        found = compare(installation, night, outcome, attribute)
        folder = installation.settings.reports_folder
        context = Context(date.fromisoformat(night), dataset_name(installation), code_version=code_version())
        paths = [write_mitigation(folder, found, context), write_index(folder)]
    rows = found.rows.to_dict("records") if as_json else told.table(found)
    extra = {
        "attribute": found.attribute,
        "hidden_groups": told.hidden_groups(found),
        "fits_left_out": found.n_left_out,
    }
    return Answer("mitigate", rows, paths, told.sentences(found), extra=extra, is_told_first=True)


@app.command("tune")
@answering
def tune_command(
    outcome: Annotated[str, typer.Argument(help="A declared one, e.g. crisis.")],
    trials: Annotated[
        int, typer.Option(help="Of each search, those of earlier calls included; the first is what is declared.", min=2)
    ] = 30,
    minutes: Annotated[
        float | None,
        typer.Option(help="Begin no round of trials after so long; the same command goes on later.", min=0),
    ] = None,
    as_of: AsOf = None,
    config: Config = None,
    as_json: Json = False,
) -> Answer:
    """Search for better ways to grow the model's trees, and say what the search itself gains; declares nothing."""
    from pipelines.cli.night_of import night_of
    from pipelines.reports import tuning as told
    from pipelines.training.tuning import tune

    until = math.inf if minutes is None else time.monotonic() + 60 * minutes
    from pipelines.settings import load_settings

    with held(load_settings(config), as_json) as installation:
        night = night_of(installation, as_of)
        found = tune(installation, night, outcome, trials, lambda: time.monotonic() >= until)
    extra = {"declared": asdict(found.declared), "proposed": asdict(found.proposed),
             "is_worth_declaring": found.is_worth_declaring, "trials": found.trials,
             "tried": found.n_tried, "cut_short": found.n_cut, "tried_before": found.n_earlier}  # fmt: skip
    rows = found.rows.to_dict("records") if as_json else told.table(found)
    return Answer("tune", rows, sentences=told.sentences(found), extra=extra)
