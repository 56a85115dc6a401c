"""Negative controls: where labels say nothing, whatever is still ranked well has leaked; and what a leaked column looks like.

Two controls break the tie between features and labels and then fit and predict as evaluation does. Each fold gets labels
of its own. Its risks then do not depend on its test labels, which are one draw of many that could as well have been: p is
exact, however few, long or unequal the subjects are. Had folds one draw in common, each would be tested on what the
others had learnt from, and alarms would be false several times as often.
"""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from models.baselines import Predictor
from models.outcomes import at_horizon
from models.protocol import cross_predict
from models.resampling import FEWEST_OWN
from models.splits import Split

Values = NDArray[np.float64]
Places = NDArray[np.int64]
SHIFTED, PERMUTED = "labels_shifted_within_subjects", "labels_permuted_over_subjects"
STATISTICAL = (SHIFTED, PERMUTED)
COLUMNS = ["control", "figure", "p", "is_passed", "told"]
# Of all statistical controls of one training together.
FALSE_ALARMS = 0.01
# How many draws of the null distribution may rank as well before a control passes.
FEWEST_BEYOND = 5
MOVED = ["days_to_event", "followed_days", "is_masked"]
# Ranks nearly as the outcome does, or says who it is.
TARGET, IDENTITY = "copy of the target", "identity"
LIKE_THE_TARGET = 0.99


@dataclass(frozen=True)
class Trial:
    """What is fitted and tested: a predictor of onset, at an alert horizon, on splits that keep subjects apart.

    Args:
        alpha: the false-alarm rate of each control.
    """

    predictor: Predictor
    horizons_days: tuple[int, ...]
    alert_horizon: int
    splits: Sequence[Split]
    train_every_days: int
    seed: int
    threads: int
    alpha: float = FALSE_ALARMS / 2


@dataclass(frozen=True)
class _Sequences:
    """Rows of each subject in the order of their dates: `rows[start : start + length]`; `subject` of each row."""

    rows: Places
    start: Places
    length: Places
    subject: Places


@dataclass(frozen=True)
class _Fold:
    """A split, the row from which each row takes its label, and the subjects that are tested."""

    split: Split
    taken: Places
    tested: Places


def negative_controls(
    matrix: pd.DataFrame, labels: pd.DataFrame, trial: Trial, progress: Callable[[float], None]
) -> pd.DataFrame:
    """What both controls found: `control, figure` (AUROC), `p, is_passed, told`; one that is not estimable passes.

    `labels_shifted_within_subjects`: a subject's labels begin on another day, at random. Within-subject AUROC; the pooled
    one stays high, for who is often in crisis still is. `labels_permuted_over_subjects`: each subject has the labels of
    another, stretched to their own rows, tested ones among each other. Pooled AUROC. Folds are fitted under the one and
    the other by turns, for fits are what costs time.

    Args:
        matrix, labels: row by row beside each other; `labels` of one task.
        progress: told the share of fits done.
    """
    labels = labels.reset_index(drop=True)
    rows = []
    for number, name in enumerate(STATISTICAL):

        def told(share: float, number: int = number) -> None:
            progress((number + share) / 2)

        mine = replace(trial, splits=trial.splits[number::2])
        rows.append(_control(name, matrix, labels, mine, np.random.default_rng([trial.seed, number]), told))
    return pd.DataFrame(rows, columns=COLUMNS)


def not_passed(rows: pd.DataFrame, expected: Collection[str]) -> list[str]:
    """Names of controls that failed, have no verdict, or were expected and not run.

    Args:
        rows: `control, is_passed` and more, of one outcome.
    """
    is_passed = rows["is_passed"].eq(True).fillna(False).astype(bool)
    passed = set(rows.loc[is_passed, "control"]).difference(rows.loc[~is_passed, "control"])
    return sorted({*rows["control"], *expected} - passed)


def _control(
    name: str, matrix: pd.DataFrame, labels: pd.DataFrame, trial: Trial, rng: np.random.Generator,
    progress: Callable[[float], None],
) -> dict[str, object]:  # fmt: skip
    sequences = _sequences(labels)
    folds = [_fold(name, split, sequences, rng) for split in trial.splits]

    def risks(fold: _Fold) -> Values | None:
        moved = labels.assign(**{column: labels[column].to_numpy()[fold.taken] for column in MOVED})
        found = cross_predict(matrix, moved, trial.horizons_days, (trial.predictor,), [fold.split], trial.train_every_days,
                              trial.seed, 1, lambda _: None)  # fmt: skip
        horizon = trial.horizons_days.index(trial.alert_horizon)
        return found[0].risks[trial.predictor.name][:, horizon] if found else None

    predicted = []
    with ThreadPoolExecutor(trial.threads) as pool:
        for done, (fold, risk) in enumerate(zip(folds, pool.map(risks, folds), strict=True)):
            progress((done + 1) / len(folds))
            predicted += [] if risk is None else [(fold, risk)]
    null = _Null(name, sequences, at_horizon(labels, trial.alert_horizon), predicted)
    return _judged(name, null.observed(), null.draws(round(FEWEST_BEYOND / trial.alpha) - 1, rng), trial.alpha)


def _sequences(labels: pd.DataFrame) -> _Sequences:
    subject, names = pd.factorize(labels["subject_id"])
    subject = subject.astype(np.int64)
    length = np.bincount(subject, minlength=len(names)).astype(np.int64)
    rows = np.lexsort((labels["index_date"].to_numpy(), subject)).astype(np.int64)
    return _Sequences(rows, np.cumsum(length) - length, length, subject)


