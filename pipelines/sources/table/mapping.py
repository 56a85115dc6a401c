"""Mapping files: which file and column feeds which table and column, with unit, time zone, format and recodes.

```yaml
source: my_study
time_zone: Europe/Berlin          # for times without an offset
received: end_of_local_day        # when rows came to be known, where no column says so
files:
  - path: sleep/**/*.csv.gz
    table: sleep
    columns:
      subject_id: id
      onset_at: {column: bedtime, format: "%d/%m/%Y %H:%M"}
      offset_at: {column: waketime, format: "%d/%m/%Y %H:%M"}
      minutes_asleep: {column: asleep_ms, unit: ms}
      is_main: {value: true}
```

**The whole file.** `source` names the feed. `time_zone` is the zone of times without an offset. `received:
end_of_local_day` says that each row was known from the midnight after its day on.

**Each entry of `files:`**

| key | what it says |
|---|---|
| `path` | a file or pattern below the ingested folder or zip: `*.csv`, `**/steps*.parquet`; CSV (also `.gz`) or Parquet |
| `table`, `columns` | the table it feeds, and canonical column -> origin (below) |
| `melt` | `{into: metric, item, instrument or name, columns: {canonical name: origin}}`: a wide file, one row per value |
| `where` | `{column: value}` or `{column: [values]}`: only rows whose text is one of these; `""` means missing |
| `attributes` | table `subjects` only: further audit attributes, `{education: origin}` |
| `drop` | columns that are left out knowingly: they are not read at all |
| `separator`, `decimal`, `encoding` | of a CSV: `,` `.` `utf-8` unless declared (`;`, `"\\t"`; `,`; `latin-1`, `utf-16`) |
| `missing` | texts that mean no value: nothing, NA, N/A, NaN, NULL, null and their like unless declared |
| `time_zone` | of this file |

Several entries may name the same file; it is read once.

**An origin** is a column's name, or

| key | what it says |
|---|---|
| `column` or `value` | the source column, or one value for all rows (in our unit) |
| `unit` | unit of the source, by its UCUM name (`pipelines.sources.table.units`); ours is known. Needed wherever ours has one |
| `recode` | `{code: meaning}`; `null` for no value. Another code breaks the rule `COLUMN_is_recoded` |
| `missing` | further texts that mean no value in this column |
| `format` | of a time or day: `%d.%m.%Y %H:%M`, or `epoch_s`, `_ms`, `_us`, `_ns`. ISO 8601 needs none |
| `time` | the column with the time of day where `column` has the day: a name, or `{column, format}` (`23:30` needs none), \
or `{column, unit: min}` for minutes since midnight |
| `time_zone` | of this column |
| `anchor` | the column counts days (or `unit: h` ...) by the wall clock from `{column: start}` of the same file, \
`{path: people.csv, subject: id, date: start}` of another, or `{everyone: 2000-01-03}`; `first_day: 1` where the \
anchor's own day has number 1 |
| `scale` | in `melt` of table `mood`: `[lowest, highest]` possible answer |

With `anchor: everyone` the calendar is made up: weekday, season and clock changes mean nothing then.

**Units.** No unit, no ingest: a column of ours that has a unit needs one in the mapping. None need counts of steps,
points and scale points, nor a `value:`. A long file with a unit in each row maps it to the column `unit` of
`wearable_days` or `signals`, recoded to UCUM names where need be; `unit:` of `value` does the same for all rows.

**Offsets.** Times carry their own, or the zone gives it, or `utc_offset_min` is mapped and gives it.
"""

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from features.tables import ATTRIBUTE_NAME, DAILY_METRICS, PROVENANCE, SUBJECTS, TABLES, Table
from pipelines.errors import Usage
from pipelines.sections import TimeZone
from pipelines.sources.table.origins import ColumnMapping, Melt, Origin, RelativePath, Strict, Text
from pipelines.sources.table.units import UNDISPUTED, conversion

# What an export writes for no value, unless the mapping says otherwise.
NO_VALUE = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "None", "<NA>")
UNITS_BY_ROW = (("wearable_days", "value"), ("signals", "value"))
MELTED = {"wearable_days": "metric", "mood": "item", "assessments": "instrument", "signals": "name"}


def _listed(wanted: Any) -> Any:
    """One value is short for a list of one."""
    return {k: v if isinstance(v, list) else [v] for k, v in wanted.items()} if isinstance(wanted, dict) else wanted


def _encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        raise ValueError("is not a known encoding; write one like utf-8, latin-1 or utf-16") from None
    return name


