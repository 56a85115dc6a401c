"""The promise that a score never knows its future: what is received after the cutoff changes no feature, not by a bit.

A simulated cohort of two sites, whose cutoffs are six hours apart, is read as of one night; then rows of every stream
are planted and it is read again. The same rows, received in time, do change the features: so these tests could fail.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from features.history import enrolment, history
from features.matrix import build_matrix
from features.tables import TABLES
from pipelines import cohort as cohorts
from pipelines.door.intake import ingest
from pipelines.lake import Lake
from pipelines.panel import refresh
from pipelines.settings import Settings, settings_from
from pipelines.sources.batch import Batch
from pipelines.sources.simulated import SimulatedCohort, read

# DuckDB 2.0 and PyArrow 25 call what pandas 3.1 deprecates; their warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]

NIGHT = pd.Timestamp("2026-06-29")
# The night's cutoffs, 03:00 in Berlin and in New York.
NORTH, SOUTH = pd.Timestamp("2026-06-29T01:00Z"), pd.Timestamp("2026-06-29T07:00Z")
MICROSECOND, DAY = pd.Timedelta(microseconds=1), pd.Timedelta(days=1)
PEOPLE = [f"sim-{number:04d}" for number in range(1, 7)]
NORTHERN = ["sim-0002", "sim-0005", "sim-0006"]
# Each stream, and a subject that has it: no subject twice.
STREAMS = {
    "mood": "sim-0004", "sleep": "sim-0006", "wearable": "sim-0005", "wearable_days": "sim-0003",
    "assessments": "sim-0001", "events": "sim-0002",
}  # fmt: skip
# The cohort has minutes for its last days only; planted ones go where there are none, for one device speaks for a day.
SHIFT = {"wearable": -10 * DAY}


def settings(home: Path, **sites: str) -> Settings:
    """Both sites, one outcome."""
    outcome = {"events": ["crisis_contact", "emergency", "panic"], "horizons_days": [7, 14]}
    zones = {"north": "Europe/Berlin", "south": "America/New_York"}
    return settings_from({"sites": {"time_zones": zones, **sites}, "outcomes": {"crisis": outcome}}, home)


def matrix(lake: Lake, night: pd.Timestamp, index_date: pd.Timestamp | None = None) -> pd.DataFrame:
    """Features of everybody for the index date, by default the night itself, from what is known for the night."""
    declared = settings(lake.root)
    known = cohorts.load(lake, declared, night)
    panel = refresh(lake, known).load()
    outcome = cohorts.outcome_named("crisis", declared.outcomes["crisis"])
    events = cohorts.outcome_event_days(lake, known, outcome)
    index = known.roster[["subject_id"]].assign(index_date=index_date or night)
    return build_matrix(panel, events, known.enrolments, index)


def past(lake: Lake, night: pd.Timestamp, index_date: pd.Timestamp) -> pd.DataFrame:
    """The history features alone, as `matrix`."""
    declared = settings(lake.root)
    known = cohorts.load(lake, declared, night)
    events = cohorts.outcome_event_days(lake, known, cohorts.outcome_named("crisis", declared.outcomes["crisis"]))
    index = known.roster[["subject_id"]].assign(index_date=index_date)
    return history(events, index, enrolment(known.enrolments, index), merge_within_days=7)


def cohort_rows() -> Iterator[Batch]:
    """Six simulated subjects over 40 days that end after the night, and a known event for each of them."""
    yield from read(SimulatedCohort(subjects=6, days=40, minute_days=5, until=date(2026, 6, 30)))
    at = pd.Timestamp("2026-06-10T12:00Z").as_unit("us")
    events = {"subject_id": PEOPLE, "record_id": "known", "occurred_at": at, "kind": "panic", "received_at": at + DAY}
    yield Batch("events", pd.DataFrame(events), "known events")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The cohort's rows, nothing derived from them yet."""
    lake = Lake(tmp_path_factory.mktemp("clean"))
    ingest(lake, cohort_rows(), "cohort")
    return lake


