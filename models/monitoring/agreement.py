"""Whether risks still order people much as they did: a shuffled order leaves every distribution as it was, and outcomes tell late."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd

# A version is compared for so long with the last night of the one before it; afterwards people themselves have changed.
COMPARED_DAYS = 7
# Two honest models of the same people agree by 0.5 to 0.8, a model with itself on the night after by 0.9 (docs/monitoring.md).
LEAST = 0.3
FEWEST_SUBJECTS = 30
NIGHTS_PER_YEAR = 365
# Of Spearman's coefficient after Fisher's transformation (Fieller, Hartley and Pearson, 1957).
VARIANCE = 1.06


@dataclass(frozen=True)
class Agreement:
    """Spearman's rank correlation of a night's risks with those of an earlier night, in subjects who have both.

    Attributes:
        with_night: the earlier night.
        with_version: what scored it.
        high: upper bound of the value, as sure as the accepted false alarms ask for.
    """

    with_night: pd.Timestamp
    with_version: str
    value: float
    high: float
    n_subjects: int

    @property
    def is_lost(self) -> bool:
        """Whether the order surely has little to do with the one before."""
        return self.high < LEAST


def agreement(scored: pd.DataFrame, night: pd.Timestamp, false_alarms_per_year: float) -> Agreement | None:
    """How far a night's risks order people as an earlier night's did.

    That night is the newest which another version scored, of the last seven; where there is none, the newest.

    Args:
        scored: `as_of_date, subject_id, model_version, probability`: one outcome, one row per scored subject and night.
        night: the night in question; later ones are left out.
        false_alarms_per_year: how many are accepted of this comparison.

    Returns:
        None where there is no such night, where it shares too few subjects, or where all have the same risk.
    """
    age = (night - scored["as_of_date"]).dt.days
    tonight, before = scored[age == 0], scored[(age > 0) & (age <= COMPARED_DAYS)]
    if tonight.empty or before.empty:
        return None
    is_other = before["model_version"] != tonight["model_version"].iloc[0]
    before = before[is_other] if is_other.any() else before
    before = before[before["as_of_date"] == before["as_of_date"].max()]
    both = tonight.merge(before, on="subject_id", suffixes=("", "_before"), validate="1:1")
    if len(both) < FEWEST_SUBJECTS or both[["probability", "probability_before"]].nunique().min() < 2:  # noqa: PLR2004
        return None
    value = float(both["probability"].rank().corr(both["probability_before"].rank()))
    first = before.iloc[0]
    return Agreement(
        first["as_of_date"],
        str(first["model_version"]),
        value,
        _high(value, len(both), false_alarms_per_year),
        len(both),
    )


def _high(value: float, n: int, false_alarms_per_year: float) -> float:
    sure = NormalDist().inv_cdf(1 - min(false_alarms_per_year / NIGHTS_PER_YEAR, 0.5))
    return math.tanh(math.atanh(float(np.clip(value, -0.999999, 0.999999))) + sure * math.sqrt(VARIANCE / (n - 3)))
