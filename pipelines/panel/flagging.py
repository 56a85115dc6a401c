"""Flags and counts of a night, stored beside the day panel; only flags that new rows can have changed are made anew."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock

import duckdb
import numpy as np
import pandas as pd

from features import flags, order, plausibility, reach
from features.days import Days
from features.flags import FLAG, SLEEP_MEASURES, WATCHED
from features.hours import HOUR_COLUMNS
from features.minutes import DEVICE, DEVICE_SQL
from features.versions import KEY
from pipelines.lake import Lake, bucket_of
from pipelines.panel import notes, rows
from pipelines.panel.extent import DAY_KEY, Extent
from pipelines.panel.view import DAYS, FINDINGS, NOTES, Panel
from pipelines.side_by_side import side_by_side

# Flags that go on from night to night; those of the night that was asked for last, and counts of it.
FLAGS, OF_NIGHT, COUNTS, NAMES = "panel_flags", "flags", "plausibility_counts", "device_names"
NOBODY = pd.Series(pd.DatetimeIndex([], dtype="datetime64[us]"), index=pd.Index([], dtype="str"))
COLUMNS = [*KEY, *WATCHED, *(name for name in SLEEP_MEASURES if name not in WATCHED), *HOUR_COLUMNS]
# Most flags of a night can be told from so many days; who has fewer days with data is looked at from the first on.
NO_FLAGS = pd.DataFrame({name: pd.Series(dtype="str") for name in FLAG}).astype(
    dict.fromkeys(("on_date", "known_on"), "datetime64[us]")
)
RECENT = pd.Timedelta(days=100)
SUBJECTS_AT_ONCE = 4000
# Names of devices are looked up and stored.
ONE_AT_A_TIME = Lock()


@dataclass(frozen=True)
class Changed:
    """Of whom what flags rest on has changed.

    Args:
        anew: subjects whose past has changed; all of their flags are made anew.
        fresh: by subject, the first day of which something new is known, of all others of whom there is any.
        gone: subjects who are known no longer.
    """

    anew: frozenset[str]
    fresh: pd.Series
    gone: frozenset[str]


def first_new(panel: pd.DataFrame, notes_of_days: pd.DataFrame, since: pd.Timestamp | None) -> pd.Series:
    """The first day of each subject of which something that flags rest on came to be known after a night.

    Flags rest on days as they were first known; later versions of a day are nothing new to them.
    """
    if since is None:
        return NOBODY
    known = panel.groupby(DAY_KEY)["known_on"].min().reset_index()
    told = pd.concat([known, notes_of_days[KEY]])
    return told[told["known_on"] > since].groupby("subject_id")["local_date"].min()


def renewed(panel: Panel, changed: Changed, former: pd.DataFrame) -> pd.DataFrame:
    """The night's flags, from those of the stored panel that it goes on from."""
    fresh = changed.fresh[~changed.fresh.index.isin(changed.anew)]
    begin = panel.cohort.as_of - RECENT
    anew = set(changed.anew).union(fresh.index[fresh < begin] if panel.since is not None else panel.cohort.zones.index)
    found, from_day = [], NOBODY
    some = _portions(frozenset(fresh.index).difference(anew))
    for made, reached in side_by_side(partial(_since, panel, begin), some):
        anew.update(reached.index[reached.isna()])
        from_day = pd.concat([from_day, reached.dropna()])
        found.append(made)
    is_kept = ~former["subject_id"].isin(anew | changed.gone)
    is_kept &= ~(former["on_date"] >= from_day.reindex(former["subject_id"]).to_numpy())
    every = [former[is_kept], *found, _flags(panel, anew)]
    return pd.concat([part for part in every if len(part)] or [NO_FLAGS]).sort_values(FLAG, ignore_index=True)


def _since(panel: Panel, begin: pd.Timestamp, subjects: list[str]) -> tuple[pd.DataFrame, pd.Series]:
    """New flags of some subjects from their days since `begin`, and from which day on they are new (`reach.flags_from`)."""
    told = order.ordered(_told(panel, subjects, begin))
    reached = reach.flags_from(told, panel.since)
    made = flags.flags_of(told.among(told.names.isin(reached.index[reached.notna()])))
    return made[made["on_date"] >= reached.reindex(made["subject_id"]).to_numpy()], reached


def of_everybody(panel: Panel) -> pd.DataFrame:
    """The night's flags of all subjects."""
    return _flags(panel, panel.cohort.zones.index).sort_values(FLAG, ignore_index=True)


