"""Rows of a raw table that come in a DataFrame: checked, and in the declared types.

Each refusal says table, column, count and cure. The door of a pipeline has the same rules, for files: it puts rows
aside one by one, where a notebook is better told at once. Names that the door lets in, though nothing is made of them, are
let in here too, and told of (`unread`).
"""

import difflib
from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from features import mood
from features.checks import check_civil_days, check_columns, check_texts, check_years
from features.errors import FeaturesError
from features.instruments import INSTRUMENTS
from features.tables import (
    DAILY_METRICS,
    PROVENANCE,
    SLEEP_EPISODE_LONGEST_H,
    SLEEP_ROUNDING_MIN,
    Column,
    Table,
)

# Whole numbers are stored in 32 bits.
LARGEST = 2**31 - 1


def checked_rows(table: Table, rows: pd.DataFrame, derived: tuple[str, ...]) -> pd.DataFrame:
    """Rows of a raw table with their columns in the declared types, instants in UTC.

    Args:
        derived: required columns that may be left out.

    Raises:
        FeaturesError: a column is unknown, missing or of another type; a value is missing, infinite or outside of its range.
    """
    declared = {column.name: column for column in (*table.columns, *PROVENANCE)}
    for name in rows.columns:
        if name not in declared:
            near = difflib.get_close_matches(str(name), declared, 1, cutoff=0.0)[0]
            raise FeaturesError(f"`{table.name}` has no column `{name}`; perhaps `{near}`. Rename it, or drop it.")
    check_columns(table.name, rows, tuple(c.name for c in table.columns if c.is_required and c.name not in derived))
    if rows.columns.has_duplicates:
        raise FeaturesError(f"`{table.name}` has several columns of one name. Keep one of them.")
    rows = rows.reset_index(drop=True)
    rows = pd.DataFrame({name: _typed(f"`{table.name}.{name}`", rows[name], declared[name]) for name in rows.columns})
    _keeps_its_rules(table.name, rows)
    return rows


def check_keys(table: Table, rows: pd.DataFrame) -> None:
    """Refuse two rows that tell of the same thing in the same version.

    Raises:
        FeaturesError: a key is repeated within a version.
    """
    key = [*table.key, "version"]
    repeated = int(rows.duplicated(key).sum())
    if repeated:
        raise FeaturesError(
            f"`{table.name}` repeats {repeated} of its rows' keys ({', '.join(key)}). Drop the duplicates, or number "
            "corrections in `version` and say in `received_at` when each came."
        )


# Column of a table -> what its rows are then, the names in it that measures are made of, and what becomes of others.
NAMED = {
    "mood": ("item", "items", mood.ITEMS, "count as answers only"),
    "assessments": ("instrument", "instruments", tuple(mood.ASSESSMENTS), "are not read"),
}


def unread(table: str, rows: pd.DataFrame) -> str:
    """What nothing is made of among the rows of a checked table, in a sentence or two; empty where there is no such row."""
    if table not in NAMED:
        return ""
    column, kind, known, fate = NAMED[table]
    others = int((~rows[column].isin(known)).sum())
    if not others:
        return ""
    return (
        f"`{table}.{column}` has {others} rows of {kind} that no measure is made of; they {fate}. There are measures of "
        f"{', '.join(known)}. Rename them, or give them in `signals`."
    )


def checked_zones(tables: Mapping[str, pd.DataFrame], zones: str | Mapping[str, str] | pd.Series) -> pd.Series:
    """Time zone of each subject of some tables, by subject.

    Raises:
        FeaturesError: a table has no subjects, a subject has no zone or several, or a zone does not exist.
    """
    for name, rows in tables.items():
        check_columns(name, rows, ("subject_id",))
        if len(rows):
            check_texts(f"`{name}.subject_id`", rows["subject_id"])
    if isinstance(zones, str):
        subjects = pd.concat([rows["subject_id"] for rows in tables.values()]).dropna().unique()
        zones = pd.Series(zones, index=sorted(subjects), dtype="str")
    if not isinstance(zones, pd.Series):
        zones = pd.Series(zones, dtype="str")
    if zones.index.has_duplicates:
        raise FeaturesError("`zones` has subjects with several zones. Give one for each, that of their site.")
    for name, rows in tables.items():
        strangers = int((~rows["subject_id"].isin(zones.index)).sum())
        if strangers:
            raise FeaturesError(
                f"`{name}` has {strangers} rows of subjects that `zones` lacks. Add them or drop the rows."
            )
    for zone in zones.unique():
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, TypeError, OSError):
            raise FeaturesError(
                "`zones` holds a name that is no IANA time zone. Write them like Europe/Berlin."
            ) from None
    return zones


def _typed(where: str, values: pd.Series, column: Column) -> pd.Series:
    typed = TYPES[column.kind](where, values)
    missing = int(typed.isna().sum())
    if column.is_required and missing:
        raise FeaturesError(f"{where} has {missing} rows without a value. Fill them in, or drop the rows.")
    low, high = column.low, column.high
    if low is not None or high is not None:
        _lies_within(where, typed, -np.inf if low is None else low, np.inf if high is None else high, column.unit)
    return typed


def _lies_within(where: str, values: pd.Series, low: float, high: float, unit: str) -> None:
    outside = int(((values < low) | (values > high)).sum())
    if outside:
        raise FeaturesError(
            f"{where} has {outside} values that do not lie between {low:g} and {high:g} {unit}".rstrip()
            + ". Mend their unit, or make them missing."
        )


