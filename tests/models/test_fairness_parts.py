"""The parts of the audit, each on an example that fits on paper."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from models.errors import ModelsError
from models.fairness import bootstrap, disclosure, metrics
from models.fairness.alerts import queue_rows
from models.fairness.bootstrap import Rows
from models.fairness.groups import MOST_LEVELS, NOT_RECORDED, POOLED, group_subjects
from models.fairness.verdicts import FAIL, INSUFFICIENT, PASS, judge

NIGHT = pd.Timestamp("2026-03-01")


def people(**columns: list) -> pd.DataFrame:
    """An attribute table with subjects a, b, c, ..."""
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"subject_id": [chr(97 + i) for i in range(n)], **columns})


def grouped(table: pd.DataFrame, events: list[bool], references: dict[str, str] | None = None):
    """Groups of everybody in the table."""
    return group_subjects(table, pd.Index(table["subject_id"]), np.array(events), references or {})


def test_not_recorded_is_a_group_of_its_own():
    """A missing value, an empty text and an absent subject are one group, not left out."""
    table = people(sex=["F", None, " ", "M"])
    (sex,) = group_subjects(table, pd.Index([*"abcd", "stranger"]), np.zeros(5, bool), {})
    assert [sex.levels[c] for c in sex.codes] == ["F", NOT_RECORDED, NOT_RECORDED, "M", NOT_RECORDED]


def test_a_subject_cannot_be_in_two_groups():
    """A repeated subject is refused with the count, and without the id."""
    table = pd.DataFrame({"subject_id": ["person-77", "person-77"], "sex": ["F", "M"]})
    with pytest.raises(ModelsError, match="repeats in 1 rows") as refusal:
        grouped(table, [False, False])
    assert "77" not in str(refusal.value)


def test_the_reference_is_declared_or_the_best_known_group():
    """Without a declaration the recorded group with most event subjects is the reference."""
    table = people(sex=["F", "F", "M", None, None])
    events = [False, False, True, True, True]
    assert grouped(table, events)[0].levels[grouped(table, events)[0].reference] == "M"
    declared = grouped(table, events, {"sex": "F"})[0]
    assert declared.levels[declared.reference] == "F"


def test_a_reference_that_nobody_has_is_refused():
    """A misspelt reference group stops the audit rather than choosing another."""
    with pytest.raises(ModelsError, match="reference group declared for `sex`"):
        grouped(people(sex=["F", "M"]), [True, True], {"sex": "female"})


def test_pairs_of_attributes_are_crossed_unless_one_is_constant():
    """Two attributes give one crossing; an attribute with one value gives none."""
    groupings = grouped(people(sex=["F", "M"], site=["n", "s"], country=["x", "x"]), [True, True])
    assert [g.name for g in groupings] == ["sex", "site", "country", "sex & site"]
    assert groupings[-1].labels() == ("sex=F & site=n", "sex=M & site=s")


def test_a_200_level_attribute_is_pooled_by_a_stated_rule():
    """Only the largest levels stand alone; the rest share one name."""
    table = people(postcode=[f"{i % 60:03}" for i in range(200)])
    (postcode,) = grouped(table.assign(subject_id=range(200)), [True] * 200)
    assert len(postcode.levels) == MOST_LEVELS
    assert POOLED in postcode.levels


def scored_of(scores: list[float], nights: list[int] | None = None) -> pd.DataFrame:
    """One row per subject 0, 1, 2, ... with these scores."""
    days = [NIGHT + pd.Timedelta(days=d) for d in (nights or [0] * len(scores))]
    return pd.DataFrame({"index_date": days, "probability": scores})


def test_the_top_share_is_flagged_within_each_night():
    """Each night spends its own capacity, however high another night's scores are."""
    scores = list(np.linspace(0.5, 0.9, 20)) + list(np.linspace(0.0, 0.4, 20))
    queue = queue_rows(scored_of(scores, [0] * 20 + [1] * 20), np.arange(40), 0.1, seed=1)
    flagged = queue.flagged(np.ones((40, 1), np.int32))[:, 0]
    assert queue.scope == "night"
    assert sorted(queue.rows[flagged > 0]) == [18, 19, 38, 39]


