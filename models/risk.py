"""The risk model: one discrete-time hazard over the intervals between horizons, so that risks rise with the horizon.

risk(H) = 1 - prod(1 - hazard) over the intervals up to H, hence risk(7) <= risk(14) <= risk(28) by construction. Two
learners share everything else: `logistic`, a ridge regression that the baselines use, and `boosted_trees`, shallow
trees that correct a logistic regression on the history features. Saved as data (UBJ, JSON), never as code.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from models.calibration import fit_line, resampled_lines
from models.errors import ModelsError
from models.growth import USUAL, Growth

Learner = Literal["logistic", "boosted_trees"]
Values = NDArray[np.float64]
CROSS_FITS = 3
# Weekly rows of one subject are near-copies of each other, so a row counts for less than a row.
RIDGE = 10.0
# From more on a logistic regression is solved by gradients, and is sure of more than it knows: it needs a calibration line.
FEW_FEATURES = 30
MAX_BIN = 64
TREES = {"objective": "binary:logistic", "tree_method": "hist", "max_bin": MAX_BIN, "base_score": 0.5, "verbosity": 0}
INTERVAL_LEVEL = 0.9


@dataclass(frozen=True)
class Linear:
    """A logistic regression as numbers: per feature centre, scale, weight, and weight of being missing."""

    features: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weight: tuple[float, ...]
    missing_weight: tuple[float, ...]
    interval_level: tuple[float, ...]


@dataclass(frozen=True)
class HazardModel:
    """A fitted model: what it predicts, from which features, and its one calibration line."""

    name: str
    outcome: str
    task: str
    horizons_days: tuple[int, ...]
    features: tuple[str, ...]
    learner: Learner
    linear: Linear
    growth: Growth = USUAL
    trees: bytes = b""
    line: tuple[float, float] = (1.0, 0.0)
    lines: tuple[tuple[float, float], ...] = ()


def fit(
    matrix: pd.DataFrame, labels: pd.DataFrame, horizons_days: tuple[int, ...], features: tuple[str, ...],
    learner: Learner, seed: int, threads: int = 2, name: str = "", with_intervals: bool = False,
    growth: Growth = USUAL,
) -> HazardModel:  # fmt: skip
    """Fit a hazard model on rows whose labels are known.

    Args:
        matrix: feature matrix, row by row beside `labels`.
        labels: `days_to_event, followed_days, is_masked, subject_id, outcome, task`.
        horizons_days: rising horizons.
        features: columns of the matrix to use.
        learner: see the module.
        seed: makes the fit reproducible to the byte, whatever the number of threads.
        with_intervals: refit the calibration line on resampled subjects too, for `predict_interval`.
        growth: of boosted trees.

    Raises:
        ModelsError: a feature is missing, an infinite value, or no event in the training rows.
    """
    rows, interval, y = at_risk(labels, horizons_days)
    x = _values(matrix, features)[rows]
    if y.sum() == 0 or y.sum() == len(y):
        raise ModelsError("The training rows hold no event, or nothing but events: no risk can be learnt from them.")
    subject = labels["subject_id"].iloc[rows]
    model = HazardModel(name, str(labels["outcome"].iloc[0]), str(labels["task"].iloc[0]), horizons_days, features,
                        learner, Linear((), (), (), (), (), ()), growth)  # fmt: skip
    fitted = _learn(model, x, interval, y, seed, threads)
    if learner == "logistic" and len(features) <= FEW_FEATURES:
        # Maximum likelihood with so few weights is calibrated by itself; a second line would only add noise.
        margin, line = _margin(fitted, x, interval), fitted.line
    else:
        margin = _cross_fitted(model, x, interval, y, subject, seed, threads)
        line = fit_line(margin, y)
    lines = tuple(resampled_lines(margin, y, subject, seed)) if with_intervals else ()
    return replace(fitted, line=line, lines=lines)


def _values(matrix: pd.DataFrame, features: tuple[str, ...]) -> Values:
    missing = [feature for feature in features if feature not in matrix.columns]
    if missing:
        raise ModelsError(f"The matrix lacks {len(missing)} features of the model, first `{missing[0]}`. Rebuild it.")
    x = matrix[list(features)].to_numpy(dtype=np.float64).reshape(len(matrix), len(features))
    if np.isinf(x).any():
        raise ModelsError(
            f"The matrix holds {int(np.isinf(x).sum())} infinite values. Mend the feature that makes them."
        )
    return x


def at_risk(
    labels: pd.DataFrame, horizons_days: tuple[int, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64], Values]:
    """Each interval that an index row was at risk in and followed through: the row, the interval, 1 if an event came."""
    to_event = np.nan_to_num(labels["days_to_event"].to_numpy(), nan=np.inf)
    followed = np.where(labels["is_masked"], 0, labels["followed_days"])
    bounds = (0, *horizons_days)
    rows, intervals, y = [], [], []
    for k in range(len(horizons_days)):
        those = np.flatnonzero((to_event >= bounds[k]) & (followed >= bounds[k + 1]))
        rows.append(those)
        intervals.append(np.full(len(those), k))
        y.append((to_event[those] < bounds[k + 1]).astype(np.float64))
    return np.concatenate(rows), np.concatenate(intervals), np.concatenate(y)


def _learn(
    model: HazardModel, x: Values, interval: NDArray[np.int64], y: Values, seed: int, threads: int
) -> HazardModel:
    history = tuple(f for f in model.features if f.startswith("history_"))
    chosen = model.features if model.learner == "logistic" else history
    columns = [model.features.index(feature) for feature in chosen]
    linear = _fit_linear(x[:, columns], interval, y, chosen, len(model.horizons_days))
    if model.learner == "logistic":
        return replace(model, linear=linear)
    margin = _linear_margin(linear, x[:, columns], interval)
    data = xgb.QuantileDMatrix(np.column_stack([x, interval]), y, base_margin=margin, max_bin=MAX_BIN, nthread=threads)
    told = asdict(model.growth)
    rounds = told.pop("rounds")
    trees = xgb.train({**TREES, **told, "seed": seed, "nthread": threads}, data, rounds)
    return replace(model, linear=linear, trees=bytes(trees.save_raw("ubj")))


def _fit_linear(x: Values, interval: NDArray[np.int64], y: Values, features: tuple[str, ...], intervals: int) -> Linear:
    # arcsinh is linear near 0 and logarithmic far out: days since something count by their order of magnitude.
    x = np.arcsinh(x)
    known = np.isfinite(x)
    counts = np.maximum(known.sum(axis=0), 1)
    centre = np.where(known, x, 0).sum(axis=0) / counts
    scale = np.sqrt((np.where(known, x - centre, 0) ** 2).sum(axis=0) / counts)
    scale = np.where(scale > 0, scale, 1.0)
    levels = np.eye(intervals)[interval]
    # Features of one stream are missing together: one column for all, as wide as the ridge would have them all together.
    bits = np.packbits(~known, axis=0).T
    _, first, place, times = np.unique(bits, axis=0, return_index=True, return_inverse=True, return_counts=True)
    design = np.column_stack([np.where(known, (x - centre) / scale, 0.0), ~known[:, first] * np.sqrt(times), levels])
    # Exact steps cost the square of the width.
    how = "newton-cholesky" if len(features) <= FEW_FEATURES else "lbfgs"
    solver = LogisticRegression(C=1 / RIDGE, fit_intercept=False, solver=how, max_iter=300)
    weights = solver.fit(design, y).coef_[0]
    of_known, of_missing, levels = np.split(weights, [x.shape[1], x.shape[1] + len(first)])
    parts = (centre, scale, of_known, (of_missing / np.sqrt(times))[place.reshape(-1)], levels)
    return Linear(features, *(tuple(map(float, part)) for part in parts))


def _linear_parts(linear: Linear, x: Values) -> Values:
    """Each feature's part of the linear log-odds, of the shape of x."""
    x = np.arcsinh(x)
    standard = (x - np.array(linear.centre)) / np.array(linear.scale) * np.array(linear.weight)
    return np.where(np.isfinite(x), standard, np.array(linear.missing_weight))


