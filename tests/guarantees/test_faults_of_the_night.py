"""What can go wrong in a night: the last delivery stands, what is wrong is said, and the same command again finishes the job.

Real commands in copies of one home, whose champion serves and whose first night is delivered. The faults of publishing alone are
in `test_delivery_is_whole`, a reboot is in `test_reboot_in_mid_run`, damaged files are in `test_damage_is_refused`.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from pipelines import night
from pipelines.cli.main import app
from pipelines.delivery.nights import POINTER_NAME
from pipelines.delivery.publish import current, read_scores
from pipelines.delivery.verify import verify
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.settings import load_settings
from pipelines.turn import alone
from tests.guarantees import night_that_is_killed as killed
from tests.guarantees.served_home import delivered, deliveries, make_served, status
from tests.pipelines.small_job import NIGHT, foretide

NEXT = killed.NIGHT
# More of them with TRIALS_OF_KILLING=60.
TRIALS = int(os.environ.get("TRIALS_OF_KILLING", "4"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that was trained and scored once."""
    return make_served(tmp_path_factory.mktemp("served") / "before")


@pytest.fixture
def home(served: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(served, tmp_path / "home"))


def declare(home: Path, section: str, content: object) -> None:
    path = home / "foretide.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), section: content}))


def test_a_night_killed_at_any_step_is_finished_by_the_next_with_the_same_bytes(served, tmp_path):
    """kill -9 from the day panel to the page: nothing half-written is ever in force, and a rerun ends as if nothing had been."""
    shutil.copytree(served, tmp_path / "before")
    program = [sys.executable, killed.__file__, str(tmp_path), str(TRIALS)]
    done = subprocess.run(program, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": "."})
    assert done.returncode == 0, done.stderr[-3000:]
    _, *ends = done.stdout.splitlines()
    assert [end.split()[1:] for end in ends] == [["9", "0"]] * TRIALS  # killed, then done
    before, after = (deliveries(tmp_path / name) for name in ("before", "after"))
    assert len(after) > len(before)
    for trial in tmp_path.glob("killed-*"):
        assert before.items() <= delivered(trial / "as-it-was-left").items()
        for pointer in (trial / "as-it-was-left").glob("*/latest.json"):
            assert verify(pointer.parent / json.loads(pointer.read_text())["folder"]).is_whole
        assert deliveries(trial) == after, trial.name
        assert Installation(load_settings(trial / "foretide.yaml")).audit_log.verify() == []


def test_the_same_night_again_is_the_same_bytes(home):
    """A duplicate run exits with 0 and changes nothing in the deliveries."""
    before = deliveries(home)
    code, answer, said = foretide(home, "score", "--as-of", NIGHT)
    assert code == 0, (answer, said)
    assert answer["status"] != "red"
    assert deliveries(home) == before


def test_a_half_written_night_is_cleared_away_and_keeps_nobody_waiting(home):
    """What a writer left in hidden folders, and a folder that no pointer names, are nobody's delivery."""
    root = home / ".state" / "deliveries"
    for place in (root / ".unfinished-abc" / "run", root / NIGHT / ".unfinished-old"):
        place.mkdir(parents=True)
        (place / "scores.csv").write_text("half")
    code, answer, said = foretide(home, "score", "--as-of", NEXT)
    assert code == 0, (answer, said)
    assert not [path for path in root.rglob("*") if path.name.startswith(".unfinished")]
    for of in (NIGHT, NEXT):
        folder = current(root, pd.Timestamp(of))
        assert folder is not None
        assert verify(folder).is_whole


@pytest.mark.parametrize("wait_minutes", [30, 0])
def test_of_two_nights_at_once_the_second_waits_or_leaves_as_is_declared(home, wait_minutes):
    """On a home whose Dagster records are still to be made: one delivery, clear words, a home in order, and nobody alarmed.

    Who waits does the same night after the first, to the same bytes; who may not wait leaves with exit code 1.
    """
    declare(home, "night", {"wait_minutes": wait_minutes})
    shutil.rmtree(home / ".state" / "dagster")
    command = [Path(sys.executable).with_name("foretide"), "score", "--as-of", NEXT]
    both = [
        subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    told = sorted((program.communicate()[1], program.returncode) for program in both)
    assert sorted(code for _, code in told) == ([0, 0] if wait_minutes else [0, 1]), told
    words = "waiting for it, up to 30 minutes" if wait_minutes else "at work in this installation"
    assert sum(words in said for said, _ in told) == 1, told
    assert status(home, NEXT).level != "red"
    assert "night_waits" not in (home / ".state" / "notices.jsonl").read_text()
    assert len([path for path in (home / ".state" / "deliveries" / NEXT).iterdir() if path.is_dir()]) == 1
    for database in (home / ".state" / "dagster").rglob("*.db"):
        connection = sqlite3.connect(database)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def test_a_night_that_waited_in_vain_is_on_record_and_told_and_cured_by_the_next(home):
    """Exit code 1, not finished instead of red, one notice; a night that could begin then leaves nothing of it."""
    declare(home, "night", {"wait_minutes": 0.02})
    before = deliveries(home)
    with alone(Installation(load_settings(home / "foretide.yaml"), now=datetime.now(UTC))):
        for _ in range(2):
            code, answer, said = foretide(home, "score", "--as-of", NEXT)
            assert (code, answer["error"][:31]) == (1, "Another command or Dagster run "), (answer, said)
    found = status(home, NEXT)
    assert (found.is_over, found.level, found.headline) == (False, "amber", "not finished")
    assert found.reasons == ("It could not begin: another command was at work in the installation.",)
    told = [json.loads(line) for line in (home / ".state" / "notices.jsonl").read_text().splitlines()]
    assert [one["night"] for one in told if one["kind"] == "night_waits"] == [NEXT]
    assert deliveries(home) == before
    code, answer, said = foretide(home, "score", "--as-of", NEXT)
    assert code == 0, (answer, said)
    assert not any("could not begin" in reason for reason in status(home, NEXT).reasons)


def test_a_mistyped_night_is_refused_without_waiting(home):
    """Exit code 2 at once, though another command is at work."""
    with alone(Installation(load_settings(home / "foretide.yaml"), now=datetime.now(UTC))):
        code, answer, said = foretide(home, "score", "--as-of", "2026-13-01")
    assert (code, said) == (2, ""), answer


def test_a_night_without_a_date_brings_those_that_were_missed(home, monkeypatch):
    """Oldest first, up to tonight's; one that is refused is red, keeps no later one back, and does not change the exit code."""

    class ThreeNightsLater(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 7, 4, 12, tzinfo=UTC)

    def refuse(installation, of):
        if of == NEXT:
            raise Refused("The champion was away.")

    monkeypatch.setattr("pipelines.cli.night_of.datetime", ThreeNightsLater)
    monkeypatch.setattr("pipelines.night.refuse_early", refuse)
    done = CliRunner().invoke(app, ["score", "--json", "--config", str(home / "foretide.yaml")])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    assert [(of["night"], of["status"], of.get("error")) for of in answer["missed_nights"]] == [
        (NEXT, "red", "The champion was away."),
        ("2026-07-03", answer["missed_nights"][1]["status"], None),
    ]
    assert answer["missed_nights"][1]["status"] != "red"
    assert [bool(current(home / ".state" / "deliveries", pd.Timestamp(f"2026-07-0{day}"))) for day in range(1, 6)] == [
        True, False, True, True, False
    ]  # fmt: skip
    assert Path(answer["paths"][0]).parent.name == "2026-07-04"
    assert status(home, NEXT).level == "red"


@pytest.mark.parametrize("fault", ["gone", "locked"])
def test_without_the_registry_the_night_is_scored_from_the_verified_cache_and_marked(home, fault):
    """The model registry is away or locked: the last promoted model scores; delivery, page, status and answer say so."""
    database = home / ".state" / "mlflow" / "mlflow.db"
    connection = sqlite3.connect(database, isolation_level=None)
    if fault == "locked":
        connection.execute("BEGIN EXCLUSIVE")
    else:
        database.rename(database.with_name("away.db"))
    code, answer, said = foretide(home, "score", "--as-of", NEXT)
    connection.close()
    assert (code, answer["status"]) == (0, "amber"), (answer, said)
    assert any("The model registry cannot be reached" in reason for reason in answer["reasons"])
    scores = read_scores(Path(answer["paths"][0]))
    assert scores["model_version"].str.contains("from the verified cache").all()
    assert "scored from the cache" in (home / ".state" / "reports" / f"nightly-{NEXT}.html").read_text()


def test_a_stream_that_is_too_old_stops_the_night_where_that_is_declared(home):
    """Exit code 1 with the stream and its age; red on record and on the index page; what was delivered stands."""
    before = deliveries(home)
    declare(home, "night", {"freshness": {"wearable_days": {"stop_after_hours": 12}}})
    code, answer, _ = foretide(home, "score", "--as-of", NEXT)
    assert code == 1, answer
    assert answer["error"].startswith("Nothing of `wearable_days` has come in for 2 days. That stops the night")
    assert deliveries(home) == before
    assert status(home, NEXT).level == "red"
    text = (home / ".state" / "reports" / "index.html").read_text()
    assert "Red: no new scores; the last delivery stands" in text
    assert "Nothing of wearable_days has come in for 2 days" in text


def test_another_try_that_is_stopped_makes_no_red_of_a_night_that_was_delivered(home):
    """Its scores are in force: amber, and the page says what failed."""
    before = deliveries(home)
    declare(home, "night", {"freshness": {"wearable_days": {"stop_after_hours": 12}}})
    assert foretide(home, "score", "--as-of", NIGHT)[0] == 1
    assert deliveries(home) == before
    assert status(home, NIGHT).level == "amber"
    text = (home / ".state" / "reports" / f"nightly-{NIGHT}.html").read_text()
    assert "Scores of this night are delivered" in text


def test_a_score_for_somebody_who_is_not_on_the_roster_is_never_published(home):
    """A stranger among the rows of a night that is to be delivered: refused with a count, and nothing is delivered."""
    (home / ".state" / "deliveries" / NIGHT / POINTER_NAME).unlink()
    of = Installation(load_settings(home / "foretide.yaml"))
    rows, before = of.lake.load("scores"), deliveries(home)
    stranger = rows["subject_id"].iloc[0]
    of.lake.replace("scores", rows.assign(subject_id=rows["subject_id"].replace({stranger: "a-stranger"})))
    with pytest.raises(Refused, match="1 subjects with a row are not on its roster") as refused:
        night.deliver(of, NIGHT)
    assert "a-stranger" not in str(refused.value)
    assert deliveries(home) == before


@contextmanager
def small_disk(at: Path, size: int) -> Iterator[None]:
    """A file system of so many bytes."""
    at.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", at], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("a small file system can only be mounted as root")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", at], check=True)


