"""Retention: old minutes are gone from disk, every daily measure of every version is what it was to the bit."""

import functools
import json
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable

from features import days
from features.versions import KEY
from pipelines import cohort as cohorts
from pipelines import retention
from pipelines.consent.withdrawal import withdraw
from pipelines.door.intake import ingest
from pipelines.door.policy import DoorPolicy
from pipelines.installation import Installation
from pipelines.kept_hours import kept_from, kept_hours
from pipelines.lake import BUCKETS
from pipelines.panel import refresh
from pipelines.settings import settings_from
from pipelines.sources.batch import Batch
from pipelines.turn import alone

# PyArrow 25 calls what pandas 3.1 deprecates: its warning, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")

FIRST = pd.Timestamp("2026-05-01T00:00:00Z")
DAY, MINUTE = pd.Timedelta(days=1), pd.Timedelta(minutes=1)
BEFORE = date(2026, 5, 4)
NIGHTS = ("2026-05-03", "2026-05-05", "2026-05-06", "2026-05-12")
SUBJECTS = ("s-0", "s-1", "s-2")


def installation(home: Path, preference: tuple[str, ...] = ()) -> Installation:
    """Three subjects in Berlin, six days of minutes, some late, corrected, taken back, or told by two devices."""
    content = {"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}},
               "sites": {"default_time_zone": "Europe/Berlin"}, "door": {"device_preference": preference}}  # fmt: skip
    made = Installation(settings_from(content, home))
    people = pd.DataFrame({"subject_id": SUBJECTS, "enrolled_on": FIRST.date(), "received_at": FIRST})
    every = minutes_of(SUBJECTS, range(6), received=1)
    late = minutes_of(["s-0"], [1], received=4, value=100, hours=range(20, 22))
    corrected = minutes_of(["s-1"], [2], received=5, value=150, hours=range(9, 10))
    gone = minutes_of(["s-1"], [1], received=6, hours=range(24)).assign(is_deleted=True)
    second = minutes_of(["s-2"], [0, 3], received=1, value=80, hours=range(10, 12)).assign(device_id="ring")
    for number, rows in enumerate((every, late, corrected, gone, second)):
        ingest(made.lake, [Batch("subjects", people, "s.csv"), Batch("wearable", rows, "m.csv")], f"ingest-{number}")
    return made


def minutes_of(subjects, days, received: int, value: int = 60, hours=range(8, 20)) -> pd.DataFrame:
    """Every third minute of some hours, each day received `received` days later; an hour crosses the midnight in UTC."""
    rows = [
        {"subject_id": subject, "minute_at": FIRST + day * DAY + hour * 60 * MINUTE + minute * MINUTE,
         "heart_rate": value + (minute + hour) % 7, "steps": (minute * hour) % 90, "utc_offset_min": 120,
         "received_at": FIRST + (day + received) * DAY, "device_id": "watch", "is_deleted": False}
        for subject in subjects for day in days for hour in hours for minute in range(0, 60, 3)
    ]  # fmt: skip
    clocks = {"minute_at": "datetime64[us, UTC]", "received_at": "datetime64[us, UTC]"}
    return pd.DataFrame(rows).astype(clocks)


def panels(made: Installation) -> dict[str, pd.DataFrame]:
    """What the minutes give to the day panel of several nights, for everybody at once."""
    return {night: panel(made, pd.Timestamp(night)) for night in NIGHTS}


def panel(made: Installation, night: pd.Timestamp) -> pd.DataFrame:
    """One night's panel, as `cohort.day_panel` builds it bucket by bucket and stream by stream."""
    known = cohorts.load(made.lake, made.settings, night)
    with made.lake.connection() as connection:
        streams = {"wearable": made.lake.history("wearable", known.known_at, connection)}
        parts = [kept_hours(made.lake, known.as_of, f"bucket = {bucket}", connection) for bucket in range(BUCKETS)]
        kept = [part for part in parts if part is not None]
        kept_rows = functools.reduce(lambda one, other: one.union(other), kept) if kept else None
        found = days.build_days(
            connection, streams, known.zones, known.cutoff, known.device_preference, kept_rows
        ).panel
    return found[found["known_on"] <= night].reset_index(drop=True)


def day_panel(made: Installation) -> pd.DataFrame:
    """The newest night's whole panel, as scoring sees it."""
    panel = refresh(made.lake, cohorts.load(made.lake, made.settings, pd.Timestamp(NIGHTS[-1])))
    return panel.load().sort_values(KEY, ignore_index=True)


