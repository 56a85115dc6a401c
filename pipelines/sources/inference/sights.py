"""What a column looks like: numbers, days, times and how they are written, or texts. No value is kept but bounds."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.deidentification.column_names import normal_name
from pipelines.sources.table.parsing import as_text, is_text

Kind = Literal["empty", "number", "day", "time", "clock", "text"]
Decimal = Literal[".", ","]

SAMPLE = 1000
ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ](?P<clock>\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?) ?(?:Z|[+-]\d\d(?::?\d\d)?)?)?")
CLOCK = re.compile(r"(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?")
TIMED = re.compile(
    r"time|date|stamp|datum|zeit|fecha|hora|heure|날짜|일자|일시|시각|(?:^|_)(?:ts|at|epoch|received|start|stop|end|begin)(?:_|$)"
)
DAY_FIRST, MONTH_FIRST = ("%d", "%m"), ("%m", "%d")
DATES = tuple(
    mark.join(parts) for mark in "/.-"
    for parts in (("%Y", "%m", "%d"), *((*order, year) for year in ("%Y", "%y") for order in (DAY_FIRST, MONTH_FIRST)))
) + ("%Y%m%d", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%d.%b.%Y")  # fmt: skip
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", " %H:%M:%S.%f")
WITH_COMMA, WITH_POINT = re.compile(r"[-+]?\d+,\d+"), re.compile(r"[-+]?\d+\.\d+")
THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(?:,\d{3})+")
# Years 2001 to 2100, so that neither small numbers nor long ones are taken for times.
EPOCHS = {"epoch_s": 1, "epoch_ms": 10**3, "epoch_us": 10**6, "epoch_ns": 10**9}
FIRST_S, LAST_S = 978_307_200, 4_102_444_800


@dataclass(frozen=True)
class Sight:
    """A column as seen in some rows: `low` and `high` of numbers; `format` of days and times as a mapping spells it.

    `other_format` fits the values as well, day and month exchanged.
    """

    name: str
    kind: Kind
    distinct: int = 0
    format: str | None = None
    other_format: str | None = None
    low: float | None = None
    high: float | None = None

    @property
    def words(self) -> str:
        """The name as words joined by `_`."""
        return normal_name(self.name)

    @property
    def is_dated(self) -> bool:
        """Whether it tells a day."""
        return self.kind in ("day", "time")


def decimal_of(columns: Iterable[pa.ChunkedArray], separator: str) -> Decimal:
    """The mark of a file's fractions: a comma, if any column has it; between commas, if more have it than a point."""
    commas = points = 0
    for texts in (_texts(column) for column in columns if is_text(column.type)):
        marked = [text for text in texts if not text.lstrip("+-").isdigit()]
        # In a file of commas, 1,234 in quotation marks is a thousand and more.
        is_grouped = separator == "," and all(THOUSANDS.fullmatch(text) for text in marked)
        commas += bool(marked) and not is_grouped and all(WITH_COMMA.fullmatch(text) for text in marked)
        points += bool(marked) and all(WITH_POINT.fullmatch(text) for text in marked)
    return "," if commas > (points if separator == "," else 0) else "."


def look(name: str, column: pa.ChunkedArray, decimal: Decimal = ".") -> Sight:
    """What a column looks like."""
    texts = _texts(column)
    if not texts:
        return Sight(name, "empty")
    if pa.types.is_date(column.type):
        return Sight(name, "day", len(texts))
    if pa.types.is_timestamp(column.type):
        is_day = all(text[11:].strip("0:.") in ("", "Z") for text in texts)
        return Sight(name, "day" if is_day else "time", len(texts))
    return _of_texts(name, texts, decimal if is_text(column.type) else ".")


def _texts(column: pa.ChunkedArray) -> list[str]:
    """The distinct values of a column, as an export would spell them."""
    return [text.strip() for text in pc.unique(as_text(column.drop_null())).to_pylist() if text and text.strip()]


def _of_texts(name: str, texts: Sequence[str], decimal: Decimal) -> Sight:
    some = texts[:SAMPLE]
    numbers = _numbers(texts, decimal)
    if numbers is not None and not _are_plain_dates(name, some):
        return _of_numbers(name, numbers, may_be_epoch=not any("," in text for text in some))
    if all(CLOCK.fullmatch(text) for text in some):
        return Sight(name, "clock", len(texts))
    iso = [ISO.fullmatch(text) for text in some]
    if all(iso):
        clocks = {found["clock"] for found in iso if found}
        return Sight(name, "day" if _are_midnights(clocks) else "time", len(texts))
    return _of_formats(name, texts, some)


def _of_formats(name: str, texts: Sequence[str], some: Sequence[str]) -> Sight:
    fitting = [date + clock for clock, date in product(CLOCKS, DATES) if _fits(date + clock, some)]
    if not fitting:
        return Sight(name, "text", len(texts))
    format = fitting[0]
    other = next((one for one in fitting[1:] if one == _exchanged(format)), None)
    times: set[str | None] = {datetime.strptime(text, format).time().isoformat() for text in some}  # noqa: DTZ007  (wall clock)
    return Sight(name, "day" if _are_midnights(times) else "time", len(texts), format, other)


def _fits(format: str, texts: Sequence[str]) -> bool:
    try:
        # 1900 is what a format of two digits or none makes of a number that is no year.
        return all(1950 < datetime.strptime(text, format).year < 2100 for text in texts)  # noqa: DTZ007
    except ValueError:
        return False


def _exchanged(format: str) -> str:
    return format.replace("%d", "%x").replace("%m", "%d").replace("%x", "%m")


def _are_midnights(clocks: set[str | None]) -> bool:
    return all(clock is None or not re.sub(r"[0:.,]", "", clock) for clock in clocks)


def _numbers(texts: Sequence[str], decimal: Decimal) -> list[float] | None:
    if decimal == "," and any("." in text for text in texts):
        return None
    try:
        return [float(text.replace(decimal, ".")) for text in texts]
    except ValueError:
        return None


def _are_plain_dates(name: str, texts: Sequence[str]) -> bool:
    """Eight digits are a day only if the name says so: ids have eight digits as well."""
    return TIMED.search(normal_name(name)) is not None and _fits("%Y%m%d", texts) and all(len(t) == 8 for t in texts)


def _of_numbers(name: str, numbers: list[float], may_be_epoch: bool) -> Sight:
    low, high = min(numbers), max(numbers)
    if may_be_epoch and TIMED.search(normal_name(name)):
        for format, ticks in EPOCHS.items():
            if low >= FIRST_S * ticks and high <= LAST_S * ticks:
                return Sight(name, "time", len(numbers), format)
    return Sight(name, "number", len(numbers), low=low, high=high)


def days_of(sight: Sight, column: pa.ChunkedArray) -> list[str | None]:
    """What tells one day from another, for each row."""
    texts = as_text(column).to_pylist()
    if sight.format in EPOCHS:
        a_day = 86_400 * EPOCHS[sight.format]
        return [None if text is None else str(int(float(text) // a_day)) for text in texts]
    if sight.format is not None and " " in sight.format.removesuffix(" %p"):
        return [None if text is None else re.split(r"\s\d?\d:", text)[0] for text in texts]
    return [None if text is None else text[:10] for text in texts]
