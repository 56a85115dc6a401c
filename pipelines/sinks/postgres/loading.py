"""Puts one delivery into the tables, and takes subjects who withdrew out of them; each in one transaction."""

import json
from collections.abc import Sequence

import psycopg
import pyarrow as pa
from psycopg import sql

from pipelines.delivery import manifest
from pipelines.delivery.contract import COLUMNS
from pipelines.sink_sections import Postgres
from pipelines.sinks.postgres import copying
from pipelines.sinks.postgres.migrating import lock, use_schema
from pipelines.sinks.published import Published

KEY = ("run_id", "subject_id", "outcome", "horizon_days")
HELD = "SELECT run_id, manifest_sha256 FROM deliveries"
INCOMING = "CREATE TEMPORARY TABLE incoming (LIKE scores) ON COMMIT DROP"
DELIVERY = """
INSERT INTO deliveries (run_id, as_of_date, supersedes, model_versions, policy_version, code_version, input_content,
    manifest_sha256, n_rows, roster_expected, roster_delivered, subjects_erased, delivered_at, is_in_force)
VALUES (%(run_id)s, %(as_of_date)s, %(supersedes)s, %(model_versions)s, %(policy_version)s, %(code_version)s,
    %(input_content)s, %(manifest_sha256)s, %(n_rows)s, %(roster_expected)s, %(roster_delivered)s, %(subjects_erased)s,
    %(delivered_at)s, false)
ON CONFLICT (run_id) DO UPDATE SET manifest_sha256 = excluded.manifest_sha256, n_rows = excluded.n_rows,
    roster_delivered = excluded.roster_delivered, subjects_erased = excluded.subjects_erased"""
UPSERT = sql.SQL("""
INSERT INTO scores ({columns}) SELECT {columns} FROM incoming
ON CONFLICT ({key}) DO UPDATE SET ({others}) = ROW ({new}) WHERE ({old}) IS DISTINCT FROM ({new})""").format(
    columns=sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
    key=sql.SQL(", ").join(map(sql.Identifier, KEY)),
    others=sql.SQL(", ").join(sql.Identifier(name) for name in COLUMNS if name not in KEY),
    old=sql.SQL(", ").join(sql.Identifier("scores", name) for name in COLUMNS if name not in KEY),
    new=sql.SQL(", ").join(sql.Identifier("excluded", name) for name in COLUMNS if name not in KEY),
)
NO_LONGER = """
DELETE FROM scores s WHERE s.run_id = %s AND NOT EXISTS (SELECT FROM incoming i WHERE i.run_id = s.run_id
    AND i.subject_id = s.subject_id AND i.outcome = s.outcome AND i.horizon_days = s.horizon_days)"""
# Also by what the table says: a process that was stopped and wakes late knows nothing of what came after.
IS_SUPERSEDED = "SELECT EXISTS (SELECT FROM deliveries WHERE run_id = ANY(%s) OR supersedes = %s)"
ENDS = "UPDATE deliveries SET is_in_force = false WHERE as_of_date = %s AND is_in_force AND run_id <> %s"
BEGINS = "UPDATE deliveries SET is_in_force = true WHERE run_id = %s AND NOT is_in_force"
FORGET = """
DELETE FROM scores WHERE subject_id IN
    (SELECT subject_id FROM scores WHERE score_id = ANY(%s) AND status <> 'consent_withdrawn')"""


def held(connection: psycopg.Connection, settings: Postgres) -> dict[str, str]:
    """Each run that is there, with the seal of the manifest it came with."""
    with connection.transaction():
        use_schema(connection, settings)
        return dict(connection.execute(HELD).fetchall())


def load(connection: psycopg.Connection, settings: Postgres, delivery: Published, rows: pa.Table) -> None:
    """Put a delivery's rows in place of what is there of its run, and in force unless a later one is there."""
    with connection.transaction():
        lock(connection, settings)
        use_schema(connection, settings)
        is_new = connection.execute("SELECT FROM deliveries WHERE run_id = %s", [delivery.run_id]).rowcount == 0
        connection.execute(DELIVERY, _told(delivery))
        if is_new:
            _copy(connection, rows, "scores")
        else:
            _replace(connection, delivery, rows)
        _put_in_force(connection, delivery)


def _replace(connection: psycopg.Connection, delivery: Published, rows: pa.Table) -> None:
    """Let the run have these rows and no others; those that are there already are not written again."""
    connection.execute(INCOMING)
    _copy(connection, rows, "incoming")
    connection.execute("ANALYZE incoming")
    connection.execute(NO_LONGER, [delivery.run_id])
    connection.execute(UPSERT)


def forget(connection: psycopg.Connection, settings: Postgres, score_ids: Sequence[str]) -> int:
    """Erase every row, of every night, of the subjects to whom these scores belong."""
    with connection.transaction():
        lock(connection, settings)
        use_schema(connection, settings)
        return connection.execute(FORGET, [list(score_ids)]).rowcount


def _copy(connection: psycopg.Connection, rows: pa.Table, table: str) -> None:
    columns = sql.SQL(", ").join(map(sql.Identifier, rows.column_names))
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(sql.Identifier(table), columns)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for chunk in copying.chunks(rows):
            copy.write(chunk)


def _told(delivery: Published) -> dict[str, object]:
    body = delivery.body
    names = ("run_id", "as_of_date", "supersedes", "policy_version", "code_version", "input_content")
    return {name: body[name] for name in names} | {
        "model_versions": json.dumps(body["model_versions"]),
        "manifest_sha256": delivery.seal,
        "n_rows": body["rows"],
        "roster_expected": body["roster"]["expected"],
        "roster_delivered": body["roster"]["delivered"],
        "subjects_erased": manifest.subjects_erased(body),
        "delivered_at": body["transactionTime"],
    }


def _put_in_force(connection: psycopg.Connection, delivery: Published) -> None:
    later = connection.execute(IS_SUPERSEDED, [list(delivery.later), delivery.run_id]).fetchone()
    if later == (False,):
        # One after the other: there is never more than one in force.
        connection.execute(ENDS, [delivery.night, delivery.run_id])
        connection.execute(BEGINS, [delivery.run_id])
