"""Ways to mitigate: each does what its authors say, none has seen a test row, and what cannot be told is not told."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models import operational, protocol, reweighing, splits
from models.baselines import Predictor
from models.calibration import fit_level, log_odds
from models.errors import ModelsError
from models.fairness import frontier, mitigation
from models.fairness.alerts import TopShare
from models.fairness.audit import Audited, audit
from models.fairness.frontier import GAP, MINUS_UNMITIGATED, OF_RISK
from models.fairness.mitigation import Mitigated, Trial, _Seen
from models.fairness.ways import RANDOMISED, RECALIBRATION, REWEIGHING, UNMITIGATED, WAYS
from tests.models.made_up import OUTCOME, cohort

RULE = Predictor("rule", "logistic", ("history_episode_rate", "sleep_short"))
TRIAL = Trial(RULE, OUTCOME.horizons_days, 14, "sex", 0.1, 3, 1, 2)
SUBJECTS = 120
AUDITED = Audited("made up", "crisis", "onset", 14, "unseen_subjects", "rule")


def people(subjects: int = SUBJECTS, few: int = 4) -> pd.DataFrame:
    """Women and men by turns, and a few of whom it is not recorded."""
    sex = ["F", "M"] * (subjects // 2)
    sex[:few] = [None] * few
    return pd.DataFrame({"subject_id": [f"p{i:03}" for i in range(subjects)], "sex": sex})


def made() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A cohort in which men seem to sleep worse than they do, so that everybody's rule gives them too much risk."""
    matrix, labels = cohort(SUBJECTS)
    labels = reweighing.with_groups(labels, people(), "sex")
    is_man = (labels[reweighing.column("sex")] == "M").to_numpy()
    return matrix.assign(sleep_short=matrix["sleep_short"] + 2 * is_man), labels


def mitigated(matrix: pd.DataFrame, labels: pd.DataFrame, trial: Trial = TRIAL) -> Mitigated:
    """Every way on three folds of unseen subjects."""
    return mitigation.mitigate(matrix, labels, list(splits.unseen_subjects(labels, 3, 1)), trial, lambda share: None)


@pytest.fixture(scope="module")
def tried() -> Mitigated:
    """Every way on the cohort with the planted fault."""
    return mitigated(*made())


@pytest.fixture(scope="module")
def found(tried) -> pd.DataFrame:
    """What is measured of it."""
    return frontier.measure(tried.rows, people(), 0.1, 100, 1).rows.set_index(["model", "group", "metric"])


def test_weights_are_those_computed_by_hand():
    """Four women, two with an event, and six men, one of them: P(group) P(label) / P(group, label)."""
    group, label = np.array([0] * 4 + [1] * 6), np.array([1, 1, 0, 0, 1, 0, 0, 0, 0, 0])
    assert reweighing.balanced(group, label) == pytest.approx([0.6, 0.6, 1.4, 1.4, 1.8, *[0.84] * 5])


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), max_size=60))
def test_weighted_label_and_group_are_independent(rows):
    """Where every group has rows of both labels; and there are as many rows and as many events as before."""
    pairs = np.array([*rows, *[(group, label) for group in range(3) for label in (0, 1)]])
    weight = reweighing.balanced(pairs[:, 0], pairs[:, 1])
    shares = [weight[(pairs[:, 0] == g) & (pairs[:, 1] == 1)].sum() / weight[pairs[:, 0] == g].sum() for g in range(3)]
    assert shares == pytest.approx([pairs[:, 1].mean()] * 3)
    assert weight.sum() == pytest.approx(len(pairs))


def test_a_group_without_an_event_has_nobody_to_count_for_it():
    """Its other rows count less than one each, and nothing is infinite."""
    weight = reweighing.balanced(np.array([0, 0, 1, 1]), np.array([1, 0, 0, 0]))
    assert weight == pytest.approx([0.5, 1.5, 0.75, 0.75])


