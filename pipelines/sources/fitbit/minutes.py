"""Steps and heart rate of a person, minute by minute: both kinds of file make one row of `wearable`.

Each entry is judged while its file and number are known; what breaks a rule goes into quarantine from there. Months of
files overlap, and a minute may lie in two of them: samples of heart rate are summed up before they are averaged, and of
two counts of steps the larger one, which was synchronised later, counts.
"""

from collections.abc import Iterator

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from features.tables import WEARABLE
from pipelines.sources.batch import Batch
from pipelines.sources.fitbit.entries import (
    ROWS_AT_ONCE,
    TIME_IS_READABLE,
    VALUE_IS_A_NUMBER,
    File,
    Whose,
    broken_entries,
    label,
    refuse_if_all_broken,
    stage,
)

KINDS = ("steps", "heart_rate")
KEYS = {"dateTime": "VARCHAR", "value": "JSON"}
# The device writes 70 bpm of no confidence while it is not worn: such a sample is no heart rate.
TOLD = {
    "steps": "value ->> '$' AS told FROM entries",
    "heart_rate": "value ->> '$.bpm' AS told FROM entries WHERE number(value ->> '$.confidence') IS DISTINCT FROM 0",
}
ADDED = {
    "steps": "SELECT minute, value::INTEGER, NULL, NULL FROM staged WHERE rule IS NULL",
    "heart_rate": "SELECT minute, NULL, sum(value), count(*) FROM staged WHERE rule IS NULL GROUP BY minute",
}


def read(connection: duckdb.DuckDBPyConnection, files: list[File], whose: Whose) -> Iterator[Batch]:
    """The minutes of one person in order of time, after the entries that broke a rule.

    Raises:
        Refused: a file cannot be read, or nothing in it can.
    """
    files = [file for file in files if file.kind in KINDS]
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE minutes (minute TIMESTAMP, steps INTEGER, beats DOUBLE, samples BIGINT)"
    )
    for file in files:
        stage(connection, file.path, KEYS, _judged(file.kind))
        refuse_if_all_broken(connection, file.path)
        for found in broken_entries(connection, f"minute, value AS {file.kind}"):
            yield Batch("wearable", _rows(found, whose), file.path.name, found["entry"].to_numpy(),
                        found["rule"].combine_chunks())  # fmt: skip
        connection.execute(f"INSERT INTO minutes {ADDED[file.kind]}")
    # Integer heart rates: the mean of a minute is rounded, as the column is whole beats.
    merged = connection.sql("""
        SELECT minute, max(steps) AS steps, round(sum(beats) / sum(samples))::INTEGER AS heart_rate
        FROM minutes GROUP BY minute ORDER BY minute""")
    for portion in merged.to_arrow_reader(ROWS_AT_ONCE):
        if portion.num_rows:
            yield Batch("wearable", _rows(pa.Table.from_batches([portion]), whose), label(files))


def _judged(kind: str) -> str:
    """Minute, value and broken rule of each entry, as SQL."""
    column = WEARABLE.column(kind)
    return f"""
        SELECT entry, minute, value, CASE
            WHEN minute IS NULL THEN '{TIME_IS_READABLE}' WHEN value IS NULL THEN '{VALUE_IS_A_NUMBER}'
            WHEN value NOT BETWEEN {column.low} AND {column.high} THEN '{kind}_is_plausible' END AS rule
        FROM (SELECT entry, date_trunc('minute', moment(dateTime)) AS minute, number(told) AS value
              FROM (SELECT entry, dateTime, {TOLD[kind]}))"""


def _rows(found: pa.Table, whose: Whose) -> pa.Table:
    minutes = found["minute"].cast(pa.timestamp("us", tz="UTC"))
    subjects = pa.DictionaryArray.from_arrays(np.zeros(len(found), np.int32), pa.array([whose.subject_id]))
    told = {name: found[name] for name in KINDS if name in found.column_names}
    clocks = whose.clock.provenance(pd.Series(minutes.to_pandas()).astype("datetime64[us, UTC]"))
    return pa.table({"subject_id": subjects, "minute_at": minutes, **told, **clocks})
