"""What a day of a wearable is: whose minutes, worn or not, on which clock, told when; computed on paper."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from features.flags import flags_of

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


def rest_of_the_day(device: str = "band") -> list[dict[str, object]]:
    """Ten more hours without a step: with them, a few minutes are a day."""
    return minutes(12, 600, device, steps=0)


def lively(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """The same with each figure in turn 1 above and 1 below itself: a sensor that repeats itself is stuck."""
    return [{**row, **{name: row[name] + 1 - 2 * (m % 2) for name in ("steps", "heart_rate") if row.get(name)}}
            for m, row in enumerate(rows)]  # fmt: skip


def summary(metric: str, value: float) -> dict[str, object]:
    """A vendor's figure for 2 March 2026."""
    return {"local_date": date(2026, 3, 2), "metric": metric, "value": value, "device_id": "band"}


def the_day(panel: pd.DataFrame) -> pd.Series:
    """The only row of a panel."""
    assert len(panel) == 1
    return panel.iloc[0]


def test_minutes_of_a_device_in_the_drawer_are_not_sitting(panel_of):
    """Where it does not say so, a minute without steps and heart rate was not worn either: neither is still."""
    rows = minutes(9, 3, steps=0, worn=False) + minutes(10, 2, steps=0)
    rows += lively(minutes(11, 600, steps=0, heart_rate=60))
    day = the_day(panel_of(wearable=rows))
    assert day["adherence_wear_minutes"] == 600
    assert day["activity_sedentary_share"] == 1.0
    assert day["activity_steps"] == 0


def test_a_day_in_the_drawer_is_no_calm_day(panel_of):
    """A device that says that it was not worn tells nothing of its subject, even where it writes steps and a pulse."""
    day = the_day(
        panel_of(wearable=minutes(7, 900, steps=0, worn=False) + minutes(22, 1, steps=3, heart_rate=70, worn=False))
    )
    assert day["adherence_wear_minutes"] == 0
    assert day.filter(regex="^(activity|heart)").isna().all()


@pytest.mark.parametrize("preference", [(), ("Band",), ("Phone",)])
def test_a_device_in_the_drawer_does_not_silence_the_worn_one(panel_of, preference):
    """All day long it says that it was not worn: however many minutes that are, the other's 900 are the day's."""
    band = minutes(7, 900, "a", device_model="Band")
    band = [{**row, "steps": place % 3, "heart_rate": 60 + place % 7} for place, row in enumerate(band)]
    drawer = minutes(0, 1440, "b", steps=0, worn=False, device_model="Phone")
    alone, both = (the_day(panel_of(wearable=rows, preference=preference)) for rows in (band, band + drawer))
    pd.testing.assert_series_equal(alone, both)
    # 300 x (0 + 1 + 2) steps
    assert (both["adherence_wear_minutes"], both["activity_steps"]) == (900, 900)


def test_a_drawer_is_no_other_device(days_of):
    """A second device that is never worn ends no past of the first."""
    days = [{**row, "minute_at": row["minute_at"] + timedelta(days=day), "heart_rate": 60 + place % 7}
            for day in range(12) for place, row in enumerate(minutes(7, 900, "a", steps=1))]  # fmt: skip
    drawer = [{**row, "minute_at": row["minute_at"] + timedelta(days=day)}
              for day in range(5, 12) for row in minutes(0, 1440, "b", steps=0, worn=False)]  # fmt: skip
    assert not (flags_of(days_of(wearable=days + drawer))["flag"] == "device_change").any()


def test_a_battery_that_goes_flat_in_the_evening_leaves_the_evening_unknown(panel_of):
    """A pulse and 5 steps a minute from 0 to 17 h, then zeros alone: 17 hours count, 660 of their minutes after 6 h."""
    rows = [*lively(minutes(0, 1020, steps=5, heart_rate=60)), *minutes(17, 420, steps=0)]
    day = the_day(panel_of(wearable=rows))
    assert (day["activity_steps"], day["activity_h16"], day["adherence_wear_minutes"]) == (5100, 300, 1020)
    assert day[[f"activity_h{hour}" for hour in range(17, 24)]].isna().all()
    assert day["activity_sedentary_share"] == 0


