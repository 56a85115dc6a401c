"""Sources taken in night after night: what was taken in is known by its content, and the cost is that of new files."""

import multiprocessing
import os
import signal
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from pipelines.door import quarantine
from pipelines.door.intake import IntakeReport
from pipelines.errors import Refused
from pipelines.ingestion import ingest_source
from pipelines.installation import Installation
from pipelines.sections import FileSource
from pipelines.settings import settings_from
from pipelines.sources.table import formats
from pipelines.turn import alone

# PyArrow 25 calls what pandas 3.1 deprecates: its warning, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")

MAPPING = """
source: study
time_zone: Europe/Berlin
files:
  - path: sleep*.csv
    table: sleep
    columns: {subject_id: id, onset_at: bed, offset_at: up}
  - path: people*.csv
    table: subjects
    columns: {subject_id: id, enrolled_on: since}
"""
PEOPLE = "id,since\nzebra-1,2026-05-01\n"


def night(day: int) -> str:
    return f"id,bed,up\nzebra-1,2026-06-{day:02} 23:00,2026-06-{day + 1:02} 07:00\n"


@pytest.fixture
def home(tmp_path) -> Path:
    """A home with a folder of exports: who is enrolled, and one night."""
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "people.csv").write_text(PEOPLE)
    (tmp_path / "exports" / "sleep-1.csv").write_text(night(1))
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    return tmp_path


def take_in(home: Path, day: int) -> IntakeReport:
    """Ingest the folder as it is, on a day of June."""
    installation = Installation(settings_from({"outcomes": {"c": {"events": ["panic"], "horizons_days": [7]}}}, home))
    source = FileSource(format="table", path=Path("exports"), mapping=Path("mapping.yaml"))
    return ingest_source(installation, source, datetime(2026, 6, day, tzinfo=UTC))


def files_read(monkeypatch) -> list[str]:
    """Names of the files that are opened from now on."""
    opened: list[str] = []
    read = formats.read_chunks

    def noting(file, *how):
        opened.append(file.name)
        return read(file, *how)

    monkeypatch.setattr("pipelines.sources.table.read_chunks", noting)
    return opened


def test_a_night_reads_the_files_that_are_new(home, monkeypatch):
    """Yesterday's export is not opened again; enrolment, which all files tell together, is."""
    assert take_in(home, 3).count("sleep", "appended") == 1
    (home / "exports" / "sleep-2.csv").write_text(night(2))
    opened = files_read(monkeypatch)
    assert take_in(home, 4).count("sleep", "appended") == 1
    assert opened == ["sleep-2.csv", "people.csv"]


def test_a_night_with_no_new_file_opens_none(home, monkeypatch):
    """The same folder on another night is known, under another receipt too: receipt is set once per content."""
    take_in(home, 3)
    opened = files_read(monkeypatch)
    assert not take_in(home, 9).is_new
    assert opened == []


def test_a_file_that_changed_is_read_again(home):
    """Content counts, not the name: a corrected export under its old name brings its corrections."""
    take_in(home, 3)
    (home / "exports" / "sleep-1.csv").write_text(night(1).replace("07:00", "08:00"))
    assert take_in(home, 4).count("sleep", "appended") == 1


def test_another_mapping_reads_every_file_anew(home, monkeypatch):
    """What a file says depends on how it is read."""
    take_in(home, 3)
    (home / "mapping.yaml").write_text(MAPPING.replace("Berlin", "Athens"))
    opened = files_read(monkeypatch)
    take_in(home, 4)
    assert "sleep-1.csv" in opened


def test_a_refused_folder_is_read_again_when_it_is_mended(home):
    """Nothing of a delivery that was refused counts as taken in."""
    (home / "exports" / "sleep-2.csv").write_text("id,bed\nzebra-1,2026-06-02 23:00\n")
    with pytest.raises(Refused):
        take_in(home, 3)
    (home / "exports" / "sleep-2.csv").write_text(night(2))
    assert take_in(home, 4).count("sleep", "appended") == 2


