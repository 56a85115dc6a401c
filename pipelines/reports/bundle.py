"""The bundle of an audit: a folder of CSV tables, one tidy JSON and what is not in them, whole or not there at all.

`stage` writes it under a hidden name and forces it to disk, `place` puts it where readers look. Same content, same bytes.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from models.fairness import disclosure
from models.fairness.showing import RELEASABLE, Shown
from pipelines import durable
from pipelines.delivery import csv

UNFINISHED, FORMER = ".unfinished-", ".former-"
SUPPRESSED = "suppressed"
# What every CSV of figures says first: of which scores they are.
LEADING = ("dataset", "outcome", "task", "horizon_days", "split", "model")
NOTHING_IS_CLAIMED = (
    "No claim is made against what somebody knows from elsewhere, and none of differential privacy: whoever knows a subject well "
    "may still learn something."
)


def write_bundle(folder: Path, shown: Shown, page: str | None = None) -> Path:
    """Write the bundle as `internal/` or `releasable/` below a folder, in place of one that is there; its folder.

    A release goes through `pipelines.release.releases.release`, which puts it on record first.

    Args:
        page: the report as one HTML page, if there is one.
    """
    place(stage(folder, shown, page), folder / shown.name)
    return folder / shown.name


def stage(folder: Path, shown: Shown, page: str | None = None) -> Path:
    """Write the bundle under its unfinished name, over what a killed command left there; its files are on disk.

    An error leaves nothing of it.
    """
    unfinished = staged_at(folder, shown.name)
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        for name, content in _files(shown, page):
            durable.write(unfinished / name, [content])
        durable.sync_folder(unfinished)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return unfinished


def staged_at(folder: Path, name: str) -> Path:
    """Where a bundle is written before it is put in place."""
    return folder / f"{UNFINISHED}{name}"


def place(staged: Path, bundle: Path) -> None:
    """Put a staged bundle where readers look, in place of the one that is there."""
    former = bundle.with_name(f"{FORMER}{bundle.name}")
    shutil.rmtree(former, ignore_errors=True)
    if bundle.exists():
        bundle.rename(former)
    staged.rename(bundle)
    durable.sync_folder(bundle.parent)
    shutil.rmtree(former, ignore_errors=True)


def digest(bundle: Path) -> str:
    """The sha256 of a bundle's files and their names."""
    told = hashlib.sha256()
    for path in sorted(bundle.iterdir()):
        told.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return told.hexdigest()


def _files(shown: Shown, page: str | None) -> Iterator[tuple[str, bytes]]:
    yield "README.txt", _readme(shown, page is not None).encode()
    for name, table in shown.tables.items():
        # So that tables of several audits can stand below each other.
        told = {column: shown.about[column] for column in LEADING}
        yield f"{name}.csv", _csv(table.assign(**told)[[*LEADING, *table.columns]])
    yield f"{SUPPRESSED}.csv", _csv(shown.suppressed)
    yield "audit.json", _json(shown)
    if page is not None:
        yield "report.html", page.encode()


def _csv(table: pd.DataFrame) -> bytes:
    """The table as it is shown; text that a spreadsheet would run as a formula is disarmed."""
    disarmed = {
        name: csv.disarmed(_as_text(column)).to_pylist()
        for name, column in table.items()
        if not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column))
    }
    return table.assign(**disarmed).to_csv(index=False, lineterminator="\n").encode()


def _as_text(column: pd.Series) -> pa.ChunkedArray:
    # An empty column may come without a chunk, and from chunks alone Arrow would tell the type.
    return pa.chunked_array([pa.array(column.map(str, na_action="ignore"), pa.string())], pa.string())


def _json(shown: Shown) -> bytes:
    """Everything that the CSV files hold, with what it is about and by which rules it is shown."""
    tidy = {
        "bundle": shown.name,
        "about": {name: _plain(value) for name, value in shown.about.items()},
        "rules": _rules() if shown.name == RELEASABLE else {"smallest_subjects": disclosure.SMALLEST_SUBJECTS},
        "tables": {name: _records(table) for name, table in shown.tables.items()},
        SUPPRESSED: _records(shown.suppressed),
    }
    return (json.dumps(tidy, indent=1, allow_nan=False) + "\n").encode()


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): _plain(value) for name, value in row.items()} for row in table.astype(object).to_dict("records")
    ]


def _plain(value: Any) -> Any:
    """A value as JSON has it; what is missing is null, also where a number is not finite."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if value is None or value is pd.NA or (isinstance(value, float) and not np.isfinite(value)):
        return None
    return value if isinstance(value, bool | int | float | str) else str(value)


def _rules() -> dict[str, float]:
    return {
        "smallest_subjects": disclosure.SMALLEST_SUBJECTS,
        "smallest_event_subjects": disclosure.SMALLEST_EVENT_SUBJECTS,
        "largest_event_share": disclosure.LARGEST_EVENT_SHARE,
        "smallest_for_a_curve": disclosure.SMALLEST_FOR_A_CURVE,
        "least_difference": disclosure.LEAST_DIFFERENCE,
        "counts_rounded_to": disclosure.COUNTS_ROUNDED_TO,
        "decimals": disclosure.DECIMALS,
    }


def _readme(shown: Shown, has_page: bool) -> str:
    about = [f"  {name}: {value}" for name, value in shown.about.items()]
    files = [f"  {name}.csv" for name in (*shown.tables, SUPPRESSED)]
    also = ["  audit.json: the same in one file", *(["  report.html: the same to read"] if has_page else [])]
    lines = [
        f"Fairness audit, {shown.name} bundle", "", *about, "", "Files", *files, *also, "",
        "cells.csv says of whom the figures are. A row of another table is of its `cell`; where it compares two, the",
        "other is `reference_cell`. What is missing in a row is not defined, or may not be shown. suppressed.csv says",
        "what is left out and why; cells whose names would tell are counted there, not named.", "",
        *(_released() if shown.name == RELEASABLE else _not_released()), "",
    ]  # fmt: skip
    return "\n".join(lines)


def _released() -> list[str]:
    rules = _rules()
    text = """By which rules
  A cell is shown with at least {smallest_subjects} subjects, at least {smallest_event_subjects} of them with an event,
  none of whom has more than {largest_event_share:.0%} of its events; a curve with at least {smallest_for_a_curve} subjects.
  Any two cells shown, here and in earlier releases of the same ledger, have the same subjects or differ by at least
  {least_difference}, and the same subjects with an event or differ by at least {least_difference} of those. No count of a
  cell that is too small follows by adding and subtracting the counts that are shown.
  Figures have {decimals} decimals, those per 1,000 are rounded to tens, counts to {counts_rounded_to}.
"""
    return [*text.format(**rules).splitlines(), "", NOTHING_IS_CLAIMED]


def _not_released() -> list[str]:
    return [
        "Not for release: counts are exact. It is for those who may see the cohort's data.",
        f"Cells with fewer than {disclosure.SMALLEST_SUBJECTS} subjects are named and have no figures.",
    ]
