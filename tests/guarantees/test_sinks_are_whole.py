"""A consumer of PostgreSQL sees the old night or the new one, whole, whatever happens to who brings it or to the server."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from pipelines.sink_sections import Postgres
from pipelines.sinks.catching_up import bring_to
from pipelines.sinks.postgres import copying
from pipelines.sinks.postgres.sink import PostgresSink
from pipelines.sinks.published import stock
from tests.pipelines.postgres_server import Server
from tests.pipelines.sink_nights import publish_night

PROGRAM = Path(__file__).with_name("loading_that_is_killed.py")
NIGHT = "2026-06-30"
STEPS_AT_LEAST = 25
SEEN = "SELECT run_id, count(*) FROM foretide.latest_scores GROUP BY run_id"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A real PostgreSQL on the loopback."""
    made = Server().start()
    yield made
    made.remove()


def bring(root: Path, dsn: str) -> str:
    """Bring a database what it lacks; its state."""
    return bring_to("postgres", lambda: PostgresSink(Postgres(dsn=dsn)), stock(root)).state


def content(dsn: str) -> dict[str, list[tuple]]:
    """Everything that the tables hold."""
    with psycopg.connect(dsn) as connection:
        return {
            name: connection.execute(f"SELECT * FROM foretide.{name} ORDER BY 1, 3").fetchall()
            for name in ("scores", "deliveries")
        }


def test_kill_9_at_any_step_leaves_the_old_or_the_new_night_whole(server, tmp_path):
    """Killed before any statement, piece of COPY or commit: readers see 12 rows of one run; a rerun ends the same."""
    root = tmp_path / "deliveries"
    old = publish_night(root, NIGHT).name
    bring(root, server.database("before"))
    new = publish_night(root, NIGHT, "b").name
    dsn = server.dsn(database="{}")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, str(PROGRAM), str(root), dsn, "before"], check=True, env=environment)
    with psycopg.connect(server.dsn()) as connection:
        names = "SELECT datname FROM pg_database WHERE datname LIKE 'killed%' ORDER BY 1"
        databases = [name for (name,) in connection.execute(names)]
    assert len(databases) > STEPS_AT_LEAST
    seen, ended = [], []
    for name in databases:
        with psycopg.connect(dsn.format(name)) as connection:
            ((run_id, rows),) = connection.execute(SEEN).fetchall()
        assert rows == 12, name
        seen.append(run_id)
        assert bring(root, dsn.format(name)) == "up to date", name
        ended.append(content(dsn.format(name)))
    assert seen == [old] * seen.count(old) + [new] * seen.count(new)
    assert (seen[0], seen[-1]) == (old, new)
    assert all(one == ended[0] for one in ended)


def test_a_server_that_is_killed_in_mid_load_has_the_old_night_when_it_is_back(tmp_path, monkeypatch):
    """The server goes down as if by a power cut while rows are on their way: the sink is behind, then catches up."""
    server, root = Server().start(), tmp_path / "deliveries"
    try:
        old = publish_night(root, NIGHT).name
        dsn = server.database("scores")
        bring(root, dsn)
        new = publish_night(root, NIGHT, "b").name
        whole = copying.chunks

        def cut(table):
            yield from whole(table)
            server.stop("immediate")
            yield from whole(table)

        with monkeypatch.context() as patched:
            patched.setattr(copying, "chunks", cut)
            assert bring(root, dsn) == "behind"
        server.start()
        with psycopg.connect(dsn) as connection:
            assert connection.execute(SEEN).fetchall() == [(old, 12)]
        assert bring(root, dsn) == "up to date"
        with psycopg.connect(dsn) as connection:
            assert connection.execute(SEEN).fetchall() == [(new, 12)]
    finally:
        server.remove()


def test_readers_meet_whole_nights_only_while_nights_are_replaced(server, tmp_path):
    """A consumer that asks all the time, while deliveries supersede one another, never sees two runs or half of one."""
    root, dsn = tmp_path / "deliveries", server.database("scores")
    publish_night(root, NIGHT)
    bring(root, dsn)
    met: set[tuple] = set()
    stop = threading.Event()

    def read() -> None:
        with psycopg.connect(dsn, autocommit=True) as connection:
            while not stop.is_set():
                met.add(tuple(connection.execute(SEEN).fetchall()))
                time.sleep(0.002)

    reader = threading.Thread(target=read)
    reader.start()
    for version in "bcdefg":
        publish_night(root, NIGHT, version)
        assert bring(root, dsn) == "up to date"
    stop.set()
    reader.join()
    assert len(met) > 2
    assert all(len(rows) == 1 and rows[0][1] == 12 for rows in met)
