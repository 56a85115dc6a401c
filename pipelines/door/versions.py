"""Which incoming rows say something new, and which version of their key they are.

What is known of a key is a timeline: what each receipt said, in the order of receipt. A row that says what was said
before it is no news; only its key is kept, among the *repeats*, so that a delivery which was overtaken on the way can
still be put in between: what was repeated after it then becomes news. One that says something else is a version.

Of different rows of one key and one receipt, the one whose content sorts last counts, in whatever order they came; in
one delivery a `version` that the source gives goes before.
"""

from collections.abc import Iterator

import duckdb
import pyarrow as pa

from features.tables import Table
from pipelines.door.spans import whole_times
from pipelines.lake import BUCKETS, Lake
from pipelines.raw_rows import RAW, REPEATS, place_of

ROWS_AT_ONCE = 1_000_000


class Comparison:
    """Compares the rows of the table `incoming`, `rows` of them, with each other and with the lake.

    `versions_restated` counts versions that no incoming row brought: what was repeated after a delivery that was
    overtaken, and the winner of a tie.
    """

    def __init__(self, lake: Lake, connection: duckdb.DuckDBPyConnection, table: Table, rows: int) -> None:
        self.connection, self.table, self.rows = connection, table, rows
        self.versions_restated = 0
        lake.rows(table.name, connection).create_view("stored", replace=True)
        lake.repeats(table.name, connection).create_view("stored_repeats", replace=True)

    def portions(self) -> Iterator[tuple[str, pa.Table]]:
        """`("raw", versions)` and `("repeats", keys)`, some subjects at a time where rows are many."""
        for part in ["TRUE"] if self.rows <= ROWS_AT_ONCE else [f"bucket = {bucket}" for bucket in range(BUCKETS)]:
            self.connection.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS SELECT * FROM incoming WHERE {part}")
            _find_earlier(self.connection, self.table)
            self.connection.execute(f"CREATE OR REPLACE TEMP TABLE judged AS {_judged_sql(self.table)}")
            restated = self.connection.sql("SELECT count(*) FROM judged WHERE is_news AND (is_repeat OR turn = 2)")
            self.versions_restated += restated.fetchall()[0][0]
            for family, query in ((RAW, _news_sql(self.table)), (REPEATS, _repeats_sql(self.table))):
                for batch in self.connection.sql(query).to_arrow_reader(ROWS_AT_ONCE):
                    yield family, pa.table(batch)


def _find_earlier(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Make the tables `earlier` and `repeated` of what the lake holds under incoming keys.

    Rows are first looked for by subject-day, which costs a fraction of comparing whole keys.
    """
    key, names = ", ".join(table.key), ", ".join(table.arrow_schema().names)
    place, incoming = place_of(table, "held"), place_of(table, "fresh")
    sought = ", ".join(f"{expression} AS {name}" for name, expression in incoming.items())
    is_there = " AND ".join(f"{expression} = sought.{name}" for name, expression in place.items())
    partitions = _partitions(connection, table)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE sought AS SELECT DISTINCT {sought} FROM fresh")
    for found, columns, held in (
        ("earlier", f"{names}, bucket, month", "stored"),
        ("repeated", f"{key}, received_at, ingest_id", "stored_repeats"),
    ):
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE {found} AS
            WITH near AS (SELECT held.* FROM {held} AS held SEMI JOIN sought ON {is_there} WHERE {partitions})
            SELECT {columns} FROM near SEMI JOIN fresh USING ({key})""")


def _partitions(connection: duckdb.DuckDBPyConnection, table: Table) -> str:
    """A condition in literals, so that only files and row groups that can hold incoming keys are read.

    Where the time is not part of the key, a correction may have moved its row to another month.
    """
    found = connection.sql("SELECT DISTINCT bucket, month FROM fresh ORDER BY ALL").fetchall()
    if not found:
        return "FALSE"
    buckets = ", ".join(str(bucket) for bucket in sorted({bucket for bucket, _ in found}))
    if table.time not in table.key:
        return f"bucket IN ({buckets})"
    months = ", ".join(f"'{month}'" for month in sorted({month for _, month in found}))
    bounds = connection.sql(f"SELECT min({table.time}), max({table.time}) FROM fresh").to_arrow_table()
    low, high = (time_literal(bounds.column(number)) for number in (0, 1))
    return f"bucket IN ({buckets}) AND month IN ({months}) AND {table.time} BETWEEN {low} AND {high}"


def time_literal(time: pa.ChunkedArray) -> str:
    """The first value of a column of days or instants, as a SQL literal."""
    (whole,) = whole_times(time.slice(0, 1)).to_pylist()
    return f"DATE '1970-01-01' + {whole}" if pa.types.is_date32(time.type) else f"make_timestamptz({whole})"


def _said(table: Table, row: str) -> str:
    """What a row says, beyond which key it is and where it came from."""
    return f"row({', '.join(f'{row}.{n}' for n in (*_contents(table), 'is_deleted'))})"


def _contents(table: Table) -> list[str]:
    return [name for name in table.column_names if name not in table.key]


