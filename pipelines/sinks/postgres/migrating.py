"""Brings the schema to the newest version: numbered SQL files, all in one transaction, recorded with their hashes."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql

from pipelines.reports import words
from pipelines.sink_sections import Postgres
from pipelines.sinks.postgres.connection import NAME
from pipelines.sinks.sink import Unreachable

FOLDER = Path(__file__).with_name("migrations")
TABLES, VIEWS = ("scores", "deliveries", "migrations"), ("latest_scores", "score_history", "withdrawal_notices")
RECORD = """CREATE TABLE IF NOT EXISTS migrations (
    number integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"""


class Migration(NamedTuple):
    """One numbered file."""

    number: int
    name: str
    sha256: str
    text: str


def migrations(folder: Path = FOLDER) -> list[Migration]:
    """Every migration there is, in order."""
    found = []
    for path in sorted(folder.glob("[0-9]*.sql")):
        content = path.read_bytes()
        number = int(path.name.split("_")[0])
        found.append(Migration(number, path.name, hashlib.sha256(content).hexdigest(), content.decode()))
    return found


def migrate(connection: psycopg.Connection, settings: Postgres, known: Iterable[Migration]) -> int:
    """Apply what was not applied yet, in one transaction; how many files that were. Nothing is written where none is left.

    Raises:
        Unreachable: a migration that was applied has been altered since, or the schema is of a newer Foretide.
    """
    known = list(known)
    with connection.transaction():
        lock(connection, settings)
        # Unlike `CREATE ... IF NOT EXISTS`, asking first needs no right to create.
        if not _is_there(connection, settings):
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(settings.in_schema)))
        use_schema(connection, settings)
        if connection.execute("SELECT to_regclass('migrations')").fetchone() == (None,):
            connection.execute(RECORD)
        pending = _pending(connection, known)
        for migration in pending:
            connection.execute(migration.text.encode())
            connection.execute("INSERT INTO migrations (number, name, sha256) VALUES (%s, %s, %s)", migration[:3])
        _let_read(connection, settings)
    return len(pending)


def state(connection: psycopg.Connection, settings: Postgres, known: Iterable[Migration]) -> str:
    """How far the schema is, in words; changes nothing.

    Raises:
        Unreachable: as of `migrate`.
    """
    known = list(known)
    with connection.transaction():
        use_schema(connection, settings)
        if connection.execute("SELECT to_regclass('migrations')").fetchone() == (None,):
            return "reached; the schema is made with the first night"
        pending = len(_pending(connection, known))
        nights = connection.execute("SELECT count(DISTINCT as_of_date) FROM deliveries").fetchone()
    held = words.counted(nights[0] if nights else 0, "night")
    behind = f"; {words.counted(pending, 'migration')} will be applied with the next night" if pending else ""
    return f"reached; it holds {held}{behind}"


def lock(connection: psycopg.Connection, settings: Postgres) -> None:
    """Wait for everybody else who changes this schema; let go of at the transaction's end."""
    connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"foretide:{settings.in_schema}"])


def use_schema(connection: psycopg.Connection, settings: Postgres) -> None:
    """Let names without a schema mean ours, until the transaction's end; nothing else is looked at but temporary tables."""
    connection.execute(sql.SQL("SET LOCAL search_path TO {}, pg_temp").format(sql.Identifier(settings.in_schema)))


def _is_there(connection: psycopg.Connection, settings: Postgres) -> bool:
    return connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", [settings.in_schema]).rowcount > 0


def _pending(connection: psycopg.Connection, known: list[Migration]) -> list[Migration]:
    rows = connection.execute("SELECT number, name, sha256 FROM migrations").fetchall()
    applied = {number: (name, sha256) for number, name, sha256 in rows}
    for migration in known:
        name, sha256 = applied.get(migration.number, (migration.name, migration.sha256))
        if (name, sha256) != (migration.name, migration.sha256):
            raise Unreachable(
                f"{NAME}: migration `{migration.name}` was altered after it was applied. Restore the file, and put what is new "
                "into one with the next number."
            )
    if set(applied) - {migration.number for migration in known}:
        raise Unreachable(f"{NAME}: the schema was made by a newer Foretide. Install that one.")
    return [migration for migration in known if migration.number not in applied]


def _let_read(connection: psycopg.Connection, settings: Postgres) -> None:
    """Let the consumers' role read the views and nothing else; statements are given only where something is missing."""
    role, schema = settings.reader_role, settings.in_schema
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).rowcount == 0:
        connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(role)))
    names = {"schema": sql.Identifier(schema), "role": sql.Identifier(role)}
    if connection.execute("SELECT has_schema_privilege(%s, %s, 'USAGE')", [role, schema]).fetchone() != (True,):
        connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {schema} TO {role}").format(**names))
    for view in VIEWS:
        if not _may_read(connection, role, view):
            connection.execute(sql.SQL("GRANT SELECT ON {view} TO {role}").format(view=sql.Identifier(view), **names))
    for table in TABLES:
        # A database's default privileges may have given it.
        if _may_read(connection, role, table):
            statement = sql.SQL("REVOKE ALL ON {table} FROM {role}, PUBLIC")
            connection.execute(statement.format(table=sql.Identifier(table), **names))


def _may_read(connection: psycopg.Connection, role: str, name: str) -> bool:
    return connection.execute("SELECT has_table_privilege(%s, %s, 'SELECT')", [role, name]).fetchone() == (True,)
