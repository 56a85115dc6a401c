"""Sinks as part of the night: they never fail it, and somebody is told where one is behind."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import yaml
from dagster import DagsterInstance, ResourceDefinition, materialize

from pipelines import night_status
from pipelines.defs.score import report_sinks
from pipelines.doctor import examine
from pipelines.errors import Usage
from pipelines.installation import Installation
from pipelines.notices.channels import FILE_NAME
from pipelines.settings import load_settings, settings_from
from pipelines.sinks import catching_up
from pipelines.sinks import night as sinks
from pipelines.sinks.catching_up import SinkReport, catch_up, reports
from tests.guarantees import installation_with_a_sentinel as made
from tests.pipelines.postgres_server import Server
from tests.pipelines.sink_nights import SUBJECTS, publish_night

NIGHT = "2026-06-30"
LEAST = {"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7, 14]}}}
SECRET = "tr0ub4dor"
NOBODY = f"host=127.0.0.1 port=1 user=foretide password={SECRET}"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A real PostgreSQL on the loopback."""
    found = Server().start()
    yield found
    found.remove()


def installation(home: Path, dsn: str) -> Installation:
    """An installation with this database and one night published."""
    at = Installation(settings_from({**LEAST, "delivery": {"postgres": {"dsn": dsn}}}, home))
    publish_night(at.settings.deliveries_folder, NIGHT)
    return at


@pytest.fixture
def reasons(monkeypatch) -> list[tuple]:
    """What the night's status is told."""
    told: list[tuple] = []
    monkeypatch.setattr(night_status, "add", lambda _, *given: told.append(given))
    return told


def run_asset(at: Installation):
    """Materialise the asset as a night would."""
    with DagsterInstance.ephemeral() as instance:
        resource = ResourceDefinition.hardcoded_resource(at)
        return materialize([report_sinks], instance=instance, partition_key=NIGHT, resources={"installation": resource})


def test_without_sinks_nothing_happens_and_the_check_passes(tmp_path, reasons):
    """Sinks are off by default."""
    done = run_asset(Installation(settings_from(LEAST, tmp_path)))
    assert done.success
    assert [check.passed for check in done.get_asset_check_evaluations()] == [True]
    assert reasons == []
    assert not (tmp_path / ".state" / FILE_NAME).exists()


def test_a_database_that_is_down_makes_the_night_amber_and_does_not_fail_it(tmp_path, reasons):
    """The asset succeeds, its check warns, the status has a reason, a notice goes out once; no secret and no subject in any."""
    at = installation(tmp_path, NOBODY)
    before = {path: path.read_bytes() for path in at.settings.deliveries_folder.rglob("*") if path.is_file()}
    done = run_asset(at)
    run_asset(at)
    assert done.success
    (check,) = done.get_asset_check_evaluations()
    assert (check.passed, check.severity.value) == (False, "WARN")
    assert [given[:2] for given in reasons] == [(NIGHT, "amber")] * 2
    (line,) = (tmp_path / ".state" / FILE_NAME).read_text().splitlines()
    assert json.loads(line)["kind"] == "sink_behind"
    (event,) = done.get_asset_materialization_events()
    told = {name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()}
    (report,) = reports(told)
    assert (report.state, report.nights_behind) == ("behind", None)
    said = line + json.dumps(told) + str(reasons) + sinks.sentence(report) + str(check.metadata)
    assert not any(word in said for word in (SECRET, "127.0.0.1", *SUBJECTS[2:4]))
    assert {path: path.read_bytes() for path in at.settings.deliveries_folder.rglob("*") if path.is_file()} == before


def test_a_database_that_is_there_has_the_night(tmp_path, server, reasons):
    """The check passes, the answer counts, and nobody is told anything."""
    at = installation(tmp_path, server.database("scores"))
    done = run_asset(at)
    assert [check.passed for check in done.get_asset_check_evaluations()] == [True]
    assert reasons == []
    assert not (tmp_path / ".state" / FILE_NAME).exists()
    assert sinks.sentences(catch_up(at)) == ["The PostgreSQL database has every delivery; nothing was written."]


