"""Disclosure control: the one place with the rules that keep small numbers out of reports (promises, People 4).

The unit is the distinct subject, never the row. No claim is made against outside knowledge.
"""

import numpy as np
import pandas as pd

SMALLEST_SUBJECTS = 10
SMALLEST_EVENT_SUBJECTS = 5
LARGEST_EVENT_SHARE = 0.30
SMALLEST_FOR_A_CURVE = 50
COUNTS_ROUNDED_TO = 5
DECIMALS = 2


def is_showable(groups: pd.DataFrame) -> pd.Series:
    """Whether the figures of each group may be shown at all.

    Grain: one row per group with n_subjects, n_event_subjects and largest_event_share (0 to 1; the greatest share of
    the group's events that one subject has; missing counts as too large).
    """
    return (
        (groups["n_subjects"] >= SMALLEST_SUBJECTS)
        & (groups["n_event_subjects"] >= SMALLEST_EVENT_SUBJECTS)
        & (groups["largest_event_share"] <= LARGEST_EVENT_SHARE)
    )


def is_countable(groups: pd.DataFrame) -> pd.Series:
    """Whether the counts of each group may be shown: secondary suppression, within each `attribute`.

    Groups of an attribute add up to everybody, so the counts of a hidden group would follow by subtraction. Then the
    counts of the smallest shown groups are hidden too, until at least two groups, large enough together, are.
    Rates stay: at two decimals they do not give a small count back.
    """
    countable = is_showable(groups)
    for _, members in groups.groupby("attribute", sort=False):
        while True:
            shown = members[countable[members.index]]
            hidden = members.drop(shown.index)
            is_safe = len(hidden) > 1 and hidden["n_subjects"].sum() >= SMALLEST_SUBJECTS
            if hidden.empty or shown.empty or is_safe:
                break
            countable[countable.index == shown["n_subjects"].idxmin()] = False
    return countable


def n_hidden(groups: pd.DataFrame) -> dict[str, int]:
    """How many groups of each attribute are too small to be shown."""
    hidden = (~is_showable(groups)).groupby(groups["attribute"], sort=False).sum()
    return {str(name): int(count) for name, count in hidden.items()}


def may_draw_curve(n_subjects: int) -> bool:
    """Whether a group is large enough for a curve or for its extremes."""
    return n_subjects >= SMALLEST_FOR_A_CURVE


def rounded_count(count: float) -> int:
    """A count as reports show it: to the nearest five, halves up."""
    return int(np.floor(count / COUNTS_ROUNDED_TO + 0.5)) * COUNTS_ROUNDED_TO
