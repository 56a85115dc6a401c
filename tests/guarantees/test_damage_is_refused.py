"""Truncated or flipped bytes, of the champion or in the lake: named and refused, never read, and the last delivery stands.

Real commands in copies of one home, whose champion serves and whose first night is delivered. Damaged deliveries are in
`test_delivery`, damaged files of a source in `test_bad_input_changes_nothing`.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from pipelines.delivery.publish import read_scores
from tests.guarantees import night_that_is_killed as killed
from tests.guarantees.served_home import deliveries, make_served, status
from tests.pipelines.small_job import foretide

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


def test_a_flipped_byte_in_the_lake_is_found_and_named(home):
    """Whatever page of whatever file it is in: `foretide verify` exits 1, names the file, and says what to do."""
    lake = home / ".state" / "lake"
    code, answer, _ = foretide(home, "verify", str(lake))
    assert (code, answer["rows"][0]["state"]) == (0, "ok"), answer
    (path, *_) = sorted(DeltaTable(str(lake / "raw" / "mood")).file_uris())
    (stored, *_) = sorted(DeltaTable(str(lake / "derived" / "days")).file_uris())
    for damaged in (Path(path), Path(stored)):
        column = pq.ParquetFile(damaged).metadata.row_group(0).column(0)
        start = column.dictionary_page_offset if column.has_dictionary_page else column.data_page_offset
        flipped(damaged, start + column.total_compressed_size - 2)
    code, answer, _ = foretide(home, "verify", str(lake))
    told = " ".join(row["finding"] for row in answer["rows"])
    assert code == 1
    assert all(Path(damaged).name in told for damaged in (path, stored)), told
    Path(path).unlink()
    assert "is gone" in str(foretide(home, "verify", str(lake))[1]["rows"])
