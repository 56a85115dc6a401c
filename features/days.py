"""From raw streams to the day panel: one row per subject, local day and version of what was known about it.

DuckDB dates, versions and sums rows (whole numbers only, so that no thread order shows); the modality modules turn
sums into measures. A version begins at the index date `known_on` from which it may be used; it ends where the next
version of the same subject-day begins.
"""

from collections.abc import Mapping
from datetime import time

import duckdb
import numpy as np
import pandas as pd

from features import activity, heart, mood, sleep
from features.calendar import DEFAULT_CUTOFF, index_date_knowing, local_day_sql, local_time_sql
from features.tables import TABLES

KEY = ["subject_id", "local_date", "known_on"]
HOUR_COLUMNS = [f"activity_h{hour:02d}" for hour in range(24)]
ASSESSMENTS = ("phq_9", "gad_7", "stai", "stai_x1", "ces_d")
# Vendor's daily metric -> measure and factor; a vendor's figure stands in only where no minutes give the measure.
VENDOR = {
    "steps": ("activity_steps", 1.0), "active_minutes": ("activity_brisk_minutes", 1.0),
    "sedentary_minutes": ("activity_sedentary_share", 1 / 1440), "resting_heart_rate": ("heart_resting", 1.0),
    "heart_rate_mean": ("heart_mean", 1.0), "heart_rate_max": ("heart_max", 1.0),
    "heart_rate_variance": ("heart_variance", 1.0), "hrv_rmssd": ("heart_hrv", 1.0),
    "worn_minutes": ("adherence_wear_minutes", 1.0), "minutes_asleep": ("sleep_duration", 1.0),
    "minutes_awake": ("sleep_waso", 1.0), "sleep_efficiency": ("sleep_efficiency", 0.01),
}  # fmt: skip
IS_WORN = "(worn OR (worn IS NULL AND (heart_rate IS NOT NULL OR steps > 0)))"
HOURLY_SQL = f"""
    subject_id, local_date, known_on, device_id, hour(local_time) AS hour, count(*) AS minutes,
    sum(steps)::BIGINT AS steps, count(steps) AS step_minutes,
    count(*) FILTER ({IS_WORN}) AS worn, count(*) FILTER (steps = 0 AND {IS_WORN}) AS still,
    count(*) FILTER (steps >= {activity.BRISK_STEPS_PER_MIN}) AS brisk,
    sum(heart_rate)::BIGINT AS beats, count(heart_rate) AS beat_minutes,
    sum(hrv_rmssd)::BIGINT AS hrv, count(hrv_rmssd) AS hrv_minutes"""


def with_known_on(
    connection: duckdb.DuckDBPyConnection, relation: duckdb.DuckDBPyRelation, zones: pd.Series,
    cutoff: time = DEFAULT_CUTOFF,
) -> duckdb.DuckDBPyRelation:  # fmt: skip
    """Add `known_on` to raw rows: the first index date whose cutoff in the subject's zone comes at or after receipt.

    Rows of subjects without a zone are left out: they are strangers. The calendar is asked once per receipt time.
    """
    name = f"{relation.alias}_rows"
    relation.create_view(name, replace=True)
    received = (
        connection.sql(f"SELECT DISTINCT received_at FROM {name}").df()["received_at"].astype("datetime64[us, UTC]")
    )
    dates = [pd.DataFrame({"zone": zone, "received_at": received, "known_on": index_date_knowing(received, zone, cutoff)})
             for zone in sorted(zones.unique())]  # fmt: skip
    subjects = pd.DataFrame({"subject_id": zones.index.to_numpy(), "zone": zones.to_numpy()})
    known = pd.concat(dates, ignore_index=True)
    connection.register(f"{name}_zones", subjects)
    connection.register(f"{name}_known", known)
    return connection.sql(f"""
        SELECT r.*, k.known_on::DATE AS known_on FROM {name} r
        JOIN {name}_zones z USING (subject_id)
        JOIN {name}_known k ON k.zone = z.zone AND k.received_at = r.received_at""")  # fmt: skip


