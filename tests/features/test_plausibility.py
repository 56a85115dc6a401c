"""Whatever comes in whichever order: each version of a wearable's day is what its rows, as known then, say."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from features import activity, heart, minutes
from features.calendar import index_date_knowing
from features.days import Days, build_days
from features.flags import FLAG, flags_of
from features.tables import WEARABLE

# DuckDB 2.0 calls what pandas 3.1 deprecates; its warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]

MIDNIGHT = datetime(2026, 3, 28, tzinfo=UTC)
ZONES = pd.Series({"ann": "Europe/Berlin", "bob": "Asia/Kolkata"})
Row = dict[str, object]


@st.composite
def told(draw: st.DrawFn) -> list[Row]:
    """Minutes of two subjects and two devices around three midnights, some told again, taken back or told late."""
    key = st.tuples(st.sampled_from(["ann", "bob"]), st.sampled_from(["band", "ring"]), st.integers(0, 12))
    rows = []
    for (subject, device, place), versions in draw(st.dictionaries(key, st.integers(1, 3), max_size=25)).items():
        at = MIDNIGHT + timedelta(hours=6 * place, minutes=25 * (place % 3))
        receipts = draw(st.lists(st.integers(0, 30), min_size=versions, max_size=versions))
        for version, hours in enumerate(sorted(receipts)):
            rows.append({
                "subject_id": subject, "minute_at": at, "device_id": device, "source": "app", "version": version,
                "utc_offset_min": 60 if subject == "ann" else 330, "ingest_id": f"i{version}",
                "steps": draw(st.one_of(st.none(), st.integers(0, 120))),
                "heart_rate": draw(st.one_of(st.none(), st.integers(50, 90))),
                "worn": draw(st.sampled_from([None, True, False])),
                "is_deleted": draw(st.sampled_from([False, False, False, version > 0])),
                "received_at": at + timedelta(hours=4 * hours),
            })  # fmt: skip
    return rows


def built(rows: list[Row], kept: list[Row] | None = None, shuffled_by: int = 0, zones: pd.Series = ZONES) -> Days:
    """Days from rows of the wearable, some of which are kept as hours only."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        kept_hours = None
        if kept is not None:
            hours = minutes.kept_hours(connection, relation(connection, kept), ZONES)
            connection.register("kept", hours.astype(dict.fromkeys(minutes.DEVICE, "str")))
            kept_hours = connection.sql("SELECT * FROM kept")
        turned = rows[shuffled_by:] + rows[:shuffled_by]
        return build_days(connection, {"wearable": relation(connection, turned)}, zones, kept_hours=kept_hours)


def relation(connection: duckdb.DuckDBPyConnection, rows: list[Row]) -> duckdb.DuckDBPyRelation:
    """Rows as the lake gives them."""
    schema = WEARABLE.arrow_schema()
    return connection.from_arrow(
        pa.Table.from_pylist([{n: row.get(n) for n in schema.names} for row in rows], schema=schema)
    )


def expected(rows: list[Row], subject: str, day: pd.Timestamp, index_date: pd.Timestamp) -> tuple[float, float] | None:
    """Steps and mean heart rate of a day by a plain reading of what is known, or None where nothing is."""
    known = [row for row in rows if row["subject_id"] == subject and known_on(row) <= index_date]
    latest: dict[tuple[object, object], Row] = {}
    for row in sorted(known, key=lambda r: (r["received_at"], r["version"])):
        latest[row["minute_at"], row["device_id"]] = row
    valid = [row for row in latest.values() if not row["is_deleted"] and says_anything(row) and local_day(row) == day]
    if not valid:
        return None
    device = max({str(row["device_id"]) for row in valid}, key=lambda name: (*told_of(valid, name), name))
    worn = [row for row in valid if row["device_id"] == device and row["worn"] is not False]
    silent = silent_hours([row for row in valid if row["device_id"] == device])
    steps = [row["steps"] for row in worn if row["steps"] is not None and hour_of(row) not in silent]
    rates = [row["heart_rate"] for row in worn if row["heart_rate"] is not None]
    return (float(sum(steps)) if steps else float("nan"), sum(rates) / len(rates) if rates else float("nan"))


def says_anything(row: Row) -> bool:
    """Whether a minute tells more than its time."""
    return any(row.get(name) is not None for name in ("steps", "heart_rate", "hrv_rmssd", "worn"))


def is_worn(row: Row) -> bool:
    """Whether a minute shows a sign of being worn."""
    shows = row["heart_rate"] is not None or (row["steps"] or 0) > 0
    return shows if row["worn"] is None else bool(row["worn"])


def shows_wear(mine: list[Row]) -> bool:
    """Whether a device shows by more than steps that somebody wears it."""
    beats = [hour_of(row) for row in mine if row["heart_rate"] is not None and row["worn"] is not False]
    return len(set(beats)) >= 3 or len(beats) >= 60 or any(row["worn"] for row in mine)


def silent_hours(mine: list[Row]) -> set[object]:
    """Hours in which a device tells nothing of anybody: no sign in a day that shows wear; otherwise a day without a step."""
    hours = {hour_of(row) for row in mine}
    if shows_wear(mine):
        return hours - {hour_of(row) for row in mine if is_worn(row)}
    return set() if any(row["steps"] for row in mine if row["worn"] is not False) else hours


