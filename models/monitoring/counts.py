"""A night as counts: of each feature, of scores, statuses and alerts, how many subjects of each group lie in which bin.

A night's counts are all that is kept of it, so that it can be compared with any other at no cost and holds no individual.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.fairness.disclosure import SMALLEST_SUBJECTS
from models.fairness.groups import EVERYBODY

Values = NDArray[np.float64]
BINS = 10
# Of each bin, and of those without a value.
IN_BIN, MISSING = tuple(f"bin_{k}" for k in range(BINS)), "missing"
COUNTED = (*IN_BIN, MISSING)
KEY = ("kind", "outcome", "name", "group")
FEATURE, SCORE, STATUS, ALERT = "feature", "score", "status", "alert"
# Edges tell of quantiles of so many values that they are nobody's own.
FEWEST_VALUES = 50
SIGNIFICANT = 4


@dataclass(frozen=True)
class Groups:
    """Who belongs to which group, everybody first: names, and membership of shape (n_groups, n_subjects)."""

    names: tuple[str, ...]
    members: NDArray[np.bool_]


def groups_of(levels: Mapping[str, pd.Series], subjects: pd.Index) -> Groups:
    """Everybody, and each level of each attribute that enough of the subjects have.

    Args:
        levels: a level for each subject by attribute, indexed by subject (`fairness.groups.levels_of`).
        subjects: whose rows are counted, in their order.
    """
    names, members = [EVERYBODY], [np.ones(len(subjects), dtype=bool)]
    for attribute, values in levels.items():
        codes, found = pd.factorize(values.reindex(subjects), sort=True)
        for k, level in enumerate(found):
            if (codes == k).sum() >= SMALLEST_SUBJECTS:
                names.append(f"{attribute}={level}")
                members.append(codes == k)
    return Groups(tuple(names), np.vstack(members))


def edges_of(frame: pd.DataFrame) -> dict[str, tuple[float, ...]]:
    """Inner edges of the bins of each column: its deciles, rounded; none for a column with too few values or one value only."""
    found = {}
    for name in frame.columns:
        values = frame[name].to_numpy(dtype=np.float64)
        values = values[np.isfinite(values)]
        if len(values) < FEWEST_VALUES:
            continue
        deciles = np.quantile(values, np.arange(1, BINS) / BINS)
        rounded = sorted({float(f"{of:.{SIGNIFICANT}g}") for of in deciles})
        # What lies on an edge is above it: the lowest value needs an edge of its own below nobody.
        inner = tuple(edge for edge in rounded if edge > values.min())
        if inner:
            found[str(name)] = inner
    return found


def count(
    kind: str, outcome: str, frame: pd.DataFrame, edges: Mapping[str, tuple[float, ...]], groups: Groups
) -> pd.DataFrame:
    """Of each column with edges and each group of enough subjects, how many lie in each bin, and without a value.

    Args:
        frame: one row per subject, in the order of the groups' members.

    Returns:
        `KEY` and `COUNTED`; nothing of groups that are too small.
    """
    names = [name for name in frame.columns if name in edges]
    size = groups.members.sum(axis=1)
    kept = np.flatnonzero(size >= SMALLEST_SUBJECTS)
    if not names or not len(kept):
        return pd.DataFrame(columns=[*KEY, *COUNTED])
    width = len(COUNTED)
    place = np.column_stack([_bin(frame[name].to_numpy(np.float64), edges[name]) for name in names])
    code = place + width * np.arange(len(names))
    told = [
        np.bincount(code[groups.members[g]].reshape(-1), minlength=width * len(names)).reshape(-1, width) for g in kept
    ]
    table = pd.DataFrame(np.concatenate(told), columns=list(COUNTED)).astype(np.int32)
    table.insert(0, "group", np.repeat([groups.names[g] for g in kept], len(names)))
    table.insert(0, "name", np.tile(np.array(names, dtype=object), len(kept)))
    table.insert(0, "outcome", outcome)
    table.insert(0, "kind", kind)
    return table


def count_shares(
    kind: str, outcome: str, flags: Mapping[str, NDArray[np.bool_]], groups: Groups, among: NDArray[np.bool_] | None = None
) -> pd.DataFrame:  # fmt: skip
    """Of each flag and group, how many subjects have it (first bin) and how many have not (second bin).

    Args:
        flags: by name, shape (n_subjects,).
        among: only these subjects count; all unless given.
    """
    counted = np.ones(groups.members.shape[1], dtype=bool) if among is None else among
    rows = []
    for name, flag in flags.items():
        for group, member in zip(groups.names, groups.members, strict=True):
            inside = member & counted
            if inside.sum() >= SMALLEST_SUBJECTS:
                has = int((inside & flag).sum())
                rows.append((kind, outcome, name, group, has, int(inside.sum()) - has, *[0] * (len(COUNTED) - 2)))
    return pd.DataFrame(rows, columns=[*KEY, *COUNTED]).astype(dict.fromkeys(COUNTED, np.int32))


def _bin(values: Values, edges: Sequence[float]) -> NDArray[np.int64]:
    """The bin of each value, from 0; the last of `COUNTED` where there is none."""
    found = np.searchsorted(np.asarray(edges), values, side="right").astype(np.int64)
    return np.where(np.isfinite(values), found, BINS)
