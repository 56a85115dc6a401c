"""The parts of the audit, each on an example that fits on paper."""

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, equalized_odds_difference, true_positive_rate
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from models.calibration import slope_and_intercept
from models.errors import ModelsError
from models.fairness import bootstrap, disclosure, metrics
from models.fairness.alerts import AtLeast, TopShare, flags_of, queue_rows
from models.fairness.audit import Audited, audit
from models.fairness.groups import MOST_LEVELS, NOT_RECORDED, POOLED, Grouping, group_subjects
from models.fairness.rows import rows_of
from models.fairness.verdicts import FAIL, INSUFFICIENT, PASS, STILL, judge

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
    assert np.flatnonzero(flagged).tolist() == [18, 19, 38, 39]


def test_small_nights_are_pooled_and_said_to_be():
    """Where a night holds too few rows for its share, all rows make one pool."""
    queue = queue_rows(scored_of([0.1] * 10, list(range(10))), np.arange(10), 0.1, seed=1)
    assert queue.scope == "all rows"


def test_sites_have_their_own_capacity_without_dates_too():
    """However high another site's scores are."""
    scored = scored_of(list(np.linspace(0.5, 0.9, 20)) + list(np.linspace(0.0, 0.4, 20))).drop(columns="index_date")
    queue = queue_rows(scored.assign(site=["n"] * 20 + ["s"] * 20), np.arange(40), 0.1, seed=1)
    assert queue.scope == "site"
    assert np.flatnonzero(queue.flagged(np.ones((40, 1), np.int32))[:, 0]).tolist() == [18, 19, 38, 39]


def test_a_capacity_within_groups_is_known_as_such():
    """Each pool holds one site: its share flagged is what the capacity says. Of the sexes it is not."""
    scored = scored_of(list(np.linspace(0, 1, 80)), [0, 1] * 40).assign(site=["n"] * 40 + ["s"] * 40)
    queue = queue_rows(scored, np.arange(80), 0.1, seed=1)
    assert queue.scope == "site and night"
    assert queue.is_spent_within(np.array([0] * 40 + [1] * 40))
    assert not queue.is_spent_within(np.arange(80) % 3)


@pytest.mark.parametrize("name", ["all", "not sex", "sex & site", "sex @ site"])
def test_a_name_that_means_something_else_in_a_report_is_refused(name):
    """Rather than a crash, or a cell that is taken for another."""
    with pytest.raises(ModelsError, match="Rename"):
        grouped(people(**{name: ["F", "M"]}), [True, True])


def test_values_cannot_be_taken_for_crossed_groups_or_parts():
    """What stands between the names of cells is written out."""
    (ward,) = grouped(people(ward=["a & b", "a @ 2026-04"]), [True, True])
    assert ward.levels == ("a and b", "a at 2026-04")


def test_copies_of_a_subject_queue_like_people():
    """With the top subject drawn three times, three copies take the capacity; the boundary splits copies."""
    queue = queue_rows(scored_of([0.9, 0.8, 0.1, 0.1]), np.arange(4), 0.5, seed=1)
    weights = np.array([[3], [4], [1], [0]], np.int32)
    assert queue.flagged(weights)[:, 0].tolist() == [3, 1, 0, 0]


def test_equal_scores_do_not_favour_the_first():
    """Ties are broken by chance, so no order of the table decides who is flagged."""
    flagged = set()
    for seed in range(20):
        queue = queue_rows(scored_of([0.2] * 20), np.arange(20), 0.1, seed)
        flagged |= set(np.flatnonzero(queue.flagged(np.ones((20, 1), np.int32))[:, 0]).tolist())
    assert len(flagged) > 10


def test_rates_are_the_textbook_ratios():
    """10 rows, 4 positive, 5 flagged, 3 of them right; 2 of 3 episodes caught, 9 days ahead in all: each rate by hand."""
    numbers = {"rows": 10, "positives": 4, "flagged": 5, "caught": 3, "expected": 2, "squared": 1, "episodes": 3,
               "episodes_caught": 2, "days_ahead": 9, "quiet_caught": 1}  # fmt: skip
    rates = metrics.rates(metrics.Sums(**{name: np.array([[float(n)]]) for name, n in numbers.items()}))
    got = {name: value.item() for name, value in rates.items()}
    assert got == pytest.approx(
        {"selection_rate": 0.5, "tpr": 0.75, "fpr": 2 / 6, "ppv": 0.6, "fnr": 0.25, "alerts_per_1000_days": 500,
         "mean_predicted": 0.2, "observed_rate": 0.4, "observed_to_expected": 2.0, "brier": 0.1,
         "false_alerts_per_1000_days": 200, "episodes_caught": 2 / 3, "mean_lead_time_days": 4.5, "quiet_onset_yield": 20}
    )  # fmt: skip


def test_fairlearn_takes_no_positives_for_none_caught():
    """The trap itself: by Fairlearn a group without events has a TPR of 0.0, and the odds differ by as much as they can."""
    label, flag, group = [0, 0, 1, 1], [0, 1, 1, 1], ["none", "none", "some", "some"]
    frame = MetricFrame(metrics=true_positive_rate, y_true=label, y_pred=flag, sensitive_features=group)
    assert frame.by_group["none"] == 0.0
    assert equalized_odds_difference(label, flag, sensitive_features=group) == 1.0


