"""Fits every predictor on every split and collects its risks for rows of subjects it never saw."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.history import TENURE
from features.warm_up import warm_up_days
from models import reweighing, risk, splits
from models.baselines import Predictor
from models.outcomes import at_horizon
from models.risk import HazardModel
from models.splits import Split

Values = NDArray[np.float64]
Rows = NDArray[np.int64]
# Of one split: its test rows, their risks, and the fitted models that gave them, by predictor.
Part = tuple[pd.DataFrame, dict[str, Values], dict[str, HazardModel]]
IDENTITY = "identity_only"
# Weight of everybody's rate beside a subject's own, in rows.
PRIOR_ROWS = 5


@dataclass(frozen=True)
class Predictions:
    """Out-of-sample risks of one task on one split.

    `rows` is a label frame (`subject_id, index_date, days_to_event, followed_days, is_masked`) plus `fold, cut` and
    `days_since_event`; `risks` holds an array of shape (n_rows, n_horizons) per predictor, row by row beside it. `fits`
    holds what gave them: by cut and fold, the fitted model of each predictor.
    """

    task: str
    split: str
    horizons_days: tuple[int, ...]
    rows: pd.DataFrame
    risks: dict[str, Values]
    fits: dict[tuple[int, int], dict[str, HazardModel]] = field(default_factory=dict)


def cross_predict(
    matrix: pd.DataFrame,
    labels: pd.DataFrame,
    horizons_days: tuple[int, ...],
    predictors: tuple[Predictor, ...],
    planned: list[Split],
    train_every_days: int,
    seed: int,
    threads: int,
    progress: Callable[[float], None],
) -> list[Predictions]:
    """Risks of every predictor for the test rows of every split, pooled by split name.

    Training rows are chosen by `learnt_from`; test rows are not. Everything fitted, calibration included, is fitted on
    the training rows alone.

    Args:
        matrix, labels: row by row beside each other; `labels` of one task.
        horizons_days: rising horizons.
        predictors: what to fit.
        planned: where to fit and test.
        threads: how many splits to work on at a time; results do not depend on it.
        progress: told the share of splits done.
    """
    labels = labels.reset_index(drop=True)
    learnt = {p.name: learnt_from(matrix, labels, p.features, train_every_days) for p in predictors}

    def predict(split: Split) -> Part | None:
        train = {name: np.flatnonzero(split.train & rows) for name, rows in learnt.items()}
        test = np.flatnonzero(split.test)
        known = labels if split.known is None else split.known
        if len(test) == 0 or not all(is_learnable(known.iloc[rows]) for rows in train.values()):
            return None
        fits = fit_each(matrix, known, train, horizons_days, predictors, seed)
        risks = {name: risk.predict(fitted, matrix.iloc[test]) for name, fitted in fits.items()}
        if split.name == splits.SAME_SUBJECTS_LATER:
            risks[IDENTITY] = own_rates(known.iloc[np.flatnonzero(split.train)], labels.iloc[test], horizons_days)
        return labels.iloc[test].assign(fold=split.fold, cut=split.cut), risks, fits

    parts: dict[str, list[Part]] = {}
    # Fits are small: two side by side with one thread each are faster than one after the other with two.
    with ThreadPoolExecutor(threads) as pool:
        for done, (split, found) in enumerate(zip(planned, pool.map(predict, planned), strict=True)):
            progress((done + 1) / len(planned))
            if found is not None:
                parts.setdefault(split.name, []).append(found)
    return [pooled(name, horizons_days, found) for name, found in parts.items()]


def learnt_from(
    matrix: pd.DataFrame, labels: pd.DataFrame, features: Sequence[str], train_every_days: int
) -> NDArray[np.bool_]:
    """Rows that a predictor may be fitted on.

    Of each whole stretch of `train_every_days` of a subject the first date, for neighbouring days say nearly the same. Where
    the stretches begin goes by the subject_id alone: else who all enrol on a Tuesday would all be learnt from on Tuesdays, and the
    day of enrolment of everybody would be. And none so soon after enrolment that its features cannot have a value: it
    would learn who is new.

    Args:
        labels: sorted by date within each subject.
    """
    since_first = labels["index_date"] - labels.groupby("subject_id")["index_date"].transform("min")
    ahead = pd.util.hash_array(labels["subject_id"].to_numpy(dtype=object)) % np.uint64(train_every_days)
    stretch = (since_first.dt.days.to_numpy() + ahead.astype(np.int64)) // train_every_days
    is_whole = (stretch > 0) | (ahead == 0)
    is_first = (
        ~pd.DataFrame({"subject_id": labels["subject_id"].to_numpy(), "stretch": stretch}).duplicated().to_numpy()
    )
    is_warm = matrix[TENURE].to_numpy() >= warm_up_days(features)
    chosen: NDArray[np.bool_] = is_whole & is_first & is_warm
    return chosen


def fit_and_rank(
    matrix: pd.DataFrame, labels: pd.DataFrame, train: Mapping[str, Rows], test: Rows, horizons_days: tuple[int, ...],
    predictors: Sequence[Predictor], seed: int,
) -> dict[str, Values]:  # fmt: skip
    """Risks of the test rows by every predictor, each fitted on its training rows; for ranking only, not calibrated."""
    fits = fit_each(matrix, labels, train, horizons_days, predictors, seed, is_calibrated=False)
    return {name: risk.predict(fitted, matrix.iloc[test]) for name, fitted in fits.items()}


def fit_each(
    matrix: pd.DataFrame, labels: pd.DataFrame, train: Mapping[str, Rows], horizons_days: tuple[int, ...],
    predictors: Sequence[Predictor], seed: int, is_calibrated: bool = True,
) -> dict[str, HazardModel]:  # fmt: skip
    """Every predictor by its name, each fitted on its training rows."""
    fits = {}
    for predictor in predictors:
        known, seen = labels.iloc[train[predictor.name]], matrix.iloc[train[predictor.name]]
        fits[predictor.name] = fit_one(seen, known, horizons_days, predictor, seed, is_calibrated=is_calibrated)
    return fits


def fit_one(
    matrix: pd.DataFrame, labels: pd.DataFrame, horizons_days: tuple[int, ...], predictor: Predictor, seed: int,
    threads: int = 1, with_intervals: bool = False, is_calibrated: bool = True,
) -> HazardModel:  # fmt: skip
    """A predictor fitted on all of these rows, reweighed among themselves where it says so; see `risk.fit`."""
    by = predictor.reweighed_by
    weight = reweighing.weights(labels, horizons_days, by) if by else None
    fitted = risk.fit(
        matrix, labels, horizons_days, predictor.features, predictor.learner, seed, threads, predictor.name, with_intervals,
        growth=predictor.growth, is_calibrated=is_calibrated, weight=weight,
    )  # fmt: skip
    return replace(fitted, reweighed_by=by)


def own_rates(seen: pd.DataFrame, unseen: pd.DataFrame, horizons_days: tuple[int, ...]) -> Values:
    """Share of each subject's own training rows that an event followed, of shape (n_rows, n_horizons), shrunk to everybody's.

    It knows who somebody is, and nothing else: what it scores on the same subjects later is what identity alone is worth.
    """
    rates = np.zeros((len(unseen), len(horizons_days)))
    for k, horizon in enumerate(horizons_days):
        known = pd.Series(at_horizon(seen, horizon)).groupby(seen["subject_id"].to_numpy())
        usual = float(np.nan_to_num(np.nanmean(at_horizon(seen, horizon)))) if known.count().sum() else 0.0
        rate = (known.sum() + PRIOR_ROWS * usual) / (known.count() + PRIOR_ROWS)
        rates[:, k] = unseen["subject_id"].map(rate).fillna(usual).to_numpy()
    return rates


def is_learnable(labels: pd.DataFrame) -> bool:
    """Whether calibration by cross-fitting can hold back a third of the event subjects each time."""
    seen = labels[~labels["is_masked"] & labels["days_to_event"].notna()]
    return seen["subject_id"].nunique() >= 2 * risk.CROSS_FITS


def pooled(name: str, horizons_days: tuple[int, ...], parts: list[Part]) -> Predictions:
    """Predictions of several fits of one split, one below the other."""
    rows = pd.concat([rows for rows, _, _ in parts], ignore_index=True)
    risks = {model: np.concatenate([risks[model] for _, risks, _ in parts]) for model in parts[0][1]}
    fits = {(int(rows["cut"].iloc[0]), int(rows["fold"].iloc[0])): fits for rows, _, fits in parts}
    return Predictions(str(rows["task"].iloc[0]), name, horizons_days, rows, risks, fits)
