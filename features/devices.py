"""Which device speaks where a subject has several: the preferred one hour by hour, else the one with more to say all day.

A preference is a list of names of sources or device models, the first preferred; what it does not name comes last.
"""

from collections.abc import Sequence

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.activity import FEWEST_MINUTES
from features.hours import DayHours, dates, speaker
from features.minutes import DEVICE, SUMS, device_names

Preference = Sequence[str]
# Of each sensor how many minutes it told, and its other sums.
SENSORS = {
    "step_minutes": ("steps", "step_squares", "incidental", "slow", "brisk", "active_bits", "still_bits", "attended"),
    "beat_minutes": ("beats", "beat_squares"),
    "hrv_minutes": ("hrv",),
}
ORIGIN = ["subject_id", "stream", "local_date", "known_on", *DEVICE]


def rank(names: pd.DataFrame, preference: Preference) -> pd.Series:
    """Place of each row's `source` or `device_model` in the preference; its length where neither is named."""
    places = {name: place for place, name in enumerate(preference)}
    source, model = (
        names[column].map(places).astype(float).fillna(len(places)) for column in ("source", "device_model")
    )
    ranked: pd.Series = source.where(source < model, model).astype(np.int64)
    return ranked


def numbered(
    connection: duckdb.DuckDBPyConnection, sums: pd.DataFrame, kept_names: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hour sums with `device` as 0, 1, ... within the subject, and the names of subjects' devices who have several.

    Returns:
        The sums, and `subject_id, hashed, device, known_on` with the names: since when each is known. One device under two
        algorithms has one number.
    """
    subject, names = pd.factorize(sums["subject_id"])
    hashed = sums["device"].to_numpy()
    first = np.zeros(len(names), dtype=np.uint64)
    first[subject[::-1]] = hashed[::-1]
    several = names[np.unique(subject[hashed != first[subject]])]
    found = device_names(connection, several) if len(several) else kept_names.iloc[:0]
    found = pd.concat([found, kept_names[kept_names["subject_id"].isin(several)]]).drop_duplicates()
    since = sums[sums["subject_id"].isin(several)].groupby(["subject_id", "device"], as_index=False)["known_on"].min()
    found = found.merge(since, on=["subject_id", "device"])
    found = found.rename(columns={"device": "hashed"}).sort_values(["subject_id", "device_id", "source", "hashed"])
    is_new = ~found.duplicated(["subject_id", "device_id", "source"])
    found = found.assign(device=is_new.groupby(found["subject_id"]).cumsum() - 1)
    number = np.zeros(len(sums), dtype=np.int64)
    if len(found):
        has_several = sums["subject_id"].isin(several).to_numpy()
        rows = sums.loc[has_several, ["subject_id", "device"]].rename(columns={"device": "hashed"})
        number[has_several] = rows.merge(found, on=["subject_id", "hashed"], how="left")["device"].to_numpy()
    return sums.assign(device=number), found.reset_index(drop=True)


def origins(sums: pd.DataFrame, names: pd.DataFrame, preference: Preference) -> pd.DataFrame:
    """Which device and algorithm spoke for each day as it was first known, stuck hours included: `ORIGIN` and `device`.

    Args:
        sums: hour sums with `device` still hashed.
        names: as `numbered` gives them: subjects who have one device only are without names here.
        preference: the preferred device spoke where it may have (`hour_by_hour`).
    """
    subject, subjects = pd.factorize(sums["subject_id"])
    place = (subject.astype(np.int64) << 20) + sums["hour"].to_numpy() // 24
    rows = sums.rename(columns={"device": "hashed"}).assign(place=place)
    rows = rows[rows["known_on"] == rows.groupby("place")["known_on"].transform("min")]
    first = rows.groupby("place")["known_on"].min()
    spoke = rows[["place", "hashed"]].drop_duplicates()
    has_several = spoke["place"].duplicated(keep=False)
    # Who spoke is asked of days of several devices only: the others are the rule, and shall cost little.
    rows = rows[rows["place"].isin(spoke.loc[has_several, "place"])]
    if len(rows):
        # Offsets and what was kept are rows of their own here.
        rows = rows.groupby(["place", "hashed", "hour"], as_index=False)[list(SUMS)].sum()
        place = _ranks(subjects.take(rows["place"].to_numpy() >> 20), rows["hashed"], names, "hashed", preference)
        best = speaker(rows.assign(liked=len(preference) - place), ["place"], "hashed")
        spoke = pd.concat([spoke[~has_several], best[["place", "hashed"]]])
    spoke = spoke.sort_values("place", ignore_index=True)
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


def hour_by_hour(found: DayHours, names: pd.DataFrame, preference: Preference) -> DayHours:
    """Days of several devices told anew, each hour and sensor by one of them; in versions that know of a preferred device.

    One with a sign of wear that tells enough of the hour comes first, then one that shows wear that day, then one with any sign, then
    one that tells enough, then the preferred: it may lie on a table. Two devices in one hour never add up. Wear is that of the
    devices that show it, where any does.

    Args:
        found: of `hours.without_silent_hours`.
        names: as `numbered` gives them.
    """
    hours = found.hours
    if not hours["device"].to_numpy().any():
        return found
    subject_id = found.subjects.take(found.versions["subject"].to_numpy()[hours["version"].to_numpy()])
    hours = hours.assign(rank=_ranks(subject_id, hours["device"], names, "device", preference))
    has_told = (hours[list(SENSORS)] != 0).any(axis=1)
    is_named = ((hours["rank"] < len(preference)) & has_told).groupby(hours["version"]).transform("any")
    is_of_several = is_named & (hours.groupby("version")["device"].transform("nunique") > 1)
    if not is_of_several.any():
        return found
    merged = _merged(hours[is_of_several])
    kept = hours.loc[~is_of_several, merged.columns]
    return DayHours(found.subjects, found.versions, pd.concat([kept, merged], ignore_index=True))


def _ranks(
    subject_id: pd.Index, device: pd.Series, names: pd.DataFrame, column: str, preference: Preference
) -> NDArray[np.int64]:  # fmt: skip
    """Place in the preference of each row's device, which `column` of the names tells; its length where it has none.

    Of several names of one device the first known counts, so that a later one changes no earlier version.
    """
    key = ["subject_id", column]
    ranked = names.assign(rank=rank(names, preference)).sort_values(["known_on", "rank"])
    best = ranked.drop_duplicates(key)[[*key, "rank"]]
    rows = pd.DataFrame({"subject_id": subject_id, column: device.to_numpy()})
    found: NDArray[np.int64] = rows.merge(best, on=key, how="left")["rank"].fillna(len(preference)).to_numpy(np.int64)
    return found


def _merged(hours: pd.DataFrame) -> pd.DataFrame:
    """One row per version and hour: each sensor's sums by the device that speaks for it, the rest by the one of most minutes."""
    hour = ["version", "hour"]
    is_attended, has_sign = hours["attended"] > 0, hours["worn"] > 0
    is_any_shown = hours.groupby("version")["shows"].transform("any")
    hours = hours.assign(worn=hours["attended"].where(is_any_shown, hours["worn"]))
    most = hours.groupby(hour, as_index=False)[["minutes", "worn", "said_worn", "shows"]].max()
    for told, further in SENSORS.items():
        is_enough = hours[told] >= FEWEST_MINUTES
        # Of no minute is less than of an unknown number (`minutes.UNKNOWN`).
        standing = [
            hours[told] != 0,
            has_sign & is_enough,
            is_attended,
            has_sign,
            is_enough,
            -hours["rank"],
            -hours["device"],
        ]
        order = np.lexsort([-np.asarray(by, dtype=np.int64) for by in reversed(standing)])
        first = hours.iloc[order].drop_duplicates(hour)
        most = most.merge(first[[*hour, told, *further]], on=hour)
    return most.assign(device=0)
