"""Mood measures of a day, computed on paper."""

from datetime import UTC, datetime

import pandas as pd
import pytest

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
