"""Disclosure control: the one place with the rules that keep small numbers out of reports (promises, People 4).

The unit is the distinct subject, never the row. No claim is made against outside knowledge, and none of differential
privacy. How the rules are kept among cells that overlap is `differencing`; which tables they are applied to, `showing`.
"""

import numpy as np
import pandas as pd

SMALLEST_SUBJECTS = 10
SMALLEST_EVENT_SUBJECTS = 5
LARGEST_EVENT_SHARE = 0.30
SMALLEST_FOR_A_CURVE = 50
# Two cells that are both shown have the same subjects, or differ by at least so many; so it is with those with an event.
LEAST_DIFFERENCE = 10
COUNTS_ROUNDED_TO = 5
DECIMALS = 2

FEW_SUBJECTS = f"fewer than {SMALLEST_SUBJECTS} subjects"
FEW_EVENTS = f"fewer than {SMALLEST_EVENT_SUBJECTS} subjects with an event"
ONE_SUBJECT = f"one subject has more than {LARGEST_EVENT_SHARE:.0%} of the events".replace("%", " %")
TOO_NEAR = f"differs from another shown cell by fewer than {LEAST_DIFFERENCE} subjects"
TOO_NEAR_BY_EVENT = f"{TOO_NEAR} with an event"
BY_SUBTRACTION = "would follow by subtraction"
OF_A_PART = "parts of a group are shown without counts"
FEW_FOR_A_CURVE = f"fewer than {SMALLEST_FOR_A_CURVE} subjects"
SHOWN = ""


def why_hidden(cells: pd.DataFrame) -> pd.Series:
    """Why the figures of each cell may not be shown; empty (`SHOWN`) where they may.

    Grain: one row per cell with n_subjects, n_event_subjects and largest_event_share (0 to 1; the greatest share of
    the cell's events that one subject has; missing counts as too large).
    """
    broken = [
        ~(cells["n_subjects"] >= SMALLEST_SUBJECTS),
        ~(cells["n_event_subjects"] >= SMALLEST_EVENT_SUBJECTS),
        ~(cells["largest_event_share"] <= LARGEST_EVENT_SHARE),
    ]
    return pd.Series(np.select(broken, [FEW_SUBJECTS, FEW_EVENTS, ONE_SUBJECT], SHOWN), cells.index)


def is_showable(groups: pd.DataFrame) -> pd.Series:
    """Whether the figures of each group may be shown at all; columns as of `why_hidden`."""
    return why_hidden(groups) == SHOWN


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
            if hidden.empty or shown.empty or are_enough_together(hidden["n_subjects"].to_numpy()):
                break
            countable[countable.index == shown["n_subjects"].idxmin()] = False
    return countable


def are_enough_together(n_subjects: np.ndarray) -> bool:
    """Whether hidden groups whose sum is known keep each other hidden: two or more, large enough together."""
    return len(n_subjects) > 1 and bool(n_subjects.sum() >= SMALLEST_SUBJECTS)


def n_hidden(groups: pd.DataFrame) -> dict[str, int]:
    """How many groups of each attribute are too small to be shown."""
    hidden = (~is_showable(groups)).groupby(groups["attribute"], sort=False).sum()
    return {str(name): int(count) for name, count in hidden.items()}


def may_draw_curve(n_subjects: int) -> bool:
    """Whether a group is large enough for a curve or for its extremes."""
    return n_subjects >= SMALLEST_FOR_A_CURVE


def is_too_near(differences: np.ndarray) -> np.ndarray:
    """Whether two cells that differ by so many subjects would tell of a few of them; the same subjects do not.

    So too by subjects with an event: figures of what was caught are of those alone.
    """
    return (differences >= 1) & (differences < LEAST_DIFFERENCE)


def is_telling(n_subjects: np.ndarray, n_event_subjects: np.ndarray) -> np.ndarray:
    """Whether the difference of two cells, were it a cell, would have too few subjects, or too few with an event."""
    return (n_subjects >= 1) & ((n_subjects < SMALLEST_SUBJECTS) | (n_event_subjects < SMALLEST_EVENT_SUBJECTS))


def rounded_count(count: float) -> int:
    """A count as reports show it: to the nearest five, halves up."""
    return int(np.floor(count / COUNTS_ROUNDED_TO + 0.5)) * COUNTS_ROUNDED_TO
