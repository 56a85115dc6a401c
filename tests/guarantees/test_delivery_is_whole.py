"""A consumer sees the old delivery or the new one, whole; a damaged one is named and never read."""

import importlib.util
import multiprocessing
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipelines.delivery import parquet
from pipelines.delivery.manifest import MANIFEST_NAME, context_of, read
from pipelines.delivery.publish import LOCK_NAME, UNFINISHED, current, in_place_of, publish, read_scores
from pipelines.delivery.verify import verify
from pipelines.errors import Fault, Refused

PROGRAM = Path(__file__).with_name("publishing_that_is_killed.py")
SPEC = importlib.util.spec_from_file_location(PROGRAM.stem, PROGRAM)
killed = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(killed)
STEPS_AT_LEAST = 50


def content(root: Path) -> dict[str, bytes]:
    """Everything that a consumer could read under a folder of deliveries."""
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def old_and_new(tmp_path_factory):
    """Folder with `before`, one old delivery, and `after`, the old and the new one, published undisturbed."""
    folder = tmp_path_factory.mktemp("deliveries")
    old, new = killed.context("old"), killed.context("new")
    publish(folder / "before", killed.night(old), old)
    shutil.copytree(folder / "before", folder / "after")
    publish(folder / "after", killed.night(new), new)
    return folder


def run_ids():
    """The run ids of the old and the new delivery."""
    return killed.context("old").run_id, killed.context("new").run_id


def test_kill_9_at_any_step_leaves_the_old_or_the_new_delivery_whole(old_and_new):
    """Killed before any open, write, flush, fsync, close, mkdir, rename: readers are safe, a rerun ends the same."""
    subprocess.run([sys.executable, str(PROGRAM), str(old_and_new)], check=True, env={**os.environ, "PYTHONPATH": "."})
    trials = sorted(old_and_new.glob("killed-*"))
    assert len(trials) > STEPS_AT_LEAST
    after, seen = content(old_and_new / "after"), []
    of, rows = killed.context("new"), killed.night(killed.context("new"))
    for root in trials:
        in_force = current(root, killed.AS_OF)
        seen.append(in_force.name)
        for folder in in_force.parent.iterdir():
            if folder.is_dir() and not folder.name.startswith(UNFINISHED):
                assert verify(folder).is_whole, root.name  # all files are there as soon as the name is
        publish(root, rows, of)
        assert content(root) == after, root.name
    old, new = run_ids()
    assert seen == [old] * seen.count(old) + [new] * seen.count(new)
    assert seen[0] == old
    assert seen[-1] == new


def test_publishing_again_changes_no_byte(old_and_new, tmp_path):
    """The same inputs twice, or on another machine, are the same files byte for byte."""
    after = content(old_and_new / "after")
    for name in ("old", "new", "new"):
        publish(tmp_path, killed.night(killed.context(name)), killed.context(name))
    assert content(tmp_path) == after


def test_any_truncated_or_flipped_file_is_named(old_and_new, tmp_path):
    """Every file, cut at 20 places and with single bits flipped at 20 places, is found and named."""
    whole = old_and_new / "after" / "2026-06-30" / run_ids()[1]
    folder = tmp_path / whole.name
    shutil.copytree(whole, folder)
    assert verify(folder).is_whole
    for path in folder.iterdir():
        original = path.read_bytes()
        for part in range(20):
            at = part * (len(original) - 1) // 19
            flipped = bytearray(original)
            flipped[at] ^= 1 << part % 8
            for damaged in (original[:at], bytes(flipped)):
                path.write_bytes(damaged)
                assert any(path.name in fault for fault in verify(folder).faults), (path.name, at)
        path.write_bytes(original)


def test_missing_and_added_files_are_found(old_and_new, tmp_path):
    """A file taken away, one put in, a renamed folder, or no manifest: each is a fault."""
    whole = old_and_new / "after" / "2026-06-30" / run_ids()[1]
    for number, damage in enumerate(
        (
            lambda f: (f / "scores.csv").unlink(),
            lambda f: (f / "extra.csv").write_text("x"),
            lambda f: (f / "manifest.json").unlink(),
            lambda f: f,
        )
    ):
        folder = tmp_path / str(number) / ("renamed" if number == 3 else whole.name)
        shutil.copytree(whole, folder)
        damage(folder)
        assert len(verify(folder).faults) == 1


def test_scores_are_never_read_from_a_damaged_file(old_and_new, tmp_path):
    """Whatever bit of the Parquet file is flipped, its rows are refused, not read."""
    folder = tmp_path / run_ids()[1]
    shutil.copytree(old_and_new / "after" / "2026-06-30" / run_ids()[1], folder)
    path = folder / "scores.parquet"
    original = path.read_bytes()
    assert len(read_scores(folder)) == 300
    for at in range(0, len(original), 97):
        damaged = bytearray(original)
        damaged[at] ^= 0x10
        path.write_bytes(bytes(damaged))
        with pytest.raises(Refused, match=r"scores\.parquet"):
            read_scores(folder)


