"""Rows that were acted on: found by what was done within the horizon, and by verdicts that name them."""

import numpy as np
import pandas as pd
import pytest

from models import acted_on as subject
from models.acted_on import acted_on, counts
from models.baselines import MODEL
from models.protocol import Predictions

ROWS = pd.DataFrame(
    {
        "subject_id": ["a", "a", "a", "b"],
        "index_date": pd.to_datetime(["2026-06-01", "2026-06-08", "2026-06-15", "2026-06-08"]).astype("datetime64[us]"),
        "score_id": ["a1", "a8", "a15", "b8"],
    }
)
NO_VERDICTS = pd.DataFrame(
    {name: pd.Series(dtype=kind) for name, kind in (
        ("subject_id", "str"), ("event_on", "datetime64[us]"), ("verdict", "str"), ("score_id", "str"), ("outcome", "str"),
        ("as_of_date", "datetime64[us]"),
    )}
)  # fmt: skip
NOTHING_DONE = NO_VERDICTS[["subject_id", "event_on"]]


def verdict(**told: object) -> pd.DataFrame:
    """One verdict `acted` on subject a, given long after every horizon unless told otherwise."""
    given = {"subject_id": "a", "event_on": pd.Timestamp("2026-12-01"), "verdict": "acted", "score_id": None,
             "outcome": None, "as_of_date": None}  # fmt: skip
    made = pd.DataFrame([given | told]).astype({"event_on": "datetime64[us]"})
    return made.assign(as_of_date=pd.to_datetime(made["as_of_date"]).astype("datetime64[us]"))


def done(on: str, subject_id: str = "a") -> pd.DataFrame:
    """One intervention."""
    return pd.DataFrame({"subject_id": [subject_id], "event_on": pd.to_datetime([on]).astype("datetime64[us]")})


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (
            "2026-06-08",
            [False, True, False, False],
        ),  # the index date itself counts, the horizon of 1 June ended on the 7th
        ("2026-06-07", [True, False, False, False]),
        ("2026-06-21", [False, False, True, False]),
        ("2026-06-22", [False, False, False, False]),
        ("2026-05-31", [False, False, False, False]),  # done before: known at the cutoff, and no answer to the score
    ],
)
def test_what_was_done_within_the_horizon_counts_from_the_index_date_on(on, expected):
    """Of 7 days from the index date, the first and the last count; the day before and the day after do not."""
    assert acted_on(ROWS, NO_VERDICTS, done(on), 7, "crisis").tolist() == expected


def test_a_verdict_names_its_score_or_its_night_however_late_it_is_given():
    """By score_id it means that row alone; by night the rows of that night and outcome, or of any where none is told."""
    by_score = acted_on(ROWS, verdict(score_id="a8"), NOTHING_DONE, 7, "crisis")
    by_night = acted_on(ROWS, verdict(as_of_date="2026-06-15"), NOTHING_DONE, 7, "crisis")
    of_another = acted_on(ROWS, verdict(as_of_date="2026-06-15", outcome="relapse"), NOTHING_DONE, 7, "crisis")
    assert by_score.tolist() == [False, True, False, False]
    assert by_night.tolist() == [False, False, True, False]
    assert not of_another.any()


def test_only_acted_is_acting_and_a_verdict_within_the_horizon_says_that_something_was_done():
    """Useful is an opinion; acted on 9 June means the rows whose horizon holds that day."""
    given = verdict(event_on=pd.Timestamp("2026-06-09"))
    assert acted_on(ROWS, given, NOTHING_DONE, 14, "crisis").tolist() == [True, True, False, False]
    assert not acted_on(ROWS, given.assign(verdict="useful", score_id="a1"), NOTHING_DONE, 14, "crisis").any()


def test_nothing_on_record_is_nobody_acted_on():
    """Empty tables mark no row, and no row asks nothing."""
    assert acted_on(ROWS, NO_VERDICTS, NOTHING_DONE, 14, "crisis").tolist() == [False] * 4
    assert acted_on(ROWS.iloc[:0], NO_VERDICTS, done("2026-06-08"), 14, "crisis").shape == (0,)


def test_rows_in_any_order_get_their_own_mark():
    """Marks stand beside the rows as they were given, not as they were sorted."""
    shuffled = ROWS.iloc[[3, 2, 0, 1]]
    assert acted_on(shuffled, NO_VERDICTS, done("2026-06-08"), 7, "crisis").tolist() == [False, False, False, True]


def labels() -> pd.DataFrame:
    """Ten subjects on one date: of the first four an event follows, and the horizon of the last was not followed up."""
    return pd.DataFrame(
        {
            "subject_id": [f"s{n}" for n in range(10)], "index_date": pd.Timestamp("2026-06-01"),
            "days_to_event": [3.0] * 4 + [np.nan] * 6, "followed_days": [30] * 9 + [2], "is_masked": False,
            "days_since_event": np.nan, "cut": 0, "fold": 0,
        }
    )  # fmt: skip


def test_only_labelled_rows_are_counted():
    """Rows, subjects and positives among those acted on; a row without a label is none of them."""
    marks = np.array([True, False, False, False, True, False, False, False, False, True])
    found = counts(labels(), marks, 14)
    assert (found["labelled_rows"], found["acted_on_rows"], found["acted_on_with_event_rows"]) == (9, 2, 1)
    assert (found["acted_on_subjects"], found["acted_on_with_event_subjects"]) == (2, 1)


def test_the_ranking_without_rows_acted_on_is_that_of_the_rest():
    """A high score that was acted on, and averted, no longer counts as a false alarm; without any, nothing is told."""
    rows, risks = labels(), np.array([0.6, 0.5, 0.4, 0.3, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1])
    predictions = Predictions("onset", "unseen_subjects", (14,), rows, {MODEL: risks[:, None]})
    averted = np.arange(10) == 4
    (row,) = subject.sensitivity(predictions, averted, 14, (MODEL,), "d", "crisis", 50, 1).to_dict("records")
    assert (row["value"], row["n_subjects"], row["metric"]) == (1.0, 8, "auroc_not_acted_on")
    assert subject.sensitivity(predictions, averted & False, 14, (MODEL,), "d", "crisis", 50, 1).empty
    everybody_else = rows["subject_id"].ne("s0").to_numpy()
    assert subject.sensitivity(predictions, everybody_else, 14, (MODEL,), "d", "crisis", 50, 1).empty
