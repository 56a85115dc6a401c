"""Steps, cadence, rest and movement of a day, computed on paper."""

from datetime import UTC, datetime, timedelta

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from features import activity, minutes
from features.days import build_days
from features.tables import WEARABLE

# DuckDB 2.0 calls what pandas 3.1 deprecates; its warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]

# What a minute says: still, walking, or lying in a drawer; a dot is a minute that nobody told.
SAID = {"s": {"steps": 0, "worn": True}, "w": {"steps": 50, "worn": True}, "-": {"steps": 0, "worn": False}}
BOUTS = ["activity_sedentary_bout", "activity_sedentary_longest", "activity_rest_to_active", "activity_active_to_rest"]


def told(at: str, story: str, **values: object) -> list[dict[str, object]]:
    """Successive minutes from an instant in UTC on, one to each letter."""
    start = datetime.fromisoformat(at).replace(tzinfo=UTC)
    return [{"minute_at": start + timedelta(minutes=m), "device_id": "band", **SAID[letter], **values}
            for m, letter in enumerate(story) if letter != "."]  # fmt: skip


def bouts(panel: pd.DataFrame) -> list[list[float]]:
    """Mean and longest rest, and both rates, of each row of a panel."""
    return panel[BOUTS].to_numpy().tolist()


def words(story: str) -> tuple[np.ndarray, np.ndarray]:
    """Bits of active and of still minutes of one day, from its first minute on."""
    place = [np.flatnonzero(np.array(list(story)) == letter) for letter in "ws"]
    bits = np.zeros((2, 1, 24), dtype=np.uint64)
    for which, found in enumerate(place):
        np.bitwise_or.at(bits[which, 0], found // 60, np.uint64(1) << (found % 60).astype(np.uint64))
    return bits[0], bits[1]


def test_steps_brisk_and_sitting_minutes(panel_of):
    """A minute of 100 steps is brisk, one of 99 is not; sitting is a share of worn minutes."""
    brisk, slower = told("2026-03-02T09:00", "ww", steps=100), told("2026-03-02T10:00", "w", steps=99)
    still = told("2026-03-02T11:00", "s" * 597)
    day = panel_of(wearable=brisk + slower + still).iloc[0]
    assert day["activity_steps"] == 2 * 100 + 99
    assert day["activity_brisk_minutes"] == 2
    # 597 still of 600 worn minutes: steps say that the device was worn where it does not say so itself
    assert day["activity_sedentary_share"] == pytest.approx(597 / 600)
    assert day["adherence_wear_minutes"] == 600


def test_entropy_is_that_of_the_hourly_shares_of_steps():
    """Equal steps in two hours give ln 2, in one hour 0, and none at all nothing."""
    hours = np.zeros((4, 24))
    hours[0, [9, 17]] = 500
    hours[1, 9] = 500
    hours[3, [9, 10, 11]] = [200, 100, 100]
    # last: shares 1/2, 1/4, 1/4: (1/2) ln 2 + 2 (1/4) ln 4 = 1.5 ln 2
    expected = [np.log(2), 0.0, np.nan, 1.5 * np.log(2)]
    np.testing.assert_allclose(activity.entropy(hours), expected, atol=1e-12)


def test_hours_after_a_flat_battery_are_no_rest_in_the_spread_of_a_day():
    """Unknown from 22 h on, 16 waking hours are known and a day it is; from 21 h on it is none. Of nights nothing is asked."""
    hours = np.zeros((3, 24))
    hours[:, [9, 17]] = 500
    hours[0, 22:], hours[1, 21:], hours[2, :6] = np.nan, np.nan, np.nan
    np.testing.assert_allclose(activity.entropy(hours), [np.log(2), np.nan, np.log(2)], atol=1e-12)


def test_an_hour_counts_from_20_told_minutes_on_as_a_rate():
    """19 are too few; 20 with 100 steps are 300 an hour; 60 are what they are; 120 with 240, told twice, are 120."""
    rates = activity.hourly(np.array([[95.0, 100.0, 77.0, 240.0]]), np.array([[19.0, 20.0, 60.0, 120.0]]))
    np.testing.assert_array_equal(rates, [[np.nan, 300, 77, 120]])


def test_a_day_counts_from_600_told_minutes_on(panel_of):
    """A battery that is flat after 599 minutes leaves no total and no share, calm or not; 600 are a day."""
    measures = ["steps", "incidental_minutes", "slow_minutes", "brisk_minutes", "sedentary_share"]
    names = [f"activity_{name}" for name in measures]
    day = panel_of(wearable=told("2026-03-02T08:00", "w" + "s" * 598)).iloc[0]
    assert day[names].isna().all()
    assert (day["activity_h08"], day["adherence_wear_minutes"]) == (50, 599)
    day = panel_of(wearable=told("2026-03-02T08:00", "w" + "s" * 599)).iloc[0]
    assert day[names].tolist() == [50, 1, 0, 0, pytest.approx(599 / 600)]


def test_an_hour_told_in_part_spreads_as_one_told_whole(panel_of):
    """20 minutes of 50 steps and 60 minutes of the same pace are two equal hours: ln 2; 19 minutes would be none."""

    def story(n: int) -> str:
        return "w" * n + "." * (60 - n) + "s" * 60 + "w" * 60 + "s" * 840

    for n, expected in ((20, np.log(2)), (19, 0.0)):
        assert panel_of(wearable=told("2026-03-02T06:00", story(n)))["activity_entropy"].tolist() == [
            pytest.approx(expected)
        ]


def test_cadence_falls_into_three_bands(panel_of):
    """1 and 59 steps are moving about, 60 and 99 slow walking, 100 brisk, none is neither."""
    rows = [told(f"2026-03-02T09:0{m}", "w", steps=n)[0] for m, n in enumerate((0, 1, 59, 60, 99, 100))]
    day = panel_of(wearable=rows + told("2026-03-02T10:00", "s" * 594)).iloc[0]
    bands = [day[f"activity_{band}_minutes"] for band in ("incidental", "slow", "brisk")]
    assert bands == [2, 2, 1]


def test_rest_and_movement_take_turns(panel_of):
    """Rests of 3 and 1 minutes, one walk of 2: mean rest 2, longest 3."""
    panel = panel_of(wearable=told("2026-03-02T09:10", "ssswws"))
    # of 3 still minutes whose next is known one is followed by steps; of 2 walking ones, one by rest
    assert bouts(panel) == [[2.0, 3.0, pytest.approx(1 / 3), pytest.approx(1 / 2)]]


def test_a_rest_goes_on_over_the_full_hour(panel_of):
    """9:58 to 10:01 is one rest of 4 minutes, and the step at 10:02 ends it."""
    panel = panel_of(wearable=told("2026-03-02T09:58", "ssssw"))
    # 4 still minutes have a known next one, the last of them a walking one; the walk's next minute is unknown
    assert bouts(panel) == [[4.0, 4.0, pytest.approx(1 / 4), pytest.approx(np.nan, nan_ok=True)]]


def test_midnight_cuts_a_rest(panel_of):
    """23:57 to 0:01 is a rest of 3 minutes on the one day and of 2 on the next."""
    panel = panel_of(wearable=told("2026-03-01T23:57", "sssss"))
    assert panel[BOUTS[:3]].to_numpy().tolist() == [[3.0, 3.0, 0.0], [2.0, 2.0, 0.0]]


@pytest.mark.parametrize("gap", ["--", ".."])
def test_what_is_unknown_cuts_a_rest_and_is_no_change(panel_of, gap):
    """Not worn, or not told: two rests of 2 minutes, whose ends nobody saw."""
    panel = panel_of(wearable=told("2026-03-02T09:00", f"ss{gap}ss"))
    # pairs: the first of each rest with its second
    assert panel[BOUTS[:3]].to_numpy().tolist() == [[2.0, 2.0, 0.0]]


def test_a_stuck_step_counter_is_neither_rest_nor_movement(panel_of):
    """Two hours of 50 steps a minute are a fault: the rest after them is all that is known."""
    panel = panel_of(wearable=told("2026-03-02T09:00", "w" * 120 + "ss" + "-" * 598))
    assert panel[BOUTS[:3]].to_numpy().tolist() == [[2.0, 2.0, 0.0]]
    assert panel["activity_active_to_rest"].isna().all()
    assert panel["activity_incidental_minutes"].isna().all()


def test_a_source_that_tells_of_seconds_has_no_bouts(panel_of):
    """Sixty rows in one minute are no rest of one minute, nor too much for a whole number: 60 x 2^59 is beyond 2^63."""
    start = datetime(2026, 3, 2, 9, 59, tzinfo=UTC)
    rows = [{"minute_at": start + timedelta(seconds=second), "device_id": "band", **SAID["s"]} for second in range(60)]
    panel = panel_of(wearable=rows + told("2026-03-02T10:00", "ss"))
    assert panel[BOUTS[:2]].to_numpy().tolist() == [[2.0, 2.0]]


def test_a_sensor_that_never_spoke_says_nothing_of_bouts(panel_of):
    """A heart rate alone is no rest."""
    panel = panel_of(wearable=[{**row, "steps": None, "heart_rate": 60} for row in told("2026-03-02T09:00", "sss")])
    assert panel[BOUTS].isna().all(axis=None)


def test_an_hour_that_occurs_twice_is_unknown(panel_of):
    """When clocks go back 2 h is told twice: two hours of rest in it are not one of either length."""
    before = told("2026-10-25T00:58", "ss", utc_offset_min=120)  # 2:58 summer time
    again = told("2026-10-25T01:00", "s" * 60, utc_offset_min=60)  # 2:00 to 2:59 winter time
    after = told("2026-10-25T02:00", "sss", utc_offset_min=60)
    receipt = {"received_at": datetime(2026, 10, 26, tzinfo=UTC)}
    panel = panel_of("Europe/Berlin", wearable=[{**row, **receipt} for row in before + again + after])
    # 62 minutes of 2 h go, for 2:58 and 2:59 are told twice; 3:00 to 3:02 stay
    assert panel[BOUTS[:2]].to_numpy().tolist() == [[3.0, 3.0]]
    assert panel["adherence_wear_minutes"].tolist() == [65]


def test_an_hour_that_does_not_occur_cuts_a_rest(panel_of):
    """When clocks go forward 3:00 follows 1:59, and 2 h is told by nobody: rests of 2 and 1 minutes."""
    receipt = {"received_at": datetime(2026, 3, 30, tzinfo=UTC)}
    rows = told("2026-03-29T00:58", "ss", utc_offset_min=60) + told("2026-03-29T01:00", "s", utc_offset_min=120)
    panel = panel_of("Europe/Berlin", wearable=[{**row, **receipt} for row in rows])
    assert panel[BOUTS[:2]].to_numpy().tolist() == [[1.5, 2.0]]


def test_a_traveller_who_lives_minutes_twice_loses_that_hour_only(panel_of):
    """Flown west by an hour at 10:32: 9:30 to 9:31 come once more, still where there had been steps."""
    rows = told("2026-03-02T08:30", "ww", utc_offset_min=60) + told("2026-03-02T09:30", "ss", utc_offset_min=0)
    rows += told("2026-03-02T10:00", "ssss", utc_offset_min=0)
    # on both clocks it is 9:30 and 9:31: each is active and still at once; 10:00 to 10:03 stay
    assert panel_of(wearable=rows)[BOUTS[:2]].to_numpy().tolist() == [[4.0, 4.0]]


def test_a_correction_changes_the_bouts_from_then_on(panel_of):
    """A minute within a rest of 5 turns out to have had steps: rests of 2 and 2."""
    late = {"version": 1, "received_at": datetime(2026, 3, 5, tzinfo=UTC), "ingest_id": "two"}
    panel = panel_of(wearable=told("2026-03-02T09:00", "sssss") + told("2026-03-02T09:02", "w", **late))
    # first 4 pairs and no change; then pairs s-s, s-w, s-s of rest and w-s of movement
    assert panel[BOUTS[:3]].to_numpy().tolist() == [[5.0, 5.0, 0.0], [2.0, 2.0, pytest.approx(1 / 3)]]


def test_minutes_of_one_device_under_two_algorithms_are_one_story(panel_of):
    """An update in mid-rest does not end it."""
    rows = told("2026-03-02T09:00", "ss", algorithm_version="1") + told("2026-03-02T09:02", "ss", algorithm_version="2")
    assert panel_of(wearable=rows)[BOUTS[:2]].to_numpy().tolist() == [[4.0, 4.0]]


def test_an_hour_that_occurs_twice_on_two_devices_is_as_long_as_it_was(panel_of):
    """Told hour by hour, both passes of 2 h count as worn, and the hour's bouts are unknown."""
    first = told("2026-10-25T00:00", "s" * 60, utc_offset_min=120)
    again = told("2026-10-25T01:00", "s" * 60, utc_offset_min=60)
    ring = told("2026-10-25T02:00", "ss", utc_offset_min=60, device_id="ring", source="ring")
    receipt = {"received_at": datetime(2026, 10, 26, tzinfo=UTC)}
    rows = [{**row, **receipt} for row in first + again + ring]
    panel = panel_of("Europe/Berlin", preference=["ring"], wearable=rows)
    assert panel["adherence_wear_minutes"].tolist() == [122]
    assert panel["activity_sedentary_longest"].tolist() == [2.0]


def test_hours_that_an_older_program_kept_know_neither_bands_nor_bouts():
    """Columns that were not kept are missing for the day, also where newer minutes of it are there; the rest stays."""
    schema = WEARABLE.arrow_schema()

    def rows_of(at: str, story: str) -> pa.Table:
        said = {"subject_id": "ann", "source": "app", "utc_offset_min": 0, "version": 0, "is_deleted": False,
                "received_at": datetime(2026, 3, 3, tzinfo=UTC), "ingest_id": "one"}  # fmt: skip
        return pa.Table.from_pylist([{**said, **row} for row in told(at, story)], schema=schema)

    zones = pd.Series({"ann": "UTC"})
    newer = ["incidental", "slow", "active_bits", "still_bits"]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        story = "swws" + "." * 10 + "s" * 592
        kept = minutes.kept_hours(connection, connection.from_arrow(rows_of("2026-03-02T09:00", story)), zones)
        connection.register("kept", kept.drop(columns=newer).astype(dict.fromkeys(minutes.DEVICE, "str")))
        new = connection.from_arrow(rows_of("2026-03-02T09:10", "swws"))
        panel = build_days(connection, {"wearable": new}, zones, kept_hours=connection.table("kept")).panel
    # 600 minutes, 4 of them of 50 steps
    assert panel[["activity_steps", "activity_brisk_minutes"]].to_numpy().tolist() == [[200, 0]]
    unknown = [*BOUTS, "activity_incidental_minutes", "activity_slow_minutes", "activity_sedentary_share"]
    assert panel[unknown].isna().all(axis=None)


def test_bits_are_believed_only_where_every_minute_was_told_once():
    """Minute 3 twice is 2^3 + 2^3 = 2^4, one bit for two minutes; a minute of both states is neither."""
    active = np.array([[2**3 + 2**3, 2**3 + 2**4, 2**3, 2**3, -(2**3)]])
    still = np.array([[2**5, 2**5, 2**3, 2**5 + 2**59, 2**5]])
    found = activity.known_bits(active, still, np.array([[2, 2, 1, 1, 1]]), np.array([[1, 1, 1, 2, 1]]))
    assert found[0].tolist() == [[0, 2**3 + 2**4, 0, 2**3, 0]]
    assert found[1].tolist() == [[0, 2**5, 0, 2**5 + 2**59, 0]]


def test_bouts_are_those_that_counting_minute_by_minute_gives():
    """Thirty days of every kind, from restless to asleep, against a plain walk over their minutes."""
    dice = np.random.default_rng(4)
    for _ in range(30):
        turns = dice.choice(["s", "w", "."], size=400, p=[0.6, 0.3, 0.1]).tolist()
        story = "".join(letter * n for letter, n in zip(turns, dice.integers(1, 90, 400).tolist(), strict=True))[:1440]
        active, still = words(story)
        runs = [len(run) for run in story.replace("w", ".").split(".") if run]
        following = [after for before, after in zip(story, story[1:], strict=False) if before == "s" and after != "."]
        assert activity.mean_run(still)[0] == pytest.approx(np.mean(runs))
        assert activity.longest_run(still)[0] == max(runs)
        assert activity.transition_rate(still, active)[0] == pytest.approx(following.count("w") / len(following))


def test_many_days_are_read_in_portions():
    """What stands first in a portion, days without any rest included, is as it is alone."""
    days = np.concatenate([words("." * 100 + "s" * n)[1] for n in (0, 5, 0, 1340)])
    many = np.tile(days, (activity.DAYS_AT_ONCE // 4 + 1, 1))
    expected = np.tile([np.nan, 5, np.nan, 1340], len(many) // 4)
    np.testing.assert_array_equal(activity.longest_run(many), expected)
