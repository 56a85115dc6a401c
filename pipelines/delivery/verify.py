"""Says whether a delivery is whole and unaltered: every file, row count and checksum that its manifest promises."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.delivery import contract, fhir, fhir_rules, manifest, parquet
from pipelines.errors import Refused

CHUNK = 1 << 20


@dataclass(frozen=True)
class VerifyReport:
    """What was checked and every fault found, in words that name files and counts only.

    `subjects_erased` counts subjects whose rows were erased after publishing, for they withdrew: no fault.
    """

    faults: tuple[str, ...]
    files: int = 0
    rows: int = 0
    subjects_erased: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether the delivery may be used."""
        return not self.faults


def verify(folder: Path) -> VerifyReport:
    """Check a delivery folder against its manifest, and its FHIR by the rules of `fhir_rules`; a fault is never raised."""
    report = verify_files(folder)
    if report.faults:
        return report
    rows = parquet.table(folder / parquet.NAME) if (folder / parquet.NAME).is_file() else None
    return replace(report, faults=tuple(fhir_rules.faults(folder, manifest.read(folder), rows)))


def verify_files(folder: Path) -> VerifyReport:
    """The same, but for what the FHIR says: whether every file is there, and as it was written."""
    try:
        body = manifest.read(folder)
    except Refused as refused:
        return VerifyReport((str(refused),))
    faults = [*_folder_faults(folder, body)]
    for file in body["files"]:
        faults.extend(_file_faults(folder / file["name"], file))
    if not faults and (folder / parquet.NAME).is_file():
        faults.extend(_row_faults(folder, body))
    return VerifyReport(tuple(faults), len(body["files"]), body["rows"], manifest.subjects_erased(body))


def _folder_faults(folder: Path, body: dict[str, Any]) -> list[str]:
    faults = []
    if folder.resolve().name != body["run_id"]:
        faults.append("The folder's name is not the manifest's run_id: a delivery was renamed or copied over another.")
    listed = {file["name"] for file in body["files"]} | {manifest.MANIFEST_NAME}
    extra = [path for path in folder.iterdir() if path.name not in listed]
    if extra:
        faults.append(f"{len(extra)} files lie in the folder that the manifest does not list.")
    roster = body["roster"]
    if roster["expected"] != roster["delivered"] + manifest.subjects_erased(body):
        faults.append(f"{roster['expected']} subjects were on the roster, {roster['delivered']} have rows.")
    return faults


def _file_faults(path: Path, file: dict[str, Any]) -> list[str]:
    if not path.is_file():
        return [f"`{path.name}` is missing. {manifest.CURE}"]
    size = path.stat().st_size
    if size != file["bytes"]:
        return [f"`{path.name}` has {size} bytes, the manifest says {file['bytes']}. {manifest.CURE}"]
    digest, lines = hashlib.sha256(), 0
    with path.open("rb") as handle:
        while chunk := handle.read(CHUNK):
            digest.update(chunk)
            lines += chunk.count(b"\n")
    if digest.hexdigest() != file["sha256"]:
        return [f"`{path.name}` was altered: its hash is not the manifest's. {manifest.CURE}"]
    if path.suffix == ".ndjson" and lines != file["rows"]:
        return [f"`{path.name}` has {lines} resources, the manifest says {file['rows']}."]
    return []


def _row_faults(folder: Path, body: dict[str, Any]) -> list[str]:
    """Whether the rows themselves are what the manifest says, for a manifest made up around other files."""
    try:
        rows = parquet.read(folder / parquet.NAME)
    except Refused as refused:
        return [str(refused)]
    faults = []
    if tuple(rows.columns) != contract.columns_of(body["format_version"]):
        return [f"`{parquet.NAME}` does not have the contract's columns."]
    if len(rows) != body["rows"] or rows["subject_id"].nunique() != body["roster"]["delivered"]:
        faults.append(f"`{parquet.NAME}` has {len(rows)} rows of {rows['subject_id'].nunique()} subjects.")
    if (rows["run_id"] != body["run_id"]).any():
        faults.append(f"`{parquet.NAME}` has {int((rows['run_id'] != body['run_id']).sum())} rows of another run.")
    assessments = next((f["rows"] for f in body["files"] if f["name"] == fhir.ASSESSMENTS), None)
    expected = len(rows[["subject_id", "outcome"]].drop_duplicates())
    if assessments is not None and assessments != expected:
        faults.append(f"`{fhir.ASSESSMENTS}` has {assessments} resources for {expected} subjects and outcomes.")
    return faults
