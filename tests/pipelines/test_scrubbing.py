"""Looking for damage in the lake: whatever changed is found, and nothing is read twice but in its turn."""

import shutil
from collections import Counter
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from deltalake import DeltaTable

from pipelines import scrubbing
from pipelines.door.intake import ingest
from pipelines.file_digests import mark_of, sha256_of
from pipelines.lake import Lake
from pipelines.memory import recall, remember
from pipelines.scrubbing import PERIOD_DAYS, damaged
from pipelines.sources.batch import Batch

TODAY = date(2026, 7, 1).toordinal()


@pytest.fixture
def lake(tmp_path) -> Lake:
    """Two ingests of forty subjects, and a derived table."""
    made, received = Lake(tmp_path / "lake"), pd.Timestamp("2026-05-01", tz="UTC").as_unit("us")
    for number in range(2):
        rows = pd.DataFrame({"subject_id": [f"zebra-{number}-{n}" for n in range(40)], "source": "a", "device_id": "registry",
                             "enrolled_on": date(2026, 5, 1), "received_at": received, "is_deleted": False})  # fmt: skip
        ingest(made, [Batch("subjects", rows, "subjects")], f"told {number}")
    made.replace("served", rows[["subject_id"]])
    return made


@pytest.fixture
def read(monkeypatch) -> list[Path]:
    """The files whose content was looked at."""
    found: list[Path] = []
    monkeypatch.setattr(scrubbing, "sha256_of", lambda path: found.append(path) or sha256_of(path))
    return found


def a_file(lake: Lake) -> Path:
    return Path(sorted(lake.files("subjects"))[0])


