"""Past episodes and coverage, computed on paper."""

import numpy as np
import pandas as pd
import pytest

from features.history import enrolment, history

ENROLLED = pd.Series([pd.Timestamp("2026-01-01")])


def events(*days: tuple[str, ...], subject: str = "ann") -> pd.DataFrame:
    """Event days of 2026 as (day, known on) or (day, known on, superseded on), month and day only."""
    dates = [[pd.Timestamp(f"2026-{day}") for day in each] + [pd.NaT] * (3 - len(each)) for each in days]
    frame = pd.DataFrame(dates, columns=["event_on", "known_on", "superseded_on"]).astype("datetime64[us]")
    return frame.assign(subject_id=subject)


def on(index_date: str, event_days: pd.DataFrame, merge_within_days: int = 7) -> pd.Series:
    """History features of one index date of 2026."""
    index = pd.DataFrame({"subject_id": ["ann"], "index_date": [pd.Timestamp(f"2026-{index_date}")]})
    return history(event_days, index, ENROLLED, merge_within_days).iloc[0]


def test_events_within_seven_days_are_one_episode():
    """1, 8 and 16 February: the 8th is 7 days after the 1st and belongs to it, the 16th is 8 days on and does not."""
    found = on("02-20", events(("02-01", "02-02"), ("02-08", "02-09"), ("02-16", "02-17")))
    assert found["history_episodes_ever"] == 2
    assert found["history_days_since_last_episode"] == 4
    assert found["history_days_since_last_event"] == 4


def test_an_episode_is_dated_by_its_first_day():
    """Events on 10, 12 and 14 February are one episode that began on the 10th."""
    found = on("02-20", events(("02-10", "02-11"), ("02-12", "02-13"), ("02-14", "02-15")))
    assert found["history_days_since_last_episode"] == 10
    assert found["history_days_since_last_event"] == 6
    assert found["history_episodes_90d"] == 1


def test_a_chain_of_near_events_stays_one_episode():
    """Each lies within 7 days of the one before, though the last is 14 days after the first."""
    assert on("03-01", events(("02-01", "02-02"), ("02-08", "02-09"), ("02-15", "02-16")))["history_episodes_ever"] == 1


def test_two_events_on_one_day_are_one_event_day():
    """Windows count days: the 13th is in the last 7 days before the 20th, the 12th is not."""
    found = on("02-20", events(("02-13", "02-14"), ("02-13", "02-15"), ("02-12", "02-13")))
    assert found["history_event_days_7d"] == 1
    assert found["history_event_days_28d"] == 2


def test_event_days_fall_out_of_their_windows():
    """28 days before 1 March is 1 February; 90 days before is 1 December."""
    found = on("03-01", events(("02-01", "02-02"), ("01-31", "02-01")))
    assert found["history_event_days_28d"] == 1
    assert found["history_event_days_90d"] == 2


def test_an_event_on_the_index_date_is_not_past():
    """It lies at or after the cutoff."""
    found = on("02-20", events(("02-20", "02-20")))
    assert found["history_event_days_7d"] == 0
    assert np.isnan(found["history_days_since_last_event"])


def test_an_event_counts_from_the_day_it_is_known():
    """Happened on 10 February, known for the first time on the 20th."""
    late = events(("02-10", "02-20"))
    assert on("02-19", late)["history_event_days_28d"] == 0
    assert on("02-20", late)["history_event_days_28d"] == 1


def test_an_event_known_late_can_join_two_episodes():
    """1 and 12 February are two episodes until the 6th comes to be known: then one, begun on the 1st."""
    found = events(("02-01", "02-02"), ("02-06", "02-20"), ("02-12", "02-13"))
    assert on("02-19", found)["history_episodes_ever"] == 2
    assert on("02-20", found)["history_episodes_ever"] == 1
    assert on("02-20", found)["history_days_since_last_episode"] == 19


