"""The readers of public cohorts, on their real files: counts agree with what was published. No row is ever shown.

The files are found through FORETIDE_DATA_DIR, by default `../shared/data` from the root of the repository; without
them these tests are skipped. Numbers come from the data's own README and papers, or are counted in the raw files.
"""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from features.tables import SLEEP_EPISODE_LONGEST_H, TABLES
from pipelines import contents
from pipelines.door.intake import KINDS, IntakeReport, ingest
from pipelines.ingestion import ingest_source
from pipelines.installation import Installation
from pipelines.lake import Lake
from pipelines.sections import FileSource
from pipelines.settings import settings_from
from pipelines.sources import jang2024, lifesnaps
from pipelines.sources.batch import Batch

# PyArrow 25 calls what pandas 3.1 deprecates: its warning, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")

ROOT = Path(__file__).parents[2]
DATA = (ROOT / os.environ.get("FORETIDE_DATA_DIR", "../shared/data")).resolve()
BY_NOW = pd.Timestamp("2026-01-01T00:00:00Z")


def files_of(cohort: str) -> Path:
    """The folder of a cohort; skips where it is absent."""
    folder = DATA / cohort
    if not folder.is_dir():
        pytest.skip(f"the public files of {cohort} are not here; FORETIDE_DATA_DIR names their folder")
    return folder


@pytest.fixture(scope="module")
def panic_tables() -> dict[str, Batch]:
    """Everything of jang2024 but its ten million minutes, of which only the first million are read."""
    tables: dict[str, Batch] = {}
    for batch in jang2024.read(files_of("jang2024")):
        tables[batch.table] = batch
        if batch.table == "wearable":
            break
    return tables


@pytest.fixture(scope="module")
def volunteers() -> dict[str, Batch]:
    """All of lifesnaps."""
    return {batch.table: batch for batch in lifesnaps.read(files_of("lifesnaps"))}


def counts(tables: dict[str, Batch]) -> dict[str, tuple[int, int]]:
    """Rows and distinct subjects per table."""
    return {name: (len(batch.frame), batch.frame["subject_id"].nunique()) for name, batch in tables.items()}


def is_accounted_for(report: IntakeReport) -> bool:
    """Whether every received row was appended, known before, or put into quarantine by a named rule."""
    return all(
        count["received"] == count["appended"] + count["duplicate"] + count["quarantined"]
        and count["quarantined"] == sum(report.broken[table].values())
        for table, count in report.counts.items()
    )


def backdated(batches: Iterable[Batch]) -> Counter[str]:
    """How many rows of each table would be known before they happened."""
    found: Counter[str] = Counter()
    for batch in batches:
        time = TABLES[batch.table].time
        if time is not None and TABLES[batch.table].column(time).kind == "instant":
            found[batch.table] = int((batch.frame[time] > batch.frame["received_at"]).sum())
    return found


def test_jang2024_has_the_people_and_the_rows_that_were_published(panic_tables):
    """63 people; 7,283 diaries of 6 items by 53; 591 panic attacks of 32; 5,325 sleep episodes of 52; and so on."""
    found = counts(panic_tables)
    assert found["subjects"] == (63, 63)
    assert found["mood"] == (7_283 * 6, 53)
    assert found["events"] == (591, 32)
    assert found["sleep"] == (5_325, 52)
    assert found["wearable_days"][1] == 51
    assert found["assessments"][1] == 52
    assert found["wearable_days"][0] <= 5_060 * 3


def test_jang2024_sex_is_as_published(panic_tables):
    """38 women and 25 men, and nobody without an enrolment."""
    people = panic_tables["subjects"].frame
    assert people["sex"].value_counts().to_dict() == {"F": 38, "M": 25}
    assert people["enrolled_on"].notna().all()


def test_jang2024_minutes_without_a_value_give_no_row(panic_tables):
    """Of the first million of 10,477,441 minutes those marked -1 are left out, and no other."""
    minutes = pq.ParquetFile(files_of("jang2024") / "steps_minute.parquet")
    assert minutes.metadata.num_rows == 10_477_441
    first = next(minutes.iter_batches(jang2024.MINUTES_PER_BATCH, columns=["steps"])).to_pandas()["steps"]
    rows, with_value = panic_tables["wearable"].frame, int((first != -1).sum())
    assert len(rows) == with_value
    assert int(rows["steps"].min()) >= 0


def test_jang2024_minutes_that_stand_twice_say_the_same_twice(panic_tables):
    """Three days of the first million minutes stand twice in the file; none of their minutes contradicts the other."""
    rows = panic_tables["wearable"].frame
    key = ["subject_id", "minute_at", "device_id"]
    twice, contradicting = int(rows.duplicated(key).sum()), int((~rows.duplicated([*key, "steps"])).sum())
    assert twice == 3 * 1_440
    assert contradicting == len(rows) - twice


def test_jang2024_is_known_at_the_midnight_after_it_happened(panic_tables):
    """No instant lies after its receipt, and every receipt is a midnight in Seoul."""
    assert set(backdated(panic_tables.values()).values()) == {0}
    for name, batch in panic_tables.items():
        received = batch.frame["received_at"].drop_duplicates().dt.tz_convert("Asia/Seoul")
        beside_midnight = int((received != received.dt.normalize()).sum())
        assert beside_midnight == 0, name


def test_jang2024_minutes_are_whole_minutes(panic_tables):
    """A minute begins at a whole minute: the one date in the file that carries a second is read as its day."""
    minute_at = panic_tables["wearable"].frame["minute_at"]
    within_a_minute = int((minute_at != minute_at.dt.floor("min")).sum())
    assert within_a_minute == 0


