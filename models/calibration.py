"""Calibration of the hazard: straight lines on the scale of log-odds."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

Values = NDArray[np.float64]
# Slopes and intercepts by interval; of one each, they hold for all.
Lines = tuple[tuple[float, ...], tuple[float, ...]]
IDENTITY: Lines = ((1.0,), (0.0,))
EPSILON = 1e-9
# Keeps lines near the identity, and those of intervals near each other, where data are few; in units of one observation.
PRIOR = 1.0
# The least slope: what ranks nobody rightly must not be turned around, or a leak would hide behind it.
FLATTEST = 0.05
MOST_STEPS, SMALL_STEP = 25, 1e-10


def log_odds(probability: Values) -> Values:
    """Log-odds, finite for 0 and 1 too."""
    odds: Values = logit(np.clip(probability, EPSILON, 1 - EPSILON))
    return odds


def fit_line(margin: Values, label: Values) -> tuple[float, float]:
    """Slope and intercept of the logistic regression of 0/1 labels on log-odds (Cox 1958)."""

    def loss(line: Values) -> tuple[float, Values]:
        fitted = line[0] * margin + line[1]
        error = expit(fitted) - label
        value = float((np.logaddexp(0, fitted) - label * fitted).sum()) + PRIOR * (line[0] - 1) ** 2
        return value, np.array([(error * margin).sum() + 2 * PRIOR * (line[0] - 1), error.sum()])

    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B").x
    return float(found[0]), float(found[1])


def fit_lines(margin: Values, label: Values, interval: NDArray[np.int64], n_intervals: int) -> Lines:
    """A line for each interval, fitted together: what is known a week ahead is known less surely of the weeks after.

    Args:
        margin, label, interval: of shape (n_rows,); intervals counted from 0. One without an event has nearly the line of all.
    """

    def loss(lines: Values) -> tuple[float, Values]:
        own = lines.reshape(2, n_intervals)
        fitted = own[0, interval] * margin + own[1, interval]
        error = expit(fitted) - label
        # The shared line that costs least beside these.
        shared = np.array([(1 + own[0].sum()) / (1 + n_intervals), own[1].mean()])
        apart = own - shared[:, None]
        penalty = (shared[0] - 1) ** 2 + (apart**2).sum()
        value = float((np.logaddexp(0, fitted) - label * fitted).sum() + PRIOR * penalty)
        each = np.stack([np.bincount(interval, of, n_intervals) for of in (error * margin, error)])
        return value, (each + 2 * PRIOR * apart).reshape(-1)

    start = np.concatenate([np.ones(n_intervals), np.zeros(n_intervals)])
    bounds = n_intervals * [(FLATTEST, None)] + n_intervals * [(None, None)]
    slopes, intercepts = minimize(loss, start, jac=True, bounds=bounds, method="L-BFGS-B").x.reshape(2, -1)
    return tuple(map(float, slopes)), tuple(map(float, intercepts))


def slope_and_intercept(probability: Values, label: Values) -> tuple[float, float]:
    """Calibration slope, and intercept at slope 1 (calibration in the large): 1 and 0 are ideal."""
    margin = log_odds(probability)
    return fit_line(margin, label)[0], fit_level(margin, label)


def fit_level(margin: Values, label: Values) -> float:
    """The shift of the log-odds by which as many events are expected as were seen."""
    level = 0.0
    for _ in range(2 * MOST_STEPS):
        expected = expit(margin + level)
        step = float((label - expected).sum() / max((expected * (1 - expected)).sum(), EPSILON))
        level += step
        if abs(step) < SMALL_STEP:
            break
    return level


def binned_slopes(score: Values, rows: Values, positives: Values) -> Values:
    """Calibration slope of each weighting, from rows and positives per score bin; missing without both classes.

    Args:
        score: mean predicted risk per bin, of shape (bins,).
        rows, positives: of shape (n, bins).

    Returns:
        Slopes of shape (n,), by Newton's method on the same penalised likelihood as `fit_line`.
    """
    margin = log_odds(score)
    slope, level = np.ones(len(rows)), np.zeros(len(rows))
    has_both = _has_both(rows, positives)
    for _ in range(MOST_STEPS):
        risk = expit(slope[:, None] * margin + level[:, None])
        error, curvature = rows * risk - positives, rows * risk * (1 - risk)
        gradient = error @ margin + 2 * PRIOR * (slope - 1), error.sum(axis=1)
        a, b, c = curvature @ margin**2 + 2 * PRIOR, curvature @ margin, curvature.sum(axis=1) + EPSILON
        determinant = np.maximum(a * c - b * b, EPSILON)
        turn = np.clip((c * gradient[0] - b * gradient[1]) / determinant, -1, 1)
        shift = np.clip((a * gradient[1] - b * gradient[0]) / determinant, -3, 3)
        slope, level = slope - turn, level - shift
        if _is_small(turn[has_both]) and _is_small(shift[has_both]):
            break
    return np.where(has_both, slope, np.nan)


def binned_levels(score: Values, rows: Values, positives: Values) -> Values:
    """Calibration in the large of each weighting, as `binned_slopes` gives the slope."""
    margin, level = log_odds(score), np.zeros(len(rows))
    has_both = _has_both(rows, positives)
    for _ in range(MOST_STEPS):
        risk = expit(margin + level[:, None])
        curvature = (rows * risk * (1 - risk)).sum(axis=1) + EPSILON
        shift = np.clip((positives - rows * risk).sum(axis=1) / curvature, -3, 3)
        level = level + shift
        if _is_small(shift[has_both]):
            break
    return np.where(has_both, level, np.nan)


def _has_both(rows: Values, positives: Values) -> NDArray[np.bool_]:
    """Weightings with positive and negative rows."""
    total = positives.sum(axis=1)
    is_both: NDArray[np.bool_] = (total > 0) & (total < rows.sum(axis=1))
    return is_both


def _is_small(step: Values) -> bool:
    """Whether a Newton step changes no figure that is told."""
    return float(np.abs(step).max(initial=0.0)) < SMALL_STEP
