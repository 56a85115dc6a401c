"""The whole of an ingest of Fitbit exports: person by person, and last of each their enrolment."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from features.tables import TABLES
from pipelines.errors import Refused
from pipelines.progress import Report, silent
from pipelines.sources.archive import open_source
from pipelines.sources.batch import Batch
from pipelines.sources.fitbit import days, minutes, nights
from pipelines.sources.fitbit.clock import Clock
from pipelines.sources.fitbit.entries import File, Whose, connected
from pipelines.sources.fitbit.people import Person, find_people

MINUTE_US = 60_000_000
JUST_AFTER = timedelta(seconds=1)


class Enrolment(NamedTuple):
    """One enrolment that the lake holds of a subject: the day, when that was received, and whether an export told it."""

    enrolled_on: date
    received_at: datetime
    is_of_an_export: bool


NOBODY: Mapping[str, Sequence[Enrolment]] = {}


def read(
    path: Path,
    time_zone: str,
    is_receipt_told: bool,
    enrolled: Mapping[str, Sequence[Enrolment]] = NOBODY,
    report: Report = silent,
) -> Iterator[Batch]:
    """Canonical batches of the exports at a path.

    Args:
        path: folder or zip of one export, or folder of several people's folders and zips.
        time_zone: IANA name, of wall-clock times in the files.
        is_receipt_told: rows carry no receipt of their own, the command says it; else it is the end of their day.
        enrolled: subjects whom the lake knows; their enrolment is corrected only if exports of later days told it.
        report: told how many files are read, and how many left out.

    Raises:
        Refused: nothing known is there, it cannot be told whose it is, or a file cannot be used.
    """
    people, left_out = find_people(path)
    files = sum(len(person.places) for person in people)
    report(f"reading an export: {len(people)} subjects, {files} files, {left_out} others left out")
    for number, person in enumerate(people, start=1):
        whose = Whose(person.subject_id, Clock(time_zone, is_receipt_told))
        with tempfile.TemporaryDirectory(prefix="foretide-") as spill, connected(Path(spill)) as connection:
            first = None
            for batch in _telling_where(_of_person(connection, person, whose), number, len(people)):
                first = min(filter(None, (first, _first_day(batch))), default=None)
                yield batch
            if first is not None:
                yield from _enrolled(first, whose, enrolled.get(person.subject_id, ()))


def _telling_where(batches: Iterator[Batch], number: int, of: int) -> Iterator[Batch]:
    """The batches; a refusal tells whose file it is by a number, for the name is the subject's."""
    try:
        yield from batches
    except Refused as refused:
        if of == 1:
            raise
        raise Refused(f"In number {number} of {of} folders or zips of people, by name: {refused}") from None


def _of_person(connection: duckdb.DuckDBPyConnection, person: Person, whose: Whose) -> Iterator[Batch]:
    """A person's batches; their zips are unpacked while these are read."""
    with ExitStack() as stack:
        folders = {}
        for source in person.sources():
            wanted = {place.name for place in person.places if place.source == source}
            folders[source] = stack.enter_context(open_source(source, wanted.__contains__))
        files = [File(folders[place.source] / place.name, place.kind) for place in person.places]
        files.sort(key=lambda file: file.path.name)
        for kind in (minutes, nights, days):
            yield from kind.read(connection, files, whose)


def _first_day(batch: Batch) -> pd.Timestamp | None:
    """The first civil day of the sound rows."""
    rows: pa.Table = batch.frame if batch.broken is None else batch.frame.filter(pc.is_null(batch.broken))
    if batch.table == "wearable_days":
        return _timestamp(pc.min(rows["local_date"]).as_py())
    local = pc.add(rows[TABLES[batch.table].time].cast(pa.int64()),
                   pc.multiply(rows["utc_offset_min"].cast(pa.int64()), MINUTE_US))  # fmt: skip
    earliest = pc.min(local).as_py()
    return None if earliest is None else pd.Timestamp(earliest, unit="us").normalize().as_unit("us")


def _timestamp(day: object) -> pd.Timestamp | None:
    return None if day is None else pd.Timestamp(str(day)).as_unit("us")


def _enrolled(first: pd.Timestamp, whose: Whose, known: Sequence[Enrolment]) -> Iterator[Batch]:
    """The subject, enrolled on the first day with any row of any export: exports say nothing of enrolment."""
    if any(not one.is_of_an_export or one.enrolled_on <= first.date() for one in known):
        return
    clocks = whose.clock.provenance_of_days(pd.Series([first]))
    frame = pa.table({"subject_id": [whose.subject_id], "enrolled_on": pa.array([first.date()]), **clocks})
    if not whose.clock.is_receipt_told:
        # Received at the end of its day, it is older than what it corrects: it is said once more just after each of these.
        frame = pa.concat_tables([frame, *(_received(frame, one.received_at + JUST_AFTER) for one in known)])
    yield Batch("subjects", frame, "first day of the export")


def _received(frame: pa.Table, at: datetime) -> pa.Table:
    position = frame.column_names.index("received_at")
    return frame.set_column(position, "received_at", pa.array([at], frame["received_at"].type))
