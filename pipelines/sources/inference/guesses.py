"""Which table a file feeds, and which of its columns is which of ours: guessed, with a reason, for people to check."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from features.tables import DAILY_METRICS, TABLES
from pipelines.sources.inference import vocabulary as says
from pipelines.sources.inference.sights import Sight
from pipelines.sources.inference.view import View
from pipelines.sources.table.units import UNDISPUTED, conversion

SHORT_LIST = 50
# Answers lie on scales from -100 to 100; what goes beyond is measured.
WIDEST_SCALE = 100.0
CHECK_SCALE = "TODO check the scale: these are the bounds seen"


@dataclass(frozen=True)
class Told:
    """Where a canonical column comes from, if that can be told; a `blank` is a key that people must fill in."""

    column: str | None = None
    keys: tuple[tuple[str, str], ...] = ()
    blank: str = ""
    note: str = ""


@dataclass
class Guess:
    """One entry of the mapping to be: the table, why, and its columns."""

    table: str
    why: str
    columns: dict[str, Told] = field(default_factory=dict)
    into: str = ""
    melt: dict[str, Told] = field(default_factory=dict)
    attributes: dict[str, Told] = field(default_factory=dict)


def guesses(seen: View) -> Iterator[Guess]:
    """The entries that a file seems to hold; none if nobody or no time is told."""
    if seen.subject is None:
        return
    attributes = _subjects(seen)
    if attributes is not None:
        yield attributes
    if seen.time is None:
        return
    for rule in _RULES:
        found = rule(seen)
        if found is not None:
            yield found


def enrolment(seen: View) -> Guess | None:
    """Subjects from a file that says nothing of them but when they begin."""
    if seen.subject is None or seen.time is None:
        return None
    why = f"no file tells who was enrolled when; {len(seen.ids)} ids in the rows that were looked at"
    return Guess("subjects", why, {"subject_id": Told(seen.subject.name), "enrolled_on": _first_day(seen.time)})


def _first_day(time: Sight) -> Told:
    told = _time(time)
    return Told(told.column, keys=told.keys, note=_and(told.note, "TODO check: the first day of each subject is taken"))


def _time(sight: Sight, clock: Sight | None = None) -> Told:
    """A day or time with its format, and the column with the time of day where there is one."""
    note = "TODO day first or month first? Both fit" if sight.other_format else ""
    keys = (("format", sight.format),) if sight.format else ()
    if clock is not None:
        keys = (
            *keys,
            ("time", clock.name if clock.kind == "clock" else f"{{column: {json.dumps(clock.name)}, unit: min}}"),
        )
    return Told(sight.name, keys=keys, note=note)


def _and(*notes: str) -> str:
    return "; ".join(note for note in notes if note)


def _measure(sight: Sight, unit: str) -> Told:
    """A number with the unit that its name says, or a blank for it."""
    if unit in UNDISPUTED:
        return Told(sight.name)
    named = says.unit_in(sight.words, sight.name)
    if named is not None and conversion(named, unit) is not None:
        return Told(sight.name, keys=(("unit", named),))
    return Told(sight.name, blank="unit", note=f"TODO unit; ours is {unit}")


def _coded(sight: Sight, ours: str) -> Told:
    """A column of codes; how many there are is told, never which."""
    note = f"recode: {sight.distinct} distinct values" if sight.kind != "number" or sight.distinct <= SHORT_LIST else ""
    return Told(sight.name, note=_and(note, ours))


def _when(seen: View, ours: str) -> dict[str, Told]:
    """Whose and when, and what else is known of a row's times."""
    assert seen.subject is not None  # noqa: S101  (the caller asked)
    assert seen.time is not None  # noqa: S101
    columns = {
        "subject_id": Told(seen.subject.name),
        ours: _time(seen.time, None if ours == "local_date" else seen.clock),
    }
    if seen.received is not None:
        columns["received_at"] = _time(seen.received)
    return columns


def _device(seen: View) -> dict[str, Told]:
    device = seen.first(says.DEVICE, "text", "number")
    return {} if device is None else {"device_id": _take(seen, device, Told(device.name))}


