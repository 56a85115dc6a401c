"""The manifest: what a delivery holds, written last, so that a folder without it is not a delivery.

Uses the names of FHIR Bulk Data (`transactionTime`, `output`, `deleted`, `error`), adds what makes a delivery
checkable, and seals itself with a hash of its own content. It names no subject.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.delivery.contract import DeliveryContext, instant_text
from pipelines.errors import Refused

MANIFEST_NAME = "manifest.json"
FORMAT_VERSION = 1
SEAL = "manifest_sha256"


@dataclass(frozen=True)
class DeliveredFile:
    """One file of a delivery; `rows` counts table rows or FHIR resources, `type` is the FHIR type or empty."""

    name: str
    type: str
    rows: int
    bytes: int
    sha256: str


def content(
    context: DeliveryContext, rows: pd.DataFrame, files: Sequence[DeliveredFile], supersedes: str | None
) -> dict[str, Any]:
    """The manifest of these rows and files; the same for the same inputs."""
    body: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "transactionTime": instant_text(context.known_at),
        "request": f"urn:foretide:delivery:{context.run_id}",
        "requiresAccessToken": False,
        "output": [{"type": f.type, "url": f.name, "count": f.rows} for f in files if f.type],
        "deleted": [],
        "error": [],
        "run_id": context.run_id,
        "as_of_date": context.night,
        "supersedes": supersedes,
        "model_versions": dict(sorted(context.model_versions.items())),
        "policy_version": context.policy_version,
        "input_content": context.input_content,
        "code_version": context.code_version,
        "roster": {"expected": context.roster_size, "delivered": int(rows["subject_id"].nunique())},
        "rows": len(rows),
        "rows_by_status": {str(k): int(v) for k, v in rows["status"].value_counts().sort_index().items()},
        "files": [asdict(f) for f in files],
    }
    return {**body, SEAL: seal(body)}


def seal(body: dict[str, Any]) -> str:
    """Hash of a manifest's content, its own seal left out."""
    bare = {key: value for key, value in body.items() if key != SEAL}
    return hashlib.sha256(json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def to_bytes(body: dict[str, Any]) -> bytes:
    """The manifest as it lies on disk, readable by people."""
    return (json.dumps(body, indent=2) + "\n").encode()


def read(folder: Path) -> dict[str, Any]:
    """A delivery's manifest, its seal verified.

    Raises:
        Refused: there is none, or it was truncated or altered.
    """
    try:
        raw = (folder / MANIFEST_NAME).read_bytes()
    except FileNotFoundError as error:
        raise Refused(f"`{folder.name}` has no {MANIFEST_NAME}: it is not a delivery, or an unfinished one.") from error
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise Refused(f"`{MANIFEST_NAME}` is not readable as JSON. {CURE}") from error
    # The exact bytes are compared, so that a change which means the same to a JSON reader is found too.
    if not isinstance(body, dict) or body.get(SEAL) != seal(body) or raw != to_bytes(body):
        raise Refused(f"`{MANIFEST_NAME}` was altered after it was written. {CURE}")
    return body


CURE = "Fetch the delivery again, or score the night anew."
