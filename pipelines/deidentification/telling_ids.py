"""Pseudonyms that are none: a name or a day where an id should be."""

import pyarrow as pa
import pyarrow.compute as pc

# Letters of any script up to Hangul, as in `identifiers.py`.
_LOWER, _UPPER = "a-zß-öø-ÿ", "A-ZÀ-ÖØ-Þ"
_WORD = rf"[{_UPPER}{_LOWER}가-힣'’]{{2,}}"
_YEAR = r"(?:18|19|20)\d\d"
# Two or three words, apart or told by their capitals; a number behind them does not help, unless it is a counter's: those
# begin with 0. Korean names have no space.
_NUMBER = r"(?:[1-9]\d{0,7})?"
NAME = (
    rf"^{_WORD}(?:[\s_.,-]+{_WORD}){{1,2}}[\s_.,-]*{_NUMBER}$"
    rf"|^[{_UPPER}]?[{_LOWER}]+(?:[{_UPPER}][{_LOWER}]+){{1,2}}[\s_.-]*{_NUMBER}$"
    rf"|^{_WORD}, ?[{_UPPER}]\.?$|^[가-힣]{{2,4}}$"
)
_DAY_OF_MONTH, _MONTH = r"(?:0[1-9]|[12]\d|3[01])", r"(?:0[1-9]|1[0-2])"
DAY = (
    rf"^{_YEAR}[-/._ ]?{_MONTH}[-/._ ]?{_DAY_OF_MONTH}$|^{_DAY_OF_MONTH}{_MONTH}{_YEAR}$"
    rf"|^\d\d?[-/._ ]\d\d?[-/._ ](?:{_YEAR}|\d\d)$"
)
TELLING = rf"{NAME}|{DAY}"


def are_telling(ids: pa.Array) -> pa.Array:
    """Whether each id is two words such as a name, or a day such as one of birth."""
    return pc.match_substring_regex(ids, TELLING)


def is_telling(subject_id: str) -> bool:
    """Whether one id is a name or a day."""
    return pc.match_substring_regex(pa.array([subject_id]), TELLING)[0].as_py()
