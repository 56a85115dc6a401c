"""Statistics of trailing windows and of the own past, computed on paper. Days stand oldest first."""

import numpy as np
import pandas as pd
import pytest

from features import baseline, circular
from features.windows import Windows

NAN = np.nan


def statistic(name: str, *days: float, fewest: int = 2, window: int = 7) -> float:
    """One statistic of a window that ends with the last of the days given."""
    values = np.full((window, 1), NAN)
    values[window - len(days) :, 0] = days
    found = Windows(np.array([window]), [window], 1).of(values)[window]
    return float(found.statistic(name, fewest)[0, 0])


def z(recent: float, past: list[float], usual_spread: float = NAN) -> float:
    """The robust z of a recent mean against the days before it."""
    values = np.array(past, dtype=float)[:, None]
    usual = baseline.past(values, np.array([len(past)]), (0,))[0]
    return float(baseline.robust_z(np.array([[recent]]), usual, usual_spread)[0, 0])


def test_the_mean_is_over_valid_days_and_needs_enough_of_them():
    """Missing days neither count nor weigh."""
    # (2 + 4 + 9) / 3
    assert statistic("mean", 2, NAN, 4, 9, fewest=3) == pytest.approx(5.0)
    assert np.isnan(statistic("mean", 2, NAN, 4, NAN, fewest=3))


def test_the_standard_deviation_divides_by_n_minus_1():
    """Around 4: squares 4 + 0 + 4 = 8; 8 / 2 = 4; the root is 2."""
    assert statistic("sd", 2, NAN, 4, 6, fewest=3) == pytest.approx(2.0)
    assert np.isnan(statistic("sd", 2, NAN, 4, 6, fewest=4))


def test_days_that_are_all_the_same_do_not_vary_at_all():
    """Exactly zero, however far from zero the value: no rounding passes for a spread."""
    assert statistic("sd", *[1e9 + 0.1] * 7) == 0.0


def test_the_slope_is_per_day_and_positive_when_rising():
    """5, 7, 9 has risen by 2 a day."""
    assert statistic("slope", 5, 7, 9, fewest=3) == pytest.approx(2.0)


def test_the_slope_keeps_the_gaps_between_days():
    """Values 5, 2, -, -, 8: least squares over true distances."""
    # x = 0, 1, 4 (mean 5/3), y = 5, 2, 8 (mean 5): sum xy = -5/3 * 0 + (-2/3) * (-3) + 7/3 * 3 = 9;
    # sum xx = (25 + 4 + 49) / 9 = 78/9; 9 / (78/9) = 81/78
    assert statistic("slope", 5, 2, NAN, NAN, 8, fewest=3) == pytest.approx(81 / 78)


def test_one_day_has_no_slope():
    """Neither has a window with too few days."""
    assert np.isnan(statistic("slope", NAN, NAN, 8, fewest=1))
    assert np.isnan(statistic("slope", NAN, 7, 9, fewest=3))


def test_instability_uses_adjacent_valid_days_only():
    """A difference across a gap is not a day-to-day change."""
    # pairs (5, 6) and (3, 1): sqrt((1 + 4) / 2); 6 -> 3 spans a missing day
    assert statistic("rmssd", 5, 6, NAN, 3, 1, fewest=3) == pytest.approx(2.5**0.5)
    assert np.isnan(statistic("rmssd", 5, NAN, 3, NAN, 1, fewest=3))
    assert np.isnan(statistic("rmssd", 5, 6, NAN, 3, 1, fewest=5))


def test_last_is_the_newest_valid_value():
    """Of the days before the index date, the nearest that has a value."""
    assert statistic("last", 9, 4, NAN, NAN) == 4
    assert np.isnan(statistic("last", NAN, NAN))


def clock_mean(*hours: float) -> float:
    """Mean clock time."""
    east, north = circular.hand(np.array(hours))
    return float(circular.mean(east.mean(), north.mean()))


def test_clock_times_average_as_angles():
    """23 h and 1 h average to midnight, not to noon; so do 22, 2 and 0 h, not to 8 h."""
    for hours in ((23, 1), (22, 2, 0)):
        mean = clock_mean(*hours)
        assert min(mean, 24 - mean) == pytest.approx(0.0, abs=1e-9)
    assert clock_mean(2, 4) == pytest.approx(3.0)


def test_clock_times_that_cancel_out_have_no_mean():
    """6 h and 18 h point to opposite sides."""
    assert np.isnan(clock_mean(6, 18))


def test_the_spread_of_clock_times_is_that_of_an_angle():
    """23 h and 1 h lie 15 degrees either side of midnight: R = cos 15 degrees."""
    # sqrt(-2 ln 0.965926) = 0.26332 rad, times 24 / (2 pi) = 1.0058 h
    east, north = circular.hand(np.array([23.0, 1.0]))
    assert circular.sd(east.mean(), north.mean()) == pytest.approx(1.0058, abs=1e-4)


def test_clock_times_lie_at_most_half_a_day_apart():
    """1 h is two hours later than 23 h, and 23 h two hours earlier than 1 h."""
    np.testing.assert_allclose(circular.apart(np.array([1.0, 23.0]), np.array([23.0, 1.0])), [2.0, -2.0])


def test_robust_z_compares_recent_days_with_those_before_them():
    """Usual 9 or 11, so median 10 and median deviation 1; now 13; 14 past days weigh 14 of 21."""
    # 14/21 * (13 - 10) / (1.4826 * 1)
    assert z(13, [9, 11] * 7) == pytest.approx(2 / 3 * 3 / 1.4826)


