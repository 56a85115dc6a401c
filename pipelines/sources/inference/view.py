"""One kind of file as seen: its columns by what they look like and are called, whose rows they are, and when."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from pipelines.deidentification.column_names import normal_name
from pipelines.deidentification.gate import Finding, findings
from pipelines.sources.inference.samples import Sample
from pipelines.sources.inference.sights import Decimal, Sight, days_of, decimal_of, look
from pipelines.sources.inference.vocabulary import CLOCK, EVENT_TIME, MINUTE_OF_DAY, PROMPTED, RECEIVED, SUBJECT
from pipelines.sources.table.parsing import as_text

# More rows than these for a person and day are no daily values; as many as these are minutes.
DAILY, MINUTELY = 1.2, 30.0
MINUTES_A_DAY = 1440
A_VALUE = re.compile(r"[-+]?\d+(?:[.,]\d+)?|\d{4}-\d\d-\d\d.*|\d\d?[/.]\d\d?[/.]\d{2,4}.*|")


@dataclass
class View:
    """A kind of file as seen. `used` gathers the columns that an entry maps; `ids` are compared, and never written.

    `decimal` is the mark of its numbers, `given` how many rows name a subject.
    """

    sample: Sample
    sights: dict[str, Sight]
    identifying: dict[str, Finding]
    subject: Sight | None = None
    time: Sight | None = None
    received: Sight | None = None
    prompted: Sight | None = None
    clock: Sight | None = None
    ids: frozenset[str] = frozenset()
    given: int = 0
    rows_a_day: float = 0.0
    decimal: Decimal = "."
    note: str = ""
    used: set[str] = field(default_factory=set)

    @property
    def words(self) -> str:
        """The file's name as words, of pattern and folder alike."""
        return normal_name(re.sub(r"\.(?:csv|tsv|txt|gz|parquet|pq)\b|[*/]", " ", self.sample.pattern))

    @property
    def has_days(self) -> bool:
        """Whether there is a row for a person and day, not more."""
        return self.time is not None and self.time.kind == "day" and self.rows_a_day <= DAILY

    @property
    def has_minutes(self) -> bool:
        """Whether there are so many rows for a person and day that they are minutes."""
        is_timed = self.time is not None and (self.time.kind == "time" or self.clock is not None)
        return is_timed and self.rows_a_day >= MINUTELY

    def free(self) -> Iterable[Sight]:
        """Columns that nothing was made of yet and that are not empty."""
        taken = {one.name for one in (self.subject, self.time, self.received, self.prompted, self.clock) if one}
        return [one for name, one in self.sights.items() if name not in self.used | taken and one.kind != "empty"]

    def first(self, pattern: re.Pattern[str], *kinds: str) -> Sight | None:
        """The first free column whose name says so and that looks so."""
        return next((one for one in self.free() if pattern.search(one.words) and one.kind in kinds), None)


def view(sample: Sample) -> View | None:
    """What is seen of some rows; None where no line names the columns, whose values are not to be repeated then."""
    names = sample.rows.column_names
    found = list(findings(sample.rows))
    if _are_values(names) or any(finding.column == f"column {position + 1}" for position, finding in found):
        return None
    identifying = {names[position]: finding for position, finding in found}
    columns = {name: sample.rows[name] for name in names if name not in identifying}
    decimal = decimal_of(columns.values(), sample.layout.separator)
    sights = _in_one_order({name: look(name, column, decimal) for name, column in columns.items()})
    seen = View(sample, sights, identifying, decimal=decimal)
    seen.subject = _first(seen, [*SUBJECT], "number", "text")
    seen.received = _first(seen, [RECEIVED], "time")
    seen.prompted = _first(seen, [PROMPTED], "time")
    seen.time = _first(seen, [*EVENT_TIME], "time", "day") or next((one for one in seen.free() if one.is_dated), None)
    if seen.time is not None and seen.time.kind == "day":
        minute = seen.first(MINUTE_OF_DAY, "number")
        is_of_day = minute is not None and (minute.low or 0) >= 0 and (minute.high or 0) < MINUTES_A_DAY
        seen.clock = seen.first(CLOCK, "clock") or (minute if is_of_day else None)
    if seen.subject is not None:
        _count(seen, seen.subject)
    return seen


def _are_values(names: list[str]) -> bool:
    return 2 * sum(A_VALUE.fullmatch(name.strip()) is not None for name in names) >= len(names)


def _in_one_order(sights: dict[str, Sight]) -> dict[str, Sight]:
    """Where values fit day first and month first, another column of the file that fits one of them decides."""
    told = {one.format.index("%d") < one.format.index("%m") for one in sights.values()
            if one.format and "%d" in one.format and "%m" in one.format and not one.other_format}  # fmt: skip
    if told == {True}:
        return {name: replace(one, other_format=None) for name, one in sights.items()}
    if told == {False}:
        return {
            name: replace(one, format=one.other_format or one.format, other_format=None) for name, one in sights.items()
        }
    return sights


def _first(seen: View, patterns: list[re.Pattern[str]], *kinds: str) -> Sight | None:
    return next((found for pattern in patterns if (found := seen.first(pattern, *kinds))), None)


def _count(seen: View, subject: Sight) -> None:
    rows = seen.sample.rows
    people = as_text(rows[subject.name]).to_pylist()
    seen.ids, seen.given = frozenset(people) - {None}, len(people) - people.count(None)
    if seen.time is not None:
        days = days_of(seen.time, rows[seen.time.name])
        pairs = [(who, day) for who, day in zip(people, days, strict=True) if who is not None and day is not None]
        seen.rows_a_day = len(pairs) / max(1, len(set(pairs)))