def test_small_nights_are_pooled_and_said_to_be():
    """Where a night holds too few rows for its share, all rows make one pool."""
    queue = queue_rows(scored_of([0.1] * 10, list(range(10))), np.arange(10), 0.1, seed=1)
    assert queue.scope == "all rows"


def test_copies_of_a_subject_queue_like_people():
    """With the top subject drawn three times, three copies take the capacity; the boundary splits copies."""
    queue = queue_rows(scored_of([0.9, 0.8, 0.1, 0.1]), np.arange(4), 0.5, seed=1)
    weights = np.array([[3], [4], [1], [0]], np.int32)
    by_row = dict(zip(queue.rows.tolist(), queue.flagged(weights)[:, 0].tolist(), strict=True))
    assert by_row == {0: 3, 1: 1, 2: 0, 3: 0}


def test_equal_scores_do_not_favour_the_first():
    """Ties are broken by chance, so no order of the table decides who is flagged."""
    flagged = set()
    for seed in range(20):
        queue = queue_rows(scored_of([0.2] * 20), np.arange(20), 0.1, seed)
        flagged |= set(queue.rows[queue.flagged(np.ones((20, 1), np.int32))[:, 0] > 0].tolist())
    assert len(flagged) > 10


def test_rates_are_the_textbook_ratios():
    """10 rows, 4 positive, 5 flagged, 3 of them right: each rate by hand."""
    one = lambda x: np.array([[float(x)]])  # noqa: E731
    rates = metrics.rates(metrics.Counts(one(10), one(4), one(5), one(3), one(2)))
    got = {name: value.item() for name, value in rates.items()}
    assert got == pytest.approx(
        {"selection_rate": 0.5, "tpr": 0.75, "fpr": 2 / 6, "ppv": 0.6, "fnr": 0.25, "alerts_per_1000_days": 500,
         "mean_predicted": 0.2, "observed_rate": 0.4, "observed_to_expected": 2.0}
    )  # fmt: skip


def test_a_group_without_positives_has_no_tpr():
    """Fairlearn would say 0.0; here the rate over events is missing."""
    cells = pd.DataFrame({"label": [0, 0, 1], "is_flagged": [0, 1, 1], "n": [5, 1, 2], "probability": [0.1, 0.5, 0.6]})
    table = metrics.points(cells, pd.Series(["none", "none", "some"], name="group"))
    assert np.isnan(table.loc["none", "tpr"])
    assert np.isnan(table.loc["none", "fnr"])
    assert np.isnan(table.loc["some", "fpr"])
    assert table.loc["some", "tpr"] == 1.0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.3, 0.7]), st.integers(0, 1)), min_size=4, max_size=40))
def test_binned_auroc_is_the_auroc(rows):
    """Where every score has its own bin, counting gives scikit-learn's AUROC, ties included."""
    probability, label = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    data = Rows(np.arange(len(rows)), label, probability, len(rows))
    area, _ = bootstrap.bin_scores(data).resampled(np.ones(len(rows), bool), np.ones((len(rows), 1), np.int32))
    expected = roc_auc_score(label, probability) if 0 < label.sum() < len(label) else np.nan
    assert area[0] == pytest.approx(expected, nan_ok=True)


def test_the_calibration_slope_is_the_logistic_slope():
    """Newton's steps on bins reach the unpenalised logistic regression's slope."""
    rng = np.random.default_rng(4)
    x = rng.normal(-1, 1, 800)
    y = (rng.random(800) < 1 / (1 + np.exp(-0.6 * x))).astype(float)
    expected = LogisticRegression(C=np.inf, tol=1e-10).fit(x[:, None], y).coef_.item()
    assert metrics.calibration_slope(y[None], np.ones((1, 800)), x)[0] == pytest.approx(expected, abs=1e-4)


