"""The night's data on record: what came in, what was refused, what does not hold; one small file a night, kept.

Counts, names of files and truths; never a value or a subject. A delivery belongs to the night whose run saw it first.
Running a night again replaces its file, whole, with the same content unless something new came in or was cured.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from features.tables import TABLES
from pipelines import cohort, contents, durable
from pipelines.door import quarantine
from pipelines.door.intake import ALWAYS_TOLERATED, KINDS
from pipelines.expectations import Verdict
from pipelines.installation import Installation
from pipelines.night_sections import Freshness
from pipelines.validation import Finding, findings, idle_waivers, validate_table

NIGHTS_SHOWN = 30
SILENT_AFTER = pd.Timedelta(days=2)


@dataclass(frozen=True)
class Broken:
    """A truth that some rows of a stream do not keep on a night."""

    truth: str
    words: str
    rows: int
    stops_the_night: bool
    waived_because: str = ""
    waived_until: str = ""


@dataclass(frozen=True)
class StreamNight:
    """One stream of one night: rows of the night's deliveries by what became of them, and what does not hold."""

    counts: dict[str, int]
    judged: int
    broken: list[Broken] = field(default_factory=list)

    @property
    def quarantine_share(self) -> float:
        """Share of the rows received that broke a rule of the door."""
        return self.counts["quarantined"] / max(self.counts["received"], 1)

    def has_few_in_quarantine(self, most: float) -> bool:
        """Whether at most such a share of what was received is in quarantine; a handful of rows says nothing."""
        return self.counts["quarantined"] <= ALWAYS_TOLERATED or self.quarantine_share <= most


@dataclass(frozen=True)
class DataNight:
    """Everything on record about the data of one night."""

    night: str
    deliveries: list[dict[str, Any]]
    streams: dict[str, StreamNight]
    refused: list[dict[str, Any]]
    idle_waivers: list[str]

    @property
    def is_stopped(self) -> bool:
        """Whether something that does not hold stops everything downstream."""
        return any(broken.stops_the_night for stream in self.streams.values() for broken in stream.broken)


def take_stock(installation: Installation, night: str) -> DataNight:
    """Judge what has come in since the last time, and put the night on record."""
    verdicts = {table: validate_table(installation, table) for table in TABLES}
    found = _compose(installation, night, verdicts)
    folder = _folder(installation)
    folder.mkdir(parents=True, exist_ok=True)
    durable.replace(folder / f"{night}.json", json.dumps(asdict(found), indent=1).encode())
    return found


def on_record(installation: Installation, until: str, nights: int = NIGHTS_SHOWN) -> list[DataNight]:
    """The nights on record up to one, oldest first, at most the last so many."""
    files = sorted(file for file in _folder(installation).glob("*.json") if file.stem <= until)
    return [_read(file) for file in files[-nights:]]


def silent_streams(installation: Installation, night: str) -> dict[str, int]:
    """Streams the lake knows of which nothing came in for days before the night's cutoff, with how many days.

    Not those which may be as old, or older, by what is declared under `night: freshness:`.
    """
    lake, instant = installation.lake, cohort.known_at(installation.settings.sites, date.fromisoformat(night))
    limits = {table: _silent_after(installation.settings.night.of_stream(table)) for table in cohort.PANEL_STREAMS}
    after = {table: limit for table, limit in limits.items() if limit is not None}
    newest = {table: contents.last_received_at(lake, table, instant) for table in after}
    return {
        table: (instant - at).days for table, at in newest.items() if at is not None and instant - at >= after[table]
    }


def _silent_after(declared: Freshness) -> pd.Timedelta | None:
    """How old a stream may be before its page says so; None for any age."""
    hours = [limit for limit in (declared.warn_after_hours, declared.stop_after_hours) if limit is not None]
    return max(SILENT_AFTER, pd.Timedelta(hours=min(hours))) if hours else None


def _compose(installation: Installation, night: str, verdicts: dict[str, dict[str, Verdict]]) -> DataNight:
    settings, day = installation.settings, date.fromisoformat(night)
    ledgers = {file.stem: json.loads(file.read_text()) for file in (installation.lake.root / "ingests").glob("*.json")}
    seen = _seen_on_other_nights(installation, night)
    fresh = sorted(ledgers.keys() - seen, key=lambda i: (ledgers[i]["received_at"], i))
    streams, idle = {}, []
    for table in TABLES:
        tonight = {i: verdict for i, verdict in verdicts[table].items() if i not in seen}
        found = _standing(installation, table, verdicts[table], tonight, day)
        counts = {kind: sum(ledgers[i]["counts"].get(table, {}).get(kind, 0) for i in fresh) for kind in KINDS}
        idle += idle_waivers(settings, table, found, day)
        streams[table] = StreamNight(counts, sum(v.rows for v in tonight.values()), [_broken(f) for f in found])
    return DataNight(
        night, [_delivery(i, ledgers[i]) for i in fresh], streams, quarantine.by_rule(installation.lake, fresh), idle
    )


def _standing(
    installation: Installation, table: str, verdicts: dict[str, Verdict], tonight: dict[str, Verdict], night: date
) -> list[Finding]:
    """What does not hold: anything in the night's deliveries; in older ones what is binding, for it still stands."""
    broken: dict[str, int] = {}
    for ingest_id, verdict in verdicts.items():
        for found in findings(installation.settings, table, verdict.broken, night):
            if found.truth.is_binding or ingest_id in tonight:
                broken[found.truth.name] = broken.get(found.truth.name, 0) + found.rows
    return findings(installation.settings, table, broken, night)


def _broken(found: Finding) -> Broken:
    because, until = (found.waiver.reason, found.waiver.until.isoformat()) if found.waiver else ("", "")
    return Broken(found.truth.name, found.truth.words, found.rows, found.stops_the_night, because, until)


def _delivery(ingest_id: str, ledger: dict[str, Any]) -> dict[str, Any]:
    named = {"ingest_id": ingest_id, "received_at": ledger["received_at"], "format": ledger.get("format", "")}
    return named | {kind: sum(counts.get(kind, 0) for counts in ledger["counts"].values()) for kind in KINDS}


def _seen_on_other_nights(installation: Installation, night: str) -> set[str]:
    others = (_read(file) for file in _folder(installation).glob("*.json") if file.stem != night)
    return {delivery["ingest_id"] for other in others for delivery in other.deliveries}


def _folder(installation: Installation) -> Path:
    return installation.settings.state_folder / "data_nights"


def _read(file: Path) -> DataNight:
    content = json.loads(file.read_text())
    streams = {
        table: StreamNight(**{**stream, "broken": [Broken(**broken) for broken in stream["broken"]]})
        for table, stream in content["streams"].items()
    }
    # Earlier code knew fewer streams: nothing came in of the others.
    nothing = {table: StreamNight(dict.fromkeys(KINDS, 0), 0) for table in TABLES if table not in streams}
    return DataNight(**{**content, "streams": {**streams, **nothing}})