def assert_same(found: dict[str, pd.DataFrame], wanted: dict[str, pd.DataFrame]) -> None:
    for night, panel in wanted.items():
        pd.testing.assert_frame_equal(found[night], panel, check_exact=True)


def oldest_minute(made: Installation) -> pd.Timestamp:
    """The oldest minute in any file below the raw table, whether a version of it counts or not."""
    files = [str(path) for path in (made.lake.root / "raw" / "wearable").rglob("part-*.parquet")]
    ((oldest,),) = duckdb.sql(f"SELECT epoch_us(min(minute_at)) FROM read_parquet({files})").fetchall()
    return pd.Timestamp(oldest, unit="us", tz="UTC")


def content(made: Installation) -> dict[str, list[tuple]]:
    """Rows of minutes and of kept hours."""
    with made.lake.connection() as connection:
        kept = [kept_hours(made.lake, pd.Timestamp("2030-01-01"), f"bucket = {b}", connection) for b in range(BUCKETS)]
        return {"hours": sorted((row for part in kept if part is not None for row in part.fetchall()), key=str),
                "minutes": sorted(made.lake.rows("wearable", connection).fetchall(), key=str)}  # fmt: skip


def test_the_day_panel_stays_to_the_bit_while_the_minutes_go(tmp_path):
    """Every version as every night saw it, over late, corrected and deleted minutes; no older minute is on disk."""
    made = installation(tmp_path)
    before, whole = panels(made), day_panel(made)
    assert before["2026-05-12"]["known_on"].nunique() > 6
    done = retention.retain(made, BEFORE)
    assert done.minutes > 0
    assert done.hours > 0
    assert oldest_minute(made) == pd.Timestamp(BEFORE, tz="UTC") + 8 * 60 * MINUTE
    assert_same(panels(made), before)
    pd.testing.assert_frame_equal(day_panel(made), whole, check_exact=True)


def test_retaining_again_changes_nothing_and_later_goes_on(tmp_path):
    """The same or an earlier date has no effect; a later one keeps the panel once more."""
    made = installation(tmp_path)
    before = panels(made)
    retention.retain(made, BEFORE)
    stored = content(made)
    assert retention.retain(made, BEFORE).minutes == 0
    assert retention.retain(made, date(2026, 5, 2)).minutes == 0
    assert content(made) == stored
    assert retention.retain(made, date(2026, 5, 6)).minutes > 0
    assert_same(panels(made), before)
    assert len([e for e in made.audit_log.entries() if e["kind"] == retention.KIND]) == 2


@pytest.mark.parametrize(
    ("step", "call"),
    [("_note", 1), ("_keep", 1), ("_keep", 2), ("_note", 2), ("_remove", 1), ("scrub", 1), ("_record", 1)],
)
def test_a_retention_that_is_cut_off_is_finished_by_the_next_command(tmp_path, monkeypatch, step, call):
    """Stopped before any of its steps, the next command ends with the same minutes and hours, recorded once."""
    whole, made = installation(tmp_path / "whole"), installation(tmp_path / "cut")
    retention.retain(whole, BEFORE)
    stopped_before(monkeypatch, step, call, lambda: retention.retain(made, BEFORE))
    with alone(made):
        retention.retain(made, BEFORE)
    assert content(made) == content(whole)
    assert len([e for e in made.audit_log.entries() if e["kind"] == retention.KIND]) == 1
    assert kept_from(made.lake) == BEFORE


def stopped_before(monkeypatch, step: str, call: int, work) -> None:
    """Work that is cut off just before the step is called for the so-manieth time."""
    real, calls = getattr(retention, step), []

    def cut(*arguments):
        calls.append(step)
        if len(calls) == call:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(retention, step, cut)
    with pytest.raises(KeyboardInterrupt):
        work()
    monkeypatch.undo()


def test_of_competing_devices_the_preferred_one_speaks_as_before(tmp_path):
    """A preference is decided by hours, which are kept: the panel stays."""
    made = installation(tmp_path, preference=("ring",))
    before = panels(made)
    retention.retain(made, BEFORE)
    assert_same(panels(made), before)


def test_the_door_learns_from_which_day_on_minutes_may_come(tmp_path):
    """A late minute of a removed day is dropped and counted: it would meet nothing to be compared with."""
    made = installation(tmp_path)
    assert kept_from(made.lake) is None
    retention.retain(made, BEFORE)
    assert kept_from(made.lake) == BEFORE
    late = minutes_of(["s-0"], [0, 4], received=9, value=200, hours=range(21, 22))
    report = ingest(made.lake, [Batch("wearable", late, "late.csv")], "late",
                    policy=DoorPolicy(minutes_kept_from=kept_from(made.lake)))  # fmt: skip
    counts = [report.count("wearable", kind) for kind in ("expired", "quarantined", "appended")]
    assert counts == [20, 0, 20]


