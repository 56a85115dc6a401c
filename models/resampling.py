"""Intervals from resampled subjects: rows of one person are not independent, so whole persons are drawn.

Every metric is written as sums over subjects, so that a resample is one matrix product. AUROC is exact, through the
number of concordant pairs between each two subjects; curve metrics use up to `BINS` score bins.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray

Values = NDArray[np.float64]
BINS = 400
LEVEL = 0.95
FEWEST_OWN = 5
# Share of the resamples that must give a value for an interval to be made of them.
FEWEST_VALID = 0.9


def draws(n_subjects: int, resamples: int, seed: int) -> Values:
    """How often each subject is drawn in each resample, of shape (resamples, n_subjects)."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), resamples).astype(np.float64)


def interval(values: Values) -> tuple[float, float]:
    """Percentile interval (95 %); missing where fewer than 90 % of the resamples give a value."""
    valid = values[np.isfinite(values)]
    if len(valid) < FEWEST_VALID * len(values):
        return float("nan"), float("nan")
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(valid, [tail, 1 - tail])
    return float(low), float(high)


def with_interval(values: Values) -> tuple[float, float, float]:
    """The first entry is the estimate, the others its resamples."""
    return float(values[0]), *interval(values[1:])


@dataclass(frozen=True)
class Concordance:
    """Pairs of a positive and a negative row, counted by subject.

    `pairs[i, j]` is how many pairs of a positive row of subject i and a negative row of subject j are ranked
    rightly, ties as half; `positives` and `negatives` are rows per subject. Where rows have weights, these are summed.
    """

    pairs: Values
    positives: Values
    negatives: Values

    def auroc(self, weights: Values) -> Values:
        """AUROC of each weighting of subjects, shape (n,) from (n, n_subjects); missing without both classes."""
        right = np.einsum("bi,bi->b", weights @ self.pairs, weights)
        total = (weights @ self.positives) * (weights @ self.negatives)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(total > 0, right / total, np.nan)


def own_aurocs(score: Values, label: Values, unit: NDArray[np.int64], n_units: int, fewest: int = FEWEST_OWN) -> Values:
    """AUROC within each unit (a fit, a subject under one fit); missing below the fewest positive and negative rows."""
    frame = pd.DataFrame({"unit": unit, "label": label, "score": score})
    rank = frame.groupby("unit")["score"].rank()
    positives = np.bincount(unit, label, n_units)
    negatives = np.bincount(unit, 1 - label, n_units)
    above = np.bincount(unit, rank * label, n_units) - positives * (positives + 1) / 2
    enough = (positives >= fewest) & (negatives >= fewest)
    return np.where(enough, above / np.where(enough, positives * negatives, 1), np.nan)


def concordance(
    score: Values, label: Values, subject: NDArray[np.int64], n_subjects: int, weight: Values | None = None
) -> Concordance:
    """Count concordant pairs between subjects.

    Args:
        score, label, subject: of shape (n_rows,); labels 0 or 1, subjects coded from 0.
        n_subjects: how many subjects there are.
        weight: of each row; 1 where there is none.
    """
    order = np.argsort(score, kind="stable")
    is_positive, subject = label[order] == 1, subject[order]
    counted = np.ones(len(score)) if weight is None else weight[order]
    pairs = np.zeros((n_subjects, n_subjects))
    _count_pairs(score[order], is_positive, subject, counted, pairs)
    positives, negatives = (
        np.bincount(subject, counted * rows, n_subjects).astype(np.float64) for rows in (is_positive, ~is_positive)
    )
    return Concordance(pairs, positives, negatives)


@njit(nogil=True, cache=True)
def _count_pairs(score, is_positive, subject, weight, pairs):  # type: ignore[no-untyped-def]
    """Go through rows in rising order of score; rows of one score see half of each other."""
    below, tied = np.zeros(len(pairs)), np.zeros(len(pairs))
    first = 0
    while first < len(score):
        last = first
        while last < len(score) and (last == first or score[last] == score[first]):
            if not is_positive[last]:
                tied[subject[last]] += weight[last]
            last += 1
        for row in range(first, last):
            if is_positive[row]:
                pairs[subject[row]] += weight[row] * (below + tied / 2)
        for row in range(first, last):
            below[subject[row]] += tied[subject[row]]
            tied[subject[row]] = 0
        first = last


@dataclass(frozen=True)
class Curve:
    """Rows and positives per weighting and score bin, highest scores first, of shape (n, bins); mean score per bin."""

    rows: Values
    positives: Values
    score: Values

    def average_precision(self) -> Values:
        """Area under the precision-recall curve, summed over bins."""
        seen, found = np.cumsum(self.rows, axis=1), np.cumsum(self.positives, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision = np.where(seen > 0, found / seen, 0.0)
            area: Values = (precision * self.positives).sum(axis=1) / self.positives.sum(axis=1)
        return area

    def at_top(self, share: float) -> tuple[Values, Values]:
        """Sensitivity and positive predictive value when that share of the rows is flagged."""
        seen = np.cumsum(self.rows, axis=1)
        found = np.cumsum(self.positives, axis=1)
        limit = share * seen[:, -1]
        at = np.minimum((seen < limit[:, None]).sum(axis=1), seen.shape[1] - 1)
        each = np.arange(len(seen))
        with np.errstate(invalid="ignore", divide="ignore"):
            # Of the bin that the limit cuts, the part above it counts.
            above = (seen[each, at] - limit) / self.rows[each, at]
            hits = found[each, at] - above * self.positives[each, at]
            return hits / found[:, -1], hits / limit


def curve(score: Values, label: Values, subject: NDArray[np.int64], weights: Values) -> Curve:
    """Rows and positives by score bin under each weighting of subjects, of shape (n, n_subjects)."""
    ranks = pd.Series(-score).rank(method="min").to_numpy()
    bins = np.minimum((ranks - 1) * BINS // max(len(score), 1), BINS - 1).astype(np.int64)
    cell = subject * BINS + bins
    size = weights.shape[1] * BINS
    rows = np.bincount(cell, minlength=size).reshape(-1, BINS)
    positives = np.bincount(cell, label, minlength=size).reshape(-1, BINS)
    mean = np.bincount(bins, score, BINS) / np.maximum(np.bincount(bins, minlength=BINS), 1)
    return Curve(weights @ rows, weights @ positives, mean)


def subject_means(values: Values, subject: NDArray[np.int64], weights: Values) -> Values:
    """Mean over rows of a per-row quantity under each weighting of subjects."""
    sums = np.bincount(subject, values, weights.shape[1])
    rows = np.bincount(subject, minlength=weights.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Values = (weights @ sums) / (weights @ rows)
    return mean
