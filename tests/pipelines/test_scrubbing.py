"""Looking for damage in the lake: whatever changed is found, and nothing is read twice but in its turn."""

import json
import shutil
from collections import Counter
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from pipelines import scrubbing
from pipelines.door.intake import ingest
from pipelines.file_digests import mark_of, sha256_of
from pipelines.lake import Lake
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
    told = json.loads(memory.read_bytes())
    (name,) = (name for name in told if name.endswith(path.name))
    told[name][0] = mark_of(path)
    memory.write_text(json.dumps(told))
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
