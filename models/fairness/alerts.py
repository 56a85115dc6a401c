"""Who would be flagged: the top share of rows by score, within each site and night, in any resample of subjects.

The threshold is part of what is uncertain, so it is found again in every resample. Copies of a subject drawn twice
queue one behind the other, as two people with the same score would.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Scope = Literal["site and night", "night", "all rows"]
# A pool must expect this many alerts, or rounding would decide who is flagged.
LEAST_ALERTS_IN_A_POOL = 2


@dataclass(frozen=True)
class Queue:
    """Rows in the order in which a capacity would be spent: by pool, then by falling score.

    All arrays are of shape (n_rows,) except `starts`, the first position of each pool. Equal scores are ordered by
    chance (seeded), because any fixed order would favour somebody.
    """

    rows: NDArray[np.int64]
    subject: NDArray[np.int64]
    pool: NDArray[np.int64]
    starts: NDArray[np.int64]
    share: float
    scope: Scope

    def flagged(self, weights: NDArray[np.int32]) -> NDArray[np.int32]:
        """How many copies of each row are flagged, of shape (n_rows, n_resamples), in the order of `rows`.

        `weights` of shape (n_subjects, n_resamples) says how often each subject was drawn. A pool of n rows flags
        share * n of them, to the nearest whole row.
        """
        copies = weights[self.subject]
        reached = np.cumsum(copies, axis=0, dtype=np.int32)
        ends = np.append(self.starts[1:], len(self.rows)) - 1
        before = reached[self.starts] - copies[self.starts]
        capacity = np.floor(self.share * (reached[ends] - before) + 0.5).astype(np.int32)
        room = (before + capacity)[self.pool]
        room -= reached
        room += copies
        return np.asarray(np.clip(room, 0, copies, out=room), dtype=np.int32)


def queue_rows(scored: pd.DataFrame, subject: NDArray[np.int64], top_share: float, seed: int) -> Queue:
    """Rank the rows of a scores table for a capacity of `top_share` (0 to 1).

    The pool is the site and night where such pools are large enough on median, else the night, else all rows; which
    one it was is in `scope`, and belongs in the report.
    """
    scope, pool = _pools(scored, top_share)
    chance = np.random.default_rng(seed).permutation(len(scored))
    order = np.lexsort((chance, -scored["probability"].to_numpy(), pool))
    ordered = pool[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    return Queue(order, subject[order], ordered, starts, top_share, scope)


def _pools(scored: pd.DataFrame, top_share: float) -> tuple[Scope, NDArray[np.int64]]:
    choices: tuple[tuple[Scope, list[str]], ...] = (
        ("site and night", ["site", "index_date"]),
        ("night", ["index_date"]),
    )
    for scope, columns in choices:
        if set(columns) <= set(scored.columns):
            pool = np.asarray(scored.groupby(columns, sort=True, dropna=False).ngroup(), dtype=np.int64)
            if np.median(np.bincount(pool)) * top_share >= LEAST_ALERTS_IN_A_POOL:
                return scope, pool
    return "all rows", np.zeros(len(scored), dtype=np.int64)
