"""The risk model: one discrete-time hazard over the intervals between horizons, so that risks rise with the horizon.

risk(H) = 1 - prod(1 - hazard) over the intervals up to H, hence risk(7) <= risk(14) <= risk(28) by construction. Two
learners share everything else: `logistic`, a ridge regression that the baselines use, and `boosted_trees`, shallow
trees that correct a logistic regression on the history features. Saved as data (UBJ, JSON), never as code.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray
from scipy.special import expit

from models import margins
from models.calibration import IDENTITY, Lines, fit_lines, log_odds
from models.errors import ModelsError
from models.growth import USUAL, Growth
from models.intervals import Batches, Places, Rows, at_risk, columns_of
from models.linear import FEW_FEATURES, NO_LINEAR, Linear, fit_linear, linear_margin, linear_parts

Learner = Literal["logistic", "boosted_trees"]
Values = NDArray[np.float64]
CROSS_FITS = 3
MAX_BIN = 64
TREES = {"objective": "binary:logistic", "tree_method": "hist", "max_bin": MAX_BIN, "base_score": 0.5, "verbosity": 0}
# Fits on resampled subjects: their spread is known to a sixth.
REFITS = 20
# Of the standard normal, between which 90 % lie.
INTERVAL_HALF_WIDTH = 1.645


@dataclass(frozen=True)
class HazardModel:
    """A fitted model: what it predicts, from which features, and its calibration lines, one an interval."""

    name: str
    outcome: str
    task: str
    horizons_days: tuple[int, ...]
    features: tuple[str, ...]
    learner: Learner
    linear: Linear
    growth: Growth = USUAL
    trees: bytes = b""
    lines: Lines = IDENTITY
    # Features whose parts people held out contradict: scores use them, words do not.
    unsaid: tuple[str, ...] = ()
    # The attribute by which training rows were reweighed (`models.reweighing`); it is not read at prediction.
    reweighed_by: str = ""
    # The same, fitted on resampled subjects; they share its lines.
    refits: tuple["HazardModel", ...] = ()


def fit(
    matrix: pd.DataFrame, labels: pd.DataFrame, horizons_days: tuple[int, ...], features: tuple[str, ...],
    learner: Learner, seed: int, threads: int = 2, name: str = "", with_intervals: bool = False,
    growth: Growth = USUAL, is_calibrated: bool = True, weight: Values | None = None,
) -> HazardModel:  # fmt: skip
    """Fit a hazard model on rows whose labels are known.

    Args:
        matrix: feature matrix, row by row beside `labels`.
        labels: `days_to_event, followed_days, is_masked, subject_id, outcome, task`.
        horizons_days: rising horizons.
        features: columns of the matrix to use.
        learner: see the module.
        seed: makes the fit reproducible to the byte, whatever the number of threads.
        with_intervals: fit on resampled subjects too, for `predict_interval`.
        growth: of boosted trees.
        is_calibrated: whether calibration lines are fitted, which takes three more fits; without them it is for ranking only.
        weight: what each row counts for in each interval while learning, of shape (n_rows, n_horizons); 1 without. Calibration
            lines are fitted on rows as they are.

    Raises:
        ModelsError: a feature is missing, an infinite value, or no event in the training rows.
    """
    place, interval, y = at_risk(labels, horizons_days)
    rows = Rows(columns_of(matrix, features), place, interval)
    if y.sum() == 0 or y.sum() == len(y):
        raise ModelsError("The training rows hold no event, or nothing but events: no risk can be learnt from them.")
    subject = labels["subject_id"].iloc[place]
    model = HazardModel(name, str(labels["outcome"].iloc[0]), str(labels["task"].iloc[0]), horizons_days, features,
                        learner, NO_LINEAR, growth)  # fmt: skip
    counts = None if weight is None else weight[place, interval]
    fitted = _learn(model, rows, y, seed, threads, counts)
    if not is_calibrated or (learner == "logistic" and len(features) <= FEW_FEATURES):
        # Maximum likelihood with so few weights is calibrated by itself; more lines would only add noise.
        lines = IDENTITY
    else:
        margin = _cross_fitted(model, rows, y, subject, seed, threads, counts)
        lines = fit_lines(margin, y, interval, len(horizons_days))
    refits = _refitted(model, rows, y, subject, seed, threads, counts) if with_intervals else ()
    return replace(fitted, lines=lines, refits=refits)


def _learn(model: HazardModel, rows: Rows, y: Values, seed: int, threads: int, weight: Values | None) -> HazardModel:
    history = tuple(f for f in model.features if f.startswith("history_"))
    chosen = model.features if model.learner == "logistic" else history
    linear = fit_linear(rows.values(chosen), rows.interval, y, chosen, len(model.horizons_days), weight)
    if model.learner == "logistic":
        return replace(model, linear=linear)
    margin = linear_margin(linear, rows.values(chosen), rows.interval)
    data = xgb.QuantileDMatrix(Batches(rows, y, margin, weight), max_bin=MAX_BIN, nthread=threads)
    told = asdict(model.growth)
    rounds = told.pop("rounds")
    trees = xgb.train({**TREES, **told, "seed": seed, "nthread": threads}, data, rounds)
    return replace(model, linear=linear, trees=bytes(trees.save_raw("ubj")))


def linear_contributions(model: HazardModel, matrix: pd.DataFrame) -> Values:
    """Parts of the linear log-odds by `model.linear.features`, of shape (n_rows, n_linear_features)."""
    features = list(model.linear.features)
    return linear_parts(model.linear, matrix[features].to_numpy(dtype=np.float64).reshape(len(matrix), len(features)))


def booster(model: HazardModel) -> xgb.Booster:
    """The trees of a `boosted_trees` model."""
    return margins.trees_of(model.trees)


def _cross_fitted(
    model: HazardModel, rows: Rows, y: Values, subject: pd.Series, seed: int, threads: int, weight: Values | None
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
        fitted = _learn(model, rows.among(train), y[train], seed, threads, _of(weight, train))
        margin[test] = margins.of_rows((fitted.linear, fitted.trees), rows.among(test))
    return margin


def _refitted(
    model: HazardModel, rows: Rows, y: Values, subject: pd.Series, seed: int, threads: int, weight: Values | None
) -> tuple[HazardModel, ...]:  # fmt: skip
    """The model as other subjects of the same kind would have made it: fitted on as many, drawn with replacement."""
    code, subjects = pd.factorize(subject)
    generator = np.random.default_rng(seed)
    drawn: list[Places] = []
    while len(drawn) < REFITS:
        times = np.bincount(generator.integers(len(subjects), size=len(subjects)), minlength=len(subjects))[code]
        again = np.repeat(np.arange(len(y)), times)
        # Without an event, or without a row that has none, nothing could be learnt.
        if 0 < y[again].sum() < len(again):
            drawn.append(again)
    with ThreadPoolExecutor(threads) as pool:
        fits = pool.map(lambda again: _learn(model, rows.among(again), y[again], seed, 1, _of(weight, again)), drawn)
        return tuple(fits)


def _of(weight: Values | None, those: NDArray[np.bool_] | Places) -> Values | None:
    """Weights of some of the rows, where there are any."""
    return None if weight is None else weight[those]


def hazards(model: HazardModel, matrix: pd.DataFrame) -> Values:
    """Uncalibrated log-odds of each interval's hazard, of shape (n_rows, n_horizons).

    Raises:
        ModelsError: the matrix lacks a feature of the model, or holds an infinite value.
    """
    margin: Values = _hazards((model,), matrix)[0]
    return margin


def _hazards(models: Sequence[HazardModel], matrix: pd.DataFrame) -> Values:
    """`hazards` by each of some models of the same features, of shape (n_models, n_rows, n_horizons)."""
    fitted = [(model.linear, model.trees) for model in models]
    columns = columns_of(matrix, models[0].features)
    return margins.in_every_interval(fitted, columns, len(matrix), len(models[0].horizons_days))


def predict(model: HazardModel, matrix: pd.DataFrame) -> Values:
    """Calibrated risk within each horizon, of shape (n_rows, n_horizons), never falling from left to right."""
    return risks(hazards(model, matrix), model.lines)


def predict_interval(model: HazardModel, matrix: pd.DataFrame) -> tuple[Values, Values]:
    """Interval (90 %) of the estimated mean risk at these scores, of shape (n_rows, n_horizons) each; not an individual's.

    As wide as the risks of models fitted on resampled subjects differ, on the scale of log-odds; neither end falls with the
    horizon, as the risk does not. Without such models it is the risk alone.
    """
    point = predict(model, matrix)
    if not model.refits:
        return point, point
    drawn = log_odds(risks(_hazards(model.refits, matrix), model.lines))
    half = INTERVAL_HALF_WIDTH * drawn.std(axis=0, ddof=1)
    low, high = (np.maximum.accumulate(expit(log_odds(point) + side * half), axis=1) for side in (-1, 1))
    return np.minimum(low, point), np.maximum(high, point)


def risks(margin: Values, lines: Lines) -> Values:
    """Risk within each horizon from log-odds of each interval's hazard, horizons along the last axis, by calibration lines."""
    slopes, intercepts = map(np.array, lines)
    risk: Values = 1 - np.cumprod(1 - expit(slopes * margin + intercepts), axis=-1)
    return risk