def test_a_flipped_page_is_found_without_the_manifest(old_and_new, tmp_path):
    """A consumer who has the Parquet file alone finds damage in its data pages by their checksums."""
    original = (old_and_new / "after" / "2026-06-30" / run_ids()[1] / "scores.parquet").read_bytes()
    path = tmp_path / "scores.parquet"
    path.write_bytes(original)
    column = pq.ParquetFile(path).metadata.row_group(0).column(7)
    damaged = bytearray(original)
    damaged[column.data_page_offset + column.total_compressed_size // 2] ^= 0x10
    path.write_bytes(bytes(damaged))
    with pytest.raises(Refused, match="damaged"):
        parquet.read(path)


def harmed(root: Path, name: str, *, is_gone: bool) -> None:
    """Take a file of the delivery in force away, or its last byte."""
    path = current(root, killed.AS_OF) / name
    path.unlink() if is_gone else path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_delivery_that_was_damaged_is_put_back_by_the_same_run(tmp_path, is_gone):
    """Whatever is damaged or gone in it, the same inputs again give the same bytes; without a manifest to tell what it took the
    place of, another run takes its own. What is in force is whole."""
    for inputs in ("old", "new"):
        of = in_place_of(tmp_path, killed.context(inputs))
        publish(tmp_path, killed.night(of), of)
    before = content(tmp_path)
    names = sorted(path.name for path in current(tmp_path, killed.AS_OF).iterdir())
    for name in [*(name for name in names if name != MANIFEST_NAME), MANIFEST_NAME]:
        harmed(tmp_path, name, is_gone=is_gone)
        of = in_place_of(tmp_path, killed.context("new"))
        publish(tmp_path, killed.night(of), of)
        assert verify(current(tmp_path, killed.AS_OF)).is_whole
        assert content(tmp_path) == before or name == MANIFEST_NAME


def test_a_damaged_delivery_is_not_put_back_with_other_bytes(tmp_path):
    """Consumers hold the ones of before under the same run: it is a fault, and what is left stays."""
    of = killed.context("old")
    publish(tmp_path, killed.night(of), of)
    harmed(tmp_path, parquet.NAME, is_gone=False)
    before, rows = content(tmp_path), killed.night(of)
    with pytest.raises(Fault, match="other bytes; the published delivery is damaged and was not put back"):
        publish(tmp_path, rows.assign(completeness=rows["completeness"] / 2), of)
    assert content(tmp_path) == before


def put(root: Path, inputs: str) -> None:
    """Publish the night of these inputs as a command does."""
    of = in_place_of(root, killed.context(inputs))
    publish(root, killed.night(of), of)


def test_a_delivery_that_is_being_put_back_can_be_cut_off(tmp_path, monkeypatch):
    """At any rename: the next time the same run is put back, the same bytes, for its manifest tells what it superseded."""
    for inputs in ("old", "new"):
        put(tmp_path / "whole", inputs)
    before, renamed, step, is_cut_off = content(tmp_path / "whole"), Path.rename, 0, True
    while is_cut_off:
        root, left, step = tmp_path / f"{step}", iter(range(step)), step + 1
        shutil.copytree(tmp_path / "whole", root)
        harmed(root, parquet.NAME, is_gone=False)

        def rename(path: Path, target: Path, left=left) -> Path:
            if next(left, None) is None:
                raise KeyboardInterrupt
            return renamed(path, target)

        with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
            patched.setattr(Path, "rename", rename)
            put(root, "new")
            is_cut_off = False
        put(root, "new")
        assert content(root) == before, step
    assert step > len(list(current(root, killed.AS_OF).iterdir()))


def test_a_night_that_comes_back_to_earlier_inputs_is_another_run(tmp_path):
    """A, B, and A's inputs again: three runs, each superseding the one before it; the same again is the third one."""
    runs = []
    for inputs in ("old", "new", "old", "old"):
        of = in_place_of(tmp_path, killed.context(inputs))
        publish(tmp_path, killed.night(of), of)
        runs.append(current(tmp_path, killed.AS_OF).name)
        assert context_of(read(tmp_path / of.night / of.run_id)) == of
    assert len(set(runs)) == 3
    assert runs[2] == runs[3]
    told = [read(tmp_path / "2026-06-30" / run)["supersedes"] for run in runs[:3]]
    assert told == [None, *runs[:2]]


def test_a_superseded_run_cannot_come_back_under_its_own_name(tmp_path):
    """Consumers and sinks know it as superseded for good: it is a fault, and nothing changes."""
    for inputs in ("old", "new"):
        publish(tmp_path, killed.night(killed.context(inputs)), killed.context(inputs))
    before = content(tmp_path)
    with pytest.raises(Fault, match="superseded since"):
        publish(tmp_path, killed.night(killed.context("old")), killed.context("old"))
    assert content(tmp_path) == before


def _hold_lock(root: str, held, done) -> None:
    import fcntl

    with (Path(root) / LOCK_NAME).open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        held.set()
        done.wait(30)


def test_of_two_at_once_one_publishes_and_the_other_is_refused(old_and_new, tmp_path):
    """While another process holds the lock, publishing is refused and leaves everything as it was."""
    shutil.copytree(old_and_new / "before", tmp_path / "root")
    spawn = multiprocessing.get_context("spawn")
    held, done = spawn.Event(), spawn.Event()
    other = spawn.Process(target=_hold_lock, args=(str(tmp_path / "root"), held, done))
    other.start()
    try:
        assert held.wait(30)
        before = content(tmp_path)
        with pytest.raises(Refused, match="Another process is publishing"):
            publish(tmp_path / "root", killed.night(killed.context("new")), killed.context("new"))
        assert content(tmp_path) == before
    finally:
        done.set()
        other.join(30)
    publish(tmp_path / "root", killed.night(killed.context("new")), killed.context("new"))
