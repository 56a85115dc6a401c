"""Verdicts: does a group differ from its reference by more than the margin, less, or can this cohort not tell?

- **pass**: the whole 95 % interval of the difference lies inside the margin.
- **fail**: the whole interval, adjusted for the number of comparisons (Benjamini-Hochberg), lies beyond the margin.
- **insufficient evidence**: anything else, with the smallest difference that this cohort had an 80 % chance to find, and
  why it cannot tell. It is never a pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy import stats

from models.fairness.disclosure import SMALLEST_EVENT_SUBJECTS, SMALLEST_SUBJECTS

PASS, FAIL, INSUFFICIENT = "pass", "fail", "insufficient_evidence"
FALSE_DISCOVERY_RATE = 0.05
# 1.96 for a 5 % two-sided test + 0.84 for 80 % power.
POWER_FACTOR = 2.8
# Why there is no answer, in groups large enough to be judged.
WIDE = "the interval reaches across the margin"
MANY = "beyond the margin, but among so many comparisons some are by chance"
OPEN = (WIDE, MANY)
# And in others.
NOBODY, FEW, UNDEFINED = "nobody has an event", "too few subjects or too few with an event", "not defined in this group"
STILL = "the figure is the same in every resample"
# Margins at which every verdict is found again, beside the one declared.
MARGINS = (0.02, 0.05, 0.1, 0.15, 0.2)


@dataclass(frozen=True)
class Counted:
    """How the comparisons of an audit came out.

    Args:
        fails, passes: how many.
        open: insufficient evidence, in groups of the size from which on the release policy asks for more.
        unjudged: insufficient evidence otherwise.
        uncompared: of attributes by which nobody was compared, why.
    """

    fails: int
    passes: int
    open: int
    unjudged: int
    uncompared: Mapping[str, str] = field(default_factory=dict)

    @property
    def told(self) -> str:
        """Everything in a sentence, so that no fail never stands alone."""
        parts = [f"{self.fails} fail", f"{self.passes} pass", f"{self.unjudged} without an answer for too little data"]
        if self.open:
            parts.append(f"{self.open} without an answer although the groups have the size that is declared")
        return "; ".join([", ".join(parts), *(f"`{name}` {why}" for name, why in self.uncompared.items())])


def count(judged: pd.DataFrame, min_group_event_subjects: int | None, uncompared: Mapping[str, str]) -> Counted:
    """Counts verdicts of an audit (`verdict, why, n_event_subjects`, of the smaller side).

    Where no size is declared (None), none is open.
    """
    is_insufficient = judged["verdict"] == INSUFFICIENT
    least = np.inf if min_group_event_subjects is None else min_group_event_subjects
    is_open = is_insufficient & judged["why"].isin(OPEN) & (judged["n_event_subjects"] >= least)
    return Counted(
        int((judged["verdict"] == FAIL).sum()), int((judged["verdict"] == PASS).sum()), int(is_open.sum()),
        int((is_insufficient & ~is_open).sum()), uncompared,
    )  # fmt: skip


def judge(comparisons: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Each comparison with its verdict, its minimum detectable difference and its adjusted p-value.

    Args:
        comparisons: one row per group x metric: difference, low, high, standard_error, own_standard_error (of the
            group's metric alone), n_subjects, n_event_subjects and their `reference_` twins, n_carriers (of the subjects that
            carry the figure, those of the smaller side). Missing where undefined.
        margin: largest difference, either way, that counts as none (metric units).

    Adds `mdd` (of groups below the minimum size as if each subject's days were all alike, and at most 1; missing where
    nobody has an event), `p_adjusted` (of a difference no larger than the margin), `verdict`, `why` there is no answer, and
    `passes_from`, the margin from which on it would pass. All rows are one family.
    """
    is_large = _is_large_enough(comparisons)
    judged = comparisons.assign(
        mdd=np.where(is_large, POWER_FACTOR * comparisons["standard_error"], _at_worst(comparisons))
    )
    judged["p_adjusted"] = np.nan
    judged.loc[is_large, "p_adjusted"] = _adjusted(judged[is_large], margin)
    inside = is_large & (judged["low"] > -margin) & (judged["high"] < margin)
    is_out = is_large & ((judged["low"] > margin) | (judged["high"] < -margin))
    beyond = is_out & (judged["p_adjusted"] <= FALSE_DISCOVERY_RATE)
    judged["verdict"] = np.select([inside, beyond], [PASS, FAIL], INSUFFICIENT)
    judged["passes_from"] = judged[["low", "high"]].abs().max(axis=1, skipna=False).where(is_large)
    fewest = judged[["n_event_subjects", "reference_n_event_subjects"]].min(axis=1)
    is_defined = judged["difference"].notna() & judged["low"].notna()
    reasons = [(inside | beyond, ""), (is_out, MANY), (is_large, WIDE), (fewest == 0, NOBODY), (~_has_enough(judged), FEW),
               (~is_defined, UNDEFINED)]  # fmt: skip
    judged["why"] = np.select([of for of, _ in reasons], [why for _, why in reasons], STILL)
    return judged


def by_margin(comparisons: pd.DataFrame, margin: float) -> pd.DataFrame:
    """The verdict of each comparison at other margins: the columns of `comparisons`, `margin` and `verdict`, row by row.

    Which margin is small enough is for clinicians and those affected to decide; this shows what hangs on it.
    """
    tried = sorted({*MARGINS, margin})
    parts = [comparisons.assign(margin=at, verdict=judge(comparisons, at)["verdict"]) for at in tried]
    return pd.concat(parts, ignore_index=True)


def _at_worst(comparisons: pd.DataFrame) -> np.ndarray:
    """The smallest difference to be found if each event subject's days all were alike, so that subjects are all there is."""
    own, other = (comparisons[f"{of}n_event_subjects"].to_numpy(float) for of in ("", "reference_"))
    with np.errstate(divide="ignore"):
        found = np.minimum(1.0, POWER_FACTOR * np.sqrt(0.25 / own + 0.25 / other))
    return np.where(np.minimum(own, other) > 0, found, np.nan)


def _is_large_enough(judged: pd.DataFrame) -> pd.Series:
    """Whether both groups have enough people, and variation, for an interval over subjects to mean anything."""
    is_known = judged["difference"].notna() & judged["low"].notna() & (judged["own_standard_error"] > 0)
    return is_known & _has_enough(judged)


def _has_enough(judged: pd.DataFrame) -> pd.Series:
    """Whether both groups have enough people, and enough of them with an event."""
    is_large = pd.Series(True, judged.index)
    for prefix in ("", "reference_"):
        is_large &= judged[f"{prefix}n_subjects"] >= SMALLEST_SUBJECTS
        is_large &= judged[f"{prefix}n_event_subjects"] >= SMALLEST_EVENT_SUBJECTS
    return is_large


def _adjusted(judged: pd.DataFrame, margin: float) -> np.ndarray:
    """Benjamini-Hochberg over the family, from Student's tails: resamples are too few for tails this far out."""
    if judged.empty:
        return np.empty(0)
    n = judged["n_carriers"].to_numpy(dtype=float)
    error = judged["standard_error"].to_numpy(dtype=float) * np.sqrt(n / (n - 1))
    p = np.minimum(1.0, 2 * stats.t.sf((judged["difference"].abs().to_numpy(dtype=float) - margin) / error, n - 1))
    return np.asarray(stats.false_discovery_control(p, method="bh"))
