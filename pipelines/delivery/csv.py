"""CSV for spreadsheets: text that a spreadsheet would run as a formula is disarmed, numbers are left as they are."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

NAME = "scores.csv"
SEPARATOR = "; "
# Cells that begin so are run by Excel and its like; the wide forms are what some of them fold to the plain ones.
FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
NUMBER = r"^[+\-]?(\d+\.?\d*|\.\d+)([eE][+\-]?\d+)?$"


def chunks(table: pa.Table) -> Iterator[bytes]:
    """The file's bytes: UTF-8, header, `\\n` line ends, lists joined by `; `, instants as ISO 8601 in UTC."""
    columns = [_as_text(table.column(name)) for name in table.column_names]
    sink = pa.BufferOutputStream()
    pyarrow.csv.write_csv(pa.table(columns, names=table.column_names), sink)
    yield memoryview(sink.getvalue())  # type: ignore[misc]


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_list(column.type):
        column = pa.chunked_array([pc.binary_join(part, SEPARATOR) for part in column.chunks], pa.string())
    if pa.types.is_timestamp(column.type):
        return pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ")
    return disarmed(column) if pa.types.is_string(column.type) else column


def disarmed(text: pa.ChunkedArray) -> pa.ChunkedArray:
    """Text with an apostrophe before whatever would run; a plain negative number stays itself."""
    runs = pc.and_(pc.match_substring_regex(text, FORMULA), pc.invert(pc.match_substring_regex(text, NUMBER)))
    return pc.if_else(runs, pc.binary_join_element_wise("'", text, ""), text)
