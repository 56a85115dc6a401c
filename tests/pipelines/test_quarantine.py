"""The quarantine: what is refused row by row is listed without a value, mended and released, or discarded."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from pipelines.door import quarantine
from pipelines.door.intake import ALWAYS_TOLERATED
from pipelines.door.quarantine import Choice
from pipelines.errors import Refused, Usage
from pipelines.ingestion import discard, ingest_source, release
from pipelines.installation import Installation
from pipelines.sections import FileSource
from pipelines.settings import settings_from

# PyArrow 25 calls what pandas 3.1 deprecates: its warning, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")

RECEIVED = datetime(2026, 6, 10, tzinfo=UTC)
RELEASED = datetime(2026, 6, 20, tzinfo=UTC)
SUBJECTS = "id,since\nzebra-1,2026-05-01\nzebra-2,2026-05-01\n"
# The second night is in seconds, the third belongs to somebody whom nobody enrolled.
SLEEP = """id,bed,up,asleep
zebra-1,2026-06-01 23:00,2026-06-02 07:00,431
zebra-2,2026-06-01 23:30,2026-06-02 07:10,25200
quagga-3,2026-06-01 23:30,2026-06-02 07:10,417
"""
MAPPING = """
source: study
time_zone: Europe/Berlin
files:
  - path: sleep*.csv
    table: sleep
    columns: {subject_id: id, onset_at: bed, offset_at: up, minutes_asleep: {column: asleep, unit: min}}
  - path: subjects*.csv
    table: subjects
    columns: {subject_id: id, enrolled_on: since}
