"""Truncated or flipped bytes, of the champion, in the lake or the audit log: named and refused, and the last delivery stands.

Real commands in copies of one home, whose champion serves and whose first night is delivered. Damaged deliveries are in
`test_delivery`, damaged files of a source in `test_bad_input_changes_nothing`.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from deltalake import DeltaTable
from typer.testing import CliRunner

from pipelines import memory, scrubbing
from pipelines.cli.main import app
from pipelines.consent.tombstones import Tombstones
from pipelines.delivery.publish import read_scores
from pipelines.installation import Installation
from pipelines.scrubbing import damaged
from pipelines.settings import load_settings
from pipelines.turn import alone
from tests.guarantees import night_that_is_killed as killed
from tests.guarantees.served_home import deliveries, make_served, status
from tests.pipelines.small_job import NIGHT, foretide

NEXT = killed.NIGHT


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that was trained and scored once."""
    return make_served(tmp_path_factory.mktemp("served") / "before")


@pytest.fixture
def home(served: Path, tmp_path: Path) -> Path:
    """A copy of it; MLflow finds the files of its models where they were made."""
    return Path(shutil.copytree(served, tmp_path / "home"))


def flipped(path: Path, at: int) -> None:
    """Turn one bit of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 0x10
    path.write_bytes(content)


@contextmanager
def put_back(path: Path) -> Iterator[Path]:
    """A file that is as it was after the block."""
    content = path.read_bytes()
    try:
        yield path
    finally:
        path.write_bytes(content)


def test_a_champion_altered_beside_the_registry_alone_stops_the_night(served, home):
    """The verified cache is whole, and nothing is scored: exit code 1, a red night, the cure, and the last delivery as it was."""
    before = deliveries(home)
    (stored,) = served.glob(".state/mlflow/artifacts/**/model.json")
    with put_back(stored):
        flipped(stored, stored.stat().st_size // 2)
        code, answer, _ = foretide(home, "score", "--as-of", NEXT)
    assert code == 1, answer
    assert "are not those that were registered: altered or swapped. Restore MLflow's artifacts" in answer["error"]
    assert deliveries(home) == before
    assert status(home, NEXT).level == "red"
    code, answer, said = foretide(home, "score", "--as-of", NEXT)
    assert code == 0, (answer, said)


def test_a_champion_whose_files_are_gone_scores_from_the_verified_cache_and_is_marked(served, home):
    """Gone is not altered: amber, and every row says where its model came from."""
    artifacts = served / ".state" / "mlflow" / "artifacts"
    away = artifacts.rename(artifacts.with_name("away"))
    code, answer, said = foretide(home, "score", "--as-of", NEXT)
    shutil.rmtree(artifacts, ignore_errors=True)
    away.rename(artifacts)
    assert (code, answer["status"]) == (0, "amber"), (answer, said)
    assert any("or has no files of foretide-crisis version 1" in reason for reason in answer["reasons"])
    assert read_scores(Path(answer["paths"][0]))["model_version"].str.contains("from the verified cache").all()


def a_file_of(home: Path, table: str) -> Path:
    """The largest file that counts of a table, such as `raw/mood`."""
    return max(
        map(Path, DeltaTable(str(home / ".state" / "lake" / table)).file_uris()), key=lambda path: path.stat().st_size
    )


def pages(path: Path) -> tuple[int, int]:
    """Where a file's first page header begins, and where its first column's data end."""
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    start = column.dictionary_page_offset if column.has_dictionary_page else column.data_page_offset
    return start, start + column.total_compressed_size


def harm(path: Path, fault: str) -> None:
    """Do to a Parquet file what disks and hands do."""
    start, end = pages(path)
    if fault == "gone":
        path.unlink()
    elif fault == "truncated":
        path.write_bytes(path.read_bytes()[: end + 1])
    else:
        flipped(path, {"page": end - 2, "header": start + 1, "footer": path.stat().st_size - 20}[fault])


def test_a_night_reads_nothing_of_a_damaged_lake(home):
    """Exit code 1, the table and no subject named, a red night, the last delivery as it was; put back, the night is delivered."""
    before, path, names = deliveries(home), a_file_of(home, "raw/mood"), subjects(home)
    for fault in ("page", "header", "footer", "truncated", "gone"):
        with put_back(path):
            harm(path, fault)
            code, answer, said = foretide(home, "score", "--as-of", NEXT)
        assert code == 1, (fault, answer, said)
        assert "Damaged or gone in the lake: 1 file of `raw/mood`. Nothing was read of it. Restore" in answer["error"]
        told = f"{answer} {said} {(home / '.state' / 'nights' / f'{NEXT}.json').read_text()}"
        assert not [name for name in names if name in told]
        assert deliveries(home) == before
        assert status(home, NEXT).level == "red"
    code, answer, said = foretide(home, "score", "--as-of", NEXT)
    assert code == 0, (answer, said)
    assert answer["status"] != "red"


TONIGHT = "2026-09-01"


@pytest.fixture
def tonight(home, monkeypatch) -> Callable[[], tuple[int, dict[str, Any]]]:
    """`foretide score` without a date, two months after the data end and the last night was scored: exit code and answer."""

    class Tonight(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2026, 9, 1, 12, tzinfo=UTC)

    def score() -> tuple[int, dict[str, Any]]:
        done = CliRunner().invoke(app, ["score", "--json", "--config", str(home / "foretide.yaml")])
        return done.exit_code, json.loads(done.stdout.strip().splitlines()[-1])

    monkeypatch.setattr("pipelines.cli.night_of.datetime", Tonight)
    return score


def newest_commit(home: Path, table: str) -> Path:
    """The last entry of a table's log."""
    return max((home / ".state" / "lake" / table / "_delta_log").glob("*.json"))