def test_a_group_without_positives_has_no_tpr():
    """Fairlearn would say 0.0; here the rate over events is missing."""
    cells = pd.DataFrame({"label": [0, 0, 1], "is_flagged": [0, 1, 1], "n": [5, 1, 2], "probability": [0.1, 0.5, 0.6]})
    cells["squared_error"] = (cells["probability"] - cells["label"]) ** 2
    table = metrics.points(cells, pd.Series(["none", "none", "some"], name="group"))
    assert np.isnan(table.loc["none", "tpr"])
    assert np.isnan(table.loc["none", "fnr"])
    assert np.isnan(table.loc["some", "fpr"])
    assert table.loc["some", "tpr"] == 1.0


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 0.1, 0.2, 0.3, 1.0]), st.integers(0, 1), st.integers(0, 4)),
        min_size=4,
        max_size=40,
    )
)
def test_ranks_of_a_resample_are_counted_exactly(rows):
    """AUROC and AUPRC lift of each group, and AUROC of everybody else, are scikit-learn's over the copies, ties included."""
    scored = pd.DataFrame(rows, columns=["probability", "label", "subject_id"]).astype({"subject_id": str})
    of, subjects = rows_of(scored)
    group = Grouping(("g",), ("a", "b", "c"), (np.arange(len(subjects)) % 3), 0)
    weights = bootstrap.draw(len(subjects), 2, seed=1)
    flags = flags_of(AtLeast(0.2), scored, of.subject, 1)[0]
    found = bootstrap.resample(of, flags, bootstrap.whole(of, [group]), weights)
    for draw in range(3):
        copies = np.repeat(np.arange(len(of.label)), weights[of.subject, draw])
        for level in range(3):
            here = copies[group.codes[of.subject[copies]] == level]
            rest = copies[group.codes[of.subject[copies]] != level]
            for cell, who in ((level, here), (3 + level, rest)):
                label, score = of.label[who], of.probability[who]
                has_both = 0 < label.sum() < len(label)
                area = roc_auc_score(label, score) if has_both else np.nan
                lift = average_precision_score(label, score) / label.mean() if has_both else np.nan
                assert found["auroc"][draw, cell] == pytest.approx(area, nan_ok=True, abs=1e-12)
                assert found["auprc_lift"][draw, cell] == pytest.approx(lift, nan_ok=True)
                assert np.isfinite(found["calibration_slope"][draw, cell]) == has_both


@pytest.mark.parametrize("steps", [4, 10, 100])
def test_the_slope_of_rounded_scores_is_that_of_their_regression(steps):
    """However few scores there are, the slope is that of the rows, and lies within its interval."""
    rng = np.random.default_rng(steps)
    risk = 1 / (1 + np.exp(-rng.normal(-1.5, 1, 3000)))
    label = (rng.random(3000) < risk).astype(int)
    score = np.clip(np.round(risk * steps) / steps, 0.002, 0.998)
    scored = pd.DataFrame({"subject_id": np.arange(3000) // 10, "probability": score, "label": label})
    of = Audited("made up", "crisis", "onset", 14, "unseen_subjects", "a score")
    who = pd.DataFrame({"subject_id": np.arange(300), "sex": np.resize(["F", "M"], 300)})
    told = audit(scored, who, of, rule=TopShare(0.1), margin=0.1, resamples=100).tables["rows"]
    row = told.query("cell == 'all' and metric == 'calibration_slope'").iloc[0]
    assert row["value"] == pytest.approx(slope_and_intercept(score, label.astype(float))[0], abs=1e-4)
    assert row["low"] < row["value"] < row["high"]


def comparison(**given: float) -> pd.DataFrame:
    """One comparison between two ample groups, with these numbers changed."""
    sizes = {"n_subjects": 99, "n_event_subjects": 50, "reference_n_subjects": 99, "reference_n_event_subjects": 50}
    usual = {
        "n_carriers": 50,
        "difference": 0.0,
        "low": -0.05,
        "high": 0.05,
        "standard_error": 0.025,
        "own_standard_error": 0.02,
    }
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
    """80 % power at a two-sided 5 %."""
    assert judge(comparison(standard_error=0.05), 0.1)["mdd"].item() == pytest.approx(0.14)


def test_what_does_not_vary_is_no_matter_of_few_people():
    """The reason says so, and no size is blamed."""
    assert judge(comparison(own_standard_error=0.0), 0.1)["why"].item() == STILL


def test_of_small_groups_the_worst_is_told():
    """As if each event subject's days were all alike: 2.8 * sqrt(0.25 / 4 + 0.25 / 50); never more than all; of nobody nothing."""
    mdd = judge(pd.concat([comparison(n_event_subjects=n) for n in (4, 1, 0)], ignore_index=True), 0.1)["mdd"]
    assert mdd.tolist() == pytest.approx([0.727, 1.0, np.nan], abs=5e-4, nan_ok=True)


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
