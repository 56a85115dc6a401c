"""A subject against their own past: how far the last week lies from what was usual before it, robustly."""

import bottleneck as bn
import numpy as np
from numpy.typing import NDArray

from features.measures import SHORT

# Makes the median absolute deviation of normal data equal to their standard deviation.
MAD_TO_SD = 1.4826
FEWEST_RECENT = 3
# A longer wait for a baseline would make "missing" mean "newly enrolled".
FEWEST_PAST = 14


def robust_z(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the last 7 days minus the median of the days before, in robust standard deviations.

    Past only: the recent week takes no part in the median and the MAD it is compared with. Missing with fewer than
    3 recent or 14 past valid days, or where the past never varied.

    Args:
        values: of shape (n_rows, 90), yesterday first.
    """
    recent, past = values[:, :SHORT], np.ascontiguousarray(values[:, SHORT:])
    usual = bn.nanmedian(past, axis=1)
    spread = MAD_TO_SD * bn.nanmedian(np.abs(past - usual[:, None]), axis=1)
    enough = (np.isfinite(recent).sum(axis=1) >= FEWEST_RECENT) & (np.isfinite(past).sum(axis=1) >= FEWEST_PAST)
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (bn.nanmean(recent, axis=1) - usual) / spread
    return np.where(enough & (spread > 0), z, np.nan)