def _linear_margin(linear: Linear, x: Values, interval: NDArray[np.int64]) -> Values:
    margin: Values = _linear_parts(linear, x).sum(axis=1) + np.array(linear.interval_level)[interval]
    return margin


def linear_contributions(model: HazardModel, matrix: pd.DataFrame) -> Values:
    """Parts of the linear log-odds by `model.linear.features`, of shape (n_rows, n_linear_features)."""
    features = list(model.linear.features)
    return _linear_parts(model.linear, matrix[features].to_numpy(dtype=np.float64).reshape(len(matrix), len(features)))


def _margin(model: HazardModel, x: Values, interval: NDArray[np.int64]) -> Values:
    """Log-odds of the hazard before calibration."""
    columns = [model.features.index(feature) for feature in model.linear.features]
    margin = _linear_margin(model.linear, x[:, columns], interval)
    if model.learner == "logistic":
        return margin
    trees = booster(model)
    scored = trees.inplace_predict(np.column_stack([x, interval]), base_margin=margin, predict_type="margin")
    return np.asarray(scored, dtype=np.float64)


def booster(model: HazardModel) -> xgb.Booster:
    """The trees of a `boosted_trees` model."""
    trees = xgb.Booster()
    trees.load_model(bytearray(model.trees))
    return trees


