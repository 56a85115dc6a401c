"""What tables must be before features are built from them; each refusal says table, column, count and cure."""

import difflib
from collections.abc import Collection

import numpy as np
import pandas as pd

from features.calendar import day_number
from features.errors import FeaturesError
from features.grid import SubjectDays
from features.history import enrolment
from features.signals import SIGNAL

RESTARTS = ("subject_id", "stream", "measure", "on_date", "known_on")
DAYS = ("subject_id", "local_date", "known_on")
# A day can be known of before it is over, and where clocks are far behind even before it begins there.
MOST_DAYS_AHEAD = 2
FIRST_YEAR, LAST_YEAR = 1970, 2200


def checked_days(days: pd.DataFrame, measures: Collection[str]) -> SubjectDays:
    """The versions of subject-days in the day panel.

    Args:
        measures: columns that features are made of. Signals may be others: a source can tell of more than is declared.

    Raises:
        FeaturesError: a key column is missing, no text or no civil day, a key is repeated, a measure is unknown or no
            number, or days were known long before they were lived.
    """
    check_columns("days", days, DAYS)
    for column in days.columns.drop(list(DAYS)):
        if column not in measures and not str(column).startswith(SIGNAL):
            raise _no_measure(str(column), measures)
    check_texts("`days.subject_id`", days["subject_id"])
    for column in days.columns.drop(list(DAYS)):
        if not pd.api.types.is_any_real_numeric_dtype(days[column]):
            raise FeaturesError(f"`days.{column}` holds no numbers but {days[column].dtype}. Convert it, or drop it.")
    for column in DAYS[1:]:
        check_civil_days(f"`days.{column}`", days[column])
    # Categories would sort in an order of their own.
    if not isinstance(days["subject_id"].dtype, pd.StringDtype):
        days = days.assign(subject_id=days["subject_id"].astype("str"))
    subject, names = pd.factorize(days["subject_id"], sort=True)
    day, known_on = (day_number(days[column]) for column in DAYS[1:])
    early = int((known_on < day - MOST_DAYS_AHEAD).sum())
    if early:
        raise FeaturesError(
            f"`days.known_on` lies more than {MOST_DAYS_AHEAD} days before `local_date` in {early} rows. Give the first index "
            "date that may use the day: the day after it, or later."
        )
    key = (subject.astype(np.int64) << 40) + (day << 20) + known_on
    order = np.argsort(key, kind="stable")
    repeated = int((np.diff(key[order]) == 0).sum())
    if repeated:
        raise FeaturesError(f"`days` repeats {repeated} of its rows' keys ({', '.join(DAYS)}). Drop the duplicates.")
    values = {name: days[name].to_numpy(dtype=np.float64) for name in days.columns if name not in DAYS}
    return SubjectDays(values, order, pd.Index(names), subject[order], day[order], known_on[order])


def checked_index(
    index: pd.DataFrame, subjects: pd.DataFrame, event_days: pd.DataFrame
) -> tuple[pd.DataFrame, pd.Series]:
    """The index rows, sorted, and the first day of follow-up of each one's subject, as known on its index date.

    Raises:
        FeaturesError: a column is missing or holds no texts or civil days, a key is repeated, or a subject is unknown.
    """
    for name, frame, needed in (
        ("event_days", event_days, ("subject_id", "event_on", "known_on")),
        ("subjects", subjects, ("subject_id", "enrolled_on")),
        ("index", index, ("subject_id", "index_date")),
    ):
        check_columns(name, frame, needed)
        check_texts(f"`{name}.subject_id`", frame["subject_id"])
        for column in needed[1:]:
            check_civil_days(f"`{name}.{column}`", frame[column])
    if "superseded_on" in event_days:
        check_civil_days("`event_days.superseded_on`", event_days["superseded_on"].dropna())
    versioned = ["subject_id", "known_on"] if "known_on" in subjects else ["subject_id"]
    for column in versioned[1:]:
        check_civil_days(f"`subjects.{column}`", subjects[column])
    if index.empty:
        raise FeaturesError("`index` is empty: there is no subject and date to build features for.")
    for name, repeated in (
        ("index", index.duplicated(["subject_id", "index_date"]).sum()),
        ("subjects", subjects.duplicated(versioned).sum()),
    ):
        if repeated:
            raise FeaturesError(f"`{name}` repeats {int(repeated)} of its rows' keys. Drop the duplicates.")
    strangers = int((~index["subject_id"].isin(subjects["subject_id"])).sum())
    if strangers:
        raise FeaturesError(
            f"`index` has {strangers} rows of subjects that `subjects` lacks. Add them or drop the rows."
        )
    ordered = (
        index[["subject_id", "index_date"]]
        .astype({"subject_id": "str"})
        .sort_values(["subject_id", "index_date"], ignore_index=True)
    )
    enrolled_on = enrolment(subjects, ordered)
    early = int((ordered["index_date"] < enrolled_on).sum())
    if early:
        raise FeaturesError(f"`index` has {early} rows before their subject's `enrolled_on`. Drop them.")
    return ordered, enrolled_on


