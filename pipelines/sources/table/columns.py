"""One source column as a canonical one: recoded, of its kind and in its unit, with what could not be read."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from pipelines.sources.table.origins import ColumnMapping, Constant
from pipelines.sources.table.parsing import (
    Finding,
    Parser,
    Place,
    Values,
    as_text,
    by_distinct,
    codes_of,
    is_text,
    plain,
    strictly,
    unread,
    without,
)
from pipelines.sources.table.units import conversion

FLAGS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True)
class Read:
    """Values of a canonical column, and the rules that some of them break."""

    values: Values
    findings: list[Finding]


def recoded(values: Values, told: ColumnMapping, place: Place) -> Read:
    """Values as the mapping spells them; a code that it does not name is missing and found."""
    values = without(values, told.missing)
    if not told.recode:
        return Read(values, [])
    codes = codes_of(as_text(values))
    unknown = by_distinct(codes, lambda code: None if code not in told.recode else True, pa.bool_())
    meanings = by_distinct(codes, lambda code: _spelt(told.recode.get(str(code))), pa.string())
    known = plain(unknown)
    return Read(meanings, unread(place, "is_recoded", codes, known, "are not among the codes of `recode:`. Add them."))


def _spelt(meaning: Constant | None) -> str | None:
    return None if meaning is None else str(meaning).lower() if isinstance(meaning, bool) else str(meaning)


def constant(value: Constant) -> Values:
    """One value as a column of a file would hold it."""
    return pa.array([_spelt(value)])


def numbers(parser: Parser, values: Values, told: ColumnMapping, place: Place, unit: str, decimal: str) -> Read:
    """Numbers in the canonical unit; NaN is missing."""
    found = _numbers(parser, values, decimal)
    findings = unread(place, "is_a_number", values, found, "are not numbers. Recode or clean them.")
    found = without(found, ())
    return Read(found if told.unit is None else _converted(found, told.unit, unit), findings)


def _numbers(parser: Parser, values: Values, decimal: str) -> Values:
    if types.is_integer(values.type) or types.is_floating(values.type):
        return values
    if not is_text(values.type):
        is_number = types.is_decimal(values.type) or types.is_boolean(values.type) or types.is_null(values.type)
        if types.is_boolean(values.type):
            values = pc.cast(values, pa.int8())
        return pc.cast(values, pa.float64()) if is_number else pa.nulls(len(values), pa.float64())
    if decimal == ",":
        # A full stop would be a thousands separator, or a number of another file: it is not guessed at.
        return parser.parse(values, "CASE WHEN NOT contains(t, '.') THEN try_cast(replace(t, ',', '.') AS DOUBLE) END")
    found = strictly(values, pa.float64()) if not types.is_dictionary(values.type) else None
    return parser.parse(values, "try_cast(t AS DOUBLE)") if found is None else found


def _converted(values: Values, source: str, target: str) -> Values:
    change = conversion(source, target)
    if change is None or (change.factor == 1 and change.shift == 0):
        return values
    values = pc.cast(values, pa.float64())
    # Division by the inverse is exact where units are whole multiples, as 60,000 ms in a minute.
    scaled = pc.divide(values, 1 / change.factor) if change.factor < 1 else pc.multiply(values, change.factor)
    return pc.add(scaled, change.shift) if change.shift else scaled


def flags(values: Values, place: Place) -> Read:
    """True and false, also as 1 and 0."""
    if types.is_boolean(values.type):
        return Read(values, [])
    found = plain(by_distinct(as_text(values), lambda text: FLAGS.get(str(text).strip().lower()), pa.bool_()))
    return Read(found, unread(place, "is_readable", values, found, "are neither true nor false. Give `recode:`."))


def texts(values: Values) -> Read:
    """Texts as they stand."""
    return Read(as_text(values), [])
