"""Ways to mitigate a gap between groups, each fitted in the same folds, on training rows alone, beside the predictor without any.

Compared, never applied by themselves: what a way gains for one group it takes from another. Two of them need the attribute of
whom they predict for, and two flag by chance, so that one person may be flagged and the next, alike in everything, may not.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from fairlearn.postprocessing import ThresholdOptimizer
from fairlearn.reductions import ErrorRate, ExponentiatedGradient, TruePositiveRateParity
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin

from models import protocol, reweighing, risk, splits
from models.baselines import WIDE, Predictor
from models.calibration import Lines, fit_lines, log_odds
from models.errors import ModelsError
from models.fairness.disclosure import SMALLEST_EVENT_SUBJECTS, SMALLEST_SUBJECTS
from models.fairness.groups import POOLED
from models.fairness.ways import GRADIENT, RECALIBRATION, REWEIGHING, THRESHOLDS, UNMITIGATED
from models.linear import fit_linear, linear_margin
from models.outcomes import at_horizon
from models.splits import Split

Values = NDArray[np.float64]
# How far the share caught in a group may lie from that of everybody, among training rows.
BOUND = 0.05
# Rounds of the reduction, a fit each. With three groups the constraint is met after some 20; later rounds change chances by little.
MOST_ROUNDS = 30
# How often the rows of both labels are copied, so that whole copies come near to their costs.
COPIES = 4


@dataclass(frozen=True)
class Trial:
    """What is mitigated, by which attribute, and how much capacity there is.

    Args:
        predictor: what serves, without any mitigation.
        top_share: share of rows that is to be flagged, which is what the randomised ways are tied to.
    """

    predictor: Predictor
    horizons_days: tuple[int, ...]
    alert_horizon: int
    attribute: str
    top_share: float
    train_every_days: int
    seed: int
    threads: int


@dataclass(frozen=True, repr=False)
class Mitigated:
    """Labelled test rows with a column per way: risks, or of the randomised ways the chance to be flagged.

    `rows`: subject_id, index_date, label (0/1), group, and `models.fairness.ways.WAYS`. `n_left_out` fits had too few subjects
    with an event, of a group or of all, or nobody to test.
    """

    rows: pd.DataFrame
    n_left_out: int


@dataclass(frozen=True, repr=False)
class _Seen:
    """Training rows of one fit whose label is known, of shape (n_rows,): what the ways but reweighing are fitted on.

    `risk` is that of a fit on other subjects, for on their own it would look better than it is.
    """

    matrix: pd.DataFrame
    label: Values
    risk: Values
    group: pd.Series
    subject: pd.Series


def mitigate(
    matrix: pd.DataFrame, labels: pd.DataFrame, planned: Sequence[Split], trial: Trial, progress: Callable[[float], None]
) -> Mitigated:  # fmt: skip
    """Every way's risks, or chances to be flagged, for the test rows of one split.

    Args:
        matrix, labels: row by row beside each other; `labels` of one task, with their groups (`reweighing.with_groups`).
        planned: the folds and cuts of that split.
        progress: told the share of fits done.

    Raises:
        ModelsError: no fit has two groups with enough subjects with an event to learn from.
    """
    labels = labels.reset_index(drop=True)
    learnt = protocol.learnt_from(matrix, labels, trial.predictor.features, trial.train_every_days)
    parts = []
    with ThreadPoolExecutor(trial.threads) as pool:
        tested = pool.map(lambda split: _fold(matrix, labels, split, learnt, trial), planned)
        for done, found in enumerate(tested):
            progress((done + 1) / len(planned))
            parts += [] if found is None else [found]
    if not parts:
        raise ModelsError(
            f"No fold has two groups by `{trial.attribute}` with {SMALLEST_SUBJECTS} subjects or more to learn from, "
            f"{SMALLEST_EVENT_SUBJECTS} of them with an event. Name another attribute, or gather more data."
        )
    return Mitigated(pd.concat(parts, ignore_index=True), len(planned) - len(parts))


def _fold(
    matrix: pd.DataFrame, labels: pd.DataFrame, split: Split, learnt: NDArray[np.bool_], trial: Trial
) -> pd.DataFrame | None:
    """Labelled test rows of one fit by every way; None where there was too little to learn from, or nobody to test."""
    known = labels if split.known is None else split.known
    train, test = np.flatnonzero(split.train & learnt), np.flatnonzero(split.test)
    test = test[np.isfinite(at_horizon(labels.iloc[test], trial.alert_horizon))]
    if not len(test) or not protocol.is_learnable(known.iloc[train]):
        return None
    # Only what is known before the cut is passed on: labels of test rows are read when everything is fitted.
    past, features = known.iloc[train].reset_index(drop=True), matrix.iloc[train].reset_index(drop=True)
    label, group = at_horizon(past, trial.alert_horizon), past[reweighing.column(trial.attribute)]
    kept = np.isfinite(label)
    if len(learnable(group[kept], label[kept], past["subject_id"][kept])) < 2:
        return None
    fitted = protocol.fit_one(features, past, trial.horizons_days, trial.predictor, trial.seed)
    own = cross_fitted(features, past, fitted.lines, trial)
    seen = _Seen(features[kept], label[kept], own[kept], group[kept], past["subject_id"][kept])
    ahead, of = matrix.iloc[test], labels[reweighing.column(trial.attribute)].iloc[test]
    horizon = trial.horizons_days.index(trial.alert_horizon)
    weighed = replace(trial.predictor, reweighed_by=trial.attribute)
    again = protocol.fit_one(features, past, trial.horizons_days, weighed, trial.seed)
    plain, reweighed = (risk.predict(model, ahead)[:, horizon] for model in (fitted, again))
    return pd.DataFrame({
        "subject_id": labels["subject_id"].iloc[test], "index_date": labels["index_date"].iloc[test],
        "label": at_horizon(labels.iloc[test], trial.alert_horizon), "group": of,
        UNMITIGATED: plain, REWEIGHING: reweighed,
        RECALIBRATION: recalibrated(plain, of, group_lines(seen.risk, seen.label, seen.group, seen.subject)),
        GRADIENT: _reduced(seen, ahead, trial), THRESHOLDS: _thresholded(seen, plain, of, trial),
    })  # fmt: skip


def cross_fitted(matrix: pd.DataFrame, labels: pd.DataFrame, lines: Lines, trial: Trial) -> Values:
    """Risk of each row at the alert horizon by the predictor, fitted on other subjects, of shape (n_rows,).

    Args:
        lines: of calibration; those of a fit on all rows, which are made by cross-fitting themselves.
    """
    predictor, horizons = trial.predictor, trial.horizons_days
    fold = splits.folds(labels, risk.CROSS_FITS, trial.seed)
    found = np.zeros(len(labels))
    for number in range(risk.CROSS_FITS):
        others, mine = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        fitted = protocol.fit_one(
            matrix.iloc[others], labels.iloc[others], horizons, predictor, trial.seed, is_calibrated=False
        )
        risks = risk.risks(risk.hazards(fitted, matrix.iloc[mine]), lines)
        found[mine] = risks[:, horizons.index(trial.alert_horizon)]
    return found


def learnable(group: pd.Series, label: Values, subject: pd.Series) -> tuple[str, ...]:
    """Groups with enough subjects, and enough of them with an event, to fit anything of their own; sorted."""
    table = pd.DataFrame({"group": group.to_numpy(), "label": label, "subject": subject.to_numpy()})
    counted = table.groupby("group")["subject"].nunique()
    events = table[table["label"] == 1].groupby("group")["subject"].nunique().reindex(counted.index, fill_value=0)
    is_enough = (counted >= SMALLEST_SUBJECTS) & (events >= SMALLEST_EVENT_SUBJECTS)
    return tuple(sorted(map(str, counted.index[is_enough])))


def group_lines(
    probability: Values, label: Values, group: pd.Series, subject: pd.Series
) -> dict[str, tuple[float, float]]:
    """Slope and intercept of each group's calibration, by group; a group too small has none, and keeps the common one.

    Slopes are positive, so that nobody's rank within a group is turned round.
    """
    found, margin = {}, log_odds(probability)
    for name in learnable(group, label, subject):
        here = (group == name).to_numpy()
        (slope,), (intercept,) = fit_lines(margin[here], label[here], np.zeros(here.sum(), np.int64), 1)
        found[name] = (slope, intercept)
    return found


def recalibrated(probability: Values, group: pd.Series, lines: dict[str, tuple[float, float]]) -> Values:
    """Risks moved along the line of their rows' group; as they are where it has none."""
    slope, intercept = (np.array([lines.get(name, (1.0, 0.0))[k] for name in group], dtype=np.float64) for k in (0, 1))
    moved: Values = expit(slope * log_odds(probability) + intercept)
    return moved


