"""Sleep logs of a person: nights and naps, with stages where the device told them.

Start and end are wall-clock times, the duration is time that really passed: a night ends its duration after it began,
so that the hour which a clock change skips or repeats is counted right. A log belongs to the day of its awakening,
which is what `dateOfSleep` says; one that contradicts it goes into quarantine.
"""

from collections.abc import Iterator

import duckdb
import pandas as pd
import pyarrow as pa

from pipelines.sources.batch import Batch, row_hash
from pipelines.sources.fitbit.entries import (
    FLAG_IS_READABLE,
    TIME_IS_READABLE,
    VALUE_IS_A_NUMBER,
    File,
    Whose,
    refuse_if_all_broken,
    stage,
)
from pipelines.sources.fitbit.stages import minutes_by_level
from pipelines.sources.receipt import to_utc

KINDS = ("sleep",)
NUMBERS = ("duration", "minutesAsleep", "minutesAwake")
TEXTS = ("logId", "dateOfSleep", "startTime", "endTime", *NUMBERS, "mainSleep", "isMainSleep")
KEYS = {**dict.fromkeys(TEXTS, "VARCHAR"), "levels": "JSON"}
LEVELS = ("deep", "light", "rem", "wake", "asleep", "restless", "awake")
LOGS_AT_ONCE = 2000
# Duration and the span on the wall clock may differ by a change of the clock, and by half a minute of rounding.
CLOCK_CHANGES_MIN = (0, 30, -30, 60, -60)
ROUNDING_MIN = 1.0
SUMMARY = [f"$.summary.{level}.minutes" for level in LEVELS]
JUDGED = f"""
    SELECT *, CASE
        WHEN start IS NULL OR ending IS NULL OR (dateOfSleep IS NOT NULL AND of_sleep IS NULL) THEN '{TIME_IS_READABLE}'
        WHEN {" OR ".join(f"is_no_number({name})" for name in NUMBERS)}
            OR list_bool_or([is_no_number(minutes) FOR minutes IN told[:{len(LEVELS)}]]) THEN '{VALUE_IS_A_NUMBER}'
        WHEN is_main IS NOT NULL AND is_main NOT IN ('true', 'false') THEN '{FLAG_IS_READABLE}'
        WHEN NOT list_bool_or([abs(lasted - epoch(ending - start) / 60 - change) <= {ROUNDING_MIN}
                               FOR change IN {list(CLOCK_CHANGES_MIN)}]) THEN 'duration_fits_start_and_end'
        WHEN abs(of_sleep - ending::DATE) > 1 THEN 'date_of_sleep_fits_its_end' END AS rule
    FROM (
        SELECT entry, logId, dateOfSleep, moment(startTime) AS start, moment(endTime) AS ending,
               moment(dateOfSleep)::DATE AS of_sleep, number(duration) / 60000 AS lasted,
               {", ".join(NUMBERS)}, coalesce(mainSleep, isMainSleep) AS is_main, told,
               {", ".join(f"number(told[{at}]) AS {level}" for at, level in enumerate(LEVELS, start=1))},
               CASE WHEN told[{len(LEVELS) + 1}] IS NULL THEN levels::VARCHAR END AS levels
        FROM (SELECT *, levels ->> {[*SUMMARY, "$.summary"]} AS told FROM entries))"""


def read(connection: duckdb.DuckDBPyConnection, files: list[File], whose: Whose) -> Iterator[Batch]:
    """The sleep logs of one person, some of a file at a time, those that broke a rule among them.

    Raises:
        Refused: a file cannot be read, or nothing in it can.
    """
    for file in files:
        if file.kind in KINDS:
            stage(connection, file.path, KEYS, JUDGED)
            refuse_if_all_broken(connection, file.path)
            logs = connection.sql("SELECT * EXCLUDE told FROM staged ORDER BY entry").to_arrow_reader(LOGS_AT_ONCE)
            for portion in logs:
                if portion.num_rows:
                    yield _batch(portion.to_pandas(), file.path.name, whose)


def _batch(logs: pd.DataFrame, file: str, whose: Whose) -> Batch:
    onset, offset = _instants(logs, whose.clock.zone)
    asleep, awake, stages = _minutes(logs)
    frame = pa.table({
        "subject_id": pa.array([whose.subject_id] * len(logs), pa.string()),
        "record_id": pa.array(logs["logId"].fillna(row_hash(logs, ["start", "ending"])), pa.string()),
        "onset_at": pa.array(onset), "offset_at": pa.array(offset), "minutes_asleep": pa.array(asleep),
        "minutes_awake": pa.array(awake),
        **{f"minutes_{name}": pa.array(stages[name]) for name in ("light", "deep", "rem")},
        "is_main": pa.array(logs["is_main"].map({"true": True, "false": False}).tolist(), pa.bool_(), from_pandas=True),
        **whose.clock.provenance(offset),
    })  # fmt: skip
    return Batch("sleep", frame, file, logs["entry"].to_numpy(), pa.array(logs["rule"], pa.string(), from_pandas=True))


def _instants(logs: pd.DataFrame, zone: str) -> tuple[pd.Series, pd.Series]:
    """Onset and offset. A start in an hour that occurs twice is the one from which the duration leads to the end."""
    lasted = pd.to_timedelta(logs["lasted"], unit="min").astype("timedelta64[us]")
    onset, end = to_utc(logs["start"], zone), to_utc(logs["ending"], zone)
    later = end - lasted
    is_later = (_wall_clock(later, zone) == logs["start"]) & (_wall_clock(onset + lasted, zone) != logs["ending"])
    onset = onset.mask(is_later, later)
    return onset, (onset + lasted).fillna(end)


def _wall_clock(instants: pd.Series, zone: str) -> pd.Series:
    return instants.dt.tz_convert(zone).dt.tz_localize(None)


def _minutes(logs: pd.DataFrame) -> tuple[pd.Series, pd.Series, pd.DataFrame]:
    """Minutes asleep, awake and by level; levels come from the summary, or from the log's own list of them."""
    levels = logs[list(LEVELS)].astype(float)
    for at, told in logs["levels"].dropna().items():
        levels.loc[at] = pd.Series(minutes_by_level(told), dtype=float).reindex(list(LEVELS))
    told_asleep, told_awake = (pd.to_numeric(logs[name], errors="coerce") for name in ("minutesAsleep", "minutesAwake"))
    asleep = levels[["deep", "light", "rem", "asleep"]].sum(axis=1, min_count=1)
    awake = levels[["wake", "restless", "awake"]].sum(axis=1, min_count=1)
    return told_asleep.fillna(asleep), told_awake.fillna(awake), levels
