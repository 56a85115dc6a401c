"""A program that brings a database what it lacks and is killed with SIGKILL at the n-th step it takes with the server.

Run with a folder of deliveries, a connection string with `{}` for the database, and a template database: for n = 1, 2, ...
it copies the template to `killed_n`, forks a process that works there and dies just before its n-th step, and stops when
one gets to the end alive. Forking spares loading pandas each time.
"""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import psycopg
from pydantic import SecretStr

from pipelines.sink_sections import Postgres
from pipelines.sinks.catching_up import bring_to
from pipelines.sinks.postgres.sink import PostgresSink
from pipelines.sinks.published import stock


def die_at(step: int) -> None:
    """Kill this process just before its n-th statement, piece of COPY, end of COPY, or commit."""
    left = step

    def counted(function: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)

        return call

    psycopg.Connection.execute = counted(psycopg.Connection.execute)  # type: ignore[method-assign]
    psycopg.Copy.write = counted(psycopg.Copy.write)  # type: ignore[method-assign]
    psycopg.Copy.__exit__ = counted(psycopg.Copy.__exit__)  # type: ignore[method-assign]
    psycopg.Transaction.__exit__ = counted(psycopg.Transaction.__exit__)  # type: ignore[method-assign]


def main(root: Path, dsn: str, template: str) -> None:
    """Bring, and be killed on the way, at every step in turn."""
    there = stock(root)
    for step in range(1, 500):
        database = f"killed_{step:03}"
        with psycopg.connect(dsn.format("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database} TEMPLATE {template}".encode())
        child = os.fork()
        if child == 0:
            die_at(step)
            bring_to("postgres", lambda: PostgresSink(Postgres(dsn=SecretStr(dsn.format(database)))), there)  # noqa: B023
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
