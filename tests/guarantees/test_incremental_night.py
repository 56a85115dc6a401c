"""The promise that a panel kept from night to night is the one that is made from scratch, to the bit, for less work."""

import functools
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from features import days, flags, plausibility
from features.versions import KEY
from pipelines import cohort as cohorts
from pipelines import retention
from pipelines.cohort import PANEL_STREAMS, Cohort
from pipelines.consent import withdrawal
from pipelines.kept_hours import kept_hours
from pipelines.lake import BUCKETS, Lake
from pipelines.panel import Panel, refresh
from tests.guarantees import nights_at_random
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
    texts = ("subject_id", "stream", "measure", "flag")
    told = flags.flags_of(found).astype(dict.fromkeys(texts, "str"))
    measures = sorted(name for name in found.panel if name not in KEY and found.panel[name].notna().any())
    return {"days": found.panel[[*KEY, *measures]].sort_values(KEY, ignore_index=True), "flags": told,
            "plausibility_counts": plausibility.counts(found.findings, told, cohort.as_of)}  # fmt: skip


def assert_as_from_scratch(world: World, night: pd.Timestamp) -> tuple[Panel, dict[str, pd.DataFrame]]:
    """The night's panel, flags and counts are those that are made from scratch."""
    lake = world.made.lake
    cohort = cohorts.load(lake, world.made.settings, night)
    panel, wanted = refresh(lake, cohort), from_scratch(lake, cohort)
    assert_frame_equal(panel.load().sort_values(KEY, ignore_index=True), wanted["days"], check_exact=True)
    for name in ("flags", "plausibility_counts"):
        stored = lake.load(name)
        assert_frame_equal(stored, wanted[name].astype(stored.dtypes), check_exact=True)
    return panel, wanted


def assert_past_is_told(panel: Panel, before: dict[str, pd.DataFrame], now: dict[str, pd.DataFrame]) -> None:
    """Of whom no other past is told, the night before knew what is now known of it."""
    for name in ("days", "flags"):
        told = [rows[~rows["subject_id"].isin(panel.changed_past) & rows["subject_id"].isin(panel.cohort.zones.index)]
                for rows in (before[name], now[name][now[name]["known_on"] <= panel.since])]  # fmt: skip
        old, new = (rows.dropna(axis=1, how="all").reset_index(drop=True) for rows in told)
        assert_frame_equal(old, new, check_exact=True, check_dtype=len(old) > 0)


@pytest.mark.parametrize("seed", range(3))
def test_every_night_is_as_from_scratch(tmp_path: Path, seed: int):
    """Over nights of late, corrected, moved, deleted, released, backdated rows, withdrawals and retention."""
    world = World(tmp_path, seed, people=3, history=72, preference=("ring",) if seed == 1 else ())
    _, before = assert_as_from_scratch(world, world.night)
    for nights in range(5):
        world.go_on()
        # Left to chance, a seed may see neither.
        if nights in (1, 3):
            (world.retain if nights == 1 else world.withdraw)()
        if world.rng.random() < 0.8:
            panel, now = assert_as_from_scratch(world, world.night)
            assert_past_is_told(panel, before, now)
            before = now
        if world.rng.random() < 0.3:
            assert_as_from_scratch(world, world.night - int(world.rng.integers(1, 20)) * DAY)
    kinds = {entry["kind"] for entry in world.made.audit_log.entries()}
    assert {retention.KIND, withdrawal.KIND} <= kinds


def test_a_night_costs_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """However long the history: days of new rows are computed, and for minutes the days beside them."""
    monkeypatch.setattr(nights_at_random, "HAPPENINGS", ("nothing", "nothing"))
    for history in (5, 25):
        world = World(tmp_path / str(history), seed=8, people=4, history=history)
        lake, declared = world.made.lake, world.made.settings
        assert refresh(lake, cohorts.load(lake, declared, world.night)).days_computed > 3 * history
        for _ in range(2):
            first = len(world.known)
            world.go_on()
            touched = len({day for _, rows in world.known[first:] for day in days_of(rows)})
            panel = refresh(lake, cohorts.load(lake, declared, world.night))
            assert touched <= panel.days_computed <= 3 * touched


def days_of(rows: pd.DataFrame) -> set[tuple[str, date]]:
    """Subjects and local days of rows."""
    (time,) = set(rows.columns) & set(nights_at_random.TIMES.values())
    if time == "local_date":
        return set(zip(rows["subject_id"], rows[time], strict=True))
    local = rows[time].dt.tz_localize(None) + pd.to_timedelta(rows["utc_offset_min"], unit="min")
    return set(zip(rows["subject_id"], local.dt.date, strict=True))
