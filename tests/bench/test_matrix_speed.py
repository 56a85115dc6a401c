"""How fast the day panel becomes a training matrix, and a night's matrix: `make bench`.

As the pipeline does it: a bucket of subjects is read, its matrix built and written, then the next. Sixteen buckets hold
the numbers of one, under other names, so that cohorts of any size can be measured: `BENCH_SUBJECTS=1000,10000,100000`.
Seconds per size and peak memory are in `extra_info`; the exponent of cost over size is fitted where there are several.
"""

import itertools
import os
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from features.calendar import DEFAULT_CUTOFF
from features.catalog import STANDARD
from features.matrix import build_matrix, needs_of
from pipelines.cohort import Cohort
from pipelines.lake import BUCKETS, Lake, bucket_of
from pipelines.panel import Panel
from pipelines.panel.extent import Extent
from pipelines.panel.store import typed
from pipelines.panel.view import stores
from pipelines.pieces import write_parts
from tests.bench.memory import forget_peak, peak_gb

pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]
SIZES = [int(size) for size in os.environ.get("BENCH_SUBJECTS", "1000,10000").split(",")]
DAYS, THREADS = 365, 2
FIRST = np.datetime64("2026-01-01", "us")
NIGHT = FIRST + np.timedelta64(DAYS, "D")
ON = STANDARD.chosen()
# What a night computes: what is on, and in units what of it compares with the own past.
AT_NIGHT = (*ON, *(STANDARD.in_units[name] for name in ON if name in STANDARD.in_units))
# What is on, and the week's statistics of all measures that have any on: more than 300.
WIDE = tuple(dict.fromkeys([*ON, *(
    f.name for f in STANDARD.features for m in STANDARD.measures
    if m.default and f.name.startswith(f"{m.name}_") and f.window_days == 7
    and re.match(r"(mean|sd|slope|rmssd|last|coverage|z)_[0-9]", f.name.removeprefix(f"{m.name}_")))]))  # fmt: skip
seconds: dict[tuple[str, int], float] = {}


def names_of(size: int) -> list[str]:
    """Subjects of the first bucket."""
    of_bucket = (name for name in (f"p{place:07}" for place in itertools.count()) if bucket_of(name) == 0)
    return list(itertools.islice(of_bucket, -(-size // BUCKETS)))


@pytest.fixture(scope="module", params=SIZES, ids=lambda size: f"{size:,} subjects")
def panel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Panel]:
    """How many subjects there are, and the day panel of one bucket of them: a tenth of the values missing, every twentieth
    day late, every hundredth corrected."""
    size, lake = request.param, Lake(tmp_path_factory.mktemp("lake"))
    names, rng = names_of(size), np.random.default_rng(1)
    times = np.where(rng.random(len(names) * DAYS) < 0.01, 2, 1)
    subject, date = np.repeat(names, DAYS), np.tile(FIRST + np.arange(DAYS).astype("timedelta64[D]"), len(names))
    subject, date, rows = np.repeat(subject, times), np.repeat(date, times), times.sum()
    is_again = np.append(False, (subject[1:] == subject[:-1]) & (date[1:] == date[:-1]))
    delay = np.where(rng.random(rows) < 0.05, rng.integers(2, 6, rows), 1) + np.where(is_again, 7, 0)
    columns = {"subject_id": subject, "local_date": date, "known_on": date + delay.astype("timedelta64[D]")}
    for name in needs_of(WIDE).columns:
        values = rng.gamma(4, 3, rows)
        columns[name] = np.where(rng.random(rows) < 0.1, np.nan, values) if name != "has_data" else np.ones(rows)
        if name.startswith("sleep_state"):
            columns[name] = np.floor(values)
    store = stores(lake)["days"]
    store.commit(store.put(typed(pd.DataFrame(columns)), Extent(frozenset(names)), None))
    told = pd.DataFrame({"subject_id": names, "enrolled_on": FIRST})
    zones = pd.Series("Europe/Berlin", index=names)
    cohort = Cohort(pd.Timestamp(NIGHT), pd.Timestamp(NIGHT, tz="UTC"), told, zones, DEFAULT_CUTOFF, told)
    restarts = happened(names, {"stream": "wearable", "measure": ""}, 10)
    return size, Panel(lake, cohort, "", {}, restarts=restarts)


def happened(names: list[str], columns: dict[str, str], of_every: int) -> pd.DataFrame:
    """Something on one day of every so-manieth subject, known on the next."""
    some = names[::of_every]
    days = FIRST + np.random.default_rng(2).integers(60, DAYS - 30, len(some)).astype("timedelta64[D]")
    on = "event_on" if not columns else "on_date"
    return pd.DataFrame({"subject_id": some, **columns, on: days, "known_on": days + np.timedelta64(1, "D")})


def build(panel: Panel, dates: np.ndarray, features: tuple[str, ...], out: Path) -> int:
    """Every bucket's matrix, read, built and written; how many rows they have."""
    subjects, needs = panel.cohort.subjects, needs_of(features)
    names, first = subjects["subject_id"], pd.Timestamp(dates.min())
    index = pd.DataFrame({"subject_id": np.repeat(names, len(dates)), "index_date": np.tile(dates, len(names))})
    events = happened(list(names), {}, 5)
    begins = {name: first - pd.Timedelta(days=n_days) for name, n_days in needs.columns.items()}
    for bucket in range(BUCKETS):
        days = panel.load([0], first - pd.Timedelta(days=needs.lookback), needs.columns, begins)
        matrix = build_matrix(
            days, events, subjects, index, features=features, restarts=panel.restarts, threads=THREADS
        )
        folder = out / f"bucket-{bucket}"
        folder.mkdir(parents=True, exist_ok=True)
        write_parts(folder, [matrix])
    return len(index) * BUCKETS


def measured(benchmark, kind: str, size: int, work: Callable[[], int]) -> None:
    """Run once, and note seconds, rows, memory and the exponent over the sizes so far."""
    forget_peak()
    rows = benchmark.pedantic(work, rounds=1)
    seconds[kind, size] = benchmark.stats.stats.min
    sizes = sorted(n for of, n in seconds if of == kind)
    told = {"seconds": round(seconds[kind, size], 1), "rows": rows, "peak_gb": peak_gb()}
    if len(sizes) > 1:
        fitted = np.polyfit(np.log(sizes), np.log([seconds[kind, n] for n in sizes]), 1)
        told["exponent"] = round(float(fitted[0]), 2)
    benchmark.extra_info.update(told)


@pytest.mark.benchmark(group="training matrix, weekly index dates of a year")
def test_training_matrix(benchmark, panel, tmp_path):
    """The goals at 100,000 subjects: 10 minutes, 12 GB, at least 300 features, cost linear in subjects."""
    size, days = panel
    assert len(WIDE) >= 300
    dates = FIRST + np.arange(7, DAYS, 7).astype("timedelta64[D]")
    measured(benchmark, "training", size, lambda: build(days, dates, WIDE, tmp_path))


@pytest.mark.benchmark(group="one night's matrix")
def test_night_matrix(benchmark, panel, tmp_path):
    """The goal at 100,000 subjects: 30 seconds after the day panel."""
    size, days = panel
    measured(benchmark, "night", size, lambda: build(days, np.array([NIGHT]), AT_NIGHT, tmp_path))
