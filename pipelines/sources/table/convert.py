"""The columns of a canonical table, from the source columns that an entry of the mapping names."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.tables import Column, Table
from pipelines.errors import Refused
from pipelines.sources.table.anchors import Anchors
from pipelines.sources.table.columns import Read, constant, flags, numbers, recoded, texts
from pipelines.sources.table.headers import refuse_missing
from pipelines.sources.table.mapping import FileMapping
from pipelines.sources.table.origins import ColumnMapping
from pipelines.sources.table.parsing import Finding, Parser, Place, Values, given_count
from pipelines.sources.table.times import clock, days, instants, mixed, offsets


@dataclass
class Converter:
    """Turns rows of one file as they stand there into canonical columns; what could not be read gathers in `findings`.

    Parts of a wide file share the `columns` of all and `every_finding`, and have `findings` of their own. Portions of
    a file share `has_offsets`: whether the times of a column say their offset from UTC.
    """

    mapped: FileMapping
    table: Table
    zone: str | None
    parser: Parser
    anchors: Anchors
    rows: pa.Table
    file: str
    columns: dict[str, Values] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    every_finding: list[Finding] = field(default_factory=list)
    has_offsets: dict[str, bool] = field(default_factory=dict)

    def convert(self) -> None:
        """Fill `columns` with what the mapping's `columns:` name, and the offset of the table's event time.

        Raises:
            Refused: the file lacks a column; times have no zone.
        """
        for name in sorted(self.mapped.columns, key=_first):
            self.columns[name] = self.column(name, self.mapped.columns[name], self.table.column(name))

    def column(self, name: str, told: ColumnMapping, column: Column) -> Values:
        """One canonical column, or a melted one of that name; what could not be read is added to the findings."""
        place = Place(self.table.name, name, self.file, column.name)
        refuse_missing(str(place), told.source_columns, self.rows.column_names)
        if told.column is None:
            return self._constant(told, column, place)
        read = recoded(self.rows[told.column], told, place)
        self.note(read.findings)
        return self._of_kind(read.values, told, column, place)

    def note(self, findings: list[Finding]) -> None:
        """Remember what some rows were found to break."""
        self.findings += findings
        self.every_finding += findings

    def _constant(self, told: ColumnMapping, column: Column, place: Place) -> Values:
        assert told.value is not None  # noqa: S101  (the mapping was validated)
        alone = replace(self, rows=self.rows.slice(0, 1), findings=[], every_finding=[])
        values = alone._of_kind(constant(told.value), told, column, place)
        if values.null_count:
            raise Refused(f"{place}: `value:` in the mapping {alone.findings[0].told}")
        return repeated(values, len(self.rows))

    def _of_kind(self, values: Values, told: ColumnMapping, column: Column, place: Place) -> Values:
        if column.kind == "instant":
            return self._instants(values, told, place)
        if column.kind == "day":
            anchor = self._anchor(told, place)
            return self._noted(days(self.parser, values, told, place, told.time_zone or self.zone, anchor))
        if column.kind in ("integer", "real"):
            return self._noted(numbers(self.parser, values, told, place, column.unit, self.mapped.decimal))
        return self._noted(flags(values, place) if column.kind == "flag" else texts(values))

    def _instants(self, values: Values, told: ColumnMapping, place: Place) -> Values:
        time = self.rows[told.time.column] if told.time else None
        read, findings = clock(self.parser, values, told, place, self._anchor(told, place), time)
        self.note(findings)
        if given_count(read.values):
            says = read.values.type.tz is not None
            if self.has_offsets.setdefault(place.column, says) != says:
                raise mixed(place, "some times have a UTC offset and others further down have none, or the reverse")
        zone = told.time_zone or self.zone
        found = instants(read, zone, self.columns.get("utc_offset_min"), place)
        if place.column == self.table.time and "utc_offset_min" not in self.columns:
            ahead = offsets(read, found, zone)
            if ahead is not None:
                self.columns["utc_offset_min"] = ahead
        return found

    def _anchor(self, told: ColumnMapping, place: Place) -> Values | None:
        if told.anchor is None:
            return None
        found, findings = self.anchors.of(told.anchor, self.rows, self.columns.get("subject_id"), place)
        self.note(findings)
        return found

    def _noted(self, read: Read) -> Values:
        self.note(read.findings)
        return read.values


def _first(name: str) -> tuple[bool, bool]:
    """Who it is about and how far their clock was from UTC, before what is read with their help."""
    return name != "subject_id", name != "utc_offset_min"


def repeated(values: Values, times: int) -> Values:
    """One value for all rows; texts as codes."""
    value = values[0]
    if pa.types.is_string(value.type):
        return pa.DictionaryArray.from_arrays(np.zeros(times, np.int32), pa.array([value.as_py()], pa.string()))
    return pa.repeat(value, times)


def mask_of(values: Values) -> NDArray[np.bool_]:
    """Truth values as an array."""
    return np.asarray(
        values.to_numpy() if isinstance(values, pa.ChunkedArray) else values.to_numpy(zero_copy_only=False), bool
    )


def broken_rules(findings: Iterable[Finding], rows: int) -> pa.Array | None:
    """The first rule that each row breaks; None if none does."""
    found = [finding for finding in findings if finding.rows is not None]
    if not found:
        return None
    codes = np.full(rows, -1, np.int32)
    for number, finding in enumerate(found):
        codes[(codes < 0) & mask_of(finding.rows)] = number
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array([one.rule for one in found]))
