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
from scipy.special import expit
from sklearn.metrics import average_precision_score, precision_score, roc_auc_score

from models import resampling
from models.calibration import binned_slopes
from models.fairness.rows import Values

# A rate whose difference between groups gets a verdict. The rest are shown, not judged: the observed rate is no
# property of the model, fnr and alerts_per_1000_days repeat another metric, days, slopes and errors share no margin with rates.
JUDGED_RATES = ("selection_rate", "tpr", "fpr", "ppv", "episodes_caught")
JUDGED = (*JUDGED_RATES, "auroc")
# By Fairlearn, from who is flagged.
OF_FLAGS = ("selection_rate", "tpr", "fpr", "ppv", "fnr", "alerts_per_1000_days", "mean_predicted", "observed_rate",
            "observed_to_expected", "brier")  # fmt: skip
# Of episodes, which rows without dates do not make.
OF_DATES = ("episodes_caught", "mean_lead_time_days", "quiet_onset_yield")
RATES = (*OF_FLAGS, "false_alerts_per_1000_days", *OF_DATES)
# Of whole score distributions.
OF_RANKS = ("auroc", "auprc_lift", "calibration_slope")
OF_SCORES = (*OF_RANKS, "ici")
# Of which resamples are counted from score bins; others are exact, or have no other point.
OF_BINS = ("auprc_lift", "calibration_slope")
# They only grow with a resample's noise: percentiles could lie beyond the estimate, whose spread is told instead.
DISTANCES = ("ici",)
METRICS = (*RATES, *OF_SCORES)
# Every subject carries these; all others are carried by who has an event.
OF_ALL = (
    "selection_rate",
    "fpr",
    "alerts_per_1000_days",
    "mean_predicted",
    "observed_rate",
    "brier",
    "false_alerts_per_1000_days",
)
# Of 512 score bins as many are taken together for a slope, and for distances between given and observed risk.
MERGED_FOR_SLOPES, MERGED_FOR_DISTANCES = 8, 32


@dataclass(frozen=True)
class Sums:
    """What every rate is a ratio of, by cell and weighting, each of shape (n_cells, n).

    Rows: all, positive, flagged, flagged and positive; over rows the sum of risks and of squared errors; episodes: all, caught, the
    days their first flags came ahead, and those caught by a flag after `rows.QUIET_DAYS` days without an event.
    """

    rows: Values
    positives: Values
    flagged: Values
    caught: Values
    expected: Values
    squared: Values
    episodes: Values
    episodes_caught: Values
    days_ahead: Values
    quiet_caught: Values


def carriers(metric: str, cells: pd.DataFrame) -> NDArray[np.int64]:
    """How many subjects carry a figure of each cell: all, or those with an event (`n_subjects`, `n_event_subjects`)."""
    return cells["n_subjects" if metric in OF_ALL else "n_event_subjects"].to_numpy(np.int64)


def rates(sums: Sums) -> dict[str, Values]:
    """Every rate, each of shape (n_cells, n); missing where its denominator is zero."""
    false = sums.flagged - sums.caught
    selected, tpr = ratio(sums.flagged, sums.rows), ratio(sums.caught, sums.positives)
    return {
        "selection_rate": selected,
        "tpr": tpr,
        "fpr": ratio(false, sums.rows - sums.positives),
        "ppv": ratio(sums.caught, sums.flagged),
        "fnr": 1 - tpr,
        "alerts_per_1000_days": 1000 * selected,
        "mean_predicted": ratio(sums.expected, sums.rows),
        "observed_rate": ratio(sums.positives, sums.rows),
        "observed_to_expected": ratio(sums.positives, sums.expected),
        "brier": ratio(sums.squared, sums.rows),
        "false_alerts_per_1000_days": 1000 * ratio(false, sums.rows),
        "episodes_caught": ratio(sums.episodes_caught, sums.episodes),
        "mean_lead_time_days": ratio(sums.days_ahead, sums.episodes_caught),
        "quiet_onset_yield": 100 * ratio(sums.quiet_caught, sums.flagged),
    }


def of_scores(rows: Values, positives: Values, log_odds: Values, score: Values) -> dict[str, Values]:
    """What is made of whole score distributions, but for AUROC, from counts by rising score bin; each of shape (n,).

    Args:
        rows, positives: of shape (n, bins).
        log_odds: mean log-odds of each merged bin, of shape (bins / MERGED_FOR_SLOPES,).
        score: mean risk of each bin, of shape (bins,).

    Rows of one bin count as tied. Missing without positives or without negatives.
    """
    total, events = rows.sum(axis=1), positives.sum(axis=1)
    precision = resampling.Curve(rows[:, ::-1], positives[:, ::-1], score[::-1]).average_precision()
    has_both = (events > 0) & (events < total)
    lift = ratio(precision * total, events)
    slopes = binned_slopes(expit(log_odds), merged(rows, MERGED_FOR_SLOPES), merged(positives, MERGED_FOR_SLOPES))
    return {
        "auprc_lift": np.where(has_both, lift, np.nan),
        "calibration_slope": slopes,
        "ici": np.where(has_both, _distances(rows, positives, score), np.nan),
    }


