"""From minutes of a wearable to whole-number sums per clock hour: each minute is looked at once.

The sums are additive. What is received later adds to its hour from the index date on that may use it; a correction
takes off what it replaces and adds what it says. So every version of a day comes from its hours alone, without a
second look at its minutes, and hours can be kept when the minutes they came from are no more.
"""

from collections.abc import Iterable
from datetime import time

import duckdb
import numpy as np
import pandas as pd

from features import activity
from features.calendar import DEFAULT_CUTOFF, index_date_knowing, receipt_bin_sql, receipt_bin_us
from features.tables import TABLES
from features.versions import known_by

DEVICE = ("source", "device_id", "device_model", "algorithm_version")
# What of a minute shows that somebody wears the device, where it does not say so itself: variability needs a pulse, too.
SIGN = "(heart_rate IS NOT NULL OR hrv_rmssd IS NOT NULL OR steps > 0)"
IS_WORN = f"coalesce(worn, {SIGN})"
# A row with nothing but its time is no evidence of anything: not of a device off the body, nor of a contact.
SAYS_ANYTHING = " OR ".join(f"{name} IS NOT NULL" for name in ("steps", "heart_rate", "hrv_rmssd", "worn"))
WHOLE = f"{2**63 - 1}::HUGEINT"
# Name -> SQL over single minutes. Squares tell whether all minutes of an hour gave one and the same value. Bits say which
# of an hour's minutes, where each was told once (`activity.known_bits`); sums of more would not fit, and are cut off.
SUMS = {
    "minutes": f"count_if({SAYS_ANYTHING})",
    "steps": "sum(steps)", "step_minutes": "count(steps)", "step_squares": "sum(steps * steps)",
    "worn": "count_if(shown)", "said_worn": "count_if(worn)",
    "incidental": f"count_if(steps BETWEEN 1 AND {activity.SLOW_STEPS_PER_MIN - 1})",
    "slow": f"count_if(steps BETWEEN {activity.SLOW_STEPS_PER_MIN} AND {activity.BRISK_STEPS_PER_MIN - 1})",
    "brisk": f"count_if(steps >= {activity.BRISK_STEPS_PER_MIN})",
    "active_bits": f"sum(minute_bit & -(steps > 0)::BIGINT) & {WHOLE}",
    "still_bits": f"sum(minute_bit & -(steps = 0)::BIGINT) & {WHOLE}",
    "beats": "sum(heart_rate)", "beat_minutes": "count(heart_rate)", "beat_squares": "sum(heart_rate * heart_rate)",
    "hrv": "sum(hrv_rmssd)", "hrv_minutes": "count(hrv_rmssd)",
}  # fmt: skip
SUMS_SQL = ", ".join(f"coalesce({sql}, 0)::BIGINT AS {name}" for name, sql in SUMS.items())
# Minutes and hours are counted from 1970 on the wall clock where the subject was: 24 hours to a civil day.
MINUTE_SQL = "(epoch_us(minute_at) // 60000000 + utc_offset_min::BIGINT)"
HOUR_SQL = f"{MINUTE_SQL} // 60"
# What a device says of minutes in which it was not worn, by its own word, is not about its subject: a drawer is not calm.
OF_SUBJECT = {name: f"CASE WHEN coalesce(worn, TRUE) THEN {name} END" for name in ("steps", "heart_rate", "hrv_rmssd")}
BIT_SQL = "1::BIGINT << ({}) AS minute_bit"
# Stands for a sum that hours lack which an older program kept: no minutes make up for it, and a negative sum is unknown.
UNKNOWN = -1_000_000
DEVICE_SQL = f"hash({', '.join(DEVICE)})"
# One row per subject, device, offset, hour and first index date that may use it.
HOUR_KEY = ["subject_id", "device", "utc_offset_min", "hour", "known_on"]
# What is kept of minutes that are no more: the devices by name, for their hash is only this program's.
KEPT_COLUMNS = ["subject_id", *DEVICE, "utc_offset_min", "hour", "known_on", *SUMS]


def hour_sums(
    connection: duckdb.DuckDBPyConnection, relation: duckdb.DuckDBPyRelation, zones: pd.Series,
    cutoff: time = DEFAULT_CUTOFF, as_of: pd.Timestamp | None = None,
) -> pd.DataFrame:  # fmt: skip
    """What each index date added to the sums of each clock hour, per subject and device: `HOUR_KEY` and `SUMS`.

    Args:
        connection: the connection that the relation belongs to.
        relation: all versions of rows of `wearable`, deletions included.
        zones: time zone of each subject's site, by subject; rows of others are left out: they are strangers.
        cutoff: when a night ends.
        as_of: the index date by which rows must be known, if any.
    """
    name, receipt = "minutes_raw", receipt_bin_sql(cutoff)
    told = ", ".join(f"{sql} AS {column}" for column, sql in OF_SUBJECT.items())
    relation.project(f"* REPLACE ({told}), {BIT_SQL.format(f'{MINUTE_SQL} % 60')}, {IS_WORN} AS shown").create_view(
        name, replace=True
    )
    key = f"subject_id, {DEVICE_SQL} AS device, utc_offset_min, {HOUR_SQL} AS hour"
    sums = connection.sql(f"""
        SELECT {key}, {receipt} AS receipt, {SUMS_SQL} FROM {name} WHERE version = 0 AND NOT is_deleted
        GROUP BY ALL HAVING {SUMS["minutes"]} > 0""").df()  # fmt: skip
    if connection.sql(f"SELECT 1 FROM {name} WHERE version > 0 OR is_deleted LIMIT 1").fetchall():
        sums = pd.concat([sums, _corrections(connection, name, key, receipt)], ignore_index=True)
    known_on = _known_on(sums["subject_id"], sums["receipt"].to_numpy() * receipt_bin_us(cutoff), zones, cutoff)
    # An empty answer has no text type of its own, and would take that of kept hours away.
    sums = sums.assign(known_on=known_on, subject_id=sums["subject_id"].astype("str"))
    return known_by(sums[[*HOUR_KEY, *SUMS]], as_of)


