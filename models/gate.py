"""The release policy: what is served, and whether it may be promoted."""

from dataclasses import dataclass

import pandas as pd

from models.baselines import MODEL
from models.errors import ModelsError
from models.evaluation import GAIN


@dataclass(frozen=True)
class Policy:
    """Limits that a challenger must keep; the predetermined change control plan."""

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
    gain = gain[(gain["metric"] == GAIN) & (gain["model"] == MODEL)]
    if gain.empty:
        raise ModelsError(
            "Too few episodes to evaluate a model at all. Gather more data; `foretide doctor` shows the lake."
        )
    value, low, high = (float(gain[name].iloc[0]) for name in ("value", "low", "high"))
    told = f"{value:+.3f} ({low:+.3f} to {high:+.3f}) onset AUROC against {best_baseline}, horizon {horizon_days} d"
    if low > 0:
        return MODEL, f"The model beats the best simple rule: {told}. Conditional on the fitted models."
    return best_baseline, f"The model is not proven better than the best simple rule, so the rule serves: {told}."


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
    slope = found[(found["metric"] == "calibration_slope") & (found["model"] == served)]["value"]
    against = []
    if slope.empty or not policy.calibration_slope_low <= float(slope.iloc[0]) <= policy.calibration_slope_high:
        shown = "not estimable" if slope.empty else f"{float(slope.iloc[0]):.2f}"
        against.append(
            f"calibration slope {shown} lies outside {policy.calibration_slope_low} to {policy.calibration_slope_high}"
        )
    if fails and policy.block_on_fairness_fail:
        against.append(f"{fails} fairness comparisons fail")
    if against:
        return Decision(False, tuple(against))
    kept = f"calibration slope {float(slope.iloc[0]):.2f} is within limits"
    return Decision(True, (kept, f"{fails} fairness comparisons fail" if fails else "no fairness comparison fails"))
