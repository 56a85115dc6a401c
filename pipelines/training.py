"""From stored feature matrices to a registered challenger: labels, honest evaluation, final fit.

Every step stores its result in the lake, so that the next one, a person or a report can pick it up: `labels_<outcome>`,
`predictions_<outcome>`, `results` (tidy rows of all outcomes), `flow`.
"""

from dataclasses import dataclass

import pandas as pd

from features import catalog
from models import evaluation, outcomes, protocol, splits
from models.outcomes import Outcome
from pipelines import cohort as cohorts
from pipelines import engineering
from pipelines.installation import Installation
from pipelines.progress import Report
from pipelines.settings import Settings, Training

TASKS = ("onset", "burden")
Counts = dict[str, int | float | str]


@dataclass(frozen=True)
class Evaluated:
    """One outcome's evaluation: out-of-sample predictions and tidy result rows."""

    predictions: pd.DataFrame
    rows: pd.DataFrame


def feature_families() -> dict[str, list[str]]:
    """Names of the default features by family, as the baselines choose among them."""
    families: dict[str, list[str]] = {}
    for feature in catalog.FEATURES:
        if feature.is_default:
            families.setdefault(feature.family, []).append(feature.name)
    return families


def label_all(
    matrix: pd.DataFrame, outcome: Outcome, events: pd.DataFrame, until: pd.DataFrame, panel: pd.DataFrame
) -> pd.DataFrame:
    """Labels of both tasks for every row of the matrix."""
    index = matrix[["subject_id", "index_date"]]
    covered = panel[["subject_id", "local_date"]].drop_duplicates()
    return pd.concat(
        [outcomes.label(index, outcome, task, events, until, covered) for task in TASKS], ignore_index=True
    )


def evaluate_outcome(
    dataset: str, matrix: pd.DataFrame, labels: pd.DataFrame, outcome: Outcome, training: Training, report: Report
) -> Evaluated:
    """Fit the model and every baseline on both splits of both tasks, and measure them on subjects never seen."""
    predicted, rows = [], []
    for task in TASKS:
        of_task = labels[labels["task"] == task].reset_index(drop=True)
        folds = splits.all_splits(of_task, outcome.horizons_days, training.folds, training.cuts, training.seed)
        report(f"evaluating {outcome.name} {task}")
        predictions = protocol.cross_predict(matrix, of_task, outcome, feature_families(), folds, training, report)
        predicted.append(predictions)
        rows.append(evaluation.evaluate(predictions, dataset, outcome, training.resamples, training.seed))
    return Evaluated(pd.concat(predicted, ignore_index=True), pd.concat(rows, ignore_index=True))
