"""Calibration per group: what the model said against what happened, with intervals over subjects."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.fairness import bootstrap
from models.fairness.bootstrap import Weights
from models.fairness.groups import Grouping
from models.fairness.rows import Rows, Values

BINS = 5


def calibrate(groupings: Sequence[Grouping], rows: Rows, weights: Weights) -> pd.DataFrame:
    """Mean predicted against observed risk in fifths of each group's scores.

    Grain out: `cell` x `fifth` (from 1): predicted, observed, low, high. Groups of one attribute only; equal scores share a
    fifth, so some have fewer.
    """
    parts = []
    for grouping in (g for g in groupings if not g.is_crossed):
        of_row = grouping.codes[rows.subject]
        for code, cell in enumerate(grouping.labels()):
            part = _fifths(rows, of_row == code, weights)
            parts.append(part.assign(cell=cell, fifth=np.arange(1, len(part) + 1)))
    return pd.concat(parts, ignore_index=True)[["cell", "fifth", "predicted", "observed", "low", "high"]]


def _fifths(rows: Rows, is_member: NDArray[np.bool_], weights: Weights) -> pd.DataFrame:
    subject, label, probability = rows.subject[is_member], rows.label[is_member], rows.probability[is_member]
    edges = np.unique(np.quantile(probability, np.linspace(0, 1, BINS + 1)[1:-1]))
    _, place = np.unique(np.searchsorted(edges, probability, side="right"), return_inverse=True)
    n_bins = int(place.max()) + 1
    cell = subject * n_bins + place

    def table(values: Values | None) -> Values:
        summed = np.bincount(cell, weights=values, minlength=rows.n_subjects * n_bins)
        return summed.reshape(rows.n_subjects, n_bins).astype(float)

    size, positive, expected = table(None), table(label.astype(float)), table(probability)
    drawn = weights[:, 1:].T.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        low, high = bootstrap.interval((drawn @ positive) / (drawn @ size), (size > 0).sum(axis=0))
    total = size.sum(axis=0)
    return pd.DataFrame(
        {
            "predicted": expected.sum(axis=0) / total,
            "observed": positive.sum(axis=0) / total,
            "low": low,
            "high": high,
        }
    )