def _cross_fitted(
    model: HazardModel, x: Values, interval: NDArray[np.int64], y: Values, subject: pd.Series, seed: int, threads: int
) -> Values:
    """Log-odds of each row by a model that never saw its subject."""
    has_event = pd.Series(y).groupby(subject.to_numpy()).max()
    order = has_event.sample(frac=1.0, random_state=seed).sort_values(kind="stable").index
    fold = subject.map(pd.Series(np.arange(len(order)) % CROSS_FITS, index=order)).to_numpy()
    margin = np.zeros(len(y))
    for number in range(CROSS_FITS):
        train, test = fold != number, fold == number
        if y[train].sum() == 0:
            raise ModelsError(
                "Too few subjects with an event to calibrate: a third of them must be held back each time."
            )
        fitted = _learn(model, x[train], interval[train], y[train], seed, threads)
        margin[test] = _margin(fitted, x[test], interval[test])
    return margin


def hazards(model: HazardModel, matrix: pd.DataFrame) -> Values:
    """Uncalibrated log-odds of each interval's hazard, of shape (n_rows, n_horizons).

    Raises:
        ModelsError: the matrix lacks a feature of the model, or holds an infinite value.
    """
    x = _values(matrix, model.features)
    return np.column_stack(
        [_margin(model, x, np.full(len(matrix), k, dtype=np.int64)) for k in range(len(model.horizons_days))]
    )


def predict(model: HazardModel, matrix: pd.DataFrame) -> Values:
    """Calibrated risk within each horizon, of shape (n_rows, n_horizons), never falling from left to right."""
    return risks(hazards(model, matrix), model.line)


def predict_interval(model: HazardModel, matrix: pd.DataFrame) -> tuple[Values, Values]:
    """Interval (90 %) of the estimated mean risk at these scores, from resampled subjects; not an individual's."""
    margin = hazards(model, matrix)
    drawn = np.stack([risks(margin, line) for line in model.lines or (model.line,)])
    tail = (1 - INTERVAL_LEVEL) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    point = risks(margin, model.line)
    return np.minimum(low, point), np.maximum(high, point)


def risks(margin: Values, line: tuple[float, float]) -> Values:
    """Risk within each horizon from log-odds of each interval's hazard, of shape (n_rows, n_horizons), by a calibration line."""
    risk: Values = 1 - np.cumprod(1 - expit(line[0] * margin + line[1]), axis=1)
    return risk


def save(model: HazardModel, folder: Path) -> None:
    """Write `model.json`, `model.ubj` where there are trees, and `hashes.json` over both."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "name": model.name, "outcome": model.outcome, "task": model.task, "horizons_days": model.horizons_days,
        "features": model.features, "learner": model.learner, "linear": vars(model.linear), "line": model.line,
        "lines": model.lines, "growth": asdict(model.growth),
    }  # fmt: skip
    (folder / "model.json").write_text(json.dumps(told, sort_keys=True))
    if model.trees:
        (folder / "model.ubj").write_bytes(model.trees)
    files = sorted(path for path in folder.iterdir() if path.name.startswith("model."))
    (folder / "hashes.json").write_text(json.dumps({p.name: _hash(p) for p in files}, sort_keys=True))


def load(folder: Path) -> HazardModel:
    """Read a saved model; every file is compared with its hash before it is parsed.

    Raises:
        ModelsError: a file is missing or not as it was written.
    """
    try:
        hashes = json.loads((folder / "hashes.json").read_text())
        altered = [name for name, expected in hashes.items() if _hash(folder / name) != expected]
    except (OSError, ValueError) as error:
        raise ModelsError("The model's files are incomplete or unreadable. Fetch the model again.") from error
    if altered or "model.json" not in hashes:
        raise ModelsError(
            f"{len(altered)} files of the model are not as they were written. It is refused; fetch it again."
        )
    told = json.loads((folder / "model.json").read_text())
    linear = Linear(**{key: tuple(value) for key, value in told.pop("linear").items()})
    trees = (folder / "model.ubj").read_bytes() if "model.ubj" in hashes else b""
    growth = Growth(**told.pop("growth"))
    lists = {key: tuple(told[key]) for key in ("horizons_days", "features", "line")}
    return HazardModel(
        **{**told, **lists, "lines": tuple(map(tuple, told["lines"]))}, linear=linear, growth=growth, trees=trees
    )


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
