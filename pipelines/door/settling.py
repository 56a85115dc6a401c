"""What staged rows come to, once the whole delivery is known: who is enrolled, what is sound, what must be compared.

Subjects whose rows lie, in time, apart from all else that is known of them cannot meet an earlier row: theirs go
straight into the lake. That is nearly all of a night's delivery, and of a first history; the others are compared.
"""

from collections.abc import Iterator

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import feather

from features.tables import Table
from pipelines.door.rules import NOT_ENROLLED
from pipelines.door.spans import Span, subjects_that_meet
from pipelines.door.staging import StagedBatch, Staging
from pipelines.door.versions import Comparison, time_literal
from pipelines.errors import Refused
from pipelines.lake import RAW, Lake

# Rows that one write sorts and cuts into partitions: the more, the fewer files; some 60 bytes each.
ROWS_PER_WRITE = 1_500_000


def register_enrolled(lake: Lake, connection: duckdb.DuckDBPyConnection, staging: Staging) -> None:
    """Make the tables `enrolled`, of who is in the lake already or by this delivery, and `subjects_named` in it.

    Raises:
        Refused: a table is about none of them, or two ids look like one person written in two ways.
    """
    connection.execute(f"""
        CREATE TEMP TABLE enrolled AS
        SELECT DISTINCT subject_id FROM ({lake.rows("subjects", connection).sql_query()})""")
    if staging.of("subjects"):
        staging.rows("subjects", connection).create_view("staged_subjects", replace=True)
        connection.execute("""
            INSERT INTO enrolled SELECT DISTINCT subject_id FROM staged_subjects
            WHERE rule IS NULL AND subject_id NOT IN (SELECT subject_id FROM enrolled)""")
    enrolled = {who for (who,) in connection.sql("SELECT subject_id FROM enrolled").fetchall()}
    named = frozenset().union(*(staged.subjects for staged in staging.batches))
    _refuse_ids_written_in_two_ways(named, enrolled)
    for name in staging.tables():
        clean = sum(staged.received - sum(staged.broken.values()) - staged.withdrawn for staged in staging.of(name))
        if clean and enrolled.isdisjoint(frozenset().union(*(staged.subjects for staged in staging.of(name)))):
            raise Refused(
                f"None of the {clean} rows of `{name}` belongs to an enrolled subject. "
                "Ingest the `subjects` table first, or bring it in the same delivery."
            )


def _refuse_ids_written_in_two_ways(named: frozenset[str], enrolled: set[str]) -> None:
    """`007` and `7`, `A1` and `a1`: a spreadsheet makes one of the other, and then one person is two or two are one."""
    ids = pd.Series(sorted(named | enrolled), dtype="str")
    plain = (
        ids.str.strip().str.casefold().str.replace(r"\.0+$", "", regex=True).str.replace(r"^0+(?=.)", "", regex=True)
    )
    alike = plain[plain.duplicated(keep=False) & plain.isin(plain[ids.isin(named)])]
    if len(alike):
        raise Refused(
            f"`subject_id`: {len(alike)} ids are {alike.nunique()} when case, blanks and leading zeros are left out "
            "(like 007 and 7). Write every id as it was enrolled; if they are different people, give them other ids."
        )


def broken_rules(connection: duckdb.DuckDBPyConnection, staging: Staging, table: str) -> dict[str, int]:
    """How many rows of a table broke which rule, subjects that nobody enrolled among them."""
    counted: dict[str, int] = {}
    for staged in staging.of(table):
        for rule, rows in staged.broken.items():
            counted[rule] = counted.get(rule, 0) + rows
    view_staged(connection, staging, table)
    if _strangers(connection, staging, table):
        (rows,) = connection.sql(f"SELECT count(*) FROM staged WHERE rule = '{NOT_ENROLLED}'").fetchall()[0]
        counted |= {NOT_ENROLLED: rows} if rows else {}
    return dict(sorted(counted.items()))


def view_staged(connection: duckdb.DuckDBPyConnection, staging: Staging, table: str) -> None:
    """Make the view `staged` of a table's rows, in which rows of subjects whom nobody enrolled break a rule too."""
    staging.rows(table, connection).create_view("staged_rows", replace=True)
    connection.execute(f"""
        CREATE OR REPLACE TEMP VIEW staged AS
        SELECT * REPLACE (coalesce(rule, CASE WHEN subject_id NOT IN (SELECT subject_id FROM enrolled)
                                              THEN '{NOT_ENROLLED}' END) AS rule)
        FROM staged_rows""")


