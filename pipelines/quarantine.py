"""Rows that broke a rule at the door: kept with file, row number and rule, so that nothing is lost.

The rows themselves are individual-level data; they stay in the lake's folder and are never printed.
"""

from pathlib import Path

import duckdb
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import TableNotFoundError

from features.tables import Table
from pipelines.lake import DELTA, WRITER, Lake

ROWS_PER_BATCH = 200_000


def keep_broken(lake: Lake, connection: duckdb.DuckDBPyConnection, table: Table, ingest_id: str) -> None:
    """Add the rows of the view `staged` that broke a rule, in one commit."""
    fields = ", ".join(f"{name} := {name}" for name in table.arrow_schema().names)
    rows = connection.sql(f"""
        SELECT '{ingest_id}' AS ingest_id, '{table.name}' AS "table", file, row_number, rule, subject_id,
               to_json(struct_pack({fields}))::VARCHAR AS "row"
        FROM staged WHERE rule IS NOT NULL ORDER BY file, row_number""")
    write_deltalake(
        str(_folder(lake)), rows.to_arrow_reader(ROWS_PER_BATCH), mode="append", configuration=DELTA,
        writer_properties=WRITER,
    )  # fmt: skip


def forget_ingest(lake: Lake, ingest_id: str) -> None:
    """Take back what an unfinished ingest put into quarantine."""
    try:
        DeltaTable(str(_folder(lake))).delete(f"ingest_id = '{ingest_id}'")
    except TableNotFoundError:
        return


def _folder(lake: Lake) -> Path:
    return lake.root / "quarantine"
