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
LOGS_AT_ONCE = 20_000
LONGEST_ID = 64
# Duration and the span on the wall clock may differ by a change of the clock, and by half a minute of rounding.
CLOCK_CHANGES_MIN = (0, 30, -30, 60, -60)
ROUNDING_MIN = 1.0
IS_LONG = f"length(logId) > {LONGEST_ID}"
DURATION_FITS = f"""
    list_bool_or([abs(lasted - epoch(ending - start) / 60 - change) <= {ROUNDING_MIN} FOR change IN {list(CLOCK_CHANGES_MIN)}])"""
PATHS = [*(f"$.summary.{level}.minutes" for level in LEVELS), "$.summary"]
# Of texts only the id goes further, and the levels of a log without a summary: others could be of any length.
JUDGED = f"""
    SELECT * EXCLUDE (told, has_other_than_date, has_other_than_numbers, is_main, id_is_long, lasted), is_main = 'true' AS is_main,
           CASE WHEN {DURATION_FITS} THEN lasted END AS lasted, CASE
               WHEN start IS NULL OR ending IS NULL OR has_other_than_date THEN '{TIME_IS_READABLE}'
               WHEN has_other_than_numbers THEN '{VALUE_IS_A_NUMBER}'
               WHEN is_main NOT IN ('true', 'false') THEN '{FLAG_IS_READABLE}'
               WHEN id_is_long THEN 'record_id_is_plausible'
               WHEN NOT {DURATION_FITS} THEN 'duration_fits_start_and_end'
               WHEN abs(of_sleep - ending::DATE) > 1 THEN 'date_of_sleep_fits_its_end' END AS rule
    FROM (
        SELECT entry, CASE WHEN NOT {IS_LONG} THEN logId END AS id, {IS_LONG} AS id_is_long,
               moment(startTime) AS start, moment(endTime) AS ending, moment(dateOfSleep)::DATE AS of_sleep,
               is_no_moment(dateOfSleep) AS has_other_than_date, number(duration) / 60000 AS lasted,
               number(minutesAsleep) AS asleep_told, number(minutesAwake) AS awake_told,
               {" OR ".join(f"is_no_number({name})" for name in NUMBERS)}
                   OR list_bool_or([is_no_number(one) FOR one IN told[:{len(LEVELS)}]]) AS has_other_than_numbers,
               coalesce(mainSleep, isMainSleep) AS is_main, told,
               {", ".join(f"number(told[{at}]) AS {level}" for at, level in enumerate(LEVELS, start=1))},
               CASE WHEN told[{len(PATHS)}] IS NULL THEN levels::VARCHAR END AS levels
        FROM (SELECT *, levels ->> {PATHS} AS told FROM entries))"""


def read(connection: duckdb.DuckDBPyConnection, files: list[File], whose: Whose) -> Iterator[Batch]:
    """The sleep logs of one person, some of a file at a time, those that broke a rule among them.

    Raises:
        Refused: a file cannot be read, or nothing in it can.
    """
    for file in files:
        if file.kind in KINDS:
            stage(connection, file.path, KEYS, JUDGED)
            refuse_if_all_broken(connection, file.path)
            last = connection.sql("SELECT coalesce(max(entry), 0) FROM staged").fetchall()[0][0]
            for first in range(1, last + 1, LOGS_AT_ONCE):
                yield _batch(_logs(connection, first), file.path.name, whose)


def _logs(connection: duckdb.DuckDBPyConnection, first: int) -> pd.DataFrame:
    """Some logs from this entry on; where one has no summary, its levels are summed up from their list."""
    logs = connection.sql(f"""
        SELECT * EXCLUDE levels, levels IS NOT NULL AS is_listed FROM staged
        WHERE entry BETWEEN {first} AND {first + LOGS_AT_ONCE - 1} ORDER BY entry""").df()
    levels = logs[list(LEVELS)].astype(float)
    for at, entry in logs.loc[logs["is_listed"], "entry"].items():
        # One at a time: a list may be as long as an entry may be.
        told = connection.execute("SELECT levels FROM staged WHERE entry = ?", [entry]).fetchall()[0][0]
        levels.loc[at] = pd.Series(minutes_by_level(told), dtype=float).reindex(list(LEVELS))
    return logs.assign(**levels)


def _batch(logs: pd.DataFrame, file: str, whose: Whose) -> Batch:
    onset, offset = _instants(logs, whose.clock.zone)
    frame = pa.table({
        "subject_id": pa.array([whose.subject_id] * len(logs), pa.string()),
        "record_id": pa.array(logs["id"].fillna(row_hash(logs, ["start", "ending"])), pa.string()),
        "onset_at": pa.array(onset), "offset_at": pa.array(offset),
        "minutes_asleep": pa.array(_total(logs["asleep_told"], logs[["deep", "light", "rem", "asleep"]])),
        "minutes_awake": pa.array(_total(logs["awake_told"], logs[["wake", "restless", "awake"]])),
        **{f"minutes_{level}": pa.array(logs[level]) for level in ("light", "deep", "rem")},
        "is_main": pa.array(logs["is_main"], pa.bool_(), from_pandas=True),
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


def _total(told: pd.Series, levels: pd.DataFrame) -> pd.Series:
    """Minutes as the log tells them, else the sum over levels."""
    return told.astype(float).fillna(levels.sum(axis=1, min_count=1))
