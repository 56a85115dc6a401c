"""A delivery's rows as the bytes that PostgreSQL's COPY takes: CSV, made by Arrow, with lists as array literals."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

ROWS_AT_ONCE = 50_000
OPTIONS = pyarrow.csv.WriteOptions(include_header=False)


def chunks(table: pa.Table) -> Iterator[bytes]:
    """The rows in the table's order of columns; an absent value is an empty field, an empty text a quoted one."""
    for start in range(0, table.num_rows, ROWS_AT_ONCE):
        part = table.slice(start, ROWS_AT_ONCE).combine_chunks()
        columns = [_literal(column) if pa.types.is_list(column.type) else column for column in part.columns]
        sink = pa.BufferOutputStream()
        pyarrow.csv.write_csv(pa.table(columns, names=table.column_names), sink, OPTIONS)
        yield sink.getvalue().to_pybytes()


def _literal(column: pa.ChunkedArray) -> pa.Array:
    """Lists of text as PostgreSQL writes them: {"one","with \\"quotes\\""}; an absent list stays absent."""
    lists = column.combine_chunks()
    lists = lists.chunk(0) if isinstance(lists, pa.ChunkedArray) else lists
    escaped = pc.replace_substring(pc.replace_substring(lists.values, "\\", "\\\\"), '"', '\\"')
    quoted = pc.binary_join_element_wise('"', escaped, '"', "")
    joined = pc.binary_join(pa.ListArray.from_arrays(lists.offsets, quoted), ",")
    literal = pc.binary_join_element_wise("{", joined, "}", "")
    return pc.if_else(lists.is_valid(), literal, pa.scalar(None, pa.string()))
