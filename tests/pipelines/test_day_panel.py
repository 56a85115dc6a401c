"""How the stored day panel goes on from night to night: what is computed, what is told of it, what makes all of it anew."""

import functools
import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from deltalake import DeltaTable

from features import heart
from features.versions import KEY
from pipelines import cohort as cohorts
from pipelines.cohort import Cohort
from pipelines.door.intake import ingest
from pipelines.lake import Lake, bucket_of
from pipelines.panel import flagging, refresh, state
from pipelines.panel.store import Store
from pipelines.panel.view import stores
from pipelines.settings import Settings, settings_from
from pipelines.sources.batch import Batch

# DuckDB 2.0 and PyArrow 25 call what pandas 3.1 deprecates; their warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]

NIGHT = pd.Timestamp("2026-06-12")
DAY = pd.Timedelta(days=1)
STORED = ("flags", "plausibility_counts")


def settings(home: Path, *preference: str) -> Settings:
    """One outcome, and a device preference."""
    outcome = {"events": ["crisis_contact"], "horizons_days": [7]}
    return settings_from({"outcomes": {"crisis": outcome}, "door": {"device_preference": preference}}, home)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Two subjects: one whose band was stuck for a day, one who changed it; and a minute that two devices tell of."""
    lake = Lake(tmp_path / "lake")
    at = pd.Timestamp("2026-06-10T00:00Z").as_unit("us")
    people = pd.DataFrame({"subject_id": ["ann", "bob"], "enrolled_on": date(2026, 6, 1), "received_at": at})
    stuck = pd.DataFrame({"subject_id": "ann", "minute_at": pd.date_range(at, periods=240, freq="min", unit="us"),
                          "heart_rate": 61, "device_id": "band"})  # fmt: skip
    two = pd.DataFrame({"subject_id": "bob", "minute_at": at + pd.to_timedelta([0, 1, 0], unit="min"),
                        "heart_rate": [70, 72, 90], "device_id": ["band", "band", "ring"],
                        "source": ["a", "a", "b"]})  # fmt: skip
    ends = pd.DatetimeIndex(["2026-06-09T07:00Z", "2026-06-10T07:00Z"]).as_unit("us")
    nights = pd.DataFrame({"subject_id": "bob", "onset_at": ends - pd.Timedelta(hours=8), "offset_at": ends,
                           "minutes_asleep": 420.0, "record_id": ["1", "2"], "device_id": ["old", "new"]})  # fmt: skip
    received = at + pd.Timedelta(hours=30)
    minutes = pd.concat([stuck, two], ignore_index=True).fillna({"source": "a"})
    batches = [Batch("subjects", people, "subjects"), Batch("wearable", minutes.assign(received_at=received), "minutes"),
               Batch("sleep", nights.assign(received_at=received, source="a"), "nights")]  # fmt: skip
    ingest(lake, batches, "small")
    return lake


def cohort(lake: Lake, home: Path, night: pd.Timestamp = NIGHT, *preference: str) -> Cohort:
    """Both subjects, as known for a night."""
    return cohorts.load(lake, settings(home, *preference), night)


def answers(lake: Lake, subject: str, day: str, value: float = 3.0, hours: int = 30, name: str = "") -> None:
    """A mood answer of one noon, received so many hours after its day began."""
    at = pd.Timestamp(f"{day}T12:00Z").as_unit("us")
    rows = pd.DataFrame({"subject_id": [subject], "answered_at": at, "item": "mood", "value": value, "scale_min": 1.0,
                         "scale_max": 7.0, "source": "a", "received_at": at + pd.Timedelta(hours=hours - 12)})  # fmt: skip
    ingest(lake, [Batch("mood", rows, "answers")], name or f"{subject} {day} {value} {hours}")


def test_flags_and_counts_are_stored_with_the_panel(lake, tmp_path):
    """Under one name; each rule once, new this night or not."""
    panel = refresh(lake, cohort(lake, tmp_path))
    assert {lake.derived_version(name) for name in STORED} == {panel.name}
    assert lake.load("flags")[["subject_id", "stream", "flag"]].to_numpy().tolist() == [
        ["bob", "sleep", "device_change"]
    ]
    counted = lake.load("plausibility_counts")
    counted = counted[~counted["is_of_the_night"]].drop(columns="is_of_the_night")
    assert counted.to_numpy().tolist() == [["sleep", "device_change", 1, 1], ["wearable", "stuck_heart_rate", 1, 1],
                                       ["wearable", "two_devices", 1, 1]]  # fmt: skip


def test_another_preference_makes_another_panel(lake, tmp_path, monkeypatch):
    """The band has more minutes; where the ring is preferred, its minute counts, and no other of that hour."""
    monkeypatch.setattr(heart, "FEWEST_DAY_MINUTES", 1)

    def mean(*preference: str) -> float:
        panel = refresh(lake, cohort(lake, tmp_path, NIGHT, *preference)).load()
        return panel.set_index("subject_id").loc["bob", "heart_mean"].dropna().iloc[0]

    assert mean() == 71
    assert mean("b") == 90
    assert mean("a") == 71


def test_a_night_computes_what_is_new(lake, tmp_path):
    """One answer is one subject-day; a night without news is none, and nothing that the night before knew is other."""
    assert refresh(lake, cohort(lake, tmp_path)).days_computed == 3
    answers(lake, "ann", "2026-06-11")
    for computed in (1, 0):
        panel = refresh(lake, cohort(lake, tmp_path, NIGHT + DAY))
        assert (panel.days_computed, panel.changed_past) == (computed, frozenset())
    assert panel.load()["local_date"].max() == NIGHT - DAY


def test_a_minute_computes_the_days_beside_it(lake, tmp_path):
    """An hour can be stuck over midnight; files that hold other days stay as they are."""
    refresh(lake, cohort(lake, tmp_path))
    before = set(files(lake))
    at = pd.Timestamp("2026-06-11T23:59Z").as_unit("us")
    rows = pd.DataFrame({"subject_id": ["ann"], "minute_at": at, "heart_rate": 61, "source": "a", "device_id": "band",
                         "received_at": at + pd.Timedelta(hours=9)})  # fmt: skip
    ingest(lake, [Batch("wearable", rows, "one")], "one minute")
    panel = refresh(lake, cohort(lake, tmp_path, NIGHT + DAY))
    assert panel.days_computed == 2
    (kept,) = before & set(files(lake))
    assert f"bucket={bucket_of('bob')}/" in kept


def files(lake: Lake) -> list[str]:
    """The files of the stored panel."""
    return [str(piece.path) for piece in stores(lake)["days"].pieces()]


def test_who_has_another_past_is_told(lake, tmp_path):
    """What was received before the last night's cutoff, and came in after, changes what that night would know."""
    first = refresh(lake, cohort(lake, tmp_path))
    assert first.since is None
    answers(lake, "bob", "2026-06-10")
    answers(lake, "ann", "2026-06-11")
    panel = refresh(lake, cohort(lake, tmp_path, NIGHT + DAY))
    assert (panel.since, panel.changed_past) == (NIGHT, {"bob"})
    answers(lake, "ann", "2026-06-11", value=4.0, hours=31)
    assert refresh(lake, cohort(lake, tmp_path, NIGHT + 2 * DAY)).changed_past == {"ann"}