def test_robust_z_is_not_moved_by_one_odd_day_of_the_past():
    """One value of 1,000 among 15: the median stays 11, the median deviation 1, not 250."""
    # sorted: 4 x 10, 6 x 11, 4 x 12, 1000: median 11; deviations 6 x 0, 8 x 1, 989: median 1; 15 days weigh 15 of 22
    assert z(13, [10, 11, 12] * 4 + [11, 11, 1000]) == pytest.approx(15 / 22 * 2 / 1.4826)


def test_while_the_past_is_short_the_usual_spread_stands_in():
    """One past day of 10 at a usual spread of 2: seven parts of what is usual, one of the subject's own (none)."""
    # s^2 = (1 * 0 + 7 * 4) / 8 = 3.5; z = 1/8 * (13 - 10) / sqrt(3.5)
    assert z(13, [10], usual_spread=2.0) == pytest.approx(3 / 8 / 3.5**0.5)


@pytest.mark.parametrize(
    ("recent", "past", "usual_spread", "why"),
    [
        (NAN, [9, 11] * 7, 2.0, "too few recent days"),
        (13, [], 2.0, "no past at all"),
        (13, [NAN, NAN], 2.0, "no valid day in the past"),
        (13, [9, 11], NAN, "2 past days are too few without a usual spread"),
        (13, [10] * 20, NAN, "a past that never varied has no scale"),
    ],
)
def test_robust_z_is_missing_without_a_scale(recent, past, usual_spread, why):
    """Missing, never infinite and never zero."""
    assert np.isnan(z(recent, past or [NAN], usual_spread)), why


def test_a_new_device_begins_a_new_past():
    """Days 1 to 3 by the old device at 100, days 4 to 6 by the new one at 9, 10, 11; the index date is day 7."""
    values = np.array([100, 100, 100, 9, 10, 11], dtype=float)[:, None]
    begins = baseline.Begins.at(np.array([3]), np.array([0]), (6, 1))
    usual = baseline.past(values, np.array([6]), (0, 3), begins)
    assert (usual[0].n[0, 0], usual[0].median[0, 0], usual[0].mad[0, 0]) == (3, 10, 1)
    # Three days later the past of the last 3 days ends with the old device: the new one has none yet.
    assert usual[3].n[0, 0] == 0
    assert np.isnan(usual[3].median[0, 0])


def test_the_distance_of_two_measures_is_a_mahalanobis_distance():
    """Fourteen days at (1, 0), (-1, 0), (0, 1), (0, -1) and so on: no correlation, both of variance 1/2."""
    days = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]] * 4, dtype=float)[None]
    # C = 1/2 I whatever the shrinkage; d = (1, 1): sqrt((2 + 2) / 2)
    assert baseline.distance(np.array([[1.0, 1.0]]), days)[0] == pytest.approx(2**0.5)
    assert np.isnan(baseline.distance(np.array([[1.0, NAN]]), days)[0])
    assert np.isnan(baseline.distance(np.array([[1.0, 1.0]]), days[:, :6])[0])


def test_windows_end_yesterday_and_begin_where_their_name_says(panel_from, features_on):
    """Seven days before the 11th are the 4th to the 10th."""
    steps = [1000.0] * 3 + [100, 200, 300, 400, 500, 600, 700] + [9999]  # 1st to 11th of March
    found = features_on(panel_from("2026-03-01", activity_steps=steps), "2026-03-11")
    assert found["activity_steps_mean_7d"] == pytest.approx(400.0)
    # ten days: (3 * 1000 + 2800) / 10
    assert found["activity_steps_mean_28d"] == pytest.approx(580.0)
    assert found["activity_steps_last_7d"] == 700


def test_a_week_needs_three_days_and_four_weeks_need_seven(panel_from, features_on):
    """Below that the mean is missing."""
    found = features_on(panel_from("2026-03-01", sleep_duration=[None, 400, 420, None, 440, 500]), "2026-03-07")
    assert found["sleep_duration_mean_7d_min"] == pytest.approx(440.0)
    assert pd.isna(found["sleep_duration_mean_28d_min"])
    found = features_on(panel_from("2026-03-01", sleep_duration=[None, 400, 420]), "2026-03-07")
    assert pd.isna(found["sleep_duration_mean_7d_min"])
    assert found["sleep_duration_last_7d_min"] == 420


def test_the_last_value_is_of_the_last_week(panel_from, features_on):
    """A value of eight days ago is no longer recent."""
    panel = panel_from("2026-03-01", mood_valence=[0.5])
    assert features_on(panel, "2026-03-08")["mood_valence_last_7d"] == 0.5
    assert pd.isna(features_on(panel, "2026-03-09")["mood_valence_last_7d"])


def test_midpoints_use_the_statistics_of_angles(panel_from, features_on):
    """Nights with a middle at 23, 1 and 0 h have their mean at midnight, not at 8 h."""
    found = features_on(panel_from("2026-03-01", sleep_midpoint=[23, 1, 0]), "2026-03-04")
    mean = found["sleep_midpoint_mean_7d_h"]
    assert min(mean, 24 - mean) == pytest.approx(0.0, abs=1e-9)


def test_midpoints_are_compared_with_the_own_past_across_midnight(panel_from, features_on):
    """Usually between 23 and 1 h, these three days at 2 h: two hours later than usual, not 22 hours earlier."""
    found = features_on(panel_from("2026-03-01", sleep_midpoint=[23, 0, 1] * 7 + [2] * 3), "2026-03-25")
    # 21 nights, median 0 h; 14 of them are an hour off it, so the median deviation is 1 h; the usual spread is 0.8 h
    spread = ((21 * 1.4826**2 + 7 * 0.8**2) / 28) ** 0.5
    assert found["sleep_midpoint_z_3d"] == pytest.approx(21 / 28 * 2 / spread)
