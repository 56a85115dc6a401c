"""Exports of Fitbit as their owners get them, made up entry by entry in the vendor's layout."""

import json
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from pipelines.errors import Refused
from pipelines.sources.batch import Batch
from pipelines.sources.fitbit import Enrolment, read

ROOT = "Takeout/Fitbit/Global Export Data"
BERLIN = "Europe/Berlin"
Content = list | dict | str | bytes
# Of values and dates that stand in the files below: no message may tell them.
SENTINELS = ("61.25", "417", "2031", "Zebra", "quagga@example.org", "23:17", "777123")


def entry(moment: str, value: object) -> dict[str, object]:
    return {"dateTime": moment, "value": value}


def beat(moment: str, bpm: object, confidence: object = 2) -> dict[str, object]:
    return entry(moment, {"bpm": bpm, "confidence": confidence})


def log(number: object, start: str, end: str, minutes: float, **more: object) -> dict[str, object]:
    """A sleep log of the export; `more` adds keys, or replaces some."""
    return {"logId": number, "dateOfSleep": end[:10], "startTime": f"{start}:00.000", "endTime": f"{end}:00.000",
            "duration": int(minutes * 60_000), "minutesToFallAsleep": 0, "minutesAsleep": int(minutes - 40),
            "minutesAwake": 40, "efficiency": 93, "type": "stages", "mainSleep": True, **more}  # fmt: skip


def summary(**minutes: float) -> dict[str, object]:
    return {"summary": {level: {"count": 1, "minutes": told} for level, told in minutes.items()}}


def encoded(content: Content) -> bytes:
    """As the vendor writes it: pretty-printed, with a space on either side of a colon."""
    if isinstance(content, bytes):
        return content
    text = content if isinstance(content, str) else json.dumps(content, indent=2, separators=(",", " : "))
    return text.encode()


def write(folder: Path, files: Mapping[str, Content], root: str = ROOT) -> Path:
    """Files below the folder that an export has them in."""
    for name, content in files.items():
        (folder / root / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / root / name).write_bytes(encoded(content))
    return folder


def zipped(path: Path, files: Mapping[str, Content], root: str = f"{ROOT}/") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{root}{name}", encoded(content))
    return path


def zipped_link(path: Path, name: str, target: str) -> Path:
    link = zipfile.ZipInfo(name)
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(link, target)
    return path


def batches(
    path: Path, zone: str = BERLIN, is_receipt_told: bool = True, enrolled: Mapping[str, list[Enrolment]] | None = None
) -> list[Batch]:
    return list(read(path, zone, is_receipt_told, enrolled or {}))


def rows(path: Path, table: str, zone: str = BERLIN, **options: object) -> pd.DataFrame:
    """Sound rows of one table."""
    parts = [sound(batch) for batch in batches(path, zone, **options) if batch.table == table]  # type: ignore[arg-type]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def sound(batch: Batch) -> pd.DataFrame:
    frame = batch.frame.to_pandas() if isinstance(batch.frame, pa.Table) else batch.frame
    return frame if batch.broken is None else frame[[rule is None for rule in batch.broken.to_pylist()]]


def quarantined(path: Path) -> list[tuple[str, int, str]]:
    """File, number and rule of each entry that a rule keeps out."""
    return [(batch.file, int(number), rule) for batch in batches(path) if batch.broken is not None
            for number, rule in zip(batch.lines, batch.broken.to_pylist(), strict=True) if rule]  # fmt: skip


def refusal(path: Path, zone: str = BERLIN) -> str:
    """The message with which an export is refused; it must be one paragraph and tell nothing that is in the files."""
    with pytest.raises(Refused) as caught:
        batches(path, zone)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", "!"))
    assert not [word for word in SENTINELS if word in message], message
    return message
