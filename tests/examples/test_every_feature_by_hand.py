"""Each feature of the catalogue, by its name and from its tables, is the number that was worked out on paper.

The tables stand beside this file: `days_on_paper` (raw rows to daily measures), `statistics_on_paper` (daily measures to their
statistics over windows), `patterns_on_paper` (days to patterns, own pasts, the distance, and events to history).
"""

import math
from dataclasses import replace

import pandas as pd
import pytest

from features import mood
from features.catalog import STANDARD, Catalog
from features.frames import NO_EVENTS, days_of
from features.matrix import build_matrix
from tests.examples import days_on_paper, patterns_on_paper, statistics_on_paper

# DuckDB 2.0 calls what pandas 3.1 deprecates; its warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]
DECLARED = STANDARD.with_signals(statistics_on_paper.DECLARED)
WITH_AN_EXAMPLE = {
    *(name for figures in statistics_on_paper.FIGURES.values() for name in figures),
    *patterns_on_paper.FIGURES,
}


def matrix(panel: pd.DataFrame, index_date: pd.Timestamp, enrolled_days: dict[str, int], features: list[str],
           event_days: pd.DataFrame = NO_EVENTS) -> pd.DataFrame:  # fmt: skip
    """One row of features for each subject."""
    index = pd.DataFrame({"subject_id": list(enrolled_days), "index_date": index_date.as_unit("us")})
    enrolled_on = index_date - pd.to_timedelta(list(enrolled_days.values()), unit="D").as_unit("us")
    subjects = pd.DataFrame({"subject_id": list(enrolled_days), "enrolled_on": enrolled_on})
    found = build_matrix(panel, event_days, subjects, index, features=features, catalog=DECLARED)
    return found.set_index("subject_id")


@pytest.fixture(scope="module")
def measured() -> pd.DataFrame:
    """The day of every example of raw rows."""
    return days_of(days_on_paper.tables(), "UTC").panel.set_index("subject_id")


@pytest.fixture(scope="module")
def statistics() -> pd.Series:
    """Every statistic of the subject who has every measure."""
    names = [name for figures in statistics_on_paper.FIGURES.values() for name in figures]
    enrolled = {"ann": statistics_on_paper.ENROLLED_DAYS}
    return matrix(statistics_on_paper.days("ann"), statistics_on_paper.INDEX_DATE, enrolled, names).loc["ann"]


@pytest.fixture(scope="module")
def patterns() -> pd.DataFrame:
    """Every pattern, and the history, of the subject of each story and window."""
    nights = days_of({"sleep": patterns_on_paper.nights()}, "UTC").panel.drop(columns="has_data")
    panel = pd.concat([patterns_on_paper.days(), nights], ignore_index=True)
    # Enrolled four windows ago.
    enrolled = {subject: 4 * int(subject.split()[-1]) for subject, _ in patterns_on_paper.FIGURES.values()}
    names, events = list(patterns_on_paper.FIGURES), patterns_on_paper.event_days()
    return matrix(panel, patterns_on_paper.INDEX_DATE, enrolled, names, events)


@pytest.mark.parametrize("example", days_on_paper.EXAMPLES)
def test_raw_rows_make_the_daily_measure(measured, example):
    """Three to eight rows, or runs of minutes, give the value that arithmetic gives."""
    _, _, expected = days_on_paper.EXAMPLES[example]
    assert measured.loc[example, list(expected)].to_dict() == pytest.approx(expected)


@pytest.mark.parametrize("measure", statistics_on_paper.FIGURES)
def test_days_make_every_statistic_of_a_measure(statistics, measure):
    """Of days with gaps, windows of 3, 7, 14, 28 and 90 days each hold their own; so do the pasts before them."""
    expected = statistics_on_paper.FIGURES[measure]
    assert statistics[list(expected)].to_dict() == pytest.approx(expected)


@pytest.mark.parametrize("name", patterns_on_paper.FIGURES)
def test_days_make_a_pattern_and_events_a_history(patterns, name):
    """The smallest series that the pattern can do with gives what its formula gives on paper."""
    subject, expected = patterns_on_paper.FIGURES[name]
    # A past of patterns is compared to 9 decimals.
    assert patterns.loc[subject, name] == pytest.approx(expected, rel=1e-7, abs=1e-9)


def without_example(catalog: Catalog) -> set[str]:
    """Features that no number worked out on paper is compared with, and measures of which no raw rows are told."""
    unmeasured = {measure.name for measure in catalog.measures} - set(days_on_paper.MEASURES)
    return (set(catalog.by_name) - WITH_AN_EXAMPLE) | unmeasured


def test_each_feature_has_an_example():
    """All features of the catalogue, also those of declared signals, are among the names that are compared above."""
    assert without_example(DECLARED) == set()
    assert set(DECLARED.by_name) >= WITH_AN_EXAMPLE
    questionnaires = {f"mood_{name}" for name in mood.ASSESSMENTS}
    assert questionnaires <= set(days_on_paper.MEASURES)


def test_each_example_is_a_number():
    """A missing value is no example, even where it is what paper gives."""
    told = [*days_on_paper.MEASURES.values(), *(value for _, value in patterns_on_paper.FIGURES.values())]
    told += [value for figures in statistics_on_paper.FIGURES.values() for value in figures.values()]
    assert all(math.isfinite(value) for value in told)


def test_a_feature_without_an_example_is_named():
    """A new measure, and a new figure of a pattern, are told of by name."""
    measure = replace(STANDARD.measures[0], name="mood_boredom")
    found = without_example(replace(STANDARD, measures=(*STANDARD.measures, measure)))
    assert {"mood_boredom", "mood_boredom_mean_7d", "mood_boredom_z_90d"} <= found
    last = STANDARD.patterns[-1]
    figure = replace(last.features[0], name="own_past_surprise")
    found = without_example(replace(STANDARD, patterns=(*STANDARD.patterns, replace(last, features=(figure,)))))
    assert found == {f"own_past_surprise_{window}d" for window in last.windows}
