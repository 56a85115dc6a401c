"""Intervals from resampled subjects: rows of one person are not independent, so whole persons are drawn.

Rows are sorted or summed by subject once, not in each resample. AUROC is exact: all resamples are counted in one walk
through the sorted rows. The others are sums over subjects, so that a resample is one matrix product; curve metrics use up
to `BINS` score bins.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]
BINS = 400
LEVEL = 0.95
# Resamples counted side by side: their running sums fit the processor's nearest cache.
AT_ONCE = 128
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


def share_with_interval(values: Values, n_subjects: int) -> tuple[float, float, float]:
    """As `with_interval`, of a share (0 to 1) that so many subjects carry.

    If it is 0 or 1 every resample repeats it, as if nothing else were possible. Then it is Wilson's interval of as many
    independent trials as subjects: their rows are not independent, so it is rather too wide than too narrow.
    """
    value = float(values[0])
    if value not in (0, 1):
        return with_interval(values)
    found = stats.binomtest(round(value * n_subjects), n_subjects).proportion_ci(LEVEL, "wilson")
    return value, float(found.low), float(found.high)


@dataclass(frozen=True)
class Concordance:
    """Rows in rising order of score: enough for the AUROC of any resample.

    Attributes:
        score: of each row, as what follows.
        is_positive: whether the event came.
        subject: whose it is.
        weight: for how many rows it stands.
    """

    score: Values
    is_positive: NDArray[np.bool_]
    subject: NDArray[np.int64]
    weight: Values

    def among(self, is_in: NDArray[np.bool_]) -> "Concordance":
        """The rows of some of the subjects, who keep their codes."""
        rows = is_in[self.subject]
        return Concordance(self.score[rows], self.is_positive[rows], self.subject[rows], self.weight[rows])

    def auroc(self, weights: Values) -> Values:
        """AUROC of each weighting of subjects, shape (n,) from (n, n_subjects); missing without both classes."""
        found = np.full(len(weights), np.nan)
        positives, negatives = (
            np.bincount(self.subject, self.weight * rows, minlength=weights.shape[1])
            for rows in (self.is_positive, ~self.is_positive)
        )
        for start in range(0, len(weights), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            drawn = np.ascontiguousarray(weights[part].T)
            right = _count_pairs(self.score, self.is_positive, self.subject, self.weight, drawn)
            total = (positives @ drawn) * (negatives @ drawn)
            np.divide(right, total, out=found[part], where=total > 0)
        return found


def concordance(score: Values, label: Values, subject: NDArray[np.int64], weight: Values | None = None) -> Concordance:
    """Rows of shape (n_rows,), sorted once for all resamples; labels 0 or 1, subjects coded from 0; no weight is 1."""
    order = np.argsort(score, kind="stable")
    weight = np.ones(len(score)) if weight is None else weight
    return Concordance(score[order], label[order] == 1, subject[order], weight[order])


@njit(nogil=True, cache=True)
def _count_pairs(score, is_positive, subject, weight, drawn):  # type: ignore[no-untyped-def]
    """Pairs of a positive and a negative row ranked rightly, ties as half, of shape (n,).

    Rows come in rising order of score, and count by their weight as often as their subjects were drawn, of shape
    (n_subjects, n).
    """
    right, below = np.zeros(drawn.shape[1]), np.zeros(drawn.shape[1])
    first = 0
    while first < len(score):
        last = first + 1
        while last < len(score) and score[last] == score[first]:
            last += 1
        # Positive rows see all negative ones of lower scores, and half of those of their own.
        is_tied = last > first + 1
        _add_negatives(is_positive, subject, weight, drawn, first, last, 0.5 if is_tied else 1.0, below)
        for row in range(first, last):
            if is_positive[row]:
                times, own = drawn[subject[row]], weight[row]
                # Plain loops over places: the compiler makes vector instructions of them.
                for k in range(len(times)):
                    right[k] += own * times[k] * below[k]
        if is_tied:
            _add_negatives(is_positive, subject, weight, drawn, first, last, 0.5, below)
        first = last
    return right


@njit(nogil=True, cache=True)
def _add_negatives(is_positive, subject, weight, drawn, first, last, share, below):  # type: ignore[no-untyped-def]
    """A share of the negative rows of one score."""
    for row in range(first, last):
        if not is_positive[row]:
            times, own = drawn[subject[row]], share * weight[row]
            for k in range(len(times)):
                below[k] += own * times[k]


def own_aurocs(score: Values, label: Values, unit: NDArray[np.int64], n_units: int, fewest: int = FEWEST_OWN) -> Values:
    """AUROC within each unit (a fit, a subject under one fit); missing below the fewest positive and negative rows."""
    frame = pd.DataFrame({"unit": unit, "label": label, "score": score})
    rank = frame.groupby("unit")["score"].rank()
    positives = np.bincount(unit, label, n_units)
    negatives = np.bincount(unit, 1 - label, n_units)
    above = np.bincount(unit, rank * label, n_units) - positives * (positives + 1) / 2
    enough = (positives >= fewest) & (negatives >= fewest)
    return np.where(enough, above / np.where(enough, positives * negatives, 1), np.nan)


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
