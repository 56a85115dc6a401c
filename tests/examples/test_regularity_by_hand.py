"""Regularity of sleep over days, computed on paper. Nights are hours from midnight of the day of awakening."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features import regularity
from features.measures import WEEKDAY

# DuckDB 2.0 calls what pandas 3.1 deprecates; its warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
SRI, SRI_COVERAGE, JETLAG, DEVIATION, DEVIATION_COVERAGE = regularity.PATTERNS
LATE_OR_EARLY = [(-1.0, 7.0), (1.0, 9.0)]

Night = tuple[float, float] | None


def nights(*each: Night, first: datetime = MONDAY, offset_min: int = 0) -> list[dict[str, object]]:
    """One episode a day, oldest first, from and to local hours of the day of awakening; None where none is known."""
    rows = []
    for day, night in enumerate(each):
        if night is not None:
            onset, offset = (first + timedelta(days=day, hours=hour, minutes=-offset_min) for hour in night)
            rows.append({"onset_at": onset, "offset_at": offset, "record_id": f"night {day}", "minutes_asleep": 400.0,
                         "utc_offset_min": offset_min, "received_at": offset + timedelta(hours=1)})  # fmt: skip
    return rows


def days_of(panel: pd.DataFrame, columns: tuple[str, ...]) -> np.ndarray:
    """Columns of a panel as a pattern sees them: all days from the first to the last, oldest first."""
    by_day = panel.set_index("local_date").asfreq("D")
    by_day[WEEKDAY] = by_day.index.day_of_week.astype(float)
    return by_day[list(columns)].to_numpy(dtype=float)[None]


def index_of(panel: pd.DataFrame) -> float:
    """The sleep regularity index over all days of a panel."""
    return float(SRI.compute(days_of(panel, SRI.columns))[0][0])


def figures(midpoints: list[float], in_bed_h: list[float] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mid-sleep with weekdays from Monday, for social jetlag; the same with onset and offset, for phase deviation."""
    middle, weekday = np.array(midpoints), np.arange(len(midpoints)) % 7.0
    half = np.array(in_bed_h or [8.0] * len(midpoints)) / 2
    return (np.stack([middle, weekday], axis=1)[None],
            np.stack([middle, (middle - half) % 24, (middle + half) % 24, weekday], axis=1)[None])  # fmt: skip


def test_sleep_is_kept_as_bits_of_five_minutes(panel_of):
    """From 23:00 to 00:20 are the last 12 bits of the evening's word, and the first 4 of the day's first."""
    day = panel_of(sleep=nights((-1.0, 1 / 3))).iloc[0]
    # words begin at 8, 12, 16 and 20 h of the day before, then at 0, 4, ... h; 23:00 is epoch 36 of 48
    assert day["sleep_state_3"] == 2**48 - 2**36
    assert day["sleep_state_4"] == 2**4 - 1
    assert day[[f"sleep_state_{word}" for word in (0, 1, 2, 5, 6, 7, 8, 9)]].tolist() == [0.0] * 8


def test_an_epoch_is_sleep_when_its_middle_is(panel_of):
    """From 01:02 to 01:08 holds the middle of 01:00 to 01:05, at 01:02:30, and of the next, at 01:07:30."""
    day = panel_of(sleep=nights((1 + 2 / 60, 1 + 8 / 60))).iloc[0]
    assert day["sleep_state_4"] == 2**12 + 2**13
    # from 01:03 the first of them is no more
    assert panel_of(sleep=nights((1 + 3 / 60, 1 + 8 / 60))).iloc[0]["sleep_state_4"] == 2**13


def test_the_same_night_every_day_is_perfectly_regular(panel_of):
    """Every epoch is like the one 24 hours later."""
    assert index_of(panel_of(sleep=nights(*[(-1.0, 7.0)] * 6))) == 100.0