def test_a_night_in_bed_with_the_device_on_is_no_day(panel_of):
    """Worn from 0 to 10 h: 600 minutes, of which 240 tell of a day."""
    day = the_day(panel_of(wearable=lively(minutes(0, 600, steps=2, heart_rate=60)) + minutes(10, 840, steps=0)))
    assert day[["activity_steps", "activity_sedentary_share", "activity_entropy"]].isna().all()
    assert (day["adherence_wear_minutes"], day["activity_h09"]) == (600, 120)


def test_a_pedometer_counts_steps_and_nobody_knows_who_wore_it_still(panel_of):
    """10 minutes of 50 steps in a day of zeros: 500 steps; wear, sitting and bouts are missing. Not carried, it was not worn."""
    rows = (
        minutes(0, 600, steps=0)
        + minutes(10, 10, steps=50)
        + [row for h in range(11, 24) for row in minutes(h, 60, steps=0)]
    )
    day = the_day(panel_of(wearable=rows))
    assert (day["activity_steps"], day["activity_h20"]) == (500, 0)
    unknown = ["sedentary_share", "sedentary_bout", "sedentary_longest", "rest_to_active", "active_to_rest"]
    assert day[["adherence_wear_minutes", *(f"activity_{name}" for name in unknown)]].isna().all()
    assert the_day(panel_of(wearable=minutes(0, 1440, steps=0)))["adherence_wear_minutes"] == 0


def test_a_pulse_every_ten_minutes_is_a_band_that_is_worn(panel_of):
    """720 minutes from 8 h on, 600 of them without a step, most without a pulse: sitting is 600 of 720."""
    rows = minutes(8, 600, steps=0) + lively(minutes(18, 120, steps=20))
    for row in rows[::10]:
        row["heart_rate"] = 60 + len(rows) % 7
    day = the_day(panel_of(wearable=rows))
    assert day["activity_sedentary_share"] == pytest.approx(600 / 720)
    assert (day["activity_sedentary_longest"], day["activity_steps"]) == (600, 2400)


def test_sitting_is_known_only_where_steps_are_told(panel_of):
    """A pulse alone tells nothing of it; of a day whose steps are told till 20 h, 660 of 720 minutes were still."""
    pulse = [row for h in range(24) for row in minutes(h, 60, heart_rate=60 + h)]
    assert pd.isna(the_day(panel_of(wearable=pulse))["activity_sedentary_share"])
    for minute, row in enumerate(pulse[8 * 60 : 20 * 60]):
        row["steps"] = 0 if minute < 660 else 30
    assert the_day(panel_of(wearable=pulse))["activity_sedentary_share"] == pytest.approx(660 / 720)


def test_a_mean_pulse_needs_20_minutes(panel_of):
    """19 are a device put on once."""
    assert pd.isna(the_day(panel_of(wearable=minutes(3, 19, heart_rate=60)))["heart_mean"])
    assert the_day(panel_of(wearable=minutes(3, 20, heart_rate=60)))["heart_mean"] == 60


def test_a_vendors_flat_device_speaks_neither_for_the_worn_one_nor_as_another(days_of):
    """Zeros and a day of sitting of a second band leave the first one's figures, whoever is preferred, and make no change."""
    worn = [{**summary("steps", 8000), "device_id": "b"}, {**summary("sedentary_minutes", 700), "device_id": "b"}]
    flat = [{**summary("steps", 0), "device_id": "c"}, {**summary("sedentary_minutes", 1440), "device_id": "c"}]
    before = [{**row, "local_date": date(2026, 3, 1)} for row in worn]
    found = days_of(wearable_days=[*before, *worn, *flat])
    assert found.panel["activity_steps"].tolist() == [8000, 8000]
    assert found.panel["activity_sedentary_share"].tolist() == pytest.approx([700 / 1440] * 2)
    assert flags_of(found).empty


def test_a_vendors_day_that_is_corrected_to_nothing_is_nothing_from_then_on(panel_of):
    """8,000 steps, taken for zeros on the 5th: from the 6th on nothing is known of the day."""
    later = {"version": 1, "received_at": datetime(2026, 3, 5, 12, tzinfo=UTC)}
    panel = panel_of(wearable_days=[summary("steps", 8000), {**summary("steps", 0), **later}])
    assert panel["known_on"].tolist()[1:] == [pd.Timestamp("2026-03-06")]
    assert panel["activity_steps"].fillna(-1).tolist() == [8000, -1]


