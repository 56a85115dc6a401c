"""Features from raw tables that are DataFrames: in a notebook, without a lake and without a pipeline.

    days = days_of({"sleep": nights, "mood": answers}, "Europe/Berlin")
    matrix = matrix_of(days, index)

The tables are those of `features.tables`. What cannot be used is refused by table, column and count (`features.rows`).
"""

import difflib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import time

import duckdb
import pandas as pd
import pyarrow as pa

from features.calendar import DAY, DEFAULT_CUTOFF, cutoffs, local_day
from features.catalog import STANDARD, Catalog
from features.checks import check_columns
from features.days import READERS, Days, build_days
from features.errors import FeaturesError, FeaturesWarning
from features.flags import flags_of, restarts_of
from features.history import NAMES as OF_EVENTS
from features.history import TENURE
from features.matrix import build_matrix
from features.measures import HAS_DATA
from features.rows import check_keys, checked_rows, checked_zones, unread
from features.signals import SIGNAL
from features.tables import TABLES, Table

STREAMS = (*READERS, "wearable")
# What a row says of itself where the frame does not.
UNSAID: dict[str, str | int | bool] = {
    "source": "frame",
    "device_id": "",
    "version": 0,
    "is_deleted": False,
    "ingest_id": "",
}
NO_EVENTS = pd.DataFrame({"subject_id": pd.Series(dtype="str"), "event_on": pd.Series(dtype="datetime64[us]"),
                          "known_on": pd.Series(dtype="datetime64[us]")})  # fmt: skip
MIDNIGHT = time(0)


def days_of(
    tables: Mapping[str, pd.DataFrame], zones: str | Mapping[str, str] | pd.Series, cutoff: time = DEFAULT_CUTOFF
) -> Days:
    """The day panel (`Days.panel`) of raw tables, and what was noticed while it was made.

    Args:
        tables: name -> rows, of `mood`, `sleep`, `wearable`, `wearable_days`, `assessments` and `signals`, with the columns
            of `features.tables`, in any order. Provenance may be left out: `utc_offset_min` is then that of the
            subject's zone, and **a row counts as received when its local day is over** (`received_at`), so that it is
            used from the next index date on. Where rows came later, say so, else features see what nobody knew yet.
        zones: IANA time zone of the subjects' site, one for all or by subject.
        cutoff: when a night ends, on the wall clock of that zone.

    Raises:
        FeaturesError: there is no row, or no such table; a column is unknown, missing or of another type, values are
            infinite or outside of their range, keys are repeated, or a subject has no zone. An answer off its own scale, a
            score off its instrument's or more sleep than time in bed, which the door of a pipeline puts aside, is refused too.

    Warns:
        FeaturesWarning: rows of a mood item or an instrument that no measure is made of, which the door lets in.
    """
    if not isinstance(tables, Mapping):
        raise FeaturesError(
            f"`tables` is no mapping but {type(tables).__name__}. Give the rows of each table by its name."
        )
    unknown = [name for name in tables if name not in STREAMS]
    if unknown:
        near = difflib.get_close_matches(unknown[0], STREAMS, 1, cutoff=0.0)[0]
        raise FeaturesError(f"`{unknown[0]}` is no table that days are made of; perhaps `{near}`.")
    for name, rows in tables.items():
        check_columns(name, rows, ("subject_id",))
    if not any(len(rows) for rows in tables.values()):
        raise FeaturesError(f"There is no row in any table. Give at least one of {', '.join(STREAMS)}.")
    zone_of = checked_zones(tables, zones)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        streams = {name: connection.from_arrow(_complete(TABLES[name], rows, zone_of)).set_alias(f"{name}_given")
                   for name, rows in tables.items()}  # fmt: skip
        days = replace(build_days(connection, streams, zone_of, cutoff), units=_units(tables))
    for said in filter(None, (unread(name, rows) for name, rows in tables.items())):
        warnings.warn(said, FeaturesWarning, stacklevel=2)
    return days