def _take(seen: View, sight: Sight, told: Told) -> Told:
    seen.used.add(sight.name)
    return told


def _subjects(seen: View) -> Guess | None:
    rows = seen.sample.rows.num_rows
    found: dict[str, Told] = {}
    for ours, pattern in says.ATTRIBUTES.items():
        sight = seen.first(pattern, "text", "number")
        if sight is None or (ours == "age_band" and sight.kind == "number"):
            continue
        found[ours] = _take(seen, sight, _coded(sight, ""))
    if not found:
        return None
    enrolled = seen.first(says.ENROLLED, "day", "time") or seen.time
    further = {one.words: _take(seen, one, _coded(one, "")) for one in seen.free()
               if says.FURTHER_ATTRIBUTES.search(one.words) and one.distinct <= SHORT_LIST}  # fmt: skip
    assert seen.subject is not None  # noqa: S101  (the caller asked)
    told = {"subject_id": Told(seen.subject.name),
            "enrolled_on": _first_day(enrolled) if enrolled else Told(note="TODO the column with the first day")}  # fmt: skip
    share = "one row each" if len(seen.ids) >= rows else "several rows each, of which the first counts"
    return Guess("subjects", f"has {', '.join(found)}; {share}", told | found, attributes=further)


def _sleep(seen: View) -> Guess | None:
    onset, offset = _dated(seen, says.ONSET), _dated(seen, says.OFFSET)
    is_sleep = says.SLEEP.search(f"{seen.words} {' '.join(one.words for one in seen.sights.values())}")
    if not onset or not offset or onset is offset or not is_sleep or "time" not in (onset.kind, offset.kind):
        return None
    columns = _when(seen, "onset_at") | {"onset_at": _time(onset), "offset_at": _time(offset)}
    seen.used |= {onset.name, offset.name}
    for ours, pattern in says.SLEEP_PARTS.items():
        sight = seen.first(pattern, "number")
        if sight is not None:
            columns[ours] = _take(seen, sight, _measure(sight, "min"))
    columns |= _device(seen)
    main = seen.first(says.IS_MAIN, "text", "number")
    if main is not None:
        columns["is_main"] = _take(seen, main, Told(main.name))
    return Guess("sleep", "has a begin and an end, and speaks of sleep", columns)


def _dated(seen: View, pattern: re.Pattern[str]) -> Sight | None:
    return next((one for one in seen.sights.values() if one.kind == "time" and pattern.search(one.words)), None)


def _minutes(seen: View) -> Guess | None:
    if not seen.has_minutes:
        return None
    columns = _when(seen, "minute_at")
    for ours, pattern in says.MINUTES.items():
        sight = seen.first(pattern, "number")
        if sight is not None:
            columns[ours] = _take(seen, sight, _measure(sight, TABLES["wearable"].column(ours).unit))
    if not says.MINUTES.keys() & columns.keys():
        return None
    columns |= _device(seen)
    return Guess("wearable", f"has {seen.rows_a_day:.0f} rows for a person and day", columns)


def _days(seen: View) -> Guess | None:
    if not seen.has_days:
        return None
    found = {}
    for ours, pattern in says.DAYS.items():
        sight = seen.first(pattern, "number")
        if sight is not None:
            found[ours] = _take(seen, sight, _measure(sight, DAILY_METRICS[ours][0]))
    if not found:
        return None
    return Guess("wearable_days", "has one row for a person and day", _when(seen, "local_date"), "metric", found)


def _assessments(seen: View) -> Guess | None:
    of_file = says.instrument_in(seen.sample.pattern.split(".")[0])
    totals: dict[str, Sight] = {}
    for one in seen.free():
        instrument = says.instrument_in(one.name) or (of_file if says.TOTAL.search(one.words) else None)
        if one.kind != "number" or instrument is None:
            continue
        name = instrument if says.instrument_in(one.name) else f"{of_file}_{one.words.removesuffix('_score')}"
        if name not in totals or says.TOTAL.search(one.words):
            totals[name] = one
    if not totals:
        return None
    found = {name: _take(seen, one, Told(one.name, note="TODO check: the total score")) for name, one in totals.items()}
    why = "names of columns or of the file are those of questionnaires"
    return Guess("assessments", why, _when(seen, "completed_at"), "instrument", found)


