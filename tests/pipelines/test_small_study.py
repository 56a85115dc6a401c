"""A study of two people and one night: no job may stumble over what is not there."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORETIDE = Path(sys.executable).with_name("foretide")
CONFIGURATION = """
sources:
  - {format: table, path: exports, mapping: mapping.yaml}
outcomes:
  crisis: {events: [panic], horizons_days: [7, 14]}
"""
MAPPING = """
source: study
time_zone: Europe/Berlin
received: end_of_local_day
files:
  - {path: people.csv, table: subjects, columns: {subject_id: id, enrolled_on: since}}
  - {path: sleep.csv, table: sleep, columns: {subject_id: id, onset_at: bed, offset_at: up}}
"""


@pytest.fixture
def home(tmp_path) -> Path:
    """Two people, one night of one of them, no event."""
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "people.csv").write_text("id,since\nzebra-1,2026-05-01\nzebra-2,2026-05-01\n")
    (tmp_path / "exports" / "sleep.csv").write_text("id,bed,up\nzebra-1,2026-05-02 23:00,2026-05-03 07:00\n")
    (tmp_path / "foretide.yaml").write_text(CONFIGURATION)
    (tmp_path / "mapping.yaml").write_text(MAPPING)
    shutil.copy(ROOT / "dagster.yaml", tmp_path)
    return tmp_path


def test_a_study_too_small_for_a_model_is_told_so(home):
    """The data come in, are summarised and put on a page; training is refused with the reason, not by a fault."""
    done = subprocess.run([FORETIDE, "run", "--json"], cwd=home, capture_output=True, text=True, check=False)
    answer = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, answer["ok"]) == (1, False), answer
    assert "Unforeseen" not in answer["error"]
    assert list((home / ".state" / "reports").glob("data-*.html"))
