"""What the stored day panel must learn of, one way after another: each night is as if it were made from scratch."""

import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from features.versions import KEY
from pipelines import cohort as cohorts
from pipelines import retention
from pipelines.consent.withdrawal import withdraw
from pipelines.door.intake import ingest
from pipelines.installation import Installation
from pipelines.lake import Lake, bucket_of
from pipelines.panel import Panel, refresh
from pipelines.settings import settings_from
from pipelines.sources.batch import Batch

# DuckDB 2.0 and PyArrow 25 call what pandas 3.1 deprecates; their warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]

FIRST = pd.Timestamp("2026-05-01T00:00Z").as_unit("us")
DAY, HOUR, MINUTE = pd.Timedelta(days=1), pd.Timedelta(hours=1), pd.Timedelta(minutes=1)
PEOPLE = ("ann", "bob")


@pytest.fixture
def made(tmp_path: Path) -> Installation:
    """Two subjects with four days of sleep and minutes, each day received the next morning."""
    content = {"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}},
               "sites": {"time_zones": {"north": "Europe/Berlin", "south": "America/New_York"}}}  # fmt: skip
    made = Installation(settings_from(content, tmp_path))
    for who in PEOPLE:
        take_in(made, "subjects", person(who))
        for day in range(4):
            take_in(made, "sleep", sleep(who, day))
            take_in(made, "wearable", minutes(who, day))
    return made


def person(who: str, site: str = "north", at: pd.Timestamp = FIRST, **more: object) -> pd.DataFrame:
    """A row of a subject."""
    return pd.DataFrame({"subject_id": [who], "site": site, "enrolled_on": FIRST.date(), "received_at": at, **more})


def sleep(who: str, day: int, shift: int = 0, received: float = 33, **more: object) -> pd.DataFrame:
    """The night that ended on a day, or that many hours beside it, received so many hours after the day began."""
    ended = FIRST + day * DAY + (6 + shift) * HOUR
    return pd.DataFrame({"subject_id": [who], "record_id": str(day), "onset_at": ended - 7 * HOUR, "offset_at": ended,
                         "minutes_asleep": 400.0, "received_at": FIRST + day * DAY + received * HOUR, **more})  # fmt: skip


def minutes(who: str, day: int, hour: int = 9, value: int = 70, received: float = 33) -> pd.DataFrame:
    """Half an hour of a day's minutes."""
    at = FIRST + day * DAY + hour * HOUR + pd.to_timedelta(range(30), unit="min")
    return pd.DataFrame({"subject_id": who, "minute_at": at, "heart_rate": value + at.minute % 3, "steps": 5,
                         "received_at": FIRST + day * DAY + received * HOUR})  # fmt: skip


def take_in(made: Installation, table: str, rows: pd.DataFrame) -> None:
    """Through the door."""
    number = len(list((made.lake.root / "ingests").glob("*.json")))
    ingest(made.lake, [Batch(table, rows.assign(source="app"), "rows")], f"ingest-{number}")


def go_on(made: Installation, day: int) -> Panel:
    """The night's panel, flags and counts, which are those of a lake without any; and all files of the panel are seen."""
    night = (FIRST + day * DAY).tz_localize(None)
    panel = refresh(made.lake, cohorts.load(made.lake, made.settings, night))
    bare = made.settings.home / f"bare-{len(list(made.settings.home.glob('bare-*')))}"
    lake = Lake(shutil.copytree(made.lake.root, bare, ignore=shutil.ignore_patterns("derived")))
    anew = refresh(lake, cohorts.load(lake, made.settings, night))
    gone_on, built_anew = (one.load().sort_values(KEY, ignore_index=True) for one in (panel, anew))
    pd.testing.assert_frame_equal(gone_on, built_anew, check_exact=True)
    for name in ("flags", "plausibility_counts"):
        pd.testing.assert_frame_equal(made.lake.load(name), lake.load(name), check_exact=True)
    return panel