def test_a_pulse_taken_once_is_no_wear(panel_of):
    """A pedometer beside which somebody took the pulse twice stays a pedometer: its still hours count, wear is not known."""
    rows = [row for hour in range(8, 20) for row in lively(minutes(hour, 10, steps=50))]
    rows += [
        row
        for hour in range(24)
        for row in minutes(hour, 60, steps=0)
        if row["minute_at"].minute >= 10 or not 8 <= hour < 20
    ]
    alone = the_day(panel_of(wearable=rows))
    rows[0]["heart_rate"], rows[-1]["heart_rate"] = 60, 61
    spot = the_day(panel_of(wearable=rows))
    assert spot["activity_steps"] == alone["activity_steps"] == 6000
    assert pd.isna(spot["adherence_wear_minutes"])
    assert pd.isna(spot["activity_sedentary_share"])


def test_what_was_done_while_the_device_lay_in_a_locker_is_not_known(panel_of):
    """Worn from midnight to 7 and from 17 to 24 h, off at work: 840 minutes, 480 of them from 6 to 24 h, are no whole day."""
    rows = lively(minutes(0, 420, steps=10, heart_rate=70)) + lively(minutes(17, 420, steps=10, heart_rate=70))
    day = the_day(panel_of(wearable=rows))
    assert day[["activity_steps", "activity_sedentary_share", "activity_entropy"]].isna().all()
    assert day["adherence_wear_minutes"] == 840


