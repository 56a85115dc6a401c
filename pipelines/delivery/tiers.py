"""Tiers: where a score stands within the number of subjects that a night's capacity allows."""

import math

import pandas as pd


def assign_tiers(
    scores: pd.DataFrame, alert_horizon: int, high_share: float = 0.05, elevated_share: float = 0.15
) -> pd.DataFrame:
    """Tier and rank of each scored subject of one outcome, at its alert horizon.

    The first `high_share` of the night's scored subjects are high, the next `elevated_share` elevated, shares rounded
    up so that a small site's first subject can be seen. Equal probabilities get equal tiers; a tie that does not fit
    into a tier falls to the next, so that capacity is never exceeded and never filled by chance.

    Args:
        scores: `subject_id, horizon_days, probability` of scored subjects only.

    Returns:
        `subject_id, tier, rank`; rank 1 is the highest risk, equal risks share the smaller rank.
    """
    at_horizon = scores[scores["horizon_days"] == alert_horizon]
    descending = -at_horizon["probability"]
    last_of_tie = descending.rank(method="max")
    high = _capacity(high_share, len(at_horizon))
    elevated = high + _capacity(elevated_share, len(at_horizon))
    tier = pd.Series("baseline", index=at_horizon.index).mask(last_of_tie <= elevated, "elevated")
    return pd.DataFrame(
        {
            "subject_id": at_horizon["subject_id"],
            "tier": tier.mask(last_of_tie <= high, "high"),
            "rank": descending.rank(method="min").astype("int32"),
            "alert": None,
            "action": None,
        }
    ).reset_index(drop=True)


def _capacity(share: float, subjects: int) -> int:
    # 0.07 * 100 is 7.000000000000001 in binary: rounding first keeps it 7.
    return math.ceil(round(share * subjects, 9))