def test_a_file_that_says_again_what_it_said_before_the_last_time_is_read(home):
    """Consent open, ended, open again, in one file of one name: the last word counts."""
    people = home / "exports" / "people.csv"
    mapping = home / "mapping.yaml"
    mapping.write_text(MAPPING.replace("enrolled_on: since", "enrolled_on: since, consent_until: until"))
    open_, ended = (f"id,since,until\nzebra-1,2026-05-01,{until}\n" for until in ("", "2026-06-01"))
    for day, content in ((3, open_), (4, ended), (5, open_)):
        people.write_text(content)
        assert take_in(home, day).is_new
    lake = Installation(settings_from({"outcomes": {"c": {"events": ["panic"], "horizons_days": [7]}}}, home)).lake
    read = [
        lake.read("subjects", pd.Timestamp(f"2026-06-{day:02}T12:00Z")).project("consent_until").fetchall()
        for day in (3, 4, 5)
    ]
    assert read == [[(None,)], [(date(2026, 6, 1),)], [(None,)]]


def test_a_file_with_the_bytes_of_another_is_read_too(home):
    """Two files are two facts, though they hold the same."""
    take_in(home, 3)
    (home / "exports" / "sleep-again.csv").write_text(night(1))
    assert take_in(home, 4).count("sleep", "duplicate") == 1


def killed_before_it_is_on_record(home: Path) -> None:
    """Take the folder in by a process that dies by kill -9 when the rows are in the lake, before the audit log."""
    import pipelines.ingestion

    pipelines.ingestion._record = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    take_in(home, 3)


def test_an_ingest_that_was_killed_before_it_was_on_record_is_put_on_record(home):
    """The next command of any kind writes the entry that is missing, once."""
    child = multiprocessing.get_context("spawn").Process(target=killed_before_it_is_on_record, args=(home,))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    installation = Installation(settings_from({"outcomes": {"c": {"events": ["panic"], "horizons_days": [7]}}}, home))
    for _ in range(2):
        with alone(installation):
            pass
        (entry,) = installation.audit_log.entries()
        assert (entry["kind"], entry["details"]["counts"]["sleep"]["appended"]) == ("ingest", 1)
    assert not take_in(home, 3).is_new


def killed_before_it_counts(home: Path) -> None:
    """Take the folder in by a process that dies by kill -9 when its rows are stored, before the ledger counts them."""
    import pipelines.door.intake

    pipelines.door.intake.durable.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    take_in(home, 3)


def test_rows_of_an_ingest_that_was_killed_are_gone_before_the_next_command_reads(home):
    """What was stored before it counted is taken back by any command, not only by another ingest."""
    child = multiprocessing.get_context("spawn").Process(target=killed_before_it_counts, args=(home,))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    installation = Installation(settings_from({"outcomes": {"c": {"events": ["panic"], "horizons_days": [7]}}}, home))
    later = pd.Timestamp("2026-07-01", tz="UTC")
    assert len(installation.lake.read("sleep", later).fetchall()) == 1  # the kill came after storing, as meant
    with alone(installation):
        assert installation.lake.read("sleep", later).fetchall() == []
    assert installation.audit_log.entries() == []
    assert take_in(home, 3).count("sleep", "appended") == 1


def test_a_file_named_after_somebody_leaves_no_name_behind(home):
    """A name that holds a subject's id is a number in the quarantine and everything made from it."""
    (home / "exports" / "sleep_Zebra-1.csv").write_text(night(1).replace("06-02 07:00", "05-02 07:00"))
    take_in(home, 3)
    kept = [path for path in (home / ".state").rglob("*") if path.is_file()]
    lake = Installation(settings_from({"outcomes": {"c": {"events": ["panic"], "horizons_days": [7]}}}, home)).lake
    (row,) = quarantine.summary(lake, quarantine.Choice())
    assert (row["rule"], row["file"][:5]) == ("sleep_ends_after_it_began", "file ")
    assert not [path for path in kept if b"sleep_Zebra" in path.read_bytes()]
