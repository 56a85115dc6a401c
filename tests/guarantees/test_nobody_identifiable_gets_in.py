"""Whoever could be told from a file does not get in: each of the 18 classes, by name and by value, stops the real command.

Afterwards nothing of what was planted is found under the state folder: neither as bytes nor in what DuckDB reads from
the Parquet files there.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from typer.testing import CliRunner

from pipelines.cli.main import app

FORETIDE = Path(sys.executable).with_name("foretide")
ROOT = Path(__file__).parents[2]
MAPPING = """
source: study
time_zone: Europe/Berlin
files:
  - {path: people.*, table: subjects, columns: {subject_id: id, enrolled_on: since, site: ward}}
"""
INGEST = ("ingest", "table", "in", "--mapping", "people.yaml", "--received-at", "2026-06-10T00:00:00+00:00")
# class -> a column's name that tells it, and texts that tell it, one per subject.
PLANTED: dict[str, tuple[str, tuple[str, str, str]]] = {
    "A": ("surname", ("Dr. Quilla Zebrano", "Mr. Bo Zebrano", "Frau Ida Zebrano")),
    "B": ("zip", ("12 Zebrano Street", "7 Zebrano Road", "52.52099, 13.40477")),
    "C": ("birth_date", ("1931-03-27", "1984-11-29", "1996-01-19")),
    "D": ("phone", ("+49 30 90187765", "+1 212 555 0173", "+82 2 555 0173")),
    "E": ("fax", ("Fax: 030 90187766", "fax 030 90187767", "Telefax 030 90187768")),
    "F": ("email", ("quilla@zebrano.example", "bo@zebrano.example", "ida@zebrano.example")),
    "G": ("ssn", ("536-22-8726", "536-22-8727", "536-22-8728")),
    "H": ("mrn", ("MRN 00482917", "MRN 00482918", "MRN 00482919")),
    "I": ("insurance_number", ("1EG4-TE5-MK73", "1EG4-TE5-MK72", "1EG4-TE5-MK71")),
    "J": ("iban", ("DE89 3704 0044 0532 0130 00", "GB82 WEST 1234 5698 7654 32", "FR14 2004 1010 0505 0001 3M02 606")),
    "K": ("licence_number", ("MORGA657054SM9IJ", "ZEBRA657054SM9IK", "QUILL657054SM9IL")),
    "L": ("plate", ("1HGCM82633A004352", "1M8GDM9AXKP042788", "5YJSA1E26HF000337")),
    "M": ("serial_number", ("3D:F2:C9:A6:B3:4F", "3D:F2:C9:A6:B3:50", "3D:F2:C9:A6:B3:5E")),
    "N": ("url", ("https://zebrano.example/1", "https://zebrano.example/2", "www.zebrano.example")),
    "O": ("ip_address", ("192.168.77.21", "192.168.77.22", "2001:db8:85a3::8a2e:370:7334")),
    "P": ("fingerprint", ("Rk1SACAyMAAAAAEsAAABPAFiAMUAxQ", "zebrano-1.wav", "zebrano-2.wav")),
    "Q": ("photo", ("zebrano-1.jpg", "zebrano-2.jpg", "data:image/png;base64,iVBORw0KGgo")),
    "R": ("comments", ("@quilla.zebrano", "@bo.zebrano", "@ida.zebrano")),
}
# Texts that look like nothing; only the name of their column tells what they are.
UNREMARKABLE = ("quaggaone", "quaggatwo", "quaggathree")
EVERY_PLANTED = [text for _, texts in PLANTED.values() for text in texts] + [*UNREMARKABLE]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A home with a lake of three subjects, in whose file a column stood that nobody mapped."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "people.yaml").write_text(MAPPING)
    (folder / "foretide.yaml").write_text("outcomes:\n  crisis: {events: [panic], horizons_days: [7, 14]}\n")
    (folder / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    put(folder, "people.csv", ward=("north", "south", "north"), shoe=UNREMARKABLE)
    done = foretide(folder)
    assert done.returncode == 0, done.stderr
    return folder


def put(home: Path, file: str, ward: tuple[str, ...] = ("north", "south", "south"), **columns: tuple[str, ...]) -> None:
    """Write the one file of the source."""
    (home / "in").mkdir(exist_ok=True)
    for old in (home / "in").iterdir():
        old.unlink()
    frame = pd.DataFrame({"id": ["s1", "s2", "s3"], "since": "2026-05-01", "ward": ward, **columns})
    frame.to_parquet(home / "in" / file) if file.endswith("parquet") else frame.to_csv(home / "in" / file, index=False)


def foretide(home: Path) -> subprocess.CompletedProcess[str]:
    """Run the real command in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FORETIDE_", "DAGSTER_HOME"))}
    return subprocess.run([FORETIDE, *INGEST], cwd=home, capture_output=True, text=True, check=False, env=clean)


