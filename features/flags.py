"""What changed in how a subject is measured: device, algorithm, unit, clock. Flags take nothing away.

A flag says from which local day on (`on_date`) something is different, and from which index date on (`known_on`) that
could be seen: it rests only on versions of days known by then, each as it was first known. A day that comes in after a
later one is passed over: else it would take away, from all that is said later, what earlier nights saw.
"""

from functools import reduce

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.baseline import MAD_TO_SD
from features.calendar import is_known_on
from features.change_limits import (
    CLOCK_DAYS_AFTER,
    CLOCK_DAYS_BEFORE,
    CLOCK_FIT_GAIN,
    CLOCK_SHIFT_H,
    LEVEL_DAYS_AFTER,
    LEVEL_DAYS_BEFORE,
    NEW_AFTER_DAYS,
    SLEEP_DAYS_AFTER,
    SLEEP_DAYS_BEFORE,
    SLEEP_SHIFT_DEVIATIONS,
    SLEEP_SHIFT_MIN,
)
from features.days import Days
from features.hours import HOUR_COLUMNS
from features.minutes import DEVICE
from features.order import Ordered, begins, ordered
from features.signals import VENDOR
from features.unit_changes import unit_jumps
from features.versions import KEY

FLAG = ["subject_id", "stream", "measure", "flag", "on_date", "known_on"]
DEVICE_CHANGE, ALGORITHM_CHANGE = "device_change", "algorithm_change"
UNIT_CHANGE, SLEEP_SHIFT, CLOCK_SHIFT, CLOCK_AHEAD = "unit_change", "sleep_shift", "clock_shift", "clock_ahead"
# After these a subject's own past is another instrument's.
RESTARTS = (DEVICE_CHANGE, ALGORITHM_CHANGE, UNIT_CHANGE, SLEEP_SHIFT)
# Measures of the panel whose level is watched, by stream, and minutes per unit of those that an algorithm may move.
WATCHED = {
    "activity_steps": "wearable", "heart_resting": "wearable", "heart_mean": "wearable", "heart_hrv": "wearable",
    "sleep_duration": "sleep",
}  # fmt: skip
SLEEP_MEASURES = {"sleep_duration": 1.0, "sleep_midpoint": 60.0}
# A move of the clock on the wall by less than this is daylight saving time, and does not explain a moved rhythm.
TRAVEL_MIN = 120

Values = NDArray[np.float64]


def flags_of(found: Days | Ordered) -> pd.DataFrame:
    """Every flag of the subjects of a day panel: `FLAG`, sorted."""
    told = ordered(found) if isinstance(found, Days) else found
    days = told.panel
    watched = [
        unit_changes(days[[*KEY, measure]].rename(columns={measure: "value"}), measure, stream)
        for measure, stream in WATCHED.items()
        if measure in days
    ]
    of_others = [
        unit_changes(rows, str(measure), str(measure).split(".")[0])
        for measure, rows in told.levels.groupby("measure", sort=False)
    ]
    # Who has one wearable only has no names of it, and no change.
    new = changes(told.origins[told.origins["source"].notna()])
    ahead = told.ahead.assign(on_date=told.ahead["local_date"], measure="")
    parts = [new, sleep_shifts(new, days), *watched, *of_others, _flags(ahead, flag=CLOCK_AHEAD)]
    if HOUR_COLUMNS[0] in days:
        parts.append(clock_shifts(days, told.offsets))
    every = pd.concat([part for part in parts if len(part)] or [_flags(ahead, flag=CLOCK_AHEAD)], ignore_index=True)
    texts = dict.fromkeys(("stream", "measure", "flag"), "str")
    return told.named(every).astype(texts).sort_values(FLAG, ignore_index=True)


def _flags(rows: pd.DataFrame, **said: str) -> pd.DataFrame:
    return rows.assign(**said)[FLAG]


def changes(origins: pd.DataFrame) -> pd.DataFrame:
    """Days on which a device, or an algorithm on the same device, speaks that did not in the four weeks before.

    Args:
        origins: `devices.ORIGIN`, which device and algorithm spoke for a day, in order.
    """
    rows = _of_several(origins)
    rows = rows.assign(on_date=rows["local_date"], measure="")
    device = ["source", "device_id", "device_model"]
    is_new_device = _is_new(rows, device)
    is_new_algorithm = _is_new(rows, [*device, "algorithm_version"]) & ~is_new_device
    is_later = rows.duplicated(["subject_id", "stream"])
    return pd.concat([_flags(rows[is_later & is_new_device], flag=DEVICE_CHANGE),
                      _flags(rows[is_later & is_new_algorithm], flag=ALGORITHM_CHANGE)])  # fmt: skip


def _of_several(origins: pd.DataFrame) -> pd.DataFrame:
    """Days of streams of which more than one device or algorithm ever spoke: of nearly nobody, whom alone it costs something."""
    is_first = begins([pd.factorize(origins[name])[0] for name in ("subject_id", "stream")])
    is_other = begins([pd.factorize(origins[name])[0] for name in DEVICE]) & ~is_first
    group = np.cumsum(is_first)
    return origins[np.isin(group, group[is_other])]


