"""Boosted trees as arrays, walked for every interval at once: to the bit what XGBoost says, for a fraction of its time.

Trees seldom ask for the interval, the last of all features: where one does not, one walk tells all intervals, where XGBoost
walks each tree for each of them. What leaves say is added in its order and precision: 32 bits, tree after tree, upon the
margin. A tree is filled up to full depth, so that every walk has as many steps and none waits for a guess about its end.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import xgboost as xgb
from numba import njit
from numpy.typing import NDArray

Values = NDArray[np.float64]
Singles = NDArray[np.float32]
THREADS = 2


@dataclass(frozen=True)
class Trees:
    """Splits of every tree, of shape (n_trees, 2^depth - 1), those below a split at 2 i + 1 and 2 i + 2; leaves, (n_trees, 2^depth).

    Args:
        feature: that is asked for.
        threshold: from which on a value goes to the right.
        is_right_unknown: whether a missing value goes to the right.
        leaf: what each end adds.
        asks_interval: of each tree, whether it asks for the interval.
    """

    feature: NDArray[np.int32]
    threshold: Singles
    is_right_unknown: NDArray[np.bool_]
    leaf: Singles
    asks_interval: NDArray[np.bool_]

    @classmethod
    def of(cls, booster: xgb.Booster) -> "Trees":
        """The trees of a model."""
        learner = json.loads(bytes(booster.save_raw("json")))["learner"]
        interval = int(learner["learner_model_param"]["num_feature"]) - 1
        told = learner["gradient_booster"]["model"]["trees"]
        depth = max((_depth(tree) for tree in told), default=0)
        n_splits = 2**depth - 1
        made = cls(
            np.zeros((len(told), n_splits), np.int32), np.zeros((len(told), n_splits), np.float32),
            np.zeros((len(told), n_splits), bool), np.zeros((len(told), n_splits + 1), np.float32),
            np.array([_asks(tree, interval) for tree in told], dtype=bool),
        )  # fmt: skip
        for number, tree in enumerate(told):
            made._fill(number, tree)
        return made

    def _fill(self, number: int, tree: Mapping[str, Sequence[Any]]) -> None:
        n_splits = self.feature.shape[1]
        node_at = {0: 0}
        for place in range(2 * n_splits + 1):
            node = node_at.pop(place)
            is_leaf = tree["left_children"][node] < 0
            if place >= n_splits:
                self.leaf[number, place - n_splits] = tree["split_conditions"][node]
                continue
            if not is_leaf:
                self.feature[number, place] = tree["split_indices"][node]
                self.threshold[number, place] = tree["split_conditions"][node]
                self.is_right_unknown[number, place] = not tree["default_left"][node]
            # Below an early leaf stands nothing but itself, whichever way a walk goes.
            node_at[2 * place + 1] = node if is_leaf else tree["left_children"][node]
            node_at[2 * place + 2] = node if is_leaf else tree["right_children"][node]

    def add_to(self, margin: Values, x: Singles) -> None:
        """Add what the trees say of each row to its margins in every interval, of shape (n_rows, n_intervals).

        Args:
            margin: log-odds without the trees; changed in place.
            x: every feature, row by row in memory; what stands for the interval, the last of them, is not read.
        """
        bounds = np.linspace(0, len(x), THREADS + 1).astype(int)
        parts = (slice(*of) for of in zip(bounds, bounds[1:], strict=False))
        with ThreadPoolExecutor(THREADS) as pool:
            walk = partial(_walk, self.feature, self.threshold, self.is_right_unknown, self.leaf, self.asks_interval)
            for done in [pool.submit(walk, x[part], margin[part]) for part in parts]:
                done.result()


def _depth(tree: Mapping[str, Sequence[int]]) -> int:
    """Splits on the longest way; a node comes after its parent."""
    depth = [0] * len(tree["parents"])
    for node, parent in enumerate(tree["parents"]):
        depth[node] = depth[parent] + 1 if node else 0
    return max(depth)


def _asks(tree: Mapping[str, Sequence[int]], interval: int) -> bool:
    splits = zip(tree["split_indices"], tree["left_children"], strict=True)
    return any(feature == interval and left >= 0 for feature, left in splits)


@njit(nogil=True, cache=True)
def _walk(feature, threshold, is_right_unknown, leaf, asks_interval, x, margin):  # type: ignore[no-untyped-def]
    n_trees, n_splits = feature.shape
    n_intervals = margin.shape[1]
    interval = x.shape[1] - 1
    sums = np.empty(n_intervals, np.float32)
    for row in range(x.shape[0]):
        for k in range(n_intervals):
            sums[k] = np.float32(margin[row, k])
        for tree in range(n_trees):
            walks = n_intervals if asks_interval[tree] else 1
            for k in range(walks):
                if walks > 1:
                    x[row, interval] = k
                place = 0
                while place < n_splits:
                    value = x[row, feature[tree, place]]
                    is_right = (value >= threshold[tree, place]) | (np.isnan(value) & is_right_unknown[tree, place])
                    place = 2 * place + 1 + is_right
                said = leaf[tree, place - n_splits]
                if walks > 1:
                    sums[k] += said
                else:
                    for every in range(n_intervals):
                        sums[every] += said
        for k in range(n_intervals):
            margin[row, k] = sums[k]