def spoil(path: Path) -> None:
    """Have a file begin with something else."""
    path.write_bytes(b"{" + path.read_bytes()[5:])


def withdrawn(home: Path) -> None:
    """Somebody of whom nothing is here withdrew: every command first looks through all tables."""
    tombstones = Tombstones(load_settings(home / "foretide.yaml").consent_folder)
    tombstones.bury(["a-stranger"], "2026-07-01", "2026-08-01")


def told(home: Path, kind: str) -> list[str]:
    """Nights of which somebody was told so."""
    lines = (home / ".state" / "notices.jsonl").read_text().splitlines()
    return [one["night"] for one in map(json.loads, lines) if one["kind"] == kind]


@pytest.mark.parametrize("has_tombstones", [False, True])
def test_a_damaged_log_makes_tonight_red_before_any_night_could_be_chosen(has_tombstones, home, tonight):
    """Whoever reads the lake first: exit code 1, the table, a red night and a notice; put back, the night is chosen by the lake."""
    if has_tombstones:
        withdrawn(home)
    before, commit = deliveries(home), newest_commit(home, "raw/mood")
    with put_back(commit):
        spoil(commit)
        code, answer = tonight()
    assert code == 1, answer
    assert "Damaged or gone in the lake: 1 file of `raw/mood`. Nothing was read of it. Restore" in answer["error"]
    assert (status(home, TONIGHT).level, status(home, TONIGHT).is_over) == ("red", True)
    assert told(home, "night_failed") == [TONIGHT]
    assert deliveries(home) == before


def test_a_damaged_log_of_what_is_made_anew_keeps_nobody_from_tonight(home):
    """Though somebody withdrew, so that every table is opened before a night looks for damage: removed, made anew and said."""
    withdrawn(home)
    spoil(newest_commit(home, "derived/days"))
    code, answer, said = foretide(home, "score", "--as-of", NEXT)
    assert (code, answer["status"]) == (0, "amber"), (answer, said)
    assert any("made anew from the rest: 1 file of `derived/days`" in reason for reason in answer["reasons"])


def test_who_waited_in_vain_beside_a_damaged_lake_is_told_so(home, tonight):
    """Exit code 1 and no more: what is wrong with the lake is for whoever holds it."""
    path = home / "foretide.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "night": {"wait_minutes": 0.02}}))
    with alone(Installation(load_settings(path), now=datetime.now(UTC))):
        spoil(newest_commit(home, "raw/mood"))
        code, answer = tonight()
    assert (code, answer["error"][:31]) == (1, "Another command or Dagster run "), answer
    assert told(home, "night_waits") == [TONIGHT]


def subjects(home: Path) -> set[str]:
    """Ids of everybody in the lake."""
    lake = Installation(load_settings(home / "foretide.yaml")).lake
    with lake.connection() as connection:
        return {name for (name,) in lake.rows("subjects", connection).project("subject_id").distinct().fetchall()}


