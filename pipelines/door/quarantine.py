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
from pipelines.consent.erasure import rewrite_without, scrub
from pipelines.errors import Usage
from pipelines.lake import DELTA, WRITER, Lake
from pipelines.raw_rows import SQL_TYPES
from pipelines.sources.batch import Batch

ROWS_PER_BATCH = 200_000
# The format of an ingest whose rows come out of quarantine.
RELEASE = "quarantine"
LINES_SHOWN = 5
FILES_NAMED = 5
# What tells one row of the quarantine from all others.
PLACE = ("ingest_id", "table", "file", "row_number", "rule")
# What a row was told about itself that the door decides anew.
DECIDED_ANEW = ("version", "ingest_id")


@dataclass(frozen=True)
class Choice:
    """Which rows of the quarantine: those of a table, rule, file and ingest (or how its id begins), where given; with
    `enrolled`, those of subjects who are enrolled by now."""

    table: str | None = None
    rule: str | None = None
    file: str | None = None
    ingest: str | None = None
    enrolled: bool = False

    def condition(self) -> str:
        """As SQL, over the quarantine and the relation `enrolled_by_now`."""
        same = {"table": self.table, "rule": self.rule, "file": self.file}
        given = [f'"{name}" = {_text(value)}' for name, value in same.items() if value is not None]
        given += [f"starts_with(ingest_id, {_text(self.ingest)})"] if self.ingest is not None else []
        given += ["subject_id IN (SELECT subject_id FROM enrolled_by_now)"] if self.enrolled else []
        return " AND ".join(given) or "TRUE"


def keep_broken(
    lake: Lake, connection: duckdb.DuckDBPyConnection, table: Table, ingest_id: str, is_release: bool
) -> None:
    """Add the rows of the view `staged` that broke a rule, in one commit.

    A cumulative export brings its bad rows every night: they are kept once. Rows on their way out are kept all the
    same, so that it can be told which were refused again.
    """
    names = table.arrow_schema().names
    fields = ", ".join(f"{name} := {name}" for name in names)
    said = ", ".join(name for name in names if name not in ("received_at", "ingest_id", "version"))
    held = _rows_sql(lake) + (" LIMIT 0" if is_release else "")
    rows = connection.sql(f"""
        WITH broken AS (
            SELECT '{ingest_id}' AS ingest_id, '{table.name}' AS "table", file, row_number, rule, subject_id,
                   to_json(struct_pack({fields}))::VARCHAR AS "row", md5(to_json(row({said}))::VARCHAR) AS content
            FROM staged WHERE rule IS NOT NULL)
        SELECT broken.* FROM broken ANTI JOIN ({held}) AS kept USING ("table", file, rule, content)
        ORDER BY file, row_number""")
    folder = str(_folder(lake))
    kept = DeltaTable(folder) if DeltaTable.is_deltatable(folder) else folder
    lake.check_turn()
    write_deltalake(
        kept, rows.to_arrow_reader(ROWS_PER_BATCH), mode="append", configuration=DELTA,
        writer_properties=WRITER,
    )  # fmt: skip


def forget_ingest(lake: Lake, ingest_id: str) -> None:
    """Take back what an unfinished ingest put into quarantine."""
    try:
        delta = DeltaTable(str(_folder(lake)))
        lake.check_turn()
        delta.delete(f"ingest_id = '{ingest_id}'")
    except TableNotFoundError:
        return


def chosen(lake: Lake, choice: Choice) -> pa.Table:
    """The rows that are meant: `PLACE`, and `row` as JSON."""
    with lake.connection() as connection:
        lake.rows("subjects", connection).project("subject_id").create_view("enrolled_by_now")
        columns = ", ".join(f'"{name}"' for name in (*PLACE, "row"))
        return connection.sql(f"""
            SELECT {columns} FROM ({_rows_sql(lake)}) WHERE {choice.condition()} ORDER BY ALL""").to_arrow_table()


def summary(lake: Lake, choice: Choice) -> list[dict[str, object]]:
    """What is kept, by table, rule, file and ingest: how many rows, and on which lines the first of them stand."""
    with lake.connection() as connection:
        connection.register("rows", chosen(lake, choice))
        found = connection.sql(f"""
            SELECT "table", rule, file, left(ingest_id, 12), count(*), list_sort(list(row_number))[1:{LINES_SHOWN}]
            FROM rows GROUP BY ALL ORDER BY "table", rule, file, 4""").fetchall()
    return [{"table": table, "rule": rule, "file": file, "ingest": ingest, "rows": count,
             "lines": ", ".join(map(str, lines)) + (", ..." if count > len(lines) else "")}
            for table, rule, file, ingest, count, lines in found]  # fmt: skip


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


def content_of(rows: pa.Table) -> str:
    """Hash of which rows they are: the same rows give the same hash."""
    return hashlib.sha256("\n".join(_places(rows).to_pylist()).encode()).hexdigest()


