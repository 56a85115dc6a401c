"""How good the predictions are: discrimination, alert burden, calibration; with intervals from resampled subjects.

Results are tidy rows. An interval is conditional on the fitted models: subjects are resampled, models are not refitted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from models import operational, reliability, resampling
from models.baselines import MODEL
from models.fairness.rows import QUIET_DAYS
from models.outcomes import at_horizon
from models.protocol import Predictions
from models.resampling import Curve
from models.splits import UNSEEN_AND_LATER, UNSEEN_SUBJECTS, Split

Values = NDArray[np.float64]
COLUMNS = (
    "dataset", "outcome", "task", "horizon_days", "split", "model", "group", "metric", "value", "low", "high",
    "n_subjects", "n_episodes",
)  # fmt: skip
TOP_SHARES = (0.01, 0.05, 0.10, 0.20)
# Below this many event subjects, a split's figures are not fit to headline.
FEWEST_EVENT_SUBJECTS = 20
GAIN = "auroc_minus_best_baseline"
# How many fits of those planned for a split could not be made.
LEFT_OUT = "fits_left_out"

Metric = tuple[float, float, float]


@dataclass(frozen=True)
class _Test:
    """Labelled rows of one split and horizon, with subjects coded, and the resamples shared by all predictors."""

    label: Values
    subject: NDArray[np.int64]
    weights: Values
    fit: NDArray[np.int64]
    quiet: NDArray[np.bool_]
    n_episodes: int

    @property
    def n_subjects(self) -> int:
        return int(self.weights.shape[1])

    @property
    def is_estimable(self) -> bool:
        return len(np.unique(self.subject[self.label == 1])) >= 2 and bool((self.label == 0).any())


def evaluate(
    predictions: Predictions, dataset: str, outcome: str, resamples: int, seed: int, top_share: float,
    thresholds: Sequence[float] = (),
) -> pd.DataFrame:  # fmt: skip
    """Tidy rows of every metric for every predictor at every horizon of one task and split.

    Metrics are defined in `docs/metrics.md`. The gain over the best baseline is given for the model, with the best
    baseline's name in `group`. `top_share` of each night's rows is flagged, as far as alerts are concerned; `thresholds` are the risks
    from which on acting is weighed.
    """
    rows: list[dict[str, object]] = []
    for k, horizon in enumerate(predictions.horizons_days):
        known = at_horizon(predictions.rows, horizon)
        kept = np.isfinite(known)
        test = _test(predictions.rows[kept], known[kept], resamples, seed)
        told = {"dataset": dataset, "outcome": outcome, "task": predictions.task, "horizon_days": horizon,
                "split": predictions.split, "group": "all", "n_subjects": test.n_subjects,
                "n_episodes": test.n_episodes}  # fmt: skip
        if test.is_estimable:
            risks = {model: risk[kept, k] for model, risk in predictions.risks.items()}
            rows += [{**told, **row} for row in _all_metrics(test, risks)]
        # Within an episode everybody knows: only what begins is worth an alert.
        if test.is_estimable and predictions.task == "onset":
            rows_of = predictions.rows[kept]
            alerts = operational.measure(rows_of, test.label, risks, test.weights, top_share, seed, thresholds)
            rows += [
                {**told, **_row(model, metric, of)} for model, found in alerts.items() for metric, of in found.items()
            ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _test(rows: pd.DataFrame, label: Values, resamples: int, seed: int) -> _Test:
    codes, subjects = pd.factorize(rows["subject_id"])
    weights = np.vstack(
        [np.ones(len(subjects)), resampling.draws(max(len(subjects), 1), resamples, seed)[:, : len(subjects)]]
    )
    onset = rows["index_date"] + pd.to_timedelta(rows["days_to_event"], unit="D")
    positive = label == 1
    episodes = pd.DataFrame({"s": rows["subject_id"], "on": onset})[positive].drop_duplicates()
    fit = rows.groupby(["cut", "fold"]).ngroup().to_numpy().astype(np.int64)
    quiet = np.nan_to_num(rows["days_since_event"].to_numpy(), nan=np.inf) >= QUIET_DAYS
    return _Test(label, codes.astype(np.int64), weights, fit, quiet, len(episodes))


def _all_metrics(test: _Test, risks: dict[str, Values]) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    aurocs = {}
    for model, score in risks.items():
        pairs = resampling.concordance(score, test.label, test.subject)
        aurocs[model] = pairs.auroc(test.weights)
        curve = resampling.curve(score, test.label, test.subject, test.weights)
        found = {
            "auroc": resampling.with_interval(aurocs[model]), "fold_mean_auroc": _fold_mean(test, score),
            **_ranking(test, score, curve), **reliability.measure(score, test.label, test.subject, test.weights, curve),
        }  # fmt: skip
        found |= _within(test, score)
        found["quiet_auroc"] = _quiet(test, score)
        rows += [_row(model, metric, value) for metric, value in found.items()]
    baselines = {model: values[0] for model, values in aurocs.items() if model != MODEL}
    if MODEL in aurocs and baselines:
        best = max(sorted(baselines), key=lambda name: baselines[name])
        gain = resampling.with_interval(aurocs[MODEL] - aurocs[best])
        rows.append({**_row(MODEL, GAIN, gain), "group": f"best baseline: {best}"})
    return rows


def _row(model: str, metric: str, value: Metric) -> dict[str, object]:
    return {"model": model, "metric": metric, "value": value[0], "low": value[1], "high": value[2]}


def _fold_mean(test: _Test, score: Values) -> Metric:
    """Mean of the AUROCs of each fit: pooling compares risks of different models, which punishes flat ones."""
    found = resampling.own_aurocs(score, test.label, test.fit, int(test.fit.max()) + 1, fewest=1)
    return float(pd.Series(found).mean()), float("nan"), float("nan")


def _ranking(test: _Test, score: Values, curve: Curve) -> dict[str, Metric]:
    precision = curve.average_precision()
    precision[0] = average_precision_score(test.label, score)
    prevalence = resampling.subject_means(test.label, test.subject, test.weights)
    found = {
        "auprc": resampling.with_interval(precision),
        "auprc_lift": resampling.with_interval(precision / prevalence),
    }
    for share in TOP_SHARES:
        sensitivity, ppv = curve.at_top(share)
        found[f"sensitivity_top_{share:.0%}"] = resampling.with_interval(sensitivity)
        found[f"ppv_top_{share:.0%}"] = resampling.with_interval(ppv)
    return found


def _within(test: _Test, score: Values) -> dict[str, Metric]:
    """Mean over subjects of their own AUROC, each by one fit: unweighted, and weighted by the pairs of days compared.

    Left out where fewer than two subjects have one.
    """
    n_fits = int(test.fit.max()) + 1
    subject_and_fit, unit = np.unique(test.subject * n_fits + test.fit, return_inverse=True)
    own = resampling.own_aurocs(score, test.label, unit, len(subject_and_fit))
    by_subject = pd.Series(own).groupby(subject_and_fit // n_fits).mean()
    valid = by_subject.dropna()
    if len(valid) < 2:
        return {}
    positives, negatives = (np.bincount(unit, of, len(own)) for of in (test.label, 1 - test.label))
    pairs = np.where(np.isfinite(own), positives * negatives, 0.0)
    of_subject = (
        pd.DataFrame({"pairs": pairs, "right": pairs * np.nan_to_num(own)}).groupby(subject_and_fit // n_fits).sum()
    )
    used, counted = test.weights[:, valid.index], of_subject.loc[valid.index]
    with np.errstate(invalid="ignore", divide="ignore"):
        unweighted = (used @ valid.to_numpy()) / used.sum(axis=1)
        weighted = (used @ counted["right"].to_numpy()) / (used @ counted["pairs"].to_numpy())
    return {
        "within_subject_auroc": resampling.with_interval(unweighted),
        "within_subject_auroc_by_pairs": resampling.with_interval(weighted),
    }


def _quiet(test: _Test, score: Values) -> Metric:
    """AUROC among subjects without an event for 28 days: where a score tells a clinician something new."""
    rows = test.quiet
    if len(np.unique(test.subject[rows & (test.label == 1)])) < 2:
        return float("nan"), float("nan"), float("nan")
    pairs = resampling.concordance(score[rows], test.label[rows], test.subject[rows])
    return resampling.with_interval(pairs.auroc(test.weights))


def aurocs(predictions: Predictions) -> pd.DataFrame:
    """AUROC of each predictor at each horizon, without intervals: `model, horizon_days, auroc`."""
    found = []
    for k, horizon in enumerate(predictions.horizons_days):
        label = at_horizon(predictions.rows, horizon)
        kept = np.isfinite(label)
        if len(np.unique(label[kept])) == 2:
            found += [{"model": model, "horizon_days": horizon, "auroc": roc_auc_score(label[kept], risk[kept, k])}
                      for model, risk in predictions.risks.items()]  # fmt: skip
    return pd.DataFrame(found, columns=["model", "horizon_days", "auroc"])


def over_seeds(results: pd.DataFrame, found: pd.DataFrame, split: str) -> pd.DataFrame:
    """Rows `auroc_over_seeds` of onset on that split: the mean over folds and fits drawn anew, and the lowest and highest.

    Args:
        results: tidy rows with the AUROC of the first seed.
        found: `aurocs` of every seed.
    """
    rows = results[(results["metric"] == "auroc") & (results["task"] == "onset") & (results["split"] == split)]
    by = found.groupby(["model", "horizon_days"])["auroc"].agg(["mean", "min", "max"]).reset_index()
    told = rows.merge(by, on=["model", "horizon_days"])
    told = told.assign(metric="auroc_over_seeds", value=told["mean"], low=told["min"], high=told["max"])
    return told[list(COLUMNS)]


def left_out(
    planned: Sequence[Split], predictions: Sequence[Predictions], dataset: str, outcome: str, task: str,
    horizons_days: tuple[int, ...],
) -> pd.DataFrame:  # fmt: skip
    """Rows `fits_left_out` of one task: on each split that lacks any, how many fits of those planned could not be made.

    Their training rows held too few subjects with an event to calibrate by, or nobody was left to test: neither are these
    tested by another fit.
    """
    made = {found.split: len(found.fits) for found in predictions}
    rows = []
    for split in dict.fromkeys(of.name for of in planned):
        lacking = sum(of.name == split for of in planned) - made.get(split, 0)
        told = {"dataset": dataset, "outcome": outcome, "task": task, "split": split, "model": MODEL, "group": "all",
                "metric": LEFT_OUT, "value": float(lacking), "low": np.nan, "high": np.nan, "n_subjects": 0,
                "n_episodes": 0}  # fmt: skip
        rows += [{**told, "horizon_days": horizon} for horizon in horizons_days if lacking]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def headline_split(predictions: list[Predictions], horizon_days: int) -> str:
    """The split whose figures headline: unseen and later, unless it has too few event subjects."""
    for found in predictions:
        if found.split == UNSEEN_AND_LATER:
            positive = at_horizon(found.rows, horizon_days) == 1
            if found.rows["subject_id"][positive].nunique() >= FEWEST_EVENT_SUBJECTS:
                return UNSEEN_AND_LATER
    return UNSEEN_SUBJECTS


def at_headline(rows: pd.DataFrame, split: str, horizon_days: int) -> pd.DataFrame:
    """Result rows of onset on a split, within a horizon."""
    is_headline = (rows["task"] == "onset") & (rows["split"] == split)
    return rows[is_headline & (rows["horizon_days"] == horizon_days)]


def baselines(rows: pd.DataFrame, split: str, horizon_days: int) -> list[str]:
    """The baselines by their onset AUROC on the headline split, best first."""
    chosen = at_headline(rows, split, horizon_days)
    chosen = chosen[(chosen["metric"] == "auroc") & (chosen["model"] != MODEL)]
    return [str(name) for name in chosen.sort_values(["value", "model"], ascending=[False, True])["model"]]


def best_baseline(rows: pd.DataFrame, split: str, horizon_days: int) -> str:
    """The baseline with the highest onset AUROC on the headline split."""
    return baselines(rows, split, horizon_days)[0]
