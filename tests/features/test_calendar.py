"""Cutoffs, risk days and the one rule that keeps the future out: across midnights and nights that change the clock."""

from datetime import UTC, datetime, time

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import calendar

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
ZONES = (BERLIN, NEW_YORK, "UTC", "Australia/Lord_Howe", "Pacific/Kiritimati", "Asia/Kathmandu")
DAY = pd.Timedelta(days=1)
MICROSECOND = pd.Timedelta(microseconds=1)

zones = st.sampled_from(ZONES)
cutoff_times = st.times(max_value=time(6, 0)).map(lambda t: t.replace(second=0, microsecond=0))
# The first example of a zone reads its rules from disk; a busy machine is not a fault.
patient = settings(deadline=None)
# Whole microseconds of 2025 and 2026, and with them eight changes of clocks.
instants = st.integers(0, 2 * 365 * 86_400 * 1_000_000 - 1).map(
    lambda us: pd.Timestamp("2025-01-01", tz="UTC") + pd.Timedelta(us, unit="us")
)


def series(*texts: str | pd.Timestamp | None) -> pd.Series:
    """UTC instants."""
    return pd.Series(pd.to_datetime(list(texts), utc=True, format="ISO8601")).astype("datetime64[us, UTC]")


@pytest.mark.parametrize(
    ("date", "zone", "cutoff", "expected", "why"),
    [
        ("2026-01-15", BERLIN, time(3), "2026-01-15T02:00Z", "winter: an hour ahead"),
        ("2026-07-15", BERLIN, time(3), "2026-07-15T01:00Z", "summer: two hours ahead"),
        ("2026-03-29", BERLIN, time(3), "2026-03-29T01:00Z", "clocks jump from 2 to 3 at this very instant"),
        ("2026-03-29", BERLIN, time(2, 30), "2026-03-29T01:00Z", "2:30 is skipped: the first instant that exists"),
        ("2026-10-25", BERLIN, time(2, 30), "2026-10-25T00:30Z", "2:30 comes twice: the first"),
        ("2026-10-25", BERLIN, time(3), "2026-10-25T02:00Z", "after the hour that came twice"),
        ("2026-03-08", NEW_YORK, time(3), "2026-03-08T07:00Z", "clocks jump from 2 to 3: five hours become four"),
        ("2026-03-08", NEW_YORK, time(2, 30), "2026-03-08T07:00Z", "2:30 is skipped"),
        ("2026-11-01", NEW_YORK, time(1, 30), "2026-11-01T05:30Z", "1:30 comes twice: the first"),
        ("2026-11-01", NEW_YORK, time(3), "2026-11-01T08:00Z", "after the hour that came twice"),
    ],
)
def test_the_cutoff_is_a_wall_clock_time(date, zone, cutoff, expected, why):
    """On nights that change the clock too."""
    found = calendar.cutoff_of(pd.Timestamp(date), zone, cutoff)
    assert found == pd.Timestamp(expected), why
    assert str(found.tz) == "UTC"


def test_the_default_cutoff_is_three_in_the_morning():
    """As the design says."""
    assert calendar.cutoff_of(pd.Timestamp("2026-01-15"), "UTC") == pd.Timestamp("2026-01-15T03:00Z")


def test_what_is_received_at_the_cutoff_itself_is_known_by_it():
    """The first index date that knows a row: by the cutoff, a microsecond later no more."""
    received = series("2026-01-15T01:59:59Z", "2026-01-15T02:00:00Z", "2026-01-15T02:00:00.000001Z", None)
    found = calendar.index_date_knowing(received, BERLIN)
    assert found[:3].tolist() == [pd.Timestamp(f"2026-01-{day}") for day in (15, 15, 16)]
    assert pd.isna(found[3])


def test_what_happens_at_the_cutoff_itself_lies_ahead_of_it():
    """The risk day begins at the cutoff: an event just before belongs to the day before, midnight or not."""
    occurred = series("2026-01-14T23:00:00Z", "2026-01-15T01:59:59.999999Z", "2026-01-15T02:00:00Z", None)
    found = calendar.risk_day(occurred, BERLIN)
    assert found[:3].tolist() == [pd.Timestamp(f"2026-01-{day}") for day in (14, 14, 15)]
    assert pd.isna(found[3])


def test_risk_days_follow_clocks_that_change():
    """1:30 UTC is 2:30 in Berlin's winter and 3:30 in its summer: before and after the cutoff."""
    occurred = series("2026-03-28T01:30Z", "2026-03-29T01:30Z", "2026-10-24T01:30Z", "2026-10-25T01:30Z")
    days = ["2026-03-27", "2026-03-29", "2026-10-24", "2026-10-24"]
    assert calendar.risk_day(occurred, BERLIN).tolist() == [pd.Timestamp(day) for day in days]


def test_rows_never_received_are_never_knowable():
    """A missing receipt is not an early one."""
    assert not calendar.is_knowable(series(None), pd.Timestamp("2100-01-01", tz="UTC")).any()


