"""Stuck sensors, two devices, nights told twice and flags, each worked out on paper."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features import flags, heart
from features.days import Days
from features.hours import HOUR_COLUMNS
from features.plausibility import counts

# DuckDB 2.0 calls what pandas 3.1 deprecates; its warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
# Received before the cutoff of 3, 4 and 5 March.
FIRST, SECOND, THIRD = (datetime(2026, 3, day, tzinfo=UTC) for day in (3, 4, 5))


@pytest.fixture(autouse=True)
def few_minutes_make_a_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told here is who speaks, in a handful of minutes."""
    monkeypatch.setattr(heart, "FEWEST_DAY_MINUTES", 1)


def minutes(hour: float, values: list[int], column: str = "heart_rate", **more: object) -> list[dict[str, object]]:
    """One minute per value from an hour after midnight of 2 March on."""
    start = MIDNIGHT + timedelta(hours=hour)
    return [{"minute_at": start + timedelta(minutes=m), column: value, "device_id": "band", **more}
            for m, value in enumerate(values)]  # fmt: skip


def varied(n: int) -> list[int]:
    """Heart rates around 70 that are never the same twice."""
    return [70 + m % 2 for m in range(n)]


def on(panel: pd.DataFrame, day: str, known_on: str) -> pd.Series:
    """The version of a day that begins on an index date."""
    found = panel[(panel["local_date"] == day) & (panel["known_on"] == known_on)]
    assert len(found) == 1
    return found.iloc[0]


def told(found: Days) -> list[tuple[str, str, str]]:
    """Findings as (day, index date, rule)."""
    return [(f"{f.local_date:%m-%d}", f"{f.known_on:%m-%d}", f.rule) for f in found.findings.itertuples()]


def test_a_heart_rate_that_is_constant_for_six_hours_is_missing_and_not_calm(days_of):
    """06:00 to 12:00 at 48 would be the resting rate; without it the rest of the day speaks."""
    rows = minutes(6, [48] * 360) + minutes(12, varied(60)) + minutes(13, varied(60))
    found = days_of(wearable=rows)
    day = on(found.panel, "2026-03-02", "2026-03-03")
    assert day["heart_resting"] == 70.5
    assert day["heart_mean"] == 70.5
    assert day["adherence_wear_minutes"] == 120
    assert told(found) == [("03-02", "03-03", "stuck_heart_rate")]


def test_a_heart_rate_that_is_constant_for_three_days_is_missing_on_all_of_them(days_of):
    """Days of one value have no heart measures at all."""
    rows = minutes(0, [64] * 3 * 1440, received_at=datetime(2026, 3, 5, 1, tzinfo=UTC))
    panel = days_of(wearable=rows).panel
    assert len(panel) == 3
    assert panel[["heart_resting", "heart_mean", "heart_night_dip"]].isna().all(axis=None)


def test_one_constant_hour_is_a_coincidence(days_of):
    """An hour of one value between others stays; so do two that differ."""
    rows = minutes(6, [48] * 60) + minutes(7, [50] * 60) + minutes(8, varied(60))
    found = days_of(wearable=rows)
    assert on(found.panel, "2026-03-02", "2026-03-03")["heart_resting"] == 48
    assert told(found) == []


def test_too_few_equal_minutes_are_a_coincidence(days_of):
    """19 equal minutes in each of two hours are believed, 20 are not."""
    few = minutes(6, [48] * 19) + minutes(7, [48] * 19)
    enough = minutes(6, [48] * 20) + minutes(7, [48] * 20)
    assert days_of(wearable=few).panel["heart_mean"].tolist() == [48]
    assert days_of(wearable=enough).panel["heart_mean"].isna().all()


