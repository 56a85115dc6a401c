"""Resting rate, night dip and daily rhythm of the heart, computed on paper."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from features import heart

# DuckDB 2.0 calls what pandas 3.1 deprecates; its warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]


def minutes(hour: int, n: int, **values: object) -> list[dict[str, object]]:
    """`n` equal minutes from the full hour of 2 March 2026 on."""
    start = datetime(2026, 3, 2, hour, tzinfo=UTC)
    return [{"minute_at": start + timedelta(minutes=m), "device_id": "band", **values} for m in range(n)]


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
    day = panel_of(wearable=rows).iloc[0]
    assert day["heart_resting"] == 50
    assert day["heart_mean"] == pytest.approx(65)
    assert day["heart_hrv"] == pytest.approx(40)
    # 1 - 50 / 80
    assert day["heart_night_dip"] == pytest.approx(0.375)


def test_what_only_a_vendor_gives(panel_of):
    """The highest rate and the variance of a day are not recomputed from minutes; a vendor's are taken over."""
    told = {"heart_rate_max": 151.0, "heart_rate_variance": 90.0}
    rows = [{"local_date": date(2026, 3, 2), "metric": name, "value": value, "device_id": "band"}
            for name, value in told.items()]  # fmt: skip
    day = panel_of(wearable=minutes(9, 30, heart_rate=70), wearable_days=rows).iloc[0]
    assert (day["heart_max"], day["heart_variance"], day["heart_mean"]) == (151, 90, 70)


def test_an_hour_has_a_mean_from_20_valid_minutes_on(panel_of):
    """20 minutes, half of 60 and half of 70, give 65; 19 minutes give nothing; so do minutes on the wrist without a beat."""
    varied = [{**row, "heart_rate": 60 + 10 * (m % 2)} for m, row in enumerate(minutes(3, 20))]
    rows = varied + minutes(4, 10, heart_rate=60) + minutes(5, 30, worn=True)
    rows += [{**row, "heart_rate": 60 + m % 2} for m, row in enumerate(minutes(6, 19))]
    day = panel_of(wearable=rows).iloc[0]
    assert day["heart_h03"] == 65
    assert day[["heart_h04", "heart_h05", "heart_h06"]].isna().all()


def test_an_hour_that_occurs_twice_has_the_mean_of_both(panel_of):
    """When clocks go back: 30 minutes of 60 at 2 h summer time, 30 of 62 at 2 h winter time."""
    receipt = datetime(2026, 10, 26, tzinfo=UTC)
    rows = [
        {"minute_at": datetime(2026, 10, 25, hour, m, tzinfo=UTC), "device_id": "band", "utc_offset_min": offset,
         "heart_rate": rate + m % 2, "received_at": receipt}
        for hour, offset, rate in ((0, 120, 60), (1, 60, 62)) for m in range(30)
    ]  # fmt: skip
    # (15 * 60 + 15 * 61 + 15 * 62 + 15 * 63) / 60
    assert panel_of("Europe/Berlin", wearable=rows)["heart_h02"].tolist() == [61.5]


def test_a_heart_that_beats_in_a_cosine_gives_it_back():
    """70 + 10 cos(2 pi (t - 16) / 24) at the middle of each hour: mesor 70, swing 10, fastest at 16 h."""
    pattern, _ = heart.PATTERNS
    day = 70 + 10 * np.cos(2 * np.pi * (np.arange(24) + 0.5 - 16) / 24)
    found = pattern.compute(np.tile(day, (1, 3, 1)))
    assert [f.name for f in pattern.features] == ["heart_mesor", "heart_swing", "heart_acrophase"]
    assert [value[0] for value in found] == pytest.approx([70, 10, 16])
