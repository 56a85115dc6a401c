"""Negative controls: silent where nothing leaks, loud where the machinery leaks, honest where they cannot tell."""

import numpy as np
import pandas as pd
import pytest

from models import controls, splits
from models.baselines import MODEL, Predictor
from models.controls import PERMUTED, SHIFTED, Trial
from models.splits import Split
from tests.models.made_up import FEATURES, OUTCOME, cohort


def at_random(labels: pd.DataFrame, count: int) -> list[Split]:
    """Folds of rows, not of subjects: everybody is on both sides."""
    fold = np.random.default_rng(0).integers(count, size=len(labels))
    return [Split(splits.UNSEEN_SUBJECTS, k, 0, fold != k, fold == k) for k in range(count)]


def found(matrix: pd.DataFrame, labels: pd.DataFrame, planned: list[Split], *features: str) -> pd.DataFrame:
    """What the controls say of the model over some features, by control."""
    trial = Trial(Predictor(MODEL, "boosted_trees", features), OUTCOME.horizons_days, 14, planned, 1, 3, 2)
    return controls.negative_controls(matrix, labels, trial, lambda _: None).set_index("control")


def test_a_strong_signal_on_unseen_subjects_is_no_leak():
    """Both controls pass where the model ranks well because it knows something."""
    matrix, labels = cohort()
    told = found(matrix, labels, list(splits.unseen_subjects(labels, 3, 1)), *FEATURES)
    assert told["is_passed"].all()
    assert (told["p"] > 0.005).all()


def long_labels(subjects: int, days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Subjects with days of risk and days without, in turn, of a length of their own; columns that tell who and when."""
    dates = pd.date_range("2024-01-01", periods=days, freq="D", unit="us")
    who, when = np.divmod(np.arange(subjects * days), days)
    index = pd.DataFrame({"subject_id": np.char.add("p", who.astype(str)), "index_date": dates[when]})
    spell = np.random.default_rng(1).integers(10, 180, (subjects, 2))[who]
    is_near = when % spell.sum(axis=1) < spell[:, 0]
    labels = index.assign(outcome="crisis", task="onset", days_to_event=np.where(is_near, 3.0, np.nan), followed_days=99,
                          is_masked=False)  # fmt: skip
    return index.assign(tenure_days_enrolled=99.0, who=who * 1.0, moment=np.arange(len(index)) * 1.0), labels


def test_who_is_on_both_sides_of_a_split_is_found_by_permuted_labels():
    """A column that says who it is lets the model remember who is often at risk."""
    matrix, labels = long_labels(24, 360)
    told = found(matrix, labels, at_random(labels, 3), "who")
    assert not told.loc[PERMUTED, "is_passed"]
    assert told.loc[SHIFTED, "is_passed"]


def test_the_next_day_on_the_other_side_of_a_split_is_found_by_shifted_labels():
    """A column that tells the moment lets the model look up the labels of the days around it."""
    matrix, labels = long_labels(12, 720)
    told = found(matrix, labels, at_random(labels, 3), "moment")
    assert not told.loc[SHIFTED, "is_passed"]


def test_the_same_columns_on_unseen_subjects_leak_nothing():
    """It is the split that leaks, not the column."""
    matrix, labels = long_labels(12, 720)
    assert found(matrix, labels, list(splits.unseen_subjects(labels, 2, 1)), "moment")["is_passed"].all()


def test_what_cannot_be_estimated_is_said_and_stops_nothing():
    """No fold can be learnt from without events."""
    matrix, labels = cohort(20, 60)
    planned = list(splits.unseen_subjects(labels, 2, 1))
    told = found(matrix, labels.assign(days_to_event=np.nan), planned, *FEATURES)
    assert told["is_passed"].all()
    assert told["told"].str.startswith("not estimable").all()


def test_equal_seeds_give_equal_figures():
    """A training that is run again says the same."""
    matrix, labels = cohort(40, 60)
    planned = list(splits.unseen_subjects(labels, 2, 1))
    pd.testing.assert_frame_equal(found(matrix, labels, planned, "noise"), found(matrix, labels, planned, "noise"))


@pytest.mark.parametrize(
    ("name", "leak"),
    [("days_to_event", controls.TARGET), ("label", controls.TARGET), ("who", controls.IDENTITY), ("sleep_short", None)],
)
def test_a_column_that_is_the_target_or_the_person_is_called_that(name: str, leak: str | None):
    """Copies of days to the event, of a label, of an id; a strong feature is none of these."""
    matrix, labels = cohort()
    near = (labels["days_to_event"] < 7).astype(float)
    columns = {"days_to_event": labels["days_to_event"], "label": near, "sleep_short": matrix["sleep_short"],
               "who": pd.Series(pd.factorize(matrix["subject_id"])[0].astype(float))}  # fmt: skip
    assert controls.leak_of(columns[name], labels, OUTCOME.horizons_days) == leak