def _mood(seen: View) -> Guess | None:
    if says.EVENT.search(seen.words):
        return None
    items = [one for one in seen.free() if one.kind == "number" and says.ITEM.search(one.words)
             and not says.NO_ITEM.search(one.words) and max(abs(one.low or 0), abs(one.high or 0)) <= WIDEST_SCALE]  # fmt: skip
    if not items:
        return None
    columns = _when(seen, "answered_at")
    if seen.prompted is not None:
        columns["prompted_at"] = _time(seen.prompted)
    found = {_slug(one): _take(seen, one, _scaled(one)) for one in items}
    return Guess("mood", "names of columns are those of feelings, values those of a scale", columns, "item", found)


def _scaled(sight: Sight) -> Told:
    if sight.low == sight.high:
        return Told(sight.name, blank="scale", note="TODO lowest and highest possible answer, as [0, 10]")
    return Told(sight.name, keys=(("scale", f"[{sight.low:g}, {sight.high:g}]"),), note=CHECK_SCALE)


def _slug(sight: Sight) -> str:
    return re.sub(r"\W+", "_", sight.name.casefold()).strip("_")


def _events(seen: View) -> Guess | None:
    if not says.EVENT.search(seen.words):
        return None
    kind, severity = seen.first(says.EVENT_KIND, "text", "number"), seen.first(says.SEVERITY, "number")
    told = Told(blank="value", note="TODO what kind of event these are; an outcome names it")
    columns = _when(seen, "occurred_at") | {"kind": _take(seen, kind, _coded(kind, "")) if kind else told}
    if severity is not None:
        columns["severity"] = _take(seen, severity, Told(severity.name))
    return Guess("events", "the file's name speaks of events", columns)


def _care(seen: View) -> Guess | None:
    status = seen.first(says.STATUS, "text", "number") if says.CARE.search(seen.words) else None
    if status is None:
        return None
    ours = f"to {', '.join(TABLES['care_status'].column('status').allowed)}"
    columns = _when(seen, "since") | {"status": _take(seen, status, _coded(status, ours))}
    return Guess("care_status", "the file's name speaks of care", columns)


def _long(seen: View) -> Guess | None:
    value = seen.first(says.LONG_VALUE, "number")
    for table, pattern in says.LONG_NAMES.items():
        name = seen.first(pattern, "text")
        if name is None or value is None:
            continue
        time, measured = str(TABLES[table].time), "score" if table == "assessments" else "value"
        naming = next(key for key in ("metric", "item", "instrument", "name") if key in TABLES[table].key)
        columns = _when(seen, time) | {naming: _take(seen, name, _coded(name, "")),
                                       measured: _take(seen, value, Told(value.name))}  # fmt: skip
        return Guess(table, "one column names what another one holds", columns | _of_long(seen, table, value))
    return None


def _of_long(seen: View, table: str, value: Sight) -> dict[str, Told]:
    """What the value of a long file needs beside it: a unit, or the bounds of its scale."""
    if table == "mood":
        bounds = {"scale_min": value.low or 0.0, "scale_max": value.high or 0.0}
        return {name: Told(blank="value", note=f"TODO bound of the scale; {bound:g} was seen")
                for name, bound in bounds.items()}  # fmt: skip
    if table == "assessments":
        return {}
    unit = seen.first(says.LONG_UNIT, "text")
    if unit is not None:
        return {"unit": _take(seen, unit, _coded(unit, "to UCUM names"))}
    return {"value": Told(value.name, blank="unit", note="TODO unit")}


_RULES: tuple[Callable[[View], Guess | None], ...] = (
    _sleep, _minutes, _days, _assessments, _events, _care, _mood, _long
)  # fmt: skip
