"""From raw streams to the day panel: one row per subject, local day and version of what was known about it.

DuckDB dates, versions and sums rows (whole numbers only, so that no thread order shows); the modality modules turn
sums into measures. A version begins at the index date `known_on` from which it may be used; it ends where the next
version of the same subject-day begins. What is implausible beyond the single row is missing here, and told of.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import time

import duckdb
import numpy as np
import pandas as pd

from features import devices, hours, minutes, mood, plausibility, sleep
from features.calendar import DEFAULT_CUTOFF
from features.measures import HAS_DATA
from features.signals import VENDOR, of_the_first, of_the_worn
from features.tables import AHEAD_FEWEST_ROWS, CLOCK_AHEAD_MIN
from features.versions import KEY, Versions, no_days, with_known_on

# Streams whose rows are told one by one by a device with a clock of its own, and when.
OCCURS = {"mood": "answered_at", "sleep": "offset_at"}
LEVEL = [*KEY, "measure", "value"]
AHEAD = [*KEY, "stream"]
OFFSET = [*KEY, "utc_offset_min"]
ORIGIN = [*devices.ORIGIN, "device"]


@dataclass(frozen=True)
class Days:
    """The day panel and what was noticed while it was made.

    Args:
        panel: `subject_id, local_date, known_on`, then one float column per daily measure, NaN where unknown, and
            `has_data`, 1 where there is any; sorted by those three. A subject-day without data has no row; one whose
            data were taken back has a version without values.
        findings: what is missing because it was implausible or told twice: `plausibility.FINDING`.
        origins: which device and algorithm spoke for a day when it was first known: `ORIGIN`. `device` is a number of
            the wearable's, 0 for other streams; names are given where a subject has several wearables.
        levels: daily values of other numbers, in long form: `LEVEL`.
        ahead: days with several rows that were received before they happened: `AHEAD`.
        offsets: offsets from UTC of the wearable's days, each with the first index date that knew it: `OFFSET`.
        units: of each signal, as its rows had it, where nobody checked them against a declaration (`frames.days_of`).
    """

    panel: pd.DataFrame
    findings: pd.DataFrame
    origins: pd.DataFrame
    levels: pd.DataFrame
    ahead: pd.DataFrame
    offsets: pd.DataFrame
    units: Mapping[str, str] = field(default_factory=dict, kw_only=True)


@dataclass(frozen=True)
class _Part:
    """What one stream gives to `Days`."""

    daily: pd.DataFrame | None = None
    findings: pd.DataFrame | None = None
    origins: pd.DataFrame | None = None
    levels: pd.DataFrame | None = None
    ahead: pd.DataFrame | None = None
    offsets: pd.DataFrame | None = None


def build_days(
    connection: duckdb.DuckDBPyConnection, streams: Mapping[str, duckdb.DuckDBPyRelation], zones: pd.Series,
    cutoff: time = DEFAULT_CUTOFF, preference: devices.Preference = (),
    kept_hours: duckdb.DuckDBPyRelation | None = None, as_of: pd.Timestamp | None = None,
) -> Days:  # fmt: skip
    """The bitemporal day panel.

    Args:
        connection: the connection that the relations belong to.
        streams: table name -> all versions of its rows, deletions included.
        zones: time zone of each subject's site, by subject; rows of others are left out: they are strangers.
        cutoff: when a night ends.
        preference: names of sources or device models; where two devices tell of one minute, the one named first speaks.
        kept_hours: what was kept of minutes that are no more (`minutes.kept_hours`).
        as_of: the index date by which rows must be known, each subject by their own cutoff; none: everything counts.
    """
    parts = {}
    for name, relation in streams.items():
        if name == "wearable":
            sums = minutes.hour_sums(connection, relation, zones, cutoff, as_of)
            parts[name] = _wearable(connection, sums, zones, preference, kept_hours)
        elif name in READERS:
            versions = Versions(connection, name, with_known_on(connection, name, relation, zones, cutoff, as_of))
            part = READERS[name](versions, preference)
            parts[name] = part if part.daily is None else replace(part, daily=versions.with_empty(part.daily))
    panel = _merge([part.daily for part in parts.values() if part.daily is not None])
    _fill_from_vendor(panel)
    panel = with_has_data(
        panel[[*KEY, *sorted(c for c in panel.columns if c not in KEY and not c.startswith("vendor_"))]]
    )
    noticed = {"findings": plausibility.FINDING, "origins": ORIGIN, "levels": LEVEL, "ahead": AHEAD,
               "offsets": OFFSET}  # fmt: skip
    return Days(panel, *(_together([getattr(p, name) for p in parts.values()], c) for name, c in noticed.items()))


def with_has_data(panel: pd.DataFrame) -> pd.DataFrame:
    """The panel with `has_data`: 1 where a day's version holds any value, else 0."""
    values = panel.drop(columns=KEY)
    return panel.assign(**{HAS_DATA: values.notna().to_numpy().any(axis=1).astype(np.float64)})


