"""Brings declared sources, or one named on the command line, through the door into the lake."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from collections.abc import Mapping as Named
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from pipelines.consent.tombstones import Tombstones
from pipelines.door import quarantine
from pipelines.door.intake import (
    IntakeReport,
    conclude,
    ingest,
    parts_taken_in,
    take_back_unfinished,
    unconcluded,
)
from pipelines.door.policy import DoorPolicy, Origin, SignalLimits
from pipelines.door.rules import NOT_ENROLLED
from pipelines.errors import Refused
from pipelines.file_digests import FileDigests, files_below
from pipelines.installation import Installation
from pipelines.kept_hours import kept_from
from pipelines.sections import FileSource, SimulatedSource, Source
from pipelines.sources import fitbit, jang2024, lifesnaps, simulated, table
from pipelines.sources.batch import Batch
from pipelines.sources.table.mapping import load_mapping


def ingest_all(installation: Installation) -> list[IntakeReport]:
    """Ingest every declared source; content that was taken in before changes nothing."""
    return [ingest_source(installation, source, None) for source in installation.settings.sources]


def ingest_source(installation: Installation, source: Source, received_at: datetime | None) -> IntakeReport:
    """Ingest one source whole or not at all, and record it in the audit log.

    Raises:
        Refused: a file or folder is missing, its content cannot be used, or it would be mixed with the simulated
            cohort; the lake is as it was.
    """
    settings = installation.settings
    if not isinstance(source, SimulatedSource) and any(isinstance(s, SimulatedSource) for s in settings.sources):
        raise Refused(
            "The configuration declares the simulated cohort among `sources:`. People who do not exist must not stand "
            "beside real ones: copy the configuration into a home of your own and take `simulated` out."
        )
    digests = FileDigests(settings.state_folder / "file-digests.json")
    opened = _open(installation, source, received_at is not None, digests)
    ingest_id = _digest(opened.content, received_at)
    if opened.is_known:
        digests.remember()
        return IntakeReport(ingest_id, False, "")
    instant = None if received_at is None else pd.Timestamp(received_at)
    installation.report(f"ingesting {source.format}")
    report = _take_in(installation, opened.batches, ingest_id, instant, policy(installation), opened.origin)
    digests.remember()
    return report


def release(
    installation: Installation, choice: quarantine.Choice, at: datetime, values: Named[str, str],
    factors: Named[str, float],
) -> tuple[IntakeReport, int]:  # fmt: skip
    """Send rows out of quarantine through the door again, mended; the report, and how many of them stay.

    Nobody knew them while they were in quarantine: they count as received when they are released. Rows that a later
    correction overtook stay.

    Raises:
        Refused: no row is meant, or all were overtaken. Usage: a column or value that the table does not have.
    """
    lake = installation.lake
    meant = quarantine.chosen(lake, choice)
    if not meant.num_rows:
        raise Refused("No such row is in quarantine. `foretide quarantine list` tells what is.")
    rows = quarantine.without_overtaken(lake, meant)
    if not rows.num_rows:
        raise Refused(
            f"The lake has later news under the keys of all {meant.num_rows} rows. They stay; discard them if you will."
        )
    report = _take_out(installation, rows, pd.Timestamp(at), values, factors)
    kept = sum(report.count(table, "quarantined") for table in report.counts)
    return report, kept + meant.num_rows - rows.num_rows


def _take_out(
    installation: Installation, rows: pa.Table, at: pd.Timestamp | None, values: Named[str, str],
    factors: Named[str, float],
) -> IntakeReport:  # fmt: skip
    lake, batches = installation.lake, quarantine.batches(rows, at, values, factors)
    ingest_id = _digest(quarantine.content_of(rows), sorted(values.items()), sorted(factors.items()), at)
    # They were refused once already: a share of bad ones is expected.
    lenient = replace(policy(installation), max_bad_share=1.0)
    report = _take_in(installation, batches, ingest_id, None, lenient, Origin(quarantine.RELEASE))
    # What was refused again stays as it was sent, not as it was mended.
    again = quarantine.chosen(lake, quarantine.Choice(ingest=ingest_id))
    quarantine.remove(lake, quarantine.but_not_at(rows, again))
    quarantine.remove(lake, again)
    return report


def discard(installation: Installation, choice: quarantine.Choice) -> int:
    """Remove rows from quarantine for good, and record how many."""
    rows = quarantine.chosen(installation.lake, choice)
    if rows.num_rows:
        told = {name: value for name, value in vars(choice).items() if name in ("table", "rule") and value}
        installation.audit_log.append("quarantine_discard", {"rows": rows.num_rows, **told}, None)
    return quarantine.remove(installation.lake, rows)


def finish(installation: Installation) -> None:
    """Take back an ingest that was cut off before it counted, and put one on record that was cut off after."""
    lake = installation.lake
    with lake.writing():
        take_back_unfinished(lake)
        for ingest_id, ledger in unconcluded(lake).items():
            on_record = (entry["details"].get("ingest_id") for entry in installation.audit_log.entries())
            if ingest_id not in on_record:
                _record(installation, ledger["format"], ledger)
            conclude(lake, ingest_id)


def policy(installation: Installation) -> DoorPolicy:
    """How strict the door of this installation is."""
    settings = installation.settings
    return DoorPolicy(
        max_bad_share=settings.door.max_bad_share,
        signals={
            name: SignalLimits(**declared.model_dump(exclude={"usual_spread"}))
            for name, declared in settings.signals.items()
        },
        minutes_kept_from=kept_from(installation.lake),
        now=installation.now,
        withdrawn=Tombstones(settings.consent_folder).withdrawn,
    )


def _take_in(
    installation: Installation, batches: Iterator[Batch], ingest_id: str, instant: pd.Timestamp | None,
    strictness: DoorPolicy, origin: Origin,
) -> IntakeReport:  # fmt: skip
    report = ingest(installation.lake, batches, ingest_id, instant, installation.report, strictness, origin)
    if report.is_new:
        _record(installation, origin.format, {"received_at": report.received_at, **report.summary()})
        conclude(installation.lake, ingest_id)
    if report.count("subjects", "appended"):
        # What came before its subject was known now counts as if it had come after: order must not matter.
        waiting = quarantine.chosen(installation.lake, quarantine.Choice(rule=NOT_ENROLLED, enrolled=True))
        if waiting.num_rows:
            _take_out(installation, waiting, None, {}, {})
    return report


def _record(installation: Installation, format: str, ledger: Named[str, Any]) -> None:
    at = pd.Timestamp(ledger["received_at"]) if ledger["received_at"] else None
    told = {name: ledger[name] for name in ("ingest_id", "counts", "broken")}
    installation.audit_log.append("ingest", {"format": format, **told}, at)


@dataclass
class _Opened:
    """A source: what its content is known by, its rows, read lazily, and whether every file was taken in before."""

    content: list[str]
    batches: Iterator[Batch]
    origin: Origin
    is_known: bool = False


def _open(installation: Installation, source: Source, is_receipt_told: bool, digests: FileDigests) -> _Opened:
    if isinstance(source, SimulatedSource):
        cohort = simulated.SimulatedCohort(**source.model_dump(exclude={"format"}))
        return _Opened([simulated.content_hash(cohort)], simulated.read(cohort), Origin(source.format))
    path = (installation.settings.home / source.path).resolve()
    if not path.exists():
        raise Refused(f"There is nothing at `{source.path}` to ingest as {source.format}. Check the path.")
    files = {file: digests.of(file) for file in files_below(path)}
    content = [f"{file.relative_to(path) if path.is_dir() else file.name} {digest}" for file, digest in files.items()]
    if source.mapping is not None:
        return _open_table(installation, source, path, files, content, digests)
    if source.format == "fitbit":
        # The name is the pseudonym, and the zone makes the instants: with other ones it is other content.
        content += [path.name, installation.settings.sites.default_time_zone]
        return _Opened(content, _of_fitbit(installation, path, is_receipt_told), Origin(source.format))
    reader = {"jang2024": jang2024, "lifesnaps": lifesnaps}[source.format]
    return _Opened(content, reader.read(path), Origin(source.format))


def _open_table(
    installation: Installation, source: FileSource, path: Path, files: dict[Path, str], content: list[str],
    digests: FileDigests,
) -> _Opened:  # fmt: skip
    """Files by a mapping; in a folder, those that were taken in by it before are not read again."""
    mapping_path = (installation.settings.home / str(source.mapping)).resolve()
    mapping = load_mapping(mapping_path)
    read_by = digests.of(mapping_path)
    parts: dict[Path, str] = {}
    if path.is_dir() and not mapping.has_anchors_elsewhere:
        parts = {file: _digest(file.relative_to(path), read_by) for file in files}
    last = parts_taken_in(installation.lake)
    known = {file for file, part in parts.items() if last.get(part) == files[file]}
    units = {name: signal.unit for name, signal in installation.settings.signals.items()}
    return _Opened(
        [*content, read_by],
        table.read(path, mapping, units, known),
        Origin(source.format, {part: files[file] for file, part in parts.items()}),
        is_known=bool(files) and len(known) == len(files),
    )


def _of_fitbit(installation: Installation, path: Path, is_receipt_told: bool) -> Iterator[Batch]:
    lake, zone = installation.lake, installation.settings.sites.default_time_zone
    with lake.connection() as connection:
        known = connection.sql(f"""
            SELECT subject_id, enrolled_on, received_at, source = '{fitbit.SOURCE}'
            FROM ({lake.rows("subjects", connection).sql_query()})""")
        enrolled: dict[str, list[fitbit.Enrolment]] = defaultdict(list)
        for subject_id, *told in known.fetchall():
            enrolled[subject_id].append(fitbit.Enrolment(*told))
    yield from fitbit.read(path, zone, is_receipt_told, enrolled, installation.report)


def _digest(*parts: object) -> str:
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()
