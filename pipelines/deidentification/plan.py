"""What is to be done with each column of a sender's file: as declared, else by what its name and values look like."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.deidentification.column_names import is_age, normal_name, of_name
from pipelines.deidentification.dates import ISO_DAY, OTHER_DAY, are_epochs
from pipelines.deidentification.gate import findings
from pipelines.errors import Refused

Done = Literal["pseudonym", "device pseudonym", "age band", "birth date to age band", "shifted", "kept", "dropped"]
_ID = re.compile(
    r"(?:^|_)(?:subject|patient|participant|person|user|customer|client|case)_?id$|^(?:id|record_id|pid|ids)$"
)
_BIRTH = re.compile(r"birth|born|dob|geb(?:urt|_?dat)|nac(?:imiento)?$|naissance|생")
# Names that may not go out, since they tell a class, and what the column holds afterwards.
_NEW_NAMES: dict[Done, str] = {
    "pseudonym": "subject_id", "device pseudonym": "device_id", "age band": "age_band", "birth date to age band": "age_band",
}  # fmt: skip


@dataclass(frozen=True)
class Declared:
    """What the sender says about columns, by name, for all files; `dates` and `births` map a name to its way or None.

    The first of `ids` that a file has tells the person; dates are shifted by it. `dropped` columns are never read.
    """

    ids: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    ages: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    dates: dict[str, str | None] = field(default_factory=dict)
    births: dict[str, str | None] = field(default_factory=dict)
    as_of: date | None = None
    is_shifted: bool = False

    @property
    def names(self) -> set[str]:
        """Every column that is declared as something."""
        return {*self.ids, *self.devices, *self.ages, *self.dropped, *self.dates, *self.births}


@dataclass
class Sight:
    """What was seen of a column in the whole file."""

    filled: int = 0
    finding: str = ""
    are_days: bool = True
    are_other_days: bool = True
    are_epochs: bool = True
    are_numbers: bool = True

    def add(self, column: pa.ChunkedArray) -> None:
        """Look at one more chunk."""
        given = column.drop_null()
        if not len(given):
            return
        self.filled += len(given)
        is_dated = pa.types.is_date(column.type) or pa.types.is_timestamp(column.type)
        texts = None if is_dated or not _holds_text(column.type) else pc.unique(pc.cast(given, pa.string()))
        self.are_days &= is_dated or _all(texts, ISO_DAY)
        self.are_other_days &= _all(texts, OTHER_DAY)
        self.are_epochs = self.are_epochs and not is_dated and are_epochs(given)
        self.are_numbers &= (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
                             or _all(texts, r"^\s*\d{1,3}(?:\.\d+)?\s*$"))  # fmt: skip


@dataclass(frozen=True)
class Step:
    """What is done with one column: its name afterwards, how its dates are written, and why it goes."""

    column: str
    done: Done
    becomes: str = ""
    way: str | None = None
    why: str = ""


def look_at(chunks: Iterator[pa.Table]) -> dict[str, Sight]:
    """What each column of a file is seen to hold, portion by portion."""
    sights: dict[str, Sight] = {}
    for rows in chunks:
        for name, column in zip(rows.column_names, rows.columns, strict=True):
            sights.setdefault(name, Sight()).add(column)
        for position, finding in findings(rows):
            sight = sights[rows.column_names[position]]
            sight.finding = sight.finding or f"{finding.identifier}: {finding.reason}"
    return sights


def plan(file: str, sights: dict[str, Sight], declared: Declared) -> list[Step]:
    """One step per column, in the order of the file.

    Raises:
        Refused: dates are to be shifted but the person is not clear or a column's dates cannot be read; two columns
            would get one name.
    """
    ids = [name for name in declared.ids if name in sights] or _seen_ids(sights, declared)
    steps = [_step(name, sight, ids, declared) for name, sight in sights.items()]
    if not any(step.becomes for step in steps):
        raise Refused(f"`{file}` would have no column left. Check its --separator and header, or move it elsewhere.")
    _refuse_same_names(file, steps)
    if declared.is_shifted:
        _refuse_unclear(file, steps, sights, ids, declared)
    return steps


def person_column(steps: list[Step], declared: Declared) -> str | None:
    """The column that tells whose a row is."""
    ids = [step.column for step in steps if step.done == "pseudonym"]
    return next((name for name in declared.ids if name in ids), ids[0] if ids else None)


def _step(name: str, sight: Sight, ids: list[str], declared: Declared) -> Step:
    if name in ids:
        return _renamed(name, "pseudonym")
    if name in declared.devices or _is_device(name):
        return _renamed(name, "device pseudonym")
    if name in declared.births or (name not in declared.dates and _is_birth(name) and sight.are_days):
        if declared.as_of is None:
            return Step(name, "dropped", why="a date of birth; with --as-of it becomes an age band")
        return _renamed(name, "birth date to age band", declared.births.get(name))
    if name in declared.ages or (is_age(name) and sight.are_numbers and sight.filled):
        return _renamed(name, "age band")
    if sight.finding and name not in declared.dates:
        return Step(name, "dropped", why=sight.finding)
    if name in declared.dates or (sight.are_days and sight.filled):
        done: Done = "shifted" if declared.is_shifted else "kept"
        return Step(name, done, name, declared.dates.get(name), "" if declared.is_shifted else "dates as they are")
    return Step(name, "kept", name)


def _renamed(name: str, done: Done, way: str | None = None) -> Step:
    tells = of_name(name) is not None or done in ("age band", "birth date to age band")
    return Step(name, done, _NEW_NAMES[done] if tells else name, way)


def _seen_ids(sights: dict[str, Sight], declared: Declared) -> list[str]:
    if declared.ids:
        return []
    return [name for name in sights if _ID.search(normal_name(name)) or getattr(of_name(name), "letter", "") == "H"]


def _is_device(name: str) -> bool:
    return normal_name(name) == "device_id" or getattr(of_name(name), "letter", "") == "M"


def _is_birth(name: str) -> bool:
    return getattr(of_name(name), "letter", "") == "C" and _BIRTH.search(normal_name(name)) is not None


def _holds_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)


def _all(texts: pa.Array | None, pattern: str) -> bool:
    return texts is not None and pc.all(pc.match_substring_regex(texts, pattern)).as_py()


def _refuse_same_names(file: str, steps: list[Step]) -> None:
    names = [step.becomes for step in steps if step.becomes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        columns = ", ".join(f"`{step.column}`" for step in steps if step.becomes in twice)
        raise Refused(f"`{file}`: {columns} would all become `{twice[0]}`. Leave all but one out with --drop.")


def _refuse_unclear(file: str, steps: list[Step], sights: dict[str, Sight], ids: list[str], declared: Declared) -> None:
    """Dates that stay where others move would tell by how much."""
    left = [step.column for step in steps if step.done == "kept" and sights[step.column].filled
            and (sights[step.column].are_other_days or sights[step.column].are_epochs)]  # fmt: skip
    if left:
        raise Refused(
            f"`{file}`: {', '.join(f'`{name}`' for name in left)} may hold dates that would not be shifted. Say how they are "
            "written (--date COLUMN=%d/%m/%Y, or =s or =ms since 1970), or name them with --id or --drop."
        )
    if any(step.done == "shifted" for step in steps) and len(ids) != 1 and not declared.ids:
        raise Refused(
            f"`{file}` has {len(ids)} columns that may tell the person, by whom dates are shifted. Name it with --id COLUMN."
        )
