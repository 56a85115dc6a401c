"""What staged rows come to, once the whole delivery is known: who is enrolled, what is sound, what must be compared.

Rows of subjects that lie, in time, apart from all that the lake holds of them, and whose key stands in the delivery
once, cannot meet another row: they go straight into the lake. That is nearly all of a night's delivery, and of a first
history; the others are compared.
"""

from collections.abc import Iterator

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import feather

from features.tables import Table
from pipelines.door.rules import NOT_ENROLLED
from pipelines.door.spans import Span, subjects_that_meet, subjects_that_reach
from pipelines.door.staging import StagedBatch, Staging
from pipelines.door.versions import Comparison
from pipelines.errors import Refused
from pipelines.lake import Lake
from pipelines.pseudonyms import plain
from pipelines.raw_rows import RAW

# Rows that one write sorts and cuts into partitions: the more, the fewer files; some 60 bytes each.
ROWS_PER_WRITE = 1_500_000
HASHES_AT_ONCE = 20_000_000


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
        clean = sum(staged.received - staged.dropped - sum(staged.broken.values()) for staged in staging.of(name))
        if clean and enrolled.isdisjoint(frozenset().union(*(staged.subjects for staged in staging.of(name)))):
            raise Refused(
                f"None of the {clean} rows of `{name}` belongs to an enrolled subject. "
                "Ingest the `subjects` table first, or bring it in the same delivery."
            )


def _refuse_ids_written_in_two_ways(named: frozenset[str], enrolled: set[str]) -> None:
    """`007` and `7`, `A1` and `a1`: a spreadsheet makes one of the other, and then one person is two or two are one."""
    ids = pd.Series(sorted(named | enrolled), dtype="str")
    forms = ids.map(plain)
    alike = forms[forms.duplicated(keep=False) & forms.isin(forms[ids.isin(named)])]
    if len(alike):
        raise Refused(
            f"`subject_id`: {len(alike)} ids are {alike.nunique()} when case, leading zeros and kinds of separators are left out "
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
        self.lake, self.connection, self.table = lake, connection, table
        self.batches = staging.of(table.name)
        self.versions_restated = 0
        view_staged(connection, staging, table.name)
        self._strangers = _texts(_strangers(connection, staging, table.name))
        spans = [staged.spans for staged in self.batches if staged.spans is not None]
        self._is_timed = len(spans) == len(self.batches)
        self._reaching = _texts(subjects_that_reach(spans, self._stored_spans(spans)))
        self._keys_twice = self._find_keys_twice(subjects_that_meet(spans))

    def portions(self) -> Iterator[tuple[str, pa.Table]]:
        """`("raw", versions)` and `("repeats", keys)`, some million rows at a time."""
        names = ", ".join([*self.table.arrow_schema().names, "bucket", "month"])
        which = "FALSE" if self._is_timed else "rule IS NULL"
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE incoming AS SELECT {names} FROM staged WHERE {which}")
        if self._is_timed:
            yield from ((RAW, rows) for rows in _gathered(map(self._apart, self.batches)))
        (rows,) = self.connection.sql("SELECT count(*) FROM incoming").fetchall()[0]
        if rows:
            comparison = Comparison(self.lake, self.connection, self.table, rows)
            yield from comparison.portions()
            self.versions_restated = comparison.versions_restated

    def _stored_spans(self, spans: list[tuple[Span, ...]]) -> list[Span]:
        """Spans of what the lake holds of the same time, of any subject; files of other times are not opened."""
        told = [span for group in spans for span in group]
        if not told:
            return []
        is_day = self.table.column(str(self.table.time)).kind == "day"
        low, high = (_literal(b, is_day) for b in (min(s.first for s in told), max(s.last for s in told)))
        stored = self.lake.rows(self.table.name, self.connection).filter(f"{self.table.time} BETWEEN {low} AND {high}")
        whole = f"{self.table.time} - DATE '1970-01-01'" if is_day else f"epoch_us({self.table.time})"
        found = stored.aggregate(f"subject_id, min({whole}), max({whole}), FALSE", "subject_id").fetchall()
        return [Span(*row) for row in found]

    def _find_keys_twice(self, subjects: set[str]) -> pa.Array:
        """Hashes of keys that stand twice in the delivery, among subjects of whom one can; sorted.

        Hashes are looked at a part at a time, so that memory does not grow with the delivery.
        """
        parts = (
            1
            + sum(staged.received for staged in self.batches if not subjects.isdisjoint(staged.subjects))
            // HASHES_AT_ONCE
        )
        twice = [np.empty(0, dtype=np.uint64)]
        for part in range(parts if subjects else 0):
            hashes = np.sort(np.concatenate([
                found[found % parts == part]
                for staged in self.batches
                for found in [feather.read_table(staged.path, ["key_hash"])["key_hash"].to_numpy()]
                if not subjects.isdisjoint(staged.subjects)
            ]))  # fmt: skip
            twice.append(np.unique(hashes[1:][hashes[1:] == hashes[:-1]]))
        return pa.array(np.concatenate(twice))

    def _apart(self, staged: StagedBatch) -> pa.Table:
        """A batch's sound rows that meet no other row, ready to be stored; those that may are put with `incoming`.

        They are the first of their key, and so version 0, or 1 where taken back.
        """
        names = [*self.table.arrow_schema().names, "bucket", "month"]
        rows = feather.read_table(staged.path, [*names, "rule", "key_hash"])
        if staged.broken:
            rows = rows.filter(pc.is_null(rows["rule"]))
        if _any(self._strangers, staged):
            rows = rows.filter(pc.invert(_is_of(self._strangers, rows)))
        may_meet = pc.is_in(rows["key_hash"], self._keys_twice) if len(self._keys_twice) else None
        if _any(self._reaching, staged):
            reaches = _is_of(self._reaching, rows)
            may_meet = reaches if may_meet is None else pc.or_(may_meet, reaches)
        rows, keys = rows.select(names), may_meet
        if keys is not None:
            self._set_aside(rows.filter(keys))
            rows = rows.filter(pc.invert(keys))
        place = rows.schema.get_field_index("version")
        return rows.set_column(place, "version", rows["is_deleted"].cast(pa.int32()))

    def _set_aside(self, rows: pa.Table) -> None:
        if rows.num_rows:
            self.connection.register("aside", rows)
            self.connection.execute("INSERT INTO incoming SELECT * FROM aside")
            self.connection.unregister("aside")


def _texts(subjects: set[str]) -> pa.Array:
    return pa.array(sorted(subjects), pa.string())


def _any(subjects: pa.Array, staged: StagedBatch) -> bool:
    return len(subjects) > 0 and not staged.subjects.isdisjoint(subjects.to_pylist())


def _is_of(subjects: pa.Array, rows: pa.Table) -> pa.ChunkedArray:
    return pc.is_in(rows["subject_id"].cast(pa.string()), subjects)


def _literal(whole: int, is_day: bool) -> str:
    """A day or an instant from its whole number, as SQL."""
    return f"DATE '1970-01-01' + {whole}" if is_day else f"make_timestamptz({whole})"


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