def _distances(rows: Values, positives: Values, score: Values) -> Values:
    """Mean distance between mean given and observed risk over bins (integrated calibration index)."""
    apart = np.abs(merged(rows * score, MERGED_FOR_DISTANCES) - merged(positives, MERGED_FOR_DISTANCES))
    return ratio(apart.sum(axis=1), rows.sum(axis=1))


def merged(values: Values, together: int) -> Values:
    """Sums over so many neighbours at a time, along the last axis."""
    return np.asarray(values.reshape(*values.shape[:-1], -1, together).sum(axis=-1))


def points(cells: pd.DataFrame, group: pd.Series) -> pd.DataFrame:
    """Each rate over rows of each group by Fairlearn's MetricFrame; index: group, columns: `OF_FLAGS`.

    Args:
        cells: rows that agree in subject, label and flag, taken together: label, is_flagged (0/1), n (how many rows),
            probability and squared_error (their means). A weighted cell gives what its rows would, and Fairlearn is slow
            over rows.
        group: of each cell.

    Missing, not Fairlearn's 0.0, where a group lacks the rows that a metric needs: positives, negatives or alerts.
    """
    weight = {"sample_weight": cells["n"].to_numpy(float)}
    means = {name: cells[name].to_numpy(float) for name in OF_MEANS.values()}
    frame = MetricFrame(
        metrics=FUNCTIONS,
        y_true=cells["label"].to_numpy(),
        y_pred=cells["is_flagged"].to_numpy(),
        sensitive_features=group,
        sample_params={
            name: weight | ({"mean": means[OF_MEANS[name]]} if name in OF_MEANS else {}) for name in FUNCTIONS
        },
    )
    return pd.DataFrame(frame.by_group).astype(float)[list(OF_FLAGS)]


def ranking(label: NDArray[np.int64], probability: Values, group: pd.Series) -> pd.DataFrame:
    """Ranking and slope of each group by Fairlearn's MetricFrame over rows; index: group, columns: `OF_RANKS`."""
    metrics = {"auroc": _auroc, "auprc_lift": _lift, "calibration_slope": _slope}
    frame = MetricFrame(metrics=metrics, y_true=label, y_pred=probability, sensitive_features=group)
    return pd.DataFrame(frame.by_group).astype(float)[list(OF_RANKS)]


def _needs(is_needed: Callable[[Any, Any], Any], function: Callable[..., float]) -> Callable[..., float]:
    """The metric, or missing where the rows it needs are not there."""

    def guarded(y_true: Any, y_pred: Any, sample_weight: Any) -> float:
        if not np.any(is_needed(np.asarray(y_true), np.asarray(y_pred))):
            return np.nan
        return float(function(y_true, y_pred, sample_weight=sample_weight))

    return guarded


def _auroc(y_true: Any, y_pred: Any) -> float:
    return float(roc_auc_score(y_true, y_pred)) if 0 < np.sum(y_true) < len(y_true) else np.nan


def _lift(y_true: Any, y_pred: Any) -> float:
    has_both = 0 < np.sum(y_true) < len(y_true)
    return float(average_precision_score(y_true, y_pred) / np.mean(y_true)) if has_both else np.nan


def _slope(y_true: Any, y_pred: Any) -> float:
    """Slope of the logistic regression of the label on the predicted log-odds: 1 is right, below 1 too extreme."""
    label = np.asarray(y_true, dtype=float)[None]
    return float(binned_slopes(np.asarray(y_pred, dtype=float), np.ones_like(label), label)[0])


def _mean(y_true: Any, y_pred: Any, sample_weight: Any, mean: Any) -> float:
    return float(np.average(mean, weights=sample_weight))


def _observed_to_expected(y_true: Any, y_pred: Any, sample_weight: Any, mean: Any) -> float:
    expected = float(np.dot(mean, sample_weight))
    return float(np.dot(y_true, sample_weight)) / expected if expected > 0 else np.nan


def ratio(above: Values, below: Values) -> Values:
    """One by another; missing where the other is zero."""
    return np.asarray(np.divide(above, below, out=np.full(np.shape(above), np.nan), where=np.asarray(below) > 0))


FUNCTIONS: dict[str, Callable[..., float]] = {
    "selection_rate": selection_rate,
    "tpr": _needs(lambda y, _: y == 1, true_positive_rate),
    "fpr": _needs(lambda y, _: y == 0, false_positive_rate),
    "ppv": _needs(lambda _, flag: flag == 1, partial(precision_score, zero_division=0.0)),
    "fnr": _needs(lambda y, _: y == 1, false_negative_rate),
    "alerts_per_1000_days": lambda y, flag, sample_weight: 1000 * float(np.average(flag, weights=sample_weight)),
    "mean_predicted": _mean,
    "observed_rate": lambda y, flag, sample_weight: float(np.average(y, weights=sample_weight)),
    "observed_to_expected": _observed_to_expected,
    "brier": _mean,
}
# Of which mean over a cell's rows a metric is one.
OF_MEANS = {"mean_predicted": "probability", "observed_to_expected": "probability", "brier": "squared_error"}
