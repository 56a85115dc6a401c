"""Which deliveries there are to bring: those that were in force, each night's in the order in which they came to be."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.delivery import manifest
from pipelines.delivery.nights import chain, manifests, nights
from pipelines.errors import Refused


@dataclass(frozen=True)
class Published:
    """One delivery that is in force, or was until it was superseded: its folder, its manifest, and the runs after it."""

    folder: Path
    body: dict[str, Any]
    later: tuple[str, ...] = ()

    @property
    def run_id(self) -> str:
        """The run."""
        return str(self.body["run_id"])

    @property
    def night(self) -> str:
        """The as-of date, YYYY-MM-DD."""
        return str(self.body["as_of_date"])

    @property
    def seal(self) -> str:
        """Hash of the manifest; another one after an erasure."""
        return str(self.body[manifest.SEAL])

    @property
    def tells_of_withdrawals(self) -> bool:
        """Whether it is the notice by which consumers learn whom to delete."""
        return bool(self.body.get("withdrawn"))


@dataclass(frozen=True)
class Stock:
    """Every delivery to bring, oldest night first, superseding ones after the superseded; and nights that are damaged."""

    deliveries: tuple[Published, ...]
    damaged: tuple[str, ...] = ()


def stock(root: Path) -> Stock:
    """What lies in a folder of deliveries. One that was placed by a killed run and never put in force is left out."""
    found: list[Published] = []
    damaged: list[str] = []
    for night in nights(root):
        try:
            found.extend(_in_order(night))
        except Refused:
            damaged.append(night.name)
    return Stock(tuple(found), tuple(damaged))


def _in_order(night: Path) -> Iterator[Published]:
    """A night's deliveries to the one in force: from the first, or from the one after a damaged one."""
    bodies = chain(night)
    runs = [str(body["run_id"]) for body in bodies]
    if bodies and bodies[-1]["supersedes"] is not None:
        # Those before it are out of reach, but whom a notice among them names must go from every sink.
        for run_id, body in manifests(night).items():
            if run_id not in runs and body.get("withdrawn"):
                yield Published(night / run_id, body, tuple(runs))
    for place in reversed(range(len(bodies))):
        yield Published(night / runs[place], bodies[place], tuple(runs[:place]))
