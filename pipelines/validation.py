"""Validates what ingestion put into the lake, each delivery once, and says what follows on a night."""

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from features.tables import TABLES
from pipelines import contents, memory
from pipelines.expectations import Verdict, judge
from pipelines.installation import Installation
from pipelines.sections import Waiver
from pipelines.settings import Settings
from pipelines.truths import STORED_ONCE, Truth, truths


@dataclass(frozen=True)
class Finding:
    """A truth that some rows of a table do not keep, and the waiver that lets them through on that night, if any."""

    truth: Truth
    rows: int
    waiver: Waiver | None

    @property
    def stops_the_night(self) -> bool:
        """Whether nothing downstream may run."""
        return self.truth.is_binding and self.waiver is None


def held(settings: Settings, table: str) -> dict[str, Truth]:
    """Everything that is to be true of a table's rows, by name."""
    return {truth.name: truth for truth in (*truths(TABLES[table], settings.signals), STORED_ONCE)}


def validate_table(installation: Installation, table: str) -> dict[str, Verdict]:
    """Judge every delivery of the table that has not passed yet; the verdict on each one in the lake, by `ingest_id`.

    The cost grows with new rows: a verdict is remembered in the state folder, until the truths change. A delivery that
    breaks a binding truth, waived or not, is judged again each time, so that its cure is seen.
    """
    installation.report(f"validating {table}")
    settings, lake = installation.settings, installation.lake
    ledger, expected = settings.state_folder / "validated.json", held(settings, table)
    remembered = _remembered(ledger, table, expected.values())
    present = contents.ingest_ids(lake, table)
    verdicts = {ingest_id: remembered[ingest_id] for ingest_id in present if ingest_id in remembered}
    passed = [i for i, verdict in verdicts.items() if not any(expected[name].is_binding for name in verdict.broken)]
    if unknown := sorted(set(present) - set(passed)):
        with lake.connection() as connection:
            those = ", ".join(f"'{ingest_id}'" for ingest_id in unknown)
            rows = lake.rows(table, connection).filter(f"ingest_id IN ({those})")
            verdicts |= judge(TABLES[table], rows, settings.signals)
        _remember(ledger, table, expected.values(), verdicts)
    return verdicts


def findings(settings: Settings, table: str, broken: dict[str, int], night: date) -> list[Finding]:
    """What does not hold and what follows on the night: what stops it first, then what is waived, then the rest."""
    expected = held(settings, table)
    found = [Finding(expected[name], rows, _waiver(settings, table, expected[name], night))
             for name, rows in sorted(broken.items())]  # fmt: skip
    return sorted(found, key=lambda f: (not f.stops_the_night, f.waiver is None))


def _waiver(settings: Settings, table: str, truth: Truth, night: date) -> Waiver | None:
    """The waiver in force on the night that lasts longest."""
    names_it = [w for w in settings.door.waivers if w.table == table and _is_about(w, truth) and night <= w.until]
    return max(names_it, key=lambda w: w.until, default=None)


def _is_about(waiver: Waiver, truth: Truth) -> bool:
    return waiver.expectation == truth.name and waiver.column in ("", truth.column)


def idle_waivers(settings: Settings, table: str, found: Iterable[Finding], night: date) -> list[str]:
    """Waivers of a table that let nothing through on the night, each with what is to be done, in a sentence."""
    used, expected = [finding.waiver for finding in found], held(settings, table).values()
    sentences = []
    for waiver in settings.door.waivers:
        if waiver.table != table or waiver in used:
            continue
        about = f"The waiver of `{waiver.expectation}` on `{table}`"
        if not any(_is_about(waiver, truth) for truth in expected):
            sentences.append(f"{about} names no expectation of that table. Correct or remove it in foretide.yaml.")
        elif waiver.until < night:
            sentences.append(f"{about} ended on {waiver.until}. Cure the source, or renew it with a reason.")
        else:
            sentences.append(f"{about} lets nothing through: every row holds. Remove it from foretide.yaml.")
    return sentences


def _remembered(ledger: Path, table: str, expected: Iterable[Truth]) -> dict[str, Verdict]:
    entry = memory.recall(ledger).get(table, {})
    if entry.get("truths") != _version(expected):
        return {}
    return {ingest_id: Verdict(**verdict) for ingest_id, verdict in entry["verdicts"].items()}


def _remember(ledger: Path, table: str, expected: Iterable[Truth], verdicts: dict[str, Verdict]) -> None:
    entry = {"truths": _version(expected), "verdicts": {i: asdict(verdict) for i, verdict in verdicts.items()}}
    memory.remember(ledger, memory.recall(ledger) | {table: entry})


def _version(expected: Iterable[Truth]) -> str:
    return hashlib.sha256(repr([asdict(truth) for truth in expected]).encode()).hexdigest()[:16]
