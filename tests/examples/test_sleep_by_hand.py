"""Sleep measures of a day, computed on paper."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

# DuckDB 2.0 calls what pandas 3.1 deprecates; its warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]

MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


def episode(onset_h: float, offset_h: float, asleep: float | None = None, **more: object) -> dict[str, object]:
    """One episode, its ends in hours from midnight of 2 March 2026."""
    ends = {"onset_at": MIDNIGHT + timedelta(hours=onset_h), "offset_at": MIDNIGHT + timedelta(hours=offset_h)}
    return {**ends, "record_id": f"from {onset_h}", "minutes_asleep": asleep, **more}


def the_day(panel: pd.DataFrame) -> pd.Series:
    """The only row of a panel."""
    assert len(panel) == 1
    return panel.iloc[0]


def test_duration_and_efficiency_add_up_night_and_nap(panel_of):
    """All episodes that end that day count; time in bed is from onset to final awakening."""
    day = the_day(panel_of(sleep=[episode(-1, 7, 420, minutes_awake=60), episode(14, 15, 30, minutes_awake=30)]))
    # 420 + 30 asleep; 480 + 60 in bed
    assert day["sleep_duration"] == 450
    assert day["sleep_efficiency"] == pytest.approx(450 / 540)
    assert day["sleep_naps"] == 1


def test_wake_of_the_night_is_within_and_between_its_parts(panel_of):
    """Up from 2:00 to 2:30: 10 minutes awake before, 20 after, 30 between; the nap's 15 are not the night's."""
    night = [episode(-1, 2, 170, minutes_awake=10), episode(2.5, 7, 250, minutes_awake=20)]
    day = the_day(panel_of(sleep=[*night, episode(14, 15, 45, minutes_awake=15)]))
    assert day["sleep_waso"] == 60


def test_a_night_told_in_one_part_has_only_its_own_wake(panel_of):
    """Seconds of its ends add none."""
    assert the_day(panel_of(sleep=[episode(-1.01, 7.003, 420, minutes_awake=60)]))["sleep_waso"] == 60


@pytest.mark.parametrize(("awake", "waso"), [(60, 60), (62, 62), (63, None), (480, None)])
def test_time_awake_for_which_there_was_no_time_is_missing(panel_of, awake, waso):
    """420 min asleep leave 60 of 480 min in bed: 2 more come from rounding, others count what was not of the night."""
    day = the_day(panel_of(sleep=[episode(-1, 7, 420, minutes_awake=awake)]))
    assert day["sleep_duration"] == 420
    assert (day["sleep_waso"] == waso) if waso else pd.isna(day["sleep_waso"])


def test_stages_are_shares_of_the_time_asleep(panel_of):
    """Deep and REM sleep over total sleep time, not over time in bed."""
    day = the_day(panel_of(sleep=[episode(-1, 7, 400, minutes_deep=100, minutes_rem=80)]))
    assert day["sleep_deep_share"] == pytest.approx(0.25)
    assert day["sleep_rem_share"] == pytest.approx(0.20)


def test_more_deep_and_rem_sleep_than_sleep_is_none(panel_of):
    """422 of 420 minutes come from rounding and are all of it; of 423 nobody knows what was which, of 250 and 250 neither."""
    shares = ["sleep_deep_share", "sleep_rem_share"]
    day = the_day(panel_of(sleep=[episode(-1, 7, 420, minutes_deep=422)]))
    assert day["sleep_deep_share"] == 1.0
    assert pd.isna(day["sleep_rem_share"])
    assert the_day(panel_of(sleep=[episode(-1, 7, 420, minutes_rem=422)]))["sleep_rem_share"] == 1.0
    for deep, rem in ((423, None), (250, 250)):
        assert the_day(panel_of(sleep=[episode(-1, 7, 420, minutes_deep=deep, minutes_rem=rem)]))[shares].isna().all()


def test_stages_that_a_source_does_not_give_are_missing(panel_of):
    """Missing, never zero."""
    day = the_day(panel_of(sleep=[episode(-1, 7, 400)]))
    assert pd.isna(day["sleep_deep_share"])
    assert pd.isna(day["sleep_waso"])


def test_the_midpoint_is_that_of_the_longest_episode(panel_of):
    """22:00 to 06:00 has its middle at 02:00; the nap does not move it."""
    day = the_day(panel_of(sleep=[episode(14, 15, 30), episode(-2, 6, 420)]))
    assert day["sleep_midpoint"] == pytest.approx(2.0)


def test_the_midpoint_is_on_the_subjects_wall_clock(panel_of):
    """04:00 to 10:00 UTC has its middle at 07:00 UTC, which is 03:00 where clocks are four hours behind."""
    assert the_day(panel_of(sleep=[episode(4, 10, 300, utc_offset_min=-240)]))["sleep_midpoint"] == pytest.approx(3.0)


def test_a_midpoint_before_midnight_is_an_evening_hour(panel_of):
    """20:00 to 02:00 has its middle at 23:00, not at -1."""
    assert the_day(panel_of(sleep=[episode(-4, 2, 300)]))["sleep_midpoint"] == pytest.approx(23.0)


def test_a_night_belongs_to_the_day_of_its_final_awakening(panel_of):
    """From 23:00 of the 1st to 07:00 of the 2nd: the night of the 2nd."""
    assert the_day(panel_of(sleep=[episode(-1, 7, 420)]))["local_date"] == pd.Timestamp("2026-03-02")


def test_the_day_of_awakening_is_local(panel_of):
    """Waking at 22:30 UTC is waking at 00:30 of the next day where clocks are two hours ahead."""
    rows = [episode(15, 22.5, 420, utc_offset_min=120)]
    assert the_day(panel_of(sleep=rows))["local_date"] == pd.Timestamp("2026-03-03")


def test_efficiency_leaves_out_episodes_without_a_sleep_time(panel_of):
    """Time in bed without a known sleep time would only water the share down."""
    day = the_day(panel_of(sleep=[episode(-1, 7, 384), episode(14, 16)]))
    # 384 of 480 minutes; the two hours of unknown sleep count neither above nor below the line
    assert day["sleep_efficiency"] == pytest.approx(0.8)
    assert day["sleep_duration"] == 384


def test_a_night_without_a_sleep_time_has_timing_only(panel_of):
    """The midpoint is known, duration and efficiency are missing."""
    day = the_day(panel_of(sleep=[episode(-2, 6)]))
    assert day["sleep_midpoint"] == pytest.approx(2.0)
    assert pd.isna(day["sleep_duration"])
    assert pd.isna(day["sleep_efficiency"])


def test_a_nap_is_not_the_sleep_of_a_night_that_is_unknown(panel_of):
    """Of a night without its sleep time and a nap of 30 minutes nobody knows how long was slept, awake or napped."""
    day = the_day(panel_of(sleep=[episode(-1, 7), episode(14, 15, 30, minutes_awake=20)]))
    assert day[["sleep_duration", "sleep_waso", "sleep_nap_share"]].isna().all()
    # the nap's own: 30 of 60 minutes
    assert day["sleep_efficiency"] == pytest.approx(0.5)


def test_half_of_a_split_night_is_no_night(panel_of):
    """The second part's sleep time is missing: so is the duration."""
    assert pd.isna(the_day(panel_of(sleep=[episode(-1, 2, 170), episode(2.5, 6.5)]))["sleep_duration"])


