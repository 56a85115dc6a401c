"""Erases subjects who withdrew from published deliveries: the one edit that a published folder ever sees.

A folder is written anew beside itself and put in place; what a kill leaves is finished by the next run. The other
rows keep their bytes (lines of CSV and NDJSON) or their content (Parquet), and the manifest says what went. A
delivery that was damaged or altered before cannot be searched: its files are removed, its manifest stays as evidence.
"""

import csv as text_csv
import json
import shutil
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import durable
from pipelines.delivery import csv, fhir, manifest, parquet
from pipelines.delivery.contract import KEY
from pipelines.delivery.manifest import MANIFEST_NAME, DeliveredFile
from pipelines.delivery.nights import run_in_force
from pipelines.delivery.publish import PlannedFile, point, written
from pipelines.delivery.verify import verify_files
from pipelines.errors import Refused

HELD = [*KEY, "status", "score_id"]
FRESH, FORMER = ".erasing-", ".erased-"


@dataclass(frozen=True)
class Erased:
    """What went from one delivery: rows and subjects, and the manifest's seals before and after."""

    run_id: str
    rows: int
    subjects: int
    former: str
    now: str
    is_damaged: bool = False


def folders(root: Path) -> list[Path]:
    """Every delivery below a folder, oldest night first; copies that somebody laid beside the nights too, for who withdrew must
    not be in them either."""
    return sorted(p.parent for p in root.glob(f"*/*/{MANIFEST_NAME}") if not p.parent.name.startswith("."))


def erase_everywhere(root: Path, ids: Collection[str], own: Path) -> list[Erased]:
    """Take the subjects out of every delivery; whoever calls holds `publish.alone_in`, which gave the hidden folder `own`.

    Safe to repeat after a kill.
    """
    _finish_interrupted(root, own)
    return [erased for folder in folders(root) if (erased := _erase(folder, ids, own)) is not None]


def _finish_interrupted(root: Path, own: Path) -> None:
    """Put in place what a killed erasure had ready, and remove what killed writers left."""
    for fresh in root.glob(f"*/{FRESH}*"):
        folder = fresh.with_name(fresh.name.removeprefix(FRESH))
        if not folder.exists() and _has_manifest_of(fresh, folder.name):
            fresh.rename(folder)
            durable.sync_folder(folder.parent)
    for kind in (FRESH, FORMER):
        for leftover in root.glob(f"*/{kind}*"):
            shutil.rmtree(leftover)
    for night in {folder.parent for folder in folders(root)}:
        _point_again(night, own)


def _has_manifest_of(folder: Path, run_id: str) -> bool:
    """Whether a folder holds the run, to its end: the manifest is written last."""
    try:
        return bool(manifest.read(folder)["run_id"] == run_id)
    except Refused:
        return False


def rows_held(folder: Path) -> pd.DataFrame:
    """Whom a delivery is about, from whichever format it has: subject, outcome, horizon, status and score id.

    Raises:
        Refused: no file of it can be read.
    """
    readers = {parquet.NAME: _parquet_rows, csv.NAME: _csv_rows, fhir.ASSESSMENTS: _fhir_rows}
    found = next((name for name in readers if (folder / name).is_file()), None)
    if found is None:
        return pd.DataFrame(columns=HELD)
    try:
        return readers[found](folder / found)
    except (ValueError, KeyError, LookupError, StopIteration) as error:
        raise Refused(f"`{found}` of a delivery is damaged and cannot be searched.") from error


def score_ids_of(root: Path, ids: Collection[str]) -> set[str]:
    """Ids of every score of the subjects in any delivery; of a delivery that cannot be searched none are told."""
    found: set[str] = set()
    for folder in folders(root) if ids else ():
        with suppress(Refused):
            rows = rows_held(folder)
            found.update(rows.loc[rows["subject_id"].isin(ids), "score_id"])
    return found


def _parquet_rows(path: Path) -> pd.DataFrame:
    return parquet.read(path)[HELD]


def _csv_rows(path: Path) -> pd.DataFrame:
    rows = pd.read_csv(path, usecols=HELD, dtype=str, keep_default_na=False).astype({"horizon_days": int})
    is_disarmed = rows["subject_id"].str.match("'" + csv.FORMULA.removeprefix("^"))
    return rows.assign(subject_id=rows["subject_id"].mask(is_disarmed, rows["subject_id"].str[1:]))


def _fhir_rows(path: Path) -> pd.DataFrame:
    rows = []
    for line in path.read_bytes().splitlines():
        made = json.loads(line)
        status = "scored" if made["status"] == "final" else made["note"][0]["text"].split(",")[0]
        for part in made["prediction"]:
            first, last = pd.Timestamp(part["whenPeriod"]["start"]), pd.Timestamp(part["whenPeriod"]["end"])
            key = (_subject(made), part["outcome"]["text"], (last - first).days + 1)
            rows.append((*key, status, part["id"]))
    return pd.DataFrame(rows, columns=HELD)


def assessment_ids(folder: Path, ids: Collection[str]) -> list[str]:
    """FHIR ids of the assessments that a delivery holds of the subjects."""
    path = folder / fhir.ASSESSMENTS
    if not path.is_file():
        return []
    gone: list[str] = []
    for _ in _assessments_left(path, ids, gone):
        pass
    return gone


