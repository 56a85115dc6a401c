"""Statistics of trailing windows, computed on paper. Arrays hold one row per window, yesterday first."""

import numpy as np
import pandas as pd
import pytest

from features import baseline, windows

NAN = np.nan


def window(*values: float) -> np.ndarray:
    """One window, yesterday first."""
    return np.array([values], dtype=float)


def past_and_recent(recent: list[float], past: list[float]) -> np.ndarray:
    """A 90-day window: the last week, then the days before it, the rest of both missing."""
    values = np.full((1, 90), NAN)
    values[0, : len(recent)], values[0, 7 : 7 + len(past)] = recent, past
    return values


def test_the_mean_is_over_valid_days_and_needs_enough_of_them():
    """Missing days neither count nor weigh."""
    # (2 + 4 + 9) / 3
    assert windows.mean(window(2, NAN, 4, 9), 3)[0] == pytest.approx(5.0)
    assert np.isnan(windows.mean(window(2, NAN, 4, NAN), 3)[0])


def test_the_standard_deviation_divides_by_n_minus_1():
    """Around 4: squares 4 + 0 + 4 = 8; 8 / 2 = 4; the root is 2."""
    assert windows.sd(window(2, NAN, 4, 6), 3)[0] == pytest.approx(2.0)
    assert np.isnan(windows.sd(window(2, NAN, 4, 6), 4)[0])


def test_the_slope_is_per_day_and_positive_when_rising():
    """Yesterday comes first, so 9, 7, 5 has risen by 2 a day."""
    assert windows.slope(window(9, 7, 5), 3)[0] == pytest.approx(2.0)


def test_the_slope_keeps_the_gaps_between_days():
    """Values 8, -, -, 2 and 5 at days -1, -4 and -5 before: least squares over true distances."""
    # x = 0, -3, -4 (mean -7/3), y = 8, 2, 5 (mean 5): sum xy = 7/3 * 3 + (-2/3) * (-3) + (-5/3) * 0 = 9;
    # sum xx = (49 + 4 + 25) / 9 = 78/9; 9 / (78/9) = 81/78
    assert windows.slope(window(8, NAN, NAN, 2, 5), 3)[0] == pytest.approx(81 / 78)


def test_one_day_has_no_slope():
    """Neither has a window with too few days."""
    assert np.isnan(windows.slope(window(8, NAN, NAN), 1)[0])
    assert np.isnan(windows.slope(window(9, 7, NAN), 3)[0])


def test_instability_uses_adjacent_valid_days_only():
    """A difference across a gap is not a day-to-day change."""
    # pairs (1, 3) and (6, 5): sqrt((4 + 1) / 2); 3 -> 6 spans a missing day
    assert windows.rmssd(window(1, 3, NAN, 6, 5), 3)[0] == pytest.approx(2.5**0.5)
    assert np.isnan(windows.rmssd(window(1, NAN, 3, NAN, 5), 3)[0])
    assert np.isnan(windows.rmssd(window(1, 3, NAN, 6, 5), 5)[0])


def test_last_is_the_newest_valid_value():
    """Of the days before the index date, the nearest that has a value."""
    assert windows.last(window(NAN, NAN, 4, 9))[0] == 4
    assert np.isnan(windows.last(window(NAN, NAN))[0])


def test_clock_times_average_as_angles():
    """23 h and 1 h average to midnight, not to noon; so do 22, 2 and 0 h, not to 8 h."""
    mean = windows.circular_mean(window(23, 1), 2)[0]
    assert min(mean, 24 - mean) == pytest.approx(0.0, abs=1e-9)
    # 22 h and 2 h lie 30 degrees either side of midnight, 0 h on it
    mean = windows.circular_mean(window(22, 2, 0), 3)[0]
    assert min(mean, 24 - mean) == pytest.approx(0.0, abs=1e-9)
    assert windows.circular_mean(window(2, 4, NAN), 2)[0] == pytest.approx(3.0)
    assert np.isnan(windows.circular_mean(window(2, 4, NAN), 3)[0])


def test_the_spread_of_clock_times_is_that_of_an_angle():
    """23 h and 1 h lie 15 degrees either side of midnight: R = cos 15 degrees."""
    # sqrt(-2 ln 0.965926) = 0.26332 rad, times 24 / (2 pi) = 1.0058 h
    assert windows.circular_sd(window(23, 1, NAN), 2)[0] == pytest.approx(1.0058, abs=1e-4)
    assert windows.circular_sd(window(23, 23, 23), 3)[0] == pytest.approx(0.0, abs=1e-6)
    assert np.isnan(windows.circular_sd(window(23, 1, NAN), 3)[0])


