"""Which device speaks where a subject has several: the preferred one minute by minute, else the one with more to say.

A preference is a list of names of sources or device models, the first preferred; what it does not name comes last.
"""

from collections.abc import Sequence
from datetime import time

import duckdb
import numpy as np
import pandas as pd

from features.calendar import day_number
from features.hours import DayHours, dates
from features.minutes import BIT_SQL, DEVICE, OF_SUBJECT, SUMS, SUMS_SQL, device_names, spoken
from features.versions import Versions, with_known_on

Preference = Sequence[str]
ORIGIN = ["subject_id", "stream", "local_date", "known_on", *DEVICE]


def rank(names: pd.DataFrame, preference: Preference) -> pd.Series:
    """Place of each row's `source` or `device_model` in the preference; its length where neither is named."""
    places = {name: place for place, name in enumerate(preference)}
    source, model = (names[column].map(places).fillna(len(places)) for column in ("source", "device_model"))
    ranked: pd.Series = source.where(source < model, model).astype(np.int64)
    return ranked


def _rank_sql(preference: Preference) -> str:
    """`rank` in SQL, of a list bound as `$preference`."""
    place = "coalesce(nullif(list_position($preference, {}), 0), {})"
    last = len(preference) + 1
    return f"least({place.format('source', last)}, {place.format('device_model', last)})"


