"""Where in time the rows of each subject begin and end in a batch: subjects apart from all else need no comparing."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.tables import Table
from pipelines.pieces import codes

Hashes = NDArray[np.uint64]
# Odd, and its bits look random: 2^64 divided by the golden ratio.
MIXER = np.uint64(0x9E3779B97F4A7C15)


class Span(NamedTuple):
    """First and last event time of one subject, as whole numbers, and whether a key stands there twice."""

    subject_id: str
    first: int
    last: int
    has_repeats: bool


def spans_of(rows: pa.Table, table: Table) -> tuple[Span, ...] | None:
    """The span of each subject, of rows with `key_hash`; None where the event time is no part of the key, so that
    times say nothing."""
    if table.time not in table.key:
        return None
    times = whole_times(rows[table.time])
    timed = pa.table({"subject_id": rows["subject_id"].cast(pa.string()), "time": times})
    found = timed.group_by("subject_id").aggregate([("time", "min"), ("time", "max")])
    repeating = _repeating_subjects(rows, table, times)
    columns = (found[name].to_pylist() for name in ("subject_id", "time_min", "time_max"))
    return tuple(Span(who, first, last, who in repeating) for who, first, last in zip(*columns, strict=True))


def key_hashes(rows: pa.Table, table: Table) -> Hashes:
    """A number per key, the same in every batch; two keys share one hardly ever, and then are compared for nothing."""
    mixed = np.zeros(rows.num_rows, dtype=np.uint64)
    for name in table.key:
        column = rows[name]
        if pa.types.is_dictionary(column.type):
            distinct = column.unify_dictionaries().combine_chunks()
            of_each = pd.util.hash_array(np.array(distinct.dictionary.to_pylist(), dtype=object), categorize=False)
            part = of_each[pc.fill_null(distinct.indices, 0).to_numpy()] if len(of_each) else np.uint64(0)
        else:
            part = whole_times(column).fill_null(0).to_numpy().astype(np.uint64)
        mixed = (mixed ^ part) * MIXER
        mixed ^= mixed >> np.uint64(32)
    return mixed


def whole_times(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Event times as whole numbers: days, or microseconds."""
    return column.cast(pa.int32() if pa.types.is_date32(column.type) else pa.int64()).cast(pa.int64())


def subjects_that_meet(groups: Iterable[Iterable[Span]]) -> set[str]:
    """Subjects that have a key twice in a group, or whose spans in two groups overlap."""
    frame = _frame(groups)
    meet = set(frame.loc[frame["has_repeats"], "subject_id"])
    frame = frame.sort_values(["subject_id", "first"], kind="stable")
    before = frame.groupby("subject_id", sort=False)["last"].cummax().groupby(frame["subject_id"], sort=False).shift()
    return meet | set(frame.loc[frame["first"] <= before, "subject_id"])


def subjects_that_reach(groups: Iterable[Iterable[Span]], others: Iterable[Span]) -> set[str]:
    """Subjects of whom a span in some group overlaps one among the others."""
    pairs = _frame(groups).merge(_frame([others]), on="subject_id")
    overlap = (pairs["first_x"] <= pairs["last_y"]) & (pairs["last_x"] >= pairs["first_y"])
    return set(pairs.loc[overlap, "subject_id"])


def _frame(groups: Iterable[Iterable[Span]]) -> pd.DataFrame:
    frame = pd.DataFrame([span for spans in groups for span in spans], columns=Span._fields)
    return frame.astype({"subject_id": "str", "first": "int64", "last": "int64", "has_repeats": bool})


def _repeating_subjects(rows: pa.Table, table: Table, times: pa.ChunkedArray) -> set[str]:
    """Subjects of whom a key stands in the rows more than once.

    Rows in runs of one series whose times rise cannot repeat a key; only others are counted key by key.
    """
    series = np.zeros(rows.num_rows, dtype=np.int64)
    for name in table.key:
        if name != table.time:
            numbers = codes(rows[name]).astype(np.int64)
            series = series * (numbers.max(initial=0) + 1) + numbers
    moments = times.to_numpy()
    changes = np.diff(series) != 0
    starts = np.flatnonzero(np.r_[True, changes]) if len(series) else np.empty(0, dtype=np.int64)
    if len(np.unique(series[starts])) == len(starts) and (changes | (np.diff(moments) > 0)).all():
        return set()
    again = pd.Series(rows["key_hash"].to_numpy()).duplicated().to_numpy()
    return set(pc.unique(rows["subject_id"].filter(pa.array(again))).to_pylist())
