"""How fast minutes become the day panel, with and without corrections: `make bench`; minutes/s are in `extra_info`."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from features.days import build_days
from tests.bench.day_panel_by_pandas import day_panel
from tests.bench.memory import forget_peak, peak_gb

# DuckDB 2.0 calls what pandas 3.1 deprecates; its warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]

SUBJECTS, DAYS = 64, 160
BUCKETS = 4
ZONE = "Europe/Berlin"
ZONES = pd.Series(ZONE, index=[f"p{number:03}" for number in range(SUBJECTS)])
# Each day synced the next morning; every hundredth subject-day corrected as a whole three days later.
MINUTES = f"""
    SELECT format('p{{:03d}}', subject) AS subject_id, moment AS minute_at, subject % {BUCKETS} AS bucket,
           CASE WHEN hash(moment, subject) % 4 = 0 THEN hash(subject, moment) % 120 ELSE 0 END::INTEGER AS steps,
           (60 + hash(moment, subject, 1) % 30)::INTEGER AS heart_rate,
           CASE WHEN hash(moment, subject, 2) % 5 = 0 THEN 20 + hash(moment, 3) % 60 END::INTEGER AS hrv_rmssd, TRUE AS worn,
           60::INTEGER AS utc_offset_min, 'band' AS source, 'd' || subject AS device_id, 'Band 5' AS device_model,
           '1' AS algorithm_version, date_trunc('day', moment + INTERVAL 1 HOUR) + INTERVAL 33 HOUR AS received_at,
           0::INTEGER AS version, FALSE AS is_deleted, 'one' AS ingest_id
    FROM range({SUBJECTS}) s(subject),
         generate_series(TIMESTAMPTZ '2026-01-01', TIMESTAMPTZ '2026-01-01' + INTERVAL {DAYS * 1440 - 1} MINUTE,
                         INTERVAL 1 MINUTE) t(moment)"""
CORRECTED = """
    SELECT * REPLACE (heart_rate + 1 AS heart_rate, received_at + INTERVAL 3 DAY AS received_at, 1::INTEGER AS version)
    FROM minutes WHERE hash(subject_id, date_trunc('day', minute_at + INTERVAL 1 HOUR)) % 100 = 0"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """14.7 million minutes in files by bucket, as the lake holds them, and 1 % of them corrected."""
    folder = tmp_path_factory.mktemp("minutes")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET memory_limit = '2GB'")
        for bucket in range(BUCKETS):
            of_bucket = f"subject % {BUCKETS} = {bucket}"
            connection.execute(f"CREATE OR REPLACE TEMP TABLE minutes AS {MINUTES} WHERE {of_bucket} ORDER BY ALL")
            for name, rows in (("all", "FROM minutes"), ("again", CORRECTED)):
                connection.execute(
                    f"COPY ({rows}) TO '{folder}/{name}-{bucket}.parquet' (COMPRESSION zstd, ROW_GROUP_SIZE 500_000)"
                )
    return folder


def panels(folder: Path, names: tuple[str, ...]) -> Iterator[pd.DataFrame]:
    """The day panel bucket by bucket."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'; SET preserve_insertion_order = false; SET memory_limit = '1GB'")
        for bucket in range(BUCKETS):
            rows = connection.read_parquet([f"{folder}/{name}-{bucket}.parquet" for name in names])
            yield build_days(connection, {"wearable": rows}, ZONES).panel


def noted(benchmark, minutes: int) -> None:
    """Speed and memory."""
    benchmark.extra_info["million_minutes_per_s"] = round(minutes / benchmark.stats.stats.min / 1e6, 1)
    benchmark.extra_info["peak_gb"] = peak_gb()


@pytest.mark.parametrize("names", [("all",), ("all", "again")], ids=["as first told", "1 % corrected"])
@pytest.mark.benchmark(group="day panel, every daily measure")
def test_minutes_into_the_day_panel(benchmark, folder, names):
    """Every version of every subject-day; the goal is 10 million minutes a second on two idle cores."""
    forget_peak()
    days = benchmark.pedantic(lambda: sum(len(panel) for panel in panels(folder, names)), rounds=3, warmup_rounds=1)
    assert days >= SUBJECTS * DAYS
    noted(benchmark, SUBJECTS * DAYS * 1440)


@pytest.mark.benchmark(group="day panel, every daily measure")
def test_the_same_by_pandas(benchmark, folder):
    """The peer, for a quarter of the minutes: the same panel, made by groupby."""
    forget_peak()
    made = benchmark.pedantic(day_panel, (folder / "all-0.parquet", ZONE), rounds=3, warmup_rounds=1)
    noted(benchmark, SUBJECTS * DAYS * 1440 // BUCKETS)
    ours = next(panels(folder, ("all",)))
    pd.testing.assert_frame_equal(made[ours.columns], ours, check_dtype=False)
