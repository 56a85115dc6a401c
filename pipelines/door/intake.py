"""The door of the lake: batches from a reader go in as clean, versioned rows, or into quarantine; whole or not at all.

First every batch is checked and staged beside the lake; a file that cannot be read leaves no trace. Then each table
is added in one commit. A marker tells an ingest that was cut off in between; the next command takes its rows back. It
stays until the ingest is on record (`conclude`).
"""

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from features.tables import TABLES, Table
from pipelines import durable
from pipelines.door import quarantine, settling
from pipelines.door.policy import DoorPolicy, Origin
from pipelines.door.staging import Staging
from pipelines.errors import Refused
from pipelines.lake import Lake
from pipelines.progress import Report, silent
from pipelines.raw_rows import RAW, REPEATS
from pipelines.sources.batch import Batch

KINDS = ("received", "appended", "duplicate", "quarantined", "withdrawn", "expired")
# So few bad rows never stop a delivery: a share of a handful of rows says nothing.
ALWAYS_TOLERATED = 10


@dataclass
class IntakeReport:
    """What became of the rows of one ingest, by table; counts only.

    `received` rows were `appended` (news), `duplicate` (known already), `quarantined` (a rule was broken), or dropped:
    their subject has `withdrawn` consent, or minutes of their day `expired`. `broken` counts rows by rule.
    """

    ingest_id: str
    is_new: bool
    received_at: str
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    broken: dict[str, dict[str, int]] = field(default_factory=dict)

    def count(self, table: str, kind: str) -> int:
        """How many rows of a table were of a kind of `KINDS`, in this ingest; none if its content was known."""
        return self.counts.get(table, {}).get(kind, 0) if self.is_new else 0

    def summary(self) -> dict[str, object]:
        """The report as plain data, for the audit log and the ledger."""
        return {"ingest_id": self.ingest_id, "counts": self.counts, "broken": self.broken}

    def rows(self) -> list[dict[str, object]]:
        """One row per table, as people read it."""
        return [{"table": table, **{kind: self.count(table, kind) for kind in KINDS},
                 "rules broken": ", ".join(f"{rule} {n}" for rule, n in sorted(self.broken.get(table, {}).items()))}
                for table in self.counts]  # fmt: skip


def ingest(
    lake: Lake,
    batches: Iterable[Batch],
    ingest_id: str,
    received_at: pd.Timestamp | None = None,
    progress: Report = silent,
    policy: DoorPolicy = DoorPolicy(),  # noqa: B008  (immutable)
    origin: Origin = Origin(),  # noqa: B008  (immutable)
) -> IntakeReport:
    """Take batches into the lake.

    Rows without a receipt time of their own get `received_at`. A row that says what was known of its key before is not
    added; a different one becomes a new version. Content whose `ingest_id` was taken in before changes nothing.
    The state that ingests leave does not depend on the order in which they come, once all subjects are enrolled.

    Raises:
        Refused: a table or column is not ours, a type does not fit, a receipt time is missing, nothing came, none of
            the rows belongs to an enrolled subject, ids look like one person twice, or too many rows break a rule.
            The lake is as it was.
    """
    with lake.writing():
        ledger = lake.root / "ingests" / f"{ingest_id}.json"
        if ledger.exists():
            known = json.loads(ledger.read_text())
            return IntakeReport(ingest_id, False, known["received_at"], known["counts"], known["broken"])
        take_back_unfinished(lake)
        staging = Staging(lake.root / "staging", ingest_id, received_at, policy)
        shutil.rmtree(staging.folder, ignore_errors=True)
        connection = lake.connection()
        try:
            staging.fill(connection, batches, progress)
            report = _examine(lake, connection, staging)
            _commit(lake, connection, staging, report, ledger, origin, progress)
        finally:
            connection.close()
            # Whoever took this run's place may be at the same ingest, in the same folder.
            lake.check_turn()
            shutil.rmtree(staging.folder, ignore_errors=True)
            take_back_unfinished(lake)
    return report


def parts_taken_in(lake: Lake) -> dict[str, str]:
    """What each file held when it was last taken in, as the `Origin` of its ingest named it."""
    ledgers = [json.loads(path.read_bytes()) for path in (lake.root / "ingests").glob("*.json")]
    parts: dict[str, str] = {}
    for ledger in sorted(ledgers, key=lambda ledger: ledger.get("number", 0)):
        parts |= ledger.get("parts", {})
    return parts


