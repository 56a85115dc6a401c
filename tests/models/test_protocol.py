"""Which days of whom a model is fitted on."""

import numpy as np
import pandas as pd
import pytest

from models.protocol import TENURE, learnt_from

FIRST = pd.Timestamp("2026-01-06").as_unit("us")  # a Tuesday
SUBJECTS, DAYS = 700, 28
WARM = 100.0  # enrolled for long enough that every feature can have a value


def followed(subjects: int = SUBJECTS, days: int = DAYS, every: int = 1) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The matrix and the labels of people who all enrol on the same day, one date in `every`."""
    day = np.tile(np.arange(0, days, every), subjects)
    who = np.repeat([f"p{i:03}" for i in range(subjects)], len(range(0, days, every)))
    return pd.DataFrame({TENURE: day + WARM}), pd.DataFrame(
        {"subject_id": who, "index_date": FIRST + pd.to_timedelta(day, "D")}
    )


def test_people_who_enrol_on_one_weekday_are_learnt_from_on_every_weekday():
    """All of the first Tuesday, or nothing but Tuesdays, would teach the risk of Tuesdays as everybody's."""
    matrix, labels = followed()
    days = labels.loc[learnt_from(matrix, labels, (), 7), "index_date"].value_counts()
    assert len(days) == DAYS
    assert days.between(0.6 * SUBJECTS / 7, 1.4 * SUBJECTS / 7).all()


def test_one_day_in_so_many_of_each():
    """Between two days of one person lie as many as are declared: four in four weeks."""
    matrix, labels = followed()
    chosen = labels[learnt_from(matrix, labels, (), 7)]
    assert set(chosen.groupby("subject_id")["index_date"].diff().dropna().dt.days) == {7}
    assert set(chosen.groupby("subject_id").size()) == {4}


def test_who_else_is_there_does_not_matter():
    """The days of one person are the same alone as among others."""
    matrix, labels = followed()
    chosen = learnt_from(matrix, labels, (), 7)
    for name in ("p000", "p001", "p699"):
        own = (labels["subject_id"] == name).to_numpy()
        alone = learnt_from(matrix[own].reset_index(drop=True), labels[own].reset_index(drop=True), (), 7)
        assert alone.tolist() == chosen[own].tolist()


@pytest.mark.parametrize("every", [5, 8])
def test_a_matrix_that_is_thinned_already_gives_a_row_of_every_stretch(every):
    """Dates five days apart: of most stretches of a week one; eight days apart: all but the first of some."""
    matrix, labels = followed(subjects=50, days=80, every=every)
    apart = labels[learnt_from(matrix, labels, (), 7)].groupby("subject_id")["index_date"].diff().dropna().dt.days
    assert set(apart) == ({5, 10} if every == 5 else {8})
