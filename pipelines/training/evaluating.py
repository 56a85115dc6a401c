"""Evaluates the model and every baseline on labelled rows: the splits, the refits, the seeds, and what earned being served.

Stores `predictions_<outcome>`, `results` (tidy rows of all outcomes), `served` and how trees were
grown, and `importance` of the model's features.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import pandas as pd

from features.history import TENURE
from features.warm_up import warm_up_days
from models import (
    candidacy,
    censoring,
    evaluation,
    importance,
    outcomes,
    protocol,
    refitting,
    reliability,
    risk,
    splits,
)
from models.baselines import MODEL, Predictor
from models.errors import ModelsError
from models.outcomes import Outcome, at_horizon
from models.policy import Policy
from models.protocol import Predictions
from models.splits import Split
from pipelines import engineering
from pipelines.installation import Installation
from pipelines.outcome_sections import OutcomeSettings
from pipelines.progress import Counts, Report
from pipelines.sections import Training
from pipelines.training import deeds, looks
from pipelines.training.candidates import candidates, without_use
from pipelines.training.labelling import KEY
from pipelines.training.places import places_of
from pipelines.training.provenance import basis, dataset_name

IMPORTANCE = "importance"
# What is known at the cutoff of how likely somebody is to be lost: data lately, time enrolled, episodes before.
WHO_IS_LOST = (engineering.COMPLETENESS, TENURE, "history_episode_rate")


@dataclass(frozen=True)
class Evaluated:
    """One outcome's evaluation: out-of-sample predictions, tidy result rows, and the split that headlines."""

    predictions: list[Predictions]
    rows: pd.DataFrame
    split: str


def evaluate(installation: Installation, night: str) -> Counts:
    """Evaluate every outcome; store tidy results, out-of-sample predictions and what earned being served."""
    how = installation.settings.training
    results, served, moved = [], [], []
    for outcome in engineering.outcomes(installation):
        declared = installation.settings.outcomes[outcome.name]
        matrix = installation.lake.load(f"training_matrix_{outcome.name}")
        labels = installation.lake.load(f"labels_{outcome.name}")
        places = places_of(installation, night) if how.every_split else {}
        found = evaluate_outcome(dataset_name(installation), matrix, labels, outcome, declared.alert_horizon,
                                 candidates(matrix, installation.settings.features_on(), how), how,
                                 installation.settings.audit.top_share, places, installation.report)  # fmt: skip
        rows = _refitted(installation, outcome, matrix, labels, found)
        beside = (
            _by_who_was_lost(installation, night, outcome, matrix, found),
            _not_acted_on(installation, night, outcome, found),
        )
        results.append(pd.concat([rows, *beside], ignore_index=True))
        looks.record(installation, night, outcome.name, "evaluation", 1)
        policy = Policy(**installation.settings.release_policy.model_dump())
        earned, reason = candidacy.candidate(rows, found.split, declared.alert_horizon, policy)
        growth = json.dumps(asdict(how.model.growth()))
        lacking = without_use(matrix, installation.settings.features_on())
        served.append(
            {
                "outcome": outcome.name,
                "served": earned,
                "split": found.split,
                "reason": reason,
                "growth": growth,
                "reweighed_by": how.reweighed_by,
                **lacking,
            }
        )
        stored = [tested(p, declared) for p in found.predictions if p.task == "onset"]
        installation.lake.replace(f"predictions_{outcome.name}", pd.concat(stored, ignore_index=True))
        moved.append(_importance(installation, outcome, matrix, found, earned))
    installation.lake.replace(IMPORTANCE, pd.concat(moved, ignore_index=True))
    installation.lake.replace("results", pd.concat(results, ignore_index=True))
    installation.lake.replace("served", pd.DataFrame(served), version=basis(installation, night))
    return {f"{row['outcome']}: to be served": str(row["served"]) for row in served}


def _refitted(
    installation: Installation, outcome: Outcome, matrix: pd.DataFrame, labels: pd.DataFrame, found: Evaluated
) -> pd.DataFrame:  # fmt: skip
    """Result rows, with the interval of the gain that refitting gives where it can decide what serves.

    It can only take away what the interval conditional on the fits seems to prove: where that proves nothing, nothing is
    fitted again, and the model and the best rule alone are; the full protocol fits everything again in any case.
    """
    settings = installation.settings
    how, horizon = settings.training, settings.outcomes[outcome.name].alert_horizon
    if not how.refits:
        return found.rows
    asked = candidates(matrix, settings.features_on(), how)
    if not how.every_split:
        gain = candidacy.gain_at(found.rows, found.split, horizon)
        if gain is None or not gain.low > settings.release_policy.min_gain_low:
            return found.rows
        bar = evaluation.best_baseline(found.rows, found.split, horizon)
        asked = tuple(predictor for predictor in asked if predictor.name in (MODEL, bar))
    again = refit(matrix, labels, outcome, asked, found.split, how, installation.report)
    gains = refitting.gains(found.rows, again, found.split, outcome.horizons_days)
    return pd.concat([found.rows, gains], ignore_index=True)


def _by_who_was_lost(
    installation: Installation, night: str, outcome: Outcome, matrix: pd.DataFrame, found: Evaluated
) -> pd.DataFrame:  # fmt: skip
    """Ranking and gain on the headline split, were nobody lost to follow-up, as far as who is lost can be foretold."""
    how, horizon = installation.settings.training, installation.settings.outcomes[outcome.name].alert_horizon
    if candidacy.gain_at(found.rows, found.split, horizon) is None:
        return found.rows.iloc[:0]
    headline = next(p for p in found.predictions if p.task == "onset" and p.split == found.split)
    known = headline.rows[KEY].merge(matrix[[*KEY, *WHO_IS_LOST]], on=KEY, how="left", validate="many_to_one")
    bar = evaluation.best_baseline(found.rows, found.split, horizon)
    return censoring.sensitivity(
        headline, known[list(WHO_IS_LOST)], horizon, bar, pd.Timestamp(night), dataset_name(installation), outcome.name, how.resamples,
        how.seed,
    )  # fmt: skip


