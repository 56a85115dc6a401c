"""Files of an export as entries in DuckDB: streamed, typed by hand, and refused in words of ours when they are broken.

Every value is read as text and made a number or a time by the macros below, so that one bad entry is one bad row and
no bad file. Only the named keys of an entry are kept: nobody's device, place or note enters.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa

from pipelines.errors import Refused
from pipelines.sources.fitbit.clock import Clock

MEMORY_LIMIT = "400MB"
ROWS_AT_ONCE = 1_000_000
LARGEST_ENTRY_BYTES = 16 << 20
HEAD = 4096
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
TIME_IS_READABLE, VALUE_IS_A_NUMBER, FLAG_IS_READABLE = "time_is_readable", "value_is_a_number", "flag_is_readable"
MACROS = """
    CREATE MACRO any_moment(told) AS try_strptime(told, [
        '%m/%d/%y %H:%M:%S', '%Y-%m-%dT%H:%M:%S.%g', '%Y-%m-%dT%H:%M:%S', '%Y-%m-%d %H:%M:%S', '%Y-%m-%d']);
    CREATE MACRO moment(told) AS CASE WHEN year(any_moment(told)) BETWEEN 2000 AND 2099 THEN any_moment(told) END;
    CREATE MACRO is_no_moment(told) AS told IS NOT NULL AND moment(told) IS NULL;
    CREATE MACRO number(told) AS CASE WHEN isfinite(TRY_CAST(told AS DOUBLE)) THEN TRY_CAST(told AS DOUBLE) END;
    CREATE MACRO is_no_number(told) AS told IS NOT NULL AND number(told) IS NULL"""


class File(NamedTuple):
    """A file on disk and what kind it is."""

    path: Path
    kind: str


@dataclass(frozen=True)
class Whose:
    """The subject whose files are read, and the clock they are read by."""

    subject_id: str
    clock: Clock


@contextmanager
def connected(spill: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB of bounded memory, with the macros; what does not fit goes to the folder."""
    with duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(spill)}) as connection:
        connection.execute("SET enable_progress_bar = false; SET TimeZone = 'UTC'")
        connection.execute(MACROS)
        yield connection


def stage(connection: duckdb.DuckDBPyConnection, file: Path, keys: dict[str, str], query: str) -> None:
    """Make the table `staged` by a query over `entries`: a JSON file's, with these keys and `entry`, counted from 1.

    Raises:
        Refused: not a list of objects, cut off, not UTF-8, an entry too large; names the file, and the entry if known.
    """
    _refuse_other_than_text(file)
    columns = ", ".join(f"{key}: '{kind}'" for key, kind in keys.items())
    with _refusing(file):
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE staged AS
            WITH entries AS (
                SELECT row_number() OVER () AS entry, *
                FROM read_json('{_literal(file)}', format = 'array', columns = {{{columns}}},
                               maximum_object_size = {LARGEST_ENTRY_BYTES}))
            {query}""")


def stage_csv(connection: duckdb.DuckDBPyConnection, file: Path, names: tuple[str, ...], query: str) -> None:
    """Make `staged` by a query over `entries`: a CSV file's rows; `entry` is the line, the header being the first.

    Raises:
        Refused: a column is missing, or it is not readable as UTF-8 CSV.
    """
    _refuse_other_than_text(file)
    with _refusing(file):
        rows = connection.read_csv(_literal(file), header=True, all_varchar=True, delimiter=",", quotechar='"')
        missing = [name for name in names if name not in rows.columns]
        if missing:
            raise Refused(f"`{file.name}` has no column `{missing[0]}`. Export it again; its header line is needed.")
        rows.create_view("csv_rows", replace=True)
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE staged AS
            WITH entries AS (SELECT row_number() OVER () + 1 AS entry, * FROM csv_rows) {query}""")


def refuse_if_all_broken(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Nothing, if some staged entries keep the rules.

    Raises:
        Refused: all of them did, which is a matter of the format and not of dirt.
    """
    entries, broken = connection.sql("SELECT count(*), count(rule) FROM staged").fetchall()[0]
    if entries and broken == entries:
        raise Refused(
            f"`{file.name}`: none of its {entries} entries has a readable time and value. Is it of a Fitbit export? "
            "Times are written like 12/31/26 23:59:00 or 2026-12-31 23:59:00."
        )


def broken_entries(connection: duckdb.DuckDBPyConnection, columns: str) -> Iterator[pa.Table]:
    """The staged entries that broke a rule, some at a time: `entry`, `rule` and these columns."""
    found = connection.sql(f"SELECT entry, rule, {columns} FROM staged WHERE rule IS NOT NULL")
    for portion in found.to_arrow_reader(ROWS_AT_ONCE):
        if portion.num_rows:
            yield pa.Table.from_batches([portion])


def label(files: list[File]) -> str:
    """What to call rows of several files: their names, or the first and last one's."""
    names = [file.path.name for file in files]
    return ", ".join(names) if len(names) < 3 else f"{names[0]} to {names[-1]}"


def _literal(file: Path) -> str:
    """A path as SQL text, with no character that would make it a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", str(file)).replace("'", "''")


def _refuse_other_than_text(file: Path) -> None:
    with file.open("rb") as handle:
        head = handle.read(HEAD)
    if head.startswith(UTF_16) or b"\0" in head:
        raise Refused(f"`{file.name}` is not UTF-8 text. Export it again, or save it as UTF-8.")
    if not head.strip():
        raise Refused(f"`{file.name}` is empty. Export it again, or remove it.")


@contextmanager
def _refusing(file: Path) -> Iterator[None]:
    """DuckDB's complaints, which quote the file, in words of ours."""
    try:
        yield
    except (duckdb.InvalidInputException, duckdb.OutOfMemoryException, UnicodeDecodeError) as error:
        text = str(error) if isinstance(error, duckdb.Error) else ""
        raise Refused(f"`{file.name}`{_place(text)} {_fault(text)}. Export it again, or remove the file.") from None


def _place(text: str) -> str:
    found = re.search(r"record/value (\d+)|Line: (\d+)", text)
    return f", at about entry {found[1] or found[2]}:" if found else ":"


def _fault(text: str) -> str:
    if "maximum_object_size" in text or "Maximum line size" in text:
        return f"an entry is larger than {LARGEST_ENTRY_BYTES >> 20} MB"
    if "Expected top-level JSON array" in text or "Expected OBJECT" in text:
        return "it is not a list of entries, as files of an export are"
    if "duplicate key" in text:
        return "an entry has the same key twice"
    if "Out of Memory" in text:
        return "an entry is too large to be read"
    return "it is cut off, or not readable as UTF-8 JSON or CSV"
