"""What is kept of raw minutes that `foretide retain` removed: sums per clock hour, and since when minutes are there.

Read by the day panel and the door; written by `pipelines.retention`.
"""

import json
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
from deltalake import DeltaTable

from features.calendar import is_known_on_sql
from pipelines.lake import Lake


def table(lake: Lake) -> Path:
    """Folder of the Delta table: `features.minutes.KEPT_COLUMNS`, `bucket`, and `removed_before`."""
    return lake.root / "retained" / "wearable_hours"


def files(lake: Lake) -> list[str]:
    """Files of the Delta table; none if nothing ever was removed."""
    folder = table(lake)
    return DeltaTable(str(folder)).file_uris() if folder.is_dir() else []


def intent(lake: Lake) -> Path:
    """The note that a removal is going on, or was cut off: what is removed, and which step it had come to."""
    return lake.root / "retained" / "unfinished.json"


def mark(lake: Lake) -> Path:
    """The file that says up to when minutes were removed."""
    return lake.root / "retained" / "kept_from.json"


def kept_from(lake: Lake) -> date | None:
    """Raw minutes before this day, in UTC, were removed, and late ones stay out. None if nothing ever was removed."""
    path = mark(lake)
    return date.fromisoformat(json.loads(path.read_bytes())["kept_from"]) if path.is_file() else None


def kept_hours(
    lake: Lake, as_of: pd.Timestamp, among: str, connection: duckdb.DuckDBPyConnection
) -> duckdb.DuckDBPyRelation | None:
    """Kept hours as known for a night, among the buckets that the condition names; None if nothing ever was removed."""
    held = files(lake)
    if not held:
        return None
    is_known = is_known_on_sql(f"DATE '{as_of:%Y-%m-%d}'")
    return connection.read_parquet(held, union_by_name=True).filter(f"{among} AND {is_known}")