def test_no_steps_at_night_are_not_stuck_but_constant_steps_are(days_of):
    """Zeros are sleep; eleven steps in every minute of two hours are a broken counter."""
    asleep = minutes(0, [0] * 300, "steps", worn=True)
    stuck = minutes(9, [11] * 120, "steps", worn=True)
    walk = minutes(12, [100, 20], "steps", worn=True)
    evening = minutes(13, [0] * 600, "steps", worn=True)
    found = days_of(wearable=asleep + stuck + walk + evening)
    day = on(found.panel, "2026-03-02", "2026-03-03")
    assert day["activity_steps"] == 120
    assert day["activity_h00"] == 0
    assert pd.isna(day["activity_h09"])
    assert told(found) == [("03-02", "03-03", "stuck_steps")]


def test_an_hour_at_the_end_of_the_range_is_saturated(days_of):
    """240 bpm for 20 minutes of one hour is no heart; it needs no second hour."""
    found = days_of(wearable=minutes(9, [240] * 20) + minutes(10, varied(40)))
    assert on(found.panel, "2026-03-02", "2026-03-03")["heart_mean"] == 70.5
    assert told(found) == [("03-02", "03-03", "saturated_heart_rate")]


def test_over_midnight_an_hour_is_stuck_from_when_its_neighbour_is_known(days_of):
    """23:00 is constant; that 00:00 is too comes to be known a day later, and changes the old day only then."""
    rows = minutes(12, varied(60), received_at=FIRST) + minutes(23, [55] * 60, received_at=FIRST)
    rows += minutes(24, [55] * 60, received_at=SECOND) + minutes(36, varied(60), received_at=SECOND)
    panel = days_of(wearable=rows).panel
    assert on(panel, "2026-03-02", "2026-03-03")["heart_resting"] == 55
    assert on(panel, "2026-03-02", "2026-03-04")["heart_resting"] == 70.5
    assert on(panel, "2026-03-03", "2026-03-04")["heart_resting"] == 70.5
    assert len(panel) == 3


def test_a_correction_over_midnight_gives_the_old_day_back(days_of):
    """When the sender corrects 00:00, the hour before it is an ordinary quiet hour again."""
    rows = minutes(23, [55] * 60, received_at=FIRST) + minutes(24, [55] * 60, received_at=FIRST)
    rows += minutes(24, varied(60), received_at=THIRD, version=1)
    panel = days_of(wearable=rows).panel
    assert pd.isna(on(panel, "2026-03-02", "2026-03-03")["heart_mean"])
    assert on(panel, "2026-03-02", "2026-03-05")["heart_mean"] == 55
    assert on(panel, "2026-03-03", "2026-03-05")["heart_mean"] == 70.5


def test_a_corrected_minute_ends_a_stuck_hour(days_of):
    """Constant as first told, varied as corrected: each version by what was known."""
    rows = minutes(9, [60] * 120, received_at=FIRST)
    rows += minutes(9, varied(30), received_at=SECOND, version=1)
    panel = days_of(wearable=rows).panel
    assert pd.isna(on(panel, "2026-03-02", "2026-03-03")["heart_mean"])
    # 30 minutes of 70.5 and 90 of 60
    assert on(panel, "2026-03-02", "2026-03-04")["heart_mean"] == pytest.approx((30 * 70.5 + 90 * 60) / 120)


def test_a_receipt_at_the_cutoff_itself_is_in_time_and_a_microsecond_later_is_not(days_of):
    """The night of 3 March ends at 03:00."""
    cutoff = datetime(2026, 3, 3, 3, tzinfo=UTC)
    for late, night in ((0, "2026-03-03"), (1, "2026-03-04")):
        rows = minutes(9, [70], received_at=cutoff + timedelta(microseconds=late))
        assert days_of(wearable=rows).panel["known_on"].tolist() == [pd.Timestamp(night)]


def two_devices() -> list[dict[str, object]]:
    """A band with the longer day, a chest strap with two of the same minutes and one of its own."""
    band = minutes(9, [80, 82, 84, 86], device_model="Band 5")
    strap = minutes(9, [70, 71], device_id="strap", device_model="Strap")
    return band + strap + minutes(10, [72], device_id="strap", device_model="Strap")


