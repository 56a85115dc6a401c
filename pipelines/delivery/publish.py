"""Publishes a night: a folder that is there whole or not at all, and a pointer to the newest one.

`<root>/<as_of>/<run_id>/` is written in a hidden folder of this very run, forced to disk, and renamed; only then does
`<root>/<as_of>/latest.json` move to it. A process killed anywhere leaves the old delivery or the new one in force,
and a second run finishes with the same bytes. Whatever is put in place is renamed out of that hidden folder: who takes
this run's place moves the folder away first, so that of a run that wakes late no rename can succeed.
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa

from pipelines import durable, locks
from pipelines.delivery import contract, csv, fhir, manifest, parquet
from pipelines.delivery.contract import DeliveryContext
from pipelines.delivery.manifest import MANIFEST_NAME, DeliveredFile
from pipelines.delivery.nights import POINTER_NAME, last_runs, run_in_force
from pipelines.delivery.verify import verify_files
from pipelines.errors import Fault, Refused

LOCK_NAME = ".publish.lock"
UNFINISHED = ".unfinished-"
SWEPT = f"{UNFINISHED}swept-"


@dataclass(frozen=True)
class Withdrawn:
    """Who withdrew since the delivery that is superseded: random tokens, and ids of assessments to be deleted."""

    tokens: tuple[str, ...] = ()
    assessment_ids: tuple[str, ...] = ()


NOBODY = Withdrawn()


def publish(
    root: Path, rows: pd.DataFrame, context: DeliveryContext, withdrawn: Withdrawn = NOBODY,
    fence: Callable[[], None] = locks.unfenced,
) -> Path:  # fmt: skip
    """Put a night's rows in force, in every format of the context, and return their folder.

    The same inputs again change nothing. Other inputs for the same night make a new folder that names the one it
    supersedes; no published folder is ever edited, but for the erasure of subjects who withdrew (`delivery.erasure`), and one that
    was damaged is put back by the same run.

    Args:
        root: folder of all deliveries.
        rows: the contract's columns, from `rows.build`.
        context: the night; `rows` must be of its run.
        withdrawn: who withdrew, where that is why the night is published anew.
        fence: raises once another run took the place of this one in the installation.

    Raises:
        Refused: the rows break the contract, or another process is publishing or took this one's place.
        Fault: this run was published before with other bytes, or was superseded since: it cannot come back under the same name.
    """
    contract.check(rows, context)
    night = root / context.night
    with alone_in(root, fence) as own:
        night.mkdir(exist_ok=True)
        durable.sync_folder(root)
        folder = night / context.run_id
        supersedes = _superseded(night, context)
        unfinished = _write(own / context.run_id, rows.assign(supersedes=supersedes), context, supersedes, withdrawn)
        fence()
        _place(unfinished, folder)
        point(night, folder, own)
    return folder


def in_place_of(root: Path, context: DeliveryContext) -> DeliveryContext:
    """The context of a run as it may be put in force now: with the run that it supersedes, which is part of its identity.

    The same inputs as those of the run in force are that run. Those of an earlier one are another run: consumers and sinks
    know the earlier one as superseded, for good. Where the pointer is gone, the run that no other one supersedes was in force;
    where that could be several, this is another run than all of them.
    """
    night = root / context.night
    last = last_runs(night)
    if not last:
        return context
    same = replace(context, supersedes=_named_by(night / last[0]))
    return same if last == [same.run_id] else replace(context, supersedes=last[0])


def _superseded(night: Path, context: DeliveryContext) -> str | None:
    """What a run supersedes: as it says itself, if it was published before and can be read."""
    last, folder = last_runs(night), night / context.run_id
    if not folder.exists():
        return run_in_force(night) or context.supersedes
    before = _named_by(folder) or context.supersedes
    if context.run_id not in last and before not in last:
        raise Fault(
            "This run was superseded since it was published, and cannot come back under the same name; nothing was changed. Put "
            "what it takes the place of into its context (`in_place_of`)."
        )
    return before


def _named_by(folder: Path) -> str | None:
    """The run that a delivery says it supersedes; none if it cannot be read."""
    try:
        named: str | None = manifest.read(folder)["supersedes"]
    except Refused:
        return None
    return named


def current(root: Path, as_of: pd.Timestamp) -> Path | None:
    """The folder of the delivery in force for a night; none if the night was never published."""
    night = root / f"{as_of:%Y-%m-%d}"
    run_id = run_in_force(night)
    return None if run_id is None else night / run_id


def read_scores(folder: Path) -> pd.DataFrame:
    """A delivery's rows from its Parquet file, in the contract's columns; read only after it was verified.

    Raises:
        Refused: the delivery is damaged, or holds no Parquet.
    """
    rows: pd.DataFrame = read_table(folder).to_pandas()
    return rows


def read_table(folder: Path) -> pa.Table:
    """The same as an Arrow table."""
    faults = verify_files(folder).faults
    if faults:
        raise Refused(f"The delivery is damaged and was not read. {faults[0]}")
    if not (folder / parquet.NAME).is_file():
        raise Refused(f"The delivery holds no {parquet.NAME}. Put `parquet` among `delivery: formats:`.")
    return contract.completed(parquet.table(folder / parquet.NAME))


@contextmanager
def alone_in(root: Path, fence: Callable[[], None] = locks.unfenced) -> Iterator[Path]:
    """Hold the lock of all deliveries, and a hidden folder to write in; the lock is gone when the process is.

    Raises:
        Refused: another process holds it, or took the place of this one, before or meanwhile.
    """
    root.mkdir(parents=True, exist_ok=True)
    otherwise = "Another process is publishing a delivery here. Wait for it to end, then try again."
    own = root / f"{UNFINISHED}{uuid.uuid4().hex}"
    with locks.at_once(root / LOCK_NAME, otherwise) as lock:
        sweep(root)
        own.mkdir()
        # Asked with the folder there: whoever takes this run's place from now on finds it and moves it away.
        fence()
        try:
            yield own
        except FileNotFoundError as error:
            if own.exists():
                raise
            raise Refused(locks.OVERTAKEN) from error
        finally:
            if lock.is_held:
                shutil.rmtree(own, ignore_errors=True)


def sweep(root: Path) -> None:
    """Remove what killed or superseded writers left, each moved away whole first, so that nothing of it can be put in place."""
    for leftover in [*root.glob(f"{UNFINISHED}*"), *root.glob(f"*/{UNFINISHED}*")]:
        away = root / f"{SWEPT}{uuid.uuid4().hex}"
        leftover.rename(away)
        shutil.rmtree(away)


def _write(
    unfinished: Path, rows: pd.DataFrame, context: DeliveryContext, supersedes: str | None, withdrawn: Withdrawn
) -> Path:
    """Write a delivery into a hidden folder and force it to disk; the manifest comes last."""
    unfinished.mkdir()
    plans = _plans(rows, context, supersedes, withdrawn.assessment_ids)
    files = [written(unfinished, plan) for plan in plans]
    body = manifest.content(context, rows, files, supersedes, withdrawn.tokens)
    durable.sync_folder(unfinished)
    durable.write(unfinished / MANIFEST_NAME, [manifest.to_bytes(body)])
    durable.sync_folder(unfinished)
    return unfinished


@dataclass
class PlannedFile:
    """A file to write: its name, FHIR type, rows, and bytes."""

    name: str
    type: str
    rows: int | None
    chunks: Iterable[bytes]


def _plans(
    rows: pd.DataFrame, context: DeliveryContext, supersedes: str | None, deleted: Sequence[str]
) -> Iterator[PlannedFile]:
    table = contract.to_arrow(rows)
    if "parquet" in context.formats:
        yield PlannedFile(parquet.NAME, "", len(rows), parquet.chunks(table))
    if "csv" in context.formats:
        yield PlannedFile(csv.NAME, "", len(rows), csv.chunks(table))
    if "fhir" in context.formats:
        yield PlannedFile(fhir.DEVICES, "Device", None, fhir.device_lines(context))
        yield PlannedFile(fhir.ASSESSMENTS, "RiskAssessment", None, fhir.assessment_chunks(rows, context))
        yield PlannedFile(fhir.PROVENANCES, "Provenance", None, fhir.provenance_lines(rows, context, supersedes))
        if deleted:
            yield PlannedFile(fhir.DELETED, "Bundle", None, fhir.deletion_lines(deleted))


@dataclass
class _Tally:
    """Counts and hashes bytes on their way to the file."""

    size: int = 0
    lines: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def through(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.size += len(chunk)
            self.lines += bytes(chunk).count(b"\n")
            self.digest.update(chunk)
            yield chunk


def written(folder: Path, plan: PlannedFile) -> DeliveredFile:
    """Write a planned file and force it to disk; what the manifest says of it."""
    tally = _Tally()
    durable.write(folder / plan.name, tally.through(plan.chunks))
    rows = tally.lines if plan.rows is None else plan.rows
    return DeliveredFile(plan.name, plan.type, rows, tally.size, tally.digest.hexdigest())


def _place(unfinished: Path, folder: Path) -> None:
    """Rename the finished folder into place; if the run was published before, it must have been the same, damaged or whole."""
    if not folder.exists():
        unfinished.rename(folder)
        durable.sync_folder(folder.parent)
        return
    faults = verify_files(folder).faults
    if _sealed(folder) not in (None, _sealed(unfinished)):
        stands = "is damaged and was not put back" if faults else "stands"
        raise Fault(
            f"This run was published before, and the same inputs now give other bytes; the published delivery {stands}. "
            "A library or the code changed without a new code version: set one, or restore the former versions."
        )
    if faults:
        _mend(unfinished, folder)


def _sealed(folder: Path) -> str | None:
    """The seal of a delivery, which covers every byte of it; none where its manifest cannot be read."""
    try:
        return str(manifest.read(folder)[manifest.SEAL])
    except Refused:
        return None


def _mend(unfinished: Path, folder: Path) -> None:
    """Put the files of a damaged delivery anew; its old manifest, which knows what the run superseded, stays until the last."""
    away = unfinished.with_name(f"{folder.name}-damaged")
    away.mkdir()
    for path in [path for path in folder.iterdir() if path.name != MANIFEST_NAME]:
        path.rename(away / path.name)
    for path in sorted(unfinished.iterdir(), key=lambda path: path.name == MANIFEST_NAME):
        path.rename(folder / path.name)
    durable.sync_folder(folder)


def point(night: Path, folder: Path, own: Path) -> None:
    """Put the folder in force, by way of the hidden folder of this run; nothing is written where it already is."""
    seal = manifest.read(folder)[manifest.SEAL]
    pointer = {"run_id": folder.name, "folder": folder.name, manifest.SEAL: seal}
    content, path = (json.dumps(pointer, indent=2) + "\n").encode(), night / POINTER_NAME
    if not path.exists() or path.read_bytes() != content:
        fresh = own / POINTER_NAME
        durable.write(fresh, [content])
        fresh.rename(path)
        durable.sync_folder(night)
