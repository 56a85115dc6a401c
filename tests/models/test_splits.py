"""Nobody is trained and tested on; nothing later than the test's begin is trained on."""

import numpy as np
import pandas as pd
import pytest

from models import splits
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


def test_each_site_is_tested_once_by_a_model_of_the_others():
    """Split (d): whose site is not known is learnt from only; one site alone is no split."""
    site = LABELS["subject_id"].map(lambda name: {"0": "north", "1": "south"}.get(name[2]))
    found = list(splits.unseen_site(site))
    assert [set(site[split.test]) for split in found] == [{"north"}, {"south"}]
    assert all((split.train == ~split.test).all() for split in found)
    assert site.isna().any()
    assert not list(splits.unseen_site(site.where(site != "south")))
