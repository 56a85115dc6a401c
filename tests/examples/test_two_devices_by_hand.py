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
     ((), {"steps": 9000, "worn_minutes": 500}, {"steps": 12}, None, 500)],
)  # fmt: skip
def test_a_vendors_day_that_was_worn_speaks_before_the_preferred_one(panel_of, preference, a, b, steps, wear):
    """Worn for ten hours or not said for how long, then preferred, then the longer worn; of less than ten hours, more steps."""
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
     ({"said_worn": 0, "beat_minutes": -1_000_000, "hrv_minutes": 30, "incidental": 10}, 0)],
)  # fmt: skip
def test_wear_that_is_left_of_a_stuck_hour_is_that_of_the_sensor_that_tells_most(hour, left):
    """Not of all together, for they tell of the same minutes; none where it is not known what another one told."""
    hours = pd.DataFrame([{"worn": 60, "slow": 0, "brisk": 0, **hour}])
    assert plausibility._what_is_left(hours).tolist() == [left]