def _together(frames: list[pd.DataFrame | None], columns: list[str]) -> pd.DataFrame:
    given = [frame[columns] for frame in frames if frame is not None and len(frame)]
    if given:
        return pd.concat(given, ignore_index=True)
    days = dict.fromkeys(("local_date", "known_on"), "datetime64[us]")
    types = {**days, "value": "float64", "utc_offset_min": "float64", "device": "int64"}
    return pd.DataFrame({column: pd.Series(dtype=types.get(column, "str")) for column in columns})


def _wearable(
    connection: duckdb.DuckDBPyConnection, sums: pd.DataFrame, zones: pd.Series, preference: devices.Preference,
    kept: duckdb.DuckDBPyRelation | None,
) -> _Part:  # fmt: skip
    kept_names = pd.DataFrame(columns=["subject_id", "device", *minutes.DEVICE])
    if kept is not None:
        kept_sums, kept_names = minutes.from_kept(connection, kept)
        kept_sums = kept_sums[kept_sums["subject_id"].isin(zones.index)]
        sums = pd.concat([sums, kept_sums], ignore_index=True)
    if sums.empty:
        return _Part(no_days())
    told, names = devices.numbered(connection, sums, kept_names)
    found = hours.versions_of(told)
    two = devices.days_of_two(found).assign(stream="wearable", rule=plausibility.TWO_DEVICES)
    # First, by device: what fills a stuck sensor's gaps would hide it, a sound device has a say in its hours, and a stuck pulse
    # shows no wear.
    found, findings = plausibility.without_stuck_hours(found)
    found = hours.without_silent_hours(found)
    if preference:
        found = devices.hour_by_hour(found, names, preference)
    findings = pd.concat([findings, plausibility.first_told(two)])
    daily = hours.measures(hours.one_voice(found))
    return _Part(daily, findings, devices.origins(sums, names, preference), offsets=_offsets(sums))


def _offsets(sums: pd.DataFrame) -> pd.DataFrame:
    """Offsets from UTC by local day, with the first index date that knew of each."""
    subject, subjects = pd.factorize(sums["subject_id"])
    day, offset = sums["hour"].to_numpy() // 24, sums["utc_offset_min"].to_numpy().astype(np.int64) + 2**11
    place = ((subject.astype(np.int64) << 20) + day << 12) + offset
    first = pd.DataFrame({"place": place, "known_on": sums["known_on"].to_numpy()}).groupby("place").min().reset_index()
    places = first["place"].to_numpy()
    return first.assign(
        subject_id=subjects.take(places >> 32),
        local_date=hours.dates(pd.Series(places >> 12 & (2**20 - 1))),
        utc_offset_min=(places & (2**12 - 1)) - 2.0**11,
    )[OFFSET]


def _mood(versions: Versions, _: devices.Preference) -> _Part:
    return _Part(mood.daily(versions.rows(f"{', '.join(KEY)}, {mood.ROWS_SQL}")), ahead=_ahead(versions, "mood"))


