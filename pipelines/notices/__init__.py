"""Stands in until notices are built: the contract's `Notice`, which reaches nobody."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.installation import Installation


@dataclass(frozen=True)
class Notice:
    """What whoever is responsible is told of a night; counts only."""

    kind: str
    level: str
    night: str
    title: str
    sentences: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)


def give(installation: Installation, notice: Notice) -> list[str]:
    """Tells nobody yet."""
    return []
