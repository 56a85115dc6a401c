"""Fairness metrics: what each means, per-group points by Fairlearn's MetricFrame, and the same from counts.

Points come from rows; resamples come from per-group counts, which is what makes 1,000 resamples affordable. The two
agree exactly for the rates, and a test says so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from fairlearn.metrics import (
    MetricFrame,
    false_negative_rate,
    false_positive_rate,
    selection_rate,
    true_positive_rate,
)
from numpy.typing import NDArray
from sklearn.metrics import precision_score, roc_auc_score

Values = NDArray[np.float64]

# A rate whose difference between groups gets a verdict. The rest are shown, not judged: the observed rate is no
# property of the model, fnr and alerts_per_1000_days repeat another metric, calibration shares no margin with rates.
JUDGED_RATES = ("selection_rate", "tpr", "fpr", "ppv")
JUDGED = (*JUDGED_RATES, "auroc")
RATES = (*JUDGED_RATES, "fnr", "alerts_per_1000_days", "mean_predicted", "observed_rate", "observed_to_expected")
METRICS = (*RATES, "auroc", "calibration_slope")
NEWTON_STEPS = 8


@dataclass(frozen=True)
class Counts:
    """Weighted row counts, each of shape (n_resamples, n_groups): all, positive, flagged, both, summed probability."""

    rows: Values
    positives: Values
    flagged: Values
    caught: Values
    expected: Values


def rates(counts: Counts) -> dict[str, Values]:
    """Every rate from counts, each of shape (n_resamples, n_groups); missing where its denominator is zero."""
    negatives = counts.rows - counts.positives
    selected = _ratio(counts.flagged, counts.rows)
    tpr = _ratio(counts.caught, counts.positives)
    return {
        "selection_rate": selected,
        "tpr": tpr,
        "fpr": _ratio(counts.flagged - counts.caught, negatives),
        "ppv": _ratio(counts.caught, counts.flagged),
        "fnr": 1 - tpr,
        "alerts_per_1000_days": 1000 * selected,
        "mean_predicted": _ratio(counts.expected, counts.rows),
        "observed_rate": _ratio(counts.positives, counts.rows),
        "observed_to_expected": _ratio(counts.positives, counts.expected),
    }


def auroc(positives: Values, negatives: Values) -> Values:
    """Chance that a positive row outranks a negative one, from counts by rising score bin, shape (n_resamples, n_bins).

    Rows of one bin count as tied. Missing where there are no positives or no negatives.
    """
    below = np.cumsum(negatives, axis=1) - negatives / 2
    return _ratio((positives * below).sum(axis=1), positives.sum(axis=1) * negatives.sum(axis=1))


def calibration_slope(positives: Values, rows: Values, log_odds: Values) -> Values:
    """Slope of the logistic regression of the label on the predicted log odds, per resample.

    Args:
        positives, rows: shape (n_resamples, n_bins).
        log_odds: predicted log odds of each bin, shape (n_bins,).

    1 is calibrated spread, below 1 too extreme. Missing without positives or negatives, or where Newton's
    steps do not settle (too few of them).
    """
    spread = np.ptp(log_odds) if len(log_odds) else 0.0
    if spread == 0:
        return np.full(len(rows), np.nan)
    intercept, slope = np.zeros((len(rows), 1)), np.ones((len(rows), 1))
    step = np.full((len(rows), 1), np.inf)
    total = positives.sum(axis=1)
    has_both = (total > 0) & (total < rows.sum(axis=1))
    with np.errstate(all="ignore"):
        for _ in range(NEWTON_STEPS):
            risk = 1 / (1 + np.exp(-(intercept + slope * log_odds)))
            misfit, weight = positives - rows * risk, rows * risk * (1 - risk)
            g0, g1 = misfit.sum(1, keepdims=True), (misfit * log_odds).sum(1, keepdims=True)
            h0, h1 = weight.sum(1, keepdims=True), (weight * log_odds).sum(1, keepdims=True)
            h2 = (weight * log_odds**2).sum(1, keepdims=True)
            determinant = h0 * h2 - h1**2
            step = (h0 * g1 - h1 * g0) / determinant
            intercept, slope = intercept + (h2 * g0 - h1 * g1) / determinant, slope + step
    return np.where(has_both & (np.abs(step[:, 0]) < 1e-3), slope[:, 0], np.nan)


def points(cells: pd.DataFrame, group: pd.Series) -> pd.DataFrame:
    """Each rate of each group by Fairlearn's MetricFrame; index: group, columns: `RATES`.

    Args:
        cells: rows that agree in subject, label and flag, taken together: label, is_flagged (0/1), n (how many rows),
            probability (their mean). A weighted cell gives what its rows would, and Fairlearn is slow over rows.
        group: of each cell.

    Missing, not Fairlearn's 0.0, where a group lacks the rows that a metric needs: positives, negatives or alerts.
    """
    weight = {"sample_weight": cells["n"].to_numpy(float)}
    probability = {"probability": cells["probability"].to_numpy(float)}
    frame = MetricFrame(
        metrics=FUNCTIONS,
        y_true=cells["label"].to_numpy(),
        y_pred=cells["is_flagged"].to_numpy(),
        sensitive_features=group,
        sample_params={name: weight | (probability if name in OF_PROBABILITY else {}) for name in FUNCTIONS},
    )
    return pd.DataFrame(frame.by_group).astype(float)[list(RATES)]


def ranking(label: NDArray[np.int64], probability: Values, group: pd.Series) -> Values:
    """AUROC of each group by Fairlearn's MetricFrame over rows, in the order of the groups' sorted names."""
    frame = MetricFrame(metrics=_auroc_of_rows, y_true=label, y_pred=probability, sensitive_features=group)
    return np.asarray(pd.Series(frame.by_group), dtype=float)


def _needs(is_needed: Callable[[Any, Any], Any], function: Callable[..., float]) -> Callable[..., float]:
    """The metric, or missing where the rows it needs are not there."""

    def guarded(y_true: Any, y_pred: Any, sample_weight: Any) -> float:
        if not np.any(is_needed(np.asarray(y_true), np.asarray(y_pred))):
            return np.nan
        return float(function(y_true, y_pred, sample_weight=sample_weight))

    return guarded


def _auroc_of_rows(y_true: Any, y_pred: Any) -> float:
    return float(roc_auc_score(y_true, y_pred)) if 0 < np.sum(y_true) < len(y_true) else np.nan


def _mean_predicted(y_true: Any, y_pred: Any, sample_weight: Any, probability: Any) -> float:
    return float(np.average(probability, weights=sample_weight))


def _observed_to_expected(y_true: Any, y_pred: Any, sample_weight: Any, probability: Any) -> float:
    expected = float(np.dot(probability, sample_weight))
    return float(np.dot(y_true, sample_weight)) / expected if expected > 0 else np.nan


def log_odds(probability: Any) -> Values:
    """Log odds of probabilities, kept finite at 0 and 1."""
    clipped = np.clip(np.asarray(probability, dtype=float), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _ratio(above: Values, below: Values) -> Values:
    return np.asarray(np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0))


FUNCTIONS: dict[str, Callable[..., float]] = {
    "selection_rate": selection_rate,
    "tpr": _needs(lambda y, _: y == 1, true_positive_rate),
    "fpr": _needs(lambda y, _: y == 0, false_positive_rate),
    "ppv": _needs(lambda _, flag: flag == 1, partial(precision_score, zero_division=0.0)),
    "fnr": _needs(lambda y, _: y == 1, false_negative_rate),
    "alerts_per_1000_days": lambda y, flag, sample_weight: 1000 * float(np.average(flag, weights=sample_weight)),
    "mean_predicted": _mean_predicted,
    "observed_rate": lambda y, flag, sample_weight: float(np.average(y, weights=sample_weight)),
    "observed_to_expected": _observed_to_expected,
}
OF_PROBABILITY = ("mean_predicted", "observed_to_expected")
