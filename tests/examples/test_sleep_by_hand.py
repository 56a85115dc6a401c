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
    assert day["sleep_waso"] == 90
    assert day["sleep_naps"] == 1


def test_stages_are_shares_of_the_time_asleep(panel_of):
    """Deep and REM sleep over total sleep time, not over time in bed."""
    day = the_day(panel_of(sleep=[episode(-1, 7, 400, minutes_deep=100, minutes_rem=80)]))
    assert day["sleep_deep_share"] == pytest.approx(0.25)
    assert day["sleep_rem_share"] == pytest.approx(0.20)


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