def without_overtaken(lake: Lake, rows: pa.Table) -> pa.Table:
    """Rows of whose key the lake has nothing that came after them: an old value, mended, must not undo a correction."""
    left = []
    with lake.connection() as connection:
        for name in pc.unique(rows["table"]).to_pylist():
            table, key = TABLES[name], ", ".join(TABLES[name].key)
            connection.register("chosen", rows.filter(pc.equal(rows["table"], name)))
            lake.rows(name, connection).create_view("stored", replace=True)
            structure = _structure(table, (*table.key, "received_at"))
            left.append(connection.sql(f"""
                WITH told AS (SELECT *, unnest(json_transform("row", '{structure}')) FROM (SELECT "row", row_number AS line,
                    ingest_id AS brought_by, file AS stood_in, rule AS broke FROM chosen))
                SELECT DISTINCT brought_by AS ingest_id, '{name}' AS "table", stood_in AS file, line AS row_number,
                    broke AS rule, "row" FROM told ANTI JOIN (
                    SELECT told.* FROM told JOIN stored USING ({key}) WHERE stored.received_at > told.received_at
                ) AS overtaken USING (brought_by, stood_in, line, broke)
                ORDER BY ALL""").to_arrow_table())  # fmt: skip
            connection.unregister("chosen")
    return pa.concat_tables(left) if left else rows


def but_not_at(rows: pa.Table, others: pa.Table) -> pa.Table:
    """Rows that do not stand where one of the others stands: in that line of that file."""
    where = ("table", "file", "row_number")
    return rows.filter(pc.invert(pc.is_in(_places(rows, where), value_set=_places(others, where))))


def batches(
    rows: pa.Table, known_from: pd.Timestamp | None, values: Mapping[str, str], factors: Mapping[str, float]
) -> Iterator[Batch]:
    """Rows out of quarantine, mended, for another way through the door.

    Args:
        rows: as of `chosen`.
        known_from: when they count as received; None keeps the receipt they had.
        values: column -> the value that all of them get.
        factors: column -> what its numbers are multiplied by.

    Raises:
        Usage: a column is not one of the table, or its values are no numbers.
    """
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("chosen", rows)
        found = connection.sql('SELECT DISTINCT "table", file FROM chosen ORDER BY ALL').fetchall()
        for name, file in found:
            table = TABLES[name]
            told = connection.sql(f"""
                SELECT unnest(json_transform("row", '{_structure(table, table.arrow_schema().names)}')), row_number AS line
                FROM chosen WHERE "table" = {_text(name)} AND file = {_text(file)} ORDER BY line""").to_arrow_table()
            told = _mended(told, table, values, factors)
            frame = told.drop_columns([*DECIDED_ANEW, "line"])
            if known_from is not None:
                receipt = pa.repeat(pa.scalar(known_from, pa.timestamp("us", tz="UTC")), told.num_rows)
                frame = frame.set_column(frame.column_names.index("received_at"), "received_at", receipt)
            yield Batch(name, frame, file, told["line"].to_numpy())


def remove(lake: Lake, rows: pa.Table) -> int:
    """Take rows out of the quarantine for good, so that no byte of them is left; how many they were."""
    folder = _folder(lake)
    if rows.num_rows:
        with lake.writing():
            files = [Path(path) for path in DeltaTable(str(folder)).file_uris()]
            places = _places(rows)
            rewrite_without(folder, files, lambda held: pc.is_in(_places(held), value_set=places))
            scrub(folder)
    return rows.num_rows


def _places(rows: pa.Table, names: Collection[str] = PLACE) -> pa.Array:
    texts = [rows[name].cast(pa.string()) for name in names]
    return pa.array(pc.binary_join_element_wise(*texts, "|").to_pylist(), pa.string())


def _structure(table: Table, names: Collection[str]) -> str:
    """Columns and types of a row, as `json_transform` wants them."""
    types = {name: SQL_TYPES[table.arrow_schema().field(name).type] for name in names}
    return "{" + ", ".join(f'"{name}": "{kind}"' for name, kind in types.items()) + "}"


def _mended(rows: pa.Table, table: Table, values: Mapping[str, str], factors: Mapping[str, float]) -> pa.Table:
    if "subject_id" in (*values, *factors):
        raise Usage("`subject_id` cannot be set: an id does not belong on a command line. Have the sender correct it.")
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
        names = ("ingest_id", "table", "file", "rule", "subject_id", "row", "content")
        columns = ", ".join(f'NULL::VARCHAR AS "{name}"' for name in names)
        return f"SELECT {columns}, NULL::BIGINT AS row_number WHERE FALSE"
    return f"SELECT * FROM read_parquet([{', '.join(map(_text, files))}], union_by_name = true)"


def _folder(lake: Lake) -> Path:
    return lake.root / "quarantine"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