def save(model: HazardModel, folder: Path) -> None:
    """Write `model.json`, `model.ubj` and one more for each refit where there are trees, and `hashes.json` over all."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "name": model.name, "outcome": model.outcome, "task": model.task, "horizons_days": model.horizons_days,
        "features": model.features, "learner": model.learner, "linear": vars(model.linear), "lines": model.lines,
        "growth": asdict(model.growth), "unsaid": model.unsaid, "reweighed_by": model.reweighed_by,
        "refits": [vars(refit.linear) for refit in model.refits],
    }  # fmt: skip
    (folder / "model.json").write_text(json.dumps(told, sort_keys=True))
    for name, fitted in {"model.ubj": model, **_refit_files(model.refits)}.items():
        if fitted.trees:
            (folder / name).write_bytes(fitted.trees)
    files = sorted(path for path in folder.iterdir() if path.name.startswith("model."))
    (folder / "hashes.json").write_text(json.dumps({p.name: _hash(p) for p in files}, sort_keys=True))


def load(folder: Path) -> HazardModel:
    """Read a saved model; every file is compared with its hash before it is parsed.

    Raises:
        ModelsError: a file is missing, not as it was written, or written by other code than this.
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
    try:
        return _read(folder, hashes)
    except (KeyError, TypeError) as error:
        raise ModelsError("The model was written by another version of Foretide. Train again.") from error