def test_each_interval_is_weighed_by_its_own_rows():
    """In each, events are as frequent among the women as among the men, and as they are in all."""
    _, labels = made()
    weight = reweighing.weights(labels, OUTCOME.horizons_days, "sex")
    for k, horizon in enumerate(OUTCOME.horizons_days):
        place, interval, y = reweighing.at_risk(labels, OUTCOME.horizons_days)
        place, y = place[interval == k], y[interval == k]
        of, counts = labels[reweighing.column("sex")].to_numpy()[place], weight[place, k]
        rates = [np.average(y[of == sex], weights=counts[of == sex]) for sex in ("F", "M")]
        assert rates == pytest.approx([y.mean()] * 2), horizon


def test_a_reweighed_fit_says_so_and_is_another_one():
    """Weights reach the logistic learner and the trees, of training rows alone; the file tells by what they were made."""
    matrix, labels = made()
    for learner in ("logistic", "boosted_trees"):
        plain = Predictor("x", learner, RULE.features)
        fits = [
            protocol.fit_one(matrix, labels, OUTCOME.horizons_days, of, 1)
            for of in (plain, Predictor("x", learner, RULE.features, reweighed_by="sex"))
        ]
        assert [fit.reweighed_by for fit in fits] == ["", "sex"]
        assert (fits[0].linear, fits[0].trees) != (fits[1].linear, fits[1].trees)
        if learner == "boosted_trees":
            assert fits[0].trees != fits[1].trees


def test_no_label_of_a_tested_row_reaches_a_fit(tried):
    """With other labels of those tested, every risk and every chance is the same to the bit."""
    matrix, labels = made()
    fold = splits.folds(labels, 3, 1)
    is_known = np.isfinite(protocol.at_horizon(labels, 14))
    others = labels.assign(
        days_to_event=labels["days_to_event"].mask((fold == 0) & is_known), followed_days=labels["followed_days"].where(fold > 0, 14)
    )  # fmt: skip
    planned = list(splits.unseen_subjects(labels, 3, 1))[:1]
    again = mitigation.mitigate(matrix, others, planned, TRIAL, lambda share: None).rows
    both = tried.rows.merge(again, on=["subject_id", "index_date"], suffixes=("", "_again"))
    assert len(both) > 1000
    assert both["label"].sum() > 0 == both["label_again"].sum()
    for way in WAYS:
        assert (both[way] == both[f"{way}_again"]).all(), way


def test_the_text_of_what_holds_rows_names_nobody():
    """Rows of persons, tested or learnt from, are in no log or traceback by the text of what holds them."""
    rows = pd.DataFrame({"subject_id": ["Sentinel-7"], "index_date": pd.Timestamp("2026-06-30"), "label": 1.0})
    seen = _Seen(rows, np.ones(1), np.ones(1), pd.Series(["F"]), rows["subject_id"])
    assert not [text for it in (Mitigated(rows, 0), seen) for text in (repr(it), str(it)) if "Sentinel" in text]


def test_recalibration_moves_no_rank_within_a_group(tried):
    """Of one fold, in which all were fitted alike."""
    rows = tried.rows.merge(made()[1][["subject_id", "index_date"]].assign(fold=splits.folds(made()[1], 3, 1)))
    for _, of in rows.groupby(["fold", "group"]):
        assert (of[UNMITIGATED].rank() == of[RECALIBRATION].rank()).all()
    assert not (rows[UNMITIGATED].rank() == rows[RECALIBRATION].rank()).all()


def test_a_planted_fault_of_one_group_is_mended_by_recalibration_alone(tried):
    """Men are given too much risk, and by reweighing still; calibrated by group they are not."""
    men = tried.rows[tried.rows["group"] == "M"]
    level = {
        way: fit_level(log_odds(men[way].to_numpy()), men["label"].to_numpy()) for way in WAYS if way not in RANDOMISED
    }
    assert level[UNMITIGATED] < -0.4
    assert level[REWEIGHING] < -0.4
    assert abs(level[RECALIBRATION]) < 0.2


