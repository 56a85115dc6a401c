"""From stored feature matrices to a registered challenger: labels, honest evaluation, final fit.

Every step stores its result in the lake, so that the next one, a person or a report can pick it up:
`labels_<outcome>`, `predictions_<outcome>`, `results` (tidy rows of all outcomes), `flow`, `served`; `controls` are run
on these by `pipelines.controls`.
"""

import hashlib
import subprocess
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd

from features import catalog
from features.warm_up import warm_up_days
from models import evaluation, gate, outcomes, protocol, refitting, risk, splits
from models.baselines import Predictor, predictors
from models.errors import ModelsError
from models.outcomes import Outcome, at_horizon
from models.protocol import Predictions
from models.splits import Split
from pipelines import cohort as cohorts
from pipelines import engineering, tracking
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.progress import Report
from pipelines.registry import CHALLENGER, RESULTS_TAG, model_name
from pipelines.sections import OutcomeSettings, Training

KEY = ["subject_id", "index_date"]
CONTROLS = "controls"
# Below this share of index dates with any data in the 28 days before, the past was not known when it happened.
FEWEST_WITH_DATA = 0.05
Counts = dict[str, int | float | str]


@dataclass(frozen=True)
class Evaluated:
    """One outcome's evaluation: out-of-sample predictions, tidy result rows, and what earned being served and why."""

    predictions: list[Predictions]
    rows: pd.DataFrame
    split: str
    served: str
    reason: str


def feature_families(matrix: pd.DataFrame) -> dict[str, list[str]]:
    """Names by family of the features of the matrix that this cohort has any value of."""
    families: dict[str, list[str]] = {"history": [], "tenure": []}
    for name in matrix.columns.drop(KEY):
        if matrix[name].notna().any():
            families.setdefault(catalog.family(name), []).append(name)
    return families


def candidates(matrix: pd.DataFrame, features_on: Collection[str]) -> tuple[Predictor, ...]:
    """The model over those features that are on and have any value, and every baseline.

    Raises:
        Refused: there is no such feature.
    """
    families = feature_families(matrix)
    seen = [name for names in families.values() for name in names if name in features_on]
    if not seen:
        raise Refused(
            f"None of the {len(features_on)} features that are on has a value in this cohort. Switch others on by `features:`, or "
            "bring the data that these are made of."
        )
    return predictors(families, seen)


def label_all(
    matrix: pd.DataFrame, outcome: Outcome, events: pd.DataFrame, until: pd.DataFrame, panel: pd.DataFrame
) -> pd.DataFrame:
    """Labels of both tasks for every row of the matrix, with the days since the newest event."""
    reported = cohorts.reporting_days(panel, outcome)
    since = outcomes.days_since_event(matrix[KEY], events)
    parts = [outcomes.label(matrix[KEY], outcome, task, events, until, reported) for task in outcomes.TASKS]
    return pd.concat([part.assign(days_since_event=since) for part in parts], ignore_index=True)


def evaluate_outcome(
    dataset: str, matrix: pd.DataFrame, labels: pd.DataFrame, outcome: Outcome, alert_horizon: int,
    predictors: Sequence[Predictor], training: Training, top_share: float, site: pd.Series, report: Report,
) -> Evaluated:  # fmt: skip
    """Fit the model and every baseline on every split of both tasks, measure them, and see which one earned it.

    Args:
        site: of each subject, by subject.
    """
    found, rows = [], []
    for task in outcomes.TASKS:
        of_task = labels[labels["task"] == task].reset_index(drop=True)
        planned = planned_splits(of_task, outcome, training, training.seed)
        if training.every_split:
            planned += splits.same_subjects_later(of_task, training.cuts, max(outcome.horizons_days))
            planned += splits.unseen_site(of_task["subject_id"].map(site))

        def progress(share: float, task: str = task) -> None:
            report(f"evaluating {outcome.name}, {task}", share)

        predicted = protocol.cross_predict(
            matrix, of_task, outcome.horizons_days, predictors, planned, training.train_every_days, training.seed,
            training.threads, progress,
        )  # fmt: skip
        found += predicted
        rows += [evaluation.evaluate(p, dataset, outcome.name, training.resamples, training.seed, top_share)
                 for p in predicted]  # fmt: skip
    if not any(p.task == "onset" for p in found):
        raise ModelsError(_too_short(predictors))
    results = pd.concat(rows, ignore_index=True)
    split = evaluation.headline_split([p for p in found if p.task == "onset"], alert_horizon)
    if training.refits:
        again = refit(matrix, labels, outcome, predictors, split, training, report)
        results = pd.concat([results, refitting.gains(results, again, split, outcome.horizons_days)], ignore_index=True)
    if training.seeds > 1:
        again = [
            _aurocs(matrix, labels, outcome, predictors, split, training, seed, report)
            for seed in range(training.seeds)
        ]
        results = pd.concat([results, evaluation.over_seeds(results, pd.concat(again), split)], ignore_index=True)
    bar = evaluation.best_baseline(results, split, alert_horizon)
    served, reason = gate.candidate(results, split, alert_horizon, bar)
    return Evaluated(found, results, split, served, reason)