def _read(folder: Path, hashes: Mapping[str, str]) -> HazardModel:
    """The model of a folder whose files are as they were written."""
    told = json.loads((folder / "model.json").read_text())

    def trees(name: str) -> bytes:
        return (folder / name).read_bytes() if name in hashes else b""

    linear, refits = _linear(told.pop("linear")), [_linear(of) for of in told.pop("refits")]
    growth = Growth(**told.pop("growth"))
    lists = {key: tuple(told[key]) for key in ("horizons_days", "features")}
    # Models of before had no such list.
    lists["unsaid"] = tuple(told.get("unsaid", ()))
    slopes, intercepts = map(tuple, told.pop("lines"))
    model = HazardModel(
        **{**told, **lists}, lines=(slopes, intercepts), linear=linear, growth=growth, trees=trees("model.ubj")
    )
    again = [replace(model, linear=of, lines=IDENTITY) for of in refits]
    return replace(
        model, refits=tuple(replace(refit, trees=trees(name)) for name, refit in _refit_files(again).items())
    )


def _refit_files(refits: Sequence[HazardModel]) -> dict[str, HazardModel]:
    return {f"model.refit-{number:02}.ubj": refit for number, refit in enumerate(refits)}


def _linear(told: dict[str, list[float]]) -> Linear:
    return Linear(**{key: tuple(value) for key, value in told.items()})  # type: ignore[arg-type]


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