def test_each_share_is_over_episodes_that_have_both_figures(panel_of):
    """A night of 400 minutes, 100 deep and 80 REM; a nap of 100 minutes whose stages nobody told waters nothing down."""
    day = the_day(panel_of(sleep=[episode(-1, 7, 400, minutes_deep=100, minutes_rem=80), episode(14, 16, 100)]))
    assert day["sleep_deep_share"] == pytest.approx(0.25)
    assert day["sleep_rem_share"] == pytest.approx(0.20)
    # a night with stages but without its sleep time: the nap's alone
    rows = [episode(-1, 7, minutes_deep=100), episode(14, 16, 100, minutes_deep=10)]
    assert the_day(panel_of(sleep=rows))["sleep_deep_share"] == pytest.approx(0.1)


def test_more_sleep_than_time_in_bed_is_an_efficiency_of_one(panel_of):
    """Rounding of a vendor's minutes cannot make a share above one."""
    assert the_day(panel_of(sleep=[episode(0, 1, 61)]))["sleep_efficiency"] == 1.0


def test_a_night_corrected_into_another_day_leaves_the_old_day_empty(panel_of):
    """One record, one night: after the correction the 2nd holds no sleep, and the 3rd does."""
    later = {"received_at": datetime(2026, 3, 5, 12, tzinfo=UTC), "version": 1, "record_id": "from -1"}
    panel = panel_of(sleep=[episode(-1, 7, 420), episode(23, 31, 400, **later)])
    by_day = panel.set_index(["local_date", "known_on"])["sleep_duration"]
    assert by_day[pd.Timestamp("2026-03-02"), pd.Timestamp("2026-03-03")] == 420
    assert pd.isna(by_day[pd.Timestamp("2026-03-02"), pd.Timestamp("2026-03-06")])
    assert by_day[pd.Timestamp("2026-03-03"), pd.Timestamp("2026-03-06")] == 400
    assert len(panel) == 3