def test_a_slope_without_positives_is_missing():
    """No positives, no slope: not a number that never settled."""
    assert np.isnan(metrics.calibration_slope(np.zeros((1, 50)), np.ones((1, 50)), np.linspace(-3, 0, 50))[0])


def comparison(**given: float) -> pd.DataFrame:
    """One comparison between two ample groups, with these numbers changed."""
    sizes = {"n_subjects": 99, "n_event_subjects": 50, "reference_n_subjects": 99, "reference_n_event_subjects": 50}
    usual = {"difference": 0.0, "low": -0.05, "high": 0.05, "standard_error": 0.025, "own_standard_error": 0.02}
    return pd.DataFrame([sizes | usual | given])


@pytest.mark.parametrize(
    ("given_numbers", "verdict"),
    [
        ({}, PASS),
        ({"difference": 0.3, "low": 0.2, "high": 0.4}, FAIL),
        ({"difference": -0.3, "low": -0.4, "high": -0.2}, FAIL),
        ({"difference": 0.08, "low": 0.03, "high": 0.13}, INSUFFICIENT),
        ({"difference": 0.15, "low": 0.11, "high": 0.19, "standard_error": 0.024}, INSUFFICIENT),
        ({"n_event_subjects": 0}, INSUFFICIENT),
        ({"difference": 0.3, "low": 0.2, "high": 0.4, "n_event_subjects": 4}, INSUFFICIENT),
        ({"difference": 0.3, "low": 0.2, "high": 0.4, "reference_n_subjects": 9}, INSUFFICIENT),
        ({"own_standard_error": 0.0}, INSUFFICIENT),
        ({"low": np.nan, "high": np.nan}, INSUFFICIENT),
    ],
)
def test_verdicts_follow_the_interval_the_margin_and_the_size(given_numbers, verdict):
    """Inside is pass, beyond is fail, and everything else, or anything small, is insufficient evidence."""
    family = [comparison(**given_numbers)]
    if given_numbers.get("standard_error"):
        family += [comparison()] * 20
    assert judge(pd.concat(family, ignore_index=True), 0.1)["verdict"].iloc[0] == verdict


def test_the_minimum_detectable_difference_is_2_8_standard_errors():
    """80 % power at a two-sided 5 %; none is claimed for groups below the minimum size."""
    assert judge(comparison(standard_error=0.05), 0.1)["mdd"].item() == pytest.approx(0.14)
    assert np.isnan(judge(comparison(n_subjects=3), 0.1)["mdd"].item())


def cells(*subjects: int, events: int = 6, share: float = 0.2) -> pd.DataFrame:
    """Groups of one attribute with these sizes."""
    return pd.DataFrame(
        {"attribute": "sex", "n_subjects": subjects, "n_event_subjects": events, "largest_event_share": share}
    )


def test_a_cell_needs_ten_subjects_five_with_events_and_no_dominant_one():
    """Each of the three limits hides a group by itself; events nobody had count as dominated."""
    assert disclosure.is_showable(cells(10)).all()
    assert not disclosure.is_showable(cells(9)).any()
    assert not disclosure.is_showable(cells(10, events=4)).any()
    assert not disclosure.is_showable(cells(10, share=0.31)).any()
    assert not disclosure.is_showable(cells(10, share=np.nan)).any()


def test_a_hidden_count_cannot_be_had_by_subtraction():
    """One hidden group takes the counts of the smallest shown group with it; two large hidden ones do not."""
    assert disclosure.is_countable(cells(4, 40, 60)).tolist() == [False, False, True]
    assert disclosure.is_countable(cells(20, 40, 60)).tolist() == [True, True, True]
    assert disclosure.is_countable(cells(6, 7, 60)).tolist() == [False, False, True]


def test_counts_are_rounded_to_five():
    """Halves go up; zero stays zero."""
    assert [disclosure.rounded_count(c) for c in (0, 2, 3, 7, 8, 12.5)] == [0, 0, 5, 5, 10, 15]
