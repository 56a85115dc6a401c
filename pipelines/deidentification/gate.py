"""The gate: files and rows that tell who somebody is are refused, by column and class, never with a value.

The rule. A column is refused by its **name**, or by its **values**:
- one value of an unmistakable look (an e-mail address, a web address, a MAC address, `123-45-6789`) is enough;
- looks that a pseudonym or a code may share (ten digits, a plate) must be those of half of the distinct values, and
  pass their check digits, so that ten-digit subject ids, heart rates, timestamps and version numbers pass;
- text of three words and more is free text if it is told of few rows each; a category is told of many;
- dates are dates of birth if they have no time of day and lie decades apart, or long before the file's newest date;
- columns that ought to hold categories are judged as such (`categories.py`), ids as ids (`telling_ids.py`);
- in columns of ages and age bands nothing over 89 but an open end such as `90+`.

Values are judged once each, not once a row: the cost follows the number of distinct texts.
"""

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.tables import Table
from pipelines.deidentification import births
from pipelines.deidentification.categories import peculiar, telling, too_many
from pipelines.deidentification.column_names import is_age, is_over_89, normal_name, of_name
from pipelines.deidentification.distinct_values import distinct, filled
from pipelines.deidentification.identifiers import IDENTIFIERS, ONE, Identifier, Look
from pipelines.deidentification.telling_ids import are_telling
from pipelines.errors import Refused

BY_LETTER = {one.letter: one for one in IDENTIFIERS}
ANY_LOOK = "|".join(f"(?:{look.pattern})" for one in IDENTIFIERS for look in one.looks)
# Of a file without a header the first row becomes the names; a questionnaire's may be long texts, though.
IN_HEADER = "|".join(
    f"(?:{look.pattern})"
    for one in IDENTIFIERS
    for look in one.looks
    if look.share == ONE and one.letter != "R" and not look.is_rare
)
# Rare: at least this many distinct values, for this share of the rows or more of them than any list of categories has.
RARE_LEAST, RARE_SHARE, LONGEST_LIST = 5, 0.2, 200
# Ids are made alike: two words in one of them may be chance, in half of them they are names.
IDS_SHARE = 0.5
# No number below it is as long as the shortest identifier of digits alone.
SHORTEST_NUMBER = 10**8
SAMPLE = 1000
Found = tuple[Identifier, str]
# Columns of canonical tables whose values are one per subject, device or record, and not categories.
OWN_VALUES = ("subject_id", "device_id", "record_id", "score_id")


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
             if column.name in rows.column_names and rows[column.name].null_count < len(rows)
             for finding in _in_canonical(table, column.name, rows)]  # fmt: skip
    if found:
        raise Refused(
            f"`{table.name}` in {file} has {_told(found)} Nothing of it was stored. Map another column, recode it to codes "
            "or bands, or have the sender run `foretide deidentify`."
        )


def findings(rows: pa.Table, dropped: Collection[str] = ()) -> Iterator[tuple[int, Finding]]:
    """Position and finding of each source column that identifies."""
    newest = max(map(births.newest_year, rows.columns), default=0)
    are_values = pc.match_substring_regex(pa.array(rows.column_names, pa.string()), IN_HEADER).to_pylist()
    for position, (name, is_value) in enumerate(zip(rows.column_names, are_values, strict=True)):
        if name in dropped:
            continue
        if is_value:
            yield (
                position,
                Finding(f"column {position + 1}", BY_LETTER["R"], "its name is a value; is the header missing?"),
            )
        elif (named := of_name(name)) is not None:
            yield position, Finding(f"`{name}`", named, "by its name")
        elif (found := _in_values(name, rows.column(position), newest)) is not None:
            yield position, Finding(f"`{name}`", *found)


def _told(found: list[Finding]) -> str:
    columns = "; ".join(f"{finding.column} ({finding.identifier}: {finding.reason})" for finding in found)
    return f"{len(found)} column{'s' if len(found) > 1 else ''} that may tell who people are: {columns}."


