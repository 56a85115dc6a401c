"""A batch as Arrow rows of its table's declared types, provenance filled in."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.tables import TABLES, Table
from pipelines.errors import Refused
from pipelines.sources.batch import Batch

# What a source need not say. `received_at` is not among them: without it nobody knows what was knowable.
UNSAID = {"source": "unnamed", "device_id": "", "is_deleted": False, "utc_offset_min": 0, "version": 0}
INT32 = np.iinfo(np.int32)
CODE = pa.int32()


def typed_rows(batch: Batch, ingest_id: str, received_at: pd.Timestamp | None) -> pa.Table:
    """A batch as Arrow rows of its table's schema, text as codes; missing values are left to the rules.

    Raises:
        Refused: an unknown table or column, a missing required column, a type that does not fit, no receipt time.
    """
    if batch.table not in TABLES:
        raise Refused(f"`{batch.table}` is not a table of Foretide. Use one of {', '.join(TABLES)}.")
    table, names = TABLES[batch.table], _names(batch)
    _refuse_columns(batch, table, names)
    if "received_at" not in names and received_at is None:
        raise Refused(f"{batch.file} does not say when its rows were received. Give --received-at INSTANT.")
    said = {**UNSAID, "received_at": received_at, "ingest_id": ingest_id}
    columns = {}
    for column in table.arrow_schema():
        if column.name in names and column.name != "ingest_id":
            filled = _array(batch.frame[column.name], column, table, batch.file)
            columns[column.name] = filled.fill_null("") if column.name == "device_id" else filled
        else:
            columns[column.name] = repeated(said.get(column.name), column.type, len(batch.frame))
    return pa.table({name: _coded(values) for name, values in columns.items()})


def repeated(value: object, type: pa.DataType, times: int) -> pa.Array:
    """One value so many times; a text at the cost of one."""
    if pa.types.is_string(type) and value is not None:
        return pa.DictionaryArray.from_arrays(np.zeros(times, np.int32), pa.array([value], type))
    return pa.repeat(pa.scalar(value, type=type), times)


def _names(batch: Batch) -> list[str]:
    return batch.frame.column_names if isinstance(batch.frame, pa.Table) else [str(n) for n in batch.frame.columns]


def _coded(values: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """Text as codes of distinct values: what is the same in many rows is then stored, compared and hashed once."""
    if isinstance(values, pa.Array):
        values = pa.chunked_array([values])
    if not pa.types.is_string(values.type):
        return values
    return values.dictionary_encode().unify_dictionaries()


def _refuse_columns(batch: Batch, table: Table, names: list[str]) -> None:
    stray = [name for name in names if name not in table.arrow_schema().names]
    if stray:
        raise Refused(
            f"`{table.name}` in {batch.file} has {len(stray)} undeclared columns: {', '.join(stray)}. Drop them."
        )
    missing = [column.name for column in table.columns if column.is_required and column.name not in names]
    if missing:
        raise Refused(
            f"`{table.name}` in {batch.file} lacks {len(missing)} columns: {', '.join(missing)}. "
            "Add them to the file or to the mapping."
        )


def _array(
    values: pd.Series | pa.ChunkedArray, column: pa.Field, table: Table, file: str
) -> pa.Array | pa.ChunkedArray:
    where = f"`{table.name}.{column.name}` in {file}"
    try:
        found = values if isinstance(values, pa.ChunkedArray) else pa.array(values, from_pandas=True)
        _refuse_zoneless(found, column, where)
        return found if found.type == column.type else _cast(found, column.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        # Not chained: Arrow's message quotes the value.
        raise Refused(
            f"{where}: some of {len(values)} values are not of type {column.type}. Give their type, format or unit "
            "in the mapping."
        ) from None


def _cast(found: pa.Array | pa.ChunkedArray, wanted: pa.DataType) -> pa.Array | pa.ChunkedArray:
    if pa.types.is_dictionary(found.type) and pa.types.is_string(wanted):
        return pc.cast(found, pa.dictionary(CODE, pa.string())) if found.type.value_type != wanted else found
    if pa.types.is_floating(found.type):
        found = pc.cast(found, pa.float64())
        found = pc.if_else(pc.is_nan(found), None, found)
    if pa.types.is_int32(wanted) and (pa.types.is_floating(found.type) or _is_wider(found.type)):
        # Numbers too large for the type are clipped, not wrapped: the rules then find them out of range.
        whole = pc.round(found) if pa.types.is_floating(found.type) else found
        low, high = (pa.scalar(bound, whole.type) for bound in (INT32.min, INT32.max))
        found = pc.min_element_wise(pc.max_element_wise(whole, low, skip_nulls=False), high, skip_nulls=False)
    return pc.cast(found, wanted, safe=False)


def _refuse_zoneless(values: pa.Array | pa.ChunkedArray, column: pa.Field, where: str) -> None:
    if pa.types.is_timestamp(column.type) and pa.types.is_timestamp(values.type) and values.type.tz is None:
        count = len(values) - values.null_count
        raise Refused(f"{where}: {count} times have no time zone. Give `time_zone:` in the mapping.")


def _is_wider(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) and (kind.bit_width > CODE.bit_width or kind == pa.uint32())
