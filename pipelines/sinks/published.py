"""Which deliveries there are to bring: those that were in force, each night's in the order in which they came to be."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.delivery import manifest
from pipelines.delivery.erasure import folders
from pipelines.delivery.publish import run_in_force
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
    for night in sorted({folder.parent for folder in folders(root)}):
        try:
            found.extend(_in_order(night))
        except Refused:
            damaged.append(night.name)
    return Stock(tuple(found), tuple(damaged))


def _in_order(night: Path) -> Iterator[Published]:
    """A night's deliveries from the first to the one in force."""
    chain: list[dict[str, Any]] = []
    run_id = run_in_force(night)
    while run_id is not None and (night / run_id).is_dir():
        chain.append(manifest.read(night / run_id))
        run_id = chain[-1]["supersedes"]
    runs = [str(body["run_id"]) for body in chain]
    for place in reversed(range(len(chain))):
        yield Published(night / runs[place], chain[place], tuple(runs[:place]))
