"""Brings declared sources, or one named on the command line, through the door into the lake."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pandas as pd

from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.intake import IntakeReport, ingest
from pipelines.mapping import load_mapping
from pipelines.settings import FileSource, SimulatedSource, Source
from pipelines.sources import jang2024, lifesnaps, simulated, table
from pipelines.sources.batch import Batch

CHUNK = 1 << 20


def ingest_all(installation: Installation) -> list[IntakeReport]:
    """Ingest every declared source; content that was taken in before changes nothing."""
    return [ingest_source(installation, source, None) for source in installation.settings.sources]


def ingest_source(installation: Installation, source: Source, received_at: datetime | None) -> IntakeReport:
    """Ingest one source whole or not at all, and record it in the audit log.

    Raises:
        Refused: a file or folder is missing, or its content cannot be used; the lake is as it was.
    """
    settings = installation.settings
    content, batches = _open(source, settings.home)
    ingest_id = hashlib.sha256(f"{content}|{received_at}".encode()).hexdigest()
    instant = None if received_at is None else pd.Timestamp(received_at)
    installation.report(f"ingesting {source.format}")
    report = ingest(installation.lake, batches, ingest_id, instant, installation.report)
    if report.is_new:
        installation.audit_log.append(
            "ingest", {"format": source.format, **report.summary()}, pd.Timestamp(report.received_at)
        )
    return report


def _open(source: Source, home: Path) -> tuple[str, Iterator[Batch]]:
    """A source's content hash, and its rows, read lazily."""
    if isinstance(source, SimulatedSource):
        cohort = simulated.SimulatedCohort(**source.model_dump(exclude={"format"}))
        return simulated.content_hash(cohort), simulated.read(cohort)
    return _open_files(source, (home / source.path).resolve(), home)


def _open_files(source: FileSource, path: Path, home: Path) -> tuple[str, Iterator[Batch]]:
    if not path.exists():
        raise Refused(f"There is nothing at `{source.path}` to ingest as {source.format}. Check the path.")
    if source.mapping is not None:
        mapping_path = (home / source.mapping).resolve()
        mapping = load_mapping(mapping_path)
        return files_hash(path, mapping_path), table.read(path, mapping)
    reader = {"jang2024": jang2024, "lifesnaps": lifesnaps}[source.format]
    return files_hash(path), reader.read(path)


def files_hash(*paths: Path) -> str:
    """Hash of the names and contents of the files at the paths; the same files give the same hash anywhere."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
            digest.update(str(file.relative_to(path) if path.is_dir() else file.name).encode())
            with file.open("rb") as handle:
                while chunk := handle.read(CHUNK):
                    digest.update(chunk)
    return digest.hexdigest()
