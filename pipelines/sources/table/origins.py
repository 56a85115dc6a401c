"""Where one canonical value comes from, as a mapping file says it: a column, its unit, format, zone and codes.

The reference of the mapping language is in `pipelines.sources.table.mapping`.
"""

import datetime
import re
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from pipelines.sections import TimeZone
from pipelines.sources.table.units import known_unit

Unit = Annotated[str, AfterValidator(known_unit)]
DIRECTIVES = re.compile(r"(?:[^%]|%%|%-?[aAbBdfHIjmMpSyYz])*")
EPOCHS = ("epoch_s", "epoch_ms", "epoch_us", "epoch_ns")


def _text(value: Any) -> Any:
    """A code as the file spells it: YAML reads 1 as a number, and no and yes as truth values."""
    if isinstance(value, bool):
        raise ValueError(
            "holds yes, no, true or false without quotation marks, which YAML does not read as text; quote it"
        )
    return str(value) if isinstance(value, (int, float)) else value


def _text_keys(codes: Any) -> Any:
    return {_text(code): meaning for code, meaning in codes.items()} if isinstance(codes, dict) else codes


def _named(told: Any) -> Any:
    """A bare name is short for `{column: name}`."""
    return {"column": told} if isinstance(told, str) else told


def _inside(path: str) -> str:
    parts = PurePosixPath(path.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or path[1:2] == ":":
        raise ValueError("must stay below the folder that is ingested: no `..`, and not from the root")
    if not parts.name or any("**" in part and part != "**" for part in parts.parts):
        raise ValueError("must name a file, or be a pattern such as *.csv or **/steps-*.parquet")
    return path


def _format(name: str) -> str:
    if name not in EPOCHS and not ("%" in name and DIRECTIVES.fullmatch(name)):
        raise ValueError(f"must be a pattern such as %d.%m.%Y %H:%M, or one of {', '.join(EPOCHS)}")
    return name


Text = Annotated[str, BeforeValidator(_text)]
RelativePath = Annotated[str, AfterValidator(_inside)]
TimeFormat = Annotated[str, AfterValidator(_format)]
Constant = str | bool | int | float | datetime.datetime | datetime.date


class Strict(BaseModel):
    """A section of the mapping file: every key known, nothing changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TimeOfDay(Strict):
    """A column with the time of day, where the day stands in another one: `23:30`, a format, or a count since 0:00."""

    column: str
    format: TimeFormat | None = None
    unit: Literal["s", "min", "h", "ms"] | None = None


class Anchor(Strict):
    """The civil day from which day numbers count: in the same file, in another one by subject, or one for everybody.

    `first_day` is the number that the anchor's own day has.
    """

    column: str | None = None
    path: RelativePath | None = None
    subject: str | None = None
    date: str | None = None
    everyone: datetime.date | None = None
    format: TimeFormat | None = None
    first_day: int = 0

    @model_validator(mode="after")
    def _one_origin(self) -> "Anchor":
        if sum(given is not None for given in (self.column, self.path, self.everyone)) != 1:
            raise ValueError("needs one of `column:`, `path:` and `everyone:`")
        if (self.path is None) != (self.subject is None) or (self.path is None) != (self.date is None):
            raise ValueError("needs `subject:` and `date:`, names of columns, beside `path:`")
        return self


class ColumnMapping(Strict):
    """Where one canonical column comes from: a source column, or one value for all rows."""

    column: str | None = None
    value: Constant | None = None
    unit: Unit | None = None
    format: TimeFormat | None = None
    time: Annotated[TimeOfDay | None, BeforeValidator(_named)] = None
    time_zone: TimeZone | None = None
    anchor: Anchor | None = None
    recode: Annotated[dict[str, Constant | None], BeforeValidator(_text_keys)] = {}
    missing: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _one_origin(self) -> "ColumnMapping":
        if (self.column is None) == (self.value is None):
            raise ValueError("needs either `column:` or `value:`")
        return self

    @property
    def source_columns(self) -> tuple[str, ...]:
        """Columns of the file that this one needs."""
        time = self.time.column if self.time else None
        anchor = self.anchor.column if self.anchor else None
        return tuple(name for name in (self.column, time, anchor) if name is not None)


class MeltedColumn(ColumnMapping):
    """A column of a wide file that becomes rows; `scale` gives a mood item's lowest and highest answer."""

    scale: tuple[float, float] | None = None


Origin = Annotated[ColumnMapping, BeforeValidator(_named)]
MeltedOrigin = Annotated[MeltedColumn, BeforeValidator(_named)]


class Melt(Strict):
    """Wide to long: each source column becomes rows whose `into` column holds its canonical name."""

    into: Literal["metric", "item", "instrument", "name"]
    columns: dict[str, MeltedOrigin] = Field(min_length=1)
