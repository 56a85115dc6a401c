"""Subject-days in the order in which they came to be known: what flags look along. Subjects are numbers here.

Everybody's months are sorted and compared each night: numbers cost a fraction of what their names do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.calendar import day_number
from features.days import Days

Numbers = NDArray[np.int64]
FRAMES = ("panel", "levels", "origins", "ahead", "offsets")


@dataclass(frozen=True)
class Ordered:
    """What flags are made of: `Days` with subjects as places in `names`, which are sorted.

    Panel, levels and origins are in order (`in_order`); of the others every row is there.
    """

    names: pd.Index
    panel: pd.DataFrame
    levels: pd.DataFrame
    origins: pd.DataFrame
    ahead: pd.DataFrame
    offsets: pd.DataFrame

    def named(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows with the names of their subjects."""
        names = self.names.take(rows["subject_id"].to_numpy(dtype=np.int64))
        return rows.assign(subject_id=pd.Series(names, rows.index, dtype="str"))

    def among(self, is_meant: NDArray[np.bool_]) -> "Ordered":
        """The part about some of the subjects, by their places."""
        parts = {name: getattr(self, name) for name in FRAMES}
        kept = {name: rows[is_meant[rows["subject_id"].to_numpy()]] for name, rows in parts.items()}
        return replace(self, **{name: rows.reset_index(drop=True) for name, rows in kept.items()})


def ordered(found: Days) -> Ordered:
    """What flags are made of, in order."""
    coded = {name: pd.factorize(getattr(found, name)["subject_id"]) for name in FRAMES}
    every = [pd.Series(names, dtype="str") for _, names in coded.values()]
    names = pd.Index(pd.concat(every).drop_duplicates().sort_values(), dtype="str")
    frames = {name: getattr(found, name).assign(subject_id=names.get_indexer(of)[place])
              for name, (place, of) in coded.items()}  # fmt: skip
    return Ordered(
        names, in_order(frames["panel"]), in_order(frames["levels"], "measure"), in_order(frames["origins"], "stream"),
        frames["ahead"], frames["offsets"],
    )  # fmt: skip


def first_versions(daily: pd.DataFrame, *more: str) -> pd.DataFrame:
    """Each subject-day (and what `more` names) as it was first known, sorted."""
    groups = [_places(daily[name]) for name in ("subject_id", *more)]
    dates, known = (day_number(daily[name]) for name in ("local_date", "known_on"))
    order = np.lexsort((known, dates, *reversed(groups)))
    sorted_dates = dates[order]
    is_first = begins([of[order] for of in groups])
    is_first[1:] |= sorted_dates[1:] != sorted_dates[:-1]
    versions: pd.DataFrame = daily.take(order[is_first]).reset_index(drop=True)
    return versions


def in_order(daily: pd.DataFrame, *more: str) -> pd.DataFrame:
    """`first_versions` without days that came in after a later day had: known in the order in which they were."""
    rows = first_versions(daily, *more)
    group = np.cumsum(begins([_places(rows[name]) for name in ("subject_id", *more)]))
    # Groups rise, so that the earliest of what follows is never of a later group.
    known = day_number(rows["known_on"]) + (group.astype(np.int64) << 32)
    earliest = np.minimum.accumulate(known[::-1])[::-1]
    kept: pd.DataFrame = rows[known == earliest].reset_index(drop=True)
    return kept


def begins(groups: Sequence[Numbers]) -> NDArray[np.bool_]:
    """Where another group begins, along sorted rows."""
    is_begin = np.ones(len(groups[0]), dtype=bool)
    if len(is_begin):
        is_begin[1:] = np.logical_or.reduce([of[1:] != of[:-1] for of in groups])
    return is_begin


def _places(column: pd.Series) -> Numbers:
    """A number for each value, in the order of values; missing ones first."""
    if pd.api.types.is_integer_dtype(column.dtype):
        return column.to_numpy(dtype=np.int64)
    place, values = pd.factorize(column)
    rank = np.empty(len(values) + 1, dtype=np.int64)
    rank[np.argsort(values.to_numpy(dtype=object), kind="stable")] = np.arange(len(values))
    rank[-1] = -1
    numbers: Numbers = rank[place]
    return numbers