"""
TOLD = ("zebra", "quagga", "25200", "431", "417", "2026-06-01")


def take_in(home: Path, folder: str, files: dict[str, str], max_bad_share: float = 1.0) -> Installation:
    """An installation in `home` after a delivery of these files."""
    (home / folder).mkdir()
    (home / "mapping.yaml").write_text(MAPPING)
    for name, content in files.items():
        (home / folder / name).write_text(content)
    content = {
        "outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}},
        "door": {"max_bad_share": max_bad_share},
    }
    installation = Installation(settings_from(content, home))
    source = FileSource(format="table", path=home / folder, mapping=home / "mapping.yaml")
    ingest_source(installation, source, RECEIVED)
    return installation


def asleep(installation: Installation, known_at: datetime) -> list[tuple[str, float]]:
    """Subject and minutes asleep of each night known at an instant."""
    rows = installation.lake.read("sleep", pd.Timestamp(known_at)).project("subject_id, round(minutes_asleep, 3)")
    return sorted(rows.fetchall())


@pytest.fixture
def installation(tmp_path) -> Installation:
    """An installation whose first delivery left two rows in quarantine."""
    return take_in(tmp_path, "first", {"subjects.csv": SUBJECTS, "sleep.csv": SLEEP})


def test_the_list_names_table_rule_file_and_line_and_no_value(installation):
    """Each refused row is found by its line in the file; nothing of what stands there is told."""
    rows = quarantine.summary(installation.lake, Choice())
    assert [(row["table"], row["rule"], row["file"], row["lines"], row["rows"]) for row in rows] == [
        ("sleep", "minutes_asleep_is_plausible", "sleep.csv", "3", 1),
        ("sleep", "subject_is_enrolled", "sleep.csv", "4", 1),
    ]
    assert not [word for word in TOLD if word in str(rows)]


def test_a_mended_row_goes_through_the_door_and_was_known_from_then_on(installation):
    """Seconds become minutes; nights before the release did not know the row, and it is in quarantine no more."""
    choice = Choice(rule="minutes_asleep_is_plausible")
    report, left = release(installation, choice, RELEASED, {}, {"minutes_asleep": 1 / 60})
    assert (report.count("sleep", "appended"), left) == (1, 0)
    assert asleep(installation, RECEIVED) == [("zebra-1", 431.0)]
    assert asleep(installation, RELEASED) == [("zebra-1", 431.0), ("zebra-2", 420.0)]
    assert quarantine.chosen(installation.lake, Choice()).num_rows == 1


def test_a_row_that_still_breaks_a_rule_stays_where_it_is_once(installation):
    """Released without being mended it is refused again: neither lost nor kept twice."""
    report, left = release(installation, Choice(table="sleep"), RELEASED, {}, {})
    assert (report.count("sleep", "appended"), left) == (0, 2)
    assert [(row["rule"], row["lines"], row["rows"]) for row in quarantine.summary(installation.lake, Choice())] == [
        ("minutes_asleep_is_plausible", "3", 1),
        ("subject_is_enrolled", "4", 1),
    ]


def test_rows_that_came_before_their_subject_count_as_if_they_had_come_after(tmp_path, installation):
    """Once the subject is enrolled, what was refused for that reason is let in by itself, with the receipt it had."""
    take_in(tmp_path, "second", {"subjects.csv": "id,since\nquagga-3,2026-05-01\n", "sleep.csv": SLEEP.split("z")[0]})
    assert ("quagga-3", 417.0) in asleep(installation, RECEIVED)
    assert [row["rule"] for row in quarantine.summary(installation.lake, Choice())] == ["minutes_asleep_is_plausible"]


def test_a_mended_row_does_not_undo_a_later_correction(tmp_path, installation):
    """The sender corrected the night himself: the old row, mended or not, stays where it is."""
    corrected = SLEEP.replace("25200", "433").replace("quagga-3,2026-06-01 23:30,2026-06-02 07:10,417\n", "")
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / "sleep.csv").write_text(corrected)
    (tmp_path / "again" / "subjects.csv").write_text(SUBJECTS)
    source = FileSource(format="table", path=tmp_path / "again", mapping=tmp_path / "mapping.yaml")
    ingest_source(installation, source, datetime(2026, 6, 12, tzinfo=UTC))
    with pytest.raises(Refused, match="later news under the keys of all 1 rows"):
        release(installation, Choice(rule="minutes_asleep_is_plausible"), RELEASED, {}, {"minutes_asleep": 1 / 60})
    assert ("zebra-2", 433.0) in asleep(installation, RELEASED)
    assert quarantine.chosen(installation.lake, Choice()).num_rows == 2


def test_discarded_rows_are_gone_and_counted_in_the_audit_log(installation):
    """Only what was chosen goes, and the record says how much."""
    assert discard(installation, Choice(rule="subject_is_enrolled")) == 1
    assert quarantine.chosen(installation.lake, Choice()).num_rows == 1
    stored = b"".join(
        path.read_bytes() for path in (installation.lake.root / "quarantine").rglob("*") if path.is_file()
    )
    assert b"quagga" not in stored
    entry = installation.audit_log.entries()[-1]
    assert (entry["kind"], entry["details"]["rows"]) == ("quarantine_discard", 1)


def test_what_cannot_be_done_is_refused_and_changes_nothing(installation):
    """No such row, no such column, a word where a number belongs: said, and every row is still there."""
    with pytest.raises(Refused, match="No such row"):
        release(installation, Choice(table="mood"), RELEASED, {}, {})
    with pytest.raises(Usage, match="`naps` is not a column of `sleep`"):
        release(installation, Choice(table="sleep"), RELEASED, {"naps": "1"}, {})
    with pytest.raises(Usage, match="not of type double"):
        release(installation, Choice(table="sleep"), RELEASED, {"minutes_asleep": "long"}, {})
    assert quarantine.chosen(installation.lake, Choice()).num_rows == 2


def test_a_delivery_with_too_many_bad_rows_is_refused_whole(tmp_path):
    """Above the declared share nothing goes in, neither good rows nor bad ones; a handful of bad rows never stops one."""
    bad = "".join(f"zebra-1,2026-06-{d:02} 23:00,2026-06-{d:02} 23:50,90000\n" for d in range(1, ALWAYS_TOLERATED + 2))
    header, good = SLEEP.splitlines(keepends=True)[:2]
    with pytest.raises(
        Refused, match=r"11 of 12 rows of `sleep` break a rule.*50%.*minutes_asleep_is_plausible \(11\)"
    ):
        take_in(tmp_path, "bad", {"subjects.csv": SUBJECTS, "sleep.csv": header + good + bad}, max_bad_share=0.5)
    assert not list((tmp_path / ".state").rglob("*.parquet"))
    few = header + "".join(bad.splitlines(keepends=True)[:ALWAYS_TOLERATED])
    held = take_in(tmp_path, "few", {"subjects.csv": SUBJECTS, "sleep.csv": few}, max_bad_share=0.5)
    assert quarantine.chosen(held.lake, Choice()).num_rows == ALWAYS_TOLERATED


def test_what_is_refused_again_stays_as_it_was_sent(installation):
    """A mend that does not help changes nothing: the row is there once, with the value that the sender gave."""
    before = quarantine.chosen(installation.lake, Choice(rule="minutes_asleep_is_plausible"))
    _, left = release(installation, Choice(table="sleep"), RELEASED, {"minutes_asleep": "9000"}, {})
    assert left == 2
    assert quarantine.chosen(installation.lake, Choice(rule="minutes_asleep_is_plausible")).equals(before)


def test_an_export_that_comes_again_brings_its_bad_rows_once(tmp_path, installation):
    """A cumulative export is sent every night; its bad rows do not pile up."""
    grown = SLEEP + "zebra-1,2026-06-03 23:00,2026-06-04 07:00,431\n"
    take_in(tmp_path, "second", {"subjects.csv": SUBJECTS, "sleep.csv": grown})
    assert quarantine.chosen(installation.lake, Choice()).num_rows == 2


def test_what_claims_to_have_been_received_tomorrow_is_refused(tmp_path, installation):
    """A mistyped year makes a row of the future whose assumed receipt lies ahead too: the command knows today."""
    (tmp_path / "mapping.yaml").write_text(MAPPING.replace("time_zone:", "received: end_of_local_day\ntime_zone:"))
    (tmp_path / "typo").mkdir()
    (tmp_path / "typo" / "subjects.csv").write_text(SUBJECTS)
    (tmp_path / "typo" / "sleep.csv").write_text(
        SLEEP.splitlines()[0] + "\nzebra-1,2027-06-01 23:00,2027-06-02 07:00,431\n"
    )
    source = FileSource(format="table", path=tmp_path / "typo", mapping=tmp_path / "mapping.yaml")
    report = ingest_source(replace(installation, now=RELEASED), source, None)
    assert report.broken["sleep"] == {"receipt_does_not_lie_ahead": 1}


def test_real_people_are_not_taken_in_beside_simulated_ones(tmp_path, installation):
    """The shipped configuration declares the simulated cohort: a real delivery is refused there, with the cure."""
    content = {
        "outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}},
        "sources": [{"format": "simulated"}],
    }
    mixed = Installation(settings_from(content, tmp_path))
    source = FileSource(format="table", path=tmp_path / "first", mapping=tmp_path / "mapping.yaml")
    with pytest.raises(Refused, match="take `simulated` out"):
        ingest_source(mixed, source, RECEIVED)
