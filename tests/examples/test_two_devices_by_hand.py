"""Which of two devices speaks for an hour, a day or a vendor's figure, and what only one of them shows; computed on paper."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest

from features import plausibility
from features.flags import flags_of

# DuckDB 2.0 calls what pandas 3.1 deprecates; its warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


def minutes(hour: float, n: int, device: str, *, every: int = 1, **values: object) -> list[dict[str, object]]:
    """`n` minutes from an hour of 2 March 2026 on, one in `every`; a device's model is its name in capitals."""
    start = MIDNIGHT + timedelta(hours=hour)
    said = {"device_id": device, "device_model": device.upper(), **values}
    return [{"minute_at": start + timedelta(minutes=every * m), **said} for m in range(n)]


def pulse(hour: float, n: int, device: str, **values: object) -> list[dict[str, object]]:
    """Minutes with a pulse of 69 and 71 in turn."""
    return [{**row, "heart_rate": 69 + 2 * (m % 2)} for m, row in enumerate(minutes(hour, n, device, **values))]


def walked(rows: list[dict[str, object]], steps: int) -> list[dict[str, object]]:
    """The same with one step more and one less in turn: a sensor that repeats itself is stuck."""
    return [{**row, "steps": steps + 1 - 2 * (m % 2)} for m, row in enumerate(rows)]


def summary(device: str, **figures: float) -> list[dict[str, object]]:
    """A vendor's figures for 2 March 2026."""
    said = {"local_date": date(2026, 3, 2), "device_id": device, "device_model": device.upper()}
    return [{**said, "metric": metric, "value": value} for metric, value in figures.items()]


def the_day(panel: pd.DataFrame) -> pd.Series:
    """The only row of a panel."""
    assert len(panel) == 1
    return panel.iloc[0]


def in_turn(device: str, steps: int, first: int) -> list[dict[str, object]]:
    """30 minutes of 9 h with steps, every other one from the `first` on, and 30 without; a step in two later hours, then none."""
    rows = minutes(9 + first / 60, 30, device, every=2, steps=steps)
    rows += minutes(9 + (1 - first) / 60, 30, device, every=2, steps=0)
    for hour in (10, 11):
        rows += minutes(hour, 1, device, steps=1) + minutes(hour + 1 / 60, 59, device, steps=0)
    return rows + minutes(12, 600, device, steps=0)


@pytest.mark.parametrize(("preference", "steps"), [(("A",), 3000 + 2), (("B",), 1500 + 2), ((), 1500 + 2)])
def test_steps_that_two_pedometers_tell_in_other_minutes_of_an_hour_do_not_add_up(panel_of, preference, steps):
    """30 times 100 of A and 30 times 50 of B, in turn; without a preference all else is equal, and the last speaks."""
    day = the_day(panel_of(wearable=in_turn("a", 100, 0) + in_turn("b", 50, 1), preference=preference))
    assert day["activity_steps"] == steps


@pytest.mark.parametrize("still", ["a", "b"])
def test_of_two_pedometers_the_one_that_moves_tells_of_the_hour_whoever_is_preferred(panel_of, still):
    """A lies on a table from 9 to 12 h while B is carried, or the other way round; then both lie still for ten hours."""
    moving = "b" if still == "a" else "a"
    rows = minutes(9, 780, still, steps=0) + minutes(6, 1, still, steps=1)
    rows += walked(minutes(9, 180, moving), 10) + minutes(12, 600, moving, steps=0)
    assert the_day(panel_of(wearable=rows, preference=(still.upper(),)))["activity_steps"] == 1800 + 1


def test_five_minutes_of_steps_are_not_lost_beside_a_device_that_lies_still(panel_of):
    """The preferred one was carried at 6 h, once; the other tells five minutes of 9 h only, 50 steps each."""
    table = minutes(6, 1, "table", steps=1) + minutes(9, 780, "table", steps=0)
    carried = walked(minutes(9, 5, "carried"), 50)
    assert the_day(panel_of(wearable=table + carried, preference=("TABLE",)))["activity_steps"] == 251 + 1