def refusal(home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the command, which must refuse, in this process for speed; what it says."""
    monkeypatch.chdir(home)
    done = CliRunner().invoke(app, [*INGEST, "--json"])
    assert done.exit_code == 1, done.output
    return json.loads(done.stdout)["error"]


def found_under(state: Path, texts: list[str]) -> list[str]:
    """Which texts stand in any file below a folder, as bytes or as values of a Parquet file."""
    files = [path for path in state.rglob("*") if path.is_file()]
    assert [path for path in files if path.suffix == ".parquet"]
    content = "".join(path.read_bytes().decode("latin-1") for path in files)
    for path in files:
        if path.suffix == ".parquet":
            content += str(duckdb.read_parquet(str(path)).fetchall())
    return [text for text in texts if text in content or text.encode().decode("latin-1") in content]


@pytest.mark.parametrize("file", ["people.csv", "people.parquet"])
@pytest.mark.parametrize("letter", PLANTED)
def test_a_class_is_refused_by_the_name_of_its_column(home, monkeypatch, letter, file):
    """Unremarkable values do not help; file, column, class and cure are told, and nothing is stored."""
    column = PLANTED[letter][0]
    put(home, file, **{column: UNREMARKABLE})
    message = refusal(home, monkeypatch)
    assert f"`{file}`" in message
    assert f"`{column}`" in message
    assert f"class {letter}: by its name" in message
    assert "`drop:`" in message
    assert found_under(home / ".state", EVERY_PLANTED) == []


@pytest.mark.parametrize("letter", PLANTED)
def test_a_class_is_refused_by_its_values(home, monkeypatch, letter):
    """A harmless name does not help; no value is told and none is stored."""
    put(home, "people.csv", extra=PLANTED[letter][1])
    message = refusal(home, monkeypatch)
    assert "1 column that may tell who people are: `extra` (" in message
    assert f"class {letter}:" in message
    assert not [text for text in EVERY_PLANTED if text in message]
    assert found_under(home / ".state", EVERY_PLANTED) == []


@pytest.mark.parametrize("letter", ["A", "F", "J", "N", "R"])
def test_a_mapped_column_is_judged_like_any_other(home, monkeypatch, letter):
    """That a mapping takes a column for a site does not make an address of it a site."""
    put(home, "people.csv", ward=PLANTED[letter][1])
    message = refusal(home, monkeypatch)
    assert "`ward`" in message
    assert f"class {letter}:" in message
    assert found_under(home / ".state", EVERY_PLANTED) == []


def test_the_command_itself_refuses_all_of_them_at_once(home):
    """In a process of its own: exit code 1, all 18 columns named, no value told or stored."""
    put(home, "people.csv", **{f"extra_{letter}": texts for letter, (_, texts) in PLANTED.items()})
    done = foretide(home)
    said = " ".join(done.stderr.split())
    assert (done.returncode, done.stdout) == (1, "")
    assert [letter for letter in PLANTED if f"`extra_{letter}`" not in said or f"class {letter}:" not in said] == []
    assert not [text for text in EVERY_PLANTED if text in said]
    assert found_under(home / ".state", EVERY_PLANTED) == []


def test_what_nobody_mapped_is_not_stored(home):
    """Columns are an allow-list: the file of the fixture was taken in, its unmapped column was not."""
    assert found_under(home / ".state", [*UNREMARKABLE]) == []
    assert found_under(home / ".state", ["north"]) == ["north"]


def test_the_search_finds_what_is_there(home):
    """The search of these tests would see a planted text, plain or in a Parquet file."""
    folder = home / ".state" / "planted"
    folder.mkdir()
    try:
        pd.DataFrame({"x": ["quaggaone"]}).to_parquet(folder / "x.parquet", compression="zstd")
        (folder / "y.log").write_text("met Dr. Quilla Zebrano")
        assert found_under(home / ".state", EVERY_PLANTED) == ["Dr. Quilla Zebrano", "quaggaone"]
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