def joined(group: pd.Series, seen: _Seen) -> NDArray[np.object_]:
    """Groups as the randomised ways know them: those too small are one, or part of the largest if that is too small too.

    Whoever is in a group that the training rows do not hold goes the same way.
    """
    kept = learnable(seen.group, seen.label, seen.subject)
    rest = seen.group.where(seen.group.isin(kept), POOLED)
    pool = POOLED if POOLED in learnable(rest, seen.label, seen.subject) else str(rest[rest != POOLED].mode().iloc[0])
    return np.asarray(group.where(group.isin(kept), pool), dtype=object)


def threshold(probability: Values, top_share: float) -> float:
    """The risk above which the top share of rows lies: what a false alarm costs, where a miss costs the rest of 1."""
    return float(np.clip(np.quantile(probability, 1 - top_share), 0.001, 0.999))


class _Ridge(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn publishes no types
    """The baselines' own logistic regression as a yes or no, for a reduction: weighted rows in, missing values welcome."""

    def fit(self, X: pd.DataFrame, y: Values, sample_weight: Values | None = None) -> "_Ridge":  # noqa: N803
        """Fit on labels 0 and 1."""
        self.classes_ = np.array([0, 1])
        nowhere = np.zeros(len(X), np.int64)
        weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)
        self.linear_ = fit_linear(
            X.to_numpy(np.float64), nowhere, np.asarray(y, np.float64), tuple(X.columns), 1, weight
        )
        return self

    def predict(self, X: pd.DataFrame) -> NDArray[np.int64]:  # noqa: N803
        """1 where the label is likelier than not."""
        margin = linear_margin(self.linear_, X.to_numpy(np.float64), np.zeros(len(X), np.int64))
        return (margin > 0).astype(np.int64)