def strap_and_band(hours: int, missing: int, band: list[int], **more: object) -> list[dict[str, object]]:
    """A strap that says 60 in every minute from 09:00 on but the last few of each hour; a band beside it."""
    strap = [row for hour in range(hours)
             for row in minutes(9 + hour, [60] * (60 - missing), device_id="strap", device_model="Strap", **more)]  # fmt: skip
    return strap + minutes(9, band, device_model="Band 5", **more)


def test_a_stuck_device_that_is_preferred_does_not_speak_though_another_fills_its_gaps(days_of):
    """The strap is stuck for 59 of 60 minutes of two hours: the band's 70 and 71 count, not a calm mean near 60."""
    found = days_of(wearable=strap_and_band(2, 1, varied(120)), preference=["Strap"])
    assert found.panel["heart_mean"].tolist() == [70.5]
    assert found.panel["heart_resting"].tolist() == [70.5]
    assert found.panel["adherence_wear_minutes"].tolist() == [120]
    assert told(found) == [("03-02", "03-03", "stuck_heart_rate"), ("03-02", "03-03", "two_devices")]


def test_hours_of_a_stuck_device_are_the_sound_ones(days_of):
    """The strap is stuck in all 60 minutes of two hours, the band has 40 of the first: its are there."""
    panel = days_of(wearable=strap_and_band(2, 0, varied(40)), preference=["Strap"]).panel
    assert panel["heart_mean"].tolist() == [70.5]
    assert panel["adherence_wear_minutes"].tolist() == [40]


def test_two_devices_that_agree_are_not_stuck(days_of):
    """Each says 60 in fifteen minutes of two hours: too few for either to be stuck, whatever they say together."""
    rows = minutes(9, [60] * 15, device_id="strap", device_model="Strap") + minutes(9.25, [60] * 15)
    rows += minutes(10, [60] * 15, device_id="strap", device_model="Strap") + minutes(10.25, [60] * 15)
    found = days_of(wearable=rows, preference=["Strap"])
    assert found.panel["heart_mean"].tolist() == [60]
    assert told(found) == [("03-02", "03-03", "two_devices")]


def test_steps_of_a_device_whose_heart_rate_is_stuck_count(days_of):
    """Only the sensor that is stuck has no say."""
    strap = minutes(9, [60] * 120, device_id="strap", device_model="Strap", steps=3)
    band = minutes(9, varied(120), device_model="Band 5", steps=10)
    strap[0]["steps"] = 5
    strap[60]["steps"] = 5
    strap += minutes(12, [0] * 480, "steps", device_id="strap", device_model="Strap", worn=True)
    day = days_of(wearable=strap + band, preference=["Strap"]).panel.iloc[0]
    assert (day["heart_mean"], day["activity_steps"]) == (70.5, 118 * 3 + 2 * 5)


def test_a_preferred_device_is_stuck_from_when_the_hour_over_midnight_is_known(days_of):
    """Its 23:00 is believed on the 3rd; on the 4th, with its 00:00 known, the band speaks for 23:00."""
    strap = {"device_id": "strap", "device_model": "Strap"}
    rows = minutes(23, [55] * 60, **strap) + minutes(23, varied(60), device_model="Band 5")
    rows += minutes(24, [55] * 60, received_at=SECOND, **strap)
    panel = days_of(wearable=rows, preference=["Strap"]).panel
    assert on(panel, "2026-03-02", "2026-03-03")["heart_mean"] == 55
    assert on(panel, "2026-03-02", "2026-03-04")["heart_mean"] == 70.5
    assert pd.isna(on(panel, "2026-03-03", "2026-03-04")["heart_mean"])


def test_a_version_in_which_only_one_device_tells_keeps_its_hours(days_of):
    """The band is known on the 3rd, the strap's one minute comes a day later."""
    rows = minutes(9, [80, 82]) + minutes(9, [70], device_id="strap", device_model="Strap", received_at=SECOND)
    panel = days_of(wearable=rows, preference=["Strap"]).panel
    assert panel["heart_mean"].tolist() == [81, 70]


