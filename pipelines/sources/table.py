"""Any CSV or Parquet by a mapping file: no code needed for a new cohort."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa

from features.tables import DAILY_METRICS, TABLES, Column, Table
from pipelines.errors import Refused
from pipelines.mapping import FileMapping, Mapping
from pipelines.origins import ColumnMapping
from pipelines.units import conversion
from pipelines.sources.batch import Batch, row_hash
from pipelines.sources.receipt import received_next_midnight

FLAGS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}
OFFSET = r"(?:Z|[+-]\d\d:?\d\d)$"


def read(path: Path, mapping: Mapping) -> Iterator[Batch]:
    """Canonical batches from the files below `path` (or `path` itself) that the mapping names.

    Raises:
        Refused: a file is missing, unreadable or lacks a mapped column; a time has no zone; a value no number.
    """
    for file_mapping in mapping.files:
        for file in _files(path, file_mapping.path):
            rows = _read_file(file)
            yield Batch(file_mapping.table, _map(rows, file.name, file_mapping, mapping), file.name)


def _files(path: Path, pattern: str) -> list[Path]:
    found = [path] if path.is_file() else sorted(path.glob(pattern))
    if not found:
        raise Refused(f"No file at `{path.name}` matches `{pattern}`. Check `path:` in the mapping.")
    return found


def _read_file(file: Path) -> pd.DataFrame:
    try:
        if file.suffix == ".parquet":
            return pd.read_parquet(file)
        return pd.read_csv(file, dtype=str, encoding="utf-8-sig")
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError, pa.ArrowException, OSError) as error:
        kind = "Parquet" if file.suffix == ".parquet" else "UTF-8 CSV with a header line"
        raise Refused(f"`{file.name}` is not readable as {kind}. Export it again, or name another file.") from error


def _map(rows: pd.DataFrame, file: str, mapped: FileMapping, mapping: Mapping) -> pd.DataFrame:
    table = TABLES[mapped.table]
    zone = mapped.time_zone or mapping.time_zone
    columns = {name: _column(rows, origin, table.column(name), zone, f"`{table.name}.{name}` in {file}")
               for name, origin in mapped.columns.items()}  # fmt: skip
    frame = pd.DataFrame({"source": mapping.source, **columns}, index=rows.index)
    if mapped.melt is not None:
        frame = _melt(rows, frame, mapped, file, zone)
    if "utc_offset_min" not in frame and table.time and table.column(table.time).kind == "instant":
        frame["utc_offset_min"] = _offset(frame[table.time], zone)
    if mapping.received is not None and "received_at" not in frame:
        frame["received_at"] = _end_of_local_day(frame, table, zone or "UTC")
    if table.name == "subjects":  # one row a subject: the earliest enrolment and the earliest end of consent count
        order = [name for name in ("enrolled_on", "consent_until") if name in frame]
        frame = frame.sort_values(order, kind="stable", na_position="last").drop_duplicates("subject_id")
    if "record_id" in table.key and "record_id" not in frame:
        frame["record_id"] = row_hash(frame, [c for c in ("subject_id", table.time, "kind") if c in frame])
    return frame


def _column(rows: pd.DataFrame, origin: ColumnMapping, column: Column, zone: str | None, where: str) -> pd.Series:
    if origin.column is None:
        return pd.Series(origin.value, index=rows.index)
    if origin.column not in rows.columns:
        raise Refused(f"{where}: the file has no column `{origin.column}`. Correct the name in the mapping.")
    values = rows[origin.column]
    if origin.recode:
        values = values.map({**origin.recode}).where(values.notna())
    if column.kind == "instant":
        return _instants(values, origin.format, zone, where)
    if column.kind == "day":
        return _parsed(values, origin.format, where).dt.date
    if column.kind in ("integer", "real"):
        return _numbers(values, origin, column.unit, where)
    if column.kind == "flag":
        return _flags(values, where)
    return values.astype("str").where(values.notna())


def _flags(values: pd.Series, where: str) -> pd.Series:
    flags = values.astype("str").str.lower().map(FLAGS)
    unread = int((flags.isna() & values.notna()).sum())
    if unread:
        raise Refused(f"{where}: {unread} of {len(values)} values are neither true nor false. Give `recode:`.")
    return flags


def _parsed(values: pd.Series, format: str | None, where: str, utc: bool = False) -> pd.Series:
    parsed = pd.to_datetime(values, format=format or "ISO8601", errors="coerce", utc=utc)
    unread = int((parsed.isna() & values.notna()).sum())
    if unread:
        raise Refused(f"{where}: {unread} of {len(values)} values are not dates of that format. Give `format:`.")
    return parsed


def _instants(values: pd.Series, format: str | None, zone: str | None, where: str) -> pd.Series:
    given = values.notna()
    with_offset = int(_has_offset(values, format)[given].sum())
    if 0 < with_offset < given.sum():
        raise Refused(
            f"{where}: {with_offset} of {given.sum()} times have a UTC offset and the others have none. "
            "Write all of them with one, or all without."
        )
    if with_offset:
        return _parsed(values, format, where, utc=True).astype("datetime64[us, UTC]")
    parsed = _parsed(values, format, where)
    if zone is None:
        raise Refused(f"{where}: {given.sum()} times have no time zone. Give `time_zone:` in the mapping.")
    local = parsed.dt.tz_localize(zone, ambiguous=[True] * len(parsed), nonexistent="shift_forward")
    return local.dt.tz_convert("UTC").astype("datetime64[us, UTC]")


def _has_offset(values: pd.Series, format: str | None) -> pd.Series:
    """Which values say how far from UTC they are."""
    if values.dtype.kind == "M":
        return pd.Series(values.dt.tz is not None, index=values.index)
    if format is not None:
        return pd.Series("%z" in format, index=values.index)
    return values.astype("str").str.contains(OFFSET).fillna(False).astype(bool)


def _numbers(values: pd.Series, origin: ColumnMapping, unit: str, where: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    unread = int((numbers.isna() & values.notna()).sum())
    if unread:
        raise Refused(f"{where}: {unread} of {len(values)} values are not numbers. Recode or clean them.")
    if origin.unit is None or origin.unit == unit:
        return numbers
    change = conversion(origin.unit, unit)
    if change is None:
        raise Refused(
            f"{where}: unit `{origin.unit}` cannot become {unit or 'unitless'}. Correct `unit:` in the mapping."
        )
    return numbers * change.factor + change.shift


def _end_of_local_day(frame: pd.DataFrame, table: Table, zone: str) -> pd.Series:
    """The midnight after a row's day, when a complete day can be known at the earliest; for sleep, of awakening."""
    column = "offset_at" if table.name == "sleep" else table.time or "enrolled_on"
    if table.column(column).kind == "day":
        return received_next_midnight(pd.to_datetime(frame[column]).astype("datetime64[us]"), zone)
    local = frame[column].dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
    return received_next_midnight(local.astype("datetime64[us]"), zone)