@pytest.mark.parametrize("is_first_look", [True, False])
def test_every_flip_of_what_was_seen_is_found_and_of_what_is_new_every_flip_in_a_page(lake, is_first_look):
    """After the first look bytes of headers and footers too, and wherever a file is cut off."""
    path = a_file(lake)
    content = path.read_bytes()
    if not is_first_look:
        assert damaged(lake.root, TODAY) == Counter()
    cut = [content[:at] for at in range(0, len(content), len(content) // 20)]
    flips = [content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :] for at in range(0, len(content), 97)]
    found = []
    for other in [*cut, *flips]:
        path.write_bytes(other)
        found.append(damaged(lake.root, TODAY) == Counter({"raw/subjects": 1}))
        if is_first_look:
            (lake.root / "derived" / "digests.json").unlink(missing_ok=True)
    assert all(found[: len(cut)])
    assert all(found) or is_first_look
    assert sum(found) >= 0.5 * len(found)
    path.write_bytes(content)
    assert damaged(lake.root, TODAY) == Counter()


def test_what_is_damaged_stays_so_until_it_is_put_back(lake):
    """A second look is no first one: what is there by now is not taken for what was written."""
    assert damaged(lake.root, TODAY) == Counter()
    path, content = a_file(lake), a_file(lake).read_bytes()
    # Whole by its checksums, but another file's.
    path.write_bytes(Path(sorted(lake.files("subjects"))[1]).read_bytes())
    for _ in range(2):
        assert damaged(lake.root, TODAY) == Counter({"raw/subjects": 1})
    path.write_bytes(content)
    assert damaged(lake.root, TODAY) == Counter()


def test_a_table_that_was_begun_anew_is_no_damage(lake):
    """As the day panel is after an upgrade: its commits have the names of those before, and are others; each is guarded again."""
    assert damaged(lake.root, TODAY) == Counter()
    shutil.rmtree(lake.derived("served"))
    lake.replace("served", pd.DataFrame({"subject_id": ["zebra-9"]}))
    assert damaged(lake.root, TODAY) == Counter()
    commit = min((lake.derived("served") / "_delta_log").glob("*.json"))
    commit.write_text(commit.read_text() + "\n")
    assert damaged(lake.root, TODAY) == Counter({"derived/served": 1})


def test_only_what_is_new_or_touched_is_read(lake, read):
    """Nothing on a night on which nothing came; one file where one was touched, or is new."""
    damaged(lake.root, TODAY)
    n_files = len(read)
    read.clear()
    damaged(lake.root, TODAY)
    assert (n_files > 20, read) == (True, [])
    a_file(lake).touch()
    damaged(lake.root, TODAY)
    assert read == [a_file(lake)]
    read.clear()
    lake.replace("served", pd.DataFrame({"subject_id": ["zebra"]}))
    damaged(lake.root, TODAY)
    assert {path.parts[-2] for path in read} <= {"served", "_delta_log"}


def test_every_file_is_compared_once_in_a_period_and_so_rot_is_found(lake, read):
    """A file whose bytes changed while its mark did not: found within 28 days, whatever day the first look was."""
    damaged(lake.root, TODAY)
    n_files, path = len(read), a_file(lake)
    read.clear()
    days = [len(read) for day in range(1, PERIOD_DAYS + 1) if damaged(lake.root, TODAY + day) == Counter()]
    assert (len(read), len(set(read))) == (n_files, n_files)
    assert max(later - former for former, later in zip([0, *days], days, strict=False)) < n_files / 4
    content = path.read_bytes()
    path.write_bytes(content[:-30] + bytes([content[-30] ^ 1]) + content[-29:])
    memory = lake.root / "derived" / "digests.json"
    told = recall(memory)
    (name,) = (name for name in told if name.endswith(path.name))
    told[name][0] = mark_of(path)
    remember(memory, told)
    found = [damaged(lake.root, TODAY + PERIOD_DAYS + day) for day in range(1, PERIOD_DAYS + 1)]
    assert found[-1] == Counter({"raw/subjects": 1})
    assert "zebra" not in memory.read_text()


def test_what_is_remembered_may_be_thrown_away(lake):
    """Without it, or after files went, every file that counts is new."""
    damaged(lake.root, TODAY)
    memory = lake.root / "derived" / "digests.json"
    before = memory.read_bytes()
    memory.unlink()
    assert damaged(lake.root, TODAY) == Counter()
    assert memory.read_bytes() == before


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    """Still JSON, and still of the form of what is remembered."""
    at = content.rindex(b'"') - 5
    return content[:at] + (b"1" if content[at : at + 1] == b"0" else b"0") + content[at + 1 :]


@pytest.mark.parametrize("damage", [cut, flipped, lambda _: b"", lambda _: b"3", lambda _: b"\xff", lambda _: b"{}"])
def test_a_memory_that_is_damaged_counts_as_thrown_away(lake, damage):
    """It stops no night, and accuses no file that is whole."""
    damaged(lake.root, TODAY)
    memory = lake.root / "derived" / "digests.json"
    before = memory.read_bytes()
    memory.write_bytes(damage(before))
    assert memory.read_bytes() != before
    assert damaged(lake.root, TODAY) == Counter()
    assert memory.read_bytes() == before


def commits(lake: Lake) -> list[Path]:
    """Those of the subjects, oldest first."""
    return sorted((lake.root / "raw" / "subjects" / "_delta_log").glob("*.json"))


@pytest.mark.parametrize("n_lost", [1, 2])
def test_newest_commits_that_are_gone_are_missed_until_they_are_put_back(lake, n_lost):
    """Without them the table reads well, less what they brought."""
    assert damaged(lake.root, TODAY) == Counter()
    files, lost = lake.files("subjects"), {path: path.read_bytes() for path in commits(lake)[-n_lost:]}
    for path in lost:
        path.unlink()
    assert len(lake.files("subjects")) < len(files)
    for _ in range(2):
        assert damaged(lake.root, TODAY) == Counter({"raw/subjects": n_lost})
    for path, content in lost.items():
        path.write_bytes(content)
    assert damaged(lake.root, TODAY) == Counter()


def test_another_commit_in_the_place_of_the_newest_is_found(lake):
    """What is taken in before anybody looks gets the number of the lost one."""
    damaged(lake.root, TODAY)
    commits(lake)[-1].unlink()
    rows = pd.DataFrame({"subject_id": ["zebra-9"], "source": "a", "device_id": "registry", "enrolled_on": date(2026, 5, 1),
                         "received_at": pd.Timestamp("2026-06-01", tz="UTC").as_unit("us"), "is_deleted": False})  # fmt: skip
    ingest(lake, [Batch("subjects", rows, "subjects")], "told 9")
    assert damaged(lake.root, TODAY) == Counter({"raw/subjects": 1})


def test_commits_that_a_checkpoint_holds_may_go(lake):
    """The Delta package removes them by itself; only from the newest on none may."""
    damaged(lake.root, TODAY)
    table = DeltaTable(str(lake.root / "raw" / "subjects"))
    n_commits = len(commits(lake))
    table.create_checkpoint()
    table.cleanup_metadata()
    assert len(commits(lake)) < n_commits
    assert damaged(lake.root, TODAY) == Counter()
    commits(lake)[0].touch()
    assert damaged(lake.root, TODAY) == Counter()


@pytest.mark.parametrize("gone", ["raw/subjects", "raw/subjects/_delta_log"])
def test_while_a_table_cannot_be_read_its_files_stay_known(lake, gone):
    """A table that is gone is no table that never was; and what was damaged beside its log is no new file once the log is back."""
    damaged(lake.root, TODAY)
    path, content = a_file(lake), a_file(lake).read_bytes()
    # Whole by its checksums, but another file's.
    path.write_bytes(Path(sorted(lake.files("subjects"))[1]).read_bytes())
    (lake.root / gone).rename(lake.root / "away")
    assert damaged(lake.root, TODAY) == Counter({"raw/subjects": 1})
    (lake.root / "away").rename(lake.root / gone)
    assert damaged(lake.root, TODAY) == Counter({"raw/subjects": 1})
    path.write_bytes(content)
    assert damaged(lake.root, TODAY) == Counter()


def test_the_id_of_a_raw_table_is_guarded(lake):
    """With another id it would look like a table that was begun anew, and everything in its log like new."""
    damaged(lake.root, TODAY)
    own = DeltaTable(str(lake.root / "raw" / "subjects")).metadata().id
    (commit,) = (path for path in commits(lake) if own in path.read_text())
    commit.write_text(commit.read_text().replace(own, own[:-1] + ("1" if own[-1] == "0" else "0")))
    assert damaged(lake.root, TODAY) == Counter({"raw/subjects": 1})