@pytest.mark.parametrize("room", [0, 60_000, 400_000, 1_000_000])
def test_on_a_full_disk_nothing_is_published_and_the_last_delivery_is_intact(served, tmp_path, room):
    """The disk fills up at once, or at some stage of the night; with room again the same command finishes the job."""
    used = sum(-(-path.stat().st_size // 4096) * 4096 + 4096 for path in (served / ".state").rglob("*"))
    home = tmp_path / "home"
    with small_disk(home, used + 2_000_000 + room):
        shutil.copytree(served, home, dirs_exist_ok=True)
        before = deliveries(home)
        left = os.statvfs(home)
        (home / "ballast").write_bytes(b"x" * max(left.f_bavail * left.f_frsize - room, 0))
        code, answer, said = foretide(home, "score", "--as-of", NEXT)
        assert code == 3, (answer, said)
        # Where SQLite could write a part of a page it cannot tell a full disk from one that fails.
        assert answer["error"].startswith(("The disk is full. Nothing", "The disk is full, or fails. Nothing"))
        assert deliveries(home) == before
        (home / "ballast").unlink()
        subprocess.run(["mount", "-o", f"remount,size={used + 100_000_000}", home], check=True)
        code, answer, said = foretide(home, "score", "--as-of", NEXT)
        assert code == 0, (answer, said)
        assert Installation(load_settings(home / "foretide.yaml")).audit_log.verify() == []