def _corrections(connection: duckdb.DuckDBPyConnection, name: str, key: str, receipt: str) -> pd.DataFrame:
    """What corrected rows add when they come, and what the rows they replace take away with them then."""
    row_key = ", ".join(TABLES["wearable"].key)
    connection.execute(f"""
        CREATE OR REPLACE TEMP TABLE {name}_touched AS
        WITH again AS (SELECT DISTINCT {row_key} FROM {name} WHERE version > 0 OR is_deleted)
        SELECT *, {receipt} AS receipt, lead({receipt}) OVER (
            PARTITION BY {row_key} ORDER BY received_at, version, ingest_id) AS ended
        FROM {name} SEMI JOIN again USING ({row_key})""")  # fmt: skip
    nothing = ", ".join(f"0::BIGINT AS {column}" for column in SUMS)
    taken_off = ", ".join(f"-coalesce({sql}, 0)::BIGINT AS {column}" for column, sql in SUMS.items())
    corrections: pd.DataFrame = connection.sql(f"""
        SELECT {key}, receipt, {SUMS_SQL} FROM {name}_touched WHERE version > 0 AND NOT is_deleted GROUP BY ALL
        UNION ALL
        SELECT {key}, ended AS receipt, {taken_off} FROM {name}_touched
        WHERE ended IS NOT NULL AND NOT is_deleted GROUP BY ALL
        UNION ALL
        SELECT DISTINCT {key}, receipt, {nothing} FROM {name}_touched WHERE is_deleted""").df()  # fmt: skip
    return corrections


def spoken(sums: pd.DataFrame) -> pd.Series:
    """Of how many minutes of each hour a device tells anything of its subject, by its best sensor."""
    return sums[["step_minutes", "beat_minutes", "hrv_minutes", "worn"]].max(axis=1)


def _known_on(subject_id: pd.Series, received_us: np.ndarray, zones: pd.Series, cutoff: time) -> pd.Series:
    """First index date that may use each row; missing for strangers. The calendar is asked once per receipt."""
    subject, names = pd.factorize(subject_id)
    zone = zones.reindex(names).to_numpy()[subject]
    known_on = pd.Series(pd.NaT, index=subject_id.index, dtype="datetime64[us]")
    for name in sorted(zones.unique()):
        mine = zone == name
        instants, place = np.unique(received_us[mine], return_inverse=True)
        received = pd.Series(pd.to_datetime(instants, unit="us", utc=True)).astype("datetime64[us, UTC]")
        known_on[mine] = index_date_knowing(received, str(name), cutoff).to_numpy()[place]
    return known_on


def device_names(connection: duckdb.DuckDBPyConnection, subjects: Iterable[str]) -> pd.DataFrame:
    """Names of the devices behind the hashes that `hour_sums` gave these subjects' rows, last asked for a relation."""
    wanted = pd.DataFrame({"subject_id": pd.Series(list(subjects), dtype="str")})
    connection.register("minutes_wanted", wanted)
    names: pd.DataFrame = connection.sql(f"""
        SELECT DISTINCT subject_id, {DEVICE_SQL} AS device, {", ".join(DEVICE)}
        FROM minutes_raw SEMI JOIN minutes_wanted USING (subject_id)""").df()  # fmt: skip
    return names


def kept_hours(
    connection: duckdb.DuckDBPyConnection, relation: duckdb.DuckDBPyRelation, zones: pd.Series,
    cutoff: time = DEFAULT_CUTOFF,
) -> pd.DataFrame:  # fmt: skip
    """`hour_sums` in the form in which they outlive their minutes: `KEPT_COLUMNS`."""
    sums = hour_sums(connection, relation, zones, cutoff)
    names = device_names(connection, sums["subject_id"].unique())
    kept: pd.DataFrame = sums.merge(names, on=["subject_id", "device"])[KEPT_COLUMNS]
    return kept


def from_kept(
    connection: duckdb.DuckDBPyConnection, kept: duckdb.DuckDBPyRelation
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Kept hours as `hour_sums` and `device_names` would give them."""
    kept.create_view("minutes_kept", replace=True)
    hashed = f"SELECT *, {DEVICE_SQL} AS device FROM minutes_kept"
    told = [f"coalesce({name}, {UNKNOWN}) AS {name}" if name in kept.columns else f"{UNKNOWN}::BIGINT AS {name}"
            for name in SUMS]  # fmt: skip
    sums = connection.sql(f"SELECT {', '.join([*HOUR_KEY, *told])} FROM ({hashed})").df()
    names = connection.sql(f"SELECT DISTINCT subject_id, device, {', '.join(DEVICE)} FROM ({hashed})").df()
    # Of no row the text type would be another.
    subjects = sums["subject_id"].astype("str")
    return sums.assign(known_on=sums["known_on"].astype("datetime64[us]"), subject_id=subjects), names