def refit(
    matrix: pd.DataFrame, labels: pd.DataFrame, outcome: Outcome, predictors: Sequence[Predictor], split: str,
    training: Training, report: Report,
) -> dict[str, np.ndarray]:  # fmt: skip
    """AUROC of onset by every predictor on the headline split, refitted on resampled subjects."""
    onset = labels[labels["task"] == "onset"].reset_index(drop=True)
    periods = splits.periods(onset, split, training.cuts, max(outcome.horizons_days))
    return refitting.refit(
        matrix, onset, outcome.horizons_days, predictors, periods, training.train_every_days, training.refits,
        training.seed, training.threads, lambda share: report(f"refitting {outcome.name}", share),
    )  # fmt: skip


def _aurocs(
    matrix: pd.DataFrame, labels: pd.DataFrame, outcome: Outcome, predictors: Sequence[Predictor], split: str,
    training: Training, seed: int, report: Report,
) -> pd.DataFrame:  # fmt: skip
    """AUROC of onset on the headline split by other folds and fits."""
    onset = labels[labels["task"] == "onset"].reset_index(drop=True)
    own = training.seed + seed
    planned = [planned for planned in planned_splits(onset, outcome, training, own) if planned.name == split]
    predicted = protocol.cross_predict(
        matrix, onset, outcome.horizons_days, predictors, planned, training.train_every_days, own, training.threads,
        lambda share: report(f"seed {seed + 1} of {training.seeds}, {outcome.name}", share),
    )  # fmt: skip
    return pd.concat([evaluation.aurocs(p) for p in predicted])


def _too_short(predictors: Sequence[Predictor]) -> str:
    """Why no fold could be learnt from, and what to do."""
    names = {name for predictor in predictors for name in predictor.features}
    longest = max(sorted(names), key=lambda name: warm_up_days((name,)))
    return (
        f"No fold has {2 * risk.CROSS_FITS} subjects with an event to learn from, later than {warm_up_days(names)} days after "
        f"their enrolment, the time that `{longest}` needs. Drop such features under `features:`, or gather more data."
    )


def planned_splits(labels: pd.DataFrame, outcome: Outcome, training: Training, seed: int) -> list[Split]:
    """Both splits of one task's labels, their folds drawn by the seed."""
    return [
        *splits.unseen_subjects(labels, training.folds, seed),
        *splits.unseen_and_later(labels, training.folds, training.cuts, max(outcome.horizons_days), seed),
    ]


def make_labels(installation: Installation, night: str) -> Counts:
    """Store labels of every outcome and the flow from index dates to labelled rows; how many are positive."""
    days = engineering.panel(installation, night)
    known = days.cohort
    counts: Counts = {}
    flows = []
    for outcome in engineering.outcomes(installation):
        matrix = installation.lake.load(f"training_matrix_{outcome.name}")
        _refuse_an_unknown_past(matrix)
        reports = days.load(columns=cohorts.reporting_columns(outcome))
        until = cohorts.follow_up(installation.lake, known, outcome, reports)
        events = cohorts.in_force(cohorts.outcome_event_days(installation.lake, known, outcome), known.as_of)
        labels = label_all(matrix, outcome, events, until, reports)
        installation.lake.replace(f"labels_{outcome.name}", labels)
        flows.append(outcomes.flow(labels, outcome.horizons_days).assign(outcome=outcome.name))
        counts[f"{outcome.name} rows with an onset within {outcome.horizons_days[-1]} days"] = int(
            (at_horizon(labels[labels["task"] == "onset"], outcome.horizons_days[-1]) == 1).sum()
        )
    installation.lake.replace("flow", pd.concat(flows, ignore_index=True))
    return counts


