"""Whatever bad input a command meets, it says so in one paragraph without a value, and nothing that counts has changed.

The real command runs in a home of its own, that holds a small lake and a delivery, on one bad input after another.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.delivery.publish import publish
from tests.guarantees import publishing_that_is_killed as deliveries

FORETIDE = Path(sys.executable).with_name("foretide")
ROOT = Path(__file__).parents[2]
RECEIVED = ("--received-at", "2026-06-10T00:00:00+00:00")
SUBJECTS = "id,since\nzebra-1,2026-05-01\nzebra-2,2026-05-01\n"
SLEEP = "id,bed,up,asleep\nzebra-1,2026-06-01 23:00,2026-06-02 07:00,431.77\nzebra-2,2026-06-01 23:30,2026-06-02 07:10,417.99\n"
# Of subjects and values in the files, and of their dates: none may be told.
SENTINELS = ("zebra", "quagga", "431.77", "417.99", "2026-06-01", "2026-06-02", "23:30")
MAPPING = """
source: study
time_zone: Europe/Berlin
files:
  - path: sleep*.csv
    table: sleep
    columns: {subject_id: id, onset_at: bed, offset_at: up, minutes_asleep: {column: asleep, unit: min}}
"""
ENROLMENT = "  - {path: subjects.csv, table: subjects, columns: {subject_id: id, enrolled_on: since}}\n"
CONFIGURATION = "outcomes:\n  crisis: {events: [panic], horizons_days: [7, 14]}\n"
INPUTS = {
    "good/subjects.csv": SUBJECTS,
    "good/sleep.csv": SLEEP,
    "good.yaml": MAPPING + ENROLMENT,
    "sleep.yaml": MAPPING,
    "no-zone.yaml": MAPPING.replace("time_zone: Europe/Berlin\n", ""),
    "furlongs.yaml": MAPPING.replace("unit: min", "unit: furlongs"),
    "wrong-key.yaml": CONFIGURATION + "alert_policy: {refractory_day: 7}\n",
    "utf-16/sleep.csv": SLEEP.encode("utf-16"),
    "no-column/sleep.csv": SLEEP.replace("asleep\n", "dozing\n"),
    "strangers/sleep.csv": SLEEP.replace("zebra", "quagga"),
    "empty/other.csv": SLEEP,
    "header/sleep.csv": "id,bed,up,asleep\n",
    "foretide.yaml": CONFIGURATION,
    "dagster.yaml": (ROOT / "dagster.yaml").read_text(),
}


def foretide(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the real command in a process of its own, as a pipe would see it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("FORETIDE_", "DAGSTER_HOME"))}
    return subprocess.run([FORETIDE, *arguments], cwd=home, capture_output=True, text=True, check=False, env=clean)


UNTOLD = ("dagster", "nights", "notices", "notices.jsonl")


def fingerprint(home: Path) -> dict[str, str]:
    """Hash of every file of the installation's state: lake, registry, models, deliveries, reports, audit log.

    Left out, for they record that a command ran and hold nothing of what it is about: lock files, which are opened
    by every command; Dagster's record of runs, in which a refused run must stand; what says that a night was refused, on record,
    on the index page and as a notice; the note of which ingests passed validation (`validated.json`) and of which files of the lake
    were looked at (`digests.json`), which save work and decide nothing.
    """
    state = home / ".state"
    return {
        str(path.relative_to(state)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(state.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock") and path.name not in ("validated.json", "digests.json")
        and path.relative_to(state).parts[0] not in UNTOLD and path != state / "reports" / "index.html"
    }  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A home with two subjects, two nights of theirs and one delivery; no champion was promoted."""
    folder = tmp_path_factory.mktemp("home")
    for name, content in INPUTS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    taken_in = foretide(folder, "ingest", "table", "good", "--mapping", "good.yaml", *RECEIVED)
    assert taken_in.returncode == 0, taken_in.stderr
    of = deliveries.context("old")
    publish(folder / ".state" / "deliveries", deliveries.night(of), of)
    kinds = {name.split("/")[0] for name in fingerprint(folder)}
    assert kinds == {"lake", "deliveries", "audit", "audit.head.json", "file-digests.json"}
    return folder


@dataclass(frozen=True)
class Bad:
    """A command that must be refused: its arguments, its exit code, and what its message names."""

    arguments: tuple[str, ...]
    exit_code: int
    told: tuple[str, ...]


def sleep_from(path: str, mapping: str = "sleep.yaml") -> tuple[str, ...]:
    return ("ingest", "table", path, "--mapping", mapping, *RECEIVED)


