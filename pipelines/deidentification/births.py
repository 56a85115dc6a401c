"""Which columns of dates are dates of birth: days without a time, decades apart or long before everything else."""

import pyarrow as pa
import pyarrow.compute as pc

# Births lie further apart, or further back, than what is recorded of a follow-up.
SPREAD_YEARS, BEFORE_YEARS = 20, 15
SAMPLE = 1000
_YEAR = r"(?:18|19|20)\d\d"
_DAY = rf"^(?:(?P<first>{_YEAR})[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.](?P<last>{_YEAR}))(?:[T ]0?0:00(?::00(?:\.0+)?)?Z?)?$"
_INSTANTS = (pa.timestamp("us"), pa.timestamp("us", "UTC"))


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is one of Arrow's texts."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def are_births(years: pa.Array, newest: int) -> bool:
    """Whether days of these years are births, in a file whose newest date is of the year `newest`."""
    if not len(years):
        return False
    low, middle, high = pc.quantile(years, [0.1, 0.5, 0.9]).to_pylist()
    return high - low > SPREAD_YEARS or newest - middle > BEFORE_YEARS


def years_of_dates(column: pa.ChunkedArray) -> pa.Array:
    """Year of each distinct day of a typed column; none where it has times of day."""
    head, days = column.slice(0, SAMPLE), pa.date32()
    if not pc.all(pc.equal(pc.cast(pc.cast(head, days, safe=False), head.type), head)).as_py():
        return pa.array([], pa.int64())
    return pc.year(pc.unique(pc.cast(column, days, safe=False)).drop_null())


def years_of_texts(values: pa.Array) -> pa.Array:
    """Year of each distinct text that is a day with a year of four digits."""
    told = pc.extract_regex(values, _DAY).drop_null()
    years = pc.if_else(pc.equal(told.field("first"), ""), told.field("last"), told.field("first"))
    return pc.cast(years, pa.int64())


def are_instants(texts: pa.ChunkedArray) -> bool:
    """Whether texts are ISO dates with a time of day and nothing else: by far the longest lists of distinct values."""
    head = _parsed(texts.slice(0, SAMPLE))
    return head is not None and not len(years_of_dates(head)) and _parsed(texts) is not None


def newest_year(column: pa.ChunkedArray) -> int:
    """Year of the newest date of a column, of texts only among the first rows; 0 if it holds none."""
    if pa.types.is_date(column.type) or pa.types.is_timestamp(column.type):
        return pc.year(pc.max(column)).as_py() or 0
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not is_text(kind):
        return 0
    head = pc.cast(column.slice(0, SAMPLE), pa.string())
    parsed = _parsed(head)
    years = years_of_texts(pc.unique(head).drop_null()) if parsed is None else pc.year(parsed)
    return pc.max(years).as_py() or 0


def _parsed(texts: pa.ChunkedArray) -> pa.ChunkedArray | None:
    for kind in _INSTANTS:
        try:
            return pc.cast(texts, kind)
        except pa.ArrowInvalid:
            continue
    return None
