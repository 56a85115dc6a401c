"""Every feature that rests on a window of days says how much of it there was."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import regularity
from features.catalog import STANDARD
from features.matrix import build_matrix
from features.measures import STATISTICS
from features.mood import PAIR_COLUMNS
from tests.features.full_panel import DATES, N_DAYS, full_panel

NAMES = [feature.name for feature in STANDARD.features]
SILENCE = tuple(told.name for p in STANDARD.patterns for told in p.features if told.name.startswith("adherence_"))
KEY = ["subject_id", "local_date", "known_on"]
FULL = full_panel()
TOGETHER = [list(PAIR_COLUMNS), list(regularity.STATE_COLUMNS)]
COLUMNS = [[column] for column in FULL.columns.difference([*KEY, *TOGETHER[0], *TOGETHER[1]])] + TOGETHER
PAIRS = [(feature.name, feature.coverage) for feature in STANDARD.features if feature.coverage]


def with_gaps(rng: np.random.Generator, who: str) -> pd.DataFrame:
    """The full panel of a subject whose every column, and whose days, are missing at a rate of their own, some entirely."""
    rates = rng.choice([0.0, 0.3, 0.7, 0.95, 1.0], len(COLUMNS))
    missing = {c: gone for columns, rate in zip(COLUMNS, rates, strict=True)
               for gone in [rng.random(N_DAYS) < rate] for c in columns}  # fmt: skip
    panel = pd.concat([FULL[KEY].assign(subject_id=who), FULL[list(missing)].mask(pd.DataFrame(missing))], axis=1)
    return panel[rng.random(N_DAYS) < rng.choice([0.2, 0.6, 1.0])]


def matrix(panel: pd.DataFrame, enrolled: list[int], days: list[int]) -> pd.DataFrame:
    """All features of subjects p0, p1, ... on some days counted from the first."""
    who = [f"p{place}" for place in range(len(enrolled))]
    subjects = pd.DataFrame({"subject_id": who, "enrolled_on": DATES[enrolled]})
    index = pd.DataFrame({"subject_id": np.repeat(who, len(days)), "index_date": np.tile(DATES[days], len(who))})
    events = pd.DataFrame({"subject_id": [], "event_on": DATES[:0], "known_on": DATES[:0]})
    return build_matrix(panel.reset_index(drop=True), events, subjects, index, features=NAMES)


def test_every_windowed_feature_names_a_coverage_that_exists():
    """All but coverages themselves, counts of silence, and history."""
    for feature in STANDARD.features:
        is_count = feature.family in ("history", "tenure") or feature.name.startswith(SILENCE)
        is_coverage = f"_coverage_{feature.window_days}d" in feature.name
        if is_count or is_coverage:
            assert feature.coverage == "", feature.name
        else:
            assert STANDARD.by_name[feature.coverage].window_days == feature.window_days, feature.name


def test_every_statistic_of_a_measure_has_the_measures_coverage_over_its_window():
    """And every pattern one whose name begins with its modality."""
    for measure in STANDARD.measures:
        for kind in set(STATISTICS) - {"coverage"}:
            found = [f for f in STANDARD.features if f.name.startswith(f"{measure.name}_{kind}_") and f.coverage]
            assert all(f.coverage == f"{measure.name}_coverage_{f.window_days}d" for f in found), measure.name
    for pattern in STANDARD.patterns:
        modality = pattern.features[0].name.removeprefix("early_warning_").split("_")[0]
        assert pattern.coverage == "" or pattern.coverage.startswith(modality), pattern.coverage


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_where_the_coverage_is_0_the_feature_is_missing(seed):
    """Whatever is missing, of whom, and however long they have been enrolled; a coverage is a share and never missing."""
    rng = np.random.default_rng(seed)
    panel = pd.concat([with_gaps(rng, f"p{place}") for place in range(3)])
    found = matrix(panel, [0, 60, 120], sorted(120 + rng.choice(N_DAYS - 120, 4, replace=False)))
    coverages = found[sorted({coverage for _, coverage in PAIRS})]
    assert ((coverages >= 0) & (coverages <= 1)).all(axis=None)
    assert [name for name, coverage in PAIRS if (found[name].notna() & (found[coverage] == 0)).any()] == []


def test_with_all_data_every_coverage_is_1_from_the_second_day_on():
    """However short the enrolment: what there was no time for is not missed. On the first day there was none."""
    found = matrix(FULL.assign(subject_id="p0"), [100], [102, 110, 199])[sorted({coverage for _, coverage in PAIRS})]
    assert found.columns[(found != 1.0).any()].tolist() == []
    nothing = matrix(FULL.assign(subject_id="p0").iloc[100:], [100], [100])[found.columns]
    assert nothing.columns[(nothing != 0.0).any()].tolist() == []


@pytest.mark.parametrize("seed", range(3))
def test_gaps_make_coverages_of_0_and_others(seed):
    """So that the tests above could fail: the made-up gaps leave some of everything, and some of nothing."""
    rng = np.random.default_rng(seed)
    panel = pd.concat([with_gaps(rng, f"p{place}") for place in range(3)])
    found = matrix(panel, [0, 50, 120], [130, 170, 199])[[coverage for _, coverage in PAIRS]].to_numpy()
    assert (found == 0).mean() > 0.05
    assert ((found > 0) & (found < 1)).mean() > 0.3