@pytest.mark.parametrize(("start", "zeros"), [(0, 120), (22, 0)])
def test_two_hours_of_pulse_are_wear_and_the_rest_of_the_day_is_none(panel_of, start, zeros):
    """A battery that went flat at 2 h, a band put on at 22 h: still minutes of the other hours are no calm day."""
    worn = lively(minutes(start, 120, steps=0 if start == 0 else 5, heart_rate=70))
    day = the_day(panel_of(wearable=worn + minutes(zeros // 60, 1320, steps=0)))
    assert day[["activity_steps", "activity_h12", "activity_entropy"]].isna().all()
    assert day["adherence_wear_minutes"] == 120


def test_a_phone_that_tells_of_steps_only_does_not_silence_a_pedometer(panel_of):
    """180 minutes with steps against a day of which 160 had some: the one that tells a whole day speaks."""
    band = lively(minutes(9, 160, "a", steps=60)) + minutes(12, 700, "a", steps=0)
    phone = lively(minutes(9, 180, "b", steps=60))
    assert the_day(panel_of(wearable=band + phone))["activity_steps"] == 9600


@pytest.mark.parametrize("preference", [(), ("Band",), ("Phone",)])
def test_a_flat_device_does_not_silence_the_worn_one(panel_of, preference):
    """1,440 zeros of a device that shows no sign of being worn, beside 900 minutes of one that does."""
    band = lively(minutes(7, 900, "a", steps=30, heart_rate=75, device_model="Band"))
    flat = minutes(0, 1440, "b", steps=0, device_model="Phone")
    alone, both = (the_day(panel_of(wearable=rows, preference=preference)) for rows in (band, band + flat))
    names = ["activity_steps", "activity_h15", "adherence_wear_minutes", "heart_mean", "activity_sedentary_share"]
    assert both[names].tolist() == alone[names].tolist() == [27000, 1800, 900, 75, 0]


@pytest.mark.parametrize(
    ("told", "known"),
    [({"steps": 0, "sedentary_minutes": 1440}, False), ({"steps": 0}, False), ({"sedentary_minutes": 1440}, False),
     ({"steps": 0, "sedentary_minutes": 1440, "heart_rate_mean": 71, "heart_zone_below_minutes": 1440}, False),
     ({"steps": 0, "resting_heart_rate": 0}, False), ({"steps": 0, "worn_minutes": 0}, False),
     ({"steps": 0, "resting_heart_rate": 60}, False), ({"steps": 12, "sedentary_minutes": 1440}, True),
     ({"steps": 9000, "worn_minutes": 599}, False), ({"steps": 9000, "worn_minutes": 0}, False),
     ({"steps": 0, "sedentary_minutes": 48}, False),
     ({"steps": 0, "worn_minutes": 600}, True),
     ({"sedentary_minutes": 720, "heart_rate_mean": 71}, True), ({"sedentary_minutes": 720, "minutes_asleep": 420}, True),
     ({"steps": 0, "minutes_asleep": 420}, False), ({"sedentary_minutes": 720, "heart_rate_mean": 71, "worn_minutes": 300}, False),
     ({"steps": 0, "exercise_minutes": 20}, True), ({"steps": 0, "heart_zone_peak_minutes": 2}, True)],
)  # fmt: skip
def test_a_vendors_zeros_of_a_day_that_nobody_wore_it_are_no_calm_day(panel_of, told, known):
    """Without a step or a worn minute movement is not known, nor of a day worn for less than ten hours; else a pulse tells."""
    panel = panel_of(wearable_days=[summary(metric, value) for metric, value in told.items()])
    found = [
        name for name in ("activity_steps", "activity_sedentary_share") if name in panel and panel[name].notna().any()
    ]
    assert len(found) == (len({"steps", "sedentary_minutes"} & set(told)) if known else 0)


def test_a_flat_battery_is_no_calm_day(panel_of):
    """Zero steps in every minute, no pulse and no word of being worn: unworn, and of the subject nothing is known."""
    day = the_day(panel_of(wearable=minutes(0, 1440, steps=0)))
    assert day["adherence_wear_minutes"] == 0
    assert day.filter(regex="^(activity|heart)").isna().all()


@pytest.mark.parametrize("checks", [[(8, 1)], [(8, 10), (20, 10)], [(8, 1), (12, 1), (20, 1)]])
def test_a_spot_check_of_the_pulse_makes_a_flat_battery_no_calm_day(panel_of, checks):
    """Zero steps in every minute beside a pulse of a minute or two: worn for so long, and the rest of the day is not known."""
    at = {(hour, minute) for hour, n in checks for minute in range(n)}
    rows = [{**row, "heart_rate": 70 + row["minute_at"].minute % 2}
            if (row["minute_at"].hour, row["minute_at"].minute) in at else row for row in minutes(0, 1440, steps=0)]  # fmt: skip
    day = the_day(panel_of(wearable=rows))
    assert day["adherence_wear_minutes"] == len(at)
    assert (
        day[["activity_steps", "activity_brisk_minutes", "activity_sedentary_share", "activity_entropy"]].isna().all()
    )
    # Of the hour of a check a band that is worn tells; a check or two is no band that is worn.
    assert pd.isna(day["activity_h08"]) == (len(checks) < 3)
    told = [{**summary("steps", 8000.0), "device_id": "phone"}]
    assert the_day(panel_of(wearable=rows, wearable_days=told))["activity_steps"] == 8000


def test_a_device_without_a_step_counter_has_no_steps(panel_of):
    """Missing, never zero."""
    day = the_day(panel_of(wearable=minutes(9, 3, heart_rate=60)))
    assert pd.isna(day["activity_steps"])
    assert pd.isna(day["activity_brisk_minutes"])


def test_two_devices_do_not_count_every_step_twice(panel_of):
    """The device with more minutes speaks for the day."""
    phone = minutes(9, 2, "phone", steps=50) + rest_of_the_day("phone")
    day = the_day(panel_of(wearable=phone + minutes(9, 3, "band", steps=40) + rest_of_the_day()))
    assert day["activity_steps"] == 3 * 40


def test_hours_are_those_of_the_subjects_wall_clock(panel_of):
    """Steps at 22:00 UTC are steps at midnight of the next day where clocks are two hours ahead."""
    day = the_day(panel_of(wearable=minutes(22, 30, steps=10, utc_offset_min=120)))
    assert day["local_date"] == pd.Timestamp("2026-03-03")
    # ten steps a minute
    assert day["activity_h00"] == 600
    assert pd.isna(day["activity_h22"])


def test_a_vendors_figure_stands_in_only_where_no_minutes_give_the_measure(panel_of):
    """Own steps win; the resting rate, which three minutes cannot give, is the vendor's; units are converted."""
    vendor = [summary("steps", 9000), summary("resting_heart_rate", 61), summary("sleep_efficiency", 92)]
    rows = minutes(9, 3, steps=10, heart_rate=70) + minutes(12, 600, steps=0, worn=True)
    day = the_day(panel_of(wearable=rows, wearable_days=vendor))
    assert day["activity_steps"] == 30
    assert day["heart_resting"] == 61
    assert day["sleep_efficiency"] == pytest.approx(0.92)
    assert the_day(panel_of(wearable_days=vendor))["activity_steps"] == 9000


def test_a_vendors_figure_stands_in_on_a_day_worn_in_part(panel_of):
    """Three minutes of 30 steps are no day: the vendor's total is; without one there is none."""
    rows = minutes(9, 3, steps=10)
    assert the_day(panel_of(wearable=rows, wearable_days=[summary("steps", 9000)]))["activity_steps"] == 9000
    assert pd.isna(the_day(panel_of(wearable=rows))["activity_steps"])


def test_minutes_synced_later_complete_the_day_from_then_on(panel_of):
    """The first sync gives 30 steps; the one at noon of 5 March adds 40 for the index date of the 6th."""
    late = minutes(8, 4, steps=10, received_at=datetime(2026, 3, 5, 12, tzinfo=UTC))
    panel = panel_of(wearable=minutes(9, 3, steps=10) + rest_of_the_day() + late)
    assert panel["known_on"].tolist() == [pd.Timestamp("2026-03-03"), pd.Timestamp("2026-03-06")]
    assert panel["activity_steps"].tolist() == [30, 70]


def test_minutes_without_a_word_are_no_minutes(panel_of):
    """A row with a time and nothing else says nothing, not even that a device was not worn: no day, and no wear time of 0."""
    assert panel_of(wearable=minutes(7, 900)).empty
    day = the_day(panel_of(wearable=lively(minutes(7, 300, heart_rate=60)) + minutes(12, 600)))
    assert day["adherence_wear_minutes"] == 300


def test_empty_minutes_that_come_later_are_no_news(panel_of):
    """They make no version of the day, and no contact on the day they came."""
    later = {"received_at": datetime(2026, 3, 9, tzinfo=UTC)}
    assert len(panel_of(wearable=minutes(7, 600, heart_rate=60) + minutes(17, 60, **later))) == 1


def test_a_minute_that_is_emptied_by_a_correction_is_gone(panel_of):
    """From the day on that the correction was known; before it counts."""
    emptied = [{**row, "version": 1, "heart_rate": None, "received_at": datetime(2026, 3, 5, tzinfo=UTC)}
               for row in minutes(7, 100, heart_rate=60)]  # fmt: skip
    panel = panel_of(wearable=lively(minutes(7, 300, heart_rate=60)) + emptied)
    assert panel["adherence_wear_minutes"].tolist() == [300, 200]


def test_a_pulse_that_is_stuck_shows_no_wear(panel_of):
    """The same 70 all day beside no step: a faulty sensor is the only sign, so that nobody knows of a calm day."""
    panel = panel_of(wearable=minutes(0, 1440, steps=0, heart_rate=70))
    assert panel.filter(regex="^(activity|heart)").isna().all(axis=None)
    assert panel["adherence_wear_minutes"].tolist() == [0]


def test_steps_that_are_stuck_show_no_wear(panel_of):
    """A pedometer that tells 5 steps in each minute shows no minute worn."""
    day = the_day(panel_of(wearable=minutes(0, 1440, steps=5)))
    assert pd.isna(day["activity_steps"])
    assert day["adherence_wear_minutes"] == 0


def test_a_stuck_device_silences_no_other(panel_of):
    """A pulse of 70 all day against a phone that was carried for 15 hours: the phone speaks."""
    stuck = minutes(0, 1440, "z", heart_rate=70, steps=0)
    carried = lively(minutes(8, 900, "a", steps=10))
    assert the_day(panel_of(wearable=stuck + carried))["activity_steps"] == 9000


@pytest.mark.parametrize(("word", "worn"), [(True, 180), (None, 60)])
def test_a_stuck_hour_of_a_device_that_says_it_is_worn_was_worn(panel_of, word, worn):
    """Its word needs no pulse; without one only the sound hour counts."""
    rows = minutes(9, 120, heart_rate=70, worn=word) + lively(minutes(12, 60, heart_rate=70, worn=word))
    rows += [{**minutes(20 + hour, 1, heart_rate=70)[0], "worn": False} for hour in range(3)]
    assert the_day(panel_of(wearable=rows))["adherence_wear_minutes"] == worn


def test_variability_shows_wear_as_a_pulse_does(panel_of):
    """Eight hours of it are eight hours worn."""
    assert the_day(panel_of(wearable=minutes(0, 480, hrv_rmssd=40)))["adherence_wear_minutes"] == 480


@pytest.mark.parametrize("preference", [(), ("Phone",)])
def test_a_phone_on_the_table_does_not_speak_for_a_watch(panel_of, preference):
    """Three steps in a day of still minutes against 590 worn minutes, or 16 hours with a preference for the phone."""
    n = 960 if preference else 590
    watch = lively(minutes(7, n, "a", steps=4, heart_rate=70, device_model="Watch"))
    phone = minutes(0, 1440, "b", steps=0, device_model="Phone")
    phone[600] = {**phone[600], "steps": 3}
    day = the_day(panel_of(wearable=watch + phone, preference=preference))
    assert day["heart_mean"] == 70
    if preference:
        # The watch shows that it is worn in each of those hours.
        assert day["activity_steps"] == 960 * 4
        assert day["activity_sedentary_share"] == 0.0
    else:
        assert pd.isna(day["activity_steps"])


@pytest.mark.parametrize("watch", [{"heart_rate": 60}, {"hrv_rmssd": 40}])
def test_a_phone_that_was_carried_speaks_beside_a_watch_worn_at_night(panel_of, watch):
    """Steps in nine hours of a phone's day, still in the others; eight hours with the watch tell no day."""
    night = lively(minutes(0, 480, "a", **watch))
    phone = minutes(0, 540, "b", steps=0) + lively(minutes(9, 540, "b", steps=10)) + minutes(18, 360, "b", steps=0)
    assert the_day(panel_of(wearable=night + phone))["activity_steps"] == 5400


@pytest.mark.parametrize("preference", [("A",), ("B",)])
def test_a_stuck_pulse_shows_no_wear_hour_by_hour(panel_of, preference):
    """A's 70 all day does not; three hours of B do."""
    stuck = minutes(0, 1440, "a", heart_rate=70, steps=0, device_model="A")
    sound = lively(minutes(9, 180, "b", heart_rate=80, device_model="B"))
    assert the_day(panel_of(wearable=stuck + sound, preference=preference))["adherence_wear_minutes"] == 180


def test_a_night_in_bed_with_a_watch_does_not_silence_the_phone_of_the_day(panel_of):
    """Ten hours from midnight, four of them waking ones, tell of no day: fourteen with the phone do."""
    watch = lively(minutes(0, 600, "a", steps=0, heart_rate=60))
    phone = lively(minutes(10, 840, "b", steps=10))
    assert the_day(panel_of(wearable=watch + phone))["activity_steps"] == 8400


def test_a_second_device_that_comes_later_changes_no_earlier_version(panel_of):
    """What was known of one device by the first night is the same whether another came in afterwards or not."""
    early = minutes(9, 60, "b", steps=0, device_model="B")
    late = lively(minutes(9, 900, "a", steps=10, device_model="A", received_at=datetime(2026, 3, 9, 12, tzinfo=UTC)))
    alone, both = (panel_of(wearable=rows, preference=("B",)) for rows in (early, early + late))
    assert len(both) == 2
    pd.testing.assert_frame_equal(both.iloc[:1][alone.columns], alone)


def test_a_named_device_that_comes_later_changes_no_earlier_version(panel_of):
    """Two devices that no preference names, and a third that it does: only from then on it speaks."""
    two = lively(minutes(9, 700, "a", steps=10, device_model="A")) + lively(
        minutes(8, 800, "c", steps=20, device_model="C")
    )
    late = lively(minutes(9, 900, "b", steps=30, device_model="B", received_at=datetime(2026, 3, 9, 12, tzinfo=UTC)))
    alone, all_three = (panel_of(wearable=rows, preference=("B",)) for rows in (two, two + late))
    pd.testing.assert_frame_equal(all_three.iloc[:1][alone.columns], alone)
    assert alone["activity_steps"].tolist() == [16000]


def test_a_day_of_which_minutes_are_no_more_is_not_told_anew(panel_of):
    """Eight hours of a watch were kept, eight more are minutes still; five of a phone that is preferred make it no smaller."""
    watch = [lively(minutes(hour, 480, "a", steps=4, heart_rate=70, device_model="Watch")) for hour in (6, 14)]
    phone = minutes(15, 5, "b", steps=9, device_model="Phone", received_at=datetime(2026, 3, 9, tzinfo=UTC))
    panel = panel_of(kept=watch[0], wearable=watch[1] + phone, preference=("Phone",))
    assert panel["activity_steps"].tolist() == [960 * 4, 960 * 4]
    assert panel["adherence_wear_minutes"].tolist() == [960, 960]


def test_two_vendors_days_are_one_devices_day(panel_of):
    """Worn for 1300 minutes against 3: whoever is the later by name, steps and sitting are those of the one that was worn."""
    worn = {"steps": 8000, "worn_minutes": 1300, "sedentary_minutes": 720}
    lay = {"steps": 5, "worn_minutes": 3, "sedentary_minutes": 1435}
    for first, second in (("a", "z"), ("z", "a")):
        rows = [{**summary(m, v), "device_id": first} for m, v in worn.items()]
        rows += [{**summary(m, v), "device_id": second} for m, v in lay.items()]
        day = the_day(panel_of(wearable_days=rows))
        assert day[["activity_steps", "adherence_wear_minutes", "activity_sedentary_share"]].tolist() == [
            8000,
            1300,
            0.5,
        ]


def test_of_two_vendors_days_without_wear_the_one_with_more_steps_speaks(panel_of):
    """Neither says for how long it was worn."""
    rows = [{**summary(m, v), "device_id": "a"} for m, v in {"steps": 8000, "sedentary_minutes": 720}.items()]
    rows += [{**summary(m, v), "device_id": "z"} for m, v in {"steps": 5, "sedentary_minutes": 1435}.items()]
    assert the_day(panel_of(wearable_days=rows))[["activity_steps", "activity_sedentary_share"]].tolist() == [8000, 0.5]


def test_what_the_longer_worn_device_does_not_know_the_other_does_not_say(panel_of):
    """500 worn minutes are no day; 12 steps of the other device are none either, and the wear stands."""
    rows = [summary("steps", 9000), summary("worn_minutes", 500), {**summary("steps", 12), "device_id": "z"}]
    panel = panel_of(wearable_days=rows)
    assert "activity_steps" not in panel
    assert the_day(panel)["adherence_wear_minutes"] == 500


def test_figures_of_one_device_under_two_algorithms_belong_together(panel_of):
    """Steps are the sign that it was worn; sitting came with a newer algorithm."""
    rows = [summary("steps", 4000), {**summary("sedentary_minutes", 720), "algorithm_version": "v2"}]
    assert the_day(panel_of(wearable_days=rows))["activity_sedentary_share"] == 0.5


def test_an_unworn_device_says_nothing_of_the_wear_of_another(panel_of):
    """Zeros of the one in the drawer stand beside no step of the one on the wrist, which does not say for how long it was."""
    rows = [summary("steps", 8000), {**summary("worn_minutes", 0), "device_id": "z"}]
    assert "adherence_wear_minutes" not in panel_of(wearable_days=rows)
    assert the_day(panel_of(wearable_days=rows[1:]))["adherence_wear_minutes"] == 0


def test_a_vendors_zeros_of_a_night_without_sleep_are_none(panel_of):
    """Nobody lay awake for 0 minutes, nor slept with a score of 0; of a night that was slept 0 minutes awake are a figure."""
    told = {"minutes_asleep": 0, "minutes_awake": 0, "sleep_efficiency": 0, "sleep_score": 0, "heart_rate_variance": 0}
    assert panel_of(wearable_days=[summary(m, v) for m, v in told.items()]).empty
    slept = panel_of(wearable_days=[summary("minutes_asleep", 400), summary("minutes_awake", 0)])
    assert the_day(slept)[["sleep_duration", "sleep_waso"]].tolist() == [400, 0]
    assert "sleep_waso" not in panel_of(wearable_days=[summary("minutes_asleep", 0), summary("minutes_awake", 12)])


def test_zones_of_a_day_that_nobody_wore_it_are_none(panel_of):
    """All of a day below the lowest zone is no figure of a heart."""
    rows = [summary("steps", 0), summary("heart_zone_below_minutes", 1440)]
    assert panel_of(wearable_days=rows).empty


@pytest.mark.parametrize(
    ("hour", "n", "is_known"), [(6, 600, True), (6, 599, False), (4, 600, False), (0, 840, False), (0, 900, False)]
)
def test_a_day_is_ten_waking_hours_told(panel_of, hour, n, is_known):
    """From 6 o'clock on; what a battery leaves that went flat at 14 or 15 h is none."""
    day = the_day(panel_of(wearable=lively(minutes(hour, n, steps=4, heart_rate=70))))
    assert pd.notna(day["activity_steps"]) == is_known