def test_onset_and_offset_are_the_ends_of_the_night_on_the_wall(panel_of):
    """From 23:15 to 06:45; the nap in the afternoon has none, nor has one just after midnight before a late night."""
    day = the_day(panel_of(sleep=[episode(-0.75, 6.75, 400), episode(14, 15, 30)]))
    assert (day["sleep_onset"], day["sleep_offset"]) == (pytest.approx(23.25), pytest.approx(6.75))
    late = the_day(panel_of(sleep=[episode(0.25, 0.75, 30), episode(3, 10, 400)]))
    assert (late["sleep_onset"], late["sleep_offset"]) == (pytest.approx(3.0), pytest.approx(10.0))


def test_a_split_night_is_one_night(panel_of):
    """From 23:00 to 02:00 and from 02:30 to 06:30: onset 23:00, offset 06:30, middle 02:45, no nap."""
    day = the_day(panel_of(sleep=[episode(-1, 2, 170), episode(2.5, 6.5, 230)]))
    assert (day["sleep_onset"], day["sleep_offset"]) == (pytest.approx(23.0), pytest.approx(6.5))
    assert day["sleep_midpoint"] == pytest.approx(2.75)
    assert (day["sleep_naps"], day["sleep_nap_share"]) == (0, 0)
    # 400 of 180 + 30 + 240 minutes: who is up in the middle of the night has not slept
    assert day["sleep_efficiency"] == pytest.approx(400 / 450)


def test_the_nap_share_is_of_the_time_asleep(panel_of):
    """A night of 420 minutes and naps of 30 and 50: 80 of 500."""
    day = the_day(panel_of(sleep=[episode(-1, 7, 420), episode(12, 13, 30), episode(15, 16, 50)]))
    assert day["sleep_naps"] == 2
    assert day["sleep_nap_share"] == pytest.approx(0.16)
    assert pd.isna(the_day(panel_of(sleep=[episode(-1, 7)]))["sleep_nap_share"])


def test_the_night_in_which_clocks_go_forward_is_an_hour_shorter_than_its_wall_clock(panel_of):
    """To bed at 23:00 (UTC+1) and up at 07:00 (UTC+2) on 29 March 2026 are 7 hours; told on the clock of the morning."""
    ends = {"onset_at": datetime(2026, 3, 28, 22, tzinfo=UTC), "offset_at": datetime(2026, 3, 29, 5, tzinfo=UTC)}
    row = {**episode(0, 0, 378), **ends, "utc_offset_min": 120, "received_at": datetime(2026, 3, 29, 8, tzinfo=UTC)}
    day = the_day(panel_of(sleep=[row], zone="Europe/Berlin"))
    assert day["sleep_efficiency"] == pytest.approx(378 / 420)
    # midnight to 07:00 of the new clock
    assert [day[f"sleep_{end}"] for end in ("onset", "midpoint", "offset")] == pytest.approx([0.0, 3.5, 7.0])


def test_the_night_in_which_clocks_go_back_is_an_hour_longer(panel_of):
    """To bed at 23:00 (UTC+2) and up at 07:00 (UTC+1) on 25 October 2026 are 9 hours."""
    ends = {"onset_at": datetime(2026, 10, 24, 21, tzinfo=UTC), "offset_at": datetime(2026, 10, 25, 6, tzinfo=UTC)}
    row = {**episode(0, 0, 486), **ends, "utc_offset_min": 60, "received_at": datetime(2026, 10, 25, 8, tzinfo=UTC)}
    day = the_day(panel_of(sleep=[row], zone="Europe/Berlin"))
    assert day["sleep_efficiency"] == pytest.approx(486 / 540)
    # 22:00 to 07:00 of the new clock
    assert [day[f"sleep_{end}"] for end in ("onset", "midpoint", "offset")] == pytest.approx([22.0, 2.5, 7.0])