def _is_new(rows: pd.DataFrame, identity: list[str]) -> pd.Series:
    """Whether each day's identity was not that of any of the 28 days before; true of a subject's first day."""
    told = rows.groupby(identity, sort=False, dropna=False).ngroup()
    last = rows.groupby([rows["subject_id"], rows["stream"], told], sort=False)["local_date"].shift(1)
    is_same = told == told.groupby([rows["subject_id"], rows["stream"]], sort=False).shift(1)
    recent: pd.Series = (rows["local_date"] - last) <= pd.Timedelta(days=NEW_AFTER_DAYS)
    return ~(is_same | recent)


def unit_changes(levels: pd.DataFrame, measure: str, stream: str) -> pd.DataFrame:
    """Days on which a level jumps by what two units differ by, far outside the subject's own spread, and stays.

    Args:
        levels: `subject_id, local_date, known_on, value` of the measure, in order.
    """
    rows = levels[levels["value"] > 0]
    place = unit_jumps(rows["value"].to_numpy(dtype=np.float64), rows["subject_id"].to_numpy(dtype=np.int64))
    days = rows.iloc[place + LEVEL_DAYS_BEFORE].reset_index(drop=True)
    known_on = _known(rows, place, LEVEL_DAYS_BEFORE + LEVEL_DAYS_AFTER)
    return _flags(
        days.assign(on_date=days["local_date"], known_on=known_on), flag=UNIT_CHANGE, measure=measure, stream=stream
    )


def _known(rows: pd.DataFrame, place: NDArray[np.int64], width: int) -> NDArray[np.datetime64]:
    """The index date from which every row of the windows that begin at some places was known."""
    known_on = rows["known_on"].to_numpy().astype("datetime64[us]").astype(np.int64)
    latest: NDArray[np.datetime64] = (
        known_on[place[:, None] + np.arange(width)].max(axis=1, initial=0).astype("datetime64[us]")
    )
    return latest


def sleep_shifts(found: pd.DataFrame, nights: pd.DataFrame) -> pd.DataFrame:
    """Changes of a sleep algorithm or device after which sleep is longer, shorter or at another hour, and stays so.

    A shift is told of from 15 minutes on, and if it is 2.5 standard errors beyond the subject's own nights: with the
    usual spread of nights most single subjects' 20 minutes stay unseen, and the change of algorithm is the flag.

    Args:
        found: flags of `changes`.
        nights: the panel's days as first known.
    """
    at = found[found["stream"] == "sleep"]
    by_subject = dict(tuple(nights[nights["subject_id"].isin(at["subject_id"])].groupby("subject_id")))
    at = at[at["subject_id"].isin(list(by_subject))]
    told = [
        {**change, "measure": measure, "known_on": known_on}
        for change in at.to_dict("records")
        for measure, minutes in SLEEP_MEASURES.items()
        if measure in nights
        for known_on in _shift(by_subject[change["subject_id"]], change["on_date"], measure, minutes)
    ]
    rows = pd.DataFrame(told, columns=FLAG).astype({"on_date": "datetime64[us]", "known_on": "datetime64[us]"})
    return _flags(rows, flag=SLEEP_SHIFT)


def _shift(nights: pd.DataFrame, on_date: pd.Timestamp, measure: str, minutes: float) -> list[pd.Timestamp]:
    """The index date from which a shift on a date could be seen; none where there is no shift."""
    rows = nights[nights[measure].notna()]
    before, after = rows[rows["local_date"] < on_date][-SLEEP_DAYS_BEFORE:], rows[rows["local_date"] >= on_date]
    after = after[:SLEEP_DAYS_AFTER]
    if len(before) < SLEEP_DAYS_AFTER or len(after) < SLEEP_DAYS_AFTER:
        return []
    old, new = (part[measure].to_numpy(dtype=np.float64) * minutes for part in (before, after))
    if measure == "sleep_midpoint":
        old, new = ((part - np.median(old) + 720) % 1440 - 720 for part in (old, new))
    shift = np.median(new) - np.median(old)
    # The median of normal data is 1.25 times as uncertain as their mean.
    spread = MAD_TO_SD * np.median(np.abs(np.concatenate([old - np.median(old), new - np.median(new)])))
    error = 1.25 * spread * np.sqrt(1 / len(old) + 1 / len(new))
    is_shift = abs(shift) >= SLEEP_SHIFT_MIN and abs(shift) >= SLEEP_SHIFT_DEVIATIONS * error
    return [max(before["known_on"].max(), after["known_on"].max())] if is_shift else []


