"""Mood measures of a day, computed on paper."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from features import mood

# DuckDB 2.0 calls what pandas 3.1 deprecates; its warnings, not ours.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop:DeprecationWarning"),
]


def answer(hour: int, value: float, item: str = "mood", minute: int = 0, **more: object) -> dict[str, object]:
    """One answer on 2 March 2026, on a scale from 0 to 10 unless said otherwise."""
    return {"answered_at": datetime(2026, 3, 2, hour, minute, tzinfo=UTC), "item": item, "value": value, **more}


def the_day(panel: pd.DataFrame) -> pd.Series:
    """The only row of a panel."""
    assert len(panel) == 1
    return panel.iloc[0]


def test_mood_is_the_mean_answer_on_a_scale_from_0_to_1(panel_of):
    """Each answer is placed on its own scale before the mean is taken."""
    day = the_day(panel_of(mood=[answer(9, 2), answer(13, 5), answer(20, 4, scale_min=1.0, scale_max=7.0)]))
    # 2/10 = 0.2, 5/10 = 0.5, (4-1)/(7-1) = 0.5; mean = 1.2 / 3
    assert day["mood_mood"] == pytest.approx(0.4)
    assert day["mood_valence"] == pytest.approx(0.4)


def test_valence_is_the_first_valence_item_that_was_answered(panel_of):
    """Positive mood speaks for mood only on days without an answer to `mood` itself."""
    both = the_day(panel_of(mood=[answer(9, 2), answer(9, 8, "positive_mood"), answer(9, 9, "happy")]))
    without = the_day(panel_of(mood=[answer(9, 8, "positive_mood"), answer(9, 9, "happy")]))
    assert both["mood_valence"] == pytest.approx(0.2)
    assert without["mood_valence"] == pytest.approx(0.8)
    assert pd.isna(without["mood_mood"])


def test_swing_is_the_root_mean_square_of_successive_differences(panel_of):
    """Successive means in order of answering, whatever the order of the rows."""
    day = the_day(panel_of(mood=[answer(20, 3), answer(9, 2), answer(13, 6)]))
    # 0.2 -> 0.6 -> 0.3: differences 0.4 and -0.3; sqrt((0.16 + 0.09) / 2)
    assert day["mood_swing"] == pytest.approx(0.125**0.5)


def test_a_single_answer_has_no_swing(panel_of):
    """With one answer there is no difference; the swing is missing, not zero."""
    assert pd.isna(the_day(panel_of(mood=[answer(9, 2), answer(13, 6, "anxiety")]))["mood_swing"])


def test_the_adjusted_swing_tells_differences_as_if_four_hours_had_passed(panel_of):
    """A change within one hour counts for more than the same change within four."""
    day = the_day(panel_of(mood=[answer(9, 2), answer(13, 6), answer(14, 3)]))
    # 0.4 in 4 h: 0.16; 0.3 in 1 h: 0.09 / (1/4) = 0.36; sqrt((0.16 + 0.36) / 2)
    assert day["mood_swing_adjusted"] == pytest.approx(0.26**0.5)
    assert day["mood_swing"] == pytest.approx(0.125**0.5)


def test_answers_within_a_quarter_of_an_hour_do_not_blow_up_the_adjusted_swing(panel_of):
    """Answering twice in 10 minutes is a swing as it stands, but has no rate of change."""
    day = the_day(panel_of(mood=[answer(9, 2), answer(9, 3, minute=10)]))
    assert day["mood_swing"] == pytest.approx(0.1)
    assert pd.isna(day["mood_swing_adjusted"])
    # of 3 answers the last two are 15 minutes apart: 0.04 / (15 / 240)
    day = the_day(panel_of(mood=[answer(9, 2), answer(9, 3, minute=10), answer(9, 5, minute=25)]))
    assert day["mood_swing_adjusted"] == pytest.approx((0.04 * 16) ** 0.5)


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan"), 11.0, -1.0])
def test_an_answer_off_its_scale_is_missing(panel_of, value):
    """What no scale holds is no level, and joins no pair; that an answer was given stays known."""
    day = the_day(panel_of(mood=[answer(9, 2), answer(13, value), answer(20, 4)]))
    # (0.2 + 0.4) / 2; the two valid answers are not adjacent
    assert day["mood_mood"] == pytest.approx(0.3)
    assert pd.isna(day["mood_swing"])
    assert day["adherence_answers"] == 3


def test_a_scale_without_a_width_gives_no_level(panel_of):
    """From 5 to 5, or from 10 down to 0, there is no share of the scale."""
    for scale in ({"scale_min": 5.0, "scale_max": 5.0}, {"scale_min": 10.0, "scale_max": 0.0}):
        assert pd.isna(the_day(panel_of(mood=[answer(9, 5, **scale)]))["mood_valence"])


def test_an_answer_before_its_prompt_has_no_latency(panel_of):
    """Two clocks disagree; a negative time would pull the median down."""
    prompted = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    rows = [answer(8, 5, "mood", 50, prompted_at=prompted), answer(9, 5, "sad", 6, prompted_at=prompted)]
    # 6 minutes; the other came 10 minutes before
    assert the_day(panel_of(mood=rows))["mood_latency"] == pytest.approx(6.0)
    assert pd.isna(the_day(panel_of(mood=rows[:1]))["mood_latency"])


def test_latency_is_the_median_time_from_prompt_to_answer(panel_of):
    """Answers without a known prompt take no part."""
    prompted = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    rows = [answer(9, 5, "mood", 2, prompted_at=prompted), answer(9, 5, "sad", 4, prompted_at=prompted),
            answer(9, 5, "tense", 30, prompted_at=prompted), answer(12, 5)]  # fmt: skip
    # 2, 4 and 30 minutes: the median is 4
    assert the_day(panel_of(mood=rows))["mood_latency"] == pytest.approx(4.0)


def test_answers_to_items_without_a_measure_still_count_as_answers(panel_of):
    """Answering at all is adherence, whatever was asked."""
    day = the_day(panel_of(mood=[answer(9, 5), answer(9, 5, "anxiety"), answer(9, 5, "an_item_of_their_own")]))
    assert day["adherence_answers"] == 3


def test_an_answer_belongs_to_the_day_on_the_subjects_wall(panel_of):
    """23:30 UTC is half past midnight of the next day where clocks are an hour ahead."""
    rows = [answer(23, 5, minute=30, utc_offset_min=60)]
    assert the_day(panel_of(mood=rows))["local_date"] == pd.Timestamp("2026-03-03")


def test_an_answer_taken_back_leaves_a_version_without_values(panel_of):
    """What the sender takes back on 5 March is in the features of the 4th and no longer in those of the 6th."""
    later = {"received_at": datetime(2026, 3, 5, 12, tzinfo=UTC), "version": 1, "is_deleted": True}
    panel = panel_of(mood=[answer(9, 2), answer(9, 2, **later)])
    assert panel["known_on"].tolist() == [pd.Timestamp("2026-03-03"), pd.Timestamp("2026-03-06")]
    assert panel["mood_mood"].iloc[0] == pytest.approx(0.2)
    assert pd.isna(panel["mood_mood"].iloc[1])


def test_a_corrected_answer_counts_from_the_index_date_that_knows_it(panel_of):
    """Received at noon of 5 March: 2 becomes 8 for the index date of the 6th, not before."""
    panel = panel_of(mood=[answer(9, 2), answer(9, 8, received_at=datetime(2026, 3, 5, 12, tzinfo=UTC), version=1)])
    assert panel["known_on"].tolist() == [pd.Timestamp("2026-03-03"), pd.Timestamp("2026-03-06")]
    assert panel["mood_mood"].tolist() == pytest.approx([0.2, 0.8])


def test_the_change_of_a_questionnaire_is_against_the_mean_of_those_before(panel_of, features_on):
    """The newest score of 90 days, and what it is above the earlier ones."""
    scores = {1: 4.0, 8: 8.0, 15: 9.0}
    rows = [{"completed_at": datetime(2026, 3, day, 10, tzinfo=UTC), "score": score,
             "received_at": datetime(2026, 3, day, 11, tzinfo=UTC)} for day, score in scores.items()]  # fmt: skip
    found = features_on(panel_of(assessments=rows), "2026-03-20")
    # newest 9; mean of 4 and 8 is 6; the change is 3
    assert found["mood_phq_9_last_90d"] == 9.0
    assert found["mood_phq_9_change_90d"] == pytest.approx(3.0)
    alone = features_on(panel_of(assessments=rows[:1]), "2026-03-20")
    assert alone["mood_phq_9_last_90d"] == 4.0
    assert pd.isna(alone["mood_phq_9_change_90d"])


def three_answers_a_day(days: int, values: tuple[float, float, float] = (2, 6, 4), item: str = "mood") -> list[dict]:
    """Answers at 9, 13 and 20 h on so many days in a row, known the next day."""
    return [{**answer(hour, value, item, received_at=datetime(2026, 3, 3, tzinfo=UTC) + timedelta(days=day)),
             "answered_at": datetime(2026, 3, 2, hour, tzinfo=UTC) + timedelta(days=day)}
            for day in range(days) for hour, value in zip((9, 13, 20), values, strict=True)]  # fmt: skip


def sums_of(panel: pd.DataFrame) -> np.ndarray:
    """The daily sums of pairs, as a pattern sees them."""
    return panel[list(mood.PAIR_COLUMNS)].to_numpy(dtype=float)[None]


def test_a_day_keeps_the_sums_of_its_adjacent_answers(panel_of):
    """0.2 then 0.6, 0.6 then 0.4: two pairs."""
    # earlier 0.2 + 0.6; later 0.6 + 0.4; squares 0.04 + 0.36; products 0.12 + 0.24
    day = the_day(panel_of(mood=three_answers_a_day(1)))
    assert day[list(mood.PAIR_COLUMNS)].tolist() == pytest.approx([2, 0.8, 1.0, 0.4, 0.36])
    alone = the_day(panel_of(mood=[answer(9, 2)]))
    assert alone[list(mood.PAIR_COLUMNS)].isna().all()


def test_inertia_is_the_slope_of_an_answer_on_the_one_before_it(panel_of):
    """Over five days 0.2 -> 0.6 and 0.6 -> 0.4: from 0.2 to 0.6 the next answer falls by 0.2."""
    # (0.4 - 0.6) / (0.6 - 0.2); with the nights, 0.4 -> 0.2, it would be another number
    panel = panel_of(mood=three_answers_a_day(5))
    assert mood.inertia(sums_of(panel))[0][0] == pytest.approx(-0.5)


def test_inertia_does_not_depend_on_where_a_subjects_mood_lies(panel_of):
    """The same course two points higher on the scale has the same slope; so has one with a day missing."""
    higher = sums_of(panel_of(mood=three_answers_a_day(6, (4, 8, 6)))).copy()
    assert mood.inertia(higher)[0][0] == pytest.approx(-0.5)
    higher[0, 2] = np.nan
    assert mood.inertia(higher)[0][0] == pytest.approx(-0.5)


def test_inertia_over_days_that_differ_is_one_regression(panel_of):
    """Two kinds of days, 0.2 -> 0.6 -> 0.4 and 0.5 -> 0.5 -> 0.5, five of each: ten pairs of each kind."""
    # pairs, five times: (2, 6), (6, 4), (5, 5), (5, 5) tenths; means 4.5 and 5; covariation
    # -2.5 * 1 + 1.5 * -1 = -4; squares 6.25 + 2.25 + 0.25 + 0.25 = 9
    both = np.concatenate(
        [sums_of(panel_of(mood=three_answers_a_day(5, values))) for values in ((2, 6, 4), (5, 5, 5))], axis=1
    )
    assert mood.inertia(both)[0][0] == pytest.approx(-4 / 9)


def test_inertia_is_of_one_item_a_day(panel_of):
    """Happiness at another level beside mood would look like a level that lasts."""
    panel = panel_of(mood=three_answers_a_day(5) + three_answers_a_day(5, (9, 9, 9), "happy"))
    assert mood.inertia(sums_of(panel))[0][0] == pytest.approx(-0.5)


def test_inertia_needs_ten_pairs_and_answers_that_vary(panel_of):
    """Four days of two pairs and one of one are too few, five of two enough; a mood that never changes has no slope."""
    ten = three_answers_a_day(5)
    assert np.isnan(mood.inertia(sums_of(panel_of(mood=ten[:-1])))[0][0])
    assert np.isfinite(mood.inertia(sums_of(panel_of(mood=ten)))[0][0])
    assert np.isnan(mood.inertia(sums_of(panel_of(mood=three_answers_a_day(6, (3, 3, 3)))))[0][0])
    assert np.isnan(mood.inertia(np.full((1, 28, 5), np.nan))[0][0])


def relative_sd(*levels: float) -> float:
    """The relative SD of one window of daily levels."""
    return float(mood.relative_sd(np.array(levels, dtype=float)[None, :, None])[0][0])


def test_the_relative_sd_is_the_share_of_what_the_mean_leaves_room_for():
    """Four days at 0.2 and one at 0.7: the mean is 0.3."""
    # squares 4 * 0.01 + 0.16 = 0.2; five values that add up to 1.5 vary most as 1, 0.5, 0, 0, 0:
    # 0.49 + 0.04 + 3 * 0.09 = 0.8; sqrt(0.2 / 0.8)
    assert relative_sd(0.2, 0.2, np.nan, 0.2, 0.2, 0.7) == pytest.approx(0.5)


def test_days_on_the_ends_of_the_scale_vary_as_much_as_can_be():
    """All but one on an end: 1. Never different from one another: 0. All on one end: there is no room, so missing."""
    assert relative_sd(0, 0, 0, 0.5, 1) == pytest.approx(1.0)
    assert relative_sd(0, 1, 0, 1, 1, 1) == pytest.approx(1.0)
    assert relative_sd(0.3, 0.3, 0.3, 0.3, 0.3) == pytest.approx(0.0)
    assert np.isnan(relative_sd(1, 1, 1, 1, 1))
    assert np.isnan(relative_sd(0, 0, 0, 0, 0))


def test_the_relative_sd_needs_five_days():
    """Four are too few."""
    assert np.isnan(relative_sd(0, 1, 0, 1, np.nan))


def test_a_questionnaire_has_its_newest_score_and_its_change():
    """Scores of 4, 8 and then 9, whichever days lie between; one alone has no change, none is missing."""
    nan = np.nan
    rows = np.array(
        [[4, nan, 8, nan, 9], [nan, 4, nan, nan, nan], [nan, nan, nan, nan, np.inf], [nan, 3, np.inf, 5, nan]]
    )
    last, change = mood.last_and_change(rows[:, :, None])
    # 9 - (4 + 8) / 2; an infinite score is no score: 5 - 3
    assert last.tolist() == pytest.approx([9, 4, nan, 5], nan_ok=True)
    assert change.tolist() == pytest.approx([3, nan, nan, 2], nan_ok=True)


def test_every_questionnaire_that_is_read_has_its_pattern(panel_of):
    """Scores of each instrument make a column of the panel, which its pattern names."""
    rows = [{"completed_at": datetime(2026, 3, 2, 10, tzinfo=UTC), "score": 30.0, "instrument": name}
            for name in (*mood.ASSESSMENTS, "unknown")]  # fmt: skip
    columns = {column for column in panel_of(assessments=rows).columns if column.startswith("mood_")}
    assert columns == {f"mood_{name}" for name in mood.ASSESSMENTS}
    assert columns <= {column for pattern in mood.PATTERNS for column in pattern.columns}