def test_without_a_preference_the_device_with_more_minutes_speaks(days_of):
    """Four minutes against three."""
    found = days_of(wearable=two_devices())
    assert found.panel["heart_mean"].tolist() == [83]
    assert told(found) == [("03-02", "03-03", "two_devices")]


def test_the_preferred_device_speaks_hour_by_hour(days_of):
    """The strap's two minutes of 9 h, not the band's four, and one of 10 h; the band's of 11 h, of which the strap tells nothing."""
    panel = days_of(wearable=two_devices() + minutes(11, [90, 92], device_model="Band 5"), preference=["Strap"]).panel
    assert panel["heart_mean"].tolist() == [pytest.approx((70 + 71 + 72 + 90 + 92) / 5)]
    # most minutes of each hour: 4 + 1 + 2
    assert panel["adherence_wear_minutes"].tolist() == [7]


def test_what_the_preferred_device_does_not_measure_is_the_others(days_of):
    """A strap gives no steps: those of the phone count, and the phone's own heart rate does not."""
    strap = minutes(9, varied(60), device_id="strap", source="strap app")
    phone = minutes(9, [90], device_id="phone", source="phone", steps=33)
    phone += minutes(12, [0] * 600, "steps", device_id="phone", source="phone", worn=True)
    panel = days_of(wearable=strap + phone, preference=["strap app", "phone"]).panel
    assert panel["heart_mean"].tolist() == [70.5]
    assert panel["activity_steps"].tolist() == [33]


def test_a_preferred_device_in_the_drawer_does_not_speak(days_of):
    """It says itself that it was not worn."""
    drawer = minutes(9, [0, 0], "steps", device_id="strap", device_model="Strap", worn=False)
    worn = minutes(9, [10, 20], "steps", device_model="Band 5")
    worn += minutes(12, [0] * 600, "steps", device_model="Band 5")
    assert days_of(wearable=drawer + worn, preference=["Strap"]).panel["activity_steps"].tolist() == [30]


def test_a_preference_that_names_neither_device_changes_nothing(days_of):
    """The rule without one holds."""
    assert days_of(wearable=two_devices(), preference=["Ring"]).panel["heart_mean"].tolist() == [83]


def test_two_sources_without_a_device_name_are_two_devices(days_of):
    """Their steps do not add up."""
    quiet = [0] * 600
    rows = minutes(9, [10, 10, 10, *quiet], "steps", device_id="", source="a")
    rows += minutes(9, [10, 10, *quiet], "steps", device_id="", source="b")
    assert days_of(wearable=rows).panel["activity_steps"].tolist() == [30]


def test_a_second_sync_and_a_correction_each_make_a_version(days_of):
    """An hour, then another, then ten minutes of the first corrected."""
    rows = minutes(9, varied(60), received_at=FIRST) + minutes(10, varied(60), received_at=SECOND)
    rows += minutes(9, [75] * 10, received_at=THIRD, version=1)
    panel = days_of(wearable=rows).panel
    means = panel.set_index("known_on")["heart_mean"].tolist()
    assert means == pytest.approx([70.5, 70.5, (110 * 70.5 + 10 * 75) / 120])


def episode(onset_h: float, offset_h: float, asleep: float, **more: object) -> dict[str, object]:
    """One sleep episode, its ends in hours from midnight of 2 March 2026."""
    ends = {"onset_at": MIDNIGHT + timedelta(hours=onset_h), "offset_at": MIDNIGHT + timedelta(hours=offset_h)}
    return {**ends, "record_id": f"{onset_h} to {offset_h}", "minutes_asleep": asleep, **more}