def test_nothing_in_nothing_out():
    """No rows, or only missing ones, keep their index and type."""
    for rows in (series(), series(None, None)):
        found = calendar.index_date_knowing(rows, BERLIN)
        assert found.isna().all()
        assert found.dtype == "datetime64[us]"
        assert len(found) == len(rows)


def test_the_rows_own_index_is_kept():
    """Results line up with the rows they came from, in any order."""
    received = series("2026-01-20T12:00Z", "2026-01-15T12:00Z").set_axis([7, 3])
    found = calendar.index_date_knowing(received, "UTC")
    assert found.loc[7] == pd.Timestamp("2026-01-21")
    assert found.loc[3] == pd.Timestamp("2026-01-16")


@patient
@given(instants, zones, cutoff_times)
def test_a_row_is_knowable_from_its_first_index_date_on_and_never_before(received, zone, cutoff):
    """Received by c(t), and not by c(t - 1): a row that comes after a cutoff is never knowable at it."""
    rows = series(received)
    first = calendar.index_date_knowing(rows, zone, cutoff)[0]
    for date, expected in ((first - DAY, False), (first, True), (first + DAY, True)):
        instant = calendar.cutoff_of(date, zone, cutoff)
        assert calendar.is_knowable(rows, instant)[0] == expected
        assert calendar.is_known_on(pd.Series([first]), date)[0] == expected


@patient
@given(instants, zones, cutoff_times)
def test_an_event_lies_between_the_cutoffs_of_its_risk_day(occurred, zone, cutoff):
    """c(r) <= occurred < c(r + 1)."""
    day = calendar.risk_day(series(occurred), zone, cutoff)[0]
    assert calendar.cutoff_of(day, zone, cutoff) <= occurred < calendar.cutoff_of(day + DAY, zone, cutoff)


@patient
@given(st.lists(instants, min_size=2, max_size=8), zones, cutoff_times)
def test_what_is_received_later_is_not_known_earlier(received, zone, cutoff):
    """`index_date_knowing` and `risk_day` never fall as time goes on."""
    rows = series(*sorted(received))
    assert calendar.index_date_knowing(rows, zone, cutoff).is_monotonic_increasing
    assert calendar.risk_day(rows, zone, cutoff).is_monotonic_increasing


@patient
@given(instants, zones, cutoff_times)
def test_an_event_is_past_only_for_index_dates_after_its_risk_day(occurred, zone, cutoff):
    """Before c(t) is the same as r < t: an event known at once is still ahead of every earlier index date."""
    rows = series(occurred)
    risk, known = calendar.risk_day(rows, zone, cutoff)[0], calendar.index_date_knowing(rows, zone, cutoff)[0]
    is_at_a_cutoff = calendar.cutoff_of(risk, zone, cutoff) == occurred
    assert known - risk == (0 * DAY if is_at_a_cutoff else DAY)


@patient
@given(st.dates(pd.Timestamp("2025-01-02").date(), pd.Timestamp("2026-12-30").date()), zones, cutoff_times)
def test_a_microsecond_after_the_cutoff_is_too_late(date, zone, cutoff):
    """At the cutoff itself a row is known, just after it a day later."""
    instant = calendar.cutoff_of(pd.Timestamp(date), zone, cutoff)
    found = calendar.index_date_knowing(series(instant, instant + MICROSECOND), zone, cutoff)
    assert found.tolist() == [pd.Timestamp(date), pd.Timestamp(date) + DAY]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(instants, st.integers(-720, 840)), min_size=1, max_size=6), instants)
def test_sql_and_pandas_say_the_same(rows, known_at):
    """The rule and the local day have one meaning in both languages, whatever the session's time zone."""
    received, offset = series(*(instant for instant, _ in rows)), pd.Series([minutes for _, minutes in rows])
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'Asia/Kathmandu'")
        given_rows = pa.table({
            "place": range(len(rows)), "utc_offset_min": pa.array([m for _, m in rows], pa.int32()),
            "received_at": pa.array([i.to_pydatetime() for i, _ in rows], pa.timestamp("us", "UTC")),
        })  # fmt: skip
        connection.register("given_rows", given_rows)
        found = connection.execute(
            f"""SELECT {calendar.is_knowable_sql()}, {calendar.local_time_sql("received_at")},
                       {calendar.local_day_sql("received_at")} FROM given_rows ORDER BY place""",
            {"known_at": known_at.to_pydatetime()},
        ).fetchall()
    assert [known for known, _, _ in found] == calendar.is_knowable(received, known_at).tolist()
    assert [pd.Timestamp(at) for _, at, _ in found] == calendar.local_time(received, offset).tolist()
    assert [pd.Timestamp(day) for _, _, day in found] == calendar.local_day(received, offset).tolist()


def test_local_days_break_at_local_midnight():
    """22:00 UTC is midnight where clocks are two hours ahead; a microsecond before is the day before."""
    at = datetime(2026, 7, 1, 22, tzinfo=UTC)
    rows = series(at, pd.Timestamp(at) - MICROSECOND)
    found = calendar.local_day(rows, pd.Series([120, 120]))
    assert found.tolist() == [pd.Timestamp("2026-07-02"), pd.Timestamp("2026-07-01")]
