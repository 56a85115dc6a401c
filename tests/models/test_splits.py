"""Nobody is trained and tested on; nothing later than the test's begin is trained on."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models import protocol, splits
from models.baselines import Predictor
from models.errors import ModelsError
from tests.models.made_up import cohort

LABELS = cohort(30, 90)[1]


def test_no_subject_is_on_both_sides_and_everyone_is_tested_once():
    """Split (b): unseen subjects."""
    tested = np.zeros(len(LABELS), int)
    for split in splits.unseen_subjects(LABELS, 5, 1):
        assert not set(LABELS["subject_id"][split.train]) & set(LABELS["subject_id"][split.test])
        tested += split.test
    assert (tested == 1).all()


def test_a_training_rows_horizon_ends_before_the_test_begins():
    """Split (c): purged by the horizon, or the answer would be known from the future."""
    for split in splits.unseen_and_later(LABELS, 5, 3, 14, 1):
        assert not set(LABELS["subject_id"][split.train]) & set(LABELS["subject_id"][split.test])
        last_seen = LABELS["index_date"][split.train] + pd.Timedelta(days=14)
        assert last_seen.max() <= LABELS["index_date"][split.test].min()


def test_subjects_with_an_event_are_spread_evenly():
    """No fold has more than one event subject more than another."""
    fold = pd.Series(splits.folds(LABELS, 5, 1)).groupby(LABELS["subject_id"]).first()
    has_event = LABELS.groupby("subject_id")["days_to_event"].apply(lambda days: days.notna().any())
    counts = fold[has_event].value_counts()
    assert counts.max() - counts.min() <= 1


def test_too_few_event_subjects_are_refused_with_their_number():
    """Five folds of two event subjects cannot be."""
    few = LABELS.assign(days_to_event=LABELS["days_to_event"].where(LABELS["subject_id"] < "p004"))
    with pytest.raises(ModelsError, match="too few for 5 folds"):
        splits.folds(few, 5, 1)


def test_the_same_subjects_later_are_learnt_from_their_past_alone():
    """Split (a): nobody is kept apart, the future is."""
    for split in splits.same_subjects_later(LABELS, 3, 14):
        assert set(LABELS["subject_id"][split.test]) <= set(LABELS["subject_id"][split.train])
        assert (LABELS["index_date"][split.train] + pd.Timedelta(days=14)).max() <= LABELS["index_date"][
            split.test
        ].min()


@pytest.mark.parametrize("name", [splits.UNSEEN_SITE, splits.UNSEEN_DEVICE])
def test_each_site_and_device_is_tested_once_by_a_model_of_the_others(name: str):
    """Split (d): whose site or device is not known is learnt from only; one alone is no split."""
    site = LABELS["subject_id"].map(lambda name: {"0": "north", "1": "south"}.get(name[2]))
    found = list(splits.one_out(name, site))
    assert {split.name for split in found} == {name}
    assert [set(site[split.test]) for split in found] == [{"north"}, {"south"}]
    assert all((split.train == ~split.test).all() for split in found)
    assert site.isna().any()
    assert not list(splits.one_out(name, site.where(site != "south")))


def test_a_cut_is_learnt_from_labels_as_they_were_known_there():
    """An event that was received after the cut is none in its training rows, and is one in what is tested."""
    cut = splits.cut_dates(LABELS["index_date"], 1)[0]
    is_over = splits.is_over(LABELS["index_date"], 14, cut)
    known = LABELS[is_over].assign(days_to_event=np.nan)
    for split in splits.unseen_and_later(splits.with_known(LABELS, 0, is_over, known), 5, 1, 14, 1):
        assert LABELS["days_to_event"][split.train].notna().any()
        assert split.known["days_to_event"][split.train].isna().all()
        assert (split.known["followed_days"][split.train] == LABELS["followed_days"][split.train]).all()
        assert not split.known["followed_days"][~is_over].any()


@pytest.mark.parametrize("split", [splits.UNSEEN_AND_LATER, splits.SAME_SUBJECTS_LATER])
def test_fits_of_a_cut_do_not_see_what_came_to_be_known_later(split):
    """Turn every label into what the cut could not know: the risks of its test rows stay the same to the bit."""
    matrix, labels = cohort(60, 90)
    is_over = splits.is_over(labels["index_date"], 14, splits.cut_dates(labels["index_date"], 1)[0])
    told = splits.with_known(labels, 0, is_over, labels[is_over])
    turned = told.assign(days_to_event=told["days_to_event"].where(~is_over), followed_days=told["followed_days"])
    planned = (
        list(splits.unseen_and_later(told, 3, 1, 14, 1))
        if split == splits.UNSEEN_AND_LATER
        else list(splits.same_subjects_later(told, 1, 14))
    )
    rules = (Predictor("history", "logistic", ("history_episode_rate",)),)

    def risks(of: pd.DataFrame) -> dict[str, np.ndarray]:
        again = [replace(p, known=splits.as_known(of, 0)) for p in planned]
        (found,) = protocol.cross_predict(matrix, of, (7, 14), rules, again, 7, 1, 1, lambda share: None)
        return found.risks

    for name, values in risks(told).items():
        np.testing.assert_array_equal(values, risks(turned)[name])
