"""Coverage of patterns, computed on paper: what they count, over what there was time for since enrolment."""

import numpy as np
import pytest

from features import adherence, circadian, heart, mood, regularity
from features.measures import Pattern

BEFORE = np.nan


def coverage(pattern: Pattern, columns: np.ndarray, has_data: tuple[float, ...]) -> float:
    """The coverage that a pattern gives for days, oldest first, of shape (n_days, n_columns)."""
    (found,) = pattern.compute(np.concatenate([columns, np.array(has_data)[:, None]], axis=1)[None])
    return float(found[0])


def named(patterns: tuple[Pattern, ...], name: str) -> Pattern:
    """The pattern whose only figure has a name."""
    return next(pattern for pattern in patterns if [told.name for told in pattern.features] == [name])


@pytest.mark.parametrize(
    ("patterns", "name"), [(circadian.PATTERNS, "circadian_coverage"), (heart.PATTERNS, "heart_rhythm_coverage")]
)
def test_rhythms_count_hours(patterns, name):
    """A whole day, one of 12 hours and an empty one, enrolled since all three: 36 of 72 hours; enrolled later: of 48."""
    hours = np.full((3, 24), np.nan)
    hours[0], hours[1, 12:] = 50.0, 0.0
    assert coverage(named(patterns, name), hours, (1, 1, 0)) == pytest.approx(36 / 72)
    # Hours of the day before enrolment help.
    assert coverage(named(patterns, name), hours, (BEFORE, 1, 0)) == pytest.approx(36 / 48)
    # But never beyond all: 36 hours on one day since enrolment.
    assert coverage(named(patterns, name), hours, (BEFORE, BEFORE, 0)) == 1.0


@pytest.mark.parametrize(
    ("name", "n_columns"), [("sleep_regularity_coverage", 10), ("sleep_phase_deviation_coverage", 1)]
)
def test_what_compares_days_counts_pairs_of_successive_days(name, n_columns):
    """Of 7 days the third and the last are unknown: 3 pairs of 6; enrolled 5 days ago, 4 pairs were possible."""
    days = np.full((7, n_columns), 3.0)
    days[[2, 6]] = np.nan
    pattern = named(regularity.PATTERNS, name)
    assert coverage(pattern, days, (1, 1, 0, 1, 1, 1, 0)) == pytest.approx(3 / 6)
    assert coverage(pattern, days, (BEFORE, BEFORE, 0, 1, 1, 1, 0)) == pytest.approx(3 / 4)
    # On the first day after enrolment no pair was possible yet, and none is there.
    assert coverage(pattern, np.full((7, n_columns), np.nan), (*[BEFORE] * 6, 0)) == 0.0


def test_inertia_counts_days_with_a_pair_of_answers():
    """Two days with pairs, one of which nothing is known, one on which a single answer has no other: 2 of 4."""
    sums = np.array([[2.0, 0.8, 1, 0.4, 0.4], [1, 0.2, 0.6, 0.04, 0.12], [np.nan] * 5, [0.0] * 5])
    assert coverage(named(mood.PATTERNS, "mood_inertia_coverage"), sums, (1, 1, 0, 1)) == pytest.approx(2 / 4)


def test_questionnaires_count_days_with_a_score():
    """Filled in on 2 of 5 days since enrolment, a score of 0 among them."""
    scores = np.array([[np.nan], [np.nan], [0.0], [np.nan], [np.nan], [12.0]])
    pattern = named(mood.PATTERNS, "mood_phq_9_coverage")
    assert coverage(pattern, scores, (BEFORE, 0, 1, 0, 0, 1)) == pytest.approx(2 / 5)


def test_coverage_in_the_matrix(panel_from, features_on):
    """Four days since enrolment: of six measures two are known on all of them, one on one, three never: 9 of 24 values."""
    panel = panel_from("2026-03-01", mood_valence=[0.5] * 4, sleep_duration=[400.0] * 4, heart_resting=[None, 60.0, None, None],
                       sleep_midpoint=[3.0, None, 3.0, 3.0], activity_h00=[5.0, None, None, 5.0])  # fmt: skip
    names = ["own_past_distance_coverage_7d", "sleep_phase_deviation_coverage_7d", "circadian_coverage_3d"]
    found = features_on(panel, "2026-03-05", "2026-03-01", names)
    # Of 3 pairs one; of the 72 hours of the last three days one.
    assert found[names].tolist() == pytest.approx([9 / 24, 1 / 3, 1 / 72])


def test_silence_is_counted_on_every_day_since_enrolment():
    """Patterns that count silence have a value where nothing came, and so name no coverage."""
    assert {pattern.coverage for pattern in adherence.PATTERNS} == {""}