def test_not_even_a_mistake_of_ours_ends_the_night(tmp_path, monkeypatch):
    """What nobody foresaw is told by its type, for its text may hold a row."""

    def broken():
        raise ZeroDivisionError("zebra-77")

    monkeypatch.setattr(catching_up, "configured", lambda _: {"postgres": broken})
    (report,) = catch_up(installation(tmp_path, NOBODY))
    assert (report.state, report.why) == ("behind", "An unforeseen error stopped it (ZeroDivisionError).")


def test_what_became_of_a_sink_in_words():
    """Sentences for people, with counts."""
    got = SinkReport("postgres", deliveries_brought=3, rows=1200)
    assert sinks.sentence(got) == "The PostgreSQL database got 3 deliveries (1,200 rows) and has everything."
    behind = SinkReport("postgres", nights_behind=2, why="It is full.")
    assert sinks.sentence(behind).startswith("The PostgreSQL database lacks 2 nights. It is full.")


def test_withdrawing_erases_from_the_database_too(tmp_path, server):
    """The command itself reaches the database; where it is down it says so, and the next command that can does it."""
    dsn = server.database("scores")
    home = made.make_home(tmp_path / "home")
    content = yaml.safe_load((home / "foretide.yaml").read_text())
    (home / "foretide.yaml").write_text(yaml.safe_dump({**content, "delivery": {"postgres": {"dsn": dsn}}}))
    catch_up(Installation(load_settings(home / "foretide.yaml")))
    count = f"SELECT count(*) FILTER (WHERE subject_id = '{made.SENTINEL}'), count(*) FROM foretide.scores"
    with psycopg.connect(dsn) as connection:
        assert connection.execute(count).fetchone() == (8, 32)
    down = Path(shutil.copytree(home, tmp_path / "down"))
    done = made.withdraw(home, "--json")
    answer = json.loads(done.stdout)
    assert [sink["state"] for sink in answer["sinks"]] == ["up to date"]
    with psycopg.connect(dsn) as connection:
        assert connection.execute(count).fetchone() == (0, 32)  # 24 of others, and 8 of the delivery with the notice
        assert not connection.execute("SELECT FROM foretide.scores s WHERE s::text LIKE '%zebra%'").fetchall()
    (down / "foretide.yaml").write_text(yaml.safe_dump({**content, "delivery": {"postgres": {"dsn": NOBODY}}}))
    said = made.withdraw(down)
    assert said.returncode == 0
    assert "Subjects who withdrew go from it as soon as it can be used" in said.stdout
    assert SECRET not in said.stdout + said.stderr


WRONG = {
    "neither": ({}, "dsn_from"),
    "both": ({"dsn": NOBODY, "dsn_from": "DSN"}, "either"),
    "a variable of ours": ({"dsn_from": "FORETIDE_DSN"}, "FORETIDE_"),
    "no plain schema": ({"dsn": NOBODY, "schema": "Risk;"}, "postgres.schema"),
    "an unknown key": ({"dsn": NOBODY, "schem": "x"}, "perhaps `schema`"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_database_that_cannot_be_right_is_refused_before_anything_runs(tmp_path, case):
    """The message names the key and the cure, and no secret."""
    content, told = WRONG[case]
    with pytest.raises(Usage) as caught:
        settings_from({**LEAST, "delivery": {"postgres": content}}, tmp_path)
    assert told in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_database_needs_parquet(tmp_path):
    """It is filled from the reference format."""
    with pytest.raises(Usage, match="put `parquet` among"):
        settings_from({**LEAST, "delivery": {"formats": ["csv"], "postgres": {"dsn": NOBODY}}}, tmp_path)


def test_doctor_says_whether_the_database_can_be_reached(tmp_path, server):
    """Reached, or a fault with the reason; never the connection string."""
    path = tmp_path / "foretide.yaml"
    for dsn, state in ((server.database("scores"), "ok"), (NOBODY, "fault")):
        path.write_text(yaml.safe_dump({**LEAST, "delivery": {"postgres": {"dsn": dsn}}}))
        finding = next(found for found in examine(path) if found.check == "sinks")
        assert finding.state == state
        assert SECRET not in finding.finding