def _in_values(name: str, column: pa.ChunkedArray, newest: int) -> Found | None:
    """Class and reason, where the values of one source column identify."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if column.null_count == len(column) or pa.types.is_boolean(kind):
        return None
    if is_age(name) and (found := _ages(distinct(column))):
        return found
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return _births(births.years_of_dates(column), newest)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _by_values(name, _long_numbers(column))
    if not births.is_text(kind):
        is_plain = pa.types.is_decimal(kind) or pa.types.is_temporal(kind)
        return None if is_plain else (BY_LETTER["R"], "nested or binary content, which nobody can look through")
    if births.are_instants(column):
        return None
    values = distinct(column)
    return _by_values(name, values, column) or _births(births.years_of_texts(values), newest)


def _births(years: pa.Array, newest: int) -> Found | None:
    if not births.are_births(years, newest):
        return None
    return BY_LETTER["C"], f"{len(years)} distinct days without a time, as far back as births"


def _ages(values: pa.Array) -> Found | None:
    count = sum(map(is_over_89, values.to_pylist()))
    reason = f"{count} of {len(values)} distinct values are over 89; the highest band is `90+`"
    return (BY_LETTER["C"], reason) if count else None


def _in_canonical(table: Table, name: str, rows: pa.Table) -> Iterator[Finding]:
    """Findings in one text column of a canonical table."""
    column = rows[name]
    if name == "ingest_id":
        return
    if name == "attributes":
        yield from _in_attributes(column, rows["subject_id"])
        return
    values = distinct(column)
    if name in OWN_VALUES:
        found = _by_values(name, values) or (_telling_ids(values) if name == "subject_id" else None)
    else:
        found = (_ages(values) if name == "age_band" else None) or _by_values(name, values, column)
        is_of_people = table.time is None and name in table.column_names
        found = found or _no_category(values, column, rows["subject_id"], is_of_people, table.time is None)
    if found:
        yield Finding(f"`{name}`", *found)


def _telling_ids(values: pa.Array) -> Found | None:
    count = pc.sum(are_telling(values)).as_py() or 0
    reason = f"{count} of {len(values)} distinct values look like names or days"
    return (BY_LETTER["A"], reason) if count and count >= IDS_SHARE * len(values) else None


def _no_category(
    values: pa.Array, column: pa.ChunkedArray, subjects: pa.ChunkedArray, is_of_people: bool, is_a_row_each: bool
) -> Found | None:
    """Of sexes, sites and the like there are a few: what differs from row to row tells rows apart, and people."""
    reason = (
        (telling(values) if is_of_people else None)
        or too_many(values, column)
        or peculiar(values, column, subjects, is_a_row_each)
    )
    return (BY_LETTER["R"], reason) if reason else None


def _in_attributes(column: pa.ChunkedArray, subjects: pa.ChunkedArray) -> Iterator[Finding]:
    """Findings in the keys and values of JSON objects, judged like the columns of a file, and as categories."""
    try:
        objects = [{} if text is None else dict(json.loads(text)) for text in column.to_pylist()]
    except (ValueError, TypeError):
        yield Finding("`attributes`", BY_LETTER["R"], "text that is no JSON object")
        return
    keys = sorted({key for one in objects for key in one})
    texts = {key: [None if one.get(key) is None else str(one[key]) for one in objects] for key in keys}
    table = pa.table({key: pa.chunked_array([texts[key]], pa.string()) for key in keys})
    found = dict(findings(table))
    for position, key in enumerate(keys):
        of_key = found.get(position)
        if of_key is None and (told := _no_category(distinct(table[key]), table[key], subjects, True, True)):
            of_key = Finding(f"`{key}`", *told)
        if of_key is not None:
            yield replace(of_key, column=f"{of_key.column} of `attributes`")


def _by_values(name: str, values: pa.Array, column: pa.ChunkedArray | None = None) -> Found | None:
    """The class whose looks enough of the distinct values of a column have, and how many have them.

    Without the column each value is taken for one subject's, device's or record's own, however often it is told.
    """
    suspects = values.filter(pc.match_substring_regex(values, ANY_LOOK))
    if not len(suspects):
        return None
    plain, rows = normal_name(name), None if column is None else filled(column)
    for one in IDENTIFIERS:
        for look in one.looks:
            count = 0 if re.search(look.not_in, plain) else _count(look, suspects)
            if count >= max(look.least, look.share * len(values)) and (not look.is_rare or _is_rare(count, rows)):
                return one, f"{count} of {len(values)} distinct values look so"
    return None


def _is_rare(count: int, rows: int | None) -> bool:
    return rows is None or count > LONGEST_LIST or (count >= RARE_LEAST and count >= RARE_SHARE * rows)


def _count(look: Look, suspects: pa.Array) -> int:
    """How many look so; check digits are computed for some of them, and the share taken for all."""
    alike = suspects.filter(pc.match_substring_regex(suspects, look.pattern))
    if look.is_valid is None or not len(alike):
        return len(alike)
    some = alike.slice(0, SAMPLE).to_pylist()
    return round(sum(map(look.is_valid, some)) / len(some) * len(alike))


def _long_numbers(column: pa.ChunkedArray) -> pa.Array:
    """Some distinct numbers that are whole and long enough for an identifier, as text."""
    largest = pc.max(column).as_py()
    if largest is None or not SHORTEST_NUMBER <= largest < 10**18:
        return pa.array([], pa.string())
    some = pc.unique(column.take(np.arange(0, len(column), -(-len(column) // SAMPLE)))).drop_null()
    whole = some.filter(pc.and_(pc.equal(some, pc.floor(some)), pc.greater_equal(some, SHORTEST_NUMBER)))
    return pc.cast(pc.cast(whole, pa.int64()), pa.string())