def _erase(folder: Path, ids: Collection[str], own: Path) -> Erased | None:
    """Take the subjects out of one delivery's files and manifest; None if it holds none of them."""
    try:
        held = rows_held(folder)
    except Refused:
        return _remove_damaged(folder)
    is_gone = held["subject_id"].isin(ids)
    if not is_gone.any():
        return None
    if verify_files(folder).faults:
        return _remove_damaged(folder)
    body = manifest.read(folder)
    changed = _put_anew(folder, body, held[~is_gone], ids)
    _point_again(folder.parent, own)
    gone = changed["erased"][-1]
    return Erased(folder.name, gone["rows"], gone["subjects"], body[manifest.SEAL], changed[manifest.SEAL])


def _put_anew(folder: Path, body: dict[str, Any], left: pd.DataFrame, ids: Collection[str]) -> dict[str, Any]:
    """Write the delivery without the subjects beside itself, put it in place, and return its manifest."""
    fresh, former = (folder.with_name(f"{kind}{folder.name}") for kind in (FRESH, FORMER))
    fresh.mkdir()
    changed = manifest.erased(body, left, list(_files_left(folder, fresh, body, ids)))
    durable.sync_folder(fresh)
    durable.write(fresh / MANIFEST_NAME, [manifest.to_bytes(changed)])
    durable.sync_folder(fresh)
    folder.rename(former)
    fresh.rename(folder)
    durable.sync_folder(folder.parent)
    shutil.rmtree(former)
    return changed


def _remove_damaged(folder: Path) -> Erased:
    for path in folder.iterdir():
        if path.name != MANIFEST_NAME:
            path.unlink() if path.is_file() else shutil.rmtree(path)
    durable.sync_folder(folder)
    return Erased(folder.name, 0, 0, "", "", is_damaged=True)


def _point_again(night: Path, own: Path) -> None:
    """Let the night's pointer name the manifest of the delivery in force as it is now."""
    try:
        run_id = run_in_force(night)
    except Refused:
        return  # a damaged pointer must not keep anybody from being erased; publishing will speak of it
    if run_id is not None and _has_manifest_of(night / run_id, run_id):
        point(night, night / run_id, own)


def _files_left(folder: Path, fresh: Path, body: dict[str, Any], ids: Collection[str]) -> Iterator[DeliveredFile]:
    """Write every file of a delivery without the subjects; what the manifest is to say of each."""
    gone = set(assessment_ids(folder, ids))
    for file in body["files"]:
        path = folder / file["name"]
        chunks, rows = _left(path, ids, gone)
        yield written(fresh, PlannedFile(file["name"], file["type"], rows, chunks))


def _left(path: Path, ids: Collection[str], gone: Collection[str]) -> tuple[Iterable[bytes], int | None]:
    """The bytes of a file without the subjects, and how many rows they are; lines are counted as they are written."""
    if path.name == parquet.NAME:
        table = pq.read_table(path, page_checksum_verification=True, use_threads=False)
        is_gone = pc.is_in(table["subject_id"], value_set=pa.array(sorted(ids), pa.string()))
        table = table.filter(pc.invert(is_gone))
        return parquet.chunks(table), table.num_rows
    if path.name == csv.NAME:
        lines = list(_csv_left(path, ids))
        return lines, len(lines) - 1
    if path.name == fhir.ASSESSMENTS:
        return _assessments_left(path, ids, []), None
    if path.name == fhir.PROVENANCES:
        return _provenances_left(path, gone), None
    return [path.read_bytes()], None


def _csv_left(path: Path, ids: Collection[str]) -> Iterator[bytes]:
    """The header and each record as it stood, those of the subjects left out."""
    forms = {*ids, *(f"'{name}" for name in ids)}
    with path.open(encoding="utf-8", newline="") as handle:
        lines: list[str] = []
        records = text_csv.reader(lines.append(line) or line for line in handle)  # type: ignore[func-returns-value]
        column = next(records).index("subject_id")
        yield "".join(lines).encode()
        lines.clear()
        for record in records:
            if record[column] not in forms:
                yield "".join(lines).encode()
            lines.clear()


def _assessments_left(path: Path, ids: Collection[str], gone: list[str]) -> Iterator[bytes]:
    """The lines of other subjects; FHIR ids of the others are added to `gone`."""
    needles = [json.dumps(name).encode() for name in ids]
    with path.open("rb") as handle:
        for line in handle:
            made = json.loads(line) if any(needle in line for needle in needles) else None
            if made is not None and _subject(made) in ids:
                gone.append(made["id"])
            else:
                yield line


def _provenances_left(path: Path, gone: Collection[str]) -> Iterator[bytes]:
    references = {f"RiskAssessment/{name}" for name in gone}
    with path.open("rb") as handle:
        for line in handle:
            made = json.loads(line)
            targets = [target for target in made["target"] if target["reference"] not in references]
            if len(targets) == len(made["target"]):
                yield line
            elif targets:
                yield (json.dumps({**made, "target": targets}, separators=(",", ":")) + "\n").encode()


def _subject(assessment: dict[str, Any]) -> str:
    return str(assessment["subject"]["identifier"]["value"])