def test_a_missing_day_is_missing_and_not_awake(panel_of):
    """Where every known night is the same, nothing is changed by one that is not known."""
    assert index_of(panel_of(sleep=nights(*[(-1.0, 7.0)] * 4, None, *[(-1.0, 7.0)] * 4))) == 100.0


def test_two_hours_later_every_other_day(panel_of):
    """From 23 to 7 and from 1 to 9 h in turn: 0-1 h and 7-9 h differ in the morning, 23-24 h in the evening."""
    # 7 days: 6 pairs of mornings with 3 of 12 h apart, and of 6 known evenings 5 pairs with 1 of 12 h apart:
    # 18 + 5 = 23 of 132 h
    panel = panel_of(sleep=nights(*(LATE_OR_EARLY * 4)[:7]))
    assert index_of(panel) == pytest.approx(100 - 200 * 23 / 132)


def test_only_valid_pairs_count(panel_of):
    """Without the fourth of nine nights its two pairs of mornings are gone, and three of evenings."""
    # mornings: 8 - 2 = 6 pairs with 3 h; evenings of days 1 to 8 but 3 and 4 are known: pairs (1, 2), (5, 6), (6, 7)
    # and (7, 8), 1 h each: 18 + 4 = 22 of (6 + 4) * 12 = 120 h
    each: list[Night] = (LATE_OR_EARLY * 5)[:9]
    each[3] = None
    assert index_of(panel_of(sleep=nights(*each))) == pytest.approx(100 - 200 * 22 / 120)


def test_a_shift_by_h_hours_every_other_day_tends_to_its_closed_form(panel_of):
    """Over many days 2 h of 24 differ at either end of the night: 100 - 200 * 4 / 24."""
    assert index_of(panel_of(sleep=nights(*LATE_OR_EARLY * 45))) == pytest.approx(100 - 200 * 4 / 24, abs=0.2)


def test_day_and_night_in_turn_are_less_regular_than_chance(panel_of):
    """From 0 to 12 h and from 12 to 24 h in turn: no hour of a day is like that of the next."""
    assert index_of(panel_of(sleep=nights(*[(0.0, 12.0), (12.0, 23.9)] * 3))) < -98


def test_sleep_at_noon_is_as_regular_as_at_night(panel_of):
    """A shift worker who sleeps from 8 to 16 h every day: index 100, mid-sleep at noon, no jetlag and no deviation."""
    panel = panel_of(sleep=nights(*[(8.0, 16.0)] * 7))
    assert index_of(panel) == 100.0
    assert panel["sleep_midpoint"].tolist() == [12.0] * 7
    assert JETLAG.compute(days_of(panel, JETLAG.columns))[0][0] == pytest.approx(0.0, abs=1e-9)
    assert DEVIATION.compute(days_of(panel, DEVIATION.columns))[0][0] == pytest.approx(0.0, abs=1e-9)


def test_a_rotating_shift_worker_is_half_as_regular(panel_of):
    """Nights from 23 to 7 h till Thursday, who naps from 17 to 20 h; after two night shifts from 8 to 15 h; then a night."""
    # mornings: Thursday to Friday 0-7 and 8-12 h differ, Saturday to Sunday again: 22 of 6 * 12 h; afternoons: Wednesday to
    # Thursday 17-20 and 23-24 h, Thursday to Friday 12-15 and 17-20 h, Friday to Saturday 23-24 h: 11 of 5 * 12 h
    rows = nights(*[(-1.0, 7.0)] * 4, (8.0, 15.0), (8.0, 15.0), (-1.0, 7.0))
    nap = {**nights(None, None, None, (17.0, 20.0))[0], "record_id": "nap"}
    panel = panel_of(sleep=[*rows, nap])
    assert panel["sleep_midpoint"].tolist() == [3, 3, 3, 3, 11.5, 11.5, 3]
    assert panel["sleep_naps"].tolist() == [0, 0, 0, 1, 0, 0, 0]
    assert index_of(panel) == pytest.approx(100 - 200 * 33 / 132)


