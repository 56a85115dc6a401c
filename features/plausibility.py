"""What a stream says that cannot be: hours of a stuck or saturated sensor, minutes and nights told twice; and counts.

Nothing here takes a row away from the lake. An implausible hour is missing in the versions of its day that show it to
be implausible, so that a stuck sensor never reads as calm; what is found is told as tidy rows, one per subject, day
and rule, and counted without subjects.
"""

from dataclasses import dataclass

import pandas as pd

from features.calendar import is_known_on
from features.hours import DayHours, with_versions
from features.tables import STUCK_FEWEST_MINUTES, WEARABLE
from features.versions import with_days

FINDING = ["subject_id", "local_date", "known_on", "stream", "rule"]
STREAM = "wearable"
STUCK, SATURATED = "stuck", "saturated"
TWO_DEVICES = "two_devices"
NOTHING = with_days(pd.DataFrame({name: pd.Series(dtype="str") for name in FINDING}))
SAME_HOUR = ["subject", "device", "hour", "value"]
COUNT_COLUMNS = ["stream", "rule", "is_of_the_night", "n_subjects", "n_rows_or_days"]


@dataclass(frozen=True)
class Sensor:
    """One sensor of the wearable: its sums per hour, and what is missing of an hour in which it is stuck."""

    measure: str
    total: str
    minutes: str
    squares: str
    further: tuple[str, ...] = ()

    @property
    def ends(self) -> tuple[float | None, float | None]:
        """The ends of the plausible range of a minute; no steps are no end, for people rest."""
        column = WEARABLE.column(self.measure)
        return (column.low or None, column.high)


SENSORS = (
    Sensor("heart_rate", "beats", "beat_minutes", "beat_squares"),
    # Bits without their counts are unknown: `activity.known_bits`.
    Sensor("steps", "steps", "step_minutes", "step_squares", ("incidental", "slow", "brisk")),
)


def without_stuck_hours(found: DayHours) -> tuple[DayHours, pd.DataFrame]:
    """The same versions with hours of a stuck or saturated sensor missing, and the subject-days they were on.

    An hour is constant if at least 20 minutes of it have a value and all the same one, other than no steps. Two
    successive constant hours with the same value are stuck, also over midnight; one at an end of the range is
    saturated. A version sees the neighbouring day as it was known then, and begins anew when that changes the answer.
    """
    constant = {sensor: _constant(found, sensor) for sensor in SENSORS}
    if not any(len(rows) for rows in constant.values()):
        return found, NOTHING
    extra = pd.concat([_turning_points(_pairs(rows, _spans(rows))) for rows in constant.values()])
    if len(extra):
        found = with_versions(found, extra)
        constant = {sensor: _constant(found, sensor) for sensor in SENSORS}
    hours, told = found.hours.copy(), []
    for sensor, rows in constant.items():
        for rule, at in ((SATURATED, _at_an_end(rows, sensor)), (STUCK, _beside_their_like(rows))):
            hours.loc[at, [sensor.total, sensor.minutes, sensor.squares, *sensor.further]] = 0
            told.append(pd.DataFrame({"version": hours.loc[at, "version"], "rule": f"{rule}_{sensor.measure}"}))
    findings = pd.concat(told)
    hours.loc[findings.index.unique(), "worn"] = _what_is_left(hours.loc[findings.index.unique()])
    return DayHours(found.subjects, found.versions, hours), _findings(found, findings)


def _what_is_left(hours: pd.DataFrame) -> pd.Series:
    """Worn minutes of hours without their stuck sensor, which shows no wear: at least those of the sensor that tells most of it.

    Hours that were kept may lack what one tells: of those that are known.
    """
    moving = hours[["incidental", "slow", "brisk"]].sum(axis=1)
    others = pd.concat([moving, hours[["said_worn", "beat_minutes", "hrv_minutes"]]], axis=1)
    return hours["worn"].clip(upper=others.max(axis=1))


