"""PostgreSQL as a sink."""

from pipelines.consent.notice import STATUS
from pipelines.delivery.publish import read_table
from pipelines.errors import Refused
from pipelines.sink_sections import Postgres
from pipelines.sinks.postgres import loading
from pipelines.sinks.postgres.connection import connect, told
from pipelines.sinks.postgres.migrating import migrate, migrations, state
from pipelines.sinks.published import Published


class PostgresSink:
    """One database, connected to and brought to the newest schema when made; see `sinks.sink.Sink`."""

    def __init__(self, settings: Postgres) -> None:
        self.settings = settings
        self.nights_at_once = settings.nights_at_once
        self.connection = connect(settings)
        try:
            with told():
                migrate(self.connection, settings, migrations())
        except Refused:
            self.close()
            raise

    def held(self) -> dict[str, str]:
        """The runs that are there, each with the seal of its manifest."""
        with told():
            return loading.held(self.connection, self.settings)

    def forget(self, notice: Published) -> int:
        """Erase whom a notice names by score ids; how many rows went."""
        rows = read_table(notice.folder)
        status, score_ids = (rows[name].to_pylist() for name in ("status", "score_id"))
        named = [score_id for score_id, is_of in zip(score_ids, status, strict=True) if is_of == STATUS]
        with told():
            return loading.forget(self.connection, self.settings, named)

    def bring(self, delivery: Published) -> int:
        """Put a delivery in, whole or not at all; its rows."""
        rows = read_table(delivery.folder)
        with told():
            loading.load(self.connection, self.settings, delivery, rows)
        return int(rows.num_rows)

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


def examine(settings: Postgres) -> str:
    """Whether the database can be reached and what it holds, in words; changes nothing.

    Raises:
        Unreachable: it cannot be used; why, without an address.
    """
    connection = connect(settings)
    try:
        with told():
            return state(connection, settings, migrations())
    finally:
        connection.close()