def test_groups_too_small_keep_the_risks_that_all_have(tried):
    """Of four people no line is fitted."""
    few = tried.rows[tried.rows["group"] == "not recorded"]
    assert len(few) > 100
    assert few[RECALIBRATION].to_numpy() == pytest.approx(few[UNMITIGATED].to_numpy())


def test_randomised_ways_flag_by_chances_near_the_capacity(tried):
    """Chances lie within 0 and 1, some strictly; all together they flag neither hardly anybody nor everybody."""
    for way in RANDOMISED:
        assert tried.rows[way].between(0, 1).all()
        assert 0.02 < tried.rows[way].mean() < 0.25
    assert any(((tried.rows[way] > 0) & (tried.rows[way] < 1)).any() for way in RANDOMISED)


def test_thresholds_by_group_narrow_the_planted_gap(found):
    """Men are flagged first and caught more often without; with a threshold of their own they are not."""
    assert found.loc[(UNMITIGATED, "all", GAP), "value"] > 0.25
    assert found.loc[(f"threshold_optimizer{MINUS_UNMITIGATED}", "all", GAP), "high"] < 0
    assert found.loc[(f"{RECALIBRATION}{MINUS_UNMITIGATED}", "all", GAP), "value"] < -0.1


def test_figures_are_those_of_the_flags(tried, found):
    """Caught and flagged by a night's capacity; a difference is the difference; the gap is that of the groups shown."""
    flagged = operational.flags(tried.rows, tried.rows[REWEIGHING].to_numpy(), 0.1, 1)
    is_event = (tried.rows["label"] == 1).to_numpy()
    assert found.loc[(REWEIGHING, "all", "tpr"), "value"] == pytest.approx(flagged[is_event].mean())
    assert found.loc[(REWEIGHING, "all", "ppv"), "value"] == pytest.approx(is_event[flagged].mean())
    assert found.loc[(REWEIGHING, "all", "fpr"), "value"] == pytest.approx(flagged[~is_event].mean())
    caught = tried.rows.assign(flagged=flagged)[is_event].groupby("group")["flagged"].mean()
    assert found.loc[(REWEIGHING, "sex=M", "tpr"), "value"] == round(caught["M"], 2)
    assert found.loc[(REWEIGHING, "all", GAP), "value"] == round(abs(caught["M"] - caught["F"]), 2)
    both = [found.loc[(way, "all", "auroc"), "value"] for way in (RECALIBRATION, UNMITIGATED)]
    assert found.loc[(f"{RECALIBRATION}{MINUS_UNMITIGATED}", "all", "auroc"), "value"] == pytest.approx(
        both[0] - both[1]
    )


def test_intervals_are_those_of_the_audit(tried, found):
    """Of the same scores and resamples: as wide for few people here as there."""
    rows = tried.rows.assign(probability=tried.rows[UNMITIGATED])
    audited = audit(rows, people(), AUDITED, rule=TopShare(0.1), margin=0.1, resamples=100, seed=1)
    told = audited.rows.set_index(["cell", "metric"])
    # Figures of groups are rounded.
    for group, near in (("all", 1e-4), ("sex=F", 0.0051), ("sex=M", 0.0051)):
        for metric in ("selection_rate", "tpr", "fpr", "ppv", "auroc"):
            here, there = (
                of[["low", "high"]].tolist()
                for of in (found.loc[(UNMITIGATED, group, metric)], told.loc[(group, metric)])
            )
            assert here == pytest.approx(there, abs=near), (group, metric)


