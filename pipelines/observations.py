"""When something was last observed of each subject, as known for a night."""

import pandas as pd

from features import calendar
from features.calendar import is_knowable_sql
from pipelines.cohort import Cohort
from pipelines.lake import Lake
from pipelines.raw_rows import scan_sql

OBSERVED_AT = {"mood": "answered_at", "sleep": "offset_at", "wearable": "minute_at", "assessments": "completed_at"}


def last_observations(lake: Lake, cohort: Cohort) -> pd.Series:
    """Newest observation with a time of day of each subject known by their own cutoff, indexed by subject.

    Months are looked through from the newest on, each only for those of whom no later one holds anything: what a night
    costs does not grow with history, but for subjects who fell silent.
    """
    connection = lake.connection()
    cutoffs = {zone: calendar.cutoff_of(cohort.as_of, zone, cohort.cutoff) for zone in cohort.zones.unique()}
    own = pd.DataFrame({"subject_id": cohort.zones.index, "known_at": cohort.zones.map(cutoffs).to_numpy()})
    own = own.astype({"known_at": "datetime64[us, UTC]"})
    newest, months = [], _by_month(lake)
    for month in sorted(months, reverse=True):
        connection.register("own_cutoffs", own)
        parts = [f"SELECT subject_id, {OBSERVED_AT[table]} AS observed_at, received_at FROM ({scan_sql(table, files)})"
                 for table, files in months[month].items()]  # fmt: skip
        found = connection.sql(f"""
            SELECT subject_id, max(observed_at) AS newest FROM ({" UNION ALL ".join(parts)}) JOIN own_cutoffs USING (subject_id)
            WHERE {is_knowable_sql("own_cutoffs.known_at")} GROUP BY subject_id""").df()
        newest.append(found)
        own = own[~own["subject_id"].isin(found["subject_id"])]
        if own.empty:
            break
    every = pd.concat(newest) if newest else pd.DataFrame({"subject_id": pd.Series(dtype="str"), "newest": None})
    return every.set_index("subject_id")["newest"].astype("datetime64[us, UTC]").sort_index()


def _by_month(lake: Lake) -> dict[str, dict[str, list[str]]]:
    """Files by the month in which what they hold was observed and by table, of tables with a time of day."""
    found: dict[str, dict[str, list[str]]] = {}
    for table in OBSERVED_AT:
        for path in lake.files(table):
            month = path.rpartition("month=")[2].partition("/")[0]
            found.setdefault(month, {}).setdefault(table, []).append(path)
    return found