def _body(table: Table) -> list[str]:
    """Columns that a repeat takes over from what it repeats."""
    own = {*table.key, "received_at", "ingest_id", "version"}
    return [*(name for name in table.arrow_schema().names if name not in own), "bucket", "month"]


def _judged_sql(table: Table) -> str:
    """Each incoming row and each earlier repeat with whether it is news, in the timeline of its key.

    `turn` puts what is stored before what is new at one receipt; `again` says the stored winner of a tie once more
    after the rows that joined the tie without winning it.
    """
    key, body = ", ".join(table.key), ", ".join(f"{name} := {name}" for name in _body(table))
    is_same_key = " AND ".join(f"f.{name} = t.{name}" for name in table.key)
    return f"""
        WITH meeting AS (SELECT {key} FROM fresh GROUP BY ALL HAVING count(*) > 1 UNION SELECT {key} FROM earlier),
        told AS (
            SELECT {key}, received_at, ingest_id, version, struct_pack({body}) AS body, FALSE AS is_repeat FROM earlier
            UNION ALL
            SELECT {key}, received_at, ingest_id, NULL, NULL, TRUE FROM repeated),
        filled AS (
            SELECT * REPLACE (last_value(body IGNORE NULLS) OVER (
                PARTITION BY {key} ORDER BY received_at, is_repeat, version ROWS UNBOUNDED PRECEDING) AS body)
            FROM told),
        coming AS (
            SELECT {key}, received_at, ingest_id, version, struct_pack({body}) AS body
            FROM fresh SEMI JOIN meeting USING ({key})),
        joining AS (
            SELECT * FROM coming f WHERE NOT EXISTS (
                SELECT 1 FROM filled t WHERE {is_same_key} AND f.received_at = t.received_at
                    AND {_said(table, "f.body")} IS NOT DISTINCT FROM {_said(table, "t.body")})),
        last_joined AS (
            SELECT {key}, received_at, body FROM joining
            QUALIFY row_number() OVER (PARTITION BY {key}, received_at ORDER BY version DESC, {_said(table, "body")} DESC) = 1),
        winners AS (
            SELECT * FROM filled
            QUALIFY row_number() OVER (PARTITION BY {key}, received_at ORDER BY is_repeat, version DESC) = 1),
        again AS (
            SELECT t.* FROM winners t JOIN last_joined f ON {is_same_key} AND f.received_at = t.received_at
            WHERE {_said(table, "t.body")} > {_said(table, "f.body")}),
        timeline AS (
            SELECT {key}, received_at, ingest_id, version, body, is_repeat, 0 AS turn, NOT is_repeat AS is_stored FROM filled
            UNION ALL SELECT {key}, received_at, ingest_id, version, body, FALSE, 1, FALSE FROM joining
            UNION ALL SELECT {key}, received_at, ingest_id, version, body, FALSE, 2, FALSE FROM again),
        compared AS (
            SELECT *, {_said(table, "body")} IS DISTINCT FROM lag({_said(table, "body")}) OVER in_turn
                   OR row_number() OVER in_turn = 1 AS is_news,
                   received_at IS DISTINCT FROM lag(received_at) OVER in_turn AS is_later,
                   max(version) FILTER (is_stored) OVER (PARTITION BY {key}) AS last_version
            FROM timeline
            WINDOW in_turn AS ({_in_turn(table)}))
        SELECT * FROM compared WHERE NOT is_stored"""


def _in_turn(table: Table) -> str:
    """The order of a key's timeline, as a SQL window."""
    order = f"received_at, turn, is_repeat, version, {_said(table, 'body')}"
    return f"PARTITION BY {', '.join(table.key)} ORDER BY {order}"


def _news_sql(table: Table) -> str:
    names, key = table.arrow_schema().names, ", ".join(table.key)
    own = {*table.key, "received_at", "ingest_id", "version"}
    unpacked = ", ".join(name if name in own else f"body.{name} AS {name}" for name in (*names, "bucket", "month"))
    order = ", ".join(["bucket", "month", "subject_id", *([table.time] if table.time else [])])
    # A deletion is never version 0: a file without later versions then holds none.
    return f"""
        WITH numbered AS (
            SELECT * REPLACE (CAST(row_number() OVER in_turn + coalesce(
                last_version, CAST(first_value(body.is_deleted) OVER in_turn AS INTEGER) - 1) AS INTEGER) AS version)
            FROM judged WHERE is_news WINDOW in_turn AS ({_in_turn(table)}))
        SELECT * FROM (
            SELECT {", ".join(n if n != "version" else "is_deleted::INTEGER AS version" for n in names)}, bucket, month
            FROM fresh ANTI JOIN judged USING ({key}) ANTI JOIN earlier USING ({key})
            UNION ALL SELECT {unpacked} FROM numbered)
        ORDER BY {order}"""


def _repeats_sql(table: Table) -> str:
    key = ", ".join(table.key)
    return f"""
        SELECT {key}, received_at, ingest_id, body.bucket AS bucket, body.month AS month FROM judged
        WHERE NOT is_news AND NOT is_repeat AND is_later
        ORDER BY bucket, month, subject_id"""
