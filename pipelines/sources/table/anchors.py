"""The civil day that each subject's day numbers count from."""

import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.deidentification.gate import refuse_identifiers
from pipelines.sources.table.columns import recoded
from pipelines.sources.table.files import layout_of, matching
from pipelines.sources.table.formats import read_chunks
from pipelines.sources.table.headers import refuse_missing
from pipelines.sources.table.mapping import Mapping
from pipelines.sources.table.origins import Anchor, ColumnMapping
from pipelines.sources.table.parsing import Finding, Parser, Place, Values, as_text, codes_of, plain, unread
from pipelines.sources.table.times import days

Known = tuple[pa.Array, pa.Array]


class Anchors:
    """Anchors of one ingest, each file read once."""

    def __init__(self, path: Path, named: str, mapping: Mapping, parser: Parser) -> None:
        self._path, self._named, self._mapping, self._parser = path, named, mapping, parser
        self._known: dict[Anchor, Known] = {}

    def of(self, anchor: Anchor, rows: pa.Table, subjects: Values, place: Place) -> tuple[Values, list[Finding]]:
        """The day that has number 0 for each row; a subject of whom the other file knows nothing is found.

        Raises:
            Refused: the other file, or one of its columns, is missing or unreadable.
        """
        if anchor.everyone is not None:
            found: Values = pa.repeat(pa.scalar(anchor.everyone, pa.date32()), len(rows))
            findings: list[Finding] = []
        elif anchor.column is not None:
            found, findings = self._days(rows[anchor.column], anchor, place)
        else:
            found, findings = self._of_subjects(anchor, subjects, place)
        return self._counted(found, anchor), findings

    @staticmethod
    def _counted(found: Values, anchor: Anchor) -> Values:
        if not anchor.first_day:
            return found
        before = pa.scalar(datetime.timedelta(days=anchor.first_day), pa.duration("us"))
        return pc.subtract(pc.cast(found, pa.timestamp("us")), before)

    def _days(self, values: Values, anchor: Anchor, place: Place) -> tuple[Values, list[Finding]]:
        told = ColumnMapping(column=place.column, format=anchor.format)
        read = days(self._parser, recoded(values, told, place).values, told, place, None, None)
        return read.values, read.findings

    def _of_subjects(self, anchor: Anchor, subjects: Values, place: Place) -> tuple[Values, list[Finding]]:
        if anchor not in self._known:
            self._known[anchor] = self._read(anchor, place)
        names, their_days = self._known[anchor]
        codes = codes_of(as_text(subjects))
        found = their_days.take(pc.index_in(codes.dictionary, value_set=names)).take(codes.indices)
        cure = f"belong to nobody in `{anchor.path}`. Check `anchor:` in the mapping."
        return found, unread(place, "has_an_anchor", codes, found, cure)

    def _read(self, anchor: Anchor, place: Place) -> Known:
        """Each subject's earliest day in the anchor's file."""
        assert anchor.path is not None  # noqa: S101  (the mapping was validated)
        assert anchor.subject is not None  # noqa: S101
        assert anchor.date is not None  # noqa: S101
        layout, dropped = layout_of(self._mapping, anchor.path)
        parts = []
        for file in matching(self._path, anchor.path, self._named):
            at = Place(place.table, place.column, file.name)
            for chunk in read_chunks(file, layout, dropped):
                refuse_missing(str(at), (anchor.subject, anchor.date), chunk.rows.column_names)
                refuse_identifiers(file.name, chunk.rows, dropped)
                found, _ = self._days(chunk.rows[anchor.date], anchor, at)
                parts.append(pa.table({"subject": plain(as_text(chunk.rows[anchor.subject])), "day": found}))
        known = pa.concat_tables(parts).group_by("subject").aggregate([("day", "min")]).drop_null()
        return known["subject"].combine_chunks(), known["day_min"].combine_chunks()