def test_a_night_sent_again_under_another_id_counts_once(days_of):
    """The same eight hours twice, five minutes apart: one night, no nap."""
    found = days_of(sleep=[episode(-1, 7, 420), episode(-0.9, 7, 415)])
    day = found.panel.iloc[0]
    assert (day["sleep_duration"], day["sleep_naps"]) == (420, 0)
    assert told(found) == [("03-02", "03-03", "overlapping_sleep")]


def test_a_nap_within_a_night_counts_once(days_of):
    """Nested naps are part of the night they lie in."""
    day = days_of(sleep=[episode(-1, 7, 420, is_main=True), episode(2, 3, 55, is_main=False)]).panel.iloc[0]
    assert (day["sleep_duration"], day["sleep_naps"]) == (420, 0)


def test_of_a_slight_overlap_only_the_uncovered_part_counts(days_of):
    """A nap of two hours that begins half an hour before the night ends: three quarters of its 100 minutes."""
    day = days_of(sleep=[episode(-1, 7, 420), episode(6.5, 8.5, 100)]).panel.iloc[0]
    assert day["sleep_duration"] == pytest.approx(420 + 75)


def test_an_episode_that_is_mostly_covered_is_left_out_whole(days_of):
    """Four of its five hours lie within the night: the same sleep, told with another end."""
    day = days_of(sleep=[episode(-1, 7, 420), episode(3, 8, 250)]).panel.iloc[0]
    assert (day["sleep_duration"], day["sleep_naps"]) == (420, 0)


def test_the_main_sleep_is_the_night_even_if_a_nap_was_longer(days_of):
    """22:00 to 02:00 is said to be the main sleep, 10:00 to 15:00 is not: the middle of the night is midnight."""
    day = days_of(sleep=[episode(-2, 2, 200, is_main=True), episode(10, 15, 250, is_main=False)]).panel.iloc[0]
    assert day["sleep_midpoint"] == pytest.approx(0)
    assert day["sleep_naps"] == 1


def test_a_split_night_is_one_night(days_of):
    """22:00 to 01:00 and 02:00 to 06:00: its middle is 02:00, and the second part is no nap."""
    found = days_of(sleep=[episode(-2, 1, 170), episode(2, 6, 220)])
    day = found.panel.iloc[0]
    assert day["sleep_midpoint"] == pytest.approx(2)
    assert (day["sleep_duration"], day["sleep_naps"]) == (390, 0)
    assert told(found) == [("03-02", "03-03", "split_night")]


def test_the_preferred_source_tells_of_the_night(days_of):
    """A ring of six hours against a band of eight."""
    rows = [episode(-1, 7, 420, source="band"), episode(0, 6, 330, source="ring")]
    assert days_of(sleep=rows, preference=["ring"]).panel["sleep_duration"].tolist() == [330]
    assert days_of(sleep=rows).panel["sleep_duration"].tolist() == [420]


def test_a_resent_night_counts_twice_for_nobody_in_any_version(days_of):
    """First one record, then the same under another id: both versions say 420."""
    rows = [episode(-1, 7, 420, received_at=FIRST), episode(-0.5, 7, 400, received_at=SECOND)]
    panel = days_of(sleep=rows).panel
    assert panel["sleep_duration"].tolist() == [420, 420]


def nights(n: int, **by_day: object) -> list[dict[str, object]]:
    """`n` nights of 23:00 to 07:00, each known the next day; values may be functions of the day's number."""
    rows = []
    for day in range(n):
        more = {name: value(day) if callable(value) else value for name, value in by_day.items()}
        received = MIDNIGHT + timedelta(days=day, hours=12)
        rows.append(episode(24 * day - 1, 24 * day + 7, 420 + day % 3, received_at=received, device_id="band") | more)
    return rows


def flagged(found: Days) -> list[tuple[str, str, str]]:
    """Flags as (flag, date, index date)."""
    return [(f.flag, f"{f.on_date:%m-%d}", f"{f.known_on:%m-%d}") for f in flags.flags_of(found).itertuples()]