@pytest.mark.parametrize(
    ("zone", "evening", "offsets", "clock"),
    [("Europe/Berlin", datetime(2026, 3, 28, 22, tzinfo=UTC), (60, 120), (0.0, 7.0)),
     ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), (120, 60), (23.0, 6.0)),
     ("America/New_York", datetime(2026, 3, 8, 4, tzinfo=UTC), (-300, -240), (0.0, 7.0)),
     ("Australia/Lord_Howe", datetime(2026, 4, 4, 12, tzinfo=UTC), (660, 630), (22.5, 5.5))],
)  # fmt: skip
def test_up_while_clocks_change_is_up_for_as_long_as_it_was(panel_of, zone, evening, offsets, clock):
    """170 minutes asleep of 170, 40 up, 210 of 210: no matter what the clocks were set to meanwhile, by one hour or by half."""
    ends = ((0, 170), (210, 420))
    rows = [
        {**episode(0, 0, to - since), "record_id": f"part {since}", "minutes_awake": 0.0, "utc_offset_min": offset,
         "onset_at": evening + timedelta(minutes=since), "offset_at": evening + timedelta(minutes=to),
         "received_at": evening + timedelta(hours=10)}
        for (since, to), offset in zip(ends, offsets, strict=True)
    ]  # fmt: skip
    day = the_day(panel_of(sleep=rows, zone=zone))
    assert (day["sleep_duration"], day["sleep_waso"], day["sleep_naps"]) == (380, 40, 0)
    assert day["sleep_efficiency"] == pytest.approx(380 / 420)
    assert (day["sleep_onset"], day["sleep_offset"]) == pytest.approx(clock)


def test_a_night_flown_through_is_as_long_as_it_was(panel_of):
    """Asleep over the Atlantic from 22:00 to 04:00 UTC, awake where it is 23:00 of the evening before: one 6-hour sleep."""
    day = the_day(panel_of(sleep=[episode(-2, 4, 324, utc_offset_min=-300)]))
    assert day["local_date"] == pd.Timestamp("2026-03-01")
    assert day["sleep_efficiency"] == pytest.approx(324 / 360)
    assert [day[f"sleep_{end}"] for end in ("onset", "midpoint", "offset")] == pytest.approx([17.0, 20.0, 23.0])


def test_the_leap_day_has_a_night_of_its_own(panel_of):
    """Waking on 28 and 29 February and 1 March 2028: three nights on three days in a row."""
    rows = []
    for day in range(3):
        woke = datetime(2028, 2, 28, 7, tzinfo=UTC) + timedelta(days=day)
        ends = {"onset_at": woke - timedelta(hours=8), "offset_at": woke, "received_at": woke + timedelta(hours=1)}
        rows.append({**episode(0, 0, 400), "record_id": f"night {day}", **ends})
    panel = panel_of(sleep=rows)
    dates = [pd.Timestamp(date) for date in ("2028-02-28", "2028-02-29", "2028-03-01")]
    assert panel["local_date"].tolist() == dates
    assert panel["sleep_duration"].tolist() == [400.0] * 3


def test_a_window_across_the_leap_day_holds_it(panel_from, features_on):
    """On 2 March 2028 the last three days are 28 and 29 February and 1 March; in 2027 they begin on 27 February."""
    nights = [300.0, 400, 420, 470]
    leap = features_on(
        panel_from("2028-02-27", sleep_duration=nights), "2028-03-02", features=["sleep_duration_mean_3d_min"]
    )
    assert leap.iloc[-1] == pytest.approx((400 + 420 + 470) / 3)
    common = features_on(
        panel_from("2027-02-26", sleep_duration=nights), "2027-03-02", features=["sleep_duration_mean_3d_min"]
    )
    assert common.iloc[-1] == pytest.approx((400 + 420 + 470) / 3)


