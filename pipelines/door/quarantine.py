"""Rows that broke a rule at the door: kept with file, line and rule, so that nothing is lost.

The rows themselves are individual-level data; they stay in the lake's folder and are never printed. They leave it by
being released, which means through the door again, or by being discarded.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import TableNotFoundError

from features.tables import TABLES, Table
from pipelines.consent.erasure import rewrite_without
from pipelines.errors import Usage
from pipelines.lake import DELTA, SQL_TYPES, WRITER, Lake
from pipelines.sources.batch import Batch

ROWS_PER_BATCH = 200_000
LINES_SHOWN = 5
FILES_NAMED = 5
# What a row was told about itself; what the door decides anew is left out.
DECIDED_ANEW = ("received_at", "version", "ingest_id")


@dataclass(frozen=True)
class Choice:
    """Which rows of the quarantine: those of a table, rule, file and ingest, where given; all of them if none is."""

    table: str | None = None
    rule: str | None = None
    file: str | None = None
    ingest_id: str | None = None

    def condition(self) -> str:
        """As SQL."""
        given = {name: value for name, value in self.__dict__.items() if value is not None}
        return " AND ".join(f'"{name}" = {_text(value)}' for name, value in given.items()) or "TRUE"

    def among(self, rows: pa.Table) -> pa.ChunkedArray:
        """Which of some rows of the quarantine are meant."""
        found = pa.chunked_array([pa.repeat(pa.scalar(True), rows.num_rows)])
        for name, value in self.__dict__.items():
            if value is not None:
                found = pc.and_(found, pc.equal(rows[name].cast(pa.string()), value))
        return found


def keep_broken(lake: Lake, connection: duckdb.DuckDBPyConnection, table: Table, ingest_id: str) -> None:
    """Add the rows of the view `staged` that broke a rule, in one commit."""
    fields = ", ".join(f"{name} := {name}" for name in table.arrow_schema().names)
    rows = connection.sql(f"""
        SELECT '{ingest_id}' AS ingest_id, '{table.name}' AS "table", file, row_number, rule, subject_id,
               to_json(struct_pack({fields}))::VARCHAR AS "row"
        FROM staged WHERE rule IS NOT NULL ORDER BY file, row_number""")
    write_deltalake(
        str(_folder(lake)), rows.to_arrow_reader(ROWS_PER_BATCH), mode="append", configuration=DELTA,
        writer_properties=WRITER,
    )  # fmt: skip


def forget_ingest(lake: Lake, ingest_id: str) -> None:
    """Take back what an unfinished ingest put into quarantine."""
    try:
        DeltaTable(str(_folder(lake))).delete(f"ingest_id = '{ingest_id}'")
    except TableNotFoundError:
        return


def summary(lake: Lake, choice: Choice) -> list[dict[str, object]]:
    """What is kept, by table, rule, file and ingest: how many rows, and on which lines the first of them stand."""
    with lake.connection() as connection:
        found = connection.sql(f"""
            SELECT "table", rule, file, left(ingest_id, 12), count(*), list_sort(list(row_number))[1:{LINES_SHOWN}]
            FROM ({_rows_sql(lake)}) WHERE {choice.condition()}
            GROUP BY ALL ORDER BY "table", rule, file, 4""").fetchall()
    return [{"table": table, "rule": rule, "file": file, "ingest": ingest, "rows": rows,
             "lines": ", ".join(map(str, lines)) + (", ..." if rows > len(lines) else "")}
            for table, rule, file, ingest, rows, lines in found]  # fmt: skip


def by_rule(lake: Lake, ingest_ids: Collection[str]) -> list[dict[str, object]]:
    """Rows of some ingests by table and rule, with the files that most of them stood in."""
    if not ingest_ids:
        return []
    with lake.connection() as connection:
        found = connection.sql(f"""
            WITH by_file AS (
                SELECT "table", rule, file, count(*) AS n FROM ({_rows_sql(lake)})
                WHERE ingest_id IN ({", ".join(map(_text, ingest_ids))}) GROUP BY ALL)
            SELECT "table", rule, sum(n)::BIGINT, count(*), list(file ORDER BY n DESC, file)[:{FILES_NAMED}]
            FROM by_file GROUP BY ALL ORDER BY "table", 3 DESC, rule""").fetchall()
    return [dict(zip(("table", "rule", "rows", "n_files", "files"), line, strict=True)) for line in found]


def count(lake: Lake, choice: Choice) -> int:
    """How many rows are meant."""
    with lake.connection() as connection:
        return int(
            connection.sql(f"SELECT count(*) FROM ({_rows_sql(lake)}) WHERE {choice.condition()}").fetchall()[0][0]
        )


def content_of(lake: Lake, choice: Choice) -> str:
    """Hash of the rows that are meant: the same rows give the same hash."""
    with lake.connection() as connection:
        rows = connection.sql(f"""
            SELECT ingest_id, "table", file, row_number, rule FROM ({_rows_sql(lake)})
            WHERE {choice.condition()} ORDER BY ALL""").fetchall()
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def batches(
    lake: Lake, choice: Choice, known_from: pd.Timestamp, values: Mapping[str, str], factors: Mapping[str, float]
) -> Iterator[Batch]:
    """The rows that are meant, mended, for another way through the door.

    Nobody knew them while they were in quarantine: they count as received when they are released.

    Args:
        known_from: when they are released.
        values: column -> the value that all of them get.
        factors: column -> what its numbers are multiplied by.

    Raises:
        Usage: a column is not one of the table, or its values are no numbers.
    """
    with lake.connection() as connection:
        kept = f"({_rows_sql(lake)})"
        found = connection.sql(
            f'SELECT DISTINCT "table", file FROM {kept} WHERE {choice.condition()} ORDER BY ALL'
        ).fetchall()
        for name, file in found:
            table = TABLES[name]
            types = {c: SQL_TYPES[table.arrow_schema().field(c).type] for c in table.arrow_schema().names}
            structure = "{" + ", ".join(f'"{c}": "{kind}"' for c, kind in types.items()) + "}"
            of_file = f'"table" = {_text(name)} AND file = {_text(file)} AND {choice.condition()}'
            rows = connection.sql(f"""
                SELECT unnest(json_transform(row, '{structure}')), row_number FROM {kept}
                WHERE {of_file} ORDER BY row_number""").to_arrow_table()
            rows = _mended(rows, table, values, factors)
            frame = rows.drop_columns([*DECIDED_ANEW, "row_number"]).append_column(
                "received_at", pa.repeat(pa.scalar(known_from, pa.timestamp("us", tz="UTC")), rows.num_rows)
            )
            yield Batch(name, frame, file, rows["row_number"].to_numpy())


def remove(lake: Lake, choice: Choice, but_not_of: str = "") -> int:
    """Take the rows that are meant out of the quarantine, except those that the ingest `but_not_of` put there."""
    folder = _folder(lake)
    with lake.writing():
        if not (folder / "_delta_log").is_dir():
            return 0
        before = count(lake, choice)

        def is_gone(rows: pa.Table) -> pa.ChunkedArray:
            return pc.and_(choice.among(rows), pc.not_equal(rows["ingest_id"].cast(pa.string()), but_not_of))

        rewrite_without(folder, [Path(path) for path in DeltaTable(str(folder)).file_uris()], is_gone)
        return before - count(lake, choice)


def _mended(rows: pa.Table, table: Table, values: Mapping[str, str], factors: Mapping[str, float]) -> pa.Table:
    for name in (*values, *factors):
        if name not in table.column_names:
            raise Usage(f"`{name}` is not a column of `{table.name}`. Use one of {', '.join(table.column_names)}.")
    for name, text in values.items():
        wanted = rows.schema.field(name).type
        try:
            value = pa.scalar(text).cast(wanted)
        except pa.ArrowInvalid:
            raise Usage(f"The value given for `{table.name}.{name}` is not of type {wanted}.") from None
        rows = rows.set_column(rows.column_names.index(name), name, pa.repeat(value, rows.num_rows))
    for name, factor in factors.items():
        if not (pa.types.is_floating(rows[name].type) or pa.types.is_integer(rows[name].type)):
            raise Usage(f"`{table.name}.{name}` holds no numbers to multiply.")
        scaled = pc.multiply(rows[name].cast(pa.float64()), factor)
        rows = rows.set_column(rows.column_names.index(name), name, scaled)
    return rows


def _rows_sql(lake: Lake) -> str:
    files = sorted(DeltaTable(str(_folder(lake))).file_uris()) if (_folder(lake) / "_delta_log").is_dir() else []
    if not files:
        names = ("ingest_id", "table", "file", "rule", "subject_id", "row")
        columns = ", ".join(f'NULL::VARCHAR AS "{name}"' for name in names)
        return f"SELECT {columns}, NULL::BIGINT AS row_number WHERE FALSE"
    return f"SELECT * FROM read_parquet([{', '.join(map(_text, files))}], union_by_name = true)"


def _folder(lake: Lake) -> Path:
    return lake.root / "quarantine"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
