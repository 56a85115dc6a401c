"""What lies in a folder of deliveries: its nights, which run of a night is in force, and which ones came before it."""

import json
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from pipelines.delivery import manifest
from pipelines.delivery.contract import RUN_ID_LENGTH
from pipelines.errors import Refused

POINTER_NAME = "latest.json"
RUN_ID = re.compile(rf"[0-9a-f]{{{RUN_ID_LENGTH}}}")


def nights(root: Path) -> list[Path]:
    """The folder of each night, oldest first; a copy of one, or whatever else lies beside them, is none."""
    return sorted(path for path in root.glob("[0-9]*") if _is_date(path.name) and path.is_dir())


def _is_date(name: str) -> bool:
    try:
        return date.fromisoformat(name).isoformat() == name
    except ValueError:
        return False


def runs(root: Path) -> list[Path]:
    """The folder of each published delivery, oldest night first."""
    found = (path for night in nights(root) for path in sorted(night.iterdir()))
    return [path for path in found if not path.name.startswith(".") and (path / manifest.MANIFEST_NAME).is_file()]


def run_in_force(night: Path) -> str | None:
    """The run that a night's pointer names; none if the night was never published.

    Raises:
        Refused: the pointer is damaged, cannot be read, or names no delivery that is there.
    """
    try:
        pointer = json.loads((night / POINTER_NAME).read_bytes())
        run_id = str(pointer["run_id"])
        if pointer.get("folder", run_id) == run_id and _is_sealed(night / run_id, pointer.get(manifest.SEAL)):
            return run_id
        raise ValueError("it names no delivery that is there")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(
            f"`{POINTER_NAME}` of the night of {night.name} is damaged. Remove it and score that night again."
        ) from error


def _is_sealed(folder: Path, seal: str | None) -> bool:
    """Whether a delivery is there, and the one whose seal the pointer has: as it is, or as it was before an erasure."""
    if not folder.is_dir():
        return False
    try:
        body = manifest.read(folder)
    except Refused:
        return True  # the delivery's fault, and for its readers to tell
    return seal in (None, body[manifest.SEAL], *(gone[manifest.SEAL] for gone in body.get("erased", ())))


def age(folder: Path) -> tuple[str, bool, str]:
    """What sorts deliveries by age; in force is the newest of its night, and none where the pointer cannot be read."""
    try:
        in_force = run_in_force(folder.parent)
    except Refused:
        in_force = None
    return folder.parent.name, in_force == folder.name, folder.name


def chain(night: Path) -> list[dict[str, Any]]:
    """Manifests of a night's runs, from the one in force back to the first; what came before a damaged one is not known.

    Raises:
        Refused: the pointer or the manifest of the run in force is damaged.
    """
    found: list[dict[str, Any]] = []
    run_id = run_in_force(night)
    while run_id is not None:
        try:
            found.append(manifest.read(night / run_id))
        except Refused:
            if not found:
                raise
            break
        run_id = found[-1]["supersedes"]
    return found


def manifests(night: Path) -> dict[str, dict[str, Any]]:
    """By run, the manifests of a night that can be read, also of runs that were never put in force."""
    found = {}
    for name in _names(night):
        try:
            found[name] = manifest.read(night / name)
        except Refused:
            continue  # whoever verifies it is told
    return found


def last_runs(night: Path) -> list[str]:
    """The run in force; where the pointer is gone, those that no other one there supersedes, the likeliest first.

    More than one are left where a manifest is damaged, or a run was killed before it was in force. First comes one that cannot
    say what it superseded, then the one with most runs before it, and a notice of a withdrawal before others.

    Raises:
        Refused: the pointer is damaged.
    """
    in_force = run_in_force(night)
    if in_force is not None:
        return [in_force]
    bodies = manifests(night)
    superseded = {body["supersedes"] for body in bodies.values()}
    last = [name for name in _names(night) if name not in superseded]
    return sorted(last, key=lambda run: (run not in bodies, *_standing(run, bodies)), reverse=True)


def _standing(run_id: str, bodies: Mapping[str, dict[str, Any]]) -> tuple[int, bool, str]:
    """How many runs are known to have led to one, whether it is a notice, and its name."""
    before, one = 0, bodies.get(run_id)
    while one is not None and one["supersedes"] is not None:
        before, one = before + 1, bodies.get(one["supersedes"])
    return before, bool(bodies.get(run_id, {}).get("withdrawn")), run_id


def _names(night: Path) -> list[str]:
    """Folders of a night that are called as runs are."""
    return sorted(path.name for path in night.glob("*") if RUN_ID.fullmatch(path.name) and path.is_dir())
