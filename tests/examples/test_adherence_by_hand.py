"""How much data there is, computed on paper: 1 is a day with data, 0 one without, x a day before enrolment."""

import numpy as np
import pytest

from features import adherence
from features.measures import HAS_DATA, SINCE_RECEIPT

BEFORE = np.nan


def days(*values: float) -> np.ndarray:
    """One row, oldest day first."""
    return np.array([values])


@pytest.mark.parametrize(
    ("has_data", "coverage", "gap", "since"),
    [
        ((1, 1, 0, 0, 1, 0, 0), 3 / 7, 2, 2),
        ((0, 0, 0, 1, 1, 1, 1), 4 / 7, 3, 0),
        # Enrolled 3 days ago: days before that are no gap.
        ((BEFORE, BEFORE, BEFORE, BEFORE, 1, 0, 1), 2 / 3, 1, 0),
        # Nothing ever came: silent since enrolment, two days ago.
        ((BEFORE, BEFORE, BEFORE, BEFORE, BEFORE, 0, 0), 0, 2, 2),
    ],
)
def test_silence(has_data, coverage, gap, since):
    """Share of observable days with data, the longest run without, and the run that goes on until now."""
    row = days(*has_data)
    assert adherence.coverage(row)[0] == pytest.approx(coverage)
    assert adherence.longest_gap(row)[0] == gap
    assert adherence.days_since_data(row)[0] == since


def test_nothing_is_said_before_enrolment():
    """No observable day: no share, no gap, no rate, never a zero."""
    row = days(BEFORE, BEFORE, BEFORE)
    for found in (adherence.coverage(row), adherence.longest_gap(row), adherence.answer_rate(row, row)):
        assert np.isnan(found[0])


def test_the_answer_rate_counts_silent_days():
    """4 and 2 answers over 4 observable days are 1.5 a day; answers before enrolment do not count."""
    answers = days(3, 4, np.nan, 2, np.nan)
    assert adherence.answer_rate(answers, days(BEFORE, 1, 0, 1, 1))[0] == pytest.approx(6 / 4)
    assert adherence.answer_rate(days(np.nan, np.nan), days(1, 0))[0] == 0


def test_the_newest_receipt_counts_whichever_day_it_was_about():
    """A day synced late, 2 days ago, is newer than yesterday's, of which nothing came."""
    assert adherence.days_since_sync(days(9, 2, 5, np.nan))[0] == 2
    assert np.isnan(adherence.days_since_sync(days(np.nan, np.nan))[0])


def test_patterns_give_a_figure_for_each_of_their_features():
    """Two rows of a week with data on every second day, synced yesterday, one answer a day with data."""
    has_data = np.tile([1.0, 0, 1, 0, 1, 0, 1], (2, 1))
    columns = {
        HAS_DATA: has_data,
        SINCE_RECEIPT: np.ones((2, 7)),
        "adherence_answers": np.where(has_data > 0, 1, np.nan),
    }
    found = {}
    for pattern in adherence.PATTERNS:
        values = pattern.compute(np.stack([columns[name] for name in pattern.columns], axis=2))
        found |= dict(zip([feature.name for feature in pattern.features], values, strict=True))
    expected = {"coverage": 4 / 7, "longest_gap": 1, "days_since_data": 0, "days_since_sync": 1, "answer_rate": 4 / 7}
    assert {name.removeprefix("adherence_"): value.tolist() for name, value in found.items()} == {
        name: pytest.approx([value, value]) for name, value in expected.items()
    }


def test_silence_in_the_matrix(panel_from, features_on):
    """Data on 1 to 3 and on 6 March, index date the 8th, enrolled on the 1st: 4 of 7 days, two silent ones in a row."""
    panel = panel_from("2026-03-01", mood_valence=[0.5, None, 0.5, 0, 0, 0.5], sleep_duration=[None, 400, *[None] * 4])
    found = features_on(panel.drop(index=[3, 4]), "2026-03-08", enrolled_on="2026-03-01")
    assert found["adherence_coverage_28d"] == pytest.approx(4 / 7)
    assert found["adherence_longest_gap_28d"] == 2