def quarantined(made: Installation) -> list[tuple[str, str]]:
    """Table and minute, or receipt, of rows in quarantine, in any file of it."""
    files = [str(path) for path in (made.lake.root / "quarantine").rglob("*.parquet") if "_delta_log" not in path.parts]
    rows = duckdb.read_parquet(files).df()
    told = [(table, json.loads(row)) for table, row in zip(rows["table"], rows["row"], strict=True)]
    return sorted((table, (row.get("minute_at") or f"received {row['received_at']}")[:19]) for table, row in told)


def with_broken_minutes(home: Path, make=installation) -> Installation:
    """Two minutes of old days and two of kept ones that no heart beats so fast in, some without a time; a bad night."""
    made = make(home)
    bad = minutes_of(["s-0"], [0, 4], received=1, value=900, hours=range(3, 4)).groupby("received_at").head(2)
    undated = bad.assign(minute_at=pd.Series(pd.NaT, bad.index, "datetime64[us, UTC]")).groupby("received_at").head(1)
    night = pd.DataFrame(
        {
            "subject_id": ["s-0"],
            "record_id": ["1"],
            "onset_at": [FIRST],
            "offset_at": [FIRST],
            "received_at": [FIRST + DAY],
        }
    )
    people = pd.DataFrame({"subject_id": SUBJECTS, "enrolled_on": FIRST.date(), "received_at": FIRST})
    batches = [("subjects", people), ("wearable", bad), ("wearable", undated), ("sleep", night)]
    ingest(made.lake, [Batch(table, rows, "bad.csv") for table, rows in batches], "bad")
    return made


def bare(home: Path) -> Installation:
    """Nobody's minutes in the lake."""
    return Installation(settings_from({"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}}}, home))


LEFT = [("sleep", "received 2026-05-02"), ("wearable", "2026-05-05 03:00:00"), ("wearable", "2026-05-05 03:03:00"),
        ("wearable", "received 2026-05-06")]  # fmt: skip


@pytest.mark.parametrize("make", [installation, bare])
def test_minutes_in_quarantine_go_too(tmp_path, make):
    """Old ones, and undated ones that came in before the day, leave every file; whether others were stored or not."""
    made = with_broken_minutes(tmp_path, make)
    assert len(quarantined(made)) == 7
    assert retention.retain(made, BEFORE).quarantined == 3
    assert quarantined(made) == LEFT
    assert (kept_from(made.lake) is None) == (make is bare)
    assert retention.retain(made, BEFORE).quarantined == 0
    assert len([e for e in made.audit_log.entries() if e["kind"] == retention.KIND]) == 1


@pytest.mark.parametrize(("step", "call"), [("_remove_quarantined", 1), ("scrub", 1)])
def test_a_removal_from_quarantine_that_is_cut_off_is_finished(tmp_path, monkeypatch, step, call):
    """Whatever it was stopped before, the next command leaves no old minute in any file of the quarantine."""
    made = with_broken_minutes(tmp_path)
    stopped_before(monkeypatch, step, call, lambda: retention.retain(made, BEFORE))
    assert len(quarantined(made)) > len(LEFT)
    with alone(made):
        assert quarantined(made) == LEFT


def test_kept_hours_hold_whole_numbers_only(tmp_path):
    """No floating-point sum is stored, so that none can differ between machines."""
    made = installation(tmp_path)
    retention.retain(made, BEFORE)
    with made.lake.connection() as connection:
        files = DeltaTable(str(made.lake.root / "retained" / "wearable_hours")).file_uris()
        types = connection.read_parquet(files).dtypes
    assert "DOUBLE" not in map(str, types)
    assert np.isin(["BIGINT"], list(map(str, types))).all()


def test_a_withdrawal_reaches_kept_hours(tmp_path):
    """Who withdraws leaves no sum behind; the others' hours stay."""
    made = installation(tmp_path)
    retention.retain(made, BEFORE)
    others = [row for row in content(made)["hours"] if row[0] != "s-1"]
    done = withdraw(made, ["s-1"], date(2026, 6, 1))
    assert done.rows["retained/wearable_hours"] > 0
    assert content(made)["hours"] == others
