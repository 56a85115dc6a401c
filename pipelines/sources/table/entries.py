"""One entry of a mapping at work: rows of its files become batches, and what none of its values allowed is refused."""

from collections.abc import Iterator
from collections.abc import Mapping as Named
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.tables import ARROW_TYPES, TABLES
from pipelines.errors import Refused
from pipelines.sources.batch import Batch
from pipelines.sources.table.anchors import Anchors
from pipelines.sources.table.chunks import Chunk
from pipelines.sources.table.convert import Converter, mask_of, repeated
from pipelines.sources.table.headers import refuse_missing
from pipelines.sources.table.mapping import FileMapping, Mapping
from pipelines.sources.table.parsing import Finding, Parser, as_text, codes_of, plain
from pipelines.sources.table.rows import LINE, RULE, canonical

# So many values, all of them unreadable, are the mapping's fault and not the rows'.
ENOUGH = 1000
# Of a column that hardly any row fills, a few odd values say nothing about the mapping.
SPARSE = 0.1
RAGGED = "line_has_all_fields"


@dataclass
class Entry:
    """Reads what one entry of the mapping says of each of its files."""

    mapped: FileMapping
    mapping: Mapping
    parser: Parser
    anchors: Anchors
    units: Named[str, str]
    _has_offsets: dict[str, bool] = field(default_factory=dict)
    _tally: dict[str, Finding] = field(default_factory=dict)
    _subjects: list[pa.Table] = field(default_factory=list)
    _files: dict[str, None] = field(default_factory=dict)

    def begin(self) -> None:
        """A file begins: what its times mean is its own affair."""
        self._has_offsets = {}

    def batches(self, chunk: Chunk, file: str) -> Iterator[Batch]:
        """The canonical rows of a chunk.

        Raises:
            Refused: a column is missing, times have no zone, or none of many values of a column can be read.
        """
        table = TABLES[self.mapped.table]
        rows, lines = self._wanted(chunk, file)
        zone = self.mapped.time_zone or self.mapping.time_zone
        converter = Converter(self.mapped, table, zone, self.parser, self.anchors, rows, file)
        converter.has_offsets = self._has_offsets
        is_dated = self.mapping.received is not None
        for found in canonical(converter, pa.array(lines), self.mapping.source, is_dated, self.units):
            if table.name == "subjects":
                self._keep(found, file)
            else:
                yield _batch(table.name, found, file)
        for finding in converter.every_finding:
            self._count(finding)
        self._refuse_unreadable(at_least=ENOUGH)

    def ragged(self, lines: NDArray[np.int64], file: str) -> Batch:
        """Lines that are no rows, for the quarantine: nothing but where they stand."""
        table = TABLES[self.mapped.table]
        required = [column for column in table.columns if column.is_required]
        columns = {column.name: pa.nulls(len(lines), ARROW_TYPES[column.kind]) for column in required}
        if self.mapping.received is not None or "received_at" in self.mapped.columns:
            columns["received_at"] = pa.nulls(len(lines), ARROW_TYPES["instant"])
        return Batch(table.name, pa.table(columns), file, lines, pa.array([RAGGED] * len(lines)))

    def finish(self) -> Iterator[Batch]:
        """What could only be told at the end: subjects, one row each.

        Raises:
            Refused: none of the values of a column can be read.
        """
        self._refuse_unreadable(at_least=1)
        if self._subjects:
            self._reduce()
            (kept,) = self._subjects
            for file in self._files:
                yield _batch("subjects", kept.filter(pc.equal(kept["file"], file)).drop_columns(["file"]), file)

    def _wanted(self, chunk: Chunk, file: str) -> tuple[pa.Table, NDArray[np.int64]]:
        """The rows that `where:` wants."""
        rows, lines = chunk.rows, chunk.lines
        for column, wanted in self.mapped.where.items():
            refuse_missing(f"`where:` in {file}", [column], rows.column_names)
            codes = codes_of(as_text(rows[column]))
            is_wanted = pc.is_in(codes.dictionary, pa.array(wanted, pa.string())).take(codes.indices)
            mask = mask_of(is_wanted.fill_null("" in wanted))
            rows, lines = rows.filter(pa.array(mask)), lines[mask]
        return rows, lines

    def _count(self, found: Finding) -> None:
        key = f"{found.place.column} {found.rule} {found.told}"
        so_far = self._tally.get(key)
        if so_far is not None:
            count, given, among = so_far.count + found.count, so_far.given + found.given, so_far.among + found.among
            found = replace(so_far, count=count, given=given, among=among)
        self._tally[key] = replace(found, rows=None)

    def _refuse_unreadable(self, at_least: int) -> None:
        for found in self._tally.values():
            is_sparse = found.given < SPARSE * found.among
            if found.given >= at_least and found.count == found.given and not is_sparse:
                raise Refused(f"{found.place}: {found.count} of {found.given} values {found.told}")

    def _keep(self, rows: pa.Table, file: str) -> None:
        self._files[file] = None
        rows = rows.append_column("file", repeated(pa.array([file]), len(rows)))
        self._subjects.append(pa.table({name: plain(rows[name]) for name in rows.column_names}))
        if len(self._subjects) > 1:
            self._reduce()

    def _reduce(self) -> None:
        """One row a subject: the earliest enrolment and the earliest end of consent count."""
        rows = pa.concat_tables(self._subjects, promote_options="permissive")
        order = [f"{name} NULLS LAST" for name in ("enrolled_on", "consent_until") if name in rows.column_names]
        self._subjects = [self.parser.rows(rows.append_column("turn", pa.array(np.arange(len(rows)))), f"""
            SELECT * EXCLUDE (turn) FROM columns
            QUALIFY {RULE} IS NOT NULL OR subject_id IS NULL
                OR row_number() OVER (PARTITION BY subject_id, {RULE} IS NULL ORDER BY {", ".join(order)}, turn) = 1
            ORDER BY turn""")]  # fmt: skip


def _batch(table: str, rows: pa.Table, file: str) -> Batch:
    broken = rows[RULE].combine_chunks()
    frame = rows.drop_columns([LINE, RULE])
    return Batch(table, frame, file, rows[LINE].to_numpy(), broken if broken.null_count < len(broken) else None)