def clock_shifts(days: pd.DataFrame, offsets: pd.DataFrame) -> pd.DataFrame:
    """Days on which the daily rhythm of steps moves by 3 hours or more and stays, without a change of time zone.

    Args:
        days: the panel's days as first known, with steps per hour.
        offsets: `subject_id, local_date, known_on, utc_offset_min` of subjects who had more than one.
    """
    width = CLOCK_DAYS_BEFORE + CLOCK_DAYS_AFTER
    rows = days[has_rhythm(days)].reset_index(drop=True)
    if len(rows) < width:
        return _flags(rows.assign(on_date=rows["local_date"], flag="", stream="", measure="").iloc[:0])
    steps = np.sqrt(rows[HOUR_COLUMNS].fillna(0).to_numpy(dtype=np.float64))
    last = len(rows) - width + 1
    # Added day by day: a running sum would let the rows of others show in the last bits.
    before, after = (
        reduce(np.add, (steps[day : day + last] for day in span))
        for span in (range(CLOCK_DAYS_BEFORE), range(CLOCK_DAYS_BEFORE, width))
    )
    fits = _fit_by_lag(before, after)
    lag = (fits.argmax(axis=1) + 12) % 24 - 12
    is_moved = (np.abs(lag) >= CLOCK_SHIFT_H) & (fits.max(axis=1) - fits[:, 0] >= CLOCK_FIT_GAIN)
    # The first moved day must fit the moved rhythm too, the last unmoved day the old one.
    first = _fit_by_lag(before, steps[CLOCK_DAYS_BEFORE : CLOCK_DAYS_BEFORE + last])
    previous = _fit_by_lag(before, steps[CLOCK_DAYS_BEFORE - 1 : CLOCK_DAYS_BEFORE - 1 + last])
    at = np.arange(last), lag % 24
    is_moved &= (first[at] > first[:, 0]) & (previous[at] < previous[:, 0])
    subject = rows["subject_id"].to_numpy()
    is_moved &= subject[:last] == subject[width - 1 :]
    place = np.flatnonzero(is_moved)
    moved = rows.iloc[place + CLOCK_DAYS_BEFORE].reset_index(drop=True)
    moved = moved.assign(on_date=moved["local_date"], known_on=_known(rows, place, width))
    # A window that still holds unmoved days would tell of the same move again.
    again = (moved["on_date"] - moved.groupby("subject_id")["on_date"].shift(1)).dt.days <= CLOCK_DAYS_BEFORE
    found = moved[~again & ~_travelled(moved, offsets)]
    return _flags(found, stream="wearable", measure="activity_steps", flag=CLOCK_SHIFT)


def has_rhythm(days: pd.DataFrame) -> pd.Series:
    """Whether steps of more than half of a day's hours are known."""
    has: pd.Series = days[HOUR_COLUMNS].notna().sum(axis=1) > len(HOUR_COLUMNS) / 2
    return has


def _fit_by_lag(before: Values, after: Values) -> Values:
    """Correlation of one daily profile with another moved by 0, 1, ... 23 hours, of shape (n, 24)."""

    def standard(profile: Values) -> Values:
        centred = profile - profile.mean(axis=1, keepdims=True)
        length = np.sqrt((centred * centred).sum(axis=1, keepdims=True))
        scaled: Values = centred / np.maximum(length, 1e-9)
        return scaled

    old, new = standard(before), standard(after)
    return np.stack([(np.roll(old, lag, axis=1) * new).sum(axis=1) for lag in range(24)], axis=1)


def _travelled(moved: pd.DataFrame, offsets: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether the wall clock moved by two hours or more around each of the days, as far as was known."""
    around = (
        moved[["subject_id", "on_date", "known_on"]]
        .reset_index()
        .merge(offsets, on="subject_id", suffixes=("", "_too"))
    )
    days = (around["local_date"] - around["on_date"]).dt.days
    is_known = is_known_on(around["known_on_too"], around["known_on"])
    around = around[days.between(-CLOCK_DAYS_BEFORE, CLOCK_DAYS_AFTER) & is_known]
    span = around.groupby("index")["utc_offset_min"].agg(lambda minutes: minutes.max() - minutes.min())
    return np.isin(moved.index.to_numpy(), span.index[span >= TRAVEL_MIN])


def restarts_of(flags: pd.DataFrame) -> pd.DataFrame:
    """From which day on a subject's past begins anew, for one measure or (measure "") for all of a stream.

    A vendor's daily figures stand in for measures of minutes, whose past they end too.
    """
    found = flags[flags["flag"].isin(RESTARTS)]
    is_daily = (found["stream"] == "wearable_days").to_numpy()
    metric = found["measure"].str.removeprefix("wearable_days.").str.replace("signals.", "signals_")
    measure = metric.map({name: measure for name, (measure, _) in VENDOR.items()}).fillna(metric)
    named = found.assign(measure=measure)
    named = pd.concat([named, named[is_daily].assign(stream="wearable")])
    return named[["subject_id", "stream", "measure", "on_date", "known_on"]].reset_index(drop=True)
