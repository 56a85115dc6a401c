"""What is remembered only to be quick: a small file with a digest of itself; damaged, it counts as thrown away."""

import hashlib
import json
from pathlib import Path
from typing import Any

from pipelines import durable


def recall(file: Path) -> dict[str, Any]:
    """What is remembered in a file; nothing if it is not there, cannot be read, or is not what was written."""
    try:
        digest, _, told = file.read_bytes().partition(b"\n")
    except OSError:
        return {}
    return dict(json.loads(told)) if digest == _digest_of(told) else {}


def remember(file: Path, told: dict[str, Any]) -> None:
    """Put something, as JSON can hold it, in the place of what was remembered."""
    file.parent.mkdir(parents=True, exist_ok=True)
    content = json.dumps(told).encode()
    durable.replace(file, _digest_of(content) + b"\n" + content)


def _digest_of(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()
