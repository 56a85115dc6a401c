"""Entries of a mapping to be: origins of canonical columns as a file's columns look and are called, for people to check."""

import json
from dataclasses import dataclass, field

from pipelines.sources.inference import vocabulary as says
from pipelines.sources.inference.sights import Sight
from pipelines.sources.inference.view import View
from pipelines.sources.table.units import UNDISPUTED, conversion

SHORT_LIST = 50


@dataclass(frozen=True)
class Told:
    """Where a canonical column comes from, if that can be told; a `blank` is a key that people must fill in.

    `clock` is a second column that is read, the one with the time of day.
    """

    column: str | None = None
    clock: str | None = None
    keys: tuple[tuple[str, str], ...] = ()
    blank: str = ""
    note: str = ""


@dataclass
class Guess:
    """One entry of the mapping to be: the table, why, its columns, and what else people must do."""

    table: str
    why: str
    columns: dict[str, Told] = field(default_factory=dict)
    into: str = ""
    melt: dict[str, Told] = field(default_factory=dict)
    attributes: dict[str, Told] = field(default_factory=dict)
    todo: str = ""

    @property
    def mapped(self) -> frozenset[str]:
        """Every column of the file that the entry reads."""
        told = (*self.columns.values(), *self.melt.values(), *self.attributes.values())
        return frozenset(name for one in told for name in (one.column, one.clock) if name is not None)


def time_of(sight: Sight, clock: Sight | None = None) -> Told:
    """A day or time with its format, and the column with the time of day where there is one."""
    note = "TODO day first or month first? Both fit" if sight.other_format else ""
    keys = (("format", sight.format),) if sight.format else ()
    if clock is not None:
        keys = (
            *keys,
            ("time", clock.name if clock.kind == "clock" else f"{{column: {json.dumps(clock.name)}, unit: min}}"),
        )
    return Told(sight.name, clock.name if clock else None, keys, note=note)


def measure(sight: Sight, unit: str) -> Told:
    """A number with the unit that its name says, or a blank for it."""
    if unit in UNDISPUTED:
        return Told(sight.name)
    named = says.unit_in(sight.words, sight.name)
    if named is not None and conversion(named, unit) is not None:
        return Told(sight.name, keys=(("unit", named),))
    return Told(sight.name, blank="unit", note=f"TODO unit; ours is {unit}")


def coded(sight: Sight, ours: str) -> Told:
    """A column of codes; how many there are is told, never which."""
    note = f"recode: {sight.distinct} distinct values" if sight.kind != "number" or sight.distinct <= SHORT_LIST else ""
    return Told(sight.name, note="; ".join(part for part in (note, ours) if part))


def when(seen: View, ours: str) -> dict[str, Told]:
    """Whose and when, and what else is known of a row's times."""
    assert seen.subject is not None  # noqa: S101  (the caller asked)
    assert seen.time is not None  # noqa: S101
    columns = {
        "subject_id": Told(seen.subject.name),
        ours: time_of(seen.time, None if ours == "local_date" else seen.clock),
    }
    if seen.received is not None:
        columns["received_at"] = time_of(seen.received)
    return columns


def device(seen: View) -> dict[str, Told]:
    """The device that a row is of, where a column tells it."""
    found = seen.first(says.DEVICE, "text", "number")
    return {} if found is None else {"device_id": take(seen, found, Told(found.name))}


def take(seen: View, sight: Sight, told: Told) -> Told:
    """An origin, and its column is no longer free."""
    seen.used.add(sight.name)
    return told
