"""What is on record about how each night went: one small file a night, `<state>/nights/<date>.json`, counts and sentences only."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pipelines import durable

Level = Literal["green", "amber", "red"]
LEVELS: tuple[Level, ...] = ("green", "amber", "red")
FOLDER = "nights"


@dataclass(frozen=True)
class NightStatus:
    """How a night went: the worst level of anything said about it, what was said, worst first, and counts.

    `is_over` is false until the night is delivered or failed.
    """

    night: str
    level: Level = "green"
    reasons: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    levels: tuple[Level, ...] = ()
    is_over: bool = False

    def told(self, level: Level, reason: str) -> "NightStatus":
        """The same with one more thing to say; what was said before is not said twice."""
        if reason in self.reasons:
            return self
        said = [*zip(self.levels, self.reasons, strict=True), (level, reason)]
        said.sort(key=lambda one: -LEVELS.index(one[0]))
        worst = max([self.level, level], key=LEVELS.index)
        return NightStatus(
            self.night, worst, tuple(r for _, r in said), self.counts, tuple(of for of, _ in said), self.is_over
        )

    @property
    def headline(self) -> str:
        """The status in a few words."""
        if not self.is_over:
            return "not finished"
        if self.level == "green":
            return "green: nothing is wrong with the night"
        return f"{self.level}: {self.reasons[0]}" if self.reasons else self.level


def read(state: Path, night: str) -> NightStatus | None:
    """The record of a night; None if there is none, or it cannot be read."""
    try:
        content = json.loads((state / FOLDER / f"{night}.json").read_bytes())
        said = content["reasons"]
        return NightStatus(
            content["night"], content["level"], tuple(one["reason"] for one in said), content["counts"],
            tuple(one["level"] for one in said), content["is_over"],
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write(state: Path, status: NightStatus) -> None:
    """Put a night on record, in the place of what was."""
    (state / FOLDER).mkdir(parents=True, exist_ok=True)
    durable.replace(state / FOLDER / f"{status.night}.json", _content(status))


def write_first(state: Path, status: NightStatus) -> bool:
    """Put a night on record unless anything is on record of it, by a process that holds nothing; whether it was put."""
    (state / FOLDER).mkdir(parents=True, exist_ok=True)
    return durable.put_first(state / FOLDER / f"{status.night}.json", _content(status))


def _content(status: NightStatus) -> bytes:
    said = [{"level": level, "reason": reason} for level, reason in zip(status.levels, status.reasons, strict=True)]
    content = {"night": status.night, "level": status.level, "is_over": status.is_over, "reasons": said,
               "counts": dict(status.counts)}  # fmt: skip
    return (json.dumps(content, indent=1) + "\n").encode()


def recent(state: Path, before: str, nights: int) -> list[NightStatus]:
    """The last so many nights on record before one, oldest first."""
    names = sorted(path.stem for path in (state / FOLDER).glob("[0-9]*.json") if path.stem < before)
    return [status for name in names[-nights:] if (status := read(state, name)) is not None]


def last(state: Path) -> NightStatus | None:
    """The newest night on record."""
    names = sorted(path.stem for path in (state / FOLDER).glob("[0-9]*.json"))
    return read(state, names[-1]) if names else None
