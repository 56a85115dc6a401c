"""From sums per clock hour to the measures of each version of a wearable's day.

A version holds what all receipts up to its index date brought. Hours of a stuck or saturated sensor are missing in
it, and of two devices the one that speaks for the day, or for the hour where a preference is declared, is kept.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features import activity, heart
from features.calendar import day_number
from features.minutes import SUMS, spoken

KEY = ["subject_id", "local_date", "known_on"]
HOUR_COLUMNS = list(activity.HOUR_COLUMNS)
HOUR = ["version", "device", "hour"]
FOR_EVER = np.iinfo(np.int64).max

Places = NDArray[np.int64]
Hours = NDArray[np.bool_]
# A sum by version and clock hour, of shape (n_versions, 24).
Wide = dict[str, NDArray[np.float64]]
# A pulse in fewer hours and minutes is a spot check, and no wear; steps in fewer hours are no day that a pedometer was carried.
FEWEST_SIGN_HOURS, FEWEST_SIGN_MINUTES = 3, 60
BITS = ("active_bits", "still_bits")
# Squares served to find stuck sensors.
TOLD = ["attended", *(name for name in SUMS if name not in (*BITS, "step_squares", "beat_squares"))]


@dataclass(frozen=True)
class DayHours:
    """Versions of subject-days, and the hours that each of them holds.

    Args:
        subjects: names of the subjects, in order.
        versions: `subject` (place in `subjects`), and `day`, `known_on` and `until` (the next version's `known_on`) as
            days since 1970; one row per version, sorted.
        hours: `version` (row of `versions`), `device` (0, 1, ... within the subject), `hour` of the day, sums.
    """

    subjects: pd.Index
    versions: pd.DataFrame
    hours: pd.DataFrame

    @property
    def keys(self) -> pd.DataFrame:
        """The versions by `KEY`."""
        return pd.DataFrame({
            "subject_id": self.subjects.take(self.versions["subject"].to_numpy()),
            "local_date": dates(self.versions["day"]), "known_on": dates(self.versions["known_on"]),
        })  # fmt: skip


def dates(days: pd.Series) -> pd.Series:
    """Days since 1970 as civil days."""
    return pd.Series(days.to_numpy().astype("datetime64[D]").astype("datetime64[us]"), index=days.index)


def versions_of(sums: pd.DataFrame) -> DayHours:
    """Every version of each subject-day with its hours, from what each index date added (`minutes.hour_sums`).

    Args:
        sums: `device` numbers a subject's devices here.
    """
    subject, subjects = pd.factorize(sums["subject_id"], sort=True)
    day, known_on = sums["hour"].to_numpy() // 24, day_number(sums["known_on"])
    places, version = np.unique((subject.astype(np.int64) << 40) + (day << 20) + known_on, return_inverse=True)
    versions = _ending(places)
    hours = pd.DataFrame({"version": version, "device": sums["device"].to_numpy(), "hour": sums["hour"].to_numpy() % 24,
                          **{name: sums[name].to_numpy() for name in SUMS}})  # fmt: skip
    grows = versions.duplicated(["subject", "day"], keep=False).to_numpy()
    if grows.any():
        hours = pd.concat([hours[~grows[version]], _as_they_grew(hours[grows[version]], versions[grows])])
    # Two offsets in one hour, or two algorithms on one device, are one hour of the device all the same.
    hour = (hours["version"].to_numpy() * 1024 + hours["device"].to_numpy()) * 24 + hours["hour"].to_numpy()
    if len(pd.unique(hour)) < len(hour):
        hours = hours.groupby(HOUR, as_index=False)[list(SUMS)].sum()
    return DayHours(pd.Index(subjects), versions, hours[hours["minutes"].to_numpy() > 0].reset_index(drop=True))


def _ending(places: Places) -> pd.DataFrame:
    """Versions from their sorted places, each with the `known_on` of the one that replaces it."""
    subject_day, known_on = places >> 20, places & (2**20 - 1)
    is_last = np.append(subject_day[1:] != subject_day[:-1], True)[: len(places)]
    until = np.where(is_last, FOR_EVER, np.append(known_on[1:], FOR_EVER)[: len(places)])
    return pd.DataFrame(
        {"subject": places >> 40, "day": subject_day & (2**20 - 1), "known_on": known_on, "until": until}
    )


def _as_they_grew(added: pd.DataFrame, versions: pd.DataFrame) -> pd.DataFrame:
    """Hours of each version of days that have several: the sum of what all index dates up to it added."""
    spans = versions[["subject", "day"]].assign(version=versions.index)
    pairs = spans.merge(spans, on=["subject", "day"], suffixes=("", "_of"))
    # Versions are in order, so that the earlier ones of a day have the smaller numbers.
    pairs = pairs.loc[pairs["version"] <= pairs["version_of"], ["version", "version_of"]]
    grown = added.merge(pairs, on="version").drop(columns="version").rename(columns={"version_of": "version"})
    return grown.groupby(HOUR, as_index=False)[list(SUMS)].sum()


def with_versions(found: DayHours, extra: pd.DataFrame) -> DayHours:
    """Further versions (`subject, day, known_on`) that hold what the version of their day before them held."""
    old = _place(found.versions)
    places = np.unique(np.concatenate([old, _place(extra)]))
    copies = pd.DataFrame({"version": np.arange(len(places)), "old": np.searchsorted(old, places, side="right") - 1})
    hours = copies.merge(found.hours.rename(columns={"version": "old"}), on="old").drop(columns="old")
    return DayHours(found.subjects, _ending(places), hours)


def _place(rows: pd.DataFrame) -> Places:
    """One number per subject, day and index date, in their order."""
    place: Places = (rows["subject"].to_numpy() << 40) + (rows["day"].to_numpy() << 20) + rows["known_on"].to_numpy()
    return place


def shows(hours: pd.DataFrame, by: list[str]) -> pd.Series:
    """Whether a device's day shows by more than steps that somebody wears it, row by row beside the hours.

    By its word, or by a pulse in three hours or more, or in an hour's minutes.

    Args:
        hours: sums per hour and device.
        by: the two columns that tell apart days and devices.
    """
    pulse, day = hours[["beat_minutes", "hrv_minutes"]].max(axis=1).clip(lower=0).to_numpy(), _codes(hours, by)
    is_shown = np.bincount(day, pulse > 0) >= FEWEST_SIGN_HOURS
    is_shown |= np.bincount(day, pulse) >= FEWEST_SIGN_MINUTES
    is_shown |= np.bincount(day, hours["said_worn"] > 0) > 0
    return pd.Series(is_shown[day], hours.index)


def _codes(hours: pd.DataFrame, by: list[str]) -> Places:
    """A number per distinct pair of two columns, row by row."""
    of, device = (pd.factorize(hours[name])[0] for name in by)
    codes: Places = pd.factorize(of * (1 + device.max(initial=0)) + device)[0]
    return codes


def without_silent_hours(found: DayHours) -> DayHours:
    """The same versions with no steps told in hours in which a device shows no sign of being worn.

    That is an hour with neither a step nor a pulse nor the device's word, of a day that shows wear (`shows`), or without a step
    all day: a flat battery is no calm hour, and a spot check of the pulse does not make it one. Of a pedometer, a still hour may
    be either, on a body or on a table.

    Returns:
        The hours with `shows` too, and `attended`: worn minutes of a day that shows wear, else 0.
    """
    hours, by = found.hours, ["version", "device"]
    is_shown = shows(hours, by)
    day = _codes(hours, by)
    has_steps = np.bincount(day, hours["steps"] > 0)[day] > 0
    is_silent = np.where(is_shown, hours["worn"] == 0, ~has_steps)
    silent = {name: hours[name].mask(is_silent, 0) for name in ("step_minutes", "still_bits")}
    return DayHours(
        found.subjects,
        found.versions,
        hours.assign(**silent, shows=is_shown, attended=hours["worn"].where(is_shown, 0)),
    )


def speaker(hours: pd.DataFrame, by: list[str], device: str) -> pd.DataFrame:
    """Which device speaks for each day.

    One that tells a whole day comes first: in hours with a sign of wear where it shows wear (`shows`), in all hours where it is a
    pedometer that was carried, by steps in three of them or more. Then one that shows wear, then a pedometer with still hours, then
    the one of more minutes: a phone that lies on a table says little.

    Args:
        hours: sums per hour and device. Where there is `liked`, the device that it is highest of speaks, if it has a sign of wear
            that day and shows wear or nobody does.
        by: columns that tell apart days.
        device: the column of devices.
    """
    of_device = [*by, device]
    told, has_sign = spoken(hours), hours["worn"] != 0
    worn, is_waking = told.where(has_sign, 0), (hours["hour"] % 24).isin(range(24)[activity.WAKING_HOURS])
    rows = hours[[*of_device, "minutes"]].assign(
        told=told.where(is_waking, 0), worn=worn.where(is_waking, 0), spoken=worn, signs=has_sign,
        shows=shows(hours, of_device), liked=hours.get("liked", 0),
    )  # fmt: skip
    days = rows.groupby(of_device)
    daily = days.sum().assign(shows=days["shows"].any(), liked=days["liked"].max())
    is_told = (daily["told"] >= activity.FEWEST_DAY_MINUTES) & (daily["signs"] > 0)
    is_worn = daily["worn"] >= activity.FEWEST_DAY_MINUTES
    may_speak = (daily["signs"] > 0) & (daily["shows"] | ~daily.groupby(by)["shows"].transform("any"))
    daily["liked"] = daily["liked"].where(may_speak, 0)
    daily["is_told"] = is_told
    daily["is_day"] = is_worn.where(daily["shows"], is_told & (daily["signs"] >= FEWEST_SIGN_HOURS))
    order = [*by, "liked", "is_day", "shows", "is_told", "spoken", "minutes", device]
    return daily.reset_index().sort_values(order).drop_duplicates(by, keep="last")


def one_voice(found: DayHours) -> DayHours:
    """Of two devices on one day one speaks (`speaker`); otherwise every step would count twice."""
    hours = found.hours
    if not hours["device"].to_numpy().any():
        return found
    chosen = speaker(hours, ["version"], "device")
    kept = hours.merge(chosen[["version", "device"]], on=["version", "device"])
    return DayHours(found.subjects, found.versions, kept)


def measures(found: DayHours) -> pd.DataFrame:
    """One row per version with every measure of the day; a version in which nothing is left has none."""
    hours, shape = found.hours, (len(found.versions), 24)
    place = hours["version"].to_numpy(), hours["hour"].to_numpy()

    def by_hour(name: str, of: type) -> NDArray[Any]:
        wide: NDArray[Any] = np.zeros(shape, dtype=of)
        wide[place] = hours[name].to_numpy()
        return wide

    wide = {name: by_hour(name, np.float64) for name in TOLD}
    bits = {name: by_hour(name, np.int64) for name in BITS}
    shows_wear = np.zeros(len(found.versions), dtype=np.bool_)
    shows_wear[place[0][hours["shows"].to_numpy()]] = True
    parts = [pd.DataFrame({**_movement(wide), **_rest(wide, bits, shows_wear), **_heart(wide)})]
    hourly_steps = activity.hourly(wide["steps"], wide["step_minutes"])
    for columns, values in ((activity, hourly_steps), (heart, heart.hourly(wide["beats"], wide["beat_minutes"]))):
        parts.append(pd.DataFrame(values, columns=list(columns.HOUR_COLUMNS)))
    return pd.concat([found.keys, *parts], axis=1)


def _tells_a_day(minutes: NDArray[np.float64]) -> Hours:
    """Whether minutes by hour, of shape (n_versions, 24), tell enough of the waking hours."""
    is_day: Hours = minutes[:, activity.WAKING_HOURS].sum(axis=1) >= activity.FEWEST_DAY_MINUTES
    return is_day


def _active(wide: Wide) -> NDArray[np.float64]:
    """Minutes with steps, by hour."""
    return wide["incidental"] + wide["slow"] + wide["brisk"]


def _known(wide: Wide, name: str, count: str, fewest: int = 1) -> NDArray[np.float64]:
    """A sum over the day; missing where too few minutes of the day count, or an hour that was kept lacks it."""
    known = (wide[count].sum(axis=1) >= fewest) & (wide[name] >= 0).all(axis=1)
    return np.where(known, wide[name].sum(axis=1), np.nan)


def _movement(wide: Wide) -> Wide:
    told = _tells_a_day(wide["step_minutes"])
    counts = {"steps": "steps", **{f"{band}_minutes": band for band in ("incidental", "slow", "brisk")}}
    totals = {
        f"activity_{name}": np.where(told, _known(wide, of, "step_minutes"), np.nan) for name, of in counts.items()
    }
    entropy = activity.entropy(activity.hourly(wide["steps"], wide["step_minutes"]))
    return {**totals, "activity_entropy": np.where(np.isnan(totals["activity_steps"]), np.nan, entropy)}


def _rest(wide: Wide, bits: dict[str, Places], shows_wear: Hours) -> Wide:
    """Wear, and rest in the hours of which it is known that a device was on.

    Of a pedometer, which shows no sign of being worn but its steps, nobody knows on whom it lay still.

    Args:
        shows_wear: of shape (n_versions,).
    """
    active, told = _active(wide), wide["step_minutes"]
    on = wide["attended"] > 0
    is_day = _tells_a_day(told * on)
    # An hour that lacks a band has too few minutes with steps for its bits, or fewer than none.
    moving, still = activity.known_bits(bits["active_bits"], bits["still_bits"], active, told - active)
    moving, still = moving * on, still * on
    share = (told - active).sum(axis=1, where=on) / np.maximum(told.sum(axis=1, where=on), 1)
    is_known = shows_wear | (active.sum(axis=1) == 0)
    return {
        "adherence_wear_minutes": np.where(is_known, _known(wide, "worn", "minutes"), np.nan),
        "activity_sedentary_share": np.where(
            is_day & (active >= 0).all(axis=1) & (told >= 0).all(axis=1), share, np.nan
        ),
        "activity_sedentary_bout": activity.mean_run(still),
        "activity_sedentary_longest": activity.longest_run(still),
        "activity_rest_to_active": activity.transition_rate(still, moving),
        "activity_active_to_rest": activity.transition_rate(moving, still),
    }


def _heart(wide: Wide) -> Wide:
    beats, minutes = wide["beats"], wide["beat_minutes"]
    return {
        "heart_resting": heart.resting(beats, minutes),
        "heart_mean": beats.sum(axis=1) / _known(wide, "beat_minutes", "beat_minutes", heart.FEWEST_DAY_MINUTES),
        "heart_night_dip": heart.night_dip(beats, minutes),
        "heart_hrv": wide["hrv"].sum(axis=1) / _known(wide, "hrv_minutes", "hrv_minutes"),
    }