def test_sleep_of_an_afternoon_counts_with_the_day_it_ended_on(panel_of):
    """Naps from 14 to 15 h on every other of 6 days: of 4 pairs of known afternoons each differs by an hour."""
    naps = [{**nap, "record_id": f"nap {day}", "minutes_asleep": 50.0}
            for day, nap in enumerate(nights(*[(14.0, 15.0), None] * 3))]  # fmt: skip
    panel = panel_of(sleep=nights(*[(0.0, 8.0)] * 6) + naps)
    # 5 pairs of mornings and 4 of afternoons are 108 h
    assert index_of(panel) == pytest.approx(100 - 200 * 4 / 108)


def test_a_traveller_who_keeps_to_the_clock_is_regular(panel_of):
    """Asleep from 23 to 7 h on the clocks of two time zones six hours apart."""
    at_home = nights(*[(-1.0, 7.0)] * 3, offset_min=60)
    abroad = nights(None, None, None, *[(-1.0, 7.0)] * 3, offset_min=-300)
    panel = panel_of(sleep=at_home + abroad)
    assert panel["sleep_midpoint"].tolist() == [3.0] * 6
    assert index_of(panel) == 100.0


def test_the_leap_day_is_a_day_between_two_others(panel_of):
    """From 26 February to 2 March 2028 there are 6 nights, and 5 pairs of them."""
    panel = panel_of(sleep=nights(*[(-1.0, 7.0)] * 6, first=datetime(2028, 2, 26, tzinfo=UTC)))
    assert pd.Timestamp("2028-02-29") in panel["local_date"].tolist()
    assert index_of(panel) == 100.0
    assert np.isnan(index_of(panel[panel["local_date"] != pd.Timestamp("2028-02-29")]))


def test_five_pairs_of_successive_days_are_enough_and_four_are_not(panel_of):
    """Six days in a row have five pairs."""
    assert index_of(panel_of(sleep=nights(*[(-1.0, 7.0)] * 6))) == 100.0
    assert np.isnan(index_of(panel_of(sleep=nights(*[(-1.0, 7.0)] * 5))))
    assert np.isnan(SRI.compute(np.full((1, 7, 10), np.nan))[0][0])


def test_social_jetlag_is_how_much_later_sleep_is_on_free_days(panel_of):
    """The nights before Saturday and Sunday have their middles at 5 and 4 h, the five before them at 3 h."""
    panel = panel_of(sleep=nights(*[(-1.0, 7.0)] * 5, (1.0, 9.0), (0.0, 8.0)))
    size, signed = JETLAG.compute(days_of(panel, JETLAG.columns))
    # (5 + 4) / 2 - 3
    assert (size[0], signed[0]) == (pytest.approx(1.5), pytest.approx(1.5))


def test_social_jetlag_has_a_sign_when_free_days_are_earlier():
    """Work at 4 h and free days at 2.5 h: 1.5 h earlier."""
    size, signed = JETLAG.compute(figures([4, 4, 4, 4, 4, 2, 3])[0])
    assert (size[0], signed[0]) == (pytest.approx(1.5), pytest.approx(-1.5))


def test_social_jetlag_goes_the_shorter_way_round_the_clock():
    """From 23.5 h on work days to 1 h on free days are 1.5 hours, not 22.5."""
    _, signed = JETLAG.compute(figures([23.5, 23.5, 23.5, 23.5, 23.5, 0.5, 1.5])[0])
    assert signed[0] == pytest.approx(1.5)


def test_social_jetlag_needs_two_free_and_three_work_days():
    """One missing Sunday, or three missing work days, leave it missing."""
    nan = np.nan
    assert JETLAG.compute(figures([nan, nan, 3, 3, 3, 4, 4])[0])[0][0] == pytest.approx(1.0)
    assert np.isnan(JETLAG.compute(figures([3, 3, 3, 3, 3, 4, nan])[0])[0][0])
    assert np.isnan(JETLAG.compute(figures([nan, nan, nan, 3, 3, 4, 4])[0])[0][0])


