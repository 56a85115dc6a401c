"""Who is enrolled since when: from a list of people, never from what happened to them, for that selects on the outcome."""

import re
from dataclasses import replace

from pipelines.sources.inference import vocabulary as says
from pipelines.sources.inference.entries import SHORT_LIST, Guess, Told, coded, take, time_of
from pipelines.sources.inference.sights import Kind, Sight
from pipelines.sources.inference.view import View

CODES: tuple[Kind, ...] = ("text", "number")

# Whoever had a crisis, a status or a treatment is no sample of those who could have had one.
NO_ENROLMENT = ("events", "interventions", "care_status")
MISSING = "TODO enrolment is what is missing: a list of who was enrolled, and when (table `subjects`)."


def is_list(seen: View) -> bool:
    """Whether it is a list of people: one row each, and its name or columns are those of such lists."""
    if seen.subject is None or _tells_what_happened(seen) or len(seen.ids) < seen.given:
        return False
    has_attributes = any(seen.first(pattern, *CODES) for pattern in says.ATTRIBUTES.values())
    return bool(has_attributes or says.PEOPLE.search(seen.words) or _dated(seen, says.ENROLLED))


def subjects(seen: View, has_lists: bool) -> Guess | None:
    """Subjects from a list of people; with no list anywhere, from rows that tell sex, site and their like."""
    is_of_people = is_list(seen)
    if seen.subject is None or _tells_what_happened(seen) or (has_lists and not is_of_people):
        return None
    found = _attributes(seen)
    if not found and not is_of_people:
        return None
    told = {"subject_id": Told(seen.subject.name), "enrolled_on": _enrolled_on(seen)}
    further = {one.words: take(seen, one, coded(one, "")) for one in seen.free()
               if says.FURTHER_ATTRIBUTES.search(one.words) and one.distinct <= SHORT_LIST}  # fmt: skip
    why = f"has {', '.join(found)}" if found else "speaks of people"
    if is_of_people:
        return Guess("subjects", f"{why}; one row each", told | found, attributes=further)
    return _of_rows(f"{why}; several rows each, of which the first counts", told | found, further)


def from_rows(seen: View) -> Guess | None:
    """Subjects from a stream that says nothing of them but when they begin."""
    if seen.subject is None or seen.time is None:
        return None
    why = f"{len(seen.ids)} ids in the rows that were looked at"
    return _of_rows(why, {"subject_id": Told(seen.subject.name), "enrolled_on": _first_day(seen.time)}, {})


def _of_rows(why: str, columns: dict[str, Told], attributes: dict[str, Told]) -> Guess:
    todo = f"{MISSING} Until then whoever has rows here counts as enrolled, from the first of them on."
    return Guess("subjects", why, columns, attributes=attributes, todo=todo)


def _tells_what_happened(seen: View) -> bool:
    return any(pattern.search(seen.words) for pattern in (says.EVENT, says.CARE, says.INTERVENTION))


def _attributes(seen: View) -> dict[str, Told]:
    found: dict[str, Told] = {}
    for ours, pattern in says.ATTRIBUTES.items():
        sight = seen.first(pattern, *CODES)
        # Ages in years are no band.
        if sight is not None and not (ours == "age_band" and sight.kind == "number"):
            found[ours] = take(seen, sight, coded(sight, ""))
    return found


def _enrolled_on(seen: View) -> Told:
    enrolled = _dated(seen, says.ENROLLED) or _dated(seen, says.START) or seen.time
    return _first_day(enrolled) if enrolled else Told(note="TODO the column with the first day")


def _dated(seen: View, pattern: re.Pattern[str]) -> Sight | None:
    return next((one for one in seen.sights.values() if one.is_dated and pattern.search(one.words)), None)


def _first_day(time: Sight) -> Told:
    told = time_of(time)
    check = "TODO check: the first day of each subject is taken"
    return replace(told, note=f"{told.note}; {check}" if told.note else check)
