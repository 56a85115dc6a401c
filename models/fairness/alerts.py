"""Who would be flagged, in any resample of subjects: the top share of rows by score, or whoever reaches a risk.

A threshold that is found in the data is part of what is uncertain, so the top share is found again in every resample.
Copies of a subject drawn twice queue one behind the other, as two people with the same score would.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray

Scope = Literal["site and night", "night", "site", "all rows"]
# A pool must expect this many alerts, or rounding would decide who is flagged.
LEAST_ALERTS_IN_A_POOL = 2


class Flags(Protocol):
    """Whom a rule flags."""

    def flagged(self, weights: NDArray[np.int32]) -> NDArray[np.int32]:
        """How many copies of each row are flagged, of shape (n_rows, n_resamples).

        `weights` of shape (n_subjects, n_resamples) says how often each subject was drawn.
        """
        ...


@dataclass(frozen=True)
class TopShare:
    """Flag this share of the rows (0 to 1), within each site and night where those are large enough."""

    share: float


@dataclass(frozen=True)
class AtLeast:
    """Flag every row with this risk (0 to 1) or more."""

    risk: float


AlertRule = TopShare | AtLeast


@dataclass(frozen=True)
class Queue:
    """Rows in the order in which a capacity would be spent: by pool, then by falling score.

    `rows` and `subject` are of shape (n_rows,); `starts` holds the first position of each pool, and the end of the last.
    Equal scores are ordered by chance (seeded), because any fixed order would favour somebody.
    """

    rows: NDArray[np.int64]
    subject: NDArray[np.int64]
    starts: NDArray[np.int64]
    share: float
    scope: Scope

    def is_spent_within(self, group: NDArray[np.int64]) -> bool:
        """Whether each pool holds subjects of one group only, whose share flagged is then what the capacity says.

        Args:
            group: of each subject.
        """
        ordered = group[self.subject]
        low, high = (of.reduceat(ordered, self.starts[:-1]) for of in (np.minimum, np.maximum))
        return len(self.starts) > 2 and bool((low == high).all())

    @property
    def pool(self) -> NDArray[np.int64]:
        """The pool of each row in their order, counted from 0."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def flagged(self, weights: NDArray[np.int32]) -> NDArray[np.int32]:
        """See `Flags`. A pool of n rows flags share * n of them, to the nearest whole row."""
        chosen = np.empty((len(self.rows), weights.shape[1]), np.int32)
        _spend(self.starts, self.rows, self.subject, weights, self.share, chosen)
        return chosen


@dataclass(frozen=True)
class Reaching:
    """Rows that reach a risk: whether each does, and whose it is; of shape (n_rows,)."""

    is_reached: NDArray[np.bool_]
    subject: NDArray[np.int64]

    def flagged(self, weights: NDArray[np.int32]) -> NDArray[np.int32]:
        """See `Flags`."""
        return weights[self.subject] * self.is_reached[:, None].astype(np.int32)


def flags_of(rule: AlertRule, scored: pd.DataFrame, subject: NDArray[np.int64], seed: int) -> tuple[Flags, Scope]:
    """Whom a rule flags among the rows of a scores table, and within what it chooses."""
    if isinstance(rule, AtLeast):
        return Reaching(scored["probability"].to_numpy() >= rule.risk, subject), "all rows"
    queue = queue_rows(scored, subject, rule.share, seed)
    return queue, queue.scope


def queue_rows(scored: pd.DataFrame, subject: NDArray[np.int64], top_share: float, seed: int) -> Queue:
    """Rank the rows of a scores table for a capacity of `top_share` (0 to 1).

    The pool is the site and night where such pools are large enough on median, else the night, else all rows; of rows
    without a date the site, else all rows. Which one it was is in `scope`, and belongs in the report.
    """
    scope, pool = _pools(scored, top_share)
    chance = np.random.default_rng(seed).permutation(len(scored))
    order = np.lexsort((chance, -scored["probability"].to_numpy(), pool))
    starts = np.append(np.flatnonzero(np.diff(pool[order], prepend=-1)), len(order))
    return Queue(order, subject[order], starts, top_share, scope)


def _pools(scored: pd.DataFrame, top_share: float) -> tuple[Scope, NDArray[np.int64]]:
    choices: list[tuple[Scope, list[str]]] = [("site and night", ["site", "index_date"]), ("night", ["index_date"])]
    if "index_date" not in scored.columns:
        choices = [("site", ["site"])]
    for scope, columns in choices:
        if set(columns) <= set(scored.columns):
            pool = np.asarray(scored.groupby(columns, sort=True, dropna=False).ngroup(), dtype=np.int64)
            if np.median(np.bincount(pool)) * top_share >= LEAST_ALERTS_IN_A_POOL:
                return scope, pool
    return "all rows", np.zeros(len(scored), dtype=np.int64)


@njit(nogil=True, cache=True)
def _spend(starts, rows, subject, weights, share, chosen):  # type: ignore[no-untyped-def]
    """Spend each pool's capacity from its highest score down, in every resample; into `chosen`, row by row."""
    n = weights.shape[1]
    room, total = np.empty(n, np.int32), np.empty(n, np.int32)
    for pool in range(len(starts) - 1):
        total[:] = 0
        for place in range(starts[pool], starts[pool + 1]):
            copies = weights[subject[place]]
            for k in range(n):
                total[k] += copies[k]
        for k in range(n):
            room[k] = np.int32(np.floor(share * total[k] + 0.5))
        for place in range(starts[pool], starts[pool + 1]):
            copies, taken = weights[subject[place]], chosen[rows[place]]
            for k in range(n):
                taken[k] = min(copies[k], room[k])
                room[k] -= taken[k]