def take_back_unfinished(lake: Lake) -> None:
    """Undo an ingest that was cut off before it counted: by a fault just now, or by a kill before this process began."""
    for marker in (lake.root / "ingests").glob("*.started"):
        if not marker.with_suffix(".json").exists():
            for table in lake.tables():
                lake.delete_ingest(table, marker.stem)
            quarantine.forget_ingest(lake, marker.stem)
            marker.unlink()


def unconcluded(lake: Lake) -> dict[str, dict[str, Any]]:
    """Ledgers, by ingest, of which nobody said yet that they are on record."""
    markers = (lake.root / "ingests").glob("*.started")
    ledgers = {marker.stem: marker.with_suffix(".json") for marker in markers}
    return {ingest_id: json.loads(path.read_bytes()) for ingest_id, path in ledgers.items() if path.exists()}


def conclude(lake: Lake, ingest_id: str) -> None:
    """Say that an ingest is on record."""
    (lake.root / "ingests" / f"{ingest_id}.started").unlink(missing_ok=True)


def _examine(lake: Lake, connection: duckdb.DuckDBPyConnection, staging: Staging) -> IntakeReport:
    """Look at the delivery as a whole, and refuse it where single rows are not what is wrong."""
    newest = max((staged.newest for staged in staging.batches if staged.newest is not None), default=None)
    if newest is None and not any(staged.dropped for staged in staging.batches):
        raise Refused(
            f"The source holds no rows: {len(staging.batches)} files or parts were read, all empty. "
            "Check that the path names the right file or folder."
        )
    report = IntakeReport(staging.ingest_id, True, "" if newest is None else pd.Timestamp(newest).isoformat())
    settling.register_enrolled(lake, connection, staging)
    for name in staging.tables():
        received = sum(staged.received for staged in staging.of(name))
        report.broken[name] = settling.broken_rules(connection, staging, name)
        report.counts[name] = dict.fromkeys(KINDS, 0) | {
            "received": received,
            "withdrawn": sum(staged.withdrawn for staged in staging.of(name)),
            "expired": sum(staged.expired for staged in staging.of(name)),
            "quarantined": sum(report.broken[name].values()),
        }
        _refuse_too_many_bad_rows(report, name, staging.policy.max_bad_share)
    return report


def _refuse_too_many_bad_rows(report: IntakeReport, table: str, max_bad_share: float) -> None:
    bad, received = (report.counts[table][kind] for kind in ("quarantined", "received"))
    if bad > ALWAYS_TOLERATED and bad > max_bad_share * received:
        rules = ", ".join(f"{rule} ({n})" for rule, n in sorted(report.broken[table].items(), key=lambda i: -i[1]))
        raise Refused(
            f"{bad} of {received} rows of `{table}` break a rule, more than the declared share of {max_bad_share:.0%} "
            f"(`door: max_bad_share:`): {rules}. Mend the export or its mapping; nothing was taken in."
        )


def _commit(
    lake: Lake, connection: duckdb.DuckDBPyConnection, staging: Staging, report: IntakeReport, ledger: Path,
    origin: Origin, progress: Report,
) -> None:  # fmt: skip
    """Add each staged table in one commit, then write the ledger entry that makes the ingest count."""
    ledger.parent.mkdir(exist_ok=True)
    marker = ledger.with_suffix(".started")
    marker.touch()
    for name in report.counts:
        progress(f"storing {name}")
        counts = report.counts[name]
        sound = settling.Sound(lake, connection, staging, TABLES[name])
        if counts["quarantined"]:
            quarantine.keep_broken(
                lake, connection, TABLES[name], report.ingest_id, origin.format == quarantine.RELEASE
            )
        counts["appended"] = _append(lake, sound, TABLES[name])
        counts["duplicate"] = counts["received"] - sum(counts[kind] for kind in KINDS[1:] if kind != "duplicate")
    number = len(list(ledger.parent.glob("*.json"))) + 1
    entry = {"number": number, "received_at": report.received_at, **asdict(origin), **report.summary()}
    lake.check_turn()
    durable.replace(ledger, json.dumps(entry, sort_keys=True).encode())


def _append(lake: Lake, sound: settling.Sound, table: Table) -> int:
    """Add the sound rows that are news in one commit, none if there are none; how many they were."""
    repeats: list[pa.Table] = []

    def versions() -> Iterator[pa.Table]:
        for family, rows in sound.portions():
            if family == RAW:
                yield rows
            else:
                repeats.append(rows)

    appended = lake.append(table, versions())
    lake.append(table, repeats, REPEATS)
    return appended - sound.versions_restated