def test_the_widest_gap_is_as_unsure_as_its_smallest_group(tried):
    """Eight women with an event: its wider end is that of the audit's difference, which the smaller group carries."""
    is_woman, had = tried.rows["group"] == "F", tried.rows.groupby("subject_id")["label"].max()
    women = [name for name in tried.rows.loc[is_woman, "subject_id"].unique() if had[name] > 0]
    rows = tried.rows[~tried.rows["subject_id"].isin(women[8:])]
    told = audit(
        rows.assign(probability=rows[UNMITIGATED]), people(), AUDITED, rule=TopShare(0.1), margin=0.1, resamples=400
    ).verdicts
    apart = told.query(
        "attribute == 'sex' and metric == 'tpr' and versus == 'reference' and group == 'F' and reference == 'M'"
    )
    assert apart["n_event_subjects"].tolist() == [8]
    gap = (
        frontier.measure(rows, people(), 0.1, 400, 1)
        .rows.set_index(["model", "group", "metric"])
        .loc[(UNMITIGATED, "all", GAP)]
    )
    assert gap["high"] == pytest.approx(-apart["low"].iloc[0], abs=0.0051)


def test_what_has_no_risk_has_no_ranking_and_no_calibration(found):
    """Missing, not 0."""
    for way in RANDOMISED:
        assert found.loc[[(way, "all", metric) for metric in OF_RISK], ["value", "low", "high"]].isna().all(axis=None)
        assert np.isfinite(found.loc[(way, "all", "tpr"), "value"])


def test_a_group_too_small_is_not_shown_and_is_no_part_of_the_gap(tried, found):
    """Four people have no figure, and are named as hidden."""
    assert set(found.index.get_level_values("group")) == {"all", "sex=F", "sex=M"}
    groups = frontier.measure(tried.rows, people(), 0.1, 100, 1).groups.set_index("label")
    assert not groups.loc["sex=not recorded", "is_shown"]
    assert np.isnan(found.loc[(UNMITIGATED, "sex=F", "tpr"), "n_subjects"]) != np.isnan(
        found.loc[(UNMITIGATED, "sex=M", "tpr"), "n_subjects"]
    )


def test_a_lot_decides_beyond_the_capacity(tried):
    """Who would flag everybody flags as many as there is room for, whoever they are; who would flag fewer leaves room."""
    for chance, share in ((1.0, 0.1), (0.04, 0.04)):
        rows = tried.rows.assign(exponentiated_gradient=chance)
        of = frontier.measure(rows, people(), 0.1, 100, 1).rows.set_index(["model", "group", "metric"])
        for metric in ("selection_rate", "tpr", "fpr"):
            assert of.loc[("exponentiated_gradient", "all", metric), "value"] == pytest.approx(share, abs=0.002)


def test_nothing_is_mitigated_by_what_does_not_tell_people_apart():
    """One group, no such column, groups unknown to the labels, too few with an event in a second group: said without a value."""
    matrix, labels = cohort(40)
    who = people(40).assign(site="north")
    with pytest.raises(ModelsError, match="Everybody is in one group by `site`"):
        reweighing.with_groups(labels, who, "site")
    with pytest.raises(ModelsError, match="`subjects` has no column `shoe`"):
        reweighing.with_groups(labels, who, "shoe")
    with pytest.raises(ModelsError, match="do not say in which group by `sex`"):
        protocol.fit_one(matrix, labels, OUTCOME.horizons_days, Predictor("x", "logistic", (), reweighed_by="sex"), 1)
    healthy = set(labels.groupby("subject_id")["days_to_event"].count().loc[lambda n: n == 0].index)
    one = who.assign(sex=["well" if of in healthy else "ill" for of in who["subject_id"]])
    with pytest.raises(ModelsError, match="No fold has two groups by `sex`") as told:
        mitigated(matrix, reweighing.with_groups(labels, one, "sex"))
    assert "well" not in str(told.value)
    assert "p0" not in str(told.value)


def test_a_predictor_without_features_can_be_mitigated():
    """The same risk for all: every way gives something, and reweighing leaves it what it was."""
    _, labels = made()
    matrix, _ = made()
    rows = mitigated(
        matrix, labels, Trial(Predictor("prevalence", "logistic", ()), (7, 14), 14, "sex", 0.1, 3, 1, 1)
    ).rows
    assert rows[list(WAYS)].notna().all(axis=None)
    assert rows[REWEIGHING].to_numpy() == pytest.approx(rows[UNMITIGATED].to_numpy(), rel=0.02)
