"""Rest-activity rhythm, computed on paper from square waves: 12 hours low, 12 hours high."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features import circadian

# DuckDB 2.0 calls what pandas 3.1 deprecates; its warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]

LOW_THEN_HIGH = np.repeat([-1.0, 1.0], 12)
*FIGURES, COVERAGE = circadian.PATTERNS


def days(*each: np.ndarray) -> np.ndarray:
    """One row of days, oldest first."""
    return np.stack(each)[None, :, :]


def with_hours(profile: dict[int, float], others: float) -> np.ndarray:
    """A day of 24 hours."""
    return np.array([profile.get(hour, others) for hour in range(24)])


def test_days_that_are_all_the_same_have_a_stability_of_one():
    """Every hour equals its mean over days."""
    assert circadian.interdaily_stability(days(*[LOW_THEN_HIGH] * 4))[0] == pytest.approx(1.0)


def test_one_day_in_four_upside_down_leaves_a_quarter_of_the_stability():
    """Hourly means are +-1/2, single hours +-1."""
    # n sum_h (1/2)^2 / (24 sum 1) = 96 * 24 / 4 / (24 * 96)
    hours = days(*[LOW_THEN_HIGH] * 3, -LOW_THEN_HIGH)
    assert circadian.interdaily_stability(hours)[0] == pytest.approx(0.25)


def test_stability_uses_valid_hours_only():
    """Three upright days: the missing day takes no part."""
    hours = days(*[LOW_THEN_HIGH] * 3, np.full(24, np.nan))
    assert circadian.interdaily_stability(hours)[0] == pytest.approx(1.0)


def test_an_hour_counts_as_often_as_it_was_seen():
    """Evenings at +1 and nights at -1, one night in two unworn, and one noon of the four at -1 for once."""
    hours = days(*[LOW_THEN_HIGH] * 4)
    hours[0, 2:, :12] = np.nan
    hours[0, 3, 12] = -1.0
    # 24 hours of -1, 47 of +1 and one of -1: mean 22/72, variance 1 - (22/72)^2; within noon 3 of +1 and one of -1:
    # 4 - 2^2/4 = 3 over 72 hours is not between
    variance = 1 - (22 / 72) ** 2
    assert circadian.interdaily_stability(hours)[0] == pytest.approx((variance - 3 / 72) / variance)


def test_variability_counts_the_jumps_between_hours():
    """Four days jump 4 times at noon and 3 times at midnight, by 2 each, over 95 pairs; the variance is 1."""
    hours = days(*[LOW_THEN_HIGH] * 4)
    assert circadian.intradaily_variability(hours)[0] == pytest.approx(7 * 4 / 95)


def test_variability_uses_valid_pairs_only():
    """Without one hour just after a jump two pairs are gone, one of them the jump."""
    hours = days(*[LOW_THEN_HIGH] * 4)
    hours[0, 0, 12] = np.nan
    # mean of 95 hours is -1/95, their variance 1 - 1/95^2
    assert circadian.intradaily_variability(hours)[0] == pytest.approx(6 * 4 / 93 / (1 - 1 / 95**2))


def test_alternating_hours_are_as_broken_up_as_can_be():
    """Every hour jumps by 2 and the variance is 1: IV = 4."""
    assert circadian.intradaily_variability(days(*[np.tile([-1.0, 1.0], 12)] * 3))[0] == pytest.approx(4.0)


def test_fewer_than_72_valid_hours_are_too_few():
    """71 are too few, 72 are enough."""
    hours = days(*[LOW_THEN_HIGH] * 3)
    assert circadian.interdaily_stability(hours)[0] == pytest.approx(1.0)
    hours[0, 1, 5] = np.nan
    assert np.isnan(circadian.interdaily_stability(hours)[0])
    assert np.isnan(circadian.intradaily_variability(hours)[0])


def test_activity_that_never_varies_has_no_rhythm():
    """Missing, not infinite."""
    assert np.isnan(circadian.interdaily_stability(days(*[np.full(24, 3.0)] * 3))[0])
    assert np.isnan(circadian.intradaily_variability(days(*[np.full(24, 3.0)] * 3))[0])


@pytest.mark.parametrize("level", [0.1, 1 / 3, 46.2, 1234.56789])
def test_a_level_that_floats_cannot_hold_has_no_rhythm_either(level):
    """Means of equal hours differ from them in the last bit: no days are alike by that."""
    hours = days(*[np.full(24, level)] * 14)
    assert np.isnan(circadian.interdaily_stability(hours)[0])
    assert np.isnan(circadian.intradaily_variability(hours)[0])


def test_the_quietest_5_and_busiest_10_hours_of_the_average_day():
    """Ten hours of 100 and the rest 20: L5 = 20, M10 = 100, amplitude 80 / 120."""
    l5, m10 = circadian.lowest_and_highest(days(with_hours(dict.fromkeys(range(8, 18), 100.0), 20.0)))
    assert (l5[0], m10[0]) == (20.0, 100.0)
    assert circadian.relative_amplitude(l5, m10)[0] == pytest.approx(2 / 3)


def test_the_quietest_hours_may_lie_across_midnight():
    """Still from 22 to 3 h, 60 steps an hour else: a square wave of amplitude 1."""
    day = with_hours(dict.fromkeys((22, 23, 0, 1, 2), 0.0), 60.0)
    l5, m10 = circadian.lowest_and_highest(days(day))
    assert (l5[0], m10[0]) == (0.0, 60.0)
    assert circadian.relative_amplitude(l5, m10)[0] == 1.0


def test_the_average_day_is_over_valid_hours():
    """An hour seen on one day only counts with that day; an hour never seen leaves both missing."""
    first, second = with_hours({9: 50.0}, 10.0), with_hours({9: np.nan}, 30.0)
    l5, m10 = circadian.lowest_and_highest(days(first, second))
    # hours other than 9 average to 20, hour 9 to 50: M10 = (9 * 20 + 50) / 10
    assert (l5[0], m10[0]) == (pytest.approx(20.0), pytest.approx(23.0))
    first[9] = np.nan
    l5, m10 = circadian.lowest_and_highest(days(first, second))
    assert np.isnan(l5[0])
    assert np.isnan(m10[0])


def test_a_rhythm_without_any_movement_has_no_amplitude():
    """Zero over zero is missing."""
    assert np.isnan(circadian.relative_amplitude(np.array([0.0]), np.array([0.0]))[0])


def test_the_busiest_and_quietest_hours_begin_where_they_do():
    """Busy from 8 to 18 h; still from 22 h on for five hours, across midnight."""
    day = with_hours(dict.fromkeys(range(8, 18), 100.0) | dict.fromkeys((22, 23, 0, 1, 2), 0.0), 20.0)
    l5, m10 = circadian.onsets(days(day))
    assert (l5[0], m10[0]) == (22, 8)


def test_a_day_that_never_varies_has_neither():
    """No hour is quieter than another."""
    l5, m10 = circadian.onsets(days(np.full(24, 5.0)))
    assert np.isnan(l5[0])
    assert np.isnan(m10[0])


def test_the_cosine_of_a_square_wave():
    """+-1 by half days around 18 h: A = (2 / 24) sum x cos = (1 / 6) / sin(7.5 degrees), just above 4 / pi."""
    # the 12 cosines of 7.5, 22.5, ... 82.5 degrees on either side of the peak sum to 1 / sin(7.5 degrees)
    mesor, swing, peak = circadian.cosinor(days(LOW_THEN_HIGH, LOW_THEN_HIGH))
    assert [mesor[0], swing[0], peak[0]] == pytest.approx([0, 1 / 6 / np.sin(np.pi / 24), 18])


def test_a_cosine_is_found_whatever_hours_are_missing():
    """50 + 30 cos(2 pi (t - 3) / 24): six nights of other days unworn do not move mesor, swing or peak."""
    day = 50 + 30 * np.cos(2 * np.pi * (np.arange(24) + 0.5 - 3) / 24)
    hours = np.tile(day, (2, 7, 1))
    hours[0, :6, 0:9] = np.nan
    hours[0, 6, 12:] = np.nan
    for figure, expected in zip(circadian.cosinor(hours), (50, 30, 3), strict=True):
        np.testing.assert_allclose(figure, expected, rtol=1e-9)


def test_uneven_hours_are_fitted_by_least_squares():
    """Noise on unevenly missing hours: the same three numbers as a general solver gives."""
    dice = np.random.default_rng(1)
    hours = np.where(dice.random((1, 14, 24)) < 0.6, dice.normal(70, 8, (1, 14, 24)), np.nan)
    day, hour = np.nonzero(np.isfinite(hours[0]))
    turns = 2 * np.pi * (hour + 0.5) / 24
    design = np.stack([np.ones(len(hour)), np.cos(turns), np.sin(turns)], axis=1)
    mesor, east, north = np.linalg.lstsq(design, hours[0, day, hour])[0]
    expected = [mesor, np.hypot(east, north), np.arctan2(north, east) * 12 / np.pi % 24]
    assert [figure[0] for figure in circadian.cosinor(hours)] == pytest.approx(expected, rel=1e-9)


def test_a_cosine_needs_48_hours_and_18_clock_hours():
    """Worn by day only, the night would be made up; 47 hours are too few; 48 are enough."""
    day = 50 + 30 * np.cos(2 * np.pi * (np.arange(24) + 0.5 - 15) / 24)
    hours = np.tile(day, (3, 4, 1))
    hours[0, :, 17:] = np.nan  # 68 hours, 17 clock hours
    hours[1, 2:] = np.nan
    hours[1, 0, 4] = np.nan  # 47 hours
    hours[2, 2:] = np.nan  # 48 hours
    for figure, expected in zip(circadian.cosinor(hours), (50, 30, 15), strict=True):
        np.testing.assert_allclose(figure, [np.nan, np.nan, expected], rtol=1e-9)


def test_what_never_varies_peaks_nowhere():
    """A level and no swing; the time of a peak would be rounding."""
    mesor, swing, peak = circadian.cosinor(days(np.full(24, 0.1), np.full(24, 0.1)))
    assert (mesor[0], swing[0]) == pytest.approx((0.1, 0), abs=1e-12)
    assert np.isnan(peak[0])


def test_a_row_gives_the_same_bits_whatever_stands_beside_it():
    """Alone, or among a thousand others."""
    hours = np.random.default_rng(2).gamma(0.5, 300, (1000, 14, 24))
    for pattern in FIGURES:
        alone = [pattern.compute(hours[place : place + 1]) for place in (0, 517, 999)]
        for figure, among in enumerate(pattern.compute(hours)):
            np.testing.assert_array_equal([found[figure][0] for found in alone], among[[0, 517, 999]])


def test_names_stand_for_what_is_computed():
    """Two upright days in three, one without its morning: each figure by its name."""
    hours = days(LOW_THEN_HIGH, LOW_THEN_HIGH, -LOW_THEN_HIGH, LOW_THEN_HIGH) + 2.0
    found = {}
    for pattern in FIGURES:
        values = pattern.compute(hours)
        found |= {feature.name: value[0] for feature, value in zip(pattern.features, values, strict=True)}
    l5, m10 = circadian.lowest_and_highest(hours)
    # The average day is 1.5 and 2.5: half the wave around 2.
    expected = {
        "circadian_stability": 0.25, "circadian_variability": circadian.intradaily_variability(hours)[0],
        "circadian_l5": 1.5, "circadian_m10": 2.5, "circadian_amplitude": 0.25, "circadian_l5_onset": 0,
        "circadian_m10_onset": 12, "circadian_mesor": 2.0, "circadian_swing": 1 / 12 / np.sin(np.pi / 24),
        "circadian_acrophase": 18,
    }  # fmt: skip
    assert (l5[0], m10[0]) == (1.5, 2.5)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("midnight", "offsets", "expected"),
    [
        # 23 hours: 1 h is followed by 3 h, and 2 h is missing, not still.
        (datetime(2026, 3, 28, 23, tzinfo=UTC), (60, 60, 120, 120), [60, 60, np.nan, 60, 60]),
        # 25 hours: 2 h comes twice, and is as busy as the hours beside it.
        (datetime(2026, 10, 24, 22, tzinfo=UTC), (120, 120, 120, 60, 60), [60, 60, 60, 60, np.nan]),
    ],
)
def test_nights_on_which_clocks_change(panel_of, midnight, offsets, expected):
    """One step a minute from midnight in Berlin on."""
    rows = [
        {"minute_at": midnight + timedelta(hours=hour, minutes=m), "device_id": "band", "steps": 1 + (m == 0) - (m == 1),
         "utc_offset_min": offset, "received_at": midnight + timedelta(days=2)}
        for hour, offset in enumerate(offsets) for m in range(60)
    ]  # fmt: skip
    panel = panel_of("Europe/Berlin", wearable=rows)
    np.testing.assert_array_equal(panel[[f"activity_h{hour:02d}" for hour in range(5)]].to_numpy(), [expected])


def test_a_traveller_has_the_rhythm_of_the_clock_on_the_wall(panel_of):
    """9 and 10 h in Berlin, then 15 h in New York, which is 20 h in UTC: hours of the wall clock."""
    told = [(datetime(2026, 3, 2, hour, m, tzinfo=UTC), offset, 10 + m % 2)
            for hour, offset in ((8, 60), (9, 60), (20, -300)) for m in range(60)]  # fmt: skip
    rows = [{"minute_at": at, "utc_offset_min": offset, "steps": n, "device_id": "band"} for at, offset, n in told]
    day = panel_of(wearable=rows).iloc[0]
    seen = {hour: day[f"activity_h{hour:02d}"] for hour in range(24) if pd.notna(day[f"activity_h{hour:02d}"])}
    # 30 x 10 + 30 x 11; 20:00 UTC is 15 h five hours west of Greenwich
    assert seen == {9: 630, 10: 630, 15: 630}


def test_the_window_is_two_weeks_in_the_order_of_time(panel_from, features_on):
    """Variability pairs the last hour of a day with the first of the next, not of the one before."""
    # Day k holds k * 24 ... k * 24 + 23: a ramp, whose successive hours all differ by 1.
    hours = {f"activity_h{hour:02d}": [24.0 * day + hour for day in range(3)] for hour in range(24)}
    name, panel = "circadian_variability_14d", panel_from("2026-03-01", **hours)
    # 72 hours in a row have the population variance (72^2 - 1) / 12
    assert features_on(panel, "2026-03-04", features=[name])[name] == pytest.approx(12 / (72**2 - 1))
    assert np.isnan(features_on(panel, "2026-03-16", features=[name])[name])
