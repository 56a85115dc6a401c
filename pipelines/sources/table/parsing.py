"""Texts read as numbers, times or codes, all of a column at once; what cannot be read is missing, and told apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

Values: TypeAlias = pa.ChunkedArray | pa.Array


@dataclass(frozen=True)
class Place:
    """What a message or a rule is about: a canonical column, and the file that it comes from."""

    table: str
    column: str
    file: str
    of_rules: str = ""

    def __str__(self) -> str:
        return f"`{self.table}.{self.column}` in {self.file}"

    def rule(self, truth: str) -> str:
        """The name of a rule about this column, or about the one that its values end up in."""
        return f"{self.of_rules or self.column}_{truth}"


@dataclass(frozen=True)
class Finding:
    """Values of a column that break one rule: which rows, how many of how many given, and what to tell if all do.

    `among` counts the rows of the portion, those without a value included.
    """

    place: Place
    rule: str
    rows: Values | None
    count: int
    given: int
    among: int
    told: str


class Parser:
    """Reads texts by DuckDB, whose casts tell what they could not read instead of failing."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(config={"threads": 2})
        self._connection.execute("SET TimeZone = 'UTC'")

    def close(self) -> None:
        """Give the memory back."""
        self._connection.close()

    def parse(self, texts: Values, expression: str) -> Values:
        """`expression` of each text `t`; of each distinct one, where texts come as codes."""
        if types.is_dictionary(texts.type):
            coded = codes_of(texts)
            return self.parse(coded.dictionary, expression).take(coded.indices)
        return self.query(pa.table({"t": texts}), expression)

    def query(self, columns: pa.Table, expression: str) -> Values:
        """`expression` of each row of some columns, in their order."""
        return self.rows(columns, f"SELECT {expression} AS v FROM columns")["v"].combine_chunks()

    def rows(self, columns: pa.Table, sql: str) -> pa.Table:
        """What a query makes of some columns."""
        self._connection.register("columns", columns)
        try:
            return self._connection.sql(sql).to_arrow_table()
        finally:
            self._connection.unregister("columns")


def codes_of(values: Values) -> pa.DictionaryArray:
    """Values as one array of codes and their distinct values."""
    if isinstance(values, pa.Array):
        values = pa.chunked_array([values])
    coded = values if types.is_dictionary(values.type) else values.dictionary_encode()
    if coded.num_chunks == 0:
        return pa.array([], values.type).dictionary_encode()
    coded = coded.unify_dictionaries().combine_chunks()
    return _settled(coded.indices, coded.dictionary)


def _settled(indices: pa.Array, distinct: pa.Array) -> pa.DictionaryArray:
    """Codes of a missing value are missing themselves, so that missing values can be counted and compared."""
    if distinct.null_count:
        indices = pc.if_else(pc.is_null(distinct).take(indices), None, indices)
    return pa.DictionaryArray.from_arrays(indices, distinct)


def by_distinct(values: Values, change: Callable[[object], object], kind: pa.DataType) -> pa.DictionaryArray:
    """Each value changed, distinct ones once; missing values stay missing, others may become so."""
    coded = codes_of(values)
    changed = pa.array([None if value is None else change(value) for value in coded.dictionary.to_pylist()], kind)
    return _settled(coded.indices, changed)


def plain(values: Values) -> Values:
    """Values themselves in place of codes."""
    if not types.is_dictionary(values.type):
        return values
    coded = codes_of(values)
    return coded.dictionary.take(coded.indices)


def is_text(kind: pa.DataType) -> bool:
    """Whether values of this type are texts, or codes of texts."""
    inner = kind.value_type if types.is_dictionary(kind) else kind
    return types.is_string(inner) or types.is_large_string(inner) or types.is_string_view(inner)


def as_text(values: Values) -> Values:
    """Values as an export would spell them: whole numbers without a fraction, days and times in ISO 8601."""
    if is_text(values.type) or types.is_null(values.type):
        return values if is_text(values.type) else pc.cast(values, pa.string())
    if types.is_floating(values.type) or types.is_decimal(values.type) or types.is_boolean(values.type):
        return by_distinct(values, _spelt, pa.string())
    return pc.cast(values, pa.string())


def _spelt(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    number = float(value)  # type: ignore[arg-type]
    return str(int(number)) if number.is_integer() else str(value)


def without(values: Values, missing: Sequence[str]) -> Values:
    """Values without those that mean none; a number means none by what it counts, not by how it is spelt."""
    if types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    if not missing or types.is_null(values.type):
        return values
    if is_text(values.type):
        return _without_texts(values, missing)
    if types.is_integer(values.type) or types.is_floating(values.type):
        numbers = [float(text) for text in missing if _is_number(text)]
        means_none = pc.is_in(pc.cast(values, pa.float64()), pa.array(numbers, pa.float64()))
        return pc.if_else(means_none, pa.scalar(None, values.type), values) if numbers else values
    return values


def _without_texts(values: Values, missing: Sequence[str]) -> Values:
    if not types.is_dictionary(values.type):
        return pc.if_else(pc.is_in(values, pa.array(missing, values.type)), pa.scalar(None, values.type), values)
    coded = codes_of(values)
    means_none = pc.is_in(coded.dictionary, pa.array(missing, coded.dictionary.type))
    if not pc.any(means_none).as_py():
        return coded
    return _settled(coded.indices, pc.if_else(means_none, pa.scalar(None, coded.dictionary.type), coded.dictionary))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def strictly(values: Values, kind: pa.DataType) -> Values | None:
    """Texts cast to a type, at the speed of clean data; None as soon as one cannot be."""
    try:
        return pc.cast(values, kind)
    except pa.ArrowInvalid:
        return None


def given_count(values: Values) -> int:
    """How many values there are."""
    return len(values) - values.null_count


def unread(place: Place, truth: str, before: Values, after: Values, told: str) -> list[Finding]:
    """The finding that values given before are missing after; without rows where none is, for the count of given."""
    if after.null_count == before.null_count:
        return [Finding(place, place.rule(truth), None, 0, given_count(before), len(before), told)]
    rows = pc.and_(pc.is_valid(before), pc.is_null(after))
    count = after.null_count - before.null_count
    return [Finding(place, place.rule(truth), rows, count, given_count(before), len(before), told)]