def test_an_earlier_night_leaves_the_stored_panel(lake, tmp_path):
    """It is told what was known then, late rows of old receipts too; the newer night goes on from where it was."""
    answers(lake, "ann", "2026-06-11")
    newest = refresh(lake, cohort(lake, tmp_path, NIGHT + DAY)).load()
    answers(lake, "bob", "2026-06-10")
    earlier = refresh(lake, cohort(lake, tmp_path, NIGHT))
    assert earlier.days_computed == 1
    told = earlier.load()
    assert told["known_on"].max() <= NIGHT
    assert told.set_index(["subject_id", "local_date"])["mood_mood"].notna().sum() == 1
    assert lake.derived_version("flags") == earlier.name
    later = refresh(lake, cohort(lake, tmp_path, NIGHT + DAY))
    assert later.days_computed == 1
    both = pd.concat([later.load(), newest, told]).drop_duplicates()
    assert len(both) == len(later.load()) + 1
    assert lake.derived_version("flags") == later.name


def test_a_file_that_is_gone_without_a_word_makes_its_bucket_anew(lake, tmp_path):
    """Rows that somebody removed by hand do not live on in the panel; subjects of other buckets are not computed."""
    answers(lake, "ann", "2026-06-10")
    refresh(lake, cohort(lake, tmp_path))
    table = DeltaTable(str(lake.root / "raw" / "mood"))
    table.delete()
    panel = refresh(lake, cohort(lake, tmp_path))
    assert bucket_of("ann") != bucket_of("bob")
    assert (panel.days_computed, panel.changed_past) == (1, {"ann"})
    assert "mood_mood" not in panel.load()


@pytest.mark.parametrize("call", range(1, 7))
def test_a_panel_that_was_cut_off_is_whole_after_the_next_run(lake, tmp_path, monkeypatch, call):
    """Stopped before any of its commits, or before it is said to be whole, nothing half-new is left."""
    refresh(lake, cohort(lake, tmp_path))
    answers(lake, "ann", "2026-06-11")
    answers(lake, "bob", "2026-06-10")
    calls = []

    def cut(real, *arguments, **named):
        calls.append(real)
        if len(calls) == call:
            raise KeyboardInterrupt
        return real(*arguments, **named)

    commit = Store.commit
    monkeypatch.setattr(Store, "commit", lambda store, change: cut(commit, store, change))
    for owner, step in ((flagging, "publish"), (state, "write"), (state, "forget")):
        monkeypatch.setattr(owner, step, functools.partial(cut, getattr(owner, step)))
    with pytest.raises(KeyboardInterrupt):
        refresh(lake, cohort(lake, tmp_path, NIGHT + DAY))
    monkeypatch.undo()
    panel = refresh(lake, cohort(lake, tmp_path, NIGHT + DAY))
    whole = Lake(shutil.copytree(lake.root, tmp_path / "whole", ignore=shutil.ignore_patterns("derived")))
    anew = refresh(whole, cohort(whole, tmp_path, NIGHT + DAY))
    gone_on, built_anew = (one.load().sort_values(KEY, ignore_index=True) for one in (panel, anew))
    pd.testing.assert_frame_equal(gone_on, built_anew, check_exact=True)
    for name in STORED:
        pd.testing.assert_frame_equal(lake.load(name), whole.load(name), check_exact=True)
