"""How long a night takes for 100,000 subjects, as `foretide score` runs it: `make bench`; seconds by step in `extra_info`.

The goals, on two idle cores, asserted of 100,000 subjects: from 144 million new minutes in Parquet to a verified delivery in
all file formats and PostgreSQL in 5 minutes and 8 GB, prediction at 200,000 rows/s, FHIR at 5,000 resources/s, and a night with
nothing new in 15 s. Of a step both seconds by the clock and of the processor are told. `BENCH_SUBJECTS=5000` for a first try,
`BENCH_DAYS=90` for a longer history.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import pandas as pd
import psycopg
import pytest

from models import risk
from pipelines.delivery import fhir, manifest, parquet
from pipelines.delivery.publish import current
from pipelines.delivery.verify import verify
from pipelines.installation import Installation
from tests.bench.many_subjects import (
    MINUTES,
    NIGHT,
    NIGHT_AFTER,
    NIGHT_BEFORE,
    ROOT,
    declare,
    learn,
    make_champion,
    make_home,
    take_in,
    write_minutes,
)  # fmt: skip
from tests.bench.memory import forget_peak, peak_gb
from tests.pipelines.postgres_server import Server

SUBJECTS, DAYS = (int(os.environ.get(*of)) for of in (("BENCH_SUBJECTS", "100000"), ("BENCH_DAYS", "60")))
LEARNERS = 3000
# With other numbers of subjects figures are told, and held to nothing.
IS_OF_THE_GOALS = SUBJECTS == 100_000
GROUP = f"a night of {SUBJECTS:,} subjects with {DAYS} days of history"
# Of means over features that nobody has: they are left out.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@dataclass(frozen=True)
class Made:
    """A home and what is champion in it."""

    installation: Installation
    model: risk.HazardModel
    dsn: str

    def night(self, night: str, *sources: str) -> dict[str, float]:
        """Score a night in a process of its own; what it told."""
        home = declare(self.installation.settings.home, *sources, dsn=self.dsn).settings.home
        command = [sys.executable, "-m", "tests.bench.timed_night", night]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        told = json.loads(done.stdout.strip().splitlines()[-1])
        assert told.pop("code") == 0, done.stdout[-2000:]
        return told

    @property
    def delivered(self) -> Path:
        """The folder of the night's delivery."""
        found = current(self.installation.settings.deliveries_folder, pd.Timestamp(NIGHT))
        assert found is not None
        return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A real PostgreSQL with the settings it comes with."""
    made = Server(waits_for_the_disk=True).start()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Made:
    """Everybody's past is in the lake, the night before is scored, and the last day's minutes lie where they are fetched."""
    folder = tmp_path_factory.mktemp("night")
    model = learn(folder / "few", LEARNERS, DAYS)
    installation = make_home(folder / "home", SUBJECTS, DAYS)
    for name in ("people", "past"):
        take_in(installation, name)
    make_champion(installation, model, folder / "model")
    made = Made(installation, model, server.database("scores"))
    made.night(NIGHT_BEFORE, "people", "past")
    write_minutes(folder / "home" / "minutes", SUBJECTS)
    return made


@pytest.mark.benchmark(group=GROUP)
def test_a_night_with_a_days_minutes(benchmark, made):
    """From minutes in Parquet to a verified delivery as Parquet, CSV and FHIR, and in PostgreSQL."""
    told = benchmark.pedantic(made.night, (NIGHT, "people", "past", "minutes"), rounds=1)
    benchmark.extra_info |= {"minutes": SUBJECTS * MINUTES, **told}
    assert verify(made.delivered).is_whole
    with psycopg.connect(made.dsn) as connection:
        (loaded,) = connection.execute(
            "SELECT count(*) FROM foretide.latest_scores WHERE as_of_date = %s", [NIGHT]
        ).fetchone()
    assert loaded == manifest.read(made.delivered)["rows"]
    assert not IS_OF_THE_GOALS or benchmark.stats["max"] <= 300
    assert not IS_OF_THE_GOALS or told["peak_gb"] <= 8


@pytest.mark.benchmark(group=GROUP)
def test_the_same_night_with_nothing_new(benchmark, made):
    """After `test_a_night_with_a_days_minutes`: nothing came in since, and the same delivery is found."""
    benchmark.extra_info |= benchmark.pedantic(made.night, (NIGHT, "people", "past", "minutes"), rounds=1)
    assert not IS_OF_THE_GOALS or benchmark.stats["max"] <= 15


@pytest.mark.benchmark(group="a part of the night, alone")
def test_prediction(benchmark, made):
    """Risks within three horizons by the champion's trees; rows of the matrix per second."""
    matrix = made.installation.lake.load("night_matrix_crisis")
    forget_peak()
    benchmark.pedantic(risk.predict, (made.model, matrix), rounds=5, warmup_rounds=1)
    rows_per_s = round(len(matrix) / benchmark.stats["min"])
    benchmark.extra_info |= {"rows_per_s": rows_per_s, "peak_gb": peak_gb()}
    assert not IS_OF_THE_GOALS or rows_per_s >= 200_000


@pytest.mark.benchmark(group="a part of the night, alone")
def test_prediction_with_intervals(benchmark, made):
    """The same by twenty refits beside it."""
    matrix = made.installation.lake.load("night_matrix_crisis")
    benchmark.pedantic(risk.predict_interval, (made.model, matrix), rounds=1, warmup_rounds=1)
    benchmark.extra_info["rows_per_s"] = round(len(matrix) / benchmark.stats.stats.min)


@pytest.mark.benchmark(group="a part of the night, alone")
def test_fhir(benchmark, made):
    """RiskAssessments of the night as NDJSON; resources per second."""
    rows, context = parquet.read(made.delivered / parquet.NAME), manifest.context_of(manifest.read(made.delivered))

    def lines() -> int:
        return sum(chunk.count(b"\n") for chunk in fhir.assessment_chunks(rows, context))

    start = perf_counter()
    resources = benchmark.pedantic(lines, rounds=1)
    resources_per_s = round(resources / (perf_counter() - start))
    benchmark.extra_info["resources_per_s"] = resources_per_s
    assert not IS_OF_THE_GOALS or resources_per_s >= 5_000


@pytest.mark.benchmark(group=GROUP)
def test_the_next_night_with_nothing_new(benchmark, made):
    """Nothing came in for a whole day: every window has moved on by a day, and everybody is scored anew."""
    benchmark.extra_info |= benchmark.pedantic(made.night, (NIGHT_AFTER, "people", "past", "minutes"), rounds=1)
