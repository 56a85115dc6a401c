"""What is remembered only to be quick: a small file with a digest of itself; damaged, it counts as thrown away."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pipelines import durable


def recall(file: Path) -> dict[str, Any]:
    """What is remembered in a file; nothing if it is not there, cannot be read, or is not what was written."""
    try:
        digest, told = json.loads(file.read_bytes())
    except (OSError, ValueError, TypeError):
        return {}
    return dict(told) if digest == _digest_of(told) else {}


def remember(file: Path, told: dict[str, Any]) -> None:
    """Put something, as JSON can hold it, in the place of what was remembered."""
    file.parent.mkdir(parents=True, exist_ok=True)
    durable.replace(file, json.dumps([_digest_of(told), told]).encode())


def _digest_of(told: Any) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
