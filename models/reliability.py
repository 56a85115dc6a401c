"""How far risks are from what happened: slope, intercept, distances between given and observed risk; overall and by month."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import resampling
from models.calibration import binned_levels, binned_slopes, slope_and_intercept
from models.fairness.disclosure import is_showable, may_draw_curve
from models.outcomes import at_horizon
from models.protocol import Predictions
from models.resampling import Curve

Values = NDArray[np.float64]
Metric = tuple[float, float, float]
ICI_BINS = 20
E90 = 0.9
# Half the width of a normal distribution's 95 % interval, in standard deviations.
NORMAL = 1.96
CALIBRATION_RESAMPLES = 300
# What is told of a month; its intervals need no more resamples to be read in one decimal.
MONTHLY, MONTHLY_RESAMPLES = ("calibration_slope", "calibration_intercept", "ici"), 100
MONTH, OF_A_MONTH = "month=", "monthly_"


def reliability(score: Values, label: Values, bins: int = ICI_BINS) -> pd.DataFrame:
    """Mean predicted and observed risk by equal-count bins of the prediction: `predicted, observed, rows`."""
    order = pd.Series(score).rank(method="first").to_numpy() - 1
    group = (order * bins // max(len(score), 1)).astype(int)
    frame = pd.DataFrame({"bin": group, "predicted": score, "observed": label})
    binned = frame.groupby("bin").agg(
        predicted=("predicted", "mean"), observed=("observed", "mean"), rows=("bin", "size")
    )
    return binned.reset_index(drop=True)


def curves(predictions: pd.DataFrame, names: Iterable[str]) -> dict[str, pd.DataFrame]:
    """`reliability` of each predictor by its name; of nobody where too few subjects are told of for a curve.

    Args:
        predictions: `subject_id, label`, and risks in a column for each predictor.
    """
    if not may_draw_curve(predictions["subject_id"].nunique()):
        return {}
    label = predictions["label"].to_numpy()
    return {name: reliability(predictions[name].to_numpy(), label) for name in names}


def measure(
    score: Values, label: Values, subject: NDArray[np.int64], weights: Values, curve: Curve
) -> dict[str, Metric]:  # fmt: skip
    """Metrics of calibration, each with its 95 % interval over resampled subjects.

    Args:
        score, label, subject: risks, 0/1 labels and coded subjects, row by row.
        weights: how often each subject was drawn, everybody first; of shape (n, n_subjects).
        curve: of these by these weights (`models.resampling.curve`).
    """
    brier = resampling.subject_means((score - label) ** 2, subject, weights)
    prevalence = resampling.subject_means(label, subject, weights)
    # A resample of a few event subjects may draw none of them.
    with np.errstate(invalid="ignore", divide="ignore"):
        scaled = 1 - brier / (prevalence * (1 - prevalence))
    # Fewer resamples do where the second decimal of an end decides nothing.
    binned = curve.score, curve.rows[:CALIBRATION_RESAMPLES], curve.positives[:CALIBRATION_RESAMPLES]
    slopes, levels = binned_slopes(*binned), binned_levels(*binned)
    slopes[0], levels[0] = slope_and_intercept(score, label)
    ici, e90 = _calibration_error(score, label)
    icis, e90s = _binned_errors(*binned)
    return {
        "brier": resampling.with_interval(brier),
        "scaled_brier": resampling.with_interval(scaled),
        "calibration_slope": resampling.with_interval(slopes),
        "calibration_intercept": resampling.with_interval(levels),
        "ici": _with_spread(ici, icis[1:]),
        "e90": _with_spread(e90, e90s[1:]),
    }


def by_month(
    predictions: Predictions, horizon_days: int, models: Sequence[str], dataset: str, outcome: str, seed: int
) -> pd.DataFrame:  # fmt: skip
    """Tidy rows of calibration at one horizon, month of index dates by month, `group` `month=2026-03`.

    Risks that are right over a year may be wrong in each of its months. Of months with too few subjects, or too few with an
    event (`models.fairness.disclosure.is_showable`), values are missing and nobody is counted.
    """
    known = at_horizon(predictions.rows, horizon_days)
    kept = np.isfinite(known)
    rows = predictions.rows[kept].assign(label=known[kept]).reset_index(drop=True)
    place = predictions.horizons_days.index(horizon_days)
    told = {"dataset": dataset, "outcome": outcome, "task": predictions.task, "horizon_days": horizon_days,
            "split": predictions.split}  # fmt: skip
    found = []
    for month, part in rows.groupby(rows["index_date"].dt.strftime("%Y-%m")):
        onset = part["index_date"] + pd.to_timedelta(part["days_to_event"], unit="D")
        episodes = part.assign(onset=onset).loc[part["label"] == 1, ["subject_id", "onset"]].drop_duplicates()
        is_told = _is_told(part)
        counted = {"n_subjects": part["subject_id"].nunique() * is_told, "n_episodes": len(episodes) * is_told}
        for model in models:
            score = predictions.risks[model][kept, place][part.index]
            values = _of_a_month(part, score, seed) if is_told else dict.fromkeys(MONTHLY, (float("nan"),) * 3)
            found += [
                {**told, "model": model, "group": f"{MONTH}{month}", "metric": OF_A_MONTH + metric, "value": value[0], "low": value[1],
                 "high": value[2], **counted}
                for metric, value in values.items()
            ]  # fmt: skip
    return pd.DataFrame(found)


def _is_told(rows: pd.DataFrame) -> bool:
    """Whether a month has both classes, and people enough to be told of."""
    positives = rows.loc[rows["label"] == 1, "subject_id"].value_counts()
    if positives.empty or positives.sum() == len(rows):
        return False
    size = {"n_subjects": rows["subject_id"].nunique(), "n_event_subjects": len(positives),
            "largest_event_share": positives.max() / positives.sum()}  # fmt: skip
    return bool(is_showable(pd.DataFrame([size])).all())


def _of_a_month(rows: pd.DataFrame, score: Values, seed: int) -> dict[str, Metric]:
    label, (codes, subjects) = rows["label"].to_numpy(), pd.factorize(rows["subject_id"])
    drawn = resampling.draws(len(subjects), MONTHLY_RESAMPLES, seed)
    subject, weights = codes.astype(np.int64), np.vstack([np.ones(len(subjects)), drawn])
    curve = resampling.curve(score, label, subject, weights)
    binned = curve.score, curve.rows, curve.positives
    ici, icis = _calibration_error(score, label)[0], _binned_errors(*binned)[0]
    lines = (resampling.with_interval(of(*binned)) for of in (binned_slopes, binned_levels))
    return dict(zip(MONTHLY, (*lines, _with_spread(ici, icis[1:])), strict=True))


def _calibration_error(score: Values, label: Values) -> tuple[float, float]:
    binned = reliability(score, label)
    error = (binned["predicted"] - binned["observed"]).abs()
    return float(np.average(error, weights=binned["rows"])), float(error.quantile(E90))


def _binned_errors(score: Values, rows: Values, positives: Values) -> tuple[Values, Values]:
    """ICI and E90 under each weighting: distances between mean predicted and observed risk over `ICI_BINS` bins."""
    merge = np.repeat(np.eye(ICI_BINS), len(score) // ICI_BINS, axis=0)
    distance, size = np.abs((rows * score) @ merge - positives @ merge), rows @ merge
    each = np.full(distance.shape, np.nan)
    # A bin of which a resample draws nobody has no distance, and the resample no 90th percentile.
    np.divide(distance, size, out=each, where=size > 0)
    return distance.sum(axis=1) / rows.sum(axis=1), np.quantile(each, E90, axis=1)


def _with_spread(value: float, resamples: Values) -> Metric:
    """Around the estimate by the spread of its resamples: a distance only grows with their noise, so that their
    percentiles could lie beyond it."""
    valid = resamples[np.isfinite(resamples)]
    if len(valid) < resampling.FEWEST_VALID * len(resamples):
        return value, float("nan"), float("nan")
    reach = NORMAL * float(np.std(valid, ddof=1))
    return value, max(0.0, value - reach), value + reach