class _Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A risk that is there already, as the one column of X."""

    def fit(self, X: NDArray[np.float64], y: NDArray[np.int64]) -> "_Given":  # noqa: N803
        """There is nothing to learn."""
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, X: NDArray[np.float64]) -> Values:  # noqa: N803
        """That column."""
        return np.asarray(X)[:, 0]


def _columns(matrix: pd.DataFrame, predictor: Predictor) -> pd.DataFrame:
    """What the reduction learns from; of a predictor without features one column that tells nobody apart."""
    names = list(predictor.features[:WIDE])
    return matrix[names] if names else pd.DataFrame({"nothing": np.zeros(len(matrix))})


def _reduced(seen: _Seen, ahead: pd.DataFrame, trial: Trial) -> Values:
    """Chance of each row ahead to be flagged by the exponentiated gradient reduction (Agarwal 2018), of shape (n_rows,).

    A logistic regression learns from the predictor's features, at most `WIDE` of them. Which group somebody is in goes into
    the fit only.
    """
    cost = threshold(seen.risk, trial.top_share)
    reduction = ExponentiatedGradient(
        _Ridge(), TruePositiveRateParity(difference_bound=BOUND), objective=ErrorRate(costs={"fp": cost, "fn": 1 - cost}),
        max_iter=MOST_ROUNDS,
    )  # fmt: skip
    reduction.fit(
        _columns(seen.matrix, trial.predictor), seen.label.astype(np.int64), sensitive_features=joined(seen.group, seen)
    )
    chance: Values = np.asarray(reduction._pmf_predict(_columns(ahead, trial.predictor)), dtype=np.float64)[:, 1]
    return np.clip(chance, 0.0, 1.0)


def _thresholded(seen: _Seen, probability: Values, group: pd.Series, trial: Trial) -> Values:
    """Chance of each row ahead to be flagged by thresholds of its group (Hardt 2016), of shape (n_rows,).

    Accuracy is all that Fairlearn's objective knows, so rows before an event are copied until it is the cost of misses and
    false alarms; what share of a group is caught does not change by that.
    """
    cost = threshold(seen.risk, trial.top_share)
    copies = np.where(seen.label == 1, max(1, round(COPIES * (1 - cost) / cost)), COPIES)
    again = np.repeat(np.arange(len(seen.label)), copies)
    optimizer = ThresholdOptimizer(
        estimator=_Given(), constraints="true_positive_rate_parity", objective="accuracy_score",
        predict_method="predict",
    )  # fmt: skip
    optimizer.fit(
        seen.risk[again, None], seen.label[again].astype(np.int64), sensitive_features=joined(seen.group, seen)[again]
    )
    found = optimizer._pmf_predict(probability[:, None], sensitive_features=joined(group, seen))
    chance: Values = np.asarray(found, dtype=np.float64)[:, 1]
    return np.clip(chance, 0.0, 1.0)
