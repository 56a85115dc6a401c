"""Columns that ought to hold categories: of sites, sexes and the like there are a few, and several people share each.

What nobody else has is a name or a number of somebody's, whatever it looks like. The rule needs several people in the
rows at hand: of one person every value is their own.
"""

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.deidentification.distinct_values import filled

# More than this are no list, unless each is told of two rows and more.
SHORT_LIST = 25
# From this many people on, values of which this share are one person's alone are no categories.
LEAST_PEOPLE, OWN_SHARE = 4, 0.75
# Rows of events and answers: few of them may differ by chance, unless there are two a person, or this many people.
ROWS_A_PERSON, MANY_PEOPLE = 2, 10
# Letters, small numbers, bands of ages and versions differ by chance among a few people, and tell nobody.
UNTELLING = r"^(?:\w|[<>=≥≤]{0,2} ?\d{1,3}(?: ?[-–+] ?\d{0,3})?|v?\d+(?:\.\d+)+)$"
# What is longer than a code (a postal code, a telephone number), a day, or a place on the map. Bands of money are not.
_MONTH = r"(?:jan|feb|m[aä]r|apr|ma[iy]|jun|jul|aug|sep|o[ck]t|nov|de[cz])[a-z]*"
NO_CODE = (
    rf"(?i)^\W*(?:\d\W*){{5,}}$|^\d{{1,4}}[-/. ]+\d\d?[-/. ]+\d{{1,4}}(?:\D.*)?$|^\W*\d{{1,3}}[.,]\d{{3,}}\W*$"
    rf"|^\d{{1,4}}[-/. ]*{_MONTH}[-/. ,]*\d{{1,4}}$|^{_MONTH}[-/. ]*\d\d?[-/. ,]+\d{{2,4}}$|^\d{{4}}-\d\d-\d\d"
)
_MONEY = r"(?:(?:\d[\d., ]*)?(?:00|99)|0)"
BAND = rf"^\W{{0,3}}{_MONEY} ?(?:[-–] ?\W?{_MONEY}|\+)$|^(?:[<>≤≥]=? ?){_MONEY}$"


def telling(values: pa.Array) -> str | None:
    """Why distinct values are no codes of a category: numbers of five digits and more, days, coordinates."""
    is_told = pc.and_not(pc.match_substring_regex(values, NO_CODE), pc.match_substring_regex(values, BAND))
    count = pc.sum(is_told).as_py() or 0
    return f"{count} of {len(values)} distinct values are long numbers, days or places" if count else None


def too_many(values: pa.Array, column: pa.ChunkedArray) -> str | None:
    """Why distinct values of a column are no list of categories: they differ from row to row."""
    is_list = len(values) <= SHORT_LIST or len(values) <= filled(column) / 2
    return None if is_list else f"{len(values)} distinct values, where a few are expected"


def peculiar(values: pa.Array, column: pa.ChunkedArray, subjects: pa.ChunkedArray, is_a_row_each: bool) -> str | None:
    """Why distinct values of a column are no categories: each is told of one person, and of each person one.

    Args:
        values: the distinct values.
        column: all of them, of shape (rows,).
        subjects: whose each row is, of shape (rows,).
        is_a_row_each: the table has a row a person; else one of few rows may be its person's own by chance.
    """
    suspects = values.filter(pc.invert(pc.match_substring_regex(values, UNTELLING)))
    if len(suspects) < LEAST_PEOPLE:
        return None
    told, pairs = _pairs(column, subjects, suspects)
    people, shared_by = len(pc.unique(pairs["subject"])), pairs.group_by("value").aggregate([("subject", "count")])
    own = pc.sum(pc.equal(shared_by["subject_count"], 1)).as_py()
    is_by_chance = not is_a_row_each and people < MANY_PEOPLE and told < ROWS_A_PERSON * people
    has_one_each = people >= OWN_SHARE * len(pairs)
    if is_by_chance or not has_one_each or own < max(LEAST_PEOPLE, OWN_SHARE * people):
        return None
    return f"{own} of {len(values)} distinct values are of one subject each, where several share a category"


def _pairs(column: pa.ChunkedArray, subjects: pa.ChunkedArray, suspects: pa.Array) -> tuple[int, pa.Table]:
    """How many rows have a suspect, and which suspect and subject they pair, as codes: texts would cost ten times."""
    values, people = _coded(column), _coded(subjects)
    is_suspect = pc.take(pc.is_in(values.dictionary, suspects), values.indices)
    codes = pa.table({"value": values.indices, "subject": people.indices}).filter(is_suspect)
    return len(codes), codes.group_by(["value", "subject"]).aggregate([])


def _coded(column: pa.ChunkedArray) -> pa.DictionaryArray:
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    return coded.unify_dictionaries().combine_chunks()
