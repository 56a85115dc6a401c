"""Deliveries that came into force and are not on record in the audit log, for whoever put them there was killed in between."""

from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipelines.delivery import manifest
from pipelines.delivery.nights import nights, run_in_force
from pipelines.errors import Refused

# What an entry of the audit log about a delivery is called.
DELIVERY = "delivery"


def runs(log: Iterable[Mapping[str, Any]]) -> set[str]:
    """Every run that the audit log has as delivered."""
    return {str(entry["details"]["run_id"]) for entry in log if entry["kind"] == DELIVERY}


def missing(folder: Path, recorded: Collection[str]) -> list[Path]:
    """Of a delivery in force and those it took the place of, the ones that are not on record, oldest first.

    They are looked for back to the last one that is, and no further than one that is damaged or gone, for nothing tells what was
    before it. Notices of withdrawals are passed over: they are on record with the withdrawal, unlike what they supersede.
    """
    found: list[Path] = []
    run: str | None = folder.name
    while run is not None and run not in recorded:
        try:
            body = manifest.read(folder.parent / run)
        except Refused:
            break
        found += [] if body["withdrawn"] else [folder.parent / run]
        run = body["supersedes"]
    return found[::-1]


def cut_off(root: Path, recorded: Collection[str], but: Collection[str]) -> list[Path]:
    """The delivery in force of each night of which any is missing on record, oldest first; what came before the run in force is
    read only of those.

    Args:
        root: folder of all deliveries.
        recorded: the runs on record, of all nights.
        but: nights that are not looked at.
    """
    found = []
    for night in nights(root):
        # Of a damaged pointer whoever looks at that night is told.
        with suppress(Refused):
            run = None if night.name in but else run_in_force(night)
            found += [night / run] if run is not None and missing(night / run, recorded) else []
    return found
