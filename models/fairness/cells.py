"""Cells: everything of which an audit tells figures, who belongs to each, and how many they are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.fairness import metrics
from models.fairness.groups import AT, Grouping, membership
from models.fairness.parts import Parts
from models.fairness.rows import Rows, Values

COUNTED = ("n_rows", "n_subjects", "n_event_subjects", "n_episodes", "largest_event_share")


def cells_of(rows: Rows, groupings: Sequence[Grouping]) -> pd.DataFrame:
    """One row per cell of the whole view, in its order: who they are, and how many; `is_rest` of all but a group."""
    named = []
    for g in groupings:
        of = {"attribute": g.name, "part": "", "is_crossed": g.is_crossed}
        named += [
            {**of, "cell": cell, "group": level, "is_reference": k == g.reference, "is_rest": False}
            for k, (level, cell) in enumerate(zip(g.levels, g.labels(), strict=True))
        ]
        named += [
            {**of, "cell": cell, "group": f"all but {level}", "is_reference": False, "is_rest": True}
            for level, cell in zip(g.levels, g.rests(), strict=False)
        ]
    counted = _counted(members_of(groupings), rows.per_subject(np.ones(len(rows.label))), rows.episodes())
    return pd.concat([pd.DataFrame(named), counted], axis=1)


def members_of(groupings: Sequence[Grouping]) -> NDArray[np.bool_]:
    """Who belongs to each cell of the whole view, shape (n_cells, n_subjects)."""
    found = []
    for g in groupings:
        levels = membership([g])
        found += [levels, ~levels] if g.has_rest else [levels]
    return np.vstack(found)


@dataclass(frozen=True, repr=False)
class Cells:
    """Cells, who belongs to each, and who of them has an event there; of shape (n_cells, n_subjects) both."""

    table: pd.DataFrame
    member: NDArray[np.bool_]
    with_event: NDArray[np.bool_]


def all_cells(rows: Rows, groupings: Sequence[Grouping], parts: Sequence[Parts]) -> Cells:
    """The cells of the whole view, and those that parts make of groups of one attribute: whoever of them has a row there."""
    member = members_of(groupings)
    found = [Cells(cells_of(rows, groupings), member, member & (rows.episodes() > 0))]
    singles = [g for g in groupings if not g.is_crossed]
    found += [_in_parts(rows, singles, by) for by in parts if by.names]
    table = pd.concat([of.table for of in found], ignore_index=True)
    return Cells(table, np.vstack([of.member for of in found]), np.vstack([of.with_event for of in found]))


def _in_parts(rows: Rows, groupings: Sequence[Grouping], by: Parts) -> Cells:
    named, found, counted, with_event = [], [], [], []
    for p, part in enumerate(by.names):
        is_in = by.of == p
        within = replace(rows, subject=rows.subject[is_in], label=rows.label[is_in], episode=rows.episode[is_in])
        size, episodes = within.per_subject(np.ones(len(within.label))), within.episodes()
        for g in groupings:
            of = {"attribute": g.name, "part": part, "is_crossed": False, "is_rest": False}
            named += [
                {**of, "cell": f"{label}{AT}{part}", "group": level, "is_reference": k == g.reference}
                for k, (level, label) in enumerate(zip(g.levels, g.labels(), strict=True))
            ]
            here = membership([g]) & (size > 0)
            found.append(here)
            with_event.append(here & (episodes > 0))
            counted.append(_counted(here, size, episodes))
    table = pd.concat([pd.DataFrame(named), pd.concat(counted, ignore_index=True)], axis=1)
    return Cells(table, np.vstack(found), np.vstack(with_event))


def _counted(member: NDArray[np.bool_], size: Values, episodes: NDArray[np.int64]) -> pd.DataFrame:
    """`COUNTED` of each cell, from each subject's rows and episodes."""
    has, total = member.astype(float), member @ episodes.astype(float)
    largest = np.array([episodes[of].max(initial=0) for of in member], dtype=float)
    whole = {
        "n_rows": has @ size,
        "n_subjects": has.sum(axis=1),
        "n_event_subjects": has @ (episodes > 0),
        "n_episodes": total,
    }
    share = metrics.ratio(largest, total)
    return pd.DataFrame({name: of.astype(np.int64) for name, of in whole.items()}).assign(largest_event_share=share)