def test_an_event_taken_back_counts_until_then():
    """Taken back on 15 February: in the features of the 14th, no longer in those of the 15th."""
    found = events(("02-10", "02-11", "02-15"))
    assert on("02-14", found)["history_event_days_7d"] == 1
    assert on("02-15", found)["history_event_days_7d"] == 0


def test_the_rate_leans_on_a_prior_of_90_days():
    """(episodes of a year + 1/4) / (365 + 90): it starts low, is never missing, and does not tell days enrolled."""
    assert on("02-10", events())["history_episode_rate"] == pytest.approx(0.25 / 455)
    assert on("02-10", events(("02-01", "02-02")))["history_episode_rate"] == pytest.approx(1.25 / 455)
    # 1 January to 10 February are 40 days
    assert on("02-10", events())["tenure_days_enrolled"] == 40


def test_without_events_counts_are_zero_and_distances_missing():
    """Nothing known is not the same as long ago; another subject's events are nobody else's."""
    found = on("02-10", events(("02-01", "02-02"), subject="bob"))
    assert found["history_episodes_ever"] == 0
    assert found["history_event_days_90d"] == 0
    assert np.isnan(found["history_days_since_last_episode"])


def test_the_declared_merging_distance_is_used():
    """1 and 8 February are two episodes where only 3 days are bridged."""
    assert on("02-20", events(("02-01", "02-02"), ("02-08", "02-09")), 3)["history_episodes_ever"] == 2


def test_adherence_in_the_matrix_counts_days_with_any_stream(panel_from, features_on):
    """Data on 1 to 3 and on 6 March, index date the 8th, enrolled on the 1st."""
    panel = panel_from("2026-03-01", mood_valence=[0.5, None, 0.5, 0, 0, 0.5], sleep_duration=[None, 400, *[None] * 4])
    found = features_on(panel.drop(index=[3, 4]), "2026-03-08", enrolled_on="2026-03-01")
    assert found["adherence_coverage_7d"] == pytest.approx(4 / 7)
    assert found["adherence_coverage_28d"] == pytest.approx(4 / 7)
    assert found["adherence_days_since_data_28d"] == 1
    assert found["adherence_longest_gap_28d"] == 2


def test_a_day_whose_data_were_taken_back_is_a_day_without_data(panel_from, features_on):
    """The panel keeps an empty version of it, known on 5 March; coverage falls back to none."""
    panel = panel_from("2026-03-03", mood_valence=[0.5])
    empty = panel.assign(mood_valence=np.nan, known_on=pd.Timestamp("2026-03-05").as_unit("us"))
    both = pd.concat([panel, empty], ignore_index=True)
    assert features_on(both, "2026-03-04")["adherence_coverage_7d"] == pytest.approx(1 / 7)
    assert features_on(both, "2026-03-06")["adherence_coverage_7d"] == 0


def test_coverage_is_never_above_one(panel_from, features_on):
    """Data on 1 to 3 March, enrolled on the 3rd, index date the 4th: the one observable day has data."""
    panel = panel_from("2026-03-01", mood_valence=[0.5, 0.5, 0.5])
    assert features_on(panel, "2026-03-04", enrolled_on="2026-03-03")["adherence_coverage_7d"] == 1


def test_a_corrected_enrolment_counts_for_the_index_dates_that_knew_it():
    """Told on 3 March as 1 March, on 10 March as 20 February: 9 March is day 8, 10 March day 18; 2 March takes the first."""
    told = pd.DataFrame({"subject_id": "ann", "enrolled_on": pd.to_datetime(["2026-02-20", "2026-03-01"]),
                         "known_on": pd.to_datetime(["2026-03-10", "2026-03-03"])})  # fmt: skip
    index = pd.DataFrame(
        {"subject_id": "ann", "index_date": pd.to_datetime(["2026-03-02", "2026-03-09", "2026-03-10"])}
    )
    found = history(events(), index, enrolment(told, index), 7)["tenure_days_enrolled"]
    assert found.tolist() == [1, 8, 18]
