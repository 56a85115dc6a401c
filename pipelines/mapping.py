"""Mapping files: which file and column feeds which table and column, with unit, time zone, format and recodes.

```yaml
source: my_study
time_zone: Europe/Berlin          # for times without an offset
received: end_of_local_day        # when rows came to be known, where no column says so
files:
  - path: sleep*.csv
    table: sleep
    columns:
      subject_id: id
      onset_at: {column: bedtime, format: "%d/%m/%Y %H:%M"}
      offset_at: {column: waketime, format: "%d/%m/%Y %H:%M"}
      minutes_asleep: {column: asleep_ms, unit: ms}
      is_main: {value: true}
```
"""

import difflib
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from features.tables import DAILY_METRICS, TABLES
from pipelines.errors import Usage
from pipelines.settings import TimeZone

# (Source unit, canonical unit) -> factor. UCUM names, with the everyday spellings of vendors beside them.
FACTORS: dict[tuple[str, str], float] = {
    ("s", "min"): 1 / 60, ("ms", "min"): 1 / 60_000, ("h", "min"): 60.0, ("s", "ms"): 1000.0, ("/min", "bpm"): 1.0,
    ("%", "percent"): 1.0, ("1", "percent"): 100.0, ("steps", "steps/min"): 1.0,
}  # fmt: skip
CANONICAL = {c.unit for table in TABLES.values() for c in table.columns if c.unit} | {
    u for u, *_ in DAILY_METRICS.values()
}
UNITS = sorted(CANONICAL | {unit for unit, _ in FACTORS})


def _unit(name: str) -> str:
    if name not in UNITS:
        near = difflib.get_close_matches(name, UNITS, 1)
        raise ValueError(f"is not a known unit; use one of {', '.join(UNITS)}" + (f" (`{near[0]}`?)" if near else ""))
    return name


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnMapping(_Strict):
    """Where one canonical column comes from: a source column, or one value for all rows."""

    column: str | None = None
    value: str | float | bool | None = None
    unit: Annotated[str, AfterValidator(_unit)] | None = None
    format: str | None = None
    recode: dict[str, str | float | bool] = {}

    @model_validator(mode="after")
    def _one_origin(self) -> "ColumnMapping":
        if (self.column is None) == (self.value is None):
            raise ValueError("needs either `column:` or `value:`")
        return self


class Melt(_Strict):
    """Wide to long: each source column becomes rows whose `into` column holds its canonical name."""

    into: Literal["metric", "item", "instrument", "name"]
    columns: dict[str, str | ColumnMapping] = Field(min_length=1)


class FileMapping(_Strict):
    """One kind of file and the table it feeds."""

    path: str
    table: str
    columns: dict[str, str | ColumnMapping]
    melt: Melt | None = None
    time_zone: TimeZone | None = None

    @model_validator(mode="after")
    def _is_ours(self) -> "FileMapping":
        if self.table not in TABLES:
            raise ValueError(f"`table: {self.table}` is not one of {', '.join(TABLES)}")
        known = TABLES[self.table].arrow_schema().names
        for name in self.columns:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                raise ValueError(f"`{name}` is not a column of `{self.table}`" + (f"; `{near[0]}`?" if near else ""))
        missing = [c.name for c in TABLES[self.table].columns if c.is_required and c.name not in self._provided()]
        if missing:
            raise ValueError(f"`columns:` of `{self.table}` lack {len(missing)}: {', '.join(missing)}")
        return self

    def _provided(self) -> set[str]:
        """Canonical columns that the mapping fills, those that are made up for it included."""
        melted = {self.melt.into, "value", "score", "unit"} if self.melt else set()
        return {*self.columns, *melted, "record_id"}


class Mapping(_Strict):
    """A whole mapping file."""

    source: str
    time_zone: TimeZone | None = None
    received: Literal["end_of_local_day"] | None = None
    files: tuple[FileMapping, ...] = Field(min_length=1)


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
        parts = [str(part) for part in item["loc"] if "[" not in str(part) and part not in ("str", "ColumnMapping")]
        told[".".join(parts)] = item["msg"].removeprefix("Value error, ")
    outer = {place for place in told for other in told if other.startswith(f"{place}.")}
    return [f"`{place}` {message}" for place, message in told.items() if place not in outer]
