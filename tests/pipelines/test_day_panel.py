"""What is stored beside the day panel, and when it is built again."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from pipelines import cohort as cohorts
from pipelines.door.intake import ingest
from pipelines.lake import Lake
from pipelines.settings import Settings, settings_from
from pipelines.sources.batch import Batch

# DuckDB 2.0 and PyArrow 25 call what pandas 3.1 deprecates; their warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]

NIGHT = pd.Timestamp("2026-06-12")
STORED = ("days", "flags", "plausibility_counts")


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


def test_flags_and_counts_are_stored_with_the_panel(lake, tmp_path):
    """One version for all three; each rule once, new this night or not."""
    known = cohorts.load(lake, settings(tmp_path), NIGHT)
    cohorts.day_panel(lake, known)
    assert len({lake.derived_version(name) for name in STORED}) == 1
    assert lake.load("flags")[["subject_id", "stream", "flag"]].to_numpy().tolist() == [
        ["bob", "sleep", "device_change"]
    ]
    counted = lake.load("plausibility_counts")
    counted = counted[~counted["is_of_the_night"]].drop(columns="is_of_the_night")
    assert counted.to_numpy().tolist() == [["sleep", "device_change", 1, 1], ["wearable", "stuck_heart_rate", 1, 1],
                                       ["wearable", "two_devices", 1, 1]]  # fmt: skip


def test_another_preference_makes_another_panel(lake, tmp_path):
    """The band has more minutes; where the ring is preferred, its minute counts."""

    def mean(*preference: str) -> float:
        panel = cohorts.day_panel(lake, cohorts.load(lake, settings(tmp_path, *preference), NIGHT))
        return panel.set_index("subject_id").loc["bob", "heart_mean"].dropna().iloc[0]

    assert mean() == 71
    assert mean("b") == (90 + 72) / 2
    assert mean("a") == 71


def test_a_panel_without_its_flags_is_built_again(lake, tmp_path):
    """A run that was cut off between the three leaves nothing half-new behind."""
    known = cohorts.load(lake, settings(tmp_path), NIGHT)
    panel = cohorts.day_panel(lake, known)
    lake.replace("flags", lake.load("flags").iloc[:0], version="of another night")
    pd.testing.assert_frame_equal(cohorts.day_panel(lake, known), panel)
    assert len(lake.load("flags")) == 1