def _strangers(connection: duckdb.DuckDBPyConnection, staging: Staging, table: str) -> set[str]:
    enrolled = {who for (who,) in connection.sql("SELECT subject_id FROM enrolled").fetchall()}
    return set(frozenset().union(*(staged.subjects for staged in staging.of(table))) - enrolled)


class Sound:
    """The sound rows of one table as what the lake stores: new versions, and the keys of repeats."""

    def __init__(self, lake: Lake, connection: duckdb.DuckDBPyConnection, staging: Staging, table: Table) -> None:
        self.lake, self.connection, self.staging, self.table = lake, connection, staging, table
        self.versions_restated = 0
        view_staged(connection, staging, table.name)
        self._strangers = _strangers(connection, staging, table.name)
        self._meeting = self._find_meeting()

    def portions(self) -> Iterator[tuple[str, pa.Table]]:
        """`("raw", versions)` and `("repeats", keys)`, some million rows at a time."""
        if self._meeting is None:
            yield from self._compared("rule IS NULL")
            return
        yield from ((RAW, rows) for rows in _gathered(self._straight()))
        if self._meeting:
            self.connection.register("meeting_subjects", pa.table({"subject_id": sorted(self._meeting)}))
            yield from self._compared("rule IS NULL AND subject_id IN (SELECT subject_id FROM meeting_subjects)")

    def _find_meeting(self) -> set[str] | None:
        """Subjects whose rows have to be compared; None where it takes all."""
        batches = self.staging.of(self.table.name)
        spans = [staged.spans for staged in batches if staged.spans is not None]
        if len(spans) < len(batches):
            return None
        return subjects_that_meet([*spans, *self._stored_spans(spans)])

    def _stored_spans(self, spans: list[tuple[Span, ...]]) -> list[tuple[Span, ...]]:
        """Spans of what the lake holds of the same time, of any subject; files of other times are not opened."""
        told = [span for group in spans for span in group]
        if not told:
            return []
        time = self.table.column(str(self.table.time))
        kind = pa.date32() if time.kind == "day" else pa.timestamp("us", tz="UTC")
        bounds = (min(span.first for span in told), max(span.last for span in told))
        low, high = (time_literal(pa.chunked_array([pa.array([b]).cast(_integer(kind)).cast(kind)])) for b in bounds)
        stored = self.lake.rows(self.table.name, self.connection).filter(f"{self.table.time} BETWEEN {low} AND {high}")
        whole = f"epoch_us({self.table.time})" if time.kind == "instant" else f"{self.table.time} - DATE '1970-01-01'"
        found = stored.aggregate(f"subject_id, min({whole}), max({whole}), FALSE", "subject_id").fetchall()
        return [tuple(Span(*row) for row in found)]

    def _straight(self) -> Iterator[pa.Table]:
        apart_from = pa.array(sorted((self._meeting or set()) | self._strangers), pa.string())
        for staged in self.staging.of(self.table.name):
            yield _rows_of(staged, apart_from, self.table)

    def _compared(self, condition: str) -> Iterator[tuple[str, pa.Table]]:
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE incoming AS SELECT * FROM staged WHERE {condition}")
        (rows,) = self.connection.sql("SELECT count(*) FROM incoming").fetchall()[0]
        comparison = Comparison(self.lake, self.connection, self.table, rows)
        yield from comparison.portions()
        self.versions_restated += comparison.versions_restated


def _integer(kind: pa.DataType) -> pa.DataType:
    return pa.int32() if pa.types.is_date32(kind) else pa.int64()


def _rows_of(staged: StagedBatch, apart_from: pa.Array, table: Table) -> pa.Table:
    """A batch's sound rows of all but some subjects, first of their key and so version 0, or 1 where taken back."""
    columns = [*table.arrow_schema().names, "bucket", "month", "rule"]
    rows = feather.read_table(staged.path, columns)
    keep = pc.is_null(rows["rule"]) if staged.broken else None
    if len(apart_from) and not staged.subjects.isdisjoint(apart_from.to_pylist()):
        is_apart = pc.invert(pc.is_in(rows["subject_id"].cast(pa.string()), apart_from))
        keep = is_apart if keep is None else pc.and_(keep, is_apart)
    rows = rows.drop_columns(["rule"]) if keep is None else rows.filter(keep).drop_columns(["rule"])
    place = rows.schema.get_field_index("version")
    return rows.set_column(place, "version", rows["is_deleted"].cast(pa.int32()))


def _gathered(portions: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Small portions put together, up to so many rows that one write cuts into few files."""
    waiting: list[pa.Table] = []
    for rows in portions:
        waiting.append(rows)
        if sum(part.num_rows for part in waiting) >= ROWS_PER_WRITE:
            yield pa.concat_tables(waiting).unify_dictionaries()
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting).unify_dictionaries()