def _refuse_an_unknown_past(matrix: pd.DataFrame) -> None:
    """History that was loaded in one go was known at no cutoff of its own; nothing can be learnt from it."""
    had_data = float((matrix[engineering.COMPLETENESS] > 0).mean())
    if had_data < FEWEST_WITH_DATA:
        raise Refused(
            f"{1 - had_data:.0%} of {len(matrix)} past index dates had no data that were received by their own cutoff. "
            "Say when the rows were received: map `received_at`, or write `received: end_of_local_day` in the mapping."
        )


def evaluate(installation: Installation, night: str) -> Counts:
    """Evaluate every outcome; store tidy results, out-of-sample predictions and what earned being served."""
    results, served = [], []
    for outcome in engineering.outcomes(installation):
        declared = installation.settings.outcomes[outcome.name]
        matrix = installation.lake.load(f"training_matrix_{outcome.name}")
        labels = installation.lake.load(f"labels_{outcome.name}")
        site = engineering.cohort(installation, night).subjects.set_index("subject_id")["site"]
        found = evaluate_outcome(dataset_name(installation), matrix, labels, outcome, declared.alert_horizon,
                                 candidates(matrix, installation.settings.features_on()), installation.settings.training,
                                 installation.settings.audit.top_share, site, installation.report)  # fmt: skip
        results.append(found.rows)
        served.append({"outcome": outcome.name, "served": found.served, "split": found.split, "reason": found.reason})
        stored = [tested(p, declared) for p in found.predictions if p.task == "onset"]
        installation.lake.replace(f"predictions_{outcome.name}", pd.concat(stored, ignore_index=True))
    installation.lake.replace("results", pd.concat(results, ignore_index=True))
    installation.lake.replace("served", pd.DataFrame(served))
    return {f"{row['outcome']}: to be served": str(row["served"]) for row in served}


def tested(predictions: Predictions, declared: OutcomeSettings) -> pd.DataFrame:
    """Labelled test rows at the alert horizon: `subject_id, index_date, split, label`, one column per predictor."""
    label = at_horizon(predictions.rows, declared.alert_horizon)
    kept = np.isfinite(label)
    horizon = predictions.horizons_days.index(declared.alert_horizon)
    risks = {name: values[kept, horizon] for name, values in predictions.risks.items()}
    rows = predictions.rows.loc[kept, KEY].reset_index(drop=True)
    return rows.assign(split=predictions.split, label=label[kept], **risks)


def dataset_name(installation: Installation) -> str:
    """What results call the data: the formats of the declared sources."""
    return "+".join(sorted({source.format for source in installation.settings.sources})) or "lake"


def register(installation: Installation, night: str, tables: Mapping[str, pd.DataFrame]) -> Counts:
    """Fit what earned being served on every subject, and register it as the challenger of its outcome.

    Args:
        tables: what else is logged with the training, by name; no subject may be in them.

    Raises:
        Refused: a control failed, or none was run on this training.
    """
    tables = {CONTROLS: _passed_controls(installation, night), **tables}
    served = installation.lake.load("served").set_index("outcome")
    counts: Counts = {}
    for outcome in engineering.outcomes(installation):
        installation.report(f"registering {outcome.name}")
        matrix = installation.lake.load(f"training_matrix_{outcome.name}")
        labels = installation.lake.load(f"labels_{outcome.name}")
        name = str(served.loc[outcome.name, "served"])
        predictor = next(p for p in candidates(matrix, installation.settings.features_on()) if p.name == name)
        model = fit_final(matrix, labels, outcome, predictor, installation.settings.training)
        registered = _log(installation, night, outcome, model, tables)
        installation.registry.set_alias(registered, CHALLENGER)
        installation.audit_log.append(
            "training", {"model": registered.name, "version": registered.version, "predictor": name},
            engineering.cohort(installation, night).known_at,
        )  # fmt: skip
        counts[registered.name] = f"version {registered.version}, {name}"
    return counts


