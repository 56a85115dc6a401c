"""Daily values of a person: resting heart rate, minutes in heart rate zones, exercise, sleep score.

Each entry is judged while its file and number are known, like minutes are; the sound ones of all files are then one
batch. A day told twice, in files that overlap, is told once; where the two differ, the file that comes last counts.
"""

from collections.abc import Iterator

import duckdb
import numpy as np
import pyarrow as pa

from features.tables import DAILY_METRICS
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
    stage_csv,
)

KINDS = ("resting_heart_rate", "time_in_heart_rate_zones", "exercise", "sleep_score")
KEYS = {"dateTime": "VARCHAR", "value": "JSON"}
EXERCISE_KEYS = {"logId": "VARCHAR", "startTime": "VARCHAR", "duration": "VARCHAR", "activeDuration": "VARCHAR"}
ZONES = {
    "BELOW_DEFAULT_ZONE_1": "heart_zone_below_minutes", "IN_DEFAULT_ZONE_1": "heart_zone_fat_burn_minutes",
    "IN_DEFAULT_ZONE_2": "heart_zone_cardio_minutes", "IN_DEFAULT_ZONE_3": "heart_zone_peak_minutes",
}  # fmt: skip
# The day of a sleep score is that of its time on the wearer's wall clock, which only looks like UTC.
SCORE_COLUMNS = ("timestamp", "overall_score")
QUERIES = {
    # Days without a resting heart rate are filled up with 0.
    "resting_heart_rate": """
        SELECT entry, dateTime AS day, 'resting_heart_rate' AS metric, 0 AS record,
               coalesce(value ->> '$.value', value ->> '$') AS told
        FROM entries WHERE number(coalesce(value ->> '$.value', value ->> '$')) IS DISTINCT FROM 0""",
    "time_in_heart_rate_zones": " UNION ALL ".join(
        f"SELECT entry, dateTime AS day, '{metric}' AS metric, 0 AS record, value ->> '$.valuesInZones.{zone}' AS told "
        f"FROM entries WHERE told IS NOT NULL OR (value -> '$.valuesInZones') IS NULL"
        for zone, metric in ZONES.items()
    ),
    "exercise": """
        SELECT entry, startTime AS day, 'exercise_minutes' AS metric, hash(coalesce(logId, startTime)) AS record,
               (number(coalesce(activeDuration, duration)) / 60000)::VARCHAR AS told FROM entries""",
    "sleep_score": """
        SELECT entry, rtrim(timestamp, 'Z') AS day, 'sleep_score' AS metric, 0 AS record, overall_score AS told
        FROM entries WHERE overall_score <> ''""",
}


def read(connection: duckdb.DuckDBPyConnection, files: list[File], whose: Whose) -> Iterator[Batch]:
    """The daily values of one person, after the entries that broke a rule.

    Raises:
        Refused: a file cannot be read, or nothing in it can.
    """
    files = [file for file in files if file.kind in KINDS]
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE daily (file INTEGER, day DATE, metric VARCHAR, record UBIGINT, value DOUBLE)"
    )
    for number, file in enumerate(files):
        _stage(connection, file, whose.clock.zone)
        refuse_if_all_broken(connection, file.path)
        for found in broken_entries(connection, "day, metric, value"):
            yield Batch("wearable_days", _rows(found, whose), file.path.name, found["entry"].to_numpy(),
                        found["rule"].combine_chunks())  # fmt: skip
        connection.execute(
            f"INSERT INTO daily SELECT {number}, day, metric, record, value FROM staged WHERE rule IS NULL"
        )
    merged = connection.sql("""
        SELECT day, metric, sum(value) AS value FROM (
            SELECT day, metric, record, arg_max(value, file) AS value FROM daily GROUP BY ALL)
        GROUP BY ALL ORDER BY ALL""")
    for portion in merged.to_arrow_reader(ROWS_AT_ONCE):
        if portion.num_rows:
            yield Batch("wearable_days", _rows(pa.Table.from_batches([portion]), whose), label(files))


def _stage(connection: duckdb.DuckDBPyConnection, file: File, zone: str) -> None:
    moment = "moment(day)" if file.kind != "exercise" else f"timezone('{zone}', timezone('UTC', moment(day)))"
    ranges = " ".join(
        f"WHEN metric = '{metric}' THEN value BETWEEN {low} AND {high}"
        for metric, (_, low, high) in DAILY_METRICS.items()
    )
    query = f"""
        SELECT entry, day, metric, record, value, CASE
            WHEN day IS NULL THEN '{TIME_IS_READABLE}' WHEN value IS NULL THEN '{VALUE_IS_A_NUMBER}'
            WHEN NOT CASE {ranges} END THEN 'value_is_plausible' END AS rule
        FROM (SELECT entry, {moment}::DATE AS day, metric, record, number(told) AS value
              FROM ({QUERIES[file.kind]}))"""
    if file.kind == "sleep_score":
        stage_csv(connection, file.path, SCORE_COLUMNS, query)
    else:
        stage(connection, file.path, EXERCISE_KEYS if file.kind == "exercise" else KEYS, query)


def _rows(found: pa.Table, whose: Whose) -> pa.Table:
    subjects = pa.DictionaryArray.from_arrays(np.zeros(len(found), np.int32), pa.array([whose.subject_id]))
    units = [DAILY_METRICS[metric][0] for metric in found["metric"].to_pylist()]
    days = found["day"].to_pandas().astype("datetime64[us]")
    return pa.table({"subject_id": subjects, "local_date": found["day"], "metric": found["metric"], "value": found["value"],
                     "unit": pa.array(units, pa.string()), **whose.clock.provenance_of_days(days)})  # fmt: skip