def publish(panel: Panel, found: pd.DataFrame, connection: duckdb.DuckDBPyConnection) -> None:
    """Store flags and counts as those of the night."""
    panel.lake.replace(OF_NIGHT, found, version=panel.name)
    findings = panel.rows(FINDINGS, connection)
    panel.lake.replace(COUNTS, plausibility.counts(findings, found, panel.cohort.as_of), version=panel.name)


def is_published(panel: Panel) -> bool:
    """Whether flags and counts of the night are stored."""
    return all(panel.lake.derived_version(name) == panel.name for name in (OF_NIGHT, COUNTS))


def others_known(former: pd.DataFrame, found: pd.DataFrame, since: pd.Timestamp | None) -> frozenset[str]:
    """Subjects of whom the night would now know other flags."""
    if since is None:
        return frozenset()
    both = pd.concat([former, found[found["known_on"] <= since]], ignore_index=True)
    return frozenset(both[~both.duplicated(keep=False)]["subject_id"])


def _flags(panel: Panel, subjects: Collection[str]) -> pd.DataFrame:
    """Flags of some subjects, from all that is stored of them."""
    found = list(side_by_side(lambda some: flags.flags_of(_told(panel, some, None)), _portions(subjects)))
    return pd.concat(found, ignore_index=True) if found else NO_FLAGS


def _portions(subjects: Collection[str]) -> Iterator[list[str]]:
    """Some subjects at a time, those of one bucket together."""
    ordered = sorted(subjects, key=lambda name: (bucket_of(name), name))
    return (ordered[start : start + SUBJECTS_AT_ONCE] for start in range(0, len(ordered), SUBJECTS_AT_ONCE))


def _told(panel: Panel, subjects: list[str], begin: pd.Timestamp | None) -> Days:
    """What flags of some subjects rest on, of all time or from a day on."""
    with panel.lake.connection() as connection:
        held = panel.rows(DAYS, connection, subjects, begin, COLUMNS)
        told = notes.told(panel.rows(NOTES, connection, subjects, begin), held)
        with ONE_AT_A_TIME:
            return replace(told, origins=_named(panel, told.origins, connection))


def _named(panel: Panel, origins: pd.DataFrame, connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Origins with the names of wearables of subjects who have several; those of others make no flags.

    Names are looked up among the minutes once for each device, and stored.
    """
    pairs = origins.loc[origins["stream"] == "wearable", ["subject_id", "device"]].drop_duplicates()
    several = pairs.loc[pairs["subject_id"].duplicated(), "subject_id"]
    is_several = (origins["stream"] == "wearable") & origins["subject_id"].isin(several)
    worn = origins[is_several]
    stored = _names(panel.lake)
    told = worn.loc[worn["source"].notna(), stored.columns]
    known = pd.concat([stored, told], ignore_index=True).drop_duplicates(["subject_id", "device"])
    of_known, of_worn = (pd.MultiIndex.from_frame(rows[["subject_id", "device"]]) for rows in (known, worn))
    unknown = worn[~of_worn.isin(of_known)]
    if len(unknown):
        found = _looked_up(panel, unknown, connection)
        known = pd.concat([known, found], ignore_index=True)
        panel.lake.replace(NAMES, pd.concat([stored, found], ignore_index=True))
    named = worn.drop(columns=list(DEVICE)).merge(known, on=["subject_id", "device"])
    return pd.concat([origins[~is_several], named[origins.columns]], ignore_index=True)


def _names(lake: Lake) -> pd.DataFrame:
    try:
        return lake.load(NAMES)
    except KeyError:
        columns = ["subject_id", "device", *DEVICE]
        return pd.DataFrame({name: pd.Series(dtype="int64" if name == "device" else "str") for name in columns})


def _looked_up(panel: Panel, unknown: pd.DataFrame, connection: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Names of devices from the minutes of the first day that each of them told of."""
    first = unknown.sort_values("local_date").drop_duplicates(["subject_id", "device"])
    days = Extent(days=first[DAY_KEY].drop_duplicates(ignore_index=True))
    told = rows.streams(panel.lake, panel.cohort, days, days.every_bucket, panel.files, connection)["wearable"]
    kept = rows.kept(panel.lake, panel.cohort, days, days.every_bucket, connection)
    columns = f"subject_id, {', '.join(DEVICE)}"
    every = told.project(columns) if kept is None else told.project(columns).union(kept.project(columns))
    names = every.project(f"{columns}, {DEVICE_SQL} AS device").distinct().df()
    names = names.assign(device=names["device"].to_numpy().astype(np.uint64).view(np.int64))
    return names.merge(first[["subject_id", "device"]])[["subject_id", "device", *DEVICE]]
