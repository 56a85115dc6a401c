"""Validates what ingestion put into the lake with Great Expectations, each delivery once."""

import json
from pathlib import Path

from features.tables import TABLES
from pipelines.expectations import ValidationResult, validate
from pipelines.installation import Installation


def validate_table(installation: Installation, table: str) -> ValidationResult:
    """Validate the rows of every ingest of the table that has not passed before; counts only, no values.

    The cost grows with new rows: an ingest that passed is remembered in the state folder.
    """
    installation.report(f"validating {table}")
    ledger = installation.settings.state_folder / "validated.json"
    passed = _read(ledger)
    rows, failures = 0, []
    for ingest_id in installation.lake.ingest_ids(table):
        if ingest_id in passed.get(table, []):
            continue
        failed_before = len(failures)
        for frame in installation.lake.ingested(table, ingest_id):
            result = validate(TABLES[table], frame)
            rows += result.rows
            failures.extend(result.failures)
        if len(failures) == failed_before:
            passed.setdefault(table, []).append(ingest_id)
    _write(ledger, passed)
    return ValidationResult(success=not failures, rows=rows, failures=tuple(failures))


def _read(ledger: Path) -> dict[str, list[str]]:
    return json.loads(ledger.read_text()) if ledger.exists() else {}


def _write(ledger: Path, passed: dict[str, list[str]]) -> None:
    partial = ledger.with_suffix(".partial")
    partial.write_text(json.dumps(passed, sort_keys=True))
    partial.replace(ledger)
