"""What files hold is remembered, and stays what a look through all rows would find."""

import hashlib

import pandas as pd
import pytest

from pipelines import contents
from pipelines.door.intake import ingest
from pipelines.lake import Lake
from tests.pipelines.test_lake import DAY, START, lake_with, mood

# PyArrow 25 calls what pandas 3.1 deprecates: its warning, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")


def by_all_rows(lake: Lake, known_at: pd.Timestamp) -> tuple[str, pd.Timestamp | None]:
    """The version of what was known and the newest receipt of an answer, from every row there is."""
    connection, digest = lake.connection(), hashlib.sha256()
    for name in lake.tables():
        known = lake.history(name, known_at, connection).aggregate("ingest_id, count(*) AS n", "ingest_id")
        digest.update(f"{name}{known.order('ingest_id').fetchall()}".encode())
    newest = lake.history("mood", known_at, connection).aggregate("max(epoch_us(received_at))").fetchall()[0][0]
    return digest.hexdigest(), None if newest is None else pd.Timestamp(newest, unit="us", tz="UTC")


def assert_as_by_all_rows(lake: Lake) -> None:
    """Of instants before, amid and after everything, and to the very instant of a receipt."""
    for known_at in (START - DAY, START, START + 2 * DAY, START + 3 * DAY, START + 300 * DAY):
        found = contents.version(lake, known_at), contents.last_received_at(lake, "mood", known_at)
        assert found == by_all_rows(lake, known_at)


def test_what_is_remembered_is_what_is_there(tmp_path):
    """Of files of which everything, something or nothing was known, of new ones, and after rows were taken away."""
    lake = lake_with(tmp_path, [("s-0", 1, 5.0, 2, False), ("s-0", 2, 6.0, 9, False), ("s-1", 1, 1.0, 3, False)])
    assert_as_by_all_rows(lake)
    assert_as_by_all_rows(Lake(tmp_path))
    ingest(lake, [mood([("s-1", 1, 2.0, 5, False), ("s-2", 1, 2.0, 4, False)])], "delivery-1")
    assert_as_by_all_rows(lake)
    assert contents.ingest_ids(lake, "mood") == ["delivery-0", "delivery-1"]
    lake.delete_ingest("mood", "delivery-0")
    assert_as_by_all_rows(lake)
    assert contents.ingest_ids(lake, "mood") == ["delivery-1"]


def test_files_are_looked_through_once(tmp_path, monkeypatch):
    """What is asked of a history costs what is new of it."""
    lake, looked_at = lake_with(tmp_path, [("s-0", 1, 5.0, 2, False)]), []
    look = contents._looked_through
    monkeypatch.setattr(contents, "_looked_through", lambda lake, files: looked_at.extend(files) or look(lake, files))
    contents.version(lake, START + 300 * DAY)
    first = len(looked_at)
    contents.version(lake, START + 300 * DAY)
    ingest(lake, [mood([("s-1", 1, 2.0, 5, False)])], "delivery-1")
    contents.version(lake, START + 300 * DAY)
    assert 0 < first == len(looked_at) - 1


def test_a_memory_that_is_damaged_is_made_anew(tmp_path):
    """Whether it can still be read or not."""
    lake = lake_with(tmp_path, [("s-0", 1, 5.0, 2, False)])
    assert_as_by_all_rows(lake)
    memory = tmp_path / "derived" / "contents.json"
    before = memory.read_bytes()
    for other in (b"", b"7", b"[]", before[:-9], before.replace(b"delivery-0", b"delivery-8")):
        memory.write_bytes(other)
        assert_as_by_all_rows(lake)
        assert memory.read_bytes() == before