def _not_acted_on(installation: Installation, night: str, outcome: Outcome, found: Evaluated) -> pd.DataFrame:
    """Ranking by the model and the best rule on the headline split, without the rows that were acted on."""
    horizon = installation.settings.outcomes[outcome.name].alert_horizon
    if candidacy.gain_at(found.rows, found.split, horizon) is None:
        return found.rows.iloc[:0]
    headline = next(p for p in found.predictions if p.task == "onset" and p.split == found.split)
    models = (MODEL, evaluation.best_baseline(found.rows, found.split, horizon))
    return deeds.without_them(installation, night, headline, outcome, models)


def _importance(
    installation: Installation, outcome: Outcome, matrix: pd.DataFrame, found: Evaluated, earned: str
) -> pd.DataFrame:  # fmt: skip
    """Tidy rows of what scores of the model, and of what earned being served, are associated with, where it headlines."""
    installation.report(f"weighing features, {outcome.name}")
    how, horizon = installation.settings.training, installation.settings.outcomes[outcome.name].alert_horizon
    headline = next(p for p in found.predictions if p.task == "onset" and p.split == found.split)
    rows = pd.concat(
        [importance.importance(headline, matrix, name, horizon, how.resamples, how.seed) for name in dict.fromkeys([MODEL, earned])],
        ignore_index=True,
    )  # fmt: skip
    rows.insert(0, "dataset", dataset_name(installation))
    rows.insert(1, "outcome", outcome.name)
    return rows


def evaluate_outcome(
    dataset: str, matrix: pd.DataFrame, labels: pd.DataFrame, outcome: Outcome, alert_horizon: int,
    predictors: Sequence[Predictor], training: Training, top_share: float, places: Mapping[str, pd.Series], report: Report,
) -> Evaluated:  # fmt: skip
    """Fit the model and every baseline on every split of both tasks, and measure them.

    Args:
        places: by the name of the split that keeps them apart, where each subject belongs, by subject; of the full protocol.
    """
    found, rows = [], []
    for task in outcomes.TASKS:
        of_task = labels[labels["task"] == task].reset_index(drop=True)
        planned = planned_splits(of_task, outcome, training, training.seed)
        if training.every_split:
            planned += splits.same_subjects_later(of_task, training.cuts, max(outcome.horizons_days))
            for name, place in places.items():
                planned += splits.one_out(name, of_task["subject_id"].map(place))

        def progress(share: float, task: str = task) -> None:
            report(f"evaluating {outcome.name}, {task}", share)

        predicted = protocol.cross_predict(
            matrix, of_task, outcome.horizons_days, tuple(predictors), planned, training.train_every_days, training.seed,
            training.threads, progress,
        )  # fmt: skip
        found += predicted
        rows.append(evaluation.left_out(planned, predicted, dataset, outcome.name, task, outcome.horizons_days))
        measure = partial(
            evaluation.evaluate, dataset=dataset, outcome=outcome.name, resamples=training.resamples, seed=training.seed,
            top_share=top_share, thresholds=training.decision_thresholds,
        )  # fmt: skip
        with ThreadPoolExecutor(training.threads) as pool:
            rows += pool.map(measure, predicted)
    if not any(p.task == "onset" for p in found):
        raise ModelsError(_too_short(predictors))
    results = pd.concat(rows, ignore_index=True)
    split = evaluation.headline_split([p for p in found if p.task == "onset"], alert_horizon)
    months = _by_month(found, results, split, dataset, outcome, alert_horizon, training)
    results = pd.concat([results, months], ignore_index=True)
    if training.seeds > 1:
        again = [
            _aurocs(matrix, labels, outcome, predictors, split, training, seed, report)
            for seed in range(training.seeds)
        ]
        results = pd.concat([results, evaluation.over_seeds(results, pd.concat(again), split)], ignore_index=True)
    return Evaluated(found, results, split)


def _by_month(
    found: Sequence[Predictions], results: pd.DataFrame, split: str, dataset: str, outcome: Outcome, alert_horizon: int,
    training: Training,
) -> pd.DataFrame:  # fmt: skip
    """Calibration by month of the model and of the best rule, where it headlines."""
    if candidacy.gain_at(results, split, alert_horizon) is None:
        return results.iloc[:0]
    headline = next(p for p in found if p.task == "onset" and p.split == split)
    models = (MODEL, evaluation.best_baseline(results, split, alert_horizon))
    return reliability.by_month(headline, alert_horizon, models, dataset, outcome.name, training.seed)


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
        matrix, onset, outcome.horizons_days, tuple(predictors), planned, training.train_every_days, own, training.threads,
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


def tested(predictions: Predictions, declared: OutcomeSettings) -> pd.DataFrame:
    """Labelled test rows at the alert horizon: `subject_id, index_date, split, label`, one column per predictor."""
    label = at_horizon(predictions.rows, declared.alert_horizon)
    kept = np.isfinite(label)
    horizon = predictions.horizons_days.index(declared.alert_horizon)
    risks = {name: values[kept, horizon] for name, values in predictions.risks.items()}
    rows = predictions.rows.loc[kept, KEY].reset_index(drop=True)
    return rows.assign(split=predictions.split, label=label[kept], **risks)