def matrix_of(
    days: Days, index: pd.DataFrame, features: Sequence[str] | None = None, event_days: pd.DataFrame | None = None,
    subjects: pd.DataFrame | None = None, catalog: Catalog = STANDARD,
) -> pd.DataFrame:  # fmt: skip
    """Features of each index row from what was known at its cutoff (`matrix.build_matrix`); pasts begin anew with devices.

    Args:
        days: of `days_of`.
        index: `subject_id, index_date`, unique, in any order.
        features: names of features or families of the catalogue; those that are on by default unless given.
        event_days: `subject_id, event_on, known_on` of the outcome's events; without them there is no history.
        subjects: `subject_id, enrolled_on`; without them **everybody counts as enrolled on their first day with data**,
            since when coverage is counted.
        catalog: what the names mean; `STANDARD.with_signals(...)` where there are signals.

    Returns:
        The index, sorted, and one float64 column per feature, NaN where the minimum data are not met.

    Raises:
        FeaturesError: as `build_matrix`; a feature of history is asked for without events, or signals are in another unit
            than the catalogue declares.

    Warns:
        FeaturesWarning: no features are named, and there are signals that the catalogue does not know, which the door of a
            pipeline would put aside; or no event is of a subject of the index.
    """
    if not isinstance(days, Days):
        raise FeaturesError(
            "`days` is no `Days` of `days_of`. Make them by it; for a panel of your own there is `features.matrix.build_matrix`."
        )
    check_columns("index", index, ("subject_id", "index_date"))
    _check_units(days, catalog)
    if features is None:
        _warn_of_undeclared(days.panel, catalog)
        features = catalog.chosen(removed=() if event_days is not None else ("history",))
    features = catalog.asked(features)
    needy = [name for name in features if name in OF_EVENTS and name != TENURE]
    if event_days is None and needy:
        raise FeaturesError(f"`{needy[0]}` needs `event_days`. Give them, or leave the feature out.")
    if event_days is not None:
        check_columns("event_days", event_days, ("subject_id", "event_on", "known_on"))
        _warn_of_others(event_days, index)
    if subjects is None:
        subjects = _first_days(days.panel)
        if without := int((~index["subject_id"].isin(subjects["subject_id"])).sum()):
            raise FeaturesError(
                f"`index` has {without} rows of subjects without any data, of whom nobody can tell since when they are enrolled. "
                "Hand in `subjects` (`subject_id, enrolled_on`), or drop the rows."
            )
    return build_matrix(days.panel, NO_EVENTS if event_days is None else event_days, subjects, index, features=features,
                        catalog=catalog, restarts=restarts_of(flags_of(days)))  # fmt: skip