def test_what_can_be_made_anew_is_removed_and_made_by_the_same_night(home, tmp_path):
    """A damaged day panel, matrix or result of a training: the night says so, once, and delivers what an undamaged lake gives."""
    whole = Path(shutil.copytree(home, tmp_path / "whole"))
    for table in ("derived/days", "derived/night_matrix_crisis", "derived/flags", "derived/results", "derived/served"):
        path = a_file_of(home, table)
        flipped(path, path.stat().st_size // 2)
    code, answer, said = foretide(home, "score", "--as-of", NEXT)
    assert (code, answer["status"]) == (0, "amber"), (answer, said)
    of_lake = [reason for reason in answer["reasons"] if "made anew from the rest: 1 file of `derived/days`" in reason]
    assert len(of_lake) == 1, answer["reasons"]
    assert "1 file of `derived/served`" in of_lake[0]
    assert of_lake[0] in status(home, NEXT).reasons
    code, answer, said = foretide(home, "score", "--as-of", NEXT)
    assert code == 0, (answer, said)
    assert of_lake[0] not in answer["reasons"]
    assert foretide(whole, "score", "--as-of", NEXT)[0] == 0
    assert deliveries(home) == deliveries(whole)


def test_earlier_alerts_are_not_made_up(home):
    """Tonight's alerts rest on those of before, which nothing gives anew: refused until they are restored."""
    path, root = a_file_of(home, "derived/alerts"), home / ".state" / "lake"
    # Delta writes them, without checksums: what a first look has seen is compared with its digest.
    assert not damaged(root, 0)
    with put_back(path):
        flipped(path, path.stat().st_size // 2)
        code, answer, _ = foretide(home, "score", "--as-of", NEXT)
    assert code == 1, answer
    assert "1 file of `derived/alerts`. Nothing was read of it. Restore it from a backup" in answer["error"]
    assert not damaged(root, 0)


def test_a_training_reads_nothing_of_a_damaged_lake(home):
    """Nor is anything registered."""
    path = a_file_of(home, "raw/events")
    harm(path, "header")
    code, answer, _ = foretide(home, "train", "--as-of", NEXT)
    assert code == 1, answer
    assert "1 file of `raw/events`" in answer["error"]


def test_a_flipped_byte_in_the_lake_is_found_and_named(home):
    """Whatever page of whatever file it is in: `foretide verify` exits 1, names the file, and says what to do."""
    lake = home / ".state" / "lake"
    code, answer, _ = foretide(home, "verify", str(lake))
    assert (code, answer["rows"][0]["state"]) == (0, "ok"), answer
    path, stored = a_file_of(home, "raw/mood"), a_file_of(home, "derived/days")
    for one in (path, stored):
        harm(one, "page")
    for named in (str(lake), ".state/lake"):
        code, answer, _ = foretide(home, "verify", named)
        told = " ".join(row["finding"] for row in answer["rows"])
        assert code == 1, answer
        assert all(one.name in told for one in (path, stored)), told
    path.unlink()
    assert "is gone" in str(foretide(home, "verify", str(lake))[1]["rows"])


def test_what_a_night_wrote_is_looked_at_by_the_same_night(home):
    """Written badly, or hurt at once, it is found while the night is still there to say so, and the next night finds nothing new."""
    code, answer, said = foretide(home, "score", "--as-of", NEXT)
    assert code == 0, (answer, said)
    root = home / ".state" / "lake"
    looked_at = set(memory.recall(root / "derived" / "digests.json"))
    assert looked_at == set(_counted(root))


def _counted(root: Path) -> Iterator[str]:
    """The files that count."""
    for table in scrubbing._tables(root, ()):
        yield from scrubbing._counting(root, table, ())


@pytest.mark.parametrize("fault", ["edited", "head gone"])
def test_beside_a_damaged_audit_log_nothing_is_delivered(fault, home):
    """It could not be put on record, and who let the champion serve stands there, too: exit code 3, and a red night that is told."""
    before, log, head = deliveries(home), home / ".state" / "audit" / "log.jsonl", home / ".state" / "audit.head.json"
    path, bad = (log, log.read_bytes().replace(b"simulated", b"simulatex")) if fault == "edited" else (head, None)
    with put_back(path):
        path.unlink() if bad is None else path.write_bytes(bad)
        code, answer, _ = foretide(home, "score", "--as-of", NEXT)
        assert foretide(home, "train", "--as-of", NEXT)[0] == 3
    assert code == 3, answer
    assert answer["error"].startswith("Nothing can be recorded, for the audit log is damaged."), answer
    assert status(home, NEXT).level == "red"
    assert told(home, "night_failed") == [NEXT]
    assert deliveries(home) == before
    code, answer, said = foretide(home, "score", "--as-of", NEXT)
    assert code == 0, (answer, said)


def test_a_damaged_delivery_in_force_is_made_again_and_put_on_record(home):
    """A byte flipped, or a file gone: the same night gives the same bytes, is amber and says why, and the audit log has it."""
    before, settings = deliveries(home), load_settings(home / "foretide.yaml")
    (folder,) = [path.parent for path in (home / ".state" / "deliveries").glob(f"{NIGHT}/*/scores.csv")]
    # The code that scored the night is this one, so that the run in force is this run.
    for harm_to in (lambda path: flipped(path, path.stat().st_size // 2), Path.unlink):
        harm_to(folder / "scores.csv")
        code, answer, said = foretide(home, "score", "--as-of", NIGHT)
        assert (code, answer["status"]) == (0, "amber"), (answer, said)
        assert any("was damaged and was made again, the same" in reason for reason in answer["reasons"])
        assert deliveries(home) == before
    log = [entry for entry in Installation(settings).audit_log.entries() if entry["kind"] == "delivery_damaged"]
    assert [entry["details"]["run_id"] for entry in log] == [folder.name] * 2