CASES = {
    "a missing file": Bad(sleep_from("nowhere.csv"), 1, ("nowhere.csv", "Check the path")),
    "a folder without such a file": Bad(sleep_from("empty"), 1, ("`empty`", "`sleep*.csv`", "`path:`")),
    "a missing mapping": Bad(sleep_from("good", "nowhere.yaml"), 2, ("`nowhere.yaml`", "docs/examples/")),
    "an unreadable CSV": Bad(sleep_from("utf-16"), 1, ("`sleep.csv`", "UTF-8 CSV", "Export it again")),
    "a missing column": Bad(
        sleep_from("no-column"), 1, ("`sleep.minutes_asleep` in sleep.csv", "no column `asleep`", "mapping")),
    "an unknown unit": Bad(
        sleep_from("good", "furlongs.yaml"), 2, ("`furlongs.yaml`", "minutes_asleep", "unit", "use one of %, /h, /min")),
    "a naive time": Bad(
        sleep_from("good", "no-zone.yaml"), 1, ("`sleep.onset_at` in sleep.csv", "2 times have no time zone", "`time_zone:`")),
    "strangers only": Bad(
        sleep_from("strangers"), 1, ("None of the 2 rows of `sleep`", "enrolled subject", "Ingest the `subjects` table")),
    "an empty stream": Bad(sleep_from("header"), 1, ("holds no rows", "1 files", "Check that the path")),
    "no receipt time": Bad(
        ("ingest", "table", "good", "--mapping", "sleep.yaml"), 1, ("sleep.csv", "received", "--received-at")),
    "a receipt that lies ahead": Bad(
        ("ingest", "table", "good", "--mapping", "good.yaml", "--received-at", "2206-06-10T00:00:00+00:00"), 2,
        ("`--received-at`", "lies ahead", "instant of the delivery")),
    "a wrong YAML key": Bad(
        ("score", "--config", "wrong-key.yaml"), 2, ("`wrong-key.yaml`", "`alert_policy.refractory_day`", "`refractory_days`")),
    "a night before any data": Bad(
        ("score", "--as-of", "2026-01-15"), 1, ("No subject was known on 2026-01-15", "`subjects`", "later date")),
    "a night that lies ahead": Bad(
        ("score", "--as-of", "2199-01-01"), 2, ("2199-01-01", "is not over", "Ask for an earlier one")),
    "a night that is no date": Bad(("score", "--as-of", "yesterday"), 2, ("`--as-of`", "2026-07-01")),
    "no champion yet": Bad(
        ("score", "--as-of", "2026-06-15"), 1, ("No champion yet", "`foretide-crisis`", "`foretide train`")),
}  # fmt: skip


def assert_says_it_and_no_more(message: str, bad: Bad) -> None:
    """One paragraph that names the thing and the cure; no traceback and nothing of the rows."""
    paragraph = " ".join(message.split())  # the console wraps lines
    assert all(word in paragraph for word in bad.told), paragraph
    assert "\n\n" not in message.strip()
    assert paragraph.endswith((".", "!"))
    assert not [word for word in ("Traceback", "Error", "Warning", "Unforeseen", *SENTINELS) if word in paragraph]


@pytest.mark.parametrize("case", CASES)
def test_bad_input_is_named_with_its_cure_and_changes_nothing(home, case):
    """Exit code 1 or 2, one paragraph on standard error, nothing on standard output, every file as it was."""
    bad, before = CASES[case], fingerprint(home)
    done = foretide(home, *bad.arguments)
    assert done.returncode == bad.exit_code, done.stderr
    assert done.stdout == ""
    assert_says_it_and_no_more(done.stderr, bad)
    assert changed(before, fingerprint(home)) == []


@pytest.mark.parametrize("case", ["strangers only", "an unknown unit", "a wrong YAML key"])
def test_with_json_the_same_refusal_is_one_object(home, case):
    """A machine reads the message as `error` of one object on standard output, and the same exit code."""
    bad, before = CASES[case], fingerprint(home)
    done = foretide(home, *bad.arguments, "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (bad.exit_code, "")
    assert (answer["command"], answer["ok"]) == (bad.arguments[0], False)
    assert (answer["rows"], answer["paths"]) == ([], [])
    assert_says_it_and_no_more(answer["error"], bad)
    assert changed(before, fingerprint(home)) == []


def test_a_night_whose_roster_is_empty_is_refused(home, tmp_path):
    """Everybody's consent has ended: exit code 1, red on record, and nothing is delivered."""
    for name in ("foretide.yaml", "dagster.yaml"):
        shutil.copy(home / name, tmp_path)
    (tmp_path / "people").mkdir()
    (tmp_path / "people" / "subjects.csv").write_text("id,since,until\nzebra-1,2026-05-01,2026-06-11\n")
    columns = "{subject_id: id, enrolled_on: since, consent_until: until}"
    mapping = f"source: study\nfiles:\n  - {{path: subjects.csv, table: subjects, columns: {columns}}}\n"
    (tmp_path / "people.yaml").write_text(mapping)
    taken_in = foretide(tmp_path, "ingest", "table", "people", "--mapping", "people.yaml", *RECEIVED)
    assert taken_in.returncode == 0, taken_in.stderr
    before = fingerprint(tmp_path)
    bad = Bad(
        ("score", "--as-of", "2026-06-15"),
        1,
        ("Nobody is on the roster of 2026-06-15", "no enrolled subject with consent"),
    )
    done = foretide(tmp_path, *bad.arguments)
    assert done.returncode == bad.exit_code, done.stderr
    assert_says_it_and_no_more(done.stderr, bad)
    assert changed(before, fingerprint(tmp_path)) == []
    status = json.loads((tmp_path / ".state" / "nights" / "2026-06-15.json").read_text())
    assert (status["level"], [one["reason"] for one in status["reasons"]]) == ("red", [" ".join(done.stderr.split())])


def test_a_home_that_holds_nothing_yet_still_holds_nothing(home, tmp_path):
    """In a fresh home a refused ingest leaves no lake, no audit log and no delivery behind."""
    for name in ("foretide.yaml", "sleep.yaml"):
        shutil.copy(home / name, tmp_path)
    shutil.copytree(home / "utf-16", tmp_path / "utf-16")
    assert foretide(tmp_path, *sleep_from("utf-16")).returncode == 1
    assert fingerprint(tmp_path) == {}


def changed(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Folders, three deep, in which files were added, removed or altered; file names may hold a subject's bucket."""
    names = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return sorted({"/".join(Path(name).parts[:3]) for name in names})
