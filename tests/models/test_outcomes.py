"""Labels, episodes, masks and censoring, by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import outcomes
from models.errors import ModelsError
from models.outcomes import Outcome

OUTCOME = Outcome("crisis", (7, 14), events=("crisis_contact",), merge_within_days=7, refractory_days=7)


def day(number: int) -> pd.Timestamp:
    """Day `number` of the year 2026."""
    return (pd.Timestamp("2026-01-01") + pd.Timedelta(days=number - 1)).as_unit("us")


def frame(column: str, numbers: list[int]) -> pd.DataFrame:
    """Rows of one subject on these days of the year."""
    return pd.DataFrame({"subject_id": ["p"] * len(numbers), column: pd.to_datetime([day(n) for n in numbers])})


def label(index: list[int], events: list[int], until: int, task: str = "onset", outcome: Outcome = OUTCOME,
          reported: list[int] | None = None) -> pd.DataFrame:  # fmt: skip
    """Labels of one subject's index dates."""
    followed = pd.DataFrame({"subject_id": ["p"], "followed_until": [day(until)]})
    return outcomes.label(frame("index_date", index), outcome, task, frame("event_on", events), followed,
                          frame("local_date", reported or []))  # fmt: skip


def test_events_within_the_merge_distance_are_one_episode():
    """Days 10 and 17 are 7 apart: one episode; day 25 is 8 later: another."""
    found = outcomes.episodes(frame("event_on", [10, 17, 25]), 7)
    assert found["started_on"].tolist() == [day(10), day(25)]
    assert found["ended_on"].tolist() == [day(17), day(25)]


def test_an_event_on_the_index_date_lies_ahead_and_the_horizon_ends_before_its_last_day():
    """From day 10 the week is days 10 to 16: an event on 10 or 16 counts, on 17 it does not."""
    for event, expected in ((10, 1.0), (16, 1.0), (17, 0.0)):
        assert outcomes.at_horizon(label([10], [event], 60), 7).tolist() == [expected]


def test_onset_is_masked_inside_an_episode_and_its_refractory_time():
    """Event on day 10, refractory 7 days: 11 to 17 carry no onset label, 10 and 18 do."""
    found = label([10, 11, 17, 18], [10], 60)
    assert found["is_masked"].tolist() == [False, True, True, False]


def test_burden_counts_every_event_day_and_masks_nothing():
    """The second day of an episode is a burden, not an onset."""
    burden, onset = label([11], [10, 12], 60, "burden"), label([11], [10, 12], 60)
    assert outcomes.at_horizon(burden, 7).tolist() == [1.0]
    assert np.isnan(outcomes.at_horizon(onset, 7)).all()


def test_a_horizon_not_fully_followed_loses_its_positives_too():
    """Follow-up ends on day 15: from day 10, 6 days are seen; the event on day 12 is no positive of a 7-day horizon."""
    assert np.isnan(outcomes.at_horizon(label([10], [12], 15), 7)).all()
    assert outcomes.at_horizon(label([10], [12], 16), 7).tolist() == [1.0]


def test_without_reports_the_absence_of_a_self_reported_event_is_unknown():
    """Half of 7 days means at least 4 reports; silence is not absence."""
    own = Outcome("low", (7, 14), events=("low",), ascertainment="self_report", min_coverage=0.5, refractory_days=7)
    assert outcomes.at_horizon(label([10], [], 60, outcome=own, reported=[10, 11, 12]), 7).tolist() != [0.0]
    four = label([10], [], 60, outcome=own, reported=[10, 11, 12, 16])
    assert outcomes.at_horizon(four, 7).tolist() == [0.0]
    assert np.isnan(outcomes.at_horizon(four, 14)).all()


def test_a_relapse_needs_remission_before_and_a_rise():
    """PHQ-9 of 6, 7, 13: relapse at 13. A subject always at 13, and one rising 9 to 11, never relapse."""
    scale = Outcome("relapse", (28,), assessment="phq_9", in_remission_below=10, rise=5)
    rows = pd.DataFrame({
        "subject_id": list("aaabbbcc"), "instrument": "phq_9", "score": [6, 7, 13, 13, 13, 13, 9, 11],
        "event_on": [day(n) for n in (1, 15, 29, 1, 15, 29, 1, 15)], "known_on": day(40),
    }).astype({"event_on": "datetime64[us]"})  # fmt: skip
    found = outcomes.event_days(scale, None, rows)
    assert found["subject_id"].tolist() == ["a"]
    assert found["event_on"].tolist() == [day(29)]


def test_an_outcome_without_its_stream_is_refused():
    """An outcome by event kinds cannot be made of assessments."""
    with pytest.raises(ModelsError, match="needs the `events` stream"):
        outcomes.event_days(OUTCOME, None, pd.DataFrame())


@given(st.sets(st.integers(1, 60)), st.integers(1, 60), st.integers(1, 60))
def test_labels_agree_with_their_definition(events: set[int], index: int, until: int):
    """For any events, index date and end of follow-up, the burden label is what counting days by hand gives."""
    found = outcomes.at_horizon(label([index], sorted(events), until, "burden"), 7)[0]
    if until < index + 6:
        assert np.isnan(found)
    else:
        assert found == float(any(index <= event <= index + 6 for event in events))


def test_the_flow_adds_up():
    """Masked, censored and labelled rows are all index dates, each once."""
    found = outcomes.flow(label([5, 11, 12, 50], [10], 55), (7,)).set_index("step")["rows"]
    assert found["index dates"] == found.iloc[1] + found.iloc[2] + found["labelled"] == 4
    assert found["with an event"] == 1
