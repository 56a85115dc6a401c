"""What of a subject a score could look at: rows by stream as known at the subject's own cutoff; counts and instants only."""

from dataclasses import dataclass

import duckdb
import pandas as pd

from features import calendar
from features.tables import TABLES
from pipelines import engineering
from pipelines.cohort import PANEL_STREAMS
from pipelines.installation import Installation
from pipelines.lake import bucket_of

# What features, masks and statuses are made of; what was done afterwards is no input.
READ = (*PANEL_STREAMS, "events", "care_status")


@dataclass(frozen=True)
class Used:
    """One stream: rows within the time that features look back, and when the newest of them happened."""

    stream: str
    rows: int
    newest: str


def used(installation: Installation, subject_id: str, as_of: str, lookback_days: int) -> list[Used]:
    """Streams with any row of the subject in the days before the night's cutoff, as known then."""
    known = engineering.cohort(installation, as_of)
    if subject_id not in known.zones.index:
        return []
    cutoff = calendar.cutoff_of(known.as_of, known.zones[subject_id], known.cutoff)
    begin = cutoff - pd.Timedelta(days=lookback_days)
    with installation.lake.connection() as connection:
        found = [_used(installation, table, subject_id, begin, cutoff, connection) for table in READ]
    return [one for one in found if one.rows]


def _used(
    installation: Installation, table: str, subject_id: str, begin: pd.Timestamp, cutoff: pd.Timestamp,
    connection: duckdb.DuckDBPyConnection,
) -> Used:  # fmt: skip
    time, quoted = TABLES[table].time, subject_id.replace("'", "''")
    rows = installation.lake.read(table, cutoff, connection).filter(
        f"bucket = {bucket_of(subject_id)} AND subject_id = '{quoted}' "
        f"AND {time} >= '{begin.isoformat()}'::TIMESTAMPTZ AND {time} < '{cutoff.isoformat()}'::TIMESTAMPTZ"
    )
    count, newest = rows.aggregate(f"count(*), max({time})::VARCHAR").fetchall()[0]
    return Used(table, count, "" if newest is None else newest.partition("+")[0].partition(".")[0])
