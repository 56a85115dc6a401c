"""How fast stored minutes are validated: `make bench`. The goal is five million rows a second on two cores."""

import duckdb
import pytest

from features.tables import TABLES
from pipelines.expectations import Verdict, judge

ROWS = 4_000_000


@pytest.fixture(scope="module")
def minutes(tmp_path_factory) -> duckdb.DuckDBPyRelation:
    """Minutes of a thousand subjects as the lake holds them, in Parquet."""
    file = tmp_path_factory.mktemp("minutes") / "minutes.parquet"
    connection = duckdb.connect()
    connection.execute(f"""
        SET TimeZone = 'UTC'; SET memory_limit = '1GB'; SET preserve_insertion_order = false;
        COPY (SELECT 's-' || n // 4000 AS subject_id, TIMESTAMPTZ '2026-01-01 00:00:00+00' + to_minutes(n % 4000) AS minute_at,
                     (hash(n) % 120)::INT AS steps, (50 + hash(n, 1) % 100)::INT AS heart_rate, NULL::INT AS hrv_rmssd,
                     TRUE AS worn, 60 AS utc_offset_min, 'source' AS source, 'd-' || n // 4000 AS device_id,
                     'watch' AS device_model, '1' AS algorithm_version,
                     TIMESTAMPTZ '2026-01-04 00:00:00+00' AS received_at, 0 AS version, FALSE AS is_deleted,
                     repeat('0123456789abcdef', 4) AS ingest_id, (n // 4000 % 16)::INT AS bucket, '2026-01' AS month
              FROM range({ROWS}) numbers(n) ORDER BY bucket, subject_id, minute_at)
        TO '{file}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 500000)""")
    return connection.read_parquet(str(file))


@pytest.mark.benchmark(group="validation, 4,000,000 minutes")
def test_minutes(benchmark, minutes):
    """All expectations of `wearable`, the search for versions stored twice included."""
    verdicts = benchmark.pedantic(judge, (TABLES["wearable"], minutes, {}), rounds=3, warmup_rounds=1)
    assert list(verdicts.values()) == [Verdict(ROWS)]
    benchmark.extra_info["rows_per_s"] = round(ROWS / benchmark.stats.stats.min)
