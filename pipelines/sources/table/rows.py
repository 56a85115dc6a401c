"""Canonical rows from converted columns: wide made long, units of single rows, receipt, record ids, attributes."""

from collections.abc import Iterator
from collections.abc import Mapping as Named
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from features.tables import DAILY_METRICS, Column
from pipelines.sources.table.chunks import ROWS
from pipelines.sources.table.convert import Converter, broken_rules, mask_of, repeated
from pipelines.sources.table.origins import MeltedColumn
from pipelines.sources.table.parsing import Finding, Place, Values, as_text, codes_of, given_count
from pipelines.sources.table.times import next_midnights
from pipelines.sources.table.units import conversion

LINE, RULE = "line", "broken"


def canonical(
    converter: Converter, lines: pa.Array, source: str, at_end_of_day: bool, units: Named[str, str]
) -> Iterator[pa.Table]:
    """Rows of the entry's table, with their lines and the rule that each one broke, if any.

    `units` are those of declared signals, by name. Wide files come in several tables, so that none grows too long.
    """
    converter.convert()
    converter.columns.setdefault("source", repeated(pa.array([source]), len(converter.rows)))
    if at_end_of_day and "received_at" not in converter.columns:
        converter.columns["received_at"] = _end_of_day(converter)
    _add_record_id(converter)
    _add_attributes(converter)
    if converter.mapped.melt is not None:
        yield from _melted(converter, lines, units)
        return
    if converter.table.name in ("wearable_days", "signals"):
        _convert_by_row(converter, units)
    yield _with_place(converter, lines)


def _with_place(converter: Converter, lines: pa.Array) -> pa.Table:
    broken = broken_rules(converter.findings, len(converter.rows))
    told = pa.nulls(len(converter.rows), pa.dictionary(pa.int32(), pa.string())) if broken is None else broken
    return pa.table({**converter.columns, LINE: lines, RULE: told})


def _melted(converter: Converter, lines: pa.Array, units: Named[str, str]) -> Iterator[pa.Table]:
    """One long row per source column with a value, or with one that could not be read."""
    assert converter.mapped.melt is not None  # noqa: S101  (the caller asked)
    parts: list[pa.Table] = []
    for name, told in converter.mapped.melt.columns.items():
        parts.append(_melted_column(converter, name, told, lines, units))
        if sum(map(len, parts)) >= ROWS:
            yield pa.concat_tables(parts)
            parts = []
    if parts:
        yield pa.concat_tables(parts)


def _melted_column(
    converter: Converter, name: str, told: MeltedColumn, lines: pa.Array, units: Named[str, str]
) -> pa.Table:
    melt, measured, table = converter.mapped.melt, converter.mapped.measured, converter.table
    assert melt is not None  # noqa: S101  (the caller asked)
    unit = DAILY_METRICS[name][0] if table.name == "wearable_days" else units.get(name, told.unit or "")
    part = replace(converter, columns=dict(converter.columns), findings=[])
    values = pc.cast(part.column(name, told, Column(measured, "real", name, unit)), pa.float64())
    unread = [mask_of(finding.rows) for finding in part.findings if finding.rows is not None]
    constants: dict[str, object] = {melt.into: name}
    if "unit" in table.column_names and "unit" not in converter.columns:
        constants["unit"] = unit
    if told.scale is not None:
        constants |= {"scale_min": told.scale[0], "scale_max": told.scale[1]}
    part.columns |= {key: repeated(pa.array([value]), len(lines)) for key, value in constants.items()}
    part.columns[measured] = values
    part.findings = [*converter.findings, *part.findings]
    kept = np.logical_or.reduce([mask_of(pc.is_valid(values)), *unread])
    return _with_place(part, lines).filter(pa.array(kept))


def _convert_by_row(converter: Converter, units: Named[str, str]) -> None:
    """Bring each row's value from its own unit into that of its metric or signal."""
    is_daily = converter.table.name == "wearable_days"
    of_all = converter.mapped.columns["value"].unit
    given = converter.columns.get("unit")
    told = repeated(pa.array([of_all]), len(converter.rows)) if given is None else given
    names = codes_of(as_text(converter.columns["metric" if is_daily else "name"]))
    ours = [DAILY_METRICS[name][0] if is_daily and name in DAILY_METRICS else None if is_daily else units.get(name)
            for name in names.dictionary.to_pylist()]  # fmt: skip
    theirs = codes_of(as_text(told))
    pairs = [
        (source, source if target is None else target) for target in ours for source in theirs.dictionary.to_pylist()
    ]
    changes = [conversion(source, target) for source, target in pairs]
    pair = pc.add(pc.multiply(names.indices, len(theirs.dictionary)), theirs.indices)
    of_row = pair.fill_null(len(pairs)).to_numpy(zero_copy_only=False)
    factor = np.array([*(np.nan if change is None else change.factor for change in changes), 1.0])[of_row]
    shift = np.array([*(0.0 if change is None else change.shift for change in changes), 0.0])[of_row]
    values = pc.cast(converter.columns["value"], pa.float64())
    scaled = pc.if_else(pc.less(factor, 1), pc.divide(values, 1 / factor), pc.multiply(values, factor))
    converter.columns["value"] = pc.add(scaled, shift)
    converter.columns["unit"] = pa.DictionaryArray.from_arrays(
        pc.cast(pair, pa.int32()), pa.array([target for _, target in pairs], pa.string())
    )
    strange = np.isnan(factor)
    if strange.any():
        place = Place(converter.table.name, "unit", converter.file)
        cure = "are no units that can become the metric's. Recode them to UCUM names."
        rule, rows = place.rule("is_convertible"), pa.array(strange)
        converter.note([Finding(place, rule, rows, int(strange.sum()), given_count(theirs), len(rows), cure)])


def _end_of_day(converter: Converter) -> Values:
    """Receipt at the midnight after a row's local day; a night belongs to the day of awakening."""
    name = converter.table.time or "enrolled_on"
    zone = converter.mapped.columns[name].time_zone or converter.zone
    return next_midnights(converter.columns[name], zone, converter.columns.get("utc_offset_min"))


def _add_record_id(converter: Converter) -> None:
    """A stable id from what tells records of a subject apart, for sources that give none."""
    columns, table = converter.columns, converter.table
    if "record_id" not in table.key or "record_id" in columns:
        return
    told = {"subject_id": as_text(columns["subject_id"]), "time": pc.cast(columns[str(table.time)], pa.int64())}
    # What kind of event, or which score a verdict is about.
    told |= {name: as_text(columns[name]) for name in ("kind", "score_id", "outcome", "as_of_date") if name in columns}
    sql = f"left(sha256(concat_ws('|', {', '.join(told)})), 16)"
    columns["record_id"] = converter.parser.query(pa.table(told), sql)


def _add_attributes(converter: Converter) -> None:
    """Further audit attributes as one JSON object of texts."""
    told = converter.mapped.attributes
    if not told:
        return
    columns = {name: as_text(converter.column(name, one, Column(name, "string", name))) for name, one in told.items()}
    fields = ", ".join(f"'{name}': \"{name}\"::VARCHAR" for name in sorted(columns))
    converter.columns["attributes"] = converter.parser.query(pa.table(columns), f"to_json({{{fields}}})::VARCHAR")
