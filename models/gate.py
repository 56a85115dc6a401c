"""The release policy: what is served, and whether it may be promoted."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.baselines import MODEL
from models.errors import ModelsError
from models.evaluation import GAIN
from models.refitting import REFITTED_GAIN


@dataclass(frozen=True)
class Policy:
    """Limits that a challenger must keep; the predetermined change control plan.

    A slope is outside its limits when its whole interval is.
    """

    calibration_slope_low: float
    calibration_slope_high: float
    block_on_fairness_fail: bool


@dataclass(frozen=True)
class Decision:
    """Whether the challenger is promoted, and every reason for and against."""

    is_promoted: bool
    reasons: tuple[str, ...]


def candidate(rows: pd.DataFrame, split: str, horizon_days: int, best_baseline: str) -> tuple[str, str]:
    """Which predictor earned being served, and the sentence that says why.

    Raises:
        ModelsError: the headline metric was not estimable.
    """
    gain = rows[(rows["task"] == "onset") & (rows["split"] == split) & (rows["horizon_days"] == horizon_days)]
    refitted = gain[gain["metric"] == REFITTED_GAIN]
    gain = gain[gain["metric"] == GAIN] if refitted.empty else refitted
    if gain.empty:
        raise ModelsError(
            "Too few episodes to evaluate a model at all. Gather more data; `foretide doctor` shows the lake."
        )
    value, low, high = (float(gain[name].iloc[0]) for name in ("value", "low", "high"))
    told = f"{value:+.3f} ({low:+.3f} to {high:+.3f}) onset AUROC against {best_baseline}, horizon {horizon_days} d"
    how = "conditional on the fitted models" if refitted.empty else "refitted on resampled subjects"
    if low > 0:
        return MODEL, f"The model beats the best simple rule: {told}, {how}."
    return (
        best_baseline,
        f"The model is not proven better than the best simple rule, so the rule serves: {told}, {how}.",
    )


def decide(rows: pd.DataFrame, served: str, split: str, horizon_days: int, fails: int, policy: Policy) -> Decision:
    """May the challenger become champion?

    Args:
        rows: tidy result rows.
        served: the predictor that would serve.
        split, horizon_days: what headlines.
        fails: fairness comparisons with the verdict fail.
        policy: the limits.
    """
    found = rows[(rows["task"] == "onset") & (rows["split"] == split) & (rows["horizon_days"] == horizon_days)]
    against: list[str] = []
    kept: list[str] = []
    (kept if _is_calibrated(found, served, policy) else against).append(_slope_words(found, served, policy))
    if fails and policy.block_on_fairness_fail:
        against.append(f"fairness comparisons that fail: {fails}")
    kept.append(f"fairness comparisons that fail: {fails}" if fails else "no fairness comparison fails")
    return Decision(not against, tuple(against or kept))


def _slope(rows: pd.DataFrame, served: str) -> tuple[float, float, float]:
    found = rows[(rows["metric"] == "calibration_slope") & (rows["model"] == served)]
    if found.empty:
        return float("nan"), float("nan"), float("nan")
    value, low, high = (float(found[name].iloc[0]) for name in ("value", "low", "high"))
    return (value, value, value) if np.isnan(low) else (value, low, high)


def _is_calibrated(rows: pd.DataFrame, served: str, policy: Policy) -> bool:
    """Whether the slope may lie within the limits: with few events only a slope proven wrong blocks."""
    _, low, high = _slope(rows, served)
    return low <= policy.calibration_slope_high and high >= policy.calibration_slope_low


def _slope_words(rows: pd.DataFrame, served: str, policy: Policy) -> str:
    value, low, high = _slope(rows, served)
    if np.isnan(value):
        return "calibration slope could not be estimated"
    is_inside = policy.calibration_slope_low <= low and high <= policy.calibration_slope_high
    not_proven = "is not proven to lie outside" if _is_calibrated(rows, served, policy) else "lies outside"
    verb = "lies within" if is_inside else not_proven
    limits = f"{policy.calibration_slope_low} to {policy.calibration_slope_high}"
    return f"calibration slope {value:.2f} ({low:.2f} to {high:.2f}) {verb} {limits}"
