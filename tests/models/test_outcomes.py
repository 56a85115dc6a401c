"""Labels, episodes, masks and censoring, by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendar import is_known_on
from models import outcomes
from models.errors import ModelsError
from models.flow import flow
from models.outcomes import Outcome, Part
from tests.models.test_rises import FIRST, at_random, standing

OUTCOME = Outcome("crisis", (7, 14), events=("crisis_contact",), merge_within_days=7, refractory_days=7)


def day(number: int) -> pd.Timestamp:
    """Day `number` of the year 2026."""
    return (pd.Timestamp("2026-01-01") + pd.Timedelta(days=number - 1)).as_unit("us")


def frame(column: str, numbers: list[int]) -> pd.DataFrame:
    """Rows of one subject on these days of the year."""
    return pd.DataFrame({"subject_id": ["p"] * len(numbers), column: pd.to_datetime([day(n) for n in numbers])})


def label(index: list[int], events: list[int], until: int, task: str = "onset", outcome: Outcome = OUTCOME,
          reported: list[int] | None = None, care: dict[int, str] | None = None, knowable: int = 60,
          assessed: list[int] | None = None) -> pd.DataFrame:  # fmt: skip
    """Labels of one subject's index dates; `care` holds statuses by their day."""
    followed = pd.DataFrame({"subject_id": ["p"], "followed_until": [day(until)], "knowable_until": [day(knowable)]})
    told = [frame("local_date", (assessed if part.assessment else reported) or []) for part in outcome.parts]
    statuses = frame("event_on", [*(care or {})]).assign(status=[*(care or {}).values()])
    return outcomes.label(frame("index_date", index), outcome, task, frame("event_on", events), followed, told,
                          statuses)  # fmt: skip


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
    """Days 2 to 59: every index date is taken away by one rule or labelled; who died or was admitted first has no event."""
    own = Outcome("crisis", (7,), events=("x",), refractory_days=7, ascertainment="self_report", min_coverage=0.2)
    reported = [*range(1, 31), *range(40, 56)]
    labels = label([*range(2, 60)], [10], 55, outcome=own, reported=reported, care={20: "inpatient", 23: "active"})
    found = flow(labels, (7,)).set_index("step")["rows"]
    taken = ["masked: in an episode or refractory", "not at risk: admitted", "censored: horizon not followed up",
             "censored: too few reports in the horizon", "labelled"]  # fmt: skip
    # Masked 11 to 17; admitted on the ward at the cutoffs of 21, 22 and 23; followed to 55, so 50 to 59 are not; of 7 days
    # two are to be reported: 30 to 34 have one or none (30: day 30; 34: day 40).
    assert found[taken].tolist() == [7, 3, 10, 5, 33]
    assert found["index dates"] == found[taken].sum() == 58
    assert found["with an event"] == 7  # days 4 to 10
    assert found["without an event: died or admitted first"] == 3  # of days 14 to 20, those unmasked


def test_who_dies_within_the_horizon_had_no_event():
    """Death on day 12: from day 10 the week has no event, though nobody saw its end; a night on day 15 cannot know that yet."""
    died = {"events": [], "until": 12, "care": {12: "deceased"}}
    assert outcomes.at_horizon(label([10], **died), 7).tolist() == [0.0]
    assert label([10], **died)["days_to_competing"].tolist() == [2.0]
    assert np.isnan(outcomes.at_horizon(label([10], **died, knowable=15), 7)).all()


def test_who_is_admitted_first_has_no_event_within_the_horizon_and_no_label_on_the_ward():
    """Admitted on day 12, back on 15, event on 16: none of day 10's week, no label on days 13 to 15, foreseen on 16."""
    found = label([10, 12, 13, 15, 16], [16], 60, care={12: "inpatient", 15: "active"})
    assert np.array_equal(outcomes.at_horizon(found, 7), [0, 0, np.nan, np.nan, 1], equal_nan=True)


def test_an_event_on_the_day_of_the_admission_comes_first():
    """The crisis that ends on the ward is a crisis."""
    found = label([10], [12], 60, care={12: "inpatient"})
    assert outcomes.at_horizon(found, 7).tolist() == [1.0]
    assert found["days_to_competing"].isna().all()


def test_silence_after_a_death_hides_nothing():
    """Half of the days until the death are to be reported: two of day 10's three (10 to 12), one does not do."""
    own = Outcome("low", (7,), events=("low",), ascertainment="self_report", min_coverage=0.5, refractory_days=7)
    died = {"events": [], "until": 11, "care": {12: "deceased"}, "outcome": own}
    assert outcomes.at_horizon(label([10], **died, reported=[10, 11]), 7).tolist() == [0.0]
    assert np.isnan(outcomes.at_horizon(label([10], **died, reported=[11]), 7)).all()


COMBINED = Outcome("worse", (7,), refractory_days=7, any_of=(
    Part(events=("emergency",)), Part(assessment="phq_9", rise=5), Part(assessment="phq_9", reaches=20)))  # fmt: skip


def test_of_a_combination_every_part_s_events_count_and_the_first_decides():
    """An emergency on day 20, a PHQ-9 up from 6 to 12 on day 15 and from 14 to 21 on day 29: three event days."""
    rows = frame("event_on", [1, 15, 29]).assign(instrument="phq_9", score=[6.0, 12.0, 21.0], known_on=day(40))
    events = frame("event_on", [20, 3]).assign(kind=["emergency", "call"], known_on=day(21))
    found = outcomes.event_days(COMBINED, events, rows)
    assert found["event_on"].drop_duplicates().tolist() == [day(15), day(20), day(29)]
    told = label([14], [15, 20], 60, "burden", COMBINED, assessed=[14])
    assert told["days_to_event"].tolist() == [1.0]


def test_of_a_combination_every_part_must_have_been_able_to_show():
    """Without an assessment within the week, that no emergency came does not mean that nothing did."""
    assert np.isnan(outcomes.at_horizon(label([10], [], 60, outcome=COMBINED, assessed=[9, 17]), 7)).all()
    assert outcomes.at_horizon(label([10], [], 60, outcome=COMBINED, assessed=[16]), 7).tolist() == [0.0]
    # Nor does an emergency make the row eligible: eligibility never follows from the outcome.
    assert np.isnan(outcomes.at_horizon(label([10], [12], 60, outcome=COMBINED), 7)).all()


def test_a_combination_without_one_of_its_streams_is_refused():
    """Its other parts would pass for all of it."""
    with pytest.raises(ModelsError, match="`worse` needs the `assessments` stream"):
        outcomes.event_days(COMBINED, frame("event_on", []).assign(kind=[], known_on=[]), None)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 100))
def test_nothing_received_later_makes_or_unmakes_an_event_of_before(seed: int, night: int):
    """A combination's event days that stand on an index date, from all versions or from those known by then: the same."""
    rng, date = np.random.default_rng(seed), FIRST + pd.Timedelta(days=night)
    scores, calls = at_random(rng), at_random(rng, 10).assign(kind="emergency")
    by_then = []
    for rows in (calls, scores):
        known = rows[is_known_on(rows["known_on"], date)]
        # That a version was to be superseded was not known before it was.
        by_then.append(known.assign(superseded_on=known["superseded_on"].where(known["superseded_on"] <= date)))
    found, expected = (outcomes.event_days(COMBINED, *streams) for streams in ((calls, scores), by_then))
    assert standing(found, night) == standing(expected, night)
