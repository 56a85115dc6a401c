"""The fast subject bootstrap gives what the slow one gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from models import resampling


def sample(rows: int = 600, subjects: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with ties, labels and subjects."""
    rng = np.random.default_rng(seed)
    score = rng.integers(0, 40, rows) / 40
    return score, (rng.random(rows) < 0.2 + 0.4 * score).astype(float), rng.integers(0, subjects, rows)


@pytest.mark.parametrize("seed", range(5))
def test_auroc_of_a_resample_equals_sklearns_on_the_repeated_rows(seed: int):
    """Drawing subject i twice is having its rows twice; to 1e-12."""
    score, label, subject = sample(seed=seed)
    weights = resampling.draws(12, 20, seed)
    fast = resampling.concordance(score, label, subject).auroc(weights)
    for value, drawn in zip(fast, weights, strict=True):
        rows = np.repeat(np.arange(len(score)), drawn[subject].astype(int))
        assert value == pytest.approx(roc_auc_score(label[rows], score[rows]), abs=1e-12)


def test_auroc_among_some_subjects_equals_sklearns_on_their_rows():
    """Pairs with a row of anybody else do not count, however often they are drawn."""
    score, label, subject = sample()
    is_in = np.arange(12) % 3 == 0
    value = resampling.concordance(score, label, subject).among(is_in).auroc(np.ones((1, 12)))[0]
    rows = is_in[subject]
    assert value == pytest.approx(roc_auc_score(label[rows], score[rows]), abs=1e-12)


def test_there_is_no_auroc_without_both_classes_drawn():
    """Missing rather than a number, in that resample only; more resamples than are counted side by side."""
    weights = np.ones((resampling.AT_ONCE + 2, 2))
    weights[-1, 0] = 0
    found = resampling.concordance(np.array([0.2, 0.1]), np.array([1.0, 0.0]), np.array([0, 1])).auroc(weights)
    assert np.isnan(found[-1])
    assert (found[:-1] == 1).all()


def test_within_subject_auroc_is_each_subjects_own():
    """The rank statistic within each; missing below five rows of a class."""
    score, label, subject = sample()
    own = resampling.own_aurocs(score, label, subject, 12)
    for person in range(12):
        rows = subject == person
        enough = min(label[rows].sum(), (1 - label[rows]).sum()) >= 5
        assert (
            own[person] == pytest.approx(roc_auc_score(label[rows], score[rows])) if enough else np.isnan(own[person])
        )


def test_the_binned_curve_agrees_with_the_exact_one():
    """Fewer distinct scores than bins: nothing is lost."""
    score, label, subject = sample()
    curve = resampling.curve(score, label, subject, np.ones((1, 12)))
    assert curve.average_precision()[0] == pytest.approx(average_precision_score(label, score), abs=1e-9)
    sensitivity, ppv = curve.at_top(0.5)
    flagged = np.sort(score)[::-1][len(score) // 2 - 1]
    sure, cut = score > flagged, score == flagged
    expected = label[sure].sum() + label[cut].mean() * (len(score) / 2 - sure.sum())
    assert sensitivity[0] == pytest.approx(expected / label.sum())
    assert ppv[0] == pytest.approx(expected / (len(score) / 2))


@given(st.floats(0, 1))
def test_scores_that_say_nothing_have_an_auroc_of_one_half(constant: float):
    """Ties count half, whatever the score."""
    _, label, subject = sample(60)
    flat = np.full(60, constant)
    assert resampling.concordance(flat, label, subject).auroc(np.ones((1, 12)))[0] == 0.5


def test_an_interval_needs_nine_of_ten_resamples():
    """Where resamples often lack events, there is no interval rather than a narrow one."""
    values = np.linspace(0, 1, 100)
    assert np.isfinite(resampling.interval(values)).all()
    values[:11] = np.nan
    assert np.isnan(resampling.interval(values)).all()
