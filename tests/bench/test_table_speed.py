"""How fast minute data come through the `table` reader alone, before the door: `make bench`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.sources.table import read
from pipelines.sources.table.mapping import Mapping, load_mapping

SUBJECTS = 50
ROWS = {"parquet": 10_000_000, "csv": 2_000_000}
COLUMNS = {"subject_id": "id", "minute_at": "at", "steps": "steps", "heart_rate": {"column": "hr", "unit": "bpm"}}


def minutes(rows: int) -> pa.Table:
    """Steps and heart rate of some subjects, minute by minute, one subject after the other."""
    rng = np.random.default_rng(1)
    each = rows // SUBJECTS
    at = np.tile(np.datetime64("2026-01-01", "s") + np.arange(each).astype("timedelta64[m]"), SUBJECTS)
    names = pa.array([f"subject-{n:03}" for n in range(SUBJECTS)])
    return pa.table({
        "id": names.take(pa.array(np.repeat(np.arange(SUBJECTS), each))), "at": pa.array(at),
        "steps": rng.integers(0, 120, rows), "hr": rng.integers(50, 110, rows),
    })  # fmt: skip


def mapped(folder: Path, zone: str) -> Mapping:
    section = {"path": "minutes.*", "table": "wearable", "columns": COLUMNS}
    (folder / "mapping").write_text(yaml.safe_dump({"source": "s", "time_zone": zone, "files": [section]}))
    return load_mapping(folder / "mapping")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folders with the minutes as typed Parquet with instants, and as CSV with wall-clock times."""
    folders: dict[str, Path] = {}

    def folder(kind: str) -> Path:
        if kind not in folders:
            folders[kind] = tmp_path_factory.mktemp(kind)
            rows = minutes(ROWS[kind])
            if kind == "csv":
                pacsv.write_csv(rows, folders[kind] / "minutes.csv")
            else:
                at = rows["at"].cast(pa.timestamp("us", "UTC"))
                pq.write_table(rows.set_column(1, "at", at), folders[kind] / "minutes.parquet")
        return folders[kind]

    return folder


@pytest.mark.parametrize(("kind", "zone"), [("parquet", "UTC"), ("parquet", "Europe/Berlin"), ("csv", "Europe/Berlin")])
def test_minutes_through_the_reader(benchmark, written, kind, zone):
    """Canonical rows with their offsets from UTC, every column seen by the gate; at least 8 and 0.7 million a second."""
    folder = written(kind)

    def rows() -> int:
        return sum(len(batch.frame) for batch in read(folder, mapped(folder, zone)))

    assert benchmark.pedantic(rows, rounds=2, warmup_rounds=1) == ROWS[kind]
    benchmark.extra_info["million_rows_per_second"] = round(ROWS[kind] / benchmark.stats["min"] / 1e6, 2)


def test_minutes_of_csv_by_pandas(benchmark, written):
    """The peer: pandas reads the same CSV and converts its times, without lines, gate or any check."""
    file = written("csv") / "minutes.csv"

    def rows() -> int:
        frame = pd.read_csv(file, parse_dates=["at"], dtype={"id": str})
        frame["at"] = frame["at"].dt.tz_localize(
            "Europe/Berlin", ambiguous=[True] * len(frame), nonexistent="shift_forward"
        )
        return len(frame)

    assert benchmark.pedantic(rows, rounds=2) == ROWS["csv"]
    benchmark.extra_info["million_rows_per_second"] = round(ROWS["csv"] / benchmark.stats["min"] / 1e6, 2)
