"""From sums per clock hour to the measures of each version of a wearable's day.

A version holds what all receipts up to its index date brought. Hours of a stuck or saturated sensor are missing in
it, and of two devices the one that speaks for the day, or for the minute where a preference is declared, is kept.
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
BITS = ("active_bits", "still_bits")
# Squares served to find stuck sensors.
TOLD = [name for name in SUMS if name not in (*BITS, "step_squares", "beat_squares")]


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


def one_voice(found: DayHours) -> DayHours:
    """Of two devices on one day the one that tells of more minutes speaks; otherwise every step would count twice."""
    hours = found.hours
    if not hours["device"].to_numpy().any():
        return found
    told = hours[["version", "device", "minutes"]].assign(spoken=spoken(hours))
    told = told.groupby(["version", "device"], as_index=False).sum()
    chosen = told.sort_values(["version", "spoken", "minutes", "device"]).drop_duplicates("version", keep="last")
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
    off = _is_off(wide)
    wide["step_minutes"][off] = 0
    # Of a pedometer, which shows no sign of being worn but its steps, nobody knows on whom it lay still.
    off |= ~_shows_wear(wide)[:, None]
    parts = [pd.DataFrame({**_movement(wide), **_rest(wide, bits, ~off), **_heart(wide)})]
    hourly_steps = activity.hourly(wide["steps"], wide["step_minutes"])
    for columns, values in ((activity, hourly_steps), (heart, heart.hourly(wide["beats"], wide["beat_minutes"]))):
        parts.append(pd.DataFrame(values, columns=list(columns.HOUR_COLUMNS)))
    return pd.concat([found.keys, *parts], axis=1)


def _is_off(wide: Wide) -> Hours:
    """Hours of which steps tell nothing, of shape (n_versions, 24): a flat battery is no calm hour.

    Without a step, a pulse or a word of being worn all day long, every hour; where a day has any sign beside steps, each hour
    that has none.
    """
    is_silent: Hours = wide["worn"] == 0
    return is_silent & (_shows_wear(wide) | is_silent.all(axis=1))[:, None]


def _shows_wear(wide: Wide) -> Hours:
    """Days on which the device shows by more than steps that somebody wears it: by a pulse, or by its word."""
    shows: Hours = (wide["beat_minutes"].sum(axis=1) > 0) | (wide["worn"].sum(axis=1) != _active(wide).sum(axis=1))
    return shows


def _active(wide: Wide) -> NDArray[np.float64]:
    """Minutes with steps, by hour."""
    return wide["incidental"] + wide["slow"] + wide["brisk"]


def _known(wide: Wide, name: str, count: str, fewest: int = 1) -> NDArray[np.float64]:
    """A sum over the day; missing where too few minutes of the day count, or an hour that was kept lacks it."""
    known = (wide[count].sum(axis=1) >= fewest) & (wide[name] >= 0).all(axis=1)
    return np.where(known, wide[name].sum(axis=1), np.nan)


def _movement(wide: Wide) -> Wide:
    told = wide["step_minutes"][:, activity.WAKING_HOURS].sum(axis=1) >= activity.FEWEST_DAY_MINUTES
    counts = {"steps": "steps", **{f"{band}_minutes": band for band in ("incidental", "slow", "brisk")}}
    totals = {
        f"activity_{name}": np.where(told, _known(wide, of, "step_minutes"), np.nan) for name, of in counts.items()
    }
    entropy = activity.entropy(activity.hourly(wide["steps"], wide["step_minutes"]))
    return {**totals, "activity_entropy": np.where(np.isnan(totals["activity_steps"]), np.nan, entropy)}


def _rest(wide: Wide, bits: dict[str, Places], on: Hours) -> Wide:
    """Wear, and rest in the hours of which it is known that the device was on."""
    active, told = _active(wide), wide["step_minutes"]
    is_day = (told * on)[:, activity.WAKING_HOURS].sum(axis=1) >= activity.FEWEST_DAY_MINUTES
    # An hour that lacks a band has too few minutes with steps for its bits, or fewer than none.
    moving, still = activity.known_bits(bits["active_bits"], bits["still_bits"], active, told - active)
    moving, still = moving * on, still * on
    share = (told - active).sum(axis=1, where=on) / np.maximum(told.sum(axis=1, where=on), 1)
    is_known = on.any(axis=1) | (active.sum(axis=1) == 0)
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
