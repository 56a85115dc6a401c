"""A first mapping file for a folder that nobody mapped yet, for people to finish: `foretide ingest table --infer`.

It looks at names, types and some rows (`samples`, `sights`, `view`), guesses by the words of `vocabulary` what feeds
which table (`guesses`), and writes that down with its reasons (`writing`). Nothing goes into the lake. The draft holds
names of files and columns, formats and bounds of scales, and never another value of the data.
"""

from pathlib import Path

from pipelines.sources.inference import writing
from pipelines.sources.inference.guesses import Guess, enrolment, guesses
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
    found = [list(guesses(one)) for one in seen]
    _enrol(seen, found)
    _compare_ids(seen, found)
    lines = writing.head(any(one.received for one in seen))
    # What is mapped stands first: comments after the last entry would not be missed.
    for one, entries in sorted(zip(seen, found, strict=True), key=lambda pair: not pair[1]):
        lines += writing.section(one, entries)
    for file in passed:
        lines += writing.unread(file)
    return "\n".join(lines) + "\n"


def _enrol(seen: list[View], found: list[list[Guess]]) -> None:
    """Where no file tells of subjects, the one with most of them does, of those that are mapped."""
    if any(guess.table == "subjects" for entries in found for guess in entries):
        return
    told = [n for n, entries in enumerate(found) if entries]
    if told:
        most = max(told, key=lambda n: len(seen[n].ids))
        guess = enrolment(seen[most])
        found[most][:0] = [guess] if guess else []


def _compare_ids(seen: list[View], found: list[list[Guess]]) -> None:
    """Say where the rows that were looked at are of nobody who is enrolled: another id, or other people."""
    enrolled = [one for one, entries in zip(seen, found, strict=True) if any(g.table == "subjects" for g in entries)]
    known = frozenset().union(*(one.ids for one in enrolled))
    for one, entries in zip(seen, found, strict=True):
        if entries and one.ids and not one.ids & known:
            where = enrolled[0].sample.pattern
            one.note = f"TODO none of its {len(one.ids)} ids seen stands in {where}: another kind of id?"
