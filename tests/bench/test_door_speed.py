"""How fast minutes come through the door and are read again: `make bench`. Rates stand in `extra_info`.

Each ingest goes the whole way: reader, gate, rules, quarantine, comparison, lake, ledger, audit log.
"""

import multiprocessing
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from features.calendar import local_day_sql
from pipelines.ingestion import ingest_source
from pipelines.installation import Installation
from pipelines.sections import FileSource
from pipelines.settings import settings_from

SUBJECTS, DAYS, MINUTES = 200, 30, 1440
ROWS = SUBJECTS * DAYS * MINUTES
SUBJECTS_IN_CSV = 30
FIRST = np.datetime64("2026-05-01", "m")
RECEIVED = datetime(2026, 6, 10, tzinfo=UTC)
CORRECTED = datetime(2026, 6, 12, tzinfo=UTC)
LATER = pd.Timestamp("2026-07-01", tz="UTC")
PEOPLE = """
  - path: people.csv
    table: subjects
    columns: {subject_id: id, enrolled_on: since}
"""
MINUTES_OF = """
  - path: minutes.*
    table: wearable
    columns: {subject_id: id, minute_at: time, steps: steps, heart_rate: {column: bpm, unit: bpm}, device_id: device}
"""


def minutes(subjects: range, heart_rate_more: int = 0, days: np.ndarray | None = None) -> pa.Table:
    """Every minute of some subjects, or those of some of their days, as a vendor would send them."""
    rng = np.random.default_rng(subjects.start)
    count = len(subjects) * DAYS * MINUTES
    subject = np.repeat(np.arange(len(subjects)), DAYS * MINUTES)
    minute = np.tile(np.arange(DAYS * MINUTES), len(subjects))
    steps = rng.poisson(8, count) * (rng.random(count) < 0.3)
    rows = pa.table(
        {
            "id": pa.array([f"p-{n:04}" for n in subjects]).take(pa.array(subject)),
            "time": pa.array((FIRST + minute).astype("datetime64[us]"), pa.timestamp("us", tz="UTC")),
            "steps": pa.array(steps.astype(np.int32)),
            "bpm": pa.array((rng.normal(70, 8, count) + heart_rate_more).astype(np.int32)),
            "device": pa.array([f"band-{n:04}" for n in subjects]).take(pa.array(subject)),
        }
    )
    return rows if days is None else rows.filter(pa.array(np.isin(subject * DAYS + minute // MINUTES, days)))


def make_home(folder: Path) -> Path:
    """A home with the mappings and everybody's enrolment."""
    (folder / "people").mkdir(parents=True)
    people = "".join(f"p-{n:04},2026-05-01\n" for n in range(SUBJECTS))
    (folder / "people" / "people.csv").write_text("id,since\n" + people)
    for name, files in (("people", PEOPLE), ("minutes", MINUTES_OF)):
        (folder / f"{name}.yaml").write_text(f"source: band\ntime_zone: UTC\nfiles:{files}")
    return folder


def installation_in(home: Path) -> Installation:
    return Installation(settings_from({"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}}}, home))


def take_in(home: Path, folder: str, mapping: str = "minutes", received: datetime = RECEIVED) -> int:
    """Ingest a folder of the home; how many rows were added to `wearable`."""
    source = FileSource(format="table", path=home / folder, mapping=home / f"{mapping}.yaml")
    return ingest_source(installation_in(home), source, received).count("wearable", "appended")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Minutes as one Parquet file, some of them as CSV, and corrections of 1 % of the subject-days."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("parquet", "csv", "corrections"):
        (folder / name).mkdir()
    portions = [range(start, start + 20) for start in range(0, SUBJECTS, 20)]
    with pq.ParquetWriter(folder / "parquet" / "minutes.parquet", minutes(range(1)).schema) as writer:
        for portion in portions:
            writer.write_table(minutes(portion))
    pyarrow.csv.write_csv(minutes(range(SUBJECTS_IN_CSV)), folder / "csv" / "minutes.csv")
    days = np.random.default_rng(1).choice(20 * DAYS, 20 * DAYS // 100, replace=False)
    corrected = pa.concat_tables([minutes(portion, 1, days) for portion in portions])
    pq.write_table(corrected, folder / "corrections" / "minutes.parquet")
    return folder


@pytest.fixture
def home(files, tmp_path) -> Path:
    """A home that knows the subjects and has the files beside it."""
    made = make_home(tmp_path / "home")
    take_in(made, "people", "people")
    for name in ("parquet", "csv", "corrections"):
        (made / name).symlink_to(files / name)
    return made


@pytest.fixture(scope="module")
def filled(files, tmp_path_factory) -> Path:
    """A home whose lake holds every minute."""
    made = make_home(tmp_path_factory.mktemp("filled") / "home")
    take_in(made, "people", "people")
    for name in ("parquet", "corrections"):
        (made / name).symlink_to(files / name)
    assert take_in(made, "parquet") == ROWS
    return made


def note(benchmark, rows: int, what: str = "rows_per_s") -> None:
    """Write the rate beside the times."""
    if benchmark.stats is not None:
        benchmark.extra_info[what] = round(rows / benchmark.stats.stats.min)


@pytest.mark.benchmark(group="through the door")
def test_minutes_from_parquet(benchmark, home):
    """8.6 million minutes of 200 subjects from one Parquet file into the lake."""
    assert benchmark.pedantic(take_in, (home, "parquet"), rounds=1) == ROWS
    note(benchmark, ROWS)


@pytest.mark.benchmark(group="through the door")
def test_minutes_from_csv(benchmark, home):
    """1.3 million minutes of 30 subjects from one CSV file into the lake."""
    rows = SUBJECTS_IN_CSV * DAYS * MINUTES
    assert benchmark.pedantic(take_in, (home, "csv"), rounds=1) == rows
    note(benchmark, rows)


@pytest.mark.benchmark(group="through the door")
def test_the_same_minutes_through_pandas(benchmark, files, tmp_path):
    """The peer: the same CSV read, typed and written as Parquet by pandas, with no check at all."""

    def by_pandas() -> None:
        frame = pd.read_csv(files / "csv" / "minutes.csv", parse_dates=["time"])
        frame.to_parquet(tmp_path / "minutes.parquet")

    benchmark.pedantic(by_pandas, rounds=1)
    note(benchmark, SUBJECTS_IN_CSV * DAYS * MINUTES)


@pytest.mark.benchmark(group="a night with nothing new")
def test_a_night_with_no_new_rows(benchmark, filled):
    """Ingestion of sources that hold what they held yesterday."""
    assert benchmark.pedantic(take_in, (filled, "parquet"), rounds=3) == 0


def _peak_mb(
    work: Callable[..., object], arguments: tuple[object, ...], answer: "multiprocessing.Queue[float]"
) -> None:
    work(*arguments)
    # Not getrusage: it also counts the memory of the process that started this one.
    (peak,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    answer.put(int(peak.split()[1]) / 1024)


def peak_mb(work: Callable[..., object], *arguments: object) -> float:
    """Peak resident memory of a process of its own that does the work, imports included."""
    spawn = multiprocessing.get_context("spawn")
    answer = spawn.Queue()
    process = spawn.Process(target=_peak_mb, args=(work, arguments, answer))
    process.start()
    peak = answer.get()
    process.join()
    return peak


@pytest.mark.benchmark(group="memory")
@pytest.mark.parametrize("folder", ["parquet", "csv"])
def test_memory_of_an_ingest(benchmark, home, folder):
    """Of a process that takes the file in."""
    benchmark.extra_info["peak_mb"] = round(benchmark.pedantic(peak_mb, (take_in, home, folder), rounds=1))


@pytest.mark.benchmark(group="memory")
def test_memory_of_a_read(benchmark, filled):
    """Of a process that reads every minute into subject-days."""
    benchmark.extra_info["peak_mb"] = round(benchmark.pedantic(peak_mb, (days_known, filled), rounds=1))


def days_known(home: Path) -> None:
    """The known-at read, summed by subject-day."""
    with installation_in(home).lake.connection() as connection:
        rows = installation_in(home).lake.read("wearable", LATER, connection)
        sums = "count(*), sum(steps), count(heart_rate), sum(heart_rate), count(*) FILTER (worn)"
        day = local_day_sql("minute_at")
        found = rows.aggregate(f"subject_id, {day} AS local_date, {sums}", f"subject_id, {day}").to_arrow_table()
    assert found.num_rows == SUBJECTS * DAYS


@pytest.mark.benchmark(group="known-at read into subject-days")
def test_read_without_corrections(benchmark, filled):
    """Every minute as known at an instant, none of them ever corrected."""
    benchmark.pedantic(days_known, (filled,), rounds=5, warmup_rounds=1)
    note(benchmark, ROWS, "minutes_per_s")


@pytest.mark.benchmark(group="known-at read into subject-days")
def test_read_with_corrections(benchmark, filled):
    """The same with 1 % of the subject-days corrected."""
    take_in(filled, "corrections", received=CORRECTED)
    benchmark.pedantic(days_known, (filled,), rounds=5, warmup_rounds=1)
    note(benchmark, ROWS, "minutes_per_s")