def test_of_still_hours_the_device_speaks_that_tells_most_of_them(panel_of):
    """Five minutes an hour of the preferred one, sixty of the other: ten hours of those are a day; a step of each at 6 h."""
    few = minutes(6, 1, "few", steps=1) + [row for hour in range(9, 19) for row in minutes(hour, 5, "few", steps=0)]
    rest = minutes(6, 1, "rest", steps=1) + minutes(9, 600, "rest", steps=0)
    assert the_day(panel_of(wearable=few + rest, preference=("FEW",)))["activity_steps"] == 1


def test_one_that_tells_of_most_of_an_hour_speaks_before_the_preferred_that_tells_little(panel_of):
    """Five minutes of the strap at 100 an hour against sixty of the band at 70; where the band tells nothing, the strap's count."""
    rows = pulse(9, 240, "band") + [
        row for hour in (9, 10, 11, 13) for row in minutes(hour, 5, "strap", heart_rate=100)
    ]
    day = the_day(panel_of(wearable=rows, preference=("STRAP",)))
    assert day["heart_mean"] == pytest.approx((240 * 70 + 5 * 100) / 245)


def test_of_two_that_are_alike_the_first_named_speaks_whatever_the_order_of_rows(panel_of):
    """Two bands of one model tell other steps in the same hours."""
    a, b = (walked(pulse(7, 720, device), 10 + n) for n, device in enumerate("ab"))
    a, b = ([{**row, "device_model": "BAND"} for row in rows] for rows in (a, b))
    found = {the_day(panel_of(wearable=rows, preference=("BAND",)))["activity_steps"] for rows in (a + b, b + a)}
    assert found == {7200}


def test_a_name_that_a_device_takes_later_changes_no_earlier_version(panel_of):
    """Two pedometers, neither preferred; a week later one of them comes under the preferred name."""
    early = walked(minutes(9, 700, "d1"), 10) + walked(minutes(9, 720, "d2"), 20)
    late = [
        {**row, "device_model": "NEW", "received_at": MIDNIGHT + timedelta(days=9)}
        for row in minutes(9 + 24 * 8, 2, "d1", steps=1)
    ]
    alone, both = (panel_of(wearable=rows, preference=("NEW",)) for rows in (early, early + late))
    pd.testing.assert_frame_equal(both.iloc[:1][alone.columns], alone)
    assert alone["activity_steps"].tolist() == [720 * 20]


def test_a_watch_that_hardly_tells_of_steps_leaves_them_to_the_phone(panel_of):
    """From 9 to 14 h it tells of one minute an hour, the phone of sixty with 8 steps each; the other hours are the watch's."""
    watch = walked(pulse(6, 180, "w"), 10) + pulse(9, 300, "w") + walked(pulse(14, 600, "w"), 10)
    watch += [{**row, "steps": 5} for hour in range(9, 14) for row in minutes(hour, 1, "w", heart_rate=70)]
    watch = list({row["minute_at"]: row for row in watch}.values())
    phone = walked(minutes(6, 1080, "ph"), 8)
    day = the_day(panel_of(wearable=watch + phone, preference=("W",)))
    assert day["activity_steps"] == 780 * 10 + 300 * 8
    assert day["activity_h09"] == 480


@pytest.mark.parametrize("preference", [("PHONE",), ("STRAP",)])
def test_wear_is_that_of_the_device_that_shows_it(panel_of, preference):
    """Seventy minutes of a strap's pulse, a phone with steps for fifteen hours: worn for 70 minutes as far as is known."""
    rows = pulse(9, 70, "strap") + walked(minutes(6, 900, "phone"), 10)
    assert the_day(panel_of(wearable=rows, preference=preference))["adherence_wear_minutes"] == 70