def test_sleep_after_a_night_shift_is_the_night(panel_of):
    """From 8 to 15 h of the 2nd, and from 23 to 7 h: of each day of awakening one night, and no nap."""
    later = {"received_at": datetime(2026, 3, 4, tzinfo=UTC)}
    panel = panel_of(sleep=[episode(8, 15, 380), episode(23, 31, 450, **later)])
    assert panel["local_date"].tolist() == [pd.Timestamp("2026-03-02"), pd.Timestamp("2026-03-03")]
    assert panel[["sleep_onset", "sleep_midpoint", "sleep_offset"]].to_numpy().tolist() == [[8, 11.5, 15], [23, 3, 7]]
    assert panel[["sleep_duration", "sleep_naps"]].to_numpy().tolist() == [[380, 0], [450, 0]]


def test_a_long_sleep_before_a_night_shift_is_the_night_of_a_short_one(panel_of):
    """From 3 to 6:30 h and from 14 to 20 h: the longer one is the night, unless the source says that the other one is."""
    day = the_day(panel_of(sleep=[episode(3, 6.5, 200), episode(14, 20, 300)]))
    assert (day["sleep_midpoint"], day["sleep_naps"]) == (17, 1)
    # both count as sleep: 200 of 500 minutes lie outside of the night
    assert (day["sleep_duration"], day["sleep_nap_share"]) == (500, pytest.approx(0.4))
    told = the_day(panel_of(sleep=[episode(3, 6.5, 200, is_main=True), episode(14, 20, 300)]))
    assert (told["sleep_midpoint"], told["sleep_nap_share"]) == (4.75, pytest.approx(0.6))


def test_a_sleep_before_a_night_shift_beside_a_whole_night_is_a_nap(panel_of):
    """From 23 to 7 h and from 17 to 20 h: the night keeps its times."""
    day = the_day(panel_of(sleep=[episode(-1, 7, 420), episode(17, 20, 140)]))
    assert (day["sleep_onset"], day["sleep_midpoint"], day["sleep_offset"]) == (23, 3, 7)
    assert (day["sleep_naps"], day["sleep_nap_share"]) == (1, pytest.approx(0.25))


@pytest.mark.parametrize("minutes", [float("inf"), float("nan"), -5.0])
def test_what_is_no_number_of_minutes_is_missing(panel_of, minutes):
    """No night is infinitely long or shorter than nothing, and a share of it is neither 0 nor 1; its timing stays."""
    day = the_day(panel_of(sleep=[episode(-1, 7, minutes, minutes_deep=90, minutes_awake=minutes)]))
    shares = ["sleep_efficiency", "sleep_deep_share", "sleep_nap_share"]
    assert day[["sleep_duration", "sleep_waso", *shares]].isna().all()
    assert day["sleep_midpoint"] == pytest.approx(3.0)


def test_of_one_sleep_told_twice_the_same_record_speaks_whatever_the_order(panel_of):
    """Two records of one span differ in their minutes: the one whose id comes first speaks, in any order of rows."""
    rows = [{**episode(-1, 7, 400), "record_id": "a"}, {**episode(-1, 7, 420), "record_id": "b"}]
    assert the_day(panel_of(sleep=rows))["sleep_duration"] == 400
    assert the_day(panel_of(sleep=rows[::-1]))["sleep_duration"] == 400


def test_time_up_between_naps_is_not_spent_in_bed(panel_of):
    """Half an hour between two naps of half an hour: 420 + 2 x 25 asleep of 480 + 2 x 30 min."""
    naps = [episode(14, 14.5, 25), episode(15, 15.5, 25)]
    assert the_day(panel_of(sleep=[episode(-1, 7, 420), *naps]))["sleep_efficiency"] == pytest.approx(470 / 540)


def test_parts_that_touch_leave_no_time_up(panel_of):
    """The second begins 12 min before the first ends, of which only its other 108 min count: 400 + 90 of 480 + 108 min."""
    day = the_day(panel_of(sleep=[episode(-1, 7, 400, minutes_awake=80), episode(6.8, 8.8, 100, minutes_awake=10)]))
    assert day["sleep_efficiency"] == pytest.approx(490 / 588)
    assert day["sleep_waso"] == pytest.approx(80 + 9)


def test_a_part_follows_the_last_end_of_those_before_it(panel_of):
    """Called the main one, 2 to 4 lies within 22 to 8; what begins at 8:30 is half an hour from its end, and of the night."""
    night = [episode(-2, 8, 500), episode(2, 4, 110, is_main=True), episode(8.5, 9, 25)]
    day = the_day(panel_of(sleep=night))
    assert day["sleep_midpoint"] == pytest.approx(3.5)
    assert day["sleep_naps"] == 0