def _texts(where: str, values: pd.Series) -> pd.Series:
    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    if pd.api.types.infer_dtype(values, skipna=True) not in ("string", "empty"):
        raise FeaturesError(f"{where} holds no texts but {values.dtype}. Convert it with `astype(str)`.")
    return values.astype("str")


def _numbers(where: str, values: pd.Series) -> pd.Series:
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        raise FeaturesError(f"{where} holds no numbers but {values.dtype}. Convert it with `pd.to_numeric`.")
    numbers = values.astype("Float64").astype("float64")
    infinite = int(np.isinf(numbers).sum())
    if infinite:
        raise FeaturesError(f"{where} has {infinite} infinite values. Make them missing, or mend their source.")
    return numbers


def _whole_numbers(where: str, values: pd.Series) -> pd.Series:
    numbers = _numbers(where, values)
    broken = int((numbers % 1 > 0).sum())
    if broken:
        raise FeaturesError(f"{where} has {broken} values that are no whole numbers. Round them.")
    large = int((numbers.abs() > LARGEST).sum())
    if large:
        raise FeaturesError(f"{where} has {large} values beyond {LARGEST:,}. Mend them, or make them missing.")
    return numbers.astype("Int64")


def _instants(where: str, values: pd.Series) -> pd.Series:
    if not isinstance(values.dtype, pd.DatetimeTZDtype):
        raise FeaturesError(
            f"{where} holds no instants but {values.dtype}. Give times with their zone: `dt.tz_localize(...)`, or "
            "`pd.to_datetime(..., utc=True)` where offsets differ."
        )
    instants: pd.Series = values.dt.tz_convert("UTC").dt.as_unit("us")
    check_years(where, instants)
    return instants


def _civil_days(where: str, values: pd.Series) -> pd.Series:
    check_civil_days(where, values)
    days: pd.Series = values.dt.as_unit("us")
    return days


def _flags(where: str, values: pd.Series) -> pd.Series:
    if not pd.api.types.is_bool_dtype(values):
        raise FeaturesError(f"{where} holds no truth values but {values.dtype}. Convert it to `boolean`.")
    return values.astype("boolean")


TYPES: dict[str, Callable[[str, pd.Series], pd.Series]] = {
    "string": _texts, "real": _numbers, "integer": _whole_numbers, "instant": _instants, "day": _civil_days,
    "flag": _flags,
}  # fmt: skip


def _keeps_its_rules(name: str, rows: pd.DataFrame) -> None:
    """Rules that look at more than one column, or row."""
    if name == "mood":
        _keeps_its_scale(rows)
    if name == "signals":
        units = rows.groupby("name")["unit"].nunique()
        several = rows["name"].isin(units.index[units > 1])
        if several.any():
            raise FeaturesError(
                f"`signals.unit` differs within {(units > 1).sum()} signals, of {several.sum()} rows. Convert them to one."
            )
    if name == "wearable":
        within = int((rows["minute_at"] != rows["minute_at"].dt.floor("min")).sum())
        if within:
            raise FeaturesError(
                f"`wearable.minute_at` is within a minute in {within} rows. Give one row a minute, at its start: add up steps, "
                "average the rest."
            )
    if name == "sleep":
        _fits_its_episode(rows)
    if name == "assessments":
        for instrument, (low, high) in INSTRUMENTS.items():
            scores = rows["score"].where(rows["instrument"] == instrument)
            _lies_within(f"`assessments.score` of {instrument}", scores, low, high, "points")
    if name == "wearable_days":
        unknown = int((~rows["metric"].isin(DAILY_METRICS)).sum())
        if unknown:
            raise FeaturesError(
                f"`wearable_days.metric` has {unknown} rows of an unknown metric. Use {', '.join(DAILY_METRICS)}."
            )
        for metric, own in rows.groupby("metric"):
            unit, low, high = DAILY_METRICS[str(metric)]
            other = int((own["unit"] != unit).sum())
            if other:
                raise FeaturesError(
                    f"`wearable_days` has {other} rows of {metric} in another unit than {unit}. Convert them."
                )
            _lies_within(f"`wearable_days.value` of {metric}", own["value"], low, high, unit)


def _fits_its_episode(rows: pd.DataFrame) -> None:
    in_bed = (rows["offset_at"] - rows["onset_at"]).dt.total_seconds() / 60
    wrong = int((~((in_bed > 0) & (in_bed <= 60 * SLEEP_EPISODE_LONGEST_H))).sum())
    if wrong:
        raise FeaturesError(
            f"`sleep` has {wrong} rows that do not end after they began, or last longer than "
            f"{SLEEP_EPISODE_LONGEST_H:g} h. Mend `onset_at` and `offset_at`."
        )
    if "minutes_asleep" in rows:
        longer = int((rows["minutes_asleep"] - in_bed > SLEEP_ROUNDING_MIN).sum())
        if longer:
            raise FeaturesError(
                f"`sleep` has {longer} rows whose `minutes_asleep` exceed the time from onset to offset by more than "
                f"{SLEEP_ROUNDING_MIN:g} min. Mend their unit or the ends, or make them missing."
            )


def _keeps_its_scale(rows: pd.DataFrame) -> None:
    low, high = rows["scale_min"], rows["scale_max"]
    flat = int((low >= high).sum())
    if flat:
        raise FeaturesError(f"`mood` has {flat} rows whose `scale_min` does not lie below `scale_max`. Mend the scale.")
    outside = int(((rows["value"] < low) | (rows["value"] > high)).sum())
    if outside:
        raise FeaturesError(
            f"`mood.value` has {outside} values that do not lie on the scale of their row, `scale_min` to `scale_max`. Mend "
            "the scale, or drop the rows."
        )