def told_of(rows: list[Row], device: str) -> tuple[bool, bool, bool, int, int]:
    """How a device ranks: a day, wear shown, anything told, minutes told, minutes sent."""
    mine = [row for row in rows if row["device_id"] == device]
    shows, signs = shows_wear(mine), {hour_of(row) for row in mine if is_worn(row)}
    sensors: dict[object, Counter[str]] = defaultdict(Counter)
    for row in mine:
        sensors[hour_of(row), row["utc_offset_min"]].update(
            name for name in ("steps", "heart_rate") if row[name] is not None and row["worn"] is not False
        )
        sensors[hour_of(row), row["utc_offset_min"]].update(["worn"] * is_worn(row))
    tells = bool(signs) and any(max(found.values(), default=0) for found in sensors.values())
    told = sum(max(found.values(), default=0) for (hour, _), found in sensors.items() if hour in signs)
    return told > 0 if shows else tells and len(signs) >= 3, shows, tells, told, len(mine)


def hour_of(row: Row) -> object:
    """The clock hour of a row."""
    return (row["minute_at"] + timedelta(minutes=row["utc_offset_min"])).replace(minute=0)


def known_on(row: Row) -> pd.Timestamp:
    """The first index date that may use a row."""
    received = pd.Series([pd.Timestamp(row["received_at"])]).astype("datetime64[us, UTC]")
    return index_date_knowing(received, ZONES[row["subject_id"]]).iloc[0]


def local_day(row: Row) -> pd.Timestamp:
    """The civil day of a row."""
    return pd.Timestamp(row["minute_at"] + timedelta(minutes=row["utc_offset_min"])).tz_localize(None).normalize()


@settings(max_examples=40, deadline=None)
@given(told())
def test_every_version_of_a_day_says_what_was_known_then(rows):
    """Late, corrected, taken back, two devices: the panel agrees with a plain reading at every index date."""
    if not rows:
        return
    # What is told here is a handful of minutes: the reading is of sums, whatever number of minutes makes a day.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(activity, "FEWEST_DAY_MINUTES", 1)
        patch.setattr(activity, "WAKING_HOURS", slice(0, 24))
        patch.setattr(heart, "FEWEST_DAY_MINUTES", 1)
        panel = built(rows).panel
    for row in panel.itertuples():
        found = expected(rows, row.subject_id, row.local_date, row.known_on)
        values = (row.activity_steps, row.heart_mean)
        assert values == pytest.approx(found or (float("nan"), float("nan")), nan_ok=True)
    evident = [r for r in rows if r["version"] or r["is_deleted"] or says_anything(r)]
    days = {(r["subject_id"], local_day(r), known_on(r)) for r in evident}
    assert days <= set(panel[["subject_id", "local_date", "known_on"]].itertuples(index=False, name=None))


@settings(max_examples=15, deadline=None)
@given(told(), st.integers(0, 10))
def test_the_order_of_rows_changes_no_bit(rows, shuffled_by):
    """The same rows in another order give the same panel exactly."""
    if rows:
        assert_frame_equal(built(rows, shuffled_by=shuffled_by).panel, built(rows).panel, check_exact=True)


@settings(max_examples=25, deadline=None)
@given(told(), st.integers(0, 12))
def test_hours_that_outlive_their_minutes_give_the_same_panel(rows, place):
    """Minutes up to a day are gone and their additive hours kept: no version changes by a bit."""
    until = (MIDNIGHT + timedelta(hours=6 * place)).replace(hour=0)
    old, new = [r for r in rows if r["minute_at"] < until], [r for r in rows if r["minute_at"] >= until]
    if old and new:
        assert_frame_equal(built(new, kept=old).panel, built(rows).panel, check_exact=True)


def test_strangers_are_left_out():
    """Rows of a subject without a zone make no day; neither do hours that were kept of one who is not known yet."""
    row = {"subject_id": "eve", "minute_at": MIDNIGHT, "device_id": "", "source": "app", "version": 0, "steps": 5,
           "utc_offset_min": 0, "is_deleted": False, "received_at": MIDNIGHT, "ingest_id": "i"}  # fmt: skip
    assert built([row]).panel.empty
    kept = [{**row, "subject_id": name, "heart_rate": 60, "worn": True} for name in ("ann", "bob")]
    assert set(built([], kept, zones=ZONES.drop("bob")).panel["subject_id"]) == {"ann"}


def test_a_subject_without_anything_odd_has_no_flag_and_no_finding():
    """One device, one offset: both tables are empty and have their columns."""
    row = {"subject_id": "ann", "minute_at": MIDNIGHT, "device_id": "", "source": "app", "version": 0, "steps": 5,
           "utc_offset_min": 60, "is_deleted": False, "received_at": MIDNIGHT, "ingest_id": "i"}  # fmt: skip
    found = built([row])
    assert found.findings.empty
    assert flags_of(found).empty
    assert flags_of(found).columns.tolist() == FLAG


def test_a_late_minute_of_another_hour_begins_no_version_of_the_day_before():
    """A version begins anew over midnight when the hour beside changes, not when another hour of that day does."""
    row = {"subject_id": "ann", "device_id": "band", "source": "app", "version": 0, "utc_offset_min": 60, "steps": None,
           "ingest_id": "i", "heart_rate": 61, "worn": True, "is_deleted": False}  # fmt: skip
    midnight = MIDNIGHT - timedelta(hours=1)
    before, after = (range(start, start + 60, 2) for start in (-60, 0))
    told = [{**row, "minute_at": midnight + timedelta(minutes=at), "received_at": midnight + timedelta(hours=hours)}
            for minutes_at, hours in ((before, 1), (after, 26), ([720], 50)) for at in minutes_at]  # fmt: skip
    panel = built(told).panel
    days = panel.groupby("local_date")["known_on"].apply(lambda known: [f"{day:%d}" for day in known])
    assert days.tolist() == [["28", "29"], ["29", "30"]]