def build_days(connection: duckdb.DuckDBPyConnection, streams: Mapping[str, duckdb.DuckDBPyRelation]) -> pd.DataFrame:
    """The bitemporal day panel.

    Args:
        connection: the connection that the relations belong to.
        streams: table name -> all versions of its rows, deletions included, with `known_on` (see `with_known_on`).

    Returns:
        `subject_id, local_date, known_on`, then one float column per daily measure, NaN where unknown; sorted by those
        three. A subject-day without data has no row; one whose data were taken back has a version without values.
    """
    parts = {}
    for name, relation in streams.items():
        if name in READERS:
            versions = _Versions(connection, name, relation)
            parts[name] = versions.with_empty(READERS[name](versions))
    panel = _merge(parts)
    _fill_from_vendor(panel)
    return panel[[*KEY, *sorted(c for c in panel.columns if c not in KEY and not c.startswith("vendor_"))]]


class _Versions:
    """The rows of one stream as each version of a subject-day sees them."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: str, relation: duckdb.DuckDBPyRelation) -> None:
        self.connection = connection
        self.name = f"versions_{table}"
        relation.create_view(f"{self.name}_raw", replace=True)
        key, event = ", ".join(TABLES[table].key), TABLES[table].time
        is_day = event == "local_date"
        when = (
            "" if is_day else f", {local_time_sql(str(event))} AS local_time, {local_day_sql(str(event))} AS local_date"
        )
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE {self.name}_dated AS
            WITH base AS (SELECT * {when} FROM {self.name}_raw),
            corrected AS (SELECT DISTINCT {key} FROM base WHERE version > 0 OR is_deleted)
            SELECT *, NULL::DATE AS superseded_on FROM base ANTI JOIN corrected USING ({key})
            UNION ALL
            SELECT *, lead(known_on) OVER (PARTITION BY {key} ORDER BY received_at, version, ingest_id)
            FROM base SEMI JOIN corrected USING ({key})""")  # fmt: skip
        # Only subject-days whose content changed after it was first known need a row for each version.
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE {self.name}_revised AS
            SELECT subject_id, local_date FROM {self.name}_dated GROUP BY ALL
            HAVING min(known_on) <> max(known_on) OR count(superseded_on) > 0 OR bool_or(is_deleted)""")  # fmt: skip
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE {self.name}_begin AS
            SELECT subject_id, local_date, known_on FROM {self.name}_dated SEMI JOIN {self.name}_revised
                USING (subject_id, local_date)
            UNION SELECT subject_id, local_date, superseded_on FROM {self.name}_dated WHERE superseded_on IS NOT NULL""")

    def rows(self, select: str, group_by: str = "") -> pd.DataFrame:
        """Selected columns of the rows valid in each version, grouped where asked, in a stable order."""
        frame = self.connection.sql(f"""
            SELECT {select} FROM {self.name}_dated ANTI JOIN {self.name}_revised USING (subject_id, local_date) {group_by}
            UNION ALL BY NAME
            SELECT {select} FROM (
                SELECT d.* REPLACE (b.known_on AS known_on) FROM {self.name}_dated d
                JOIN {self.name}_begin b ON d.subject_id = b.subject_id AND d.local_date = b.local_date
                 AND d.known_on <= b.known_on AND (d.superseded_on IS NULL OR d.superseded_on > b.known_on)
                WHERE NOT d.is_deleted) {group_by}""").df()  # fmt: skip
        return _with_days(frame)

    def with_empty(self, daily: pd.DataFrame) -> pd.DataFrame:
        """Add versions in which nothing is left: data that were taken back must not live on in an older version."""
        begin = _with_days(self.connection.sql(f"SELECT * FROM {self.name}_begin").df())
        return daily.merge(begin, on=KEY, how="outer").sort_values(KEY, ignore_index=True)


def _with_days(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{day: frame[day].astype("datetime64[us]") for day in ("local_date", "known_on")})


def _mood(versions: _Versions) -> pd.DataFrame:
    return mood.daily(versions.rows(f"{', '.join(KEY)}, {mood.ROWS_SQL}"))


def _sleep(versions: _Versions) -> pd.DataFrame:
    return sleep.daily(versions.rows(f"{', '.join(KEY)}, {sleep.ROWS_SQL}"))