def _constant(found: DayHours, sensor: Sensor) -> pd.DataFrame:
    """Constant hours, their index kept, with the value and the span of index dates in which their version counts."""
    hours = found.hours
    n, total = hours[sensor.minutes], hours[sensor.total]
    is_constant = (n >= STUCK_FEWEST_MINUTES) & (total > 0) & (n * hours[sensor.squares] == total * total)
    rows = hours[is_constant]
    rows = rows.assign(value=rows[sensor.total] // rows[sensor.minutes], row=rows.index)
    rows = rows.join(found.versions, on="version")
    return rows.assign(hour=rows["day"] * 24 + rows["hour"])[
        ["subject", "device", "hour", "value", "row", "version", "day", "known_on", "until"]
    ]


def _spans(rows: pd.DataFrame) -> pd.DataFrame:
    """Constant hours, those of versions that follow one another taken together: another hour of the day has changed."""
    rows = rows.sort_values([*SAME_HOUR, "known_on"])
    goes_on = rows.duplicated(SAME_HOUR) & (rows["known_on"] == rows["until"].shift(1))
    until = rows.groupby((~goes_on).cumsum())["until"].transform("max")
    return rows.assign(until=until)[~goes_on]


def _pairs(rows: pd.DataFrame, beside: pd.DataFrame) -> pd.DataFrame:
    """Each constant hour with the one after or before it that has the same value; within a day, of one version."""
    both = pd.concat([
        rows.merge(beside.assign(hour=beside["hour"] + step), on=SAME_HOUR, suffixes=("", "_beside")) for step in (-1, 1)
    ])  # fmt: skip
    return both[(both["day"] != both["day_beside"]) | (both["version"] == both["version_beside"])]


def _turning_points(pairs: pd.DataFrame) -> pd.DataFrame:
    """Index dates within a version on which the neighbouring day comes to make an hour stuck, or no longer does."""
    changes = [pairs.assign(at=pairs[column]) for column in ("known_on_beside", "until_beside")]
    every = pd.concat(changes)
    inside = every[(every["at"] > every["known_on"]) & (every["at"] < every["until"])]
    return pd.DataFrame({"subject": inside["subject"], "day": inside["day"], "known_on": inside["at"]})


def _beside_their_like(rows: pd.DataFrame) -> pd.Index:
    pairs = _pairs(rows, rows)
    is_known = is_known_on(pairs["known_on_beside"], pairs["known_on"])
    is_known &= ~is_known_on(pairs["until_beside"], pairs["known_on"])
    beside: pd.Index = pd.Index(pairs.loc[is_known, "row"].unique())
    return beside


def _at_an_end(rows: pd.DataFrame, sensor: Sensor) -> pd.Index:
    at_an_end: pd.Index = pd.Index(rows.loc[rows["value"].isin([e for e in sensor.ends if e is not None]), "row"])
    return at_an_end


def _findings(found: DayHours, told: pd.DataFrame) -> pd.DataFrame:
    rows = told.merge(found.keys, left_on="version", right_index=True).drop(columns="version")
    return first_told(rows.assign(stream=STREAM))


def first_told(rows: pd.DataFrame) -> pd.DataFrame:
    """One finding per subject, day, stream and rule: `FINDING`, with the first index date that could see it."""
    key = ["subject_id", "local_date", "stream", "rule"]
    return rows.groupby(key)["known_on"].min().reset_index()[FINDING]


def counts(findings: pd.DataFrame, flags: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """How many subjects and days each rule concerned: `stream, rule, is_of_the_night, n_subjects, n_rows_or_days`.

    Args:
        findings: one row per subject, day, stream and rule (`FINDING`).
        flags: `flags.FLAG`, counted by the flag's name.
        as_of: the night; `is_of_the_night` rows count what its index date could see for the first time, the others all
            that was known by it.
    """
    told = pd.concat([findings[["subject_id", "stream", "rule", "known_on"]],
                      flags.rename(columns={"flag": "rule"})[["subject_id", "stream", "rule", "known_on"]]])  # fmt: skip
    known = told[is_known_on(told["known_on"], as_of)]
    parts = []
    for is_of_the_night, rows in ((False, known), (True, known[known["known_on"] == as_of])):
        by_rule = rows.groupby(["stream", "rule"])["subject_id"].agg(n_subjects="nunique", n_rows_or_days="size")
        parts.append(by_rule.reset_index().assign(is_of_the_night=is_of_the_night))
    return pd.concat(parts, ignore_index=True)[COUNT_COLUMNS].sort_values(COUNT_COLUMNS[:3], ignore_index=True)
