"""Ablation: a family that says something is found, noise is not, and the number of comparisons counts."""

import numpy as np
import pandas as pd
import pytest

from features.catalog import STANDARD
from features.feature import family
from models import evaluation, protocol, splits
from models.ablation import (
    ADDS,
    ALONE,
    ALONE_IN_FULL,
    COLUMNS,
    EVERYTHING,
    HISTORY,
    IN_FULL,
    LEARNER,
    LEFT_OUT,
    NOT_SHOWN,
    TAKES_AWAY,
    Contrast,
    Trial,
    ablate,
    core,
    judge,
    plan,
    resampled,
)
from models.baselines import Predictor
from models.errors import ModelsError
from tests.models.made_up import OUTCOME, cohort

FAMILIES = {
    "history": ["history_episode_rate"], "tenure": ["tenure_days_enrolled"], "sleep": ["sleep_short"],
    "signals": ["noise"],
}  # fmt: skip
ON = ("history_episode_rate", "sleep_short")


def trial(labels: pd.DataFrame, seeds: tuple[int, ...] = (1, 2)) -> Trial:
    """Three folds of subjects for each seed."""
    return Trial(OUTCOME.horizons_days, {s: list(splits.unseen_subjects(labels, 3, s)) for s in seeds}, 7, 200, 2)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """The ablation of a cohort in which short sleep comes before an event and everything else is noise."""
    matrix, labels = cohort()
    contrasts = plan(FAMILIES, ON, ("noise",))
    return ablate(matrix, labels, contrasts, trial(labels), "made up", lambda share: None)


def row(rows: pd.DataFrame, kin: str, comparison: str, horizon: int = 14) -> pd.Series:
    """One comparison."""
    found = rows[(rows["family"] == kin) & (rows["comparison"] == comparison) & (rows["horizon_days"] == horizon)]
    assert len(found) == 1
    return found.iloc[0]


def test_a_family_that_foretells_adds_to_history_and_is_missed_when_left_out(rows):
    """Both intervals lie above 0, after adjusting for all comparisons."""
    for comparison in (ALONE, LEFT_OUT):
        found = row(rows, "sleep", comparison)
        assert found["verdict"] == ADDS
        assert 0 < found["low"] < found["value"] < found["high"]


def test_noise_is_not_shown_to_add_to_anything(rows):
    """A family of which nothing is on is tried in full, and noise earns nothing."""
    assert row(rows, "signals", ALONE_IN_FULL)["verdict"] != ADDS
    assert row(rows, "signals", IN_FULL)["verdict"] != ADDS


def test_rows_are_complete_at_every_horizon(rows):
    """Every column, both horizons, how many were tried and who was tested."""
    assert tuple(rows.columns) == COLUMNS
    assert rows.groupby("horizon_days").size().to_dict() == {7: 7, 14: 7}
    # The rule, history, everything, everything - history, everything - sleep, + sleep, + signals, in full.
    assert (rows["configurations"] == 8).all()
    assert (rows["seeds"] == 2).all()
    assert (rows["n_subjects"] >= rows["n_event_subjects"]).all()
    assert (rows["n_episodes"] >= rows["n_event_subjects"]).all()
    assert not rows[["value", "low", "high", "mdd", "seed_sd"]].isna().any(axis=None)


def test_with_one_seed_the_value_is_the_difference_that_evaluation_measures():
    """The protocol is the one that exists: same AUROC, to the bit."""
    matrix, labels = cohort(subjects=50)
    more, less = Predictor("more", "logistic", ON), Predictor("less", "logistic", ("history_episode_rate",))
    made = trial(labels, (4,))
    found = ablate(matrix, labels, [Contrast("sleep", ALONE, ("sleep_short",), more, less)], made, "d", lambda s: None)
    (predicted,) = protocol.cross_predict(
        matrix, labels, OUTCOME.horizons_days, (more, less), list(made.splits[4]), 7, 4, 1, lambda s: None
    )
    told = evaluation.evaluate(predicted, "d", "crisis", 100, 4, 0.1).query("metric == 'auroc' and horizon_days == 14")
    apart = told.set_index("model")["value"]
    assert row(found, "sleep", ALONE)["value"] == apart["more"] - apart["less"]
    counted = row(found, "sleep", ALONE)[["n_subjects", "n_episodes"]]
    assert (counted == told[["n_subjects", "n_episodes"]].iloc[0]).all()


def test_a_family_without_effect_on_the_scores_differs_by_exactly_nothing():
    """Both sides see the same folds, fits and resampled subjects: what is equal has no interval, and no verdict."""
    matrix, labels = cohort(subjects=50)
    same = [Predictor(name, "logistic", ON) for name in ("more", "less")]
    found = ablate(matrix, labels, [Contrast("sleep", ALONE, (), *same)], trial(labels), "d", lambda share: None)
    assert (found[["value", "low", "high", "seed_sd"]] == 0).all(axis=None)
    assert (found["verdict"] == NOT_SHOWN).all()


