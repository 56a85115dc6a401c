"""Rows that broke a rule at the door: kept with file, row number and rule, so that nothing is lost.

The rows themselves are individual-level data; they stay in the lake's folder and are never printed.
"""

from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import TableNotFoundError

from pipelines.lake import DELTA, WRITER, Lake

SCHEMA = pa.schema(
    [
        ("ingest_id", pa.string()), ("table", pa.string()), ("file", pa.string()), ("row_number", pa.int64()),
        ("rule", pa.string()), ("subject_id", pa.string()), ("row", pa.string()),
    ]
)  # fmt: skip


def keep(lake: Lake, rows: pa.Table) -> None:
    """Add refused rows in one commit."""
    write_deltalake(
        str(_folder(lake)), rows.cast(SCHEMA), mode="append", configuration=DELTA, writer_properties=WRITER
    )


def forget_ingest(lake: Lake, ingest_id: str) -> None:
    """Take back what an unfinished ingest put into quarantine."""
    try:
        DeltaTable(str(_folder(lake))).delete(f"ingest_id = '{ingest_id}'")
    except TableNotFoundError:
        return


def _folder(lake: Lake) -> Path:
    return lake.root / "quarantine"