def checked_restarts(restarts: pd.DataFrame) -> pd.DataFrame:
    """From which day on pasts begin anew.

    Raises:
        FeaturesError: a column is missing, or holds no texts or civil days.
    """
    check_columns("restarts", restarts, RESTARTS)
    for column in RESTARTS[:3]:
        check_texts(f"`restarts.{column}`", restarts[column])
    for column in RESTARTS[3:]:
        check_civil_days(f"`restarts.{column}`", restarts[column])
    return restarts


def _no_measure(column: str, measures: Collection[str]) -> FeaturesError:
    near = difflib.get_close_matches(column, measures, 1, cutoff=0.0)[0]
    return FeaturesError(f"`days` has no measure `{column}`; perhaps `{near}`. Rename it, or drop it.")


def check_columns(name: str, frame: pd.DataFrame, needed: tuple[str, ...]) -> None:
    """Refuse a table that is none, or lacks columns."""
    if not isinstance(frame, pd.DataFrame):
        raise FeaturesError(
            f"`{name}` is no DataFrame but {type(frame).__name__}. Give one with the columns {', '.join(needed)}; without "
            "rows where there is nothing to tell."
        )
    missing = [column for column in needed if column not in frame.columns]
    if missing:
        raise FeaturesError(f"`{name}` lacks the columns {', '.join(missing)}. Add them.")


def check_texts(where: str, names: pd.Series) -> None:
    """Refuse other ids than texts: 7 in one table and "7" in another would read as somebody without data."""
    values = names.cat.categories if isinstance(names.dtype, pd.CategoricalDtype) else names
    kind = "string" if isinstance(values.dtype, pd.StringDtype) else pd.api.types.infer_dtype(values, skipna=True)
    if kind not in ("string", "empty") and len(names):
        raise FeaturesError(f"{where} holds no texts but {kind}. Convert it with `astype(str)`.")
    missing = int(names.isna().sum())
    if missing:
        raise FeaturesError(f"{where} is missing in {missing} rows. Drop them, or fill it.")


def check_civil_days(where: str, dates: pd.Series) -> None:
    """Refuse what is no naive midnight: instants of several time zones would fall on different days."""
    if not pd.api.types.is_datetime64_any_dtype(dates):
        raise FeaturesError(f"{where} holds no dates but {dates.dtype}. Give naive midnights, `datetime64`.")
    check_years(where, dates)
    if isinstance(dates.dtype, pd.DatetimeTZDtype):
        raise FeaturesError(f"{where} has a time zone. Give the subject's civil days as naive midnights.")
    wrong = int((dates.isna() | (dates != dates.dt.normalize())).sum())
    if wrong:
        raise FeaturesError(f"{where} has {wrong} rows that are missing or not at midnight. Give civil days.")


def check_years(where: str, times: pd.Series) -> None:
    """Refuse times that no record of a living person has; calendars end not far beyond."""
    years = times.dt.year
    wrong = int(((years < FIRST_YEAR) | (years > LAST_YEAR)).sum())
    if wrong:
        raise FeaturesError(
            f"{where} has {wrong} times before {FIRST_YEAR} or after {LAST_YEAR}. Mend them, or drop the rows."
        )