def test_clock_times_unwrap_around_their_mean():
    """23 h and 1 h are an hour before and after midnight."""
    np.testing.assert_allclose(windows.unwrapped(window(23, 1, NAN)), window(-1, 1, NAN), atol=1e-9)


def test_robust_z_compares_the_week_with_the_days_before_it():
    """Usual 9 or 11, so median 10 and median deviation 1; this week 13."""
    values = past_and_recent([13, 12, 14], [9, 11] * 7)
    # (13 - 10) / (1.4826 * 1)
    assert baseline.robust_z(values)[0] == pytest.approx(3 / 1.4826)


def test_robust_z_is_not_moved_by_one_odd_day_of_the_past():
    """One value of 1,000 among 15: the median stays 11, the median deviation 1 or so, not 250."""
    values = past_and_recent([13, 13, 13], [10, 11, 12] * 4 + [11, 11, 1000])
    # sorted: 4 x 10, 6 x 11, 4 x 12, 1000: median 11; deviations 6 x 0, 8 x 1, 989: median 1
    assert baseline.robust_z(values)[0] == pytest.approx(2 / 1.4826)


@pytest.mark.parametrize(
    ("recent", "past", "why"),
    [
        ([13, 13], [9, 11] * 7, "2 recent days are too few"),
        ([13, 13, 13], [9, 10, 11] * 4 + [9], "13 past days are too few"),
        ([13, 13, 13], [10] * 20, "a past that never varied has no scale"),
    ],
)
def test_robust_z_is_missing_without_a_scale(recent, past, why):
    """Missing, never infinite and never zero."""
    assert np.isnan(baseline.robust_z(past_and_recent(recent, past))[0]), why


def test_windows_end_yesterday_and_begin_where_their_name_says(panel_from, features_on):
    """Seven days before the 11th are the 4th to the 10th."""
    steps = [1000.0] * 3 + [100, 200, 300, 400, 500, 600, 700] + [9999]  # 1st to 11th of March
    found = features_on(panel_from("2026-03-01", activity_steps=steps), "2026-03-11")
    assert found["activity_steps_mean_7d"] == pytest.approx(400.0)
    # ten days: (3 * 1000 + 2800) / 10
    assert found["activity_steps_mean_28d"] == pytest.approx(580.0)
    assert found["activity_steps_last"] == 700


def test_a_week_needs_three_days_and_four_weeks_need_seven(panel_from, features_on):
    """Below that the mean is missing."""
    found = features_on(panel_from("2026-03-01", sleep_duration=[None, 400, 420, None, 440, 500]), "2026-03-07")
    assert found["sleep_duration_mean_7d_min"] == pytest.approx(440.0)
    assert pd.isna(found["sleep_duration_mean_28d_min"])
    found = features_on(panel_from("2026-03-01", sleep_duration=[None, 400, 420]), "2026-03-07")
    assert pd.isna(found["sleep_duration_mean_7d_min"])
    assert found["sleep_duration_last_min"] == 420


def test_the_last_value_is_of_the_last_week(panel_from, features_on):
    """A value of eight days ago is no longer recent."""
    panel = panel_from("2026-03-01", mood_valence=[0.5])
    assert features_on(panel, "2026-03-08")["mood_last"] == 0.5
    assert pd.isna(features_on(panel, "2026-03-09")["mood_last"])


def test_midpoints_use_the_statistics_of_angles(panel_from, features_on):
    """Nights with a middle at 23, 1 and 0 h have their mean at midnight, not at 8 h."""
    found = features_on(panel_from("2026-03-01", sleep_midpoint=[23, 1, 0]), "2026-03-04")
    mean = found["sleep_midpoint_mean_7d_h"]
    assert min(mean, 24 - mean) == pytest.approx(0.0, abs=1e-9)


def test_midpoints_are_compared_with_the_own_past_across_midnight(panel_from, features_on):
    """Usually between 23 and 1 h, this week at 2 h: two hours later than usual, not 22 hours earlier."""
    found = features_on(panel_from("2026-03-01", sleep_midpoint=[23, 0, 1] * 7 + [2] * 7), "2026-03-29")
    # median 0 h; 14 of 21 nights are an hour off it, so the median deviation is 1 h
    assert found["sleep_midpoint_z_7d"] == pytest.approx(2 / 1.4826)
