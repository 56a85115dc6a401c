"""Sources taken in night after night: what was taken in is known by its content, and the cost is that of new files."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipelines.door.intake import IntakeReport
from pipelines.errors import Refused
from pipelines.ingestion import ingest_source
from pipelines.installation import Installation
from pipelines.sections import FileSource
from pipelines.settings import settings_from
from pipelines.sources.table import formats

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