def test_spot_checks_of_two_devices_are_no_wear_together(panel_of):
    """Two minutes of pulse of each, in four hours, and steps: of a day like that nobody knows how long it was worn."""
    rows = [row for hour, device in ((8, "a"), (10, "b"), (12, "a"), (14, "b")) for row in pulse(hour, 1, device)]
    rows += walked(minutes(16, 420, "a"), 5)
    assert pd.isna(the_day(panel_of(wearable=rows, preference=("A",)))["adherence_wear_minutes"])


def test_a_named_device_that_tells_nothing_of_anybody_decides_nothing(panel_of):
    """One minute of a third one in a drawer: of the other two one speaks for the day, as without it."""
    two = walked(minutes(7, 300, "a"), 10) + walked(minutes(7, 900, "b"), 20)
    drawer = minutes(9, 1, "c", steps=0, worn=False)
    assert the_day(panel_of(wearable=two + drawer, preference=("C",)))["activity_steps"] == 900 * 20


@pytest.mark.parametrize("preference", [(), ("A",)])
def test_of_two_flat_devices_no_minute_shows_wear(panel_of, preference):
    """1440 zeros of each: wear is 0, whoever is preferred, and there are no steps."""
    day = the_day(
        panel_of(wearable=minutes(0, 1440, "a", steps=0) + minutes(0, 1440, "b", steps=0), preference=preference)
    )
    assert day["adherence_wear_minutes"] == 0
    assert pd.isna(day["activity_steps"])


def test_a_straps_pulse_and_a_phones_steps_go_together_and_the_phones_rest_is_nobodys(panel_of):
    """Ten hours of pulse, ten of a phone that lay on a table in all but three of them: 180 steps, and no rest is known."""
    phone = walked(minutes(9, 180, "phone"), 1) + minutes(12, 420, "phone", steps=0)
    day = the_day(panel_of(wearable=pulse(9, 600, "strap") + phone, preference=("STRAP",)))
    assert (day["heart_mean"], day["adherence_wear_minutes"], day["activity_steps"]) == (70, 600, 180)
    assert day[["activity_sedentary_share", "activity_sedentary_longest", "activity_active_to_rest"]].isna().all()


def test_steps_in_hours_kept_and_in_minutes_still_there_are_decided_alike(panel_of):
    """The preferred watch of which hours were kept, a phone that counts twice as much: the same as before they were kept."""
    watch, phone = walked(pulse(6, 900, "watch"), 4), walked(minutes(6, 900, "phone"), 8)
    told, kept = (
        panel_of(preference=("WATCH",), **rows)
        for rows in ({"wearable": watch + phone}, {"kept": watch, "wearable": phone})
    )
    pd.testing.assert_frame_equal(told, kept)
    assert the_day(told)["activity_steps"] == 3600


@pytest.mark.parametrize(
    ("preference", "a", "b", "steps", "wear"),
    [(("A",), {"steps": 40, "worn_minutes": 20}, {"steps": 8000, "worn_minutes": 1300}, 8000, 1300),
     (("A",), {"steps": 7000, "worn_minutes": 700}, {"steps": 8000, "worn_minutes": 1300}, 7000, 700),
     ((), {"steps": 5, "worn_minutes": 3}, {"steps": 8000, "sedentary_minutes": 700}, 8000, 3),
     ((), {"steps": 9000, "worn_minutes": 700}, {"steps": 7000, "worn_minutes": 800}, 7000, 800),
     (("B",), {"steps": 7000}, {"steps": 12, "worn_minutes": 300}, 7000, 300),
     ((), {"steps": 8000, "sedentary_minutes": 700}, {"steps": 9000, "worn_minutes": 700}, 9000, 700),
     ((), {"steps": 3000, "worn_minutes": 590}, {"steps": 4000, "worn_minutes": 20}, None, 590),
     ((), {"steps": 9000, "worn_minutes": 500}, {"steps": 12}, None, 500)],
)  # fmt: skip
def test_a_vendors_day_that_was_worn_speaks_before_the_preferred_one(panel_of, preference, a, b, steps, wear):
    """Worn for ten hours or not said how long, then preferred, then longer worn; fewer steps than in part of a day are none."""
    panel = panel_of(wearable_days=summary("a", **a) + summary("b", **b), preference=preference)
    assert the_day(panel)["adherence_wear_minutes"] == wear
    assert ("activity_steps" in panel) == (steps is not None)
    assert steps is None or the_day(panel)["activity_steps"] == steps


