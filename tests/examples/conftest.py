"""Tiny raw tables in, the day panel or one row of features out."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from features.days import Days, build_days
from features.matrix import NO_RESTARTS, build_matrix
from features.minutes import kept_hours
from features.tables import TABLES

SUBJECT = "ann"
# What a row is unless the example says otherwise: of one subject in UTC, received before the next day's cutoff.
UNSAID = {
    "subject_id": SUBJECT, "utc_offset_min": 0, "source": "app", "device_id": "", "version": 0, "is_deleted": False,
    "received_at": datetime(2026, 3, 3, tzinfo=UTC), "ingest_id": "one", "scale_min": 0.0, "scale_max": 10.0,
    "unit": "", "instrument": "phq_9",
}  # fmt: skip

Rows = list[dict[str, object]]
UNKEPT: Rows = []


@pytest.fixture
def panel_of() -> Callable[..., pd.DataFrame]:
    """Builds the day panel from rows of raw tables, e.g. `panel_of(mood=[{...}, {...}], zone="Europe/Berlin")`.

    Of the rows `kept` the minutes are no more, and their hours were kept.
    """

    def build(zone: str = "UTC", preference: Sequence[str] = (), kept: Rows = UNKEPT, **tables: Rows) -> pd.DataFrame:
        return days_from(zone, preference, kept, **tables).panel

    return build


@pytest.fixture
def days_of() -> Callable[..., Days]:
    """Builds the day panel as `panel_of` does, with what was noticed on the way."""

    def build(zone: str = "UTC", preference: Sequence[str] = (), **tables: Rows) -> Days:
        return days_from(zone, preference, UNKEPT, **tables)

    return build


def days_from(zone: str, preference: Sequence[str], kept: Rows, **tables: Rows) -> Days:
    """`build_days` over rows of raw tables of one subject."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        zones, hours = pd.Series({SUBJECT: zone}), None
        if kept:
            hours = connection.from_df(kept_hours(connection, _relation(connection, "wearable", kept), zones))
        streams = {name: _relation(connection, name, rows) for name, rows in tables.items()}
        return build_days(connection, streams, zones, preference=preference, kept_hours=hours)


def _relation(connection: duckdb.DuckDBPyConnection, name: str, rows: Rows) -> duckdb.DuckDBPyRelation:
    schema = TABLES[name].arrow_schema()
    complete = [{field: {**UNSAID, **row}.get(field) for field in schema.names} for row in rows]
    return connection.from_arrow(pa.Table.from_pylist(complete, schema=schema)).set_alias(name)


@pytest.fixture
def features_on() -> Callable[..., pd.Series]:
    """Builds the features of one index date from a panel: by name, e.g. `features_on(panel, "2026-03-10")`."""

    def build(
        panel: pd.DataFrame, index_date: str, enrolled_on: str = "2026-01-01", features: Sequence[str] | None = None,
        restarts: pd.DataFrame = NO_RESTARTS,
    ) -> pd.Series:  # fmt: skip
        subjects = pd.DataFrame({"subject_id": [SUBJECT], "enrolled_on": pd.DatetimeIndex([enrolled_on]).as_unit("us")})
        index = pd.DataFrame({"subject_id": [SUBJECT], "index_date": pd.DatetimeIndex([index_date]).as_unit("us")})
        events = pd.DataFrame({"subject_id": pd.Series(dtype=str), "event_on": index["index_date"][:0],
                               "known_on": index["index_date"][:0]})  # fmt: skip
        return build_matrix(panel, events, subjects, index, features=features, restarts=restarts).iloc[0]

    return build


@pytest.fixture
def panel_from() -> Callable[..., pd.DataFrame]:
    """Builds a panel directly from daily values, oldest first, each known from the next day on."""

    def build(first: str, **measures: list[float | None]) -> pd.DataFrame:
        n = len(next(iter(measures.values())))
        dates = pd.date_range(date.fromisoformat(first), periods=n, freq="D", unit="us")
        values = {name: pd.Series(column, dtype=float) for name, column in measures.items()}
        days = {"subject_id": SUBJECT, "local_date": dates, "known_on": dates + pd.Timedelta(days=1)}
        return pd.DataFrame({**days, **values})

    return build