def _units(tables: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Unit of each signal; its rows have one, or were refused."""
    return dict(tables["signals"][["name", "unit"]].drop_duplicates().to_numpy()) if "signals" in tables else {}


def _check_units(days: Days, catalog: Catalog) -> None:
    declared = {
        measure.name.removeprefix(SIGNAL): measure.unit for measure in catalog.measures if measure.stream == "signals"
    }
    others = [f"{name} ({unit})" for name, unit in declared.items() if (days.units.get(name, unit) or "1") != unit]
    if others:
        raise FeaturesError(
            f"`signals` has {len(others)} signals in another unit than the catalogue declares: {', '.join(others)}. Convert "
            "their values, or declare the unit that they have."
        )


def _first_days(panel: pd.DataFrame) -> pd.DataFrame:
    """`subject_id, enrolled_on, known_on`: the first day with data of each subject, as it was known from index date on."""
    told = panel[panel[HAS_DATA] > 0].groupby(["subject_id", "known_on"])["local_date"].min()
    return told.groupby("subject_id").cummin().rename("enrolled_on").reset_index()


def _warn_of_others(event_days: pd.DataFrame, index: pd.DataFrame) -> None:
    if len(event_days) and not event_days["subject_id"].isin(index["subject_id"]).any():
        warnings.warn(
            f"`event_days` has {len(event_days)} rows, none of them of a subject of `index`: nobody is taken to have had an "
            "event. Are ids written alike in both?", FeaturesWarning, stacklevel=3,
        )  # fmt: skip


def _warn_of_undeclared(panel: pd.DataFrame, catalog: Catalog) -> None:
    known = {measure.name for measure in catalog.measures}
    others = [column for column in panel.columns if column.startswith(SIGNAL) and column not in known]
    if others:
        warnings.warn(
            f"`signals.name` has {len(others)} signals that are not declared, on {panel[others].notna().any(axis=1).sum()} "
            "subject-days; no feature is made of them. Hand in `catalog=STANDARD.with_signals({name: (unit, None)})`.",
            FeaturesWarning, stacklevel=3,
        )  # fmt: skip


def _complete(table: Table, rows: pd.DataFrame, zones: pd.Series) -> pa.Table:
    """Rows with every stored column, in the stored types."""
    given = checked_rows(table, rows, derived=("record_id",))
    given = given.assign(**{name: value for name, value in UNSAID.items() if name not in given})
    zone = given["subject_id"].map(zones)
    if "utc_offset_min" not in given:
        given = given.assign(utc_offset_min=_by_zone(_offset, given, zone, table))
    if "received_at" not in given:
        given = given.assign(received_at=_by_zone(_day_is_over, given, zone, table))
    if "record_id" in table.column_names and "record_id" not in given:
        given = given.assign(record_id=given["onset_at"].astype("int64").astype("str"))
    check_keys(table, given)
    schema = table.arrow_schema()
    columns = [_array(given[field.name], field.type) if field.name in given else pa.nulls(len(given), field.type)
               for field in schema]  # fmt: skip
    return pa.Table.from_arrays(columns, schema=schema)


def _array(values: pd.Series, kind: pa.DataType) -> pa.Array:
    # Arrow's own conversion of times with a zone is one that pandas deprecates.
    has_zone = isinstance(values.dtype, pd.DatetimeTZDtype)
    return pa.array(values.dt.tz_convert(None).to_numpy() if has_zone else values, kind)


def _by_zone(
    of: Callable[[pd.DataFrame, str, Table], pd.Series], rows: pd.DataFrame, zone: pd.Series, table: Table
) -> pd.Series:
    """What a function says of the rows of each zone, in the order of all rows."""
    # Of no row the type, too, is what the function says; which zone does not matter then.
    parts = [of(rows[zone == name], str(name), table) for name in sorted(zone.unique()) or ["UTC"]]
    told: pd.Series = pd.concat(parts).reindex(rows.index)
    return told


def _offset(rows: pd.DataFrame, zone: str, table: Table) -> pd.Series:
    """Minutes from UTC where the zone's clock stood at each row's event; civil days have none."""
    event = rows[str(table.time)]
    if not isinstance(event.dtype, pd.DatetimeTZDtype):
        return pd.Series(pd.NA, index=rows.index, dtype="Int32")
    ahead = event.dt.tz_convert(zone).dt.tz_localize(None) - event.dt.tz_localize(None)
    offset: pd.Series = (ahead.dt.total_seconds() // 60).astype("Int32")
    return offset


def _day_is_over(rows: pd.DataFrame, zone: str, table: Table) -> pd.Series:
    """The midnight that ends each row's local day."""
    event = rows[str(table.time)]
    if not isinstance(event.dtype, pd.DatetimeTZDtype):
        return pd.Series(cutoffs(pd.DatetimeIndex(event + DAY), zone, MIDNIGHT), index=rows.index)
    # By the row's own offset: on a journey the day ends where the subject is.
    midnight = local_day(event, rows["utc_offset_min"]) + DAY
    over: pd.Series = (
        (midnight - pd.to_timedelta(rows["utc_offset_min"], unit="min")).dt.tz_localize("UTC").dt.as_unit("us")
    )
    return over
