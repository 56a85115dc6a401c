"""Resampling subjects: every metric of every group in 1,000 redrawn cohorts, from per-subject counts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from models.fairness import metrics
from models.fairness.alerts import Queue
from models.fairness.groups import Grouping
from models.fairness.metrics import Counts, Values

# Finer bins change the AUROC by less than 0.001, far inside any interval.
SCORE_BINS = 512
RESAMPLES_AT_ONCE = 50


@dataclass(frozen=True)
class Rows:
    """The scored rows as arrays of shape (n_rows,); `subject` counts from 0 to n_subjects - 1."""

    subject: NDArray[np.int64]
    label: NDArray[np.int64]
    probability: Values
    n_subjects: int

    def per_subject(self, values: Values) -> Values:
        """Sum of the values over each subject's rows, shape (n_subjects,)."""
        return np.bincount(self.subject, weights=values, minlength=self.n_subjects).astype(float)

    def cells(self, is_flagged: NDArray[np.bool_]) -> pd.DataFrame:
        """Rows alike in subject, label and is_flagged (0/1) as one, with n (rows) and probability (their mean)."""
        table = pd.DataFrame({"subject": self.subject, "label": self.label, "is_flagged": is_flagged.astype(np.int64)})
        keys = ["subject", "label", "is_flagged"]
        return table.assign(p=self.probability).groupby(keys)["p"].agg(n="size", probability="mean").reset_index()


def draw(n_subjects: int, resamples: int, seed: int) -> NDArray[np.int32]:
    """How often each subject is drawn, shape (n_subjects, resamples): subjects with replacement, equal chances."""
    chances = np.full(n_subjects, 1 / n_subjects)
    return np.random.default_rng(seed).multinomial(n_subjects, chances, size=resamples).T.astype(np.int32, order="C")


def count_groups(rows: Rows, queue: Queue, groupings: Sequence[Grouping], weights: NDArray[np.int32]) -> Counts:
    """Counts of every group of every grouping, side by side, in every resample; arrays (n_resamples, n_groups)."""
    member = membership(groupings)
    flagged, caught = _flagged_by_subject(rows, queue, weights)
    drawn = weights.astype(float)

    def summed(per_subject: Values) -> Values:
        return np.asarray((member @ (drawn * per_subject[:, None])).T)

    return Counts(
        rows=summed(rows.per_subject(np.ones(len(rows.label)))),
        positives=summed(rows.per_subject(rows.label.astype(float))),
        flagged=np.asarray((member @ flagged).T),
        caught=np.asarray((member @ caught).T),
        expected=summed(rows.per_subject(rows.probability)),
    )


def membership(groupings: Sequence[Grouping]) -> Values:
    """1 where a subject belongs to a group, shape (n_groups of all groupings, n_subjects)."""
    return np.vstack([(g.codes == level) for g in groupings for level in range(len(g.levels))]).astype(float)


def _flagged_by_subject(rows: Rows, queue: Queue, weights: NDArray[np.int32]) -> tuple[Values, Values]:
    """Flagged rows, and flagged positive rows, of each subject in each resample: (n_subjects, n_resamples)."""
    n, positions = len(queue.rows), np.arange(len(queue.rows))
    label = rows.label[queue.rows]
    shape = (rows.n_subjects, n)
    everyone = sparse.csr_matrix((np.ones(n, np.int32), (queue.subject, positions)), shape=shape)
    positive = sparse.csr_matrix(
        (label[label == 1].astype(np.int32), (queue.subject[label == 1], positions[label == 1])), shape=shape
    )
    flagged, caught = [], []
    for start in range(0, weights.shape[1], RESAMPLES_AT_ONCE):
        chosen = queue.flagged(np.ascontiguousarray(weights[:, start : start + RESAMPLES_AT_ONCE]))
        flagged.append(everyone @ chosen)
        caught.append(positive @ chosen)
    return np.hstack(flagged).astype(float), np.hstack(caught).astype(float)


@dataclass(frozen=True)
class ScoreBins:
    """Each subject's rows by rising score bin: arrays (n_subjects, n_bins), and each bin's mean log odds."""

    positives: NDArray[np.float32]
    rows: NDArray[np.float32]
    log_odds: Values

    def resampled(self, members: NDArray[np.bool_], weights: NDArray[np.int32]) -> tuple[Values, Values]:
        """AUROC and calibration slope among the members in each resample, two arrays (n_resamples,)."""
        drawn = weights[members].T.astype(np.float32)
        positives, rows = (drawn @ self.positives[members]).astype(float), (drawn @ self.rows[members]).astype(float)
        used = rows.any(axis=0)
        positives, rows = positives[:, used], rows[:, used]
        slopes = metrics.calibration_slope(positives, rows, self.log_odds[used])
        return metrics.auroc(positives, rows - positives), slopes


def bin_scores(rows: Rows) -> ScoreBins:
    """Sort each subject's rows into at most `SCORE_BINS` bins of equally many rows; equal scores share a bin."""
    edges = np.unique(np.quantile(rows.probability, np.linspace(0, 1, SCORE_BINS + 1)[1:-1]))
    place = np.searchsorted(edges, rows.probability, side="right")
    _, place = np.unique(place, return_inverse=True)
    n_bins = int(place.max()) + 1
    cell = rows.subject * n_bins + place

    def table(values: Values | None) -> NDArray[np.float32]:
        summed = np.bincount(cell, weights=values, minlength=rows.n_subjects * n_bins)
        return summed.reshape(rows.n_subjects, n_bins).astype(np.float32)

    mean = np.bincount(place, weights=metrics.log_odds(rows.probability)) / np.bincount(place)
    return ScoreBins(table(rows.label.astype(float)), table(None), mean)


def interval(resampled: Values) -> tuple[Values, Values]:
    """The 2.5 and 97.5 percentiles over the resamples (first axis); missing where under 95 % are defined."""
    is_defined = np.isfinite(resampled).mean(axis=0) >= 0.95
    low, high = np.full(resampled.shape[1:], np.nan), np.full(resampled.shape[1:], np.nan)
    if is_defined.any():
        low[is_defined], high[is_defined] = np.nanpercentile(resampled[:, is_defined], [2.5, 97.5], axis=0)
    return low, high


def spread(resampled: Values) -> Values:
    """The bootstrap standard error over the resamples (first axis); missing where fewer than two are defined."""
    return np.asarray(pd.DataFrame(resampled.reshape(len(resampled), -1)).std(axis=0)).reshape(resampled.shape[1:])