def test_the_plan_holds_each_family_against_the_same_without_it():
    """By hand: what is on, alone and left out; in full, what is off beside it; tenure nowhere."""
    families = FAMILIES | {"sleep": ["sleep_short", "sleep_long"]}
    found = plan(
        families, (*ON, "tenure_days_enrolled"), ("noise", "sleep_long", "sleep_short", "tenure_days_enrolled")
    )
    told = {(c.family, c.comparison): (c.names, c.more.features, c.less.features) for c in found}
    rate = "history_episode_rate"
    assert told == {
        (HISTORY, LEARNER): ((), (rate,), (rate,)),
        (EVERYTHING, ALONE): (("sleep_short",), (rate, "sleep_short"), (rate,)),
        (HISTORY, LEFT_OUT): ((rate,), (rate, "sleep_short"), ("sleep_short",)),
        ("signals", ALONE_IN_FULL): (("noise",), (rate, "noise"), (rate,)),
        ("signals", IN_FULL): (("noise",), (rate, "sleep_short", "noise"), (rate, "sleep_short")),
        ("sleep", LEFT_OUT): (("sleep_short",), (rate, "sleep_short"), (rate,)),
        ("sleep", ALONE): (("sleep_short",), (rate, "sleep_short"), (rate,)),
        ("sleep", IN_FULL): (("sleep_long",), (rate, "sleep_short", "sleep_long"), (rate, "sleep_short")),
    }
    learners = {c.comparison: (c.more.learner, c.less.learner) for c in found}
    assert learners.pop(LEARNER) == ("boosted_trees", "logistic")
    assert set(learners.values()) == {("boosted_trees", "boosted_trees")}


def test_a_family_that_is_all_on_has_no_more_to_switch_on():
    """Nothing is compared with itself."""
    assert not [c for c in plan(FAMILIES, ON, ()) if c.comparison == IN_FULL or c.family == "signals"]


def test_in_full_is_a_part_of_the_catalogue_that_needs_no_months_of_enrolment():
    """Every family but history has some; windows of 28 days against the own past are in, of 90 days are not."""
    names = core(STANDARD)
    assert names <= set(STANDARD.by_name)
    assert {family(name) for name in names} == {f.family for f in STANDARD.features} - {"history", "tenure"}
    assert {"mood_valence_mean_28d", "mood_valence_z_28d", "mood_inertia_7d", "circadian_stability_28d"} <= names
    assert not {"mood_valence_mean_90d", "mood_valence_z_90d", "own_past_distance_90d", "mood_valence_slope_7d"} & names
    assert "sleep_onset_mean_7d_h" not in names
    # What says how far the rest can be trusted, and patterns against their own past, which takes months.
    assert not {"mood_valence_coverage_7d", "circadian_coverage_14d", "own_past_distance_coverage_7d"} & names
    assert not {"circadian_stability_z_14d", "sleep_regularity_z_7d"} & names
    assert "adherence_coverage_14d" in names


def test_a_verdict_needs_to_stand_among_all_comparisons():
    """An interval above 0 is called when it is far from 0 or alone, not as one of twenty."""
    edge = {"value": 0.022, "low": 0.002, "high": 0.042, "standard_error": 0.01}
    nothing = {"value": 0.0, "low": -0.02, "high": 0.02, "standard_error": 0.01}
    far = {"value": -0.06, "low": -0.08, "high": -0.04, "standard_error": 0.01}
    unknown = {"value": np.nan, "low": np.nan, "high": np.nan, "standard_error": np.nan}
    assert judge(pd.DataFrame([edge]))["verdict"].tolist() == [ADDS]
    among = judge(pd.DataFrame([edge, far, unknown, *[nothing] * 18]))
    assert among["verdict"].tolist()[:4] == [NOT_SHOWN, TAKES_AWAY, NOT_SHOWN, NOT_SHOWN]
    assert among["mdd"].iloc[0] == pytest.approx(0.028)


def test_too_few_event_subjects_are_refused():
    """Nothing is measured on folds that nothing can be learnt from."""
    matrix, labels = cohort(subjects=50)
    few = labels.assign(days_to_event=labels["days_to_event"].where(labels["subject_id"] < "p008"))
    with pytest.raises(ModelsError, match="Too few subjects with an event"):
        ablate(matrix, few, plan(FAMILIES, ON, ()), trial(few), "d", lambda share: None)


def test_a_family_is_not_judged_by_how_much_there_is_to_learn_from():
    """A constant that needs weeks of enrolment takes no training row from the side that has it: nothing differs."""
    matrix, labels = cohort(subjects=50)
    matrix = matrix.assign(sleep_duration_z_28d=0.0)
    less = Predictor("less", "logistic", ON)
    more = Predictor("more", "logistic", (*ON, "sleep_duration_z_28d"))
    contrast = Contrast("own_past", ALONE, ("sleep_duration_z_28d",), more, less)
    found = ablate(matrix, labels, [contrast], trial(labels, (1,)), "d", lambda share: None)
    assert found["value"].abs().max() < 1e-9


def test_seeds_that_disagree_widen_the_interval_by_their_standard_error():
    """Two seeds at +1 and -1 have a standard error of 1, with no subject's help."""
    found = resampled(np.repeat([[1.0], [-1.0]], 4000, axis=1))
    assert found.std() == pytest.approx(1.0, abs=0.01)
    assert (resampled(np.arange(5.0)[None, :]) == np.arange(5.0)).all()