def test_clock_times_all_around_the_dial_have_no_middle():
    """Free days at 0 and 12 h: any hour is as far from both, so the jetlag is missing and not a made-up number."""
    assert np.isnan(JETLAG.compute(figures([3, 3, 3, 3, 3, 0, 12])[0])[0][0])


def test_phase_deviation_joins_the_chronotype_and_yesterday():
    """Mid-sleep at 3 h on work days and 4 h on free days, always 8 h long: the chronotype is 4 h."""
    # Tuesday to Friday: 1 h from the chronotype, 0 from yesterday: 1 each; Saturday 0 and 1: 1; Sunday 0 and 0: 0
    assert DEVIATION.compute(figures([3, 3, 3, 3, 3, 4, 4])[1])[0][0] == pytest.approx(5 / 6)


def test_both_deviations_are_the_sides_of_a_right_angle():
    """Every other night at 0 and at 3 h, the free days at 4 h: 4 and 1 h from the chronotype, 3 h from yesterday."""
    # Tuesday (3 h): sqrt(1 + 9); Wednesday (0 h): sqrt(16 + 9) = 5; Thursday as Tuesday; Friday as Wednesday;
    # Saturday: 4 h from yesterday; Sunday: 0
    found = DEVIATION.compute(figures([0, 3, 0, 3, 0, 4, 4])[1])[0][0]
    assert found == pytest.approx((2 * 10**0.5 + 2 * 5 + 4 + 0) / 6)


def test_the_chronotype_leaves_out_half_of_the_sleep_caught_up_on_free_days():
    """Free nights of 10 h with their middle at 4 h, work nights of 8 h at 3 h."""
    # the week's average is (2 * 10 + 5 * 8) / 7 = 60/7 h; 10 - 60/7 = 10/7; the chronotype is 4 - 5/7 = 23/7 h;
    # Tuesday to Friday 2/7 from it; Saturday 5/7 and 1 from yesterday; Sunday 5/7 and 0
    found = DEVIATION.compute(figures([3, 3, 3, 3, 3, 4, 4], [8, 8, 8, 8, 8, 10, 10])[1])[0][0]
    assert found == pytest.approx((4 * 2 / 7 + ((5 / 7) ** 2 + 1) ** 0.5 + 5 / 7) / 6)


def test_phase_deviation_is_over_pairs_of_successive_days():
    """Without Wednesday and Friday, Tuesday and Sunday have a yesterday, which are too few; without Friday alone four have."""
    nan = np.nan
    assert np.isnan(DEVIATION.compute(figures([3, 3, nan, 3, nan, 4, 4])[1])[0][0])
    # Tuesday, Wednesday and Thursday 1, Sunday 0
    assert DEVIATION.compute(figures([3, 3, 3, 3, nan, 4, 4])[1])[0][0] == pytest.approx(3 / 4)


def test_the_matrix_has_the_figures_of_the_week_before_its_index_date(panel_of, features_on):
    """A week from Monday 2 to Sunday 8 March, free nights two hours later, seen on Monday the 9th."""
    # jetlag 5 - 3 h; from Friday to Saturday 23-1 and 7-9 h differ: of 6 pairs of mornings one with 1 + 2 h, of 5 of
    # evenings (that of Friday is Saturday's night) one with 1 h: 4 of 132 h
    found = features_on(panel_of(sleep=nights(*[(-1.0, 7.0)] * 5, (1.0, 9.0), (1.0, 9.0))), "2026-03-09")
    assert found["sleep_social_jetlag_28d_h"] == pytest.approx(2.0)
    assert found["sleep_regularity_14d"] == pytest.approx(100 - 200 * 4 / 132)
