"""Which device speaks where a subject has several: the preferred one minute by minute, else the one with more to say.

A preference is a list of names of sources or device models, the first preferred; what it does not name comes last.
"""

from collections.abc import Sequence
from datetime import time

import duckdb
import numpy as np
import pandas as pd

from features.calendar import day_number
from features.hours import DayHours, dates, shows, speaker
from features.minutes import BIT_SQL, DEVICE, OF_SUBJECT, SIGN, SUMS, SUMS_SQL, device_names
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
    """Which device and algorithm spoke for each day as it was first known, stuck hours included: `ORIGIN` and `device`.

    Args:
        sums: hour sums with `device` still hashed.
        names: as `numbered` gives them: subjects who have one device only are without names here.
    """
    subject, subjects = pd.factorize(sums["subject_id"])
    place = (subject.astype(np.int64) << 20) + sums["hour"].to_numpy() // 24
    rows = sums.rename(columns={"device": "hashed"}).assign(place=place)
    rows = rows[rows["known_on"] == rows.groupby("place")["known_on"].transform("min")]
    first = rows.groupby("place")["known_on"].min()
    spoke = speaker(rows, ["place"], "hashed").reset_index(drop=True)
    spoke = spoke.assign(known_on=spoke["place"].map(first))
    places = spoke["place"].to_numpy()
    spoke = spoke.assign(
        subject_id=subjects.take(places >> 20), local_date=dates(pd.Series(places & (2**20 - 1), spoke.index))
    )
    named = spoke.merge(names, on=["subject_id", "hashed"], how="left", suffixes=("", "_number"))
    named = named.assign(stream="wearable", device=named["hashed"].to_numpy().astype(np.uint64).view(np.int64))
    told: pd.DataFrame = named[[*ORIGIN, "device"]]
    return told


def days_of_two(found: DayHours) -> pd.DataFrame:
    """Versions in which two devices tell of one day: `version, subject_id, local_date, known_on`."""
    hours = found.hours[["version", "device"]]
    # Nobody has a second device: the rule, which shall cost nothing.
    hours = (hours if hours["device"].to_numpy().any() else hours.iloc[:0]).drop_duplicates()
    version = hours.loc[hours.duplicated("version"), "version"].unique()
    return found.keys.loc[np.sort(version)].rename_axis("version").reset_index()


def minute_by_minute(
    connection: duckdb.DuckDBPyConnection, relation: duckdb.DuckDBPyRelation, found: DayHours, names: pd.DataFrame,
    kept: pd.DataFrame, zones: pd.Series, cutoff: time, preference: Preference,
) -> DayHours:  # fmt: skip
    """Days of two devices told anew: each value of a minute from the preferred device that gives it.

    A device that says it was not worn comes after those that do not, and a still minute of one that shows no wear after any other
    minute: it may lie on a table. Versions that know of no named device stay, and so do days of which minutes are no more. A sensor
    has no say in an hour of which `found` holds nothing from it, for it was stuck, or its device silent.

    Args:
        names: as `numbered` gives them.
        kept: hour sums of minutes that are no more.
    """
    two = days_of_two(found)
    is_kept = pd.MultiIndex.from_arrays([kept["subject_id"], dates(kept["hour"] // 24)])
    two = two[~pd.MultiIndex.from_frame(two[["subject_id", "local_date"]]).isin(is_kept)]
    if two.empty:
        return found
    connection.register("days_of_two", two[["subject_id", "local_date"]].drop_duplicates())
    connection.register("versions_of_two", two)
    connection.register("told_of_two", _told(found, two, names))
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


def _told(found: DayHours, versions: pd.DataFrame, names: pd.DataFrame) -> pd.DataFrame:
    """Hours of devices in some versions: `KEY`, `source`, `device_id`, `hour`, which sensor tells nothing, and `shows`."""
    hours = found.hours.merge(versions, on="version")
    hours = hours[["subject_id", "local_date", "known_on", "device", "hour"]].assign(
        no_steps=hours["step_minutes"] == 0, no_heart_rate=hours["beat_minutes"] == 0,
        shows=shows(hours, ["version", "device"]),
    )  # fmt: skip
    told = names[["subject_id", "device", "source", "device_id"]].drop_duplicates()
    return hours.merge(told, on=["subject_id", "device"]).drop(columns="device")


def _merged_sql(rows: str, preference: Preference) -> str:
    order = f"row(coalesce(worn, TRUE) = FALSE, NOT shows AND coalesce(steps = 0, FALSE), {_rank_sql(preference)}, device_id, source)"
    columns = ("steps", "heart_rate", "hrv_rmssd", "worn", "shown")
    # Of the rows that have a value: `arg_min` passes over those that have none.
    best = ", ".join(f"arg_min({c}, {order}) AS {c}" for c in columns)
    bit = BIT_SQL.format("minute(local_minute)")
    return f"""
        WITH sound AS (
            SELECT r.* REPLACE (
                CASE WHEN NOT coalesce(s.no_steps, FALSE) THEN {OF_SUBJECT["steps"]} END AS steps,
                CASE WHEN NOT coalesce(s.no_heart_rate, FALSE) THEN {OF_SUBJECT["heart_rate"]} END AS heart_rate,
                {OF_SUBJECT["hrv_rmssd"]} AS hrv_rmssd),
                coalesce(s.shows, FALSE) AS shows
            FROM {rows} r LEFT JOIN told_of_two s
            ON (r.subject_id, r.local_date, r.known_on, r.source, r.device_id, hour(r.local_time))
             = (s.subject_id, s.local_date, s.known_on, s.source, s.device_id, s.hour)),
        signed AS (SELECT *, coalesce(worn, nullif({SIGN}, FALSE)) AS shown FROM sound),
        minutes AS (
            SELECT subject_id, local_date, known_on, utc_offset_min, date_trunc('minute', local_time) AS local_minute, {best},
                   min({_rank_sql(preference)}) <= {len(preference)} AS is_named
            FROM signed GROUP BY ALL)
        SELECT subject_id, local_date, known_on, hour(local_minute) AS hour, {SUMS_SQL} FROM (SELECT *, {bit} FROM minutes)
        WHERE (subject_id, local_date, known_on) IN (SELECT (subject_id, local_date, known_on) FROM minutes WHERE is_named)
        GROUP BY ALL"""


def _with_hours(found: DayHours, told: pd.DataFrame) -> DayHours:
    """The hours of some versions replaced."""
    versions = found.versions.assign(version=found.versions.index)
    told = told.assign(
        subject=found.subjects.get_indexer(pd.Index(told["subject_id"])), day=day_number(told["local_date"]),
        known_on=day_number(told["known_on"]), device=0,
    )  # fmt: skip
    new = told.merge(versions[["subject", "day", "known_on", "version"]], on=["subject", "day", "known_on"])
    kept = found.hours[~found.hours["version"].isin(new["version"])]
    hours = pd.concat([kept, new[["version", "device", "hour", *SUMS]]], ignore_index=True)
    return DayHours(found.subjects, found.versions, hours)