def test_a_new_device_is_flagged_when_its_first_day_is_known(days_of):
    """From the 5th on another band; the night of the 5th is known on the 6th."""
    rows = nights(6, device_id=lambda day: "old" if day < 3 else "new")
    assert flagged(days_of(sleep=rows)) == [("device_change", "03-05", "03-06")]


def test_a_device_that_takes_turns_with_another_is_flagged_once(days_of):
    """Each was there within the last four weeks."""
    rows = nights(8, device_id=lambda day: "one" if day % 2 else "two")
    assert flagged(days_of(sleep=rows)) == [("device_change", "03-03", "03-04")]


def test_a_flag_is_not_known_before_all_that_it_rests_on(days_of):
    """Both bands tell of their nights on the 12th."""
    rows = nights(4, device_id=lambda day: "old" if day < 3 else "new")
    for row in rows[2:]:
        row["received_at"] = MIDNIGHT + timedelta(days=10, hours=1)
    assert flagged(days_of(sleep=rows)) == [("device_change", "03-05", "03-12")]


@pytest.mark.parametrize(("late", "on_date", "known_on"), [(1, "03-04", "03-05"), (2, "03-05", "03-06")])
def test_a_night_that_comes_in_late_takes_no_flag_back(days_of, late, on_date, known_on):
    """One night of the new band, or the last of the old one, comes in on the 12th: what the 6th saw stays as it was."""
    rows = nights(4, device_id=lambda day: "old" if day < 2 else "new")
    rows[late]["received_at"] = MIDNIGHT + timedelta(days=10, hours=1)
    assert flagged(days_of(sleep=rows)) == [("device_change", on_date, known_on)]


def test_a_new_algorithm_on_the_same_device_is_flagged(days_of):
    """The vendor's update comes on the 6th."""
    rows = nights(6, algorithm_version=lambda day: "1" if day < 4 else "2")
    assert flagged(days_of(sleep=rows)) == [("algorithm_change", "03-06", "03-07")]


def test_sleep_that_shifts_by_20_minutes_with_an_algorithm_is_flagged_when_two_weeks_show_it(days_of):
    """28 steady nights, then 14 under the new algorithm, 20 minutes longer: seen on the index date after the 14th."""
    rows = nights(42, algorithm_version=lambda day: "1" if day < 28 else "2",
                  minutes_asleep=lambda day: 420.0 + day % 3 + 20 * (day >= 28))  # fmt: skip
    assert flagged(days_of(sleep=rows)) == [("algorithm_change", "03-30", "03-31"), ("sleep_shift", "03-30", "04-13")]


def signal(day: int, value: float) -> dict[str, object]:
    """A weight of one day, known the next day."""
    at = MIDNIGHT + timedelta(days=day, hours=8)
    return {"observed_at": at, "name": "weight", "unit": "kg", "value": value, "received_at": at}


@pytest.mark.parametrize("factor", [2.2046, 1 / 2.2046, 60, 1000])
def test_a_level_that_jumps_by_a_unit_is_flagged_when_four_days_show_it(days_of, factor):
    """14 days in kilograms, then in another unit: seen with the fourth of those days."""
    rows = [signal(day, (80 + day % 2) * (factor if day >= 14 else 1)) for day in range(20)]
    found = days_of(signals=rows, sleep=nights(1))
    assert flagged(found) == [("unit_change", "03-16", "03-20")]


def test_a_level_that_jumps_by_what_no_two_units_differ_by_is_not_a_unit(days_of):
    """Four times as much is a change, but of something else."""
    rows = [signal(day, (80 + day % 2) * (4 if day >= 14 else 1)) for day in range(20)]
    assert flagged(days_of(signals=rows, sleep=nights(1))) == []


def test_a_level_that_comes_back_within_four_days_is_not_a_unit(days_of):
    """Three days in pounds, then kilograms again."""
    rows = [signal(day, (80 + day % 2) * (2.2046 if 14 <= day < 17 else 1)) for day in range(24)]
    assert flagged(days_of(signals=rows, sleep=nights(1))) == []