def test_an_unworn_device_that_is_preferred_does_not_tell_the_pulse_of_another(panel_of):
    """71 of a band without a step, 64 of the one with 8000."""
    rows = summary("a", steps=0, heart_rate_mean=71) + summary("b", steps=8000, heart_rate_mean=64)
    assert the_day(panel_of(wearable_days=rows, preference=("A",)))["heart_mean"] == 64


def test_who_wears_the_preferred_device_throughout_changed_none(days_of):
    """A strap worn daily and preferred; beside it a band that says more, and is replaced by another on the fifth day."""
    rows = []
    for day in range(10):
        told = pulse(8, 300, "strap", steps=0) + pulse(7, 900, "band" if day < 5 else "ring", steps=5)
        rows += [{**row, "minute_at": row["minute_at"] + timedelta(days=day), "received_at": MIDNIGHT + timedelta(days=day + 1)}
                 for row in told]  # fmt: skip
    flags = {p: set(flags_of(days_of(wearable=rows, preference=p))["flag"]) for p in ((), ("STRAP",))}
    assert flags == {(): {"device_change"}, ("STRAP",): set()}


def test_a_preferred_phone_beside_a_watch_that_speaks_changed_nothing_when_it_is_replaced(days_of):
    """The watch shows wear, so that the hours are its own, whichever phone lies beside it."""
    rows = []
    for day in range(10):
        told = walked(pulse(7, 900, "watch"), 5) + walked(minutes(7, 900, "old" if day < 5 else "new"), 6)
        rows += [{**row, "minute_at": row["minute_at"] + timedelta(days=day), "received_at": MIDNIGHT + timedelta(days=day + 1)}
                 for row in told]  # fmt: skip
    assert flags_of(days_of(wearable=rows, preference=("OLD", "NEW"))).empty


def test_variability_is_a_sign_of_wear_as_a_pulse_is(panel_of):
    """40 ms in the minutes of ten hours, then still minutes without any: those tell nothing of anybody."""
    rows = [{**row, "hrv_rmssd": 40.0 + m % 3} for m, row in enumerate(walked(minutes(7, 600, "a"), 2))]
    day = the_day(panel_of(wearable=rows + minutes(17, 400, "a", steps=0)))
    assert day["adherence_wear_minutes"] == 600
    assert day["activity_sedentary_share"] == 0
    assert pd.isna(day["activity_h20"])


def test_variability_of_minutes_that_were_not_worn_is_nobodys(panel_of):
    """By the device's word: 90 ms in a drawer, 40 on the wrist."""
    rows = [{**row, "hrv_rmssd": 40.0} for row in minutes(7, 3, "a", worn=True)]
    rows += [{**row, "hrv_rmssd": 90.0} for row in minutes(8, 3, "a", worn=False)]
    assert the_day(panel_of(wearable=rows))["heart_hrv"] == 40


@pytest.mark.parametrize(
    ("hour", "left"),
    [({"said_worn": 0, "beat_minutes": 20, "hrv_minutes": 30, "incidental": 10}, 30),
     ({"said_worn": -1_000_000, "beat_minutes": 0, "hrv_minutes": -1_000_000, "incidental": 10}, 10)],
)  # fmt: skip
def test_wear_that_is_left_of_a_stuck_hour_is_that_of_the_sensor_that_tells_most(hour, left):
    """Not of all together, for they tell of the same minutes; where it is not known what some told, of the others."""
    hours = pd.DataFrame([{"worn": 60, "slow": 0, "brisk": 0, **hour}])
    assert plausibility._what_is_left(hours).tolist() == [left]
