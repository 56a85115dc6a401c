"""The promise that a panel kept from night to night is the one that is made from scratch, to the bit, for less work."""

import functools
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from features import days, flags, plausibility
from features.versions import KEY
from pipelines import cohort as cohorts
from pipelines.cohort import PANEL_STREAMS, Cohort
from pipelines.kept_hours import kept_hours
from pipelines.lake import BUCKETS, Lake
from pipelines.panel import Panel, refresh
from tests.guarantees.nights_at_random import DAY, World

# DuckDB 2.0 and PyArrow 25 call what pandas 3.1 deprecates; their warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]


def from_scratch(lake: Lake, cohort: Cohort) -> dict[str, pd.DataFrame]:
    """Everything at once from all rows, stored nowhere."""
    with lake.connection() as connection:
        streams = {name: lake.history(name, cohort.known_at, connection) for name in PANEL_STREAMS}
        parts = [kept_hours(lake, cohort.as_of, f"bucket = {bucket}", connection) for bucket in range(BUCKETS)]
        kept = [part for part in parts if part is not None]
        hours = functools.reduce(lambda one, other: one.union(other), kept) if kept else None
        found = days.build_days(
            connection, streams, cohort.zones, cohort.cutoff, cohort.device_preference, hours, cohort.as_of
        )
    told = flags.flags_of(found)
    measures = sorted(name for name in found.panel if name not in KEY and found.panel[name].notna().any())
    return {"days": found.panel[[*KEY, *measures]].sort_values(KEY, ignore_index=True), "flags": told,
            "plausibility_counts": plausibility.counts(found.findings, told, cohort.as_of)}  # fmt: skip


def assert_as_from_scratch(world: World, night: pd.Timestamp) -> tuple[Panel, dict[str, pd.DataFrame]]:
    """The night's panel, flags and counts are those that are made from scratch."""
    lake = world.made.lake
    cohort = cohorts.load(lake, world.made.settings, night)
    panel, wanted = refresh(lake, cohort), from_scratch(lake, cohort)
    assert_frame_equal(panel.load(), wanted["days"], check_exact=True)
    for name in ("flags", "plausibility_counts"):
        stored = lake.load(name)
        assert_frame_equal(stored, wanted[name].astype(stored.dtypes), check_exact=True)
    return panel, wanted


@pytest.mark.parametrize("seed", range(4))
def test_every_night_is_as_from_scratch(tmp_path: Path, seed: int):
    """Over nights of late, corrected, moved, deleted, released, backdated rows, withdrawals and retention."""
    world = World(tmp_path, seed, preference=("ring",) if seed % 3 == 1 else ())
    assert_as_from_scratch(world, world.night)
    for _ in range(8):
        world.go_on()
        if world.rng.random() < 0.8:
            assert_as_from_scratch(world, world.night)
        if world.rng.random() < 0.3:
            assert_as_from_scratch(world, world.night - int(world.rng.integers(1, 20)) * DAY)
