"""From counts of many nights to series: one number a night for each thing that could change."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from models.fairness.disclosure import SMALLEST_SUBJECTS
from models.monitoring.counts import ALERT, COUNTED, FEATURE, IN_BIN, KEY, MISSING, SCORE, STATUS

Values = NDArray[np.float64]
# What can change of a thing: where its values lie, how far they spread, how many have none; of a flag, how many have it.
LEVEL, SPREAD, ABSENT, SHARE = "level", "spread", "missing", "share"
OF_KIND = {FEATURE: (LEVEL, SPREAD, ABSENT), SCORE: (LEVEL, SPREAD), STATUS: (SHARE,), ALERT: (SHARE,)}
# Keeps the scale of a bin of which the reference has hardly anybody.
PRIOR = 0.5


@dataclass(frozen=True)
class Series:
    """Numbers by night and series.

    Attributes:
        nights: rising as-of dates, of shape (n_nights,).
        table: one row per series: `counts.KEY` and `statistic`.
        value: of shape (n_nights, n_series), missing where the night has none or of too few subjects.
        subjects: of how many, of that shape.
    """

    nights: pd.DatetimeIndex
    table: pd.DataFrame
    value: Values
    subjects: Values

    def place(self, night: pd.Timestamp) -> int:
        """Where a night stands among the nights, which hold it."""
        return int(self.nights.searchsorted(night))

    def among(self, chosen: NDArray[np.bool_]) -> "Series":
        """Some of the series."""
        table = self.table[chosen].reset_index(drop=True)
        return replace(self, table=table, value=self.value[:, chosen], subjects=self.subjects[:, chosen])


def series_of(counted: pd.DataFrame, reference: Sequence[pd.Timestamp]) -> Series:
    """Every series of nights' counts.

    Levels and spreads are of normal scores: each bin counts as the middle of what it held of everybody in the reference nights
    would on a normal curve, so that a level of 0.5 is half a standard deviation, whatever the unit, and outliers weigh little.

    Args:
        counted: `as_of_date`, `counts.KEY` and `counts.COUNTED`.
        reference: nights by which bins are scored.
    """
    nights = pd.DatetimeIndex(sorted(counted["as_of_date"].unique()))
    table = counted[list(KEY)].drop_duplicates(ignore_index=True)
    place = pd.MultiIndex.from_frame(table)
    row = nights.get_indexer(pd.DatetimeIndex(counted["as_of_date"]))
    column = place.get_indexer(pd.MultiIndex.from_frame(counted[list(KEY)]))
    cube = np.zeros((len(nights), len(table), len(COUNTED)))
    cube[row, column] = counted[list(COUNTED)].to_numpy(np.float64)
    scores = _scores(table, cube, nights.isin(list(reference)))
    found: list[Series] = []
    for kind, statistics in OF_KIND.items():
        chosen = (table["kind"] == kind).to_numpy()
        if chosen.any():
            found += [_of(nights, table[chosen], cube[:, chosen], scores[chosen], name) for name in statistics]
    return _joined(nights, found)


def _scores(table: pd.DataFrame, cube: Values, is_reference: NDArray[np.bool_]) -> Values:
    """Normal scores of the bins of each row of the table, mean 0 and variance 1 over the reference, of shape (n, bins)."""
    bins = len(IN_BIN)
    held = pd.DataFrame(cube[is_reference].sum(axis=0)[:, :bins])
    # By everybody's distribution: a group's level then says where it lies among all.
    named = [table[name].to_numpy() for name in ("kind", "outcome", "name")]
    share = held.groupby(named).transform("max").to_numpy() + PRIOR / bins
    share /= share.sum(axis=1, keepdims=True)
    middle = np.cumsum(share, axis=1) - share / 2
    scores = norm.ppf(middle)
    scores -= (share * scores).sum(axis=1, keepdims=True)
    spread: Values = np.sqrt((share * scores**2).sum(axis=1, keepdims=True))
    found: Values = np.divide(scores, spread, out=np.zeros_like(scores), where=spread > 0)
    return found


def _of(nights: pd.DatetimeIndex, table: pd.DataFrame, cube: Values, scores: Values, statistic: str) -> Series:
    bins = len(IN_BIN)
    in_bin, missing = cube[:, :, :bins], cube[:, :, COUNTED.index(MISSING)]
    held = in_bin.sum(axis=2)
    subjects = held + missing if statistic == ABSENT else held
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = (in_bin * scores).sum(axis=2) / held
        values = {
            LEVEL: mean,
            SPREAD: (in_bin * (scores - mean[:, :, None]) ** 2).sum(axis=2) / held - 1,
            ABSENT: missing / (held + missing),
            SHARE: in_bin[:, :, 0] / held,
        }[statistic]
    values = np.where(subjects >= SMALLEST_SUBJECTS, values, np.nan)
    return Series(nights, table.assign(statistic=statistic), values, subjects)


def _joined(nights: pd.DatetimeIndex, parts: Sequence[Series]) -> Series:
    if not parts:
        empty = np.zeros((len(nights), 0))
        return Series(nights, pd.DataFrame(columns=[*KEY, "statistic"]), empty, empty)
    table = pd.concat([of.table for of in parts], ignore_index=True)
    return Series(nights, table, np.hstack([of.value for of in parts]), np.hstack([of.subjects for of in parts]))


def shifts(counted: pd.DataFrame, night: pd.Timestamp, compared: tuple[int, int]) -> pd.DataFrame:
    """How far the shape of a night's values is from that of nights before: the population stability index (`KEY` and `psi`).

    Of values only, whoever lacks them; above 0.25 is commonly called a large shift. It grows by chance in small groups.

    Args:
        compared: of how many nights back, from and to, with which it is compared.
    """
    rows = counted[counted["kind"].isin([FEATURE, SCORE])]
    age = (night - rows["as_of_date"]).dt.days
    bins = list(IN_BIN)
    now = rows[age == 0].set_index(list(KEY))[bins]
    before = (
        rows[(age <= compared[0]) & (age >= compared[1])].groupby(list(KEY))[bins].sum().reindex(now.index).fillna(0)
    )
    shares = [(of + PRIOR / len(bins)).div((of + PRIOR / len(bins)).sum(axis=1), axis=0) for of in (now, before)]
    found = ((shares[0] - shares[1]) * np.log(shares[0] / shares[1])).sum(axis=1)
    told: pd.DataFrame = found.where(before.sum(axis=1) > 0).rename("psi").reset_index()
    return told