def _sleep(versions: Versions, preference: devices.Preference) -> _Part:
    rows = versions.rows(f"{', '.join(KEY)}, {sleep.ROWS_SQL}")
    rows = sleep.nights(rows.assign(preference=devices.rank(rows, preference)))
    told = [rows.loc[rows[mark], KEY].assign(rule=mark) for mark in sleep.MARKS]
    findings = plausibility.first_told(pd.concat(told).assign(stream="sleep"))
    origins = rows[rows["is_night"]].drop_duplicates(["subject_id", "local_date"]).assign(stream="sleep")
    return _Part(sleep.daily(rows), findings, origins.assign(device=0)[ORIGIN], ahead=_ahead(versions, "sleep"))


def _ahead(versions: Versions, stream: str) -> pd.DataFrame:
    """Days with several rows that were received before they happened: the clock they were told by is ahead."""
    early = f"count_if(epoch_us({OCCURS[stream]}) > epoch_us(received_at) + {CLOCK_AHEAD_MIN * 60_000_000})"
    rows = versions.rows(f"{', '.join(KEY)}, {early} AS early", f"GROUP BY {', '.join(KEY)}")
    found = rows.loc[rows["early"] >= AHEAD_FEWEST_ROWS, KEY].sort_values(KEY)
    return found.drop_duplicates(["subject_id", "local_date"]).assign(stream=stream)


def _vendor(versions: Versions, preference: devices.Preference) -> _Part:
    columns = ["metric", "value", *minutes.DEVICE]
    rows = versions.rows(", ".join([*KEY, *columns]))
    of_device = [*KEY, "source", "device_id"]
    rows = of_the_worn(rows.assign(preference=-devices.rank(rows, preference)), of_device)
    rows = of_the_first(rows, KEY, of_device)
    wide = rows.pivot(index=KEY, columns="metric", values="value")
    known = {metric: wide[metric] * factor for metric, (_, factor) in VENDOR.items() if metric in wide.columns}
    further = {f"signals_{metric}": wide[metric] for metric in wide.columns if metric not in VENDOR}
    daily = pd.DataFrame({f"vendor_{VENDOR[m][0]}": values for m, values in known.items()} | further, index=wide.index)
    origins = rows.drop_duplicates(["subject_id", "local_date"]).assign(stream="wearable_days")
    levels = rows.assign(measure="wearable_days." + rows["metric"])
    return _Part(daily.reset_index(), None, origins.assign(device=0)[ORIGIN], levels[LEVEL])


def _signals(versions: Versions, _: devices.Preference) -> _Part:
    """The median of each signal's values of a day."""
    levels = versions.rows(f"{', '.join(KEY)}, name, median(value) AS value", f"GROUP BY {', '.join(KEY)}, name")
    wide = levels.pivot(index=KEY, columns="name", values="value").add_prefix("signals_")
    return _Part(wide.reset_index(), levels=levels.assign(measure="signals." + levels["name"])[LEVEL])


def _assessments(versions: Versions, _: devices.Preference) -> _Part:
    rows = versions.rows("subject_id, local_date, known_on, instrument, score, local_time")
    rows = rows[rows["instrument"].isin(mood.ASSESSMENTS)].sort_values([*KEY, "instrument", "local_time", "score"])
    rows = rows.drop_duplicates([*KEY, "instrument"], keep="last")
    wide = rows.pivot(index=KEY, columns="instrument", values="score")
    return _Part(wide.add_prefix("mood_").reset_index())


READERS: dict[str, Callable[[Versions, devices.Preference], _Part]] = {
    "mood": _mood, "sleep": _sleep, "wearable_days": _vendor, "assessments": _assessments, "signals": _signals,
}  # fmt: skip


def _merge(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """One row per subject-day and version of any stream, each stream's values as of its own latest version."""
    # The text type of a stream without a row is another.
    keys = [part[KEY].astype({"subject_id": "str"}) for part in parts]
    versions = pd.concat(keys).drop_duplicates().sort_values(KEY, ignore_index=True)
    day = versions.groupby(["subject_id", "local_date"]).ngroup().to_numpy()
    pieces = [versions]
    for part in parts:
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