def numbered(
    connection: duckdb.DuckDBPyConnection, sums: pd.DataFrame, kept_names: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hour sums with `device` as 0, 1, ... within the subject, and the names of subjects' devices who have several.

    Returns:
        The sums, and `subject_id, hashed, device` with the names. One device under two algorithms has one number.
    """
    subject, names = pd.factorize(sums["subject_id"])
    hashed = sums["device"].to_numpy()
    first = np.zeros(len(names), dtype=np.uint64)
    first[subject[::-1]] = hashed[::-1]
    several = names[np.unique(subject[hashed != first[subject]])]
    found = device_names(connection, several) if len(several) else kept_names.iloc[:0]
    found = pd.concat([found, kept_names[kept_names["subject_id"].isin(several)]]).drop_duplicates()
    found = found.rename(columns={"device": "hashed"}).sort_values(["subject_id", "device_id", "source", "hashed"])
    is_new = ~found.duplicated(["subject_id", "device_id", "source"])
    found = found.assign(device=is_new.groupby(found["subject_id"]).cumsum() - 1)
    number = np.zeros(len(sums), dtype=np.int64)
    if len(found):
        has_several = sums["subject_id"].isin(several).to_numpy()
        rows = sums.loc[has_several, ["subject_id", "device"]].rename(columns={"device": "hashed"})
        number[has_several] = rows.merge(found, on=["subject_id", "hashed"], how="left")["device"].to_numpy()
    return sums.assign(device=number), found.reset_index(drop=True)


def origins(sums: pd.DataFrame, names: pd.DataFrame) -> pd.DataFrame:
    """Which device and algorithm told of most of each day's minutes, as the day was first known: `ORIGIN` and `device`.

    Args:
        sums: hour sums with `device` still hashed.
        names: as `numbered` gives them: subjects who have one device only are without names here.
    """
    subject, subjects = pd.factorize(sums["subject_id"])
    rows = pd.DataFrame({"place": (subject.astype(np.int64) << 20) + sums["hour"].to_numpy() // 24,
                         "hashed": sums["device"].to_numpy(), "known_on": sums["known_on"].to_numpy(),
                         "spoken": spoken(sums).to_numpy(), "minutes": sums["minutes"].to_numpy()})  # fmt: skip
    rows = rows[rows["known_on"] == rows.groupby("place")["known_on"].transform("min")]
    daily = rows.groupby(["place", "hashed"]).agg(
        spoken=("spoken", "sum"), minutes=("minutes", "sum"), known_on=("known_on", "min")
    )
    order = ["place", "spoken", "minutes", "hashed"]
    spoke = daily.reset_index().sort_values(order).drop_duplicates("place", keep="last")
    places = spoke["place"].to_numpy()
    spoke = spoke.assign(
        subject_id=subjects.take(places >> 20), local_date=dates(pd.Series(places & (2**20 - 1), spoke.index))
    )
    named = spoke.merge(names, on=["subject_id", "hashed"], how="left", suffixes=("", "_number"))
    named = named.assign(stream="wearable", device=named["hashed"].to_numpy().astype(np.uint64).view(np.int64))
    return named[[*ORIGIN, "device"]]


def days_of_two(found: DayHours) -> pd.DataFrame:
    """Versions in which two devices tell of one day: `version, subject_id, local_date, known_on`."""
    hours = found.hours[["version", "device"]]
    # Nobody has a second device: the rule, which shall cost nothing.
    hours = (hours if hours["device"].to_numpy().any() else hours.iloc[:0]).drop_duplicates()
    version = hours.loc[hours.duplicated("version"), "version"].unique()
    return found.keys.loc[np.sort(version)].rename_axis("version").reset_index()


def minute_by_minute(
    connection: duckdb.DuckDBPyConnection, relation: duckdb.DuckDBPyRelation, found: DayHours, names: pd.DataFrame,
    zones: pd.Series, cutoff: time, preference: Preference,
) -> DayHours:  # fmt: skip
    """Days of two devices told anew: each value of a minute from the preferred device that gives it.

    A device that says it was not worn, or shows no sign of it within the hour, comes after those that do. Days of which no
    device is named stay. A sensor has no say in an hour of which `found` holds nothing from it, for it was stuck; its device
    was worn all the same.

    Args:
        names: as `numbered` gives them.
    """
    two = days_of_two(found)
    if two.empty:
        return found
    told_by_two = two[["subject_id", "local_date"]].drop_duplicates()
    versions_told = found.keys.rename_axis("version").reset_index().merge(told_by_two)
    connection.register("days_of_two", told_by_two)
    connection.register("versions_of_two", versions_told)
    connection.register("without_values", _without_values(found, versions_told, names))
    days = "make_timestamp(epoch_us(minute_at) + utc_offset_min::BIGINT * 60000000)::DATE"
    relation.create_view("rows_of_two", replace=True)
    rows = connection.sql(f"""
        SELECT r.* FROM rows_of_two r SEMI JOIN days_of_two d
        ON r.subject_id = d.subject_id AND {days} = d.local_date::DATE""")  # fmt: skip
    versions = Versions(connection, "wearable", with_known_on(connection, "two", rows, zones, cutoff))
    told = connection.execute(
        _merged_sql(versions.valid_in("versions_of_two"), preference), {"preference": list(preference)}
    ).df()
    return _with_hours(found, told)


def _without_values(found: DayHours, versions: pd.DataFrame, names: pd.DataFrame) -> pd.DataFrame:
    """Hours of devices, in some versions, in which a sensor tells nothing, or nothing a sign of being worn: `KEY`, `source`,
    `device_id`, `hour`, and which."""
    of = found.hours
    hours = of[["version", "device", "hour"]].assign(
        no_steps=of["step_minutes"] == 0, no_heart_rate=of["beat_minutes"] == 0, is_silent=of["worn"] == 0
    )
    hours = hours[hours[["no_steps", "no_heart_rate", "is_silent"]].any(axis=1)].merge(versions, on="version")
    told = names[["subject_id", "device", "source", "device_id"]].drop_duplicates()
    return hours.merge(told, on=["subject_id", "device"]).drop(columns=["version", "device"])


def _merged_sql(rows: str, preference: Preference) -> str:
    order = f"row(NOT coalesce(worn, NOT is_silent), {_rank_sql(preference)}, device_id, source)"
    columns = ("steps", "heart_rate", "hrv_rmssd", "worn")
    # Of the rows that have a value: `arg_min` passes over those that have none.
    best = ", ".join(f"arg_min({c}, {order}) AS {c}" for c in columns)
    bit = BIT_SQL.format("minute(local_minute)")
    return f"""
        WITH sound AS (
            SELECT r.* REPLACE (
                CASE WHEN NOT coalesce(s.no_steps, FALSE) THEN {OF_SUBJECT["steps"]} END AS steps,
                CASE WHEN NOT coalesce(s.no_heart_rate, FALSE) THEN {OF_SUBJECT["heart_rate"]} END AS heart_rate,
                {OF_SUBJECT["hrv_rmssd"]} AS hrv_rmssd,
                coalesce(worn, nullif(heart_rate IS NOT NULL OR steps > 0, FALSE)) AS worn),
                coalesce(s.is_silent, FALSE) AS is_silent
            FROM {rows} r LEFT JOIN without_values s
            ON (r.subject_id, r.local_date, r.known_on, r.source, r.device_id, hour(r.local_time))
             = (s.subject_id, s.local_date, s.known_on, s.source, s.device_id, s.hour)),
        minutes AS (
            SELECT subject_id, local_date, known_on, utc_offset_min, date_trunc('minute', local_time) AS local_minute, {best},
                   min({_rank_sql(preference)}) <= {len(preference)} AS is_named
            FROM sound GROUP BY ALL)
        SELECT subject_id, local_date, known_on, hour(local_minute) AS hour, {SUMS_SQL} FROM (SELECT *, {bit} FROM minutes)
        WHERE (subject_id, local_date) IN (SELECT (subject_id, local_date) FROM minutes WHERE is_named)
        GROUP BY ALL"""


def _with_hours(found: DayHours, told: pd.DataFrame) -> DayHours:
    """The hours of every version of some days replaced."""
    versions = found.versions.assign(version=found.versions.index)
    told = told.assign(
        subject=found.subjects.get_indexer(pd.Index(told["subject_id"])), day=day_number(told["local_date"]),
        known_on=day_number(told["known_on"]), device=0,
    )  # fmt: skip
    days = versions.merge(told[["subject", "day"]].drop_duplicates(), on=["subject", "day"])
    new = told.merge(days[["subject", "day", "known_on", "version"]], on=["subject", "day", "known_on"])
    kept = found.hours[~found.hours["version"].isin(days["version"])]
    hours = pd.concat([kept, new[["version", "device", "hour", *SUMS]]], ignore_index=True)
    return DayHours(found.subjects, found.versions, hours)
