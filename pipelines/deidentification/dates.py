"""Moving dates back by whole weeks, in whatever way a file writes them; weekday and time of day stay.

Ways: None for typed columns and for texts that begin with an ISO day, `s` and `ms` for seconds and milliseconds since
1970, else a format such as `%d.%m.%Y %H:%M`.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

EPOCHS = {"s": 1, "ms": 1000}
ISO_DAY = r"^\d{4}-\d\d-\d\d(?:[T ].*)?$"
# Days written otherwise, which only a declared format can read.
OTHER_DAY = r"^\d{1,4}[./-]\d{1,2}[./-]\d{1,4}(?:[T ,].*)?$"
WEEK_S = 7 * 86_400
# 1998 to 2036, in seconds.
EPOCH_LOW, EPOCH_HIGH = 9e8, 2.1e9


def moved_back(dates: pa.Array, weeks: pa.Array, way: str | None) -> pa.Array:
    """Dates moved back by `weeks`, both of shape (rows,), in the type and way they came; missing where unreadable."""
    if way in EPOCHS:
        return _epochs_moved(dates, pc.multiply(weeks, WEEK_S * EPOCHS[way]))
    if pa.types.is_temporal(dates.type):
        back = pc.cast(pc.multiply(weeks, WEEK_S), pa.duration("s"))
        plain = pa.timestamp("ms") if pa.types.is_date64(dates.type) else pa.timestamp("s")
        moved = pc.subtract(pc.cast(dates, plain) if pa.types.is_date(dates.type) else dates, back)
        return pc.cast(moved, dates.type)
    if way is not None:
        back = pc.cast(pc.multiply(weeks, WEEK_S), pa.duration("s"))
        return pc.strftime(pc.subtract(pc.strptime(dates, way, "s", error_is_null=True), back), way)
    days = _days(pc.utf8_slice_codeunits(dates, 0, 10))
    moved = pc.cast(pc.subtract(days, pc.multiply(weeks, 7)), pa.int32()).view(pa.date32())
    return pc.binary_join_element_wise(pc.cast(moved, pa.string()), pc.utf8_slice_codeunits(dates, 10), "")


def days_of(dates: pa.Array, way: str | None) -> pa.Array:
    """The civil day of each date; missing where unreadable."""
    if pa.types.is_temporal(dates.type):
        return pc.cast(dates, pa.date32(), safe=False)
    if way is not None:
        return pc.cast(pc.strptime(dates, way, "s", error_is_null=True), pa.date32(), safe=False)
    return pc.cast(_days(pc.utf8_slice_codeunits(dates, 0, 10)), pa.int32()).view(pa.date32())


def _days(texts: pa.Array) -> pa.Array:
    parsed = pc.strptime(texts, "%Y-%m-%d", "s", error_is_null=True)
    return pc.cast(pc.cast(parsed, pa.date32()).view(pa.int32()), pa.int64())


def _epochs_moved(dates: pa.Array, back: pa.Array) -> pa.Array:
    if not pa.types.is_string(dates.type):
        return pc.cast(pc.subtract(dates, pc.cast(back, dates.type)), dates.type)
    parts = pc.extract_regex(dates, r"^(?P<whole>\d{1,15})(?P<rest>(?:\.\d*)?)$")
    whole = pc.cast(pc.if_else(pc.is_valid(parts), parts.field("whole"), None), pa.int64())
    return pc.binary_join_element_wise(pc.cast(pc.subtract(whole, back), pa.string()), parts.field("rest"), "")


def are_epochs(column: pa.ChunkedArray) -> bool:
    """Whether all numbers of a column, typed or text, could be seconds or milliseconds since 1970 of our days."""
    try:
        bounds = pc.min_max(pc.cast(column, pa.float64()))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return False
    low, high = np.array([bounds["min"].as_py() or 0, bounds["max"].as_py() or 0], float)
    return any(low >= EPOCH_LOW * unit and high <= EPOCH_HIGH * unit for unit in EPOCHS.values())
