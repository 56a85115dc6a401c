"""Rows of a sender's file as they may go out: pseudonyms, bands and moved dates in place of what identifies."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.deidentification.dates import days_of, moved_back
from pipelines.deidentification.keys import Key
from pipelines.deidentification.plan import Declared, Step
from pipelines.errors import Refused
from pipelines.sources.table.mapping import NO_VALUE

# Safe Harbor wants ages over 89 as one band; decades keep groups large enough to audit.
BAND_STARTS = (0, 18, 30, 40, 50, 60, 70, 80, 90)
BANDS = ("<18", "18-29", "30-39", "40-49", "50-59", "60-69", "70-79", "80-89", "90+")
OLDEST = 125


def rewritten(
    rows: pa.Table, steps: list[Step], person: str | None, key: Key, declared: Declared, file: str
) -> pa.Table:
    """One portion after all steps, dropped columns gone.

    Raises:
        Refused: rows without a person, or dates that cannot be read as declared; counts only.
    """
    weeks = _weeks(rows, person, key, file) if declared.is_shifted and person is not None else None
    columns = {step.becomes: _column(rows[step.column], step, key, weeks, declared.as_of, file)
               for step in steps if step.becomes}  # fmt: skip
    return pa.table(columns)  # anew: the metadata that pandas leaves in a file lists the dropped columns


def identities(column: pa.ChunkedArray) -> pa.Array:
    """Ids as text, the same whether a file stores them as text, whole numbers or, for lack of some, as floats."""
    values = column.combine_chunks()
    if pa.types.is_floating(values.type):
        whole = pc.equal(values, pc.floor(values))
        values = pc.if_else(whole, pc.cast(pc.if_else(whole, values, 0), pa.int64()), None)
    texts = pc.utf8_trim_whitespace(pc.cast(values, pa.string()))
    return pc.if_else(pc.is_in(texts, pa.array(NO_VALUE)), None, texts)


def _column(
    column: pa.ChunkedArray, step: Step, key: Key, weeks: pa.Array | None, as_of: date | None, file: str
) -> pa.Array | pa.ChunkedArray:
    if step.done == "pseudonym":
        return _each(identities(column), lambda text: key.pseudonym("s", text))
    if step.done == "device pseudonym":
        return _each(identities(column), lambda text: key.pseudonym("d", text))
    if step.done == "age band":
        return _bands(_numbers(column))
    if step.done == "birth date to age band":
        return _bands(_ages(days_of(_plain(column), step.way), as_of))
    if step.done == "shifted":
        return _shifted(_plain(column), weeks, step, file)
    return column


def _each(texts: pa.Array, renamed: Callable[[str], str]) -> pa.Array:
    """Every text renamed, each distinct one once."""
    coded = pc.dictionary_encode(texts)
    return pa.array([renamed(text) for text in coded.dictionary.to_pylist()], pa.string()).take(coded.indices)


def _weeks(rows: pa.Table, person: str, key: Key, file: str) -> pa.Array:
    coded = pc.dictionary_encode(identities(rows[person]))
    if coded.null_count:
        raise Refused(
            f"`{file}` has {coded.null_count} rows without `{person}`, whose dates cannot be shifted. Leave them out."
        )
    return pa.array([key.shift_weeks(text) for text in coded.dictionary.to_pylist()], pa.int64()).take(coded.indices)


def _shifted(dates: pa.Array, weeks: pa.Array | None, step: Step, file: str) -> pa.Array:
    moved = moved_back(dates, weeks, step.way)
    unread = moved.null_count - dates.null_count
    if unread:
        raise Refused(
            f"`{file}`: {unread} of {len(dates)} values of `{step.column}` are no dates as declared. Correct "
            "--date COLUMN=FORMAT, or name the column with --drop."
        )
    return moved


def _plain(column: pa.ChunkedArray) -> pa.Array:
    values = column.combine_chunks()
    return values.dictionary_decode() if pa.types.is_dictionary(values.type) else values


def _numbers(column: pa.ChunkedArray) -> pa.Array:
    values = _plain(column)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        trimmed = pc.utf8_trim_whitespace(values)
        values = pc.if_else(pc.match_substring_regex(trimmed, r"^\d{1,3}(?:\.\d+)?$"), trimmed, None)
    return pc.cast(values, pa.float64())


def _ages(births: pa.Array, as_of: date | None) -> pa.Array:
    """Completed years on a day."""
    day = pa.scalar(as_of, pa.date32())
    had_birthday = pc.less_equal(
        pc.add(pc.multiply(pc.month(births), 100), pc.day(births)), pc.add(pc.multiply(pc.month(day), 100), pc.day(day))
    )
    return pc.cast(
        pc.subtract(pc.subtract(pc.year(day), pc.year(births)), pc.if_else(had_birthday, 0, 1)), pa.float64()
    )


def _bands(ages: pa.Array) -> pa.Array:
    """The band of each age; missing where it is none."""
    values = ages.to_numpy(zero_copy_only=False)
    is_age = (values >= 0) & (values < OLDEST)
    band = np.searchsorted(BAND_STARTS, np.where(is_age, values, 0), side="right") - 1
    return pa.array(BANDS).take(pa.array(band, mask=~is_age))
