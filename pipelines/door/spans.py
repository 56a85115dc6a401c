"""Where in time the rows of each subject begin and end in a batch: subjects apart from all else need no comparing."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.tables import Table
from pipelines.pieces import codes


class Span(NamedTuple):
    """First and last event time of one subject, as whole numbers, and whether a key stands there twice."""

    subject_id: str
    first: int
    last: int
    has_repeats: bool


def spans_of(rows: pa.Table, table: Table) -> tuple[Span, ...] | None:
    """The span of each subject; None where the event time is no part of the key, so that times say nothing."""
    if table.time not in table.key:
        return None
    times = whole_times(rows[table.time])
    timed = pa.table({"subject_id": rows["subject_id"].cast(pa.string()), "time": times})
    found = timed.group_by("subject_id").aggregate([("time", "min"), ("time", "max")])
    repeating = _repeating_subjects(rows, table, times)
    columns = (found[name].to_pylist() for name in ("subject_id", "time_min", "time_max"))
    return tuple(Span(who, first, last, who in repeating) for who, first, last in zip(*columns, strict=True))


def whole_times(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Event times as whole numbers: days, or microseconds."""
    return column.cast(pa.int32() if pa.types.is_date32(column.type) else pa.int64()).cast(pa.int64())


def subjects_that_meet(groups: Iterable[Iterable[Span]]) -> set[str]:
    """Subjects that have a key twice, or whose spans in two groups overlap."""
    frame = pd.DataFrame([span for spans in groups for span in spans], columns=Span._fields)
    frame = frame.astype({"first": "int64", "last": "int64", "has_repeats": bool})
    meet = set(frame.loc[frame["has_repeats"], "subject_id"])
    frame = frame.sort_values(["subject_id", "first"], kind="stable")
    before = frame.groupby("subject_id", sort=False)["last"].cummax().groupby(frame["subject_id"], sort=False).shift()
    return meet | set(frame.loc[frame["first"] <= before, "subject_id"])


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
    keys = pd.DataFrame({"series": series, "time": moments})
    return set(pc.unique(rows["subject_id"].filter(pa.array(keys.duplicated().to_numpy()))).to_pylist())
