"""A fitted model on a cohort that it never saw: as it is, calibrated anew, and made anew, beside that cohort's simple rules.

Whatever is fitted on the cohort is fitted on other subjects than those that it is tested on, so that no way of using the
model is flattered. All ways are tested on the same rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import contest, evaluation, intervals, protocol, risk, splits
from models.baselines import Predictor
from models.calibration import IDENTITY, fit_level, fit_lines
from models.errors import ModelsError
from models.evaluation import COLUMNS, GAIN
from models.outcomes import at_horizon
from models.protocol import Predictions
from models.risk import HazardModel

Values = NDArray[np.float64]
AS_IS = "as_is"
INTERCEPT_UPDATED = "intercept_updated"
LINE_REFITTED = "slope_and_intercept_refitted"
REFITTED = "refitted"
WAYS = (AS_IS, INTERCEPT_UPDATED, LINE_REFITTED, REFITTED)


def predict(
    model: HazardModel, matrix: pd.DataFrame, labels: pd.DataFrame, rules: tuple[Predictor, ...], folds: int,
    train_every_days: int, seed: int, threads: int, progress: Callable[[float], None],
) -> Predictions:  # fmt: skip
    """Risks of the cohort's rows by the model in each of `WAYS`, and by rules fitted on the cohort's other subjects.

    Where the cohort is too small to fit the model's recipe and the rules, in part of the folds or at all, only the rows
    of the other folds are there, or the frozen ways alone.

    Args:
        matrix, labels: row by row beside each other; `labels` of onset, with `days_since_event`.
        rules: simple rules to compare with.
        folds: of subjects, for all that is fitted here.

    Raises:
        ModelsError: no event to be foreseen, fewer subjects or event subjects than folds, or a feature is missing.
    """
    _refuse_without_events(labels)
    labels = labels.reset_index(drop=True).assign(row=np.arange(len(labels)))
    fold = splits.folds(labels, folds, seed)
    frozen = _frozen(model, matrix, labels, fold)
    recipe = Predictor(REFITTED, model.learner, model.features, model.growth)
    planned = list(splits.unseen_subjects(labels, folds, seed))
    found = protocol.cross_predict(
        matrix, labels, model.horizons_days, (recipe, *rules), planned, train_every_days, seed, threads, progress
    )
    if not found:
        return Predictions(
            "onset", splits.UNSEEN_SUBJECTS, model.horizons_days, labels.assign(fold=fold, cut=0), frozen
        )
    tested = found[0].rows["row"].to_numpy()
    return replace(found[0], risks={**{way: risks[tested] for way, risks in frozen.items()}, **found[0].risks})


def _refuse_without_events(labels: pd.DataFrame) -> None:
    if not (labels["days_to_event"].notna() & ~labels["is_masked"]).any():
        raise ModelsError(
            "The cohort holds no event that could have been foreseen, so nothing can be said of a model on it. Check what its "
            "outcome's `events:` name, or ask for a later night."
        )


def _frozen(
    model: HazardModel, matrix: pd.DataFrame, labels: pd.DataFrame, fold: NDArray[np.int64]
) -> dict[str, Values]:
    """Risks by the fitted model as it is, and with its calibration updated on the subjects of the other folds."""
    slopes, intercepts = map(np.array, model.lines)
    margin = slopes * risk.hazards(model, matrix) + intercepts
    row, interval, y = intervals.at_risk(labels, model.horizons_days)
    told = margin[row, interval]
    updated, refitted = np.empty_like(margin), np.empty_like(margin)
    for number in np.unique(fold):
        others, here = fold[row] != number, fold == number
        updated[here] = risk.risks(margin[here], ((1.0,), (fit_level(told[others], y[others]),)))
        lines = fit_lines(told[others], y[others], interval[others], len(model.horizons_days))
        refitted[here] = risk.risks(margin[here], lines)
    return {AS_IS: risk.risks(margin, IDENTITY), INTERCEPT_UPDATED: updated, LINE_REFITTED: refitted}


def measure(
    predictions: Predictions, dataset: str, outcome: str, resamples: int, seed: int, top_share: float,
    thresholds: Sequence[float] = (),
) -> pd.DataFrame:  # fmt: skip
    """Tidy rows of every way and rule at every horizon; for each way also its AUROC minus that of the best rule there.

    The metrics are those of `evaluation.evaluate`. Where no rule could be fitted, no difference is given.
    """
    rows = evaluation.evaluate(predictions, dataset, outcome, resamples, seed, top_share, thresholds)
    gains = [
        gain
        for k, horizon in enumerate(predictions.horizons_days)
        for gain in _gains(rows[rows["horizon_days"] == horizon], predictions, k, resamples, seed)
    ]
    return pd.concat([rows, pd.DataFrame(gains, columns=list(COLUMNS))], ignore_index=True) if gains else rows


def _gains(rows: pd.DataFrame, predictions: Predictions, k: int, resamples: int, seed: int) -> list[dict[str, object]]:
    aurocs = rows[rows["metric"] == "auroc"].sort_values(["value", "model"], ascending=[False, True])
    rules = aurocs[~aurocs["model"].isin(WAYS)]
    if rules.empty:
        return []
    best = str(rules["model"].iloc[0])
    label = at_horizon(predictions.rows, predictions.horizons_days[k])
    kept = np.isfinite(label)
    risks = {name: values[kept, k] for name, values in predictions.risks.items()}
    tested = predictions.rows.loc[kept, ["subject_id"]].assign(label=label[kept], **risks)
    found = []
    for row in aurocs[aurocs["model"].isin(WAYS)].to_dict("records"):
        (value, low, high), _ = contest.difference(tested, str(row["model"]), best, resamples, seed)
        told = {"metric": GAIN, "group": f"best baseline: {best}", "value": value, "low": low, "high": high}
        found.append({**{str(name): of for name, of in row.items()}, **told})
    return found
