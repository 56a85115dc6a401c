"""How fast a Fitbit export is read: `make bench`. The goal is 20 MB/s of JSON on two cores."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from pipelines.sources.fitbit import read

NIGHT = datetime(2026, 6, 1, 23, 0)


def entries(pattern: str, seconds: int, count: int) -> str:
    """A pretty-printed list as the vendor writes it."""
    times = (NIGHT + timedelta(seconds=seconds * at) for at in range(count))
    return "[" + ",".join(pattern % (f"{time:%m/%d/%y %H:%M:%S}", at % 90) for at, time in enumerate(times)) + "]"


def beats() -> dict[str, str]:
    """Heart rate of about four weeks, a sample every 5 seconds."""
    pattern = '{\n  "dateTime" : "%s",\n  "value" : {\n    "bpm" : 6%d,\n    "confidence" : 2\n  }\n}'
    return {"heart_rate.json": entries(pattern, 5, 500_000)}


def steps() -> dict[str, str]:
    """Steps of about a year."""
    return {"steps.json": entries('{\n  "dateTime" : "%s",\n  "value" : "%d"\n}', 60, 500_000)}


def nights() -> dict[str, str]:
    """Eight hundred nights with their levels."""
    levels = {
        "summary": {level: {"count": 5, "minutes": 100, "thirtyDayAvgMinutes": 90} for level in ("deep", "light", "rem", "wake")},
        "data": [{"dateTime": "2026-06-01T23:00:00.000", "level": "light", "seconds": 300}] * 90,
        "shortData": [{"dateTime": "2026-06-01T23:00:00.000", "level": "wake", "seconds": 30}] * 30,
    }  # fmt: skip
    logs = [{"logId": 31_000_000_000 + at, "dateOfSleep": f"{start + timedelta(hours=8):%Y-%m-%d}",
             "startTime": f"{start:%Y-%m-%dT%H:%M:%S.000}", "endTime": f"{start + timedelta(hours=8):%Y-%m-%dT%H:%M:%S.000}",
             "duration": 28_800_000, "minutesAsleep": 420, "minutesAwake": 60, "mainSleep": True, "levels": levels}
            for at in range(800) for start in [NIGHT + timedelta(days=at)]]  # fmt: skip
    return {"sleep.json": json.dumps(logs, indent=2)}


@pytest.mark.benchmark(group="Fitbit export, MB/s in extra_info")
@pytest.mark.parametrize("made", [beats, steps, nights], ids=lambda made: made.__name__)
def test_export(benchmark, made, tmp_path: Path):
    """From the files to canonical rows, each kind by itself."""
    for name, content in made().items():
        (tmp_path / name).write_text(content)
    megabytes = sum(file.stat().st_size for file in tmp_path.iterdir()) / 1e6
    benchmark.pedantic(lambda: list(read(tmp_path, "Europe/Berlin", False)), rounds=3)
    benchmark.extra_info["megabytes_per_s"] = round(megabytes / benchmark.stats.stats.min, 1)
    assert benchmark.extra_info["megabytes_per_s"] >= 20