def _wearable(versions: _Versions) -> pd.DataFrame:
    hours = versions.rows(HOURLY_SQL, "GROUP BY subject_id, local_date, known_on, device_id, hour(local_time)")
    if hours.empty:
        return pd.DataFrame(columns=KEY).astype({"local_date": "datetime64[us]", "known_on": "datetime64[us]"})
    # Two devices on one day would count every step twice: the one with more minutes speaks for the day.
    minutes = hours.groupby([*KEY, "device_id"])[["minutes"]].sum().reset_index()
    minutes = minutes.sort_values([*KEY, "minutes", "device_id"]).drop_duplicates(KEY, keep="last")
    hours = hours.merge(minutes[[*KEY, "device_id"]], on=[*KEY, "device_id"])
    days = hours.groupby(KEY)[
        ["steps", "step_minutes", "worn", "still", "brisk", "beats", "beat_minutes", "hrv", "hrv_minutes"]
    ].sum()

    def by_hour(column: str, missing: float) -> activity.Hours:
        wide = hours.pivot(index=KEY, columns="hour", values=column).reindex(index=days.index, columns=range(24))
        return (
            wide.to_numpy(dtype=np.float64, na_value=np.nan)
            if np.isnan(missing)
            else wide.fillna(missing).to_numpy(float)
        )

    steps, beats, counts = by_hour("steps", np.nan), by_hour("beats", 0.0), by_hour("beat_minutes", 0.0)
    some = days.where(days > 0)
    result = pd.DataFrame(steps, index=days.index, columns=HOUR_COLUMNS)
    result["activity_steps"] = days["steps"].where(days["step_minutes"] > 0).astype(float)
    result["activity_brisk_minutes"] = days["brisk"].where(days["step_minutes"] > 0).astype(float)
    result["activity_sedentary_share"] = days["still"] / some["worn"]
    result["activity_entropy"] = activity.entropy(steps)
    result["adherence_wear_minutes"] = days["worn"].astype(float)
    result["heart_resting"] = heart.resting(beats, counts)
    result["heart_mean"] = days["beats"] / some["beat_minutes"]
    result["heart_night_dip"] = heart.night_dip(beats, counts)
    result["heart_hrv"] = days["hrv"] / some["hrv_minutes"]
    return result.reset_index()


def _vendor(versions: _Versions) -> pd.DataFrame:
    rows = versions.rows("subject_id, local_date, known_on, metric, value, device_id")
    rows = rows.sort_values([*KEY, "metric", "device_id"]).drop_duplicates([*KEY, "metric"], keep="last")
    wide = rows.pivot(index=KEY, columns="metric", values="value")
    known = {metric: wide[metric] * factor for metric, (_, factor) in VENDOR.items() if metric in wide.columns}
    return pd.DataFrame(
        {f"vendor_{VENDOR[m][0]}": values for m, values in known.items()}, index=wide.index
    ).reset_index()


def _assessments(versions: _Versions) -> pd.DataFrame:
    rows = versions.rows("subject_id, local_date, known_on, instrument, score, local_time")
    rows = rows[rows["instrument"].isin(ASSESSMENTS)].sort_values([*KEY, "instrument", "local_time", "score"])
    rows = rows.drop_duplicates([*KEY, "instrument"], keep="last")
    wide = rows.pivot(index=KEY, columns="instrument", values="score")
    return wide.add_prefix("mood_").reset_index()


READERS = {
    "mood": _mood, "sleep": _sleep, "wearable": _wearable, "wearable_days": _vendor, "assessments": _assessments,
}  # fmt: skip


def _merge(parts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per subject-day and version of any stream, each stream's values as of its own latest version."""
    versions = pd.concat([part[KEY] for part in parts.values()]).drop_duplicates().sort_values(KEY, ignore_index=True)
    day = versions.groupby(["subject_id", "local_date"]).ngroup().to_numpy()
    pieces = [versions]
    for part in parts.values():
        rows = versions.merge(part.assign(row=np.arange(len(part))), on=KEY, how="left")["row"].to_numpy(
            dtype=float, na_value=np.nan
        )
        latest = pd.Series(rows).groupby(day).ffill().to_numpy()
        values = part.drop(columns=KEY).astype(float)
        values.loc[-1] = np.nan
        pieces.append(values.reindex(np.nan_to_num(latest, nan=-1).astype(int)).reset_index(drop=True))
    return pd.concat(pieces, axis=1)


def _fill_from_vendor(panel: pd.DataFrame) -> None:
    for name in [c for c in panel.columns if c.startswith("vendor_")]:
        measure = name.removeprefix("vendor_")
        panel[measure] = panel[measure].fillna(panel[name]) if measure in panel else panel[name]