def basis(installation: Installation, night: str) -> str:
    """What a training and all that is tried on it follow from, as a hash: data known, declarations, code."""
    declared = installation.settings.model_dump_json(
        include={"features", "signals", "sites", "door", "outcomes", "training"}
    )
    known_at = engineering.cohort(installation, night).known_at
    parts = (installation.lake.content_version(known_at), declared, code_version())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _passed_controls(installation: Installation, night: str) -> pd.DataFrame:
    """What the controls of this very training found, all of which passed."""
    if installation.lake.derived_version(CONTROLS) != basis(installation, night):
        raise Refused("No controls were run on this training, so nothing is registered. Run `foretide train`.")
    rows = installation.lake.load(CONTROLS)
    failed = rows[~rows["is_passed"]]
    if len(failed):
        told = "; ".join(f"`{row.control}` for `{row.outcome}`: {row.told}" for row in failed.itertuples())
        raise Refused(
            f"{len(failed)} of {len(rows)} controls failed, so nothing is registered: {told}. Figures of this training cannot "
            "be relied on. Mend what leaks, or take the named features away by `features: {drop: [...]}`, and train again."
        )
    return rows


def fit_final(
    matrix: pd.DataFrame, labels: pd.DataFrame, outcome: Outcome, predictor: Predictor, training: Training
) -> risk.HazardModel:
    """Fit a predictor of onset on every subject, on such rows as in evaluation, calibrated by cross-fitting."""
    onset = labels[labels["task"] == "onset"].reset_index(drop=True)
    kept = protocol.learnt_from(matrix, onset, predictor.features, training.train_every_days)
    return risk.fit(
        matrix[kept], onset[kept], outcome.horizons_days, predictor.features, predictor.learner, training.seed,
        training.threads, predictor.name, with_intervals=True,
    )  # fmt: skip


def _log(  # type: ignore[no-untyped-def]
    installation: Installation, night: str, outcome: Outcome, model: risk.HazardModel, tables: Mapping[str, pd.DataFrame]
):  # fmt: skip
    from pipelines.reports.figures import training_figures

    lake, settings = installation.lake, installation.settings
    rows = lake.load("results").query("outcome == @outcome.name")
    known = engineering.cohort(installation, night)
    params = {**settings.training.model_dump(), "night": night, "learner": model.learner, "predictor": model.name,
              "features": len(model.features), **{f"outcome.{k}": v for k, v in vars(outcome).items()}}  # fmt: skip
    tags = {"code_version": code_version(), "data_version": lake.content_version(known.known_at),
            "known_at": known.known_at.isoformat(), "outcome": outcome.name, "predictor": model.name,
            RESULTS_TAG: tracking.content_of(rows),
            # A training with more to show is another one, and is recorded.
            **{f"{name}_table": "logged" for name in tables}}  # fmt: skip
    declared = settings.outcomes[outcome.name]
    figures = training_figures(rows, lake.load(f"predictions_{outcome.name}"), model.name, declared.alert_horizon)
    example = pd.DataFrame([dict.fromkeys(model.features, 1.0)])  # made up: never a row of the cohort
    with tempfile.TemporaryDirectory(dir=settings.state_folder) as folder:
        risk.save(model, Path(folder) / "model")
        return installation.registry.log_training(
            model_name(outcome.name), f"{outcome.name} {night}", params, tags, rows, {"flow": lake.load("flow"), **tables}, figures,
            Path(folder) / "model", model.features, model.horizons_days, example,
        )  # fmt: skip


def code_version() -> str:
    """The package's version, and the commit where the code lies in a git checkout."""
    found = subprocess.run(  # noqa: S603
        ["git", "rev-parse", "--short", "HEAD"],  # noqa: S607
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    commit = found.stdout.strip()
    return version("foretide") + (f"+{commit}" if found.returncode == 0 and commit else "")
