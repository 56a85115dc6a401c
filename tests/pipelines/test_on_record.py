"""Which deliveries the audit log lacks: found along what supersedes what, back to the last on record."""

import json
from pathlib import Path

import pytest

from pipelines import on_record
from pipelines.delivery import manifest

NIGHT = "2026-07-01"


@pytest.fixture
def night(tmp_path) -> Path:
    """`d`, in force, took the place of `c`, a notice of a withdrawal, and so on: `b`, and `a`, the first."""
    folder = tmp_path / NIGHT
    for run, supersedes, withdrawn in (("a", None, []), ("b", "a", []), ("c", "b", ["token"]), ("d", "c", [])):
        body = {"supersedes": supersedes, "withdrawn": withdrawn}
        (folder / run).mkdir(parents=True)
        (folder / run / "manifest.json").write_bytes(manifest.to_bytes({**body, manifest.SEAL: manifest.seal(body)}))
    in_force(folder, "d")
    return folder


def in_force(night: Path, run: str) -> None:
    (night / "latest.json").write_text(json.dumps({"run_id": run}))


@pytest.mark.parametrize(
    ("run", "recorded", "found"),
    [("d", "", "abd"), ("d", "a", "bd"), ("d", "ab", "d"), ("d", "abd", ""), ("c", "a", "b"), ("c", "ab", ""), ("a", "", "a")],
)  # fmt: skip
def test_what_was_in_force_and_is_not_on_record_is_missing(night, run, recorded, found):
    """Oldest first, back to the last on record, through a notice, which is on record with its withdrawal and no delivery."""
    assert [folder.name for folder in on_record.missing(night / run, recorded)] == list(found)


def test_beyond_what_is_damaged_or_gone_nothing_is_looked_for(night):
    """What came after it is told of all the same."""
    (night / "b" / "manifest.json").write_text("{")
    assert [folder.name for folder in on_record.missing(night / "d", "")] == ["d"]
    (night / "c").rename(night.parent / "elsewhere")
    assert [folder.name for folder in on_record.missing(night / "d", "")] == ["d"]


def test_a_night_is_found_however_long_ago_it_was_and_read_only_where_it_must_be(night, monkeypatch):
    """Of any night but those left out; of one that is on record no run before it is read, and a damaged pointer stops nothing."""
    damaged = night.with_name("2026-06-30")
    damaged.mkdir()
    (damaged / "latest.json").write_text("{")
    assert on_record.cut_off(night.parent, {"a"}, ()) == [night / "d"]
    assert on_record.cut_off(night.parent, {"a"}, {NIGHT}) == []
    looked_at, read = [], manifest.read
    monkeypatch.setattr(manifest, "read", lambda folder: looked_at.append(folder.name) or read(folder))
    assert on_record.cut_off(night.parent, {"d"}, ()) == []
    assert set(looked_at) <= {"d"}
