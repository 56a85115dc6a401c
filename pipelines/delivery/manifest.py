"""The manifest: what a delivery holds, written last, so that a folder without it is not a delivery.

Uses the names of FHIR Bulk Data (`transactionTime`, `output`, `deleted`, `error`), adds what makes a delivery
checkable, and seals itself with a hash of its own content. It names no subject.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.delivery import csv, fhir, parquet
from pipelines.delivery.contract import DeliveryContext, instant_text
from pipelines.errors import Refused

MANIFEST_NAME = "manifest.json"
# 2: rows have `alert` and `action`, the manifest `alert_history`.
FORMAT_VERSION = 2
SEAL = "manifest_sha256"
# The file by which one sees that a format was delivered.
REFERENCE_FILES = {"parquet": parquet.NAME, "csv": csv.NAME, "fhir": fhir.ASSESSMENTS}


@dataclass(frozen=True)
class DeliveredFile:
    """One file of a delivery; `rows` counts table rows or FHIR resources, `type` is the FHIR type or empty."""

    name: str
    type: str
    rows: int
    bytes: int
    sha256: str


def content(
    context: DeliveryContext,
    rows: pd.DataFrame,
    files: Sequence[DeliveredFile],
    supersedes: str | None,
    withdrawn: Sequence[str] = (),
) -> dict[str, Any]:
    """The manifest of these rows and files; the same for the same inputs. `withdrawn` holds random tokens."""
    body: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "transactionTime": instant_text(context.known_at),
        "request": f"urn:foretide:delivery:{context.run_id}",
        "requiresAccessToken": False,
        **_by_type(files),
        "error": [],
        "run_id": context.run_id,
        "as_of_date": context.night,
        "supersedes": supersedes,
        "withdrawn": list(withdrawn),
        "model_versions": dict(sorted(context.model_versions.items())),
        "policy_version": context.policy_version,
        "input_content": context.input_content,
        "alert_history": context.alert_history,
        "code_version": context.code_version,
        "roster": {"expected": context.roster_size, "delivered": int(rows["subject_id"].nunique())},
        **_counts(rows),
        "files": [asdict(f) for f in files],
    }
    return {**body, SEAL: seal(body)}


def erased(body: dict[str, Any], left: pd.DataFrame, files: Sequence[DeliveredFile]) -> dict[str, Any]:
    """The manifest of a delivery after rows of subjects who withdrew were erased from it; it says so.

    Args:
        body: the former manifest; its seal is kept under `erased`, beside how many subjects and rows went.
        left: `subject_id, status` of the rows that are left.
        files: the files as they are now.
    """
    delivered = int(left["subject_id"].nunique())
    gone = {"subjects": body["roster"]["delivered"] - delivered, "rows": body["rows"] - len(left), SEAL: body[SEAL]}
    changed = {
        **{key: value for key, value in body.items() if key != SEAL},
        **_by_type(files),
        "roster": {**body["roster"], "delivered": delivered},
        **_counts(left),
        "files": [asdict(f) for f in files],
        "erased": [*body.get("erased", []), gone],
    }
    return {**changed, SEAL: seal(changed)}


def subjects_erased(body: dict[str, Any]) -> int:
    """How many subjects were erased from a delivery after it was published."""
    return sum(gone["subjects"] for gone in body.get("erased", []))


def context_of(body: dict[str, Any]) -> DeliveryContext:
    """What decided the bytes of a delivery, from its manifest."""
    names = {file["name"] for file in body["files"]}
    found = DeliveryContext(
        as_of=pd.Timestamp(body["as_of_date"]).as_unit("us"),
        known_at=pd.Timestamp(body["transactionTime"]).as_unit("us"),
        formats=tuple(name for name, file in REFERENCE_FILES.items() if file in names),
        roster_size=body["roster"]["delivered"],
        alert_history=body.get("alert_history", ""),
        **{key: body[key] for key in ("model_versions", "policy_version", "input_content", "code_version")},
    )
    # What a run supersedes was no part of its identity in deliveries of before.
    return found if found.run_id == body["run_id"] else replace(found, supersedes=body["supersedes"])


def _by_type(files: Sequence[DeliveredFile]) -> dict[str, Any]:
    """Bulk Data's lists: resources that are delivered, and those that are to be deleted."""
    listed = [{"type": f.type, "url": f.name, "count": f.rows} for f in files if f.type]
    return {
        "output": [file for file in listed if file["url"] != fhir.DELETED],
        "deleted": [file for file in listed if file["url"] == fhir.DELETED],
    }


def _counts(rows: pd.DataFrame) -> dict[str, Any]:
    by_status = rows["status"].value_counts().sort_index()
    return {"rows": len(rows), "rows_by_status": {str(k): int(v) for k, v in by_status.items()}}


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
        Refused: there is none, or it was truncated or altered, or the disk does not give it.
    """
    try:
        raw = (folder / MANIFEST_NAME).read_bytes()
    except FileNotFoundError as error:
        raise Refused(f"`{folder.name}` has no {MANIFEST_NAME}: it is not a delivery, or an unfinished one.") from error
    except OSError as error:
        raise Refused(f"`{MANIFEST_NAME}` cannot be read ({type(error).__name__}). {CURE}") from error
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise Refused(f"`{MANIFEST_NAME}` is not readable as JSON. {CURE}") from error
    # The exact bytes are compared, so that a change which means the same to a JSON reader is found too.
    if not isinstance(body, dict) or body.get(SEAL) != seal(body) or raw != to_bytes(body):
        raise Refused(f"`{MANIFEST_NAME}` was altered after it was written. {CURE}")
    return body


CURE = "Fetch the delivery again, or score the night anew."