@pytest.fixture(scope="module")
def visited(clean: Lake, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The same rows, and the day panel as it was stored for the night."""
    lake = copy_of(clean, tmp_path_factory.mktemp("visited"))
    matrix(lake, NIGHT)
    return lake


@pytest.fixture(scope="module")
def tonight(visited: Lake) -> pd.DataFrame:
    """The night's features without anything planted."""
    return matrix(visited, NIGHT)


def copy_of(lake: Lake, folder: Path) -> Lake:
    """A lake of its own with the same content."""
    shutil.copytree(lake.root, folder / "lake")
    return Lake(folder / "lake")


def plant(lake: Lake, plants: Callable[[str, pd.DataFrame], pd.DataFrame], streams: Iterable[str] = STREAMS) -> None:
    """Ingest what `plants` makes of the newest rows of each stream that were known by the earlier cutoff."""
    batches = []
    for stream in streams:
        rows = plants(stream, recent(lake, stream))
        assert len(rows) > 0, stream
        batches.append(
            Batch(stream, rows.drop(columns=["bucket", "month", "ingest_id", "version"]), f"planted {stream}")
        )
    report = ingest(lake, batches, "planted")
    assert all(report.count(stream, "appended") > 0 for stream in streams)


def recent(lake: Lake, stream: str) -> pd.DataFrame:
    """Rows of the last 20 days, known by the earlier cutoff and never corrected."""
    time = TABLES[stream].time
    since = f"WHERE CAST({time} AS DATE) >= DATE '{NIGHT - 20 * DAY:%Y-%m-%d}'" if time else ""
    rows = lake.read(stream, known_at=NORTH).query("known", f"SELECT * FROM known {since} ORDER BY ALL").df()
    return rows[rows["version"] == 0].reset_index(drop=True)


def new(stream: str, rows: pd.DataFrame, by: pd.Timedelta | None = None) -> pd.DataFrame:
    """The same facts under new keys, moved in time where asked."""
    rows = altered(stream, rows).assign(device_id="planted")
    if "record_id" in rows:
        rows["record_id"] += " planted"
    move = by if by is not None else SHIFT.get(stream, 0 * DAY)
    times = [
        c.name for c in TABLES[stream].columns if c.name in rows and (c.kind == "instant" or c.name == "local_date")
    ]
    return rows.assign(**{name: rows[name] + move for name in times})


def altered(stream: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The same keys with other values."""
    change = {
        "mood": lambda r: {"value": r["scale_min"] + r["scale_max"] - r["value"]},
        "sleep": lambda r: {"minutes_asleep": r["minutes_asleep"] - 30},
        "wearable": lambda r: {"steps": r["steps"] + 7, "heart_rate": r["heart_rate"] + 5},
        "wearable_days": lambda r: {"value": r["value"] * 0.9},
        "assessments": lambda r: {"score": r["score"] + 3},
        "events": lambda r: {"occurred_at": r["occurred_at"] - 3 * DAY},
        "subjects": lambda r: {"enrolled_on": r["enrolled_on"] - 3 * DAY},
    }
    return rows.assign(**change[stream](rows))


def everything(stream: str, rows: pd.DataFrame) -> pd.DataFrame:
    """New facts, and of the old ones every other corrected and the rest taken back."""
    return pd.concat([new(stream, rows), altered(stream, rows[::2]), rows[1::2].assign(is_deleted=True)])


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    """Equal to the last bit."""
    assert_frame_equal(left, right, check_exact=True)


def test_nothing_received_after_the_cutoff_changes_a_feature(clean, tonight, tmp_path):
    """Late facts about the past, corrections and deletions, a microsecond after the later cutoff; and the future."""
    lake = copy_of(clean, tmp_path)

    def later(stream: str, rows: pd.DataFrame) -> pd.DataFrame:
        late = everything(stream, rows).assign(received_at=SOUTH + MICROSECOND)
        ahead = new(stream, rows, 21 * DAY).assign(received_at=SOUTH + 30 * DAY, device_id="ahead")
        return pd.concat([late, ahead])

    plant(lake, later, (*STREAMS, "subjects"))
    same(matrix(lake, NIGHT), tonight)


def test_what_is_received_in_time_changes_the_features_of_every_stream(visited, tonight, tmp_path):
    """The same rows at the cutoff itself, each stream for a subject of its own: nobody's features stay as they were.

    The lake holds the panel of the night already, so this also shows that a stored panel is not used too long.
    """
    lake = copy_of(visited, tmp_path)

    def in_time(stream: str, rows: pd.DataFrame) -> pd.DataFrame:
        return everything(stream, rows[rows["subject_id"] == STREAMS[stream]]).assign(received_at=NORTH)

    plant(lake, in_time)
    found = matrix(lake, NIGHT)
    assert found["subject_id"].tolist() == PEOPLE
    assert [stream for place, stream in enumerate(sorted(STREAMS, key=STREAMS.get))
            if found.iloc[place].equals(tonight.iloc[place])] == []  # fmt: skip


def after_their_own_cutoff(stream: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of northern subjects, received when their night was over and that of the south was not."""
    north = rows[rows["subject_id"].isin(NORTHERN)]
    return everything(stream, north).assign(received_at=NORTH + MICROSECOND)


def test_a_subjects_own_cutoff_counts_and_not_the_latest_one(clean, tonight, tmp_path):
    """A microsecond after the cutoff of the north, six hours before that of the south: too late for the north."""
    lake = copy_of(clean, tmp_path)
    plant(lake, after_their_own_cutoff, [stream for stream in STREAMS if stream != "events"])
    same(matrix(lake, NIGHT), tonight)


def test_events_corrected_after_the_subjects_own_cutoff_still_count_as_they_were_known(clean, tmp_path):
    """A correction that the south's night may use must not empty the history of the north's."""
    lake = copy_of(clean, tmp_path)
    before = past(lake, NIGHT, NIGHT)
    plant(lake, after_their_own_cutoff, ["events"])
    same(past(lake, NIGHT, NIGHT), before)


def test_subjects_corrected_after_their_own_cutoff_stay_as_they_were_known(clean, tmp_path):
    """They are on the roster, with the attributes that were known."""
    lake = copy_of(clean, tmp_path)
    columns = ["subject_id", "enrolled_on", "site"]
    before = cohorts.load(lake, settings(lake.root), NIGHT).roster[columns]

    def enrolled_earlier(stream: str, rows: pd.DataFrame) -> pd.DataFrame:
        north = rows[rows["subject_id"].isin(NORTHERN)]
        return altered(stream, north).assign(received_at=NORTH + MICROSECOND)

    plant(lake, enrolled_earlier, ["subjects"])
    same(cohorts.load(lake, settings(lake.root), NIGHT).roster[columns], before)


def test_a_past_night_looks_the_same_from_later_on(visited, tonight, tmp_path):
    """Training on an index date of ten days ago uses the features of that night, though corrections came in since."""
    lake = copy_of(visited, tmp_path)
    streams = [stream for stream in STREAMS if stream != "events"]
    plant(lake, lambda stream, rows: everything(stream, rows).assign(received_at=SOUTH + MICROSECOND), streams)
    same(matrix(lake, NIGHT + 10 * DAY, NIGHT), tonight)


def test_the_history_of_a_past_night_looks_the_same_from_later_on(clean, tmp_path):
    """What was known of events that night, whatever became of their records since."""
    lake = copy_of(clean, tmp_path)
    before = past(lake, NIGHT, NIGHT)
    plant(lake, lambda stream, rows: everything(stream, rows).assign(received_at=SOUTH + MICROSECOND), ["events"])
    same(past(lake, NIGHT + 10 * DAY, NIGHT), before)


def test_the_declared_cutoff_dates_the_day_panel(tmp_path):
    """Where the night ends at 1:00, an answer received at 2:00 is for the next index date."""
    lake = Lake(tmp_path / "lake")
    at = pd.Timestamp("2026-06-20T20:00Z").as_unit("us")
    received = pd.Timestamp("2026-06-21T02:00Z").as_unit("us")
    ann = pd.DataFrame({"subject_id": ["ann"], "enrolled_on": [date(2026, 6, 1)], "received_at": at})
    answer = {"subject_id": ["ann"], "answered_at": at, "item": "mood", "value": 3.0, "scale_min": 1.0,
              "scale_max": 7.0, "received_at": received}  # fmt: skip
    ingest(lake, [Batch("subjects", ann, "subjects"), Batch("mood", pd.DataFrame(answer), "mood")], "small")
    declared = settings(tmp_path, cutoff="01:00")
    panel = refresh(lake, cohorts.load(lake, declared, NIGHT)).load()
    assert panel["known_on"].tolist() == [pd.Timestamp("2026-06-22")]