def _fold(name: str, split: Split, sequences: _Sequences, rng: np.random.Generator) -> _Fold:
    """Labels of one fold: those of tested subjects and of the others are moved apart from each other."""
    tested = np.unique(sequences.subject[split.test])
    taken = np.arange(len(sequences.rows), dtype=np.int64)
    for subjects in (tested, np.setdiff1d(sequences.subject, tested)):
        _move(name, sequences, subjects, taken, rng)
    return _Fold(split, taken, tested)


def _move(name: str, sequences: _Sequences, subjects: Places, taken: Places, rng: np.random.Generator) -> None:
    """Draw for each row of some subjects the row whose label it gets."""
    sources, shifts = subjects, np.zeros(len(subjects), dtype=np.int64)
    if name == SHIFTED:
        shifts = rng.integers(0, sequences.length[subjects])
    else:
        sources = rng.permutation(subjects)
    _take(sequences.rows, sequences.start, sequences.length, subjects, sources, shifts, taken)


@njit(nogil=True, cache=True)
def _take(rows, start, length, subjects, sources, shifts, taken):  # type: ignore[no-untyped-def]
    for k in range(len(subjects)):
        to, of = subjects[k], sources[k]
        for step in range(length[to]):
            place = (step * length[of] // length[to] + shifts[k]) % length[of]
            taken[rows[start[to] + step]] = rows[start[of] + place]


class _Null:
    """Test rows with their risks, which stay, and labels, which are drawn."""

    def __init__(
        self, name: str, sequences: _Sequences, label: Values, predicted: Sequence[tuple[_Fold, Values]]
    ) -> None:
        self.name, self.sequences, self.label = name, sequences, label
        self.folds = [(fold, np.flatnonzero(fold.split.test)) for fold, _ in predicted]
        score = np.concatenate([np.zeros(0), *(risk for _, risk in predicted)])
        # Ranked among the rows of one subject under one fit, or among all.
        units = [
            number * len(sequences.length) + sequences.subject[test] for number, (_, test) in enumerate(self.folds)
        ]
        unit = np.concatenate([np.zeros(0, np.int64), *units]) * (name == SHIFTED)
        self.order = np.lexsort((score, unit))
        self.score, self.unit = score[self.order], unit[self.order]

    def observed(self) -> float:
        """The figure with the labels whose like the models had learnt from."""
        return self._figure([fold.taken[test] for fold, test in self.folds])

    def draws(self, n: int, rng: np.random.Generator) -> Values:
        """The figure with further labels of the tested subjects, models as they are, of shape (n,)."""
        taken = np.zeros(len(self.sequences.rows), dtype=np.int64)
        found = np.full(n, np.nan)
        for draw in range(n):
            parts = []
            for fold, test in self.folds:
                _move(self.name, self.sequences, fold.tested, taken, rng)
                parts.append(taken[test])
            found[draw] = self._figure(parts)
        return found

    def _figure(self, taken: Sequence[Places]) -> float:
        label = self.label[np.concatenate([np.zeros(0, np.int64), *taken])][self.order]
        return float(_mean_auroc(label, self.score, self.unit, FEWEST_OWN if self.name == SHIFTED else 1))


@njit(nogil=True, cache=True)
def _mean_auroc(label, score, unit, fewest):  # type: ignore[no-untyped-def]
    """Mean AUROC over units with so many rows of both classes; rows sorted by unit and score, missing labels left out."""
    total, n, first = 0.0, 0, 0
    while first < len(label):
        row, positives, negatives, right = first, 0, 0, 0.0
        while row < len(label) and unit[row] == unit[first]:
            tied, risk, new_positives, new_negatives = row, score[row], 0, 0
            while tied < len(label) and unit[tied] == unit[first] and score[tied] == risk:
                new_positives += label[tied] == 1
                new_negatives += label[tied] == 0
                tied += 1
            right += new_positives * (negatives + new_negatives / 2)
            positives, negatives, row = positives + new_positives, negatives + new_negatives, tied
        if positives >= fewest and negatives >= fewest:
            total, n = total + right / (positives * negatives), n + 1
        first = row
    return total / n if n else np.nan


def _judged(name: str, figure: float, null: Values, alpha: float) -> dict[str, object]:
    """One row; only too good a figure fails, for a leak ranks well."""
    what = "within-subject AUROC" if name == SHIFTED else "pooled AUROC"
    if np.isnan(figure):
        told = f"not estimable: too few subjects with and without events for a {what}"
        return dict(zip(COLUMNS, (name, figure, np.nan, True, told), strict=True))
    # A draw that gives no figure speaks for no leak.
    p = (1 + int((~(null < figure)).sum())) / (1 + len(null))
    told = f"{what} {figure:.3f} where labels say nothing, by chance {np.nanmean(null):.3f}; p = {p:.3f} among {len(null)} draws"
    return dict(zip(COLUMNS, (name, figure, p, p > alpha, told), strict=True))


def leak_of(column: pd.Series, labels: pd.DataFrame, horizons_days: Sequence[int]) -> str | None:
    """Whether a column, row by row beside labels, is one of the target in disguise or of who it is; None if neither."""
    subject = labels["subject_id"].to_numpy()
    by_subject = column.groupby(subject)
    if by_subject.nunique(dropna=False).max() == 1 and not by_subject.first().duplicated().any():
        return IDENTITY
    ranked = column.fillna(column.max() + 1).fillna(0.0).to_numpy(dtype=np.float64)
    for horizon in horizons_days:
        label = at_horizon(labels, horizon)
        kept = np.isfinite(label)
        if len(np.unique(label[kept])) == 2:
            auroc = roc_auc_score(label[kept], ranked[kept])
            if max(auroc, 1 - auroc) >= LIKE_THE_TARGET:
                return TARGET
    return None
