"""A logistic regression as numbers: what the baselines are, and what boosted trees correct."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from models.one_thread import one_thread

Values = NDArray[np.float64]
# Weekly rows of one subject are near-copies of each other, so a row counts for less than a row.
RIDGE = 10.0
# A column that is so much larger is penalised by the square of it less.
LEVEL_SCALE = 30.0
# With more a logistic regression is sure of more than it knows: it needs a calibration line.
FEW_FEATURES = 30


@dataclass(frozen=True)
class Linear:
    """A logistic regression as numbers: per feature centre, scale, weight, and weight of being missing."""

    features: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]
    missing_weight: tuple[float, ...]
    interval_level: tuple[float, ...]


NO_LINEAR = Linear((), (), (), (), (), ())


def fit_linear(
    x: Values, interval: NDArray[np.int64], y: Values, features: tuple[str, ...], intervals: int, weight: Values | None = None
) -> Linear:  # fmt: skip
    """Ridge regression of events on features, what is missing, and a level per interval.

    Levels are as good as free: the ridge draws weights towards 0, but a level towards 0 would be a risk towards a half.

    Args:
        x: of shape (n_rows, n_features), NaN where unknown.
        interval: of each row, between horizons.
        y: 1 where the interval holds the event.
        features: names of the columns.
        intervals: how many there are.
        weight: for how many rows each stands, of shape (n_rows,); 1 without.
    """
    # arcsinh is linear near 0 and logarithmic far out: days since something count by their order of magnitude.
    x = np.arcsinh(x)
    known = np.isfinite(x)
    counts = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, x, 0).sum(axis=0) / counts
    scale = np.sqrt((np.where(known, x - centre, 0) ** 2).sum(axis=0) / counts)
    scale = np.where(scale > 0, scale, 1.0)
    levels = np.eye(intervals)[interval] * LEVEL_SCALE
    # Features of one stream are missing together: one column for all, as wide as the ridge would have them all together.
    bits = np.packbits(~known, axis=0).T
    _, first, place, times = np.unique(bits, axis=0, return_index=True, return_inverse=True, return_counts=True)
    design = np.column_stack([np.where(known, (x - centre) / scale, 0.0), ~known[:, first] * np.sqrt(times), levels])
    # Exact steps do not mind columns of unequal scale; 100 features on 100,000 rows take 2 s, gradients 13.
    solver = LogisticRegression(C=1 / RIDGE, fit_intercept=False, solver="newton-cholesky")
    with one_thread():
        weights = solver.fit(design, y, sample_weight=weight).coef_[0]
    of_known, of_missing, levels = np.split(weights, [x.shape[1], x.shape[1] + len(first)])
    parts = (centre, scale, of_known, (of_missing / np.sqrt(times))[place.reshape(-1)], levels * LEVEL_SCALE)
    return Linear(features, *(tuple(map(float, part)) for part in parts))


def linear_parts(linear: Linear, x: Values) -> Values:
    """Each feature's part of the linear log-odds, of the shape of x."""
    x = np.arcsinh(x)
    standard = (x - np.array(linear.centre)) / np.array(linear.scale) * np.array(linear.weight)
    return np.where(np.isfinite(x), standard, np.array(linear.missing_weight))


def linear_margin(linear: Linear, x: Values, interval: NDArray[np.int64]) -> Values:
    """Log-odds of each row's hazard, of shape (n_rows,)."""
    margin: Values = linear_parts(linear, x).sum(axis=1) + np.array(linear.interval_level)[interval]
    return margin
