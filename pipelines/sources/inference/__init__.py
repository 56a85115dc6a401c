"""A first mapping file for a folder that nobody mapped yet, for people to finish: `foretide ingest table --infer`.

It looks at names, types and some rows (`samples`, `sights`, `view`), guesses by the words of `vocabulary` what feeds
which table (`guesses`), and writes that down with its reasons (`writing`). Nothing goes into the lake. The draft holds
names of files and columns, formats and bounds of scales, and never another value of the data.
"""

from pathlib import Path

from pipelines.sources.inference import writing
from pipelines.sources.inference.enrolment import MISSING, NO_ENROLMENT, from_rows, is_list, subjects
from pipelines.sources.inference.entries import Guess
from pipelines.sources.inference.guesses import guesses
from pipelines.sources.inference.samples import Sample, Unread, samples
from pipelines.sources.inference.view import View, view

NO_HEADER = "has no line with the names of its columns. Write one above its rows, and draft again."


def draft(path: Path) -> str:
    """A mapping for the CSV and Parquet files at a path, as YAML with comments.

    Raises:
        Refused: there is no such file.
    """
    seen: list[View] = []
    passed: list[Unread] = []
    for kind in samples(path):
        looked = view(kind) if isinstance(kind, Sample) else None
        if looked is not None:
            seen.append(looked)
        else:
            passed.append(kind if isinstance(kind, Unread) else Unread(kind.pattern, NO_HEADER))
    has_lists = any(is_list(one) for one in seen)
    found = [[*_given(subjects(one, has_lists)), *guesses(one)] for one in seen]
    _enrol(seen, found)
    _compare_ids(seen, found)
    lines = writing.head(any(one.received for one in seen))
    if not _enrolled(seen, found):
        lines += writing.nobody_enrolled(MISSING)
    # What is mapped stands first: comments after the last entry would not be missed.
    for one, entries in sorted(zip(seen, found, strict=True), key=lambda pair: not pair[1]):
        lines += writing.section(one, entries)
    for file in passed:
        lines += writing.unread(file)
    return "\n".join(lines) + "\n"


def _given(guess: Guess | None) -> list[Guess]:
    return [] if guess is None else [guess]


def _enrolled(seen: list[View], found: list[list[Guess]]) -> list[View]:
    """The kinds of files that tell who is enrolled."""
    return [one for one, entries in zip(seen, found, strict=True) if any(g.table == "subjects" for g in entries)]


def _enrol(seen: list[View], found: list[list[Guess]]) -> None:
    """Where no file tells of subjects, the stream with most of them does, unless it tells of what happened to them."""
    if _enrolled(seen, found):
        return
    told = [n for n, entries in enumerate(found) if any(guess.table not in NO_ENROLMENT for guess in entries)]
    if told:
        most = max(told, key=lambda n: len(seen[n].ids))
        found[most][:0] = _given(from_rows(seen[most]))


def _compare_ids(seen: list[View], found: list[list[Guess]]) -> None:
    """Say where the rows that were looked at are of nobody who is enrolled: another id, or other people."""
    enrolled = _enrolled(seen, found)
    known = frozenset().union(*(one.ids for one in enrolled))
    for one, entries in zip(seen, found, strict=True):
        if enrolled and entries and one.ids and not one.ids & known:
            where = enrolled[0].sample.pattern
            one.note = f"TODO none of its {len(one.ids)} ids seen stands in {where}: another kind of id?"
