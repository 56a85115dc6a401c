"""The gate: files and rows that tell who somebody is are refused, by column and class, never with a value.

The rule. A column is refused by its **name**, or by its **values**:
- one value of an unmistakable look (an e-mail address, a web address, a MAC address, `123-45-6789`) is enough;
- looks that a pseudonym or a code may share (ten digits, a plate) must be those of half of the distinct values, and
  pass their check digits, so that ten-digit subject ids, heart rates, timestamps and version numbers pass;
- text of three words and more is free text if it is told of few rows each; a category is told of many;
- dates are dates of birth if they have no time of day and lie decades apart, or long before the file's newest date;
- in columns of ages and age bands nothing over 89 but an open end such as `90+`.

Values are judged once each, not once a row: the cost follows the number of distinct texts.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.tables import Table
from pipelines.deidentification import births
from pipelines.deidentification.column_names import is_age, is_over_89, normal_name, of_name
from pipelines.deidentification.identifiers import IDENTIFIERS, Identifier, Look
from pipelines.errors import Refused

BY_LETTER = {one.letter: one for one in IDENTIFIERS}
ANY_LOOK = "|".join(f"(?:{look.pattern})" for one in IDENTIFIERS for look in one.looks)
# Rare: at least this many distinct values, for this share of the rows or more of them than any list of categories has.
RARE_LEAST, RARE_SHARE, LONGEST_LIST = 5, 0.2, 200
# No number below it is as long as the shortest identifier of digits alone.
SHORTEST_NUMBER = 10**8
SAMPLE = 1000
# Columns of canonical tables whose values are one per subject, device or record, and not categories.
OWN_VALUES = ("subject_id", "device_id", "record_id", "ingest_id", "attributes")


@dataclass(frozen=True)
class Finding:
    """A column that identifies: how to call it, the class, and why in counts."""

    column: str
    identifier: Identifier
    reason: str


def refuse_identifiers(file: str, rows: pa.Table, dropped: Collection[str] = ()) -> None:
    """Refuse source columns that identify people by their name or their values.

    Args:
        file: name of the file, for the message.
        rows: one chunk of it, with its own column names.
        dropped: columns that the operator knows of and that are never read.

    Raises:
        Refused: names file, columns, classes and counts.
    """
    found = [finding for _, finding in findings(rows, dropped)]
    if found:
        raise Refused(
            f"`{file}` has {_told(found)} Nothing of it was stored. Leave it out of the file, list it under `drop:` in the "
            "mapping where nothing maps it, or have the sender run `foretide deidentify`."
        )


def refuse_identifying_rows(table: Table, rows: pa.Table, file: str) -> None:
    """Refuse canonical rows, whatever reader they come from, whose text columns hold what identifies a person.

    Raises:
        Refused: names table, file, columns, classes and counts.
    """
    found = [finding for column in table.arrow_schema() if pa.types.is_string(column.type)
             if column.name in rows.column_names
             for finding in _in_canonical(column.name, rows[column.name])]  # fmt: skip
    if found:
        raise Refused(
            f"`{table.name}` in {file} has {_told(found)} Nothing of it was stored. Map another column, recode it to codes "
            "or bands, or have the sender run `foretide deidentify`."
        )


def findings(rows: pa.Table, dropped: Collection[str] = ()) -> Iterator[tuple[int, Finding]]:
    """Position and finding of each source column that identifies."""
    newest = max(map(births.newest_year, rows.columns), default=0)
    for position, name in enumerate(rows.column_names):
        if name in dropped:
            continue
        # A file without a header has its first row as names: such a name must not be told either.
        is_told = _by_values("", pa.array([name], pa.string()), 1) is None
        told = f"`{name}`" if is_told else f"column {position + 1} (its name is left out here)"
        named = of_name(name) if is_told else BY_LETTER["R"]
        if named is not None:
            yield position, Finding(told, named, "by its name")
        elif (found := _in_values(name, rows.column(position), newest)) is not None:
            yield position, Finding(told, *found)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _told(found: list[Finding]) -> str:
    columns = "; ".join(f"{finding.column} ({finding.identifier}: {finding.reason})" for finding in found)
    return f"{len(found)} column{'s' if len(found) > 1 else ''} that may tell who people are: {columns}."


def _in_values(name: str, column: pa.ChunkedArray, newest: int) -> tuple[Identifier, str] | None:
    """Class and reason, where the values of one source column identify."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if column.null_count == len(column):
        return None
    if is_age(name):
        return _ages(_distinct(column))
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _births(births.years_of_dates(column), newest)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _by_values(name, _long_numbers(column), SAMPLE)
    if not _is_text(kind):
        is_plain = pa.types.is_boolean(kind) or pa.types.is_decimal(kind) or pa.types.is_temporal(kind)
        return None if is_plain else (BY_LETTER["R"], "nested or binary content, which nobody can look through")
    if births.are_instants(column):
        return None
    values = _distinct(column)
    found = _by_values(name, values, len(column) - column.null_count)
    return found or _births(births.years_of_texts(values), newest)


