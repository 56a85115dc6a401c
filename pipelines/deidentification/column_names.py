"""What the name of a column tells: an identifier class, or that it holds ages."""

import re
import unicodedata

from pipelines.deidentification.identifiers import IDENTIFIERS, Identifier

# What a name may end in after the words that tell its class.
_TAIL = (
    r"_(?:no|nr|num|number|id|code|line|home|work|private|primary|secondary|text|raw|file|path|data|patient|subject|"
    r"of_(?:the_)?(?:patient|subject))"
)


def _pattern(one: Identifier) -> str:
    whole = rf"|^(?:{one.whole})(?:{_TAIL})?$" if one.whole else ""
    return rf"(?:^|_|(?<=[가-힣]))(?:{one.ends})(?:{_TAIL})?${whole}"


_PATTERNS = [(one, re.compile(_pattern(one))) for one in IDENTIFIERS]
_AGES = re.compile(r"^(?:age|age_(?:at_\w+|years?|yrs?|y|band|group)|alter|alter_jahre|edad|나이|연령|만나이)$")
_OPEN_AGE = re.compile(
    r"^(?:>=?|≥|over|from)\s*(?:\d|[1-8]\d|90)$|^(?:\d|[1-8]\d|90)\s*(?:\+|(?:and|or|years and) (?:over|older|above|more))$"
)


def normal_name(name: str) -> str:
    """A column's name as words joined by `_`: lower case, without accents, digits and the writer's own style."""
    plain = unicodedata.normalize("NFKD", name)
    plain = unicodedata.normalize("NFC", "".join(c for c in plain if not unicodedata.combining(c)))
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", plain)
    return "_".join(word for word in re.split(r"[\W_\d]+", words.casefold()) if word)


def of_name(name: str) -> Identifier | None:
    """The class that a column's name tells, if any; of several the one told by most letters (`mac_address`)."""
    plain = normal_name(name)
    told = [(len(match.group()), one) for one, pattern in _PATTERNS if (match := pattern.search(plain))]
    return max(told, key=lambda pair: pair[0])[1] if told else None


def is_age(name: str) -> bool:
    """Whether a column's name says that it holds ages or age bands."""
    return _AGES.match(normal_name(name)) is not None


def is_over_89(age: str) -> bool:
    """Whether an age or band tells more than "90 or over"; 125 and more are codes for a missing age."""
    if _OPEN_AGE.match(age.strip().casefold()):
        return False
    return any(89 < float(number) < 125 for number in re.findall(r"\d+(?:\.\d+)?", age))
