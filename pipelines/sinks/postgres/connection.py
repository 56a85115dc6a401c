"""Connecting to PostgreSQL, and saying in words what went wrong there.

The server's own messages are never passed on: they quote rows, and those of a failed connection quote the address.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict

from pipelines.errors import Refused
from pipelines.sink_sections import Postgres
from pipelines.sinks.sink import Unreachable

NAME = "PostgreSQL"
# A server that vanished without a word is given up after a minute; what the connection string says comes first.
LIVELINESS = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
LOCK_SECONDS = 60
REASONS = {
    "08": "the connection broke",
    "28": "the login was refused",
    "3D000": "there is no such database",
    "3F000": "there is no such schema",
    "42501": "the login lacks a right that it needs (docs/sinks.md lists them)",
    "53": "the server is out of disk space, memory or connections",
    "55P03": "another process holds its lock",
    "57014": "a statement took longer than `statement_seconds:`",
    "57P": "the server is starting, shutting down or was stopped",
}
# libpq gives no code where no connection came about; the words are its own, in English unless the machine says otherwise.
PHRASES = {
    "password": "the login was refused",
    "authentication": "the login was refused",
    "does not exist": "there is no such database or role",
    "timeout": "no answer in time",
    "refused": "nothing answers at its address",
    "no such file": "nothing answers at its address",
    "translate host name": "its host name is not known",
    "resolve": "its host name is not known",
    "ssl": "the encrypted connection failed",
    "certificate": "the encrypted connection failed",
    "starting up": "the server is starting",
    "shutting down": "the server is shutting down",
    "closed": "the connection broke",
}


def connect(settings: Postgres) -> psycopg.Connection:
    """A connection in which nothing waits for ever, in autocommit: every write opens its own transaction.

    Raises:
        Unreachable: there is no way to it now; says why, without the address.
    """
    try:
        given = conninfo_to_dict(settings.connection_string())
    except psycopg.Error:
        # Its own text quotes the string.
        raise Unreachable(f"{NAME}: the connection string is not readable. Write it as libpq takes it.") from None
    except Refused as refused:
        raise Unreachable(f"{NAME}: {refused}") from None
    given = {"application_name": "foretide", **LIVELINESS, **given, "connect_timeout": settings.connect_seconds}
    # Not as start-up options, which connection poolers refuse.
    limits = {"statement_timeout": settings.statement_seconds * 1000, "lock_timeout": LOCK_SECONDS * 1000}
    with told():
        connection: psycopg.Connection = psycopg.connect(**given, autocommit=True)  # type: ignore[arg-type]
        try:
            for name, value in {**limits, "timezone": "UTC"}.items():
                connection.execute("SELECT set_config(%s, %s, false)", [name, str(value)])
        except psycopg.Error:
            connection.close()
            raise
    return connection


@contextmanager
def told() -> Iterator[None]:
    """Turn what PostgreSQL raises into our words.

    Raises:
        Refused: the rows at hand are not what the tables take.
        Unreachable: anything else.
    """
    try:
        yield
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        raise Refused(f"{NAME} refused the rows of a delivery{_code(error)}.") from None
    except psycopg.Error as error:
        raise Unreachable(f"{NAME} cannot be used now: {reason(error)}{_code(error)}.") from None


def reason(error: psycopg.Error) -> str:
    """Why, in words."""
    code = error.sqlstate or ""
    coded = next((words for start, words in REASONS.items() if code.startswith(start)), "")
    if coded or code:
        return coded or "a statement failed"
    text = str(error).lower()
    return next((words for phrase, words in PHRASES.items() if phrase in text), "no connection came about")


def _code(error: psycopg.Error) -> str:
    """The server's code, which its manual explains; there is none where no connection came about."""
    return f" (code {error.sqlstate})" if error.sqlstate else ""