def _births(years: pa.Array, newest: int) -> tuple[Identifier, str] | None:
    is_found = births.are_births(years, newest)
    return (BY_LETTER["C"], f"{len(years)} distinct days without a time, as far back as births") if is_found else None


def _ages(values: pa.Array) -> tuple[Identifier, str] | None:
    count = sum(map(is_over_89, values.to_pylist()))
    return (
        (BY_LETTER["C"], f"{count} of {len(values)} distinct values are over 89; `90+` is the highest band")
        if count
        else None
    )


def _in_canonical(name: str, column: pa.ChunkedArray) -> Iterator[Finding]:
    """Findings in one text column of a canonical table."""
    if name == "ingest_id" or column.null_count == len(column):
        return
    values, rows, told = _distinct(column), len(column) - column.null_count, f"`{name}`"
    if name == "attributes":
        yield from _in_attributes(values, rows)
    elif name == "age_band" and (ages := _ages(values)):
        yield Finding(told, *ages)
    elif found := _by_values(name, values, len(values) if name in OWN_VALUES else rows):
        yield Finding(told, *found)
    elif name not in OWN_VALUES and len(values) > RARE_LEAST**2 and len(values) > rows / 2:
        yield Finding(told, BY_LETTER["R"], f"{len(values)} distinct values in {rows} rows, where few are expected")


def _in_attributes(values: pa.Array, rows: int) -> Iterator[Finding]:
    """Findings in the keys and values of JSON objects."""
    told: dict[str, set[str]] = {}
    for text in values.to_pylist():
        try:
            pairs = dict(json.loads(text)).items()
        except (ValueError, TypeError):
            yield Finding("`attributes`", BY_LETTER["R"], "text that is no JSON object")
            return
        for key, value in pairs:
            if value is not None:
                told.setdefault(key, set()).add(str(value))
    columns = {key: pa.array(sorted(of_key), pa.string()) for key, of_key in told.items()}
    for key, of_key in columns.items():
        named = of_name(key)
        found = (named, "by its name") if named else _ages(of_key) if is_age(key) else _by_values(key, of_key, rows)
        if found:
            yield Finding(f"`attributes.{key}`", *found)


def _distinct(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Distinct values as text, missing and empty ones left out."""
    if pa.types.is_dictionary(column.type):
        column = column.unify_dictionaries() if isinstance(column, pa.ChunkedArray) else column
        found = pc.unique(column)
        found = found.dictionary.take(found.indices.drop_null())
    else:
        found = pc.unique(column).drop_null()
    found = pc.cast(found, pa.string())
    return found.filter(pc.not_equal(found, ""))


def _by_values(name: str, values: pa.Array, rows: int) -> tuple[Identifier, str] | None:
    """The class whose looks enough of the distinct values have, and how many have them."""
    suspects = values.filter(pc.match_substring_regex(values, ANY_LOOK))
    if not len(suspects):
        return None
    plain = normal_name(name)
    for one in IDENTIFIERS:
        for look in one.looks:
            count = 0 if re.search(look.not_in, plain) else _count(look, suspects)
            if count and _is_enough(look, count, len(values), rows):
                return one, f"{count} of {len(values)} distinct values look so"
    return None


def _count(look: Look, suspects: pa.Array) -> int:
    """How many look so; check digits are computed for some of them, and the share taken for all."""
    alike = suspects.filter(pc.match_substring_regex(suspects, look.pattern))
    if look.is_valid is None or not len(alike):
        return len(alike)
    some = alike.slice(0, SAMPLE).to_pylist()
    return round(sum(map(look.is_valid, some)) / len(some) * len(alike))


def _is_enough(look: Look, count: int, distinct: int, rows: int) -> bool:
    is_rare = count >= min(RARE_LEAST, rows) and (count >= RARE_SHARE * rows or count > LONGEST_LIST)
    return count >= look.least and count >= look.share * distinct and (is_rare or not look.is_rare)


def _long_numbers(column: pa.ChunkedArray) -> pa.Array:
    """Some distinct numbers that are whole and long enough for an identifier, as text."""
    largest = pc.max(column).as_py()
    if largest is None or not SHORTEST_NUMBER <= largest < 10**18:
        return pa.array([], pa.string())
    some = pc.unique(column.take(np.arange(0, len(column), -(-len(column) // SAMPLE)))).drop_null()
    whole = some.filter(pc.and_(pc.equal(some, pc.floor(some)), pc.greater_equal(some, SHORTEST_NUMBER)))
    return pc.cast(pc.cast(whole, pa.int64()), pa.string())
