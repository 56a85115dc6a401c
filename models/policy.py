"""The release policy: the limits that whoever is to serve must keep, and whether a predictor's calibration keeps them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Policy:
    """Limits that a challenger must keep; the predetermined change control plan.

    `block_on_fairness_fail`: a comparison that fails holds anything back. `min_group_event_subjects`: in groups of so many,
    a comparison that cannot tell holds a model back; None: none does. A slope or an intercept, which may be so far from 0, is
    outside its limits when its whole interval is. Gain and margin are onset AUROC. `shadow_nights`: 0 asks for none.
    """

    min_gain_low: float
    non_inferiority_margin: float
    calibration_slope_low: float
    calibration_slope_high: float
    calibration_intercept_limit: float
    block_on_fairness_fail: bool
    min_subjects: int
    min_event_subjects: int
    min_group_event_subjects: int | None
    shadow_nights: int


@dataclass(frozen=True)
class Limited:
    """A figure of calibration and its limits: kept unless it is proven to lie outside. NaN where not estimable."""

    name: str
    least: float
    most: float
    value: float
    low: float
    high: float

    @property
    def is_kept(self) -> bool:
        """With few events only what is proven wrong blocks."""
        return self.low <= self.most and self.high >= self.least

    @property
    def told(self) -> str:
        """The figure, its interval, and how it lies to the limits."""
        if np.isnan(self.value):
            return f"{self.name} could not be estimated"
        is_inside = self.least <= self.low and self.high <= self.most
        verb = "lies within" if is_inside else "is not proven to lie outside" if self.is_kept else "lies outside"
        return (
            f"{self.name} {self.value:.2f} ({self.low:.2f} to {self.high:.2f}) {verb} {self.least:g} to {self.most:g}"
        )


def calibration(rows: pd.DataFrame, predictor: str, policy: Policy) -> tuple[Limited, Limited]:
    """Whether a predictor's risks may be spread as far as they should be, and whether their mean may be right.

    Args:
        rows: tidy result rows of what headlines.
    """
    limit = policy.calibration_intercept_limit
    limits = {"calibration slope": (policy.calibration_slope_low, policy.calibration_slope_high),
              "calibration intercept": (-limit, limit)}  # fmt: skip
    slope, intercept = (
        Limited(name, *of, *_figure(rows, predictor, name.replace(" ", "_"))) for name, of in limits.items()
    )
    return slope, intercept


def _figure(rows: pd.DataFrame, predictor: str, metric: str) -> tuple[float, float, float]:
    found = rows[(rows["metric"] == metric) & (rows["model"] == predictor)]
    if found.empty:
        return float("nan"), float("nan"), float("nan")
    value, low, high = (float(found[name].iloc[0]) for name in ("value", "low", "high"))
    return (value, value, value) if np.isnan(low) else (value, low, high)
