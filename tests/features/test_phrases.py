"""Drivers are said as a clinician would read them: what, how much, in which unit, beside what is usual."""

import numpy as np
import pytest

from features.catalog import STANDARD
from features.phrases import phrase

NONE = np.nan
SAID = [
    ("sleep_duration_mean_7d_min", 306, 432, "sleep duration, mean of 7 days: 5.1 h (median that night: 7.2)"),
    ("sleep_duration_mean_7d_min", 306, NONE, "sleep duration, mean of 7 days: 5.1 h"),
    ("sleep_waso_mean_7d_min", 95, 130, "time awake during the night, mean of 7 days: 1.6 h (median that night: 2.2)"),
    ("sleep_waso_mean_7d_min", 48, 31,
     "time awake during the night, mean of 7 days: 48 min (median that night: 31)"),
    ("sleep_midpoint_mean_7d_h", 23.75, 3.5, "the middle of the night, mean of 7 days: 23:45"),
    ("sleep_midpoint_sd_28d_h", 1.6, 0.9,
     "the middle of the night, variation (SD) over 28 days: 1.6 h (median that night: 0.9)"),
    ("mood_valence_last_7d", 0.31, 0.6,
     "overall mood, most recent of 7 days: 31 % of the scale (median that night: 60)"),
    ("mood_valence_z_7d", -2.34, 0.1, "overall mood, last 7 days against own usual: 2.3 SD below"),
    ("mood_valence_z_7d", -0.01, 0.1, "overall mood, last 7 days against own usual: as usual"),
    ("sleep_midpoint_z_7d", 2.0, 0.1, "the middle of the night, last 7 days against own usual: 2.0 SD later"),
    ("heart_resting_z_7d", 1.2, 0.1, "resting heart rate, last 7 days against own usual: 1.2 SD above"),
    ("own_past_distance_7d", 1.94, 1.0, "how unusual the last 7 days were, all streams together: 1.9 SD"),
    ("sleep_duration_slope_28d_min", -3.2, 0.1, "sleep duration, trend over 28 days: falling by 3.2 min a day"),
    ("mood_valence_slope_28d", 0.004, 0.0, "overall mood, trend over 28 days: rising by 0.4 % of the scale a day"),
    ("activity_steps_slope_28d", 0.0, 5.0, "steps, trend over 28 days: level"),
    ("activity_steps_mean_7d", 4211.3, 8000, "steps, mean of 7 days: 4,211 (median that night: 8,000)"),
    ("activity_entropy_mean_7d", np.log(24) / 2, NONE, "spread of movement over the day, mean of 7 days: 50 % of an even spread"),
    ("sleep_duration_coverage_28d", 0.5, 1, "sleep duration, days with a value of 28 days: 50 % (median that night: 100)"),
    ("sleep_regularity_14d", 55, 72, "how regular sleep was from day to day over 14 days: 55 of 100 (median that night: 72)"),
    ("circadian_amplitude_14d", 0.77, NONE, "contrast between day and night over 14 days: 77 %"),
    ("mood_inertia_28d", 0.4, 0.25,
     "how much of a mood is left at the next answer over 28 days: 40 % (median that night: 25)"),
    ("circadian_variability_14d", 1.1, NONE, "how broken up the days were (2: like noise) over 14 days: 1.1"),
    ("early_warning_sleep_duration_variance_28d", 3600, NONE,
     "how much sleep duration fluctuated of late over 28 days: 3,600 min²"),
    ("heart_variance_mean_7d", 90, NONE, "variance of the heart rate, mean of 7 days: 90 bpm²"),
    ("sleep_naps_mean_7d", 0.43, 0, "naps, mean of 7 days: 0.43 (median that night: 0)"),
    ("adherence_longest_gap_28d", 1, 6, "longest silence over 28 days: 1 day (median that night: 6)"),
    ("history_event_days_28d", 3, 0, "event days over 28 days: 3 (median that night: 0)"),
    ("history_days_since_last_episode", 12, 88, "days since the last episode: 12 (median that night: 88)"),
    ("history_days_since_last_episode", NONE, 88, "days since the last episode: none known"),
    ("history_episode_rate", 2.25 / 455, 0.25 / 455,
     "episodes that began in the past year: 2 (median that night: 0)"),
    ("heart_resting_mean_7d_bpm", NONE, 58, "resting heart rate, mean of 7 days: too few data"),
    ("a_feature_of_long_ago", 0.000123, 5, "a_feature_of_long_ago: 0.00012"),
    ("a_feature_of_long_ago", NONE, NONE, "a_feature_of_long_ago: no data"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "median", "said"), SAID)
def test_a_driver_has_a_unit_and_a_usual_value_or_a_direction(name, value, median, said):
    """Hours for many minutes, shares in percent, clock times as such; above or below, rising or falling."""
    assert phrase(STANDARD, name, value, median) == said


@pytest.mark.parametrize(
    ("name", "value", "shift", "said"),
    [
        ("sleep_duration_z_3d", -1.23, -114, "sleep duration, last 3 days against own usual: 114 min less (1.2 SD)"),
        ("sleep_duration_z_3d", 2.0, 150, "sleep duration, last 3 days against own usual: 2.5 h more (2.0 SD)"),
        ("sleep_midpoint_z_3d", -0.8, -1.66, "the middle of the night, last 3 days against own usual: 1.7 h earlier (0.8 SD)"),
        ("mood_valence_z_3d", -0.4, -0.16, "overall mood, last 3 days against own usual: 16 % of the scale less (0.4 SD)"),
        ("activity_steps_z_3d", 1.0, 3233, "steps, last 3 days against own usual: 3,233 more (1.0 SD)"),
        ("activity_steps_z_3d", 0.01, 3, "steps, last 3 days against own usual: as usual"),
        ("activity_steps_z_3d", 1.0, NONE, "steps, last 3 days against own usual: 1.0 SD above"),
    ],
)  # fmt: skip
def test_the_own_past_is_said_in_units_where_these_are_known(name, value, shift, said):
    """Less or more, earlier or later, with how unusual that is."""
    assert phrase(STANDARD, name, value, NONE, shift) == said


def test_a_difference_from_the_own_past_is_said_by_itself():
    """As a feature of its own."""
    said = "sleep duration, difference of the last 3 days from own usual: 1.5 min less"
    assert phrase(STANDARD, "sleep_duration_shift_3d_min", -1.5) == said


@pytest.mark.parametrize("value", [0.0, 0.0123, -3.0, 512.0])
def test_every_feature_can_be_said(value):
    """In one line without what parts phrases (`;`), without code: no name of a column, no power of ten."""
    for feature in STANDARD.features:
        said = phrase(STANDARD, feature.name, value, 1.0)
        assert said.startswith(f"{feature.words}: ")
        assert not any(mark in said for mark in (";", "_", "\n", "e-", "e+", "robust SD", "^")), said