def test_jang2024_goes_through_the_door_with_its_impossible_rows_counted(panic_tables, tmp_path):
    """Sleep of more than 16 hours is refused and counted, people and events are all taken in; twice is once."""
    small = [batch for name, batch in panic_tables.items() if name != "wearable"]
    report = ingest(Lake(tmp_path), small, "jang2024")
    sleep = panic_tables["sleep"].frame
    hours = (sleep["offset_at"] - sleep["onset_at"]).dt.total_seconds() / 3600
    assert is_accounted_for(report)
    too_long = int((hours > SLEEP_EPISODE_LONGEST_H).sum())
    assert 0 < report.broken["sleep"]["sleep_is_not_too_long"] <= too_long <= report.count("sleep", "quarantined")
    slept = Lake(tmp_path).read("sleep", BY_NOW).aggregate("max(epoch(offset_at) - epoch(onset_at)) / 3600").fetchall()
    assert slept[0][0] <= SLEEP_EPISODE_LONGEST_H
    assert report.count("events", "quarantined") == report.count("subjects", "quarantined") == 0
    events = Lake(tmp_path).read("events", BY_NOW).aggregate("count(*), count(DISTINCT subject_id)").fetchall()
    assert events == [(report.count("events", "appended"), 32)]
    assert not ingest(Lake(tmp_path), small, "jang2024").is_new


def test_lifesnaps_has_the_people_and_the_rows_that_were_published(volunteers):
    """71 people; 2,290 answered days of 7 items by 63; 598 low days; 279 weekly anxiety scores."""
    found = counts(volunteers)
    assert found["subjects"] == (71, 71)
    assert found["mood"] == (2_290 * 7, 63)
    assert found["events"][0] == 598
    assert found["assessments"][0] == 279
    assert found["wearable_days"][1] == 71
    assert set(backdated(volunteers.values()).values()) == {0}


def test_lifesnaps_streams_are_as_complete_as_published(volunteers):
    """Of 7,410 days, steps are there on 65 % and sleep on 48 %."""
    days = volunteers["wearable_days"].frame["metric"].value_counts() / 7_410
    assert days["steps"] == pytest.approx(0.65, abs=0.01)
    assert days["minutes_asleep"] == pytest.approx(0.48, abs=0.01)


def test_lifesnaps_goes_through_the_door(volunteers, tmp_path):
    """Every row is accounted for, hardly any is refused, and the cohort is read back with all its people."""
    report = ingest(Lake(tmp_path), volunteers.values(), "lifesnaps")
    assert is_accounted_for(report)
    received = sum(count["received"] for count in report.counts.values())
    assert sum(count["quarantined"] for count in report.counts.values()) < 0.01 * received
    people = Lake(tmp_path).read("subjects", BY_NOW).aggregate("count(DISTINCT subject_id)").fetchall()
    assert people == [(71,)]


@pytest.fixture(scope="module")
def bellabeat(tmp_path_factory) -> tuple[Installation, IntakeReport]:
    """An installation that took in bellabeat through the mapping of the documentation."""
    home = tmp_path_factory.mktemp("home")
    made = Installation(settings_from({"outcomes": {"low": {"events": ["low"], "horizons_days": [7]}}}, home))
    return made, ingest_source(made, bellabeat_source(), None)


def bellabeat_source() -> FileSource:
    return FileSource(format="table", path=files_of("bellabeat"), mapping=ROOT / "docs" / "examples" / "bellabeat.yaml")


def test_bellabeat_comes_in_by_its_mapping_alone(bellabeat):
    """33 people; 940 days of 3 metrics; 413 nights of which 3 stand twice; nothing is refused."""
    installation, report = bellabeat
    nothing = dict.fromkeys(KINDS, 0)
    assert report.counts["subjects"] == nothing | {"received": 33, "appended": 33}
    days = nothing | {"received": 940 * 3 + 413, "appended": 940 * 3 + 410, "duplicate": 3}
    assert report.counts["wearable_days"] == days
    metrics = installation.lake.read("wearable_days", BY_NOW).aggregate("metric, unit, count(*)", "metric, unit")
    assert sorted(metrics.fetchall()) == [
        ("active_minutes", "min", 940), ("minutes_asleep", "min", 410), ("sedentary_minutes", "min", 940),
        ("steps", "steps", 940),
    ]  # fmt: skip


def test_bellabeat_dates_are_read_as_month_first(bellabeat):
    """The days lie between 12 April and 12 May 2016, as published; day-first reading would scatter them."""
    installation, _ = bellabeat
    days = installation.lake.read("wearable_days", BY_NOW).aggregate(
        "min(local_date)::VARCHAR, max(local_date)::VARCHAR"
    )
    assert days.fetchall() == [("2016-04-12", "2016-05-12")]


def test_bellabeat_again_changes_nothing_and_nobody_was_known_before(bellabeat):
    """A second ingest of the same files is none, and before the midnight after the first day nobody was known."""
    installation, _ = bellabeat
    before = contents.version(installation.lake, BY_NOW)
    assert not ingest_source(installation, bellabeat_source(), None).is_new
    assert contents.version(installation.lake, BY_NOW) == before
    assert len(installation.audit_log.entries()) == 1
    midnight = pd.Timestamp("2016-04-13", tz="America/Chicago")
    known = [
        len(installation.lake.read("subjects", at).fetchall()) for at in (midnight - pd.Timedelta("1us"), midnight)
    ]
    assert known == [0, 33]