def _offset(instants: pd.Series, zone: str | None) -> pd.Series:
    if zone is None:
        return pd.Series(0, index=instants.index)
    local = instants.dt.tz_convert(zone).dt.tz_localize(None)
    return (local - instants.dt.tz_localize(None)).dt.total_seconds().div(60)


def _melt(rows: pd.DataFrame, frame: pd.DataFrame, mapped: FileMapping, file: str, zone: str | None) -> pd.DataFrame:
    """One long row per source column that has a value."""
    table, melt = TABLES[mapped.table], mapped.melt
    assert melt is not None  # noqa: S101  (the caller asked)
    measured = "score" if table.name == "assessments" else "value"
    parts = []
    for name, origin in melt.columns.items():
        unit = _unit_of(table, name)
        column = Column(measured, "real", name, unit)
        values = _column(rows, origin, column, zone, f"`{table.name}.{name}` in {file}")
        part = frame.assign(**{melt.into: name, measured: values})
        parts.append(part.assign(unit=unit) if "unit" in table.column_names and "unit" not in part else part)
    return pd.concat(parts, ignore_index=True).dropna(subset=[measured]).reset_index(drop=True)


def _unit_of(table: Table, metric: str) -> str:
    if table.name != "wearable_days":
        return ""
    if metric not in DAILY_METRICS:
        raise Refused(f"`{metric}` is not a daily metric of Foretide. Use one of {', '.join(DAILY_METRICS)}.")
    return DAILY_METRICS[metric][0]
