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
    rows = minutes(9, 3, steps=0, worn=False) + minutes(10, 2, steps=0) + minutes(11, 600, steps=0, heart_rate=60)
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
     ({"steps": 40, "sedentary_minutes": 1440, "worn_minutes": 0}, False), ({"steps": 0, "resting_heart_rate": 60}, True),
     ({"steps": 12, "sedentary_minutes": 1400}, True), ({"sedentary_minutes": 700}, True), ({"steps": 0, "worn_minutes": 300}, True)],
)  # fmt: skip
def test_a_vendors_zeros_of_a_day_that_nobody_wore_it_are_no_calm_day(panel_of, told, known):
    """Without a step, a pulse, a worn minute or anything less than a whole day of sitting, nothing is known of movement."""
    day = the_day(panel_of(wearable_days=[summary(metric, value) for metric, value in told.items()]))
    found = day.reindex(["activity_steps", "activity_sedentary_share"]).dropna()
    assert len(found) == (len({"steps", "sedentary_minutes"} & set(told)) if known else 0)


def test_a_flat_battery_is_no_calm_day(panel_of):
    """Zero steps in every minute, no pulse and no word of being worn: unworn, and of the subject nothing is known."""
    day = the_day(panel_of(wearable=minutes(0, 1440, steps=0)))
    assert day["adherence_wear_minutes"] == 0
    assert day.filter(regex="^(activity|heart)").isna().all()


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
    day = the_day(panel_of(wearable=minutes(7, 300, heart_rate=60) + minutes(12, 600)))
    assert day["adherence_wear_minutes"] == 300


def test_empty_minutes_that_come_later_are_no_news(panel_of):
    """They make no version of the day, and no contact on the day they came."""
    later = {"received_at": datetime(2026, 3, 9, tzinfo=UTC)}
    assert len(panel_of(wearable=minutes(7, 600, heart_rate=60) + minutes(17, 60, **later))) == 1


def test_a_minute_that_is_emptied_by_a_correction_is_gone(panel_of):
    """From the day on that the correction was known; before it counts."""
    emptied = [{**row, "version": 1, "heart_rate": None, "received_at": datetime(2026, 3, 5, tzinfo=UTC)}
               for row in minutes(7, 100, heart_rate=60)]  # fmt: skip
    panel = panel_of(wearable=minutes(7, 300, heart_rate=60) + emptied)
    assert panel["adherence_wear_minutes"].tolist() == [300, 200]
