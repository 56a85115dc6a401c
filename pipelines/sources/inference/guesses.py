"""Which table a file feeds, and which of its columns is which of ours: guessed, with a reason, for people to check."""

import re
from collections.abc import Callable, Iterator

from features.tables import DAILY_METRICS, TABLES
from pipelines.sources.inference import vocabulary as says
from pipelines.sources.inference.entries import Guess, Told, coded, device, measure, take, time_of, when
from pipelines.sources.inference.sights import Sight
from pipelines.sources.inference.view import View

# Answers lie on scales from -100 to 100; what goes beyond is measured.
WIDEST_SCALE = 100.0
CHECK_SCALE = "TODO check the scale: these are the bounds seen"


def guesses(seen: View) -> Iterator[Guess]:
    """The entries of streams that a file seems to hold; none if nobody or no time is told."""
    if seen.subject is None or seen.time is None:
        return
    for rule in _RULES:
        found = rule(seen)
        if found is not None:
            yield found


def _sleep(seen: View) -> Guess | None:
    onset, offset = _dated(seen, says.ONSET), _dated(seen, says.OFFSET)
    is_sleep = says.SLEEP.search(f"{seen.words} {' '.join(one.words for one in seen.sights.values())}")
    if not onset or not offset or onset is offset or not is_sleep or "time" not in (onset.kind, offset.kind):
        return None
    columns = when(seen, "onset_at") | {"onset_at": time_of(onset), "offset_at": time_of(offset)}
    seen.used |= {onset.name, offset.name}
    for ours, pattern in says.SLEEP_PARTS.items():
        sight = seen.first(pattern, "number")
        if sight is not None:
            columns[ours] = take(seen, sight, measure(sight, "min"))
    columns |= device(seen)
    main = seen.first(says.IS_MAIN, "text", "number")
    if main is not None:
        columns["is_main"] = take(seen, main, Told(main.name))
    return Guess("sleep", "has a begin and an end, and speaks of sleep", columns)


def _dated(seen: View, pattern: re.Pattern[str]) -> Sight | None:
    return next((one for one in seen.sights.values() if one.kind == "time" and pattern.search(one.words)), None)


def _minutes(seen: View) -> Guess | None:
    if not seen.has_minutes:
        return None
    columns = when(seen, "minute_at")
    for ours, pattern in says.MINUTES.items():
        sight = seen.first(pattern, "number")
        if sight is not None:
            columns[ours] = take(seen, sight, measure(sight, TABLES["wearable"].column(ours).unit))
    if not says.MINUTES.keys() & columns.keys():
        return None
    columns |= device(seen)
    return Guess("wearable", f"has {seen.rows_a_day:.0f} rows for a person and day", columns)


def _days(seen: View) -> Guess | None:
    if not seen.has_days:
        return None
    found = {}
    for ours, pattern in says.DAYS.items():
        sight = seen.first(pattern, "number")
        if sight is not None:
            found[ours] = take(seen, sight, measure(sight, DAILY_METRICS[ours][0]))
    if not found:
        return None
    return Guess("wearable_days", "has one row for a person and day", when(seen, "local_date"), "metric", found)


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
    found = {name: take(seen, one, Told(one.name, note="TODO check: the total score")) for name, one in totals.items()}
    why = "names of columns or of the file are those of questionnaires"
    return Guess("assessments", why, when(seen, "completed_at"), "instrument", found)


def _mood(seen: View) -> Guess | None:
    if says.EVENT.search(seen.words):
        return None
    pattern = re.compile(f"{says.ITEM.pattern}|{says.QUESTION}") if says.DIARY.search(seen.words) else says.ITEM
    items = [one for one in seen.free() if one.kind == "number" and pattern.search(one.words)
             and not says.NO_ITEM.search(one.words) and max(abs(one.low or 0), abs(one.high or 0)) <= WIDEST_SCALE]  # fmt: skip
    if not items:
        return None
    columns = when(seen, "answered_at")
    if seen.prompted is not None:
        columns["prompted_at"] = time_of(seen.prompted)
    found = {_slug(one): take(seen, one, _scaled(one)) for one in items}
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
    columns = when(seen, "occurred_at") | {"kind": take(seen, kind, coded(kind, "")) if kind else told}
    if severity is not None:
        columns["severity"] = take(seen, severity, Told(severity.name))
    return Guess("events", "the file's name speaks of events", columns)


def _interventions(seen: View) -> Guess | None:
    if not says.INTERVENTION.search(seen.words):
        return None
    kind = seen.first(says.EVENT_KIND, "text", "number")
    told = take(seen, kind, coded(kind, "")) if kind else Told(blank="value", note="TODO what was done")
    return Guess("interventions", "the file's name speaks of interventions", when(seen, "done_at") | {"kind": told})


def _care(seen: View) -> Guess | None:
    status = seen.first(says.STATUS, "text", "number") if says.CARE.search(seen.words) else None
    if status is None:
        return None
    ours = f"to {', '.join(TABLES['care_status'].column('status').allowed)}"
    columns = when(seen, "since") | {"status": take(seen, status, coded(status, ours))}
    return Guess("care_status", "the file's name speaks of care", columns)


def _long(seen: View) -> Guess | None:
    value = seen.first(says.LONG_VALUE, "number")
    for table, pattern in says.LONG_NAMES.items():
        name = seen.first(pattern, "text")
        if name is None or value is None:
            continue
        time, measured = str(TABLES[table].time), "score" if table == "assessments" else "value"
        naming = next(key for key in ("metric", "item", "instrument", "name") if key in TABLES[table].key)
        columns = when(seen, time) | {naming: take(seen, name, coded(name, "")),
                                       measured: take(seen, value, Told(value.name))}  # fmt: skip
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
        return {"unit": take(seen, unit, coded(unit, "to UCUM names"))}
    return {"value": Told(value.name, blank="unit", note="TODO unit")}


_RULES: tuple[Callable[[View], Guess | None], ...] = (
    _sleep, _minutes, _days, _assessments, _events, _interventions, _care, _mood, _long
)  # fmt: skip
