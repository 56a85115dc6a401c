"""How fast a night of 100,000 subjects and three horizons gets into PostgreSQL, and is written and checked as FHIR."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import psycopg
import pytest

from pipelines.delivery import fhir, fhir_rules, manifest, parquet
from pipelines.delivery.contract import COLUMNS, DeliveryContext
from pipelines.delivery.publish import publish, read_scores
from pipelines.delivery.rows import build
from pipelines.delivery.verify import verify
from pipelines.sink_sections import Postgres
from pipelines.sinks.catching_up import bring_to
from pipelines.sinks.postgres.sink import PostgresSink
from pipelines.sinks.published import stock
from tests.pipelines.postgres_server import Server

SUBJECTS, HORIZONS = 100_000, (7, 14, 28)
ROWS = SUBJECTS * len(HORIZONS)
# The peer is too slow for all of them.
ROWS_OF_PEER = 3_000
DRIVERS = (
    "sleep duration, mean of 7 days: 5.1 h (median that night: 7.2)",
    "steps, mean of 28 days: 2,100 (median that night: 6,400)",
)


def night() -> tuple[DeliveryContext, pd.DataFrame]:
    """Everybody scored, a fifth with drivers."""
    known_at = pd.Timestamp("2026-06-30T01:00:00Z").as_unit("us")
    of = DeliveryContext(
        pd.Timestamp("2026-06-30").as_unit("us"), known_at, {"crisis": "m1"}, "p1", "c", "0.1.0", SUBJECTS
    )
    keys = pd.DataFrame({"subject_id": [f"subject-{n:06}" for n in range(SUBJECTS)], "outcome": "crisis"})
    risk = np.random.default_rng(1).random(SUBJECTS) / 5
    standings = keys.assign(
        status="scored", reason_codes=[()] * SUBJECTS, completeness=0.9, last_observation_at=known_at
    )
    scores = [
        keys.assign(
            horizon_days=h, probability=risk * h / 28, mean_risk_low=risk * h / 56, mean_risk_high=risk * h / 20
        )
        for h in HORIZONS
    ]
    tier = np.where(risk > 0.19, "high", np.where(risk > 0.16, "elevated", "baseline"))
    tiers = keys.assign(tier=tier, rank=range(1, SUBJECTS + 1), alert=None, action=None)
    drivers = keys.assign(drivers=[DRIVERS] * SUBJECTS)
    return of, build(of, {"crisis": HORIZONS}, standings, pd.concat(scores, ignore_index=True), tiers, drivers)


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """The night's folder."""
    of, rows = night()
    return publish(tmp_path_factory.mktemp("deliveries"), rows, of)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A real PostgreSQL with the settings it comes with."""
    made = Server(waits_for_the_disk=True).start()
    yield made
    made.remove()


@pytest.mark.benchmark(group="rows into PostgreSQL")
def test_a_night_into_postgresql(benchmark, published, server):
    """At least 30,000 rows a second: verified, connected, migrated, loaded, in force."""
    dsn = server.database("scores")

    def bring() -> None:
        report = bring_to("postgres", lambda: PostgresSink(Postgres(dsn=dsn)), stock(published.parents[1]))
        assert (report.state, report.rows) == ("up to date", ROWS), report.why

    benchmark.pedantic(bring, rounds=1)
    benchmark.extra_info["rows_per_second"] = round(ROWS / benchmark.stats["mean"])
    assert ROWS / benchmark.stats["mean"] >= 30_000


@pytest.mark.benchmark(group="rows into PostgreSQL")
def test_the_peer_executemany(benchmark, published, server):
    """The peer: psycopg's executemany of an upsert, row by row, of the first 3,000 rows."""
    dsn = server.database("peer")
    settings = Postgres(dsn=dsn)
    PostgresSink(settings).close()
    rows = read_scores(published).head(ROWS_OF_PEER).astype({"rank": "Int32"}).astype(object)
    rows = rows.where(rows.notna(), None).assign(
        drivers=rows["drivers"].map(list), reason_codes=rows["reason_codes"].map(list)
    )
    statement = (
        f"INSERT INTO foretide.scores ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))}) "
        "ON CONFLICT (run_id, subject_id, outcome, horizon_days) DO UPDATE SET probability = excluded.probability"
    )

    def insert() -> None:
        with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.execute("ALTER TABLE foretide.scores DROP CONSTRAINT IF EXISTS scores_run_id_fkey")
            cursor.executemany(statement, list(rows.itertuples(index=False, name=None)))

    benchmark.pedantic(insert, rounds=1)
    benchmark.extra_info["rows_per_second"] = round(ROWS_OF_PEER / benchmark.stats["mean"])


@pytest.mark.benchmark(group="FHIR of 100,000 subjects")
def test_fhir_is_written(benchmark):
    """At least 5,000 resources a second."""
    of, rows = night()
    benchmark.pedantic(lambda: sum(map(len, fhir.assessment_chunks(rows, of))), rounds=2)
    benchmark.extra_info["resources_per_second"] = round(SUBJECTS / benchmark.stats["mean"])
    assert SUBJECTS / benchmark.stats["mean"] >= 5_000


@pytest.mark.benchmark(group="FHIR of 100,000 subjects")
def test_fhir_is_checked_by_our_rules(benchmark, published):
    """A few seconds: every line read again and held against the rows."""
    body, rows = manifest.read(published), parquet.table(published / parquet.NAME)
    found = benchmark.pedantic(lambda: fhir_rules.faults(published, body, rows), rounds=2)
    assert found == []


@pytest.mark.benchmark(group="FHIR of 100,000 subjects")
def test_a_delivery_is_verified(benchmark, published):
    """Hashes of every file, rows, and FHIR rules: what `foretide verify` does."""
    assert benchmark.pedantic(lambda: verify(published), rounds=1).is_whole
