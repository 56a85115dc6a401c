"""Mood within and over days: inertia against statsmodels, relative SD against the largest SD that scipy finds."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.optimize import linprog
from statsmodels.tsa.ar_model import AutoReg

from features import mood
from tests.references.figures import same, shown
from tests.references.made_up import mood_of_days, with_gaps

PER_DAY = 6


def panel(answers: np.ndarray) -> pd.DataFrame:
    """The day panel's mood columns from answers of shape (n_days, n_answers), every two hours from 8 h, NaN where not given."""
    n_days, per_day = answers.shape
    dates = pd.date_range("2026-03-02", periods=n_days, freq="D", unit="us")
    hours = pd.to_timedelta(8 + 2 * np.arange(per_day), unit="h")
    rows = pd.DataFrame({
        "subject_id": "ann", "local_date": dates.repeat(per_day), "known_on": dates.repeat(per_day) + pd.Timedelta(days=1),
        "item": "mood", "answered_at": [date + hour for date in dates.tz_localize("UTC") for hour in hours],
        "level": answers.ravel(), "minutes_to_answer": 1.0,
    })  # fmt: skip
    return mood.daily(rows.dropna(subset="level"))


def inertia(answers: np.ndarray) -> float:
    """Our inertia over all the days."""
    return mood.inertia(panel(answers)[list(mood.PAIR_COLUMNS)].to_numpy()[None])[0][0]


def answers_of(n_days: int, share: float = 0.0, per_day: int = PER_DAY) -> np.ndarray:
    """Answers of some days."""
    return with_gaps(mood_of_days(n_days * per_day), share).reshape(n_days, per_day)


def test_inertia_within_one_day_is_statsmodels_autoregression():
    """AR(1) with an intercept, by conditional least squares, of one day of 20 answers."""
    answers = answers_of(1, per_day=20)
    assert inertia(answers) == same(AutoReg(answers[0], lags=1).fit().params[1])


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_inertia_over_days_is_a_regression_on_pairs_within_a_day(share):
    """statsmodels, given each answer and the one before it, person-centred; no pair spans a night."""
    answers = answers_of(28, share)
    centred = answers - np.nanmean(answers)
    given = [day[np.isfinite(day)] for day in centred]
    before, after = np.concatenate([np.column_stack([day[:-1], day[1:]]) for day in given]).T
    assert inertia(answers) == same(sm.OLS(after, sm.add_constant(before)).fit().params[1])


def test_an_autoregression_over_all_answers_takes_nights_for_two_hours():
    """Deviation: theirs is 0.6647 over the answers as one series, ours 0.7625.

    From the last answer of an evening to the first of the morning is a night, not the two hours of the other steps.
    """
    answers = answers_of(28)
    answers -= np.linspace(-0.1, 0.1, PER_DAY)
    theirs = AutoReg(answers.ravel(), lags=1).fit().params[1]
    assert (theirs, inertia(answers)) == shown(0.6647, 0.7625)


def test_swings_within_a_day_are_the_root_mean_square_of_numpys_differences():
    """Of each day with at least two answers."""
    answers = answers_of(10)
    assert panel(answers)["mood_swing"].to_numpy() == same(np.sqrt((np.diff(answers, axis=1) ** 2).mean(axis=1)))


def largest_sd(mean: float, n: int) -> float:
    """Largest SD of n values between 0 and 1 with this mean, as scipy finds it.

    An SD is convex, so that it is largest in a corner of what the mean leaves room for; every linear programme ends in one.
    """
    towards = np.random.default_rng(7).normal(size=(5, n))
    corners = [linprog(c, A_eq=np.ones((1, n)), b_eq=[n * mean], bounds=(0, 1)).x for c in towards]
    return max(corner.std(ddof=1) for corner in corners)


@pytest.mark.parametrize("shift", [-0.4, 0.0, 0.3])
@pytest.mark.parametrize("share", [0.0, 0.25])
def test_the_relative_sd_is_a_share_of_the_largest_one(shift, share):
    """However near the mean lies to an end of the scale."""
    days = with_gaps((mood_of_days(28) + shift).clip(0, 1), share)
    valid = days[np.isfinite(days)]
    ours = mood.relative_sd(days[None, :, None])[0][0]
    assert ours == same(valid.std(ddof=1) / largest_sd(valid.mean(), len(valid)))