def test_two_rows_received_before_they_happened_are_a_clock_that_is_ahead(days_of):
    """Ten minutes ahead is within what the door lets in; twice on one day is no chance."""
    at = MIDNIGHT + timedelta(hours=9)
    rows = [
        {"answered_at": at + timedelta(minutes=m), "item": "mood", "value": 5.0, "received_at": at} for m in (0, 10, 11)
    ]
    assert flagged(days_of(mood=rows)) == [("clock_ahead", "03-02", "03-03")]
    assert flagged(days_of(mood=rows[:2])) == []


def rhythm(move: int) -> list[float]:
    """Steps per hour of a day that begins at 7 and ends at 22, moved by some hours."""
    return list(
        np.roll(
            [0.0] * 7 + [200, 700, 400, 300, 500, 600, 300, 300, 400, 900, 700, 400, 300, 200, 100] + [0.0] * 2, move
        )
    )


def hourly(moves: list[int]) -> pd.DataFrame:
    """Days of steps per hour, each known on the next day."""
    dates = pd.date_range("2026-03-02", periods=len(moves), freq="D", unit="us")
    days = pd.DataFrame({"subject_id": "ann", "local_date": dates, "known_on": dates + pd.Timedelta(days=1)})
    return pd.concat([days, pd.DataFrame([rhythm(move) for move in moves], columns=HOUR_COLUMNS)], axis=1)


def offsets(days: pd.DataFrame, minutes: list[int]) -> pd.DataFrame:
    """Offsets from UTC of the same days."""
    return days[["subject_id", "local_date", "known_on"]].assign(utc_offset_min=minutes)


def test_a_rhythm_that_moves_by_six_hours_is_the_clock(days_of):
    """From the 9th on everything happens six hours later; three such days show it."""
    days = hourly([0] * 7 + [6] * 5)
    found = flags.clock_shifts(days, offsets(days, [60] * 12))
    assert found["on_date"].tolist() == [pd.Timestamp("2026-03-09")]
    assert found["known_on"].tolist() == [pd.Timestamp("2026-03-12")]


def test_a_rhythm_that_moves_with_the_time_zone_is_a_journey():
    """The wall clock moved by six hours on the same day."""
    days = hourly([0] * 7 + [6] * 5)
    moved = offsets(days, [60] * 7 + [-300] * 5)
    assert flags.clock_shifts(days, moved).empty
    # As long as nobody knew, it was the clock.
    assert len(flags.clock_shifts(days, moved.assign(known_on=pd.Timestamp("2026-03-13")))) == 1


def test_a_rhythm_that_moves_by_an_hour_is_no_clock():
    """Daylight saving time and late risers."""
    days = hourly([0] * 7 + [1] * 5)
    assert flags.clock_shifts(days, offsets(days, [60] * 12)).empty


def test_counts_are_of_the_night_and_in_all():
    """Two subjects' stuck days, one of them new this night, one known too late; and a flag."""
    night = pd.Timestamp(date(2026, 3, 5))
    known_on = [night, night - pd.Timedelta(days=1), night + pd.Timedelta(days=1)]
    findings = pd.DataFrame({"subject_id": ["ann", "bob", "ann"], "local_date": night, "known_on": known_on,
                             "stream": "wearable", "rule": "stuck_steps"})  # fmt: skip
    flag = pd.DataFrame({"subject_id": ["bob"], "stream": "sleep", "measure": "", "flag": "device_change",
                         "on_date": night, "known_on": night})  # fmt: skip
    found = counts(findings, flag, night)
    assert list(found.itertuples(index=False, name=None)) == [
        ("sleep", "device_change", False, 1, 1),
        ("sleep", "device_change", True, 1, 1),
        ("wearable", "stuck_steps", False, 2, 2),
        ("wearable", "stuck_steps", True, 1, 1),
    ]