def asleep(panel: Panel, who: str = "ann") -> list[tuple[int, int]]:
    """Day and night of each version of a subject in which sleep is known."""
    days = panel.load().query("subject_id == @who & sleep_duration.notna()")
    return [((day - FIRST.tz_localize(None)).days, (known - FIRST.tz_localize(None)).days)
            for day, known in zip(days["local_date"], days["known_on"], strict=True)]  # fmt: skip


def test_a_night_that_is_moved_to_another_day_leaves_the_old_one(made):
    """Both days are computed; and when something else comes in about the old day, the night does not come back."""
    assert asleep(go_on(made, 6)) == [(0, 2), (1, 3), (2, 4), (3, 5)]
    take_in(made, "sleep", sleep("ann", 1, shift=24 * 20, received=24 * 30))
    moved = go_on(made, 32)
    assert asleep(moved)[-1] == (21, 31)
    assert moved.days_computed == 2
    take_in(made, "wearable", minutes("ann", 1, hour=12, received=24 * 40))
    assert (1, 42) not in asleep(go_on(made, 42))


def test_a_correction_that_came_first_does_not_count_last(made):
    """A row that was overtaken is an earlier version of its key, on whichever day it is."""
    take_in(made, "sleep", sleep("ann", 10, received=24 * 2 + 6))
    assert (10, 13) in asleep(go_on(made, 14))
    take_in(made, "sleep", sleep("ann", 10, shift=-48, received=24 + 6))
    assert {(8, 12), (10, 13)} <= set(asleep(go_on(made, 15)))
    take_in(made, "wearable", minutes("ann", 8, received=24 * 20))
    go_on(made, 22)


def test_rows_that_wait_for_their_night_are_taken_in_then(made):
    """Received after the night's cutoff, in a file that the panel knows."""
    early = go_on(made, 3)
    assert asleep(early) == [(0, 2), (1, 3)]
    late = go_on(made, 5)
    assert (late.since, len(asleep(late))) == (early.cohort.as_of, 4)
    assert go_on(made, 9).days_computed == 0


def test_hours_that_outlive_their_minutes_are_no_news(made):
    """Retention computes nothing; kept hours that a later night knows are taken in then."""
    go_on(made, 3)
    retention.retain(made, date(2026, 5, 4))
    assert go_on(made, 3).days_computed == 0
    assert go_on(made, 6).days_computed > 0
    retention.retain(made, date(2026, 5, 5))
    assert go_on(made, 6).days_computed == 0
    take_in(made, "sleep", sleep("ann", 1, shift=1, received=24 * 7))
    assert "heart_mean" in go_on(made, 9).load()


def test_minutes_that_go_before_the_panel_saw_them_are_in_it(made):
    """Of old receipt, taken in and removed between two nights: their hours are told of all the same."""
    go_on(made, 6)
    take_in(made, "wearable", minutes("bob", 2, hour=15, value=90, received=40))
    retention.retain(made, date(2026, 5, 4))
    assert go_on(made, 6).changed_past == {"bob"}


def test_who_is_not_known_any_more_is_gone(made):
    """A subject whose row is taken back; their rows stay in the lake, strangers' rows."""
    go_on(made, 6)
    take_in(made, "subjects", person("bob", at=FIRST + 6 * DAY, is_deleted=True))
    panel = go_on(made, 7)
    assert set(panel.load()["subject_id"]) == {"ann"}
    assert panel.changed_past == {"bob"}


def test_who_comes_to_another_time_zone_is_computed_whole(made):
    """Cutoffs move, and with them the nights on which things were known; the others stay."""
    go_on(made, 6)
    take_in(made, "subjects", person("bob", site="south", at=FIRST + 6 * DAY))
    assert go_on(made, 7).days_computed == 4
    assert asleep(go_on(made, 4)) == [(0, 2), (1, 3), (2, 4)]


def test_a_withdrawal_computes_nothing_of_others(made):
    """Erased rows were known to go; the others' panel, flags and counts are what they would be without the subject."""
    assert bucket_of("ann") != bucket_of("bob")
    go_on(made, 6)
    withdraw(made, ["bob"], date(2026, 5, 7))
    panel = go_on(made, 7)
    assert panel.days_computed == 0
    assert set(panel.load()["subject_id"]) == {"ann"}
