"""A column's distinct values as text, which is what the gate judges: the cost follows them and not the rows."""

import pyarrow as pa
import pyarrow.compute as pc


def distinct(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Distinct values as text, missing and empty ones left out."""
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries() if isinstance(column, pa.ChunkedArray) else column
        found = pc.unique(column)
        found = found.dictionary.take(found.indices.drop_null())
    else:
        found = pc.unique(column).drop_null()
    found = pc.cast(found, pa.string())
    return found.filter(pc.not_equal(found, ""))


def filled(column: pa.ChunkedArray) -> int:
    """How many rows have a value."""
    return len(column) - column.null_count - (pc.sum(pc.equal(column, "")).as_py() or 0)