class FileMapping(Strict):
    """One kind of file and the table it feeds."""

    path: RelativePath
    table: str
    columns: dict[str, Origin]
    melt: Melt | None = None
    where: Annotated[dict[str, tuple[Text, ...]], BeforeValidator(_listed)] = {}
    attributes: dict[Annotated[str, Field(pattern=ATTRIBUTE_NAME)], Origin] = {}
    drop: tuple[str, ...] = ()
    separator: Annotated[str, Field(min_length=1, max_length=1)] = ","
    decimal: Literal[".", ","] = "."
    encoding: Annotated[str, AfterValidator(_encoding)] = "utf-8"
    missing: tuple[Text, ...] = NO_VALUE
    time_zone: TimeZone | None = None

    @model_validator(mode="after")
    def _is_ours(self) -> "FileMapping":
        if self.table not in TABLES:
            raise ValueError(f"`table: {self.table}` is not one of {', '.join(TABLES)}")
        table = TABLES[self.table]
        _refuse_unknown(self.columns, table)
        if self.melt is not None and self.melt.into != MELTED.get(self.table):
            raise ValueError(f"`melt: into: {self.melt.into}` does not go with `{self.table}`")
        if self.attributes and self.table != "subjects":
            raise ValueError("`attributes:` go with `table: subjects`")
        if ours := sorted(set(self.attributes) & {*SUBJECTS.column_names}):
            raise ValueError(
                f"`attributes:` name {len(ours)} columns of `subjects`: {', '.join(ours)}. Map them as columns"
            )
        missing = [c.name for c in table.columns if c.is_required and c.name not in self._provided()]
        if missing:
            raise ValueError(f"`columns:` of `{self.table}` lack {len(missing)}: {', '.join(missing)}")
        for name, told in self.columns.items():
            if (self.table, name) not in UNITS_BY_ROW:
                _refuse_unit(f"`{self.table}.{name}`", told, table.column(name).unit)
        self._refuse_melted_units()
        dropped = sorted(self.source_columns & set(self.drop))
        if dropped:
            raise ValueError(f"`drop:` names {len(dropped)} mapped columns: {', '.join(dropped)}. Map or drop each")
        return self

    @property
    def measured(self) -> str:
        """The column that holds melted values."""
        return "score" if self.table == "assessments" else "value"

    @property
    def origins(self) -> list[ColumnMapping]:
        """Where each of its values comes from."""
        melted = self.melt.columns.values() if self.melt else ()
        return [*self.columns.values(), *self.attributes.values(), *melted]

    @property
    def source_columns(self) -> set[str]:
        """Every column of the file that the mapping needs."""
        return {*self.where, *(name for told in self.origins for name in told.source_columns)}

    def _provided(self) -> set[str]:
        """Canonical columns that the mapping fills, those that are made up for it included."""
        provided = {*self.columns, "record_id"}
        if self.melt is not None:
            provided |= {self.melt.into, self.measured, "unit"}
            if all(told.scale for told in self.melt.columns.values()):
                provided |= {"scale_min", "scale_max"}
        elif "value" in self.columns and self.columns["value"].unit is not None:
            provided.add("unit")
        return provided

    def _refuse_melted_units(self) -> None:
        for name, told in self.melt.columns.items() if self.melt else ():
            if told.scale is not None and self.table != "mood":
                raise ValueError("`scale:` goes with `table: mood`")
            if self.table == "wearable_days" and name not in DAILY_METRICS:
                raise ValueError(f"`{name}` is not a daily metric of Foretide; use one of {', '.join(DAILY_METRICS)}")
            if self.table != "signals":
                unit = DAILY_METRICS[name][0] if self.table == "wearable_days" else ""
                _refuse_unit(f"`{self.table}.{name}`", told, unit)


class Mapping(Strict):
    """A whole mapping file."""

    source: str
    time_zone: TimeZone | None = None
    received: Literal["end_of_local_day"] | None = None
    files: tuple[FileMapping, ...] = Field(min_length=1)

    @property
    def has_anchors_elsewhere(self) -> bool:
        """Whether what one file says depends on another file."""
        return any(told.anchor and told.anchor.path for mapped in self.files for told in mapped.origins)


def _refuse_unknown(columns: dict[str, ColumnMapping], table: Table) -> None:
    known = [c.name for c in (*table.columns, *PROVENANCE) if c.name not in ("attributes", "ingest_id", "version")]
    for name in columns:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise ValueError(f"`{name}` is not a column of `{table.name}`" + (f"; `{near[0]}`?" if near else ""))


def _refuse_unit(where: str, told: ColumnMapping, unit: str) -> None:
    """A unit that is missing, or that cannot become ours."""
    if told.anchor is not None or told.column is None:
        return
    if told.unit is None and unit not in UNDISPUTED:
        raise ValueError(f"{where} has no unit; write {{column: ..., unit: {unit}}}, or the unit that the file has")
    if told.unit is not None and conversion(told.unit, unit) is None:
        raise ValueError(f"{where}: unit `{told.unit}` cannot become {unit or 'unitless'}; correct `unit:`")


def load_mapping(path: Path) -> Mapping:
    """Read and validate a mapping file.

    Raises:
        Usage: no file, not YAML, or a key, table, column, unit or zone that is unknown; names it and the cure.
    """
    if not path.is_file():
        raise Usage(f"There is no mapping file `{path.name}`. docs/examples/ holds some to start from.")
    try:
        return Mapping.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Usage(
            f"The mapping `{path.name}` is not readable as YAML. Save it as UTF-8, mend its indentation and colons."
        ) from error
    except ValidationError as error:
        raise Usage(f"The mapping `{path.name}`: {'; '.join(_cures(error))}.") from error


def _cures(error: ValidationError) -> list[str]:
    """What is wrong, once per innermost place; Pydantic's own names of types say nothing to a reader."""
    told: dict[str, str] = {}
    for item in error.errors():
        parts = [
            str(part) for part in item["loc"] if "[" not in str(part) and part not in ("str", "int", "float", "bool")
        ]
        told[".".join(parts)] = item["msg"].removeprefix("Value error, ")
    outer = {place for place in told for other in told if other.startswith(f"{place}.")}
    return [f"`{place}` {message}" for place, message in told.items() if place not in outer]
