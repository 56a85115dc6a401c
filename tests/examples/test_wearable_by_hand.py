"""Activity, heart and wear measures of a day, computed on paper."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features import activity, heart

# DuckDB 2.0 calls what pandas 3.1 deprecates; its warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


def minutes(hour: int, n: int, device: str = "band", **values: object) -> list[dict[str, object]]:
    """`n` equal minutes from the full hour of 2 March 2026 on."""
    start = MIDNIGHT + timedelta(hours=hour)
    return [{"minute_at": start + timedelta(minutes=m), "device_id": device, **values} for m in range(n)]


def summary(metric: str, value: float) -> dict[str, object]:
    """A vendor's figure for 2 March 2026."""
    return {"local_date": date(2026, 3, 2), "metric": metric, "value": value, "device_id": "band"}


def the_day(panel: pd.DataFrame) -> pd.Series:
    """The only row of a panel."""
    assert len(panel) == 1
    return panel.iloc[0]


def test_steps_brisk_and_sitting_minutes(panel_of):
    """A minute of 100 steps is brisk, one of 99 is not; sitting is a share of worn minutes."""
    rows = minutes(9, 2, steps=100) + minutes(10, 1, steps=99) + minutes(11, 5, steps=0, worn=True)
    day = the_day(panel_of(wearable=rows))
    assert day["activity_steps"] == 2 * 100 + 99
    assert day["activity_brisk_minutes"] == 2
    # 5 still of 8 worn minutes: steps say that the device was worn where it does not say so itself
    assert day["activity_sedentary_share"] == pytest.approx(5 / 8)
    assert day["adherence_wear_minutes"] == 8


def test_minutes_of_a_device_in_the_drawer_are_not_sitting(panel_of):
    """No steps, no heart rate and not worn: neither worn nor still, but zero steps all the same."""
    rows = minutes(9, 3, steps=0, worn=False) + minutes(10, 2, steps=0) + minutes(11, 1, steps=0, heart_rate=60)
    day = the_day(panel_of(wearable=rows))
    assert day["adherence_wear_minutes"] == 1
    assert day["activity_sedentary_share"] == 1.0
    assert day["activity_steps"] == 0


def test_a_device_without_a_step_counter_has_no_steps(panel_of):
    """Missing, never zero."""
    day = the_day(panel_of(wearable=minutes(9, 3, heart_rate=60)))
    assert pd.isna(day["activity_steps"])
    assert pd.isna(day["activity_brisk_minutes"])


def test_two_devices_do_not_count_every_step_twice(panel_of):
    """The device with more minutes speaks for the day."""
    day = the_day(panel_of(wearable=minutes(9, 2, "phone", steps=50) + minutes(9, 3, "band", steps=40)))
    assert day["activity_steps"] == 3 * 40


def test_entropy_is_that_of_the_hourly_shares_of_steps():
    """Equal steps in two hours give ln 2, in one hour 0, and none at all nothing."""
    hours = np.full((4, 24), np.nan)
    hours[0, [9, 17]] = 500
    hours[1, 9] = 500
    hours[2, :] = 0
    hours[3, [9, 10, 11]] = [200, 100, 100]
    # last: shares 1/2, 1/4, 1/4: (1/2) ln 2 + 2 (1/4) ln 4 = 1.5 ln 2
    expected = [np.log(2), 0.0, np.nan, 1.5 * np.log(2)]
    np.testing.assert_allclose(activity.entropy(hours), expected, atol=1e-12)


def test_the_resting_rate_is_the_lowest_hour_with_20_valid_minutes():
    """An hour of 19 minutes is too short to be believed."""
    counts, sums = np.zeros((2, 24)), np.zeros((2, 24))
    counts[0, [2, 3, 4]] = [20, 60, 19]
    sums[0, [2, 3, 4]] = [20 * 58, 60 * 55, 19 * 40]
    counts[1, 3], sums[1, 3] = 19, 19 * 55
    np.testing.assert_array_equal(heart.resting(sums, counts), [55.0, np.nan])


def test_the_night_dip_is_the_fall_from_day_to_night():
    """60 at night against 80 by day is a dip of a quarter; too little of either and it is missing."""
    counts, sums = np.zeros((3, 24)), np.zeros((3, 24))
    counts[:, 0], sums[:, 0] = 20, 20 * 50
    counts[:, 5], sums[:, 5] = 20, 20 * 70
    counts[:, 12], sums[:, 12] = [30, 19, 30], [30 * 80, 19 * 80, 30 * 80]
    counts[:, [6, 9, 22]], sums[:, [6, 9, 22]] = 60, 60 * 150  # neither night nor day
    counts[2, :6] = 0
    # night (20 * 50 + 20 * 70) / 40 = 60; 1 - 60 / 80
    np.testing.assert_allclose(heart.night_dip(sums, counts), [0.25, np.nan, np.nan])


def test_heart_measures_of_a_day(panel_of):
    """Means are over the minutes that have a value."""
    rows = minutes(3, 20, heart_rate=50) + minutes(12, 20, heart_rate=80, hrv_rmssd=40) + minutes(13, 5, steps=3)
    day = the_day(panel_of(wearable=rows))
    assert day["heart_resting"] == 50
    assert day["heart_mean"] == pytest.approx(65)
    assert day["heart_hrv"] == pytest.approx(40)
    # 1 - 50 / 80
    assert day["heart_night_dip"] == pytest.approx(0.375)


def test_hours_are_those_of_the_subjects_wall_clock(panel_of):
    """Steps at 22:00 UTC are steps at midnight of the next day where clocks are two hours ahead."""
    day = the_day(panel_of(wearable=minutes(22, 3, steps=10, utc_offset_min=120)))
    assert day["local_date"] == pd.Timestamp("2026-03-03")
    assert day["activity_h00"] == 30
    assert pd.isna(day["activity_h22"])


def test_a_vendors_figure_stands_in_only_where_no_minutes_give_the_measure(panel_of):
    """Own steps win; the resting rate, which three minutes cannot give, is the vendor's; units are converted."""
    vendor = [summary("steps", 9000), summary("resting_heart_rate", 61), summary("sleep_efficiency", 92)]
    day = the_day(panel_of(wearable=minutes(9, 3, steps=10, heart_rate=70), wearable_days=vendor))
    assert day["activity_steps"] == 30
    assert day["heart_resting"] == 61
    assert day["sleep_efficiency"] == pytest.approx(0.92)
    assert the_day(panel_of(wearable_days=vendor))["activity_steps"] == 9000


def test_minutes_synced_later_complete_the_day_from_then_on(panel_of):
    """The first sync gives 30 steps; the one at noon of 5 March adds 40 for the index date of the 6th."""
    late = minutes(18, 4, steps=10, received_at=datetime(2026, 3, 5, 12, tzinfo=UTC))
    panel = panel_of(wearable=minutes(9, 3, steps=10) + late)
    assert panel["known_on"].tolist() == [pd.Timestamp("2026-03-03"), pd.Timestamp("2026-03-06")]
    assert panel["activity_steps"].tolist() == [30, 70]
