"""The gate: what is better serves; what is worse, unfair, leaking or unproven does not, and every rule tells its figure."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models import gate
from models.baselines import LEARNT, MODEL, WIDE_LOGISTIC, called
from models.candidacy import candidate
from models.contest import Contest, Standing, difference
from models.controls import PERMUTED, SHIFTED
from models.evaluation import GAIN
from models.fairness.verdicts import FAIL, FEW, INSUFFICIENT, MANY, PASS, WIDE, Counted, count
from models.gate import Decision, Evidence, Shadowed
from models.policy import Policy
from models.refitting import REFITS, REFITTED_GAIN
from tests.models.made_up import POLICY

RULE = "history_only"
CALIBRATION = ["calibration slope", "calibration intercept"]
BRIER = (-0.002, -0.004, 0.0)
WORSE = Contest("history_only", Standing.COMPARED, -0.02, -0.06, 0.02, BRIER)


NONE = float("nan")
REFITTED = (REFITTED_GAIN, REFITS)


def headline(
    gain_low: float = 0.01,
    slope: tuple[float, float, float] = (1.0, 0.9, 1.1),
    refits: int = 200,
    intercept: tuple[float, float, float] = (0.1, -0.1, 0.3),
) -> pd.DataFrame:
    """Result rows of the headline: the model's gain, refitted; calibration and AUROC of the model and of a simple rule."""
    rows = [(MODEL, REFITTED_GAIN, 0.04, gain_low, 0.08), (MODEL, REFITS, refits, NONE, NONE)]
    rows += [(MODEL, GAIN, 0.04, 0.02, 0.06)] + [(name, "calibration_slope", *slope) for name in (MODEL, RULE)]
    rows += [(name, "calibration_intercept", *intercept) for name in (MODEL, RULE)]
    rows += [(name, "auroc", 0.8, 0.7, 0.9) for name in (MODEL, RULE)]
    told = {"outcome": "crisis", "task": "onset", "split": "unseen_subjects", "horizon_days": 14}
    return pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high"]).assign(**told)


CONDITIONAL = headline().query("metric not in @REFITTED")
EXPECTED = ("features_recomputed", SHIFTED, PERMUTED)


def controls(**told: object) -> pd.DataFrame:
    """How controls came out: all passed, unless one is told otherwise, as its figure or with `is_passed` as its verdict."""
    rows = pd.DataFrame({"control": EXPECTED, "figure": 0.5, "is_passed": True})
    for column, values in told.items():
        rows[column] = values
    return rows


def without_figures(*names: str) -> pd.DataFrame:
    """Controls of which these could not be estimated, and passed so."""
    return controls(figure=[NONE if name in names else 0.5 for name in EXPECTED])


FAIR = Counted(0, 5, 0, 9, {"ethnicity": "is recorded for nobody"})
BETTER = Evidence(headline(), MODEL, "unseen_subjects", 14, 90, 30, FAIR, controls(), EXPECTED, False,
                  Contest("history_only", Standing.COMPARED, 0.04, 0.01, 0.07, BRIER), Shadowed(2, 0))  # fmt: skip


def against(evidence: Evidence, policy: Policy = POLICY) -> list[str]:
    """Names of the rules that hold it back."""
    return [rule.name for rule in gate.decide(evidence, policy).rules if not rule.is_kept]


def test_a_better_challenger_serves_and_every_rule_says_why():
    """A proven gain, no worse than the champion, calibrated, fair, without a leak: each rule is told, kept."""
    decision = gate.decide(BETTER, POLICY)
    assert decision.is_promoted
    assert decision.reasons == (
        "no control failed of 3",
        "every control could be estimated",
        "tested on 90 subjects, 30 of them with an event",
        "a gain of more than 0 over the best simple rule is proven: at least +0.010, refitted on resampled subjects",
        "no search on these people chose how trees are grown",
        "onset AUROC against the champion's predictor, “episode history only”: +0.040 (+0.010 to +0.070, conditional on the fitted "
        "models), not worse by 0.05 or more",
        "Brier score against the champion's predictor, “episode history only”: -0.0020 (-0.0040 to +0.0000), not proven worse",
        "calibration slope 1.00 (0.90 to 1.10) lies within 0.7 to 1.4",
        "calibration intercept 0.10 (-0.10 to 0.30) lies within -0.7 to 0.7",
        "fairness comparisons: 0 fail, 5 pass, 9 without an answer for too little data; `ethnicity` is recorded for nobody",
        "scored beside the champion on 2 nights whose outcomes are known, of 2 asked for",
    )


@pytest.mark.parametrize(
    ("held_back", "rule"),
    [
        (replace(BETTER, contest=WORSE), "champion"),
        (replace(BETTER, fairness=Counted(2, 5, 0, 9)), "fairness"),
        (replace(BETTER, fairness=Counted(0, 5, 1, 9)), "fairness"),
        (replace(BETTER, controls=controls(is_passed=[True, True, False])), "controls"),
        (replace(BETTER, controls=controls(is_passed=[True, True, NONE])), "controls"),
        (replace(BETTER, controls=controls().iloc[1:]), "controls"),
        (replace(BETTER, controls=controls().iloc[:0]), "controls"),
        (replace(BETTER, controls=without_figures(*EXPECTED)), "estimable controls"),
        (replace(BETTER, controls=without_figures(SHIFTED)), "estimable controls"),
        (replace(BETTER, is_tuned=True), "tuning"),
        (replace(BETTER, rows=CONDITIONAL), "gain"),
        (replace(BETTER, rows=headline(refits=199)), "gain"),
        (replace(BETTER, rows=headline(gain_low=-0.01)), "gain"),
        (replace(BETTER, rows=headline(gain_low=0.0)), "gain"),
        (replace(BETTER, rows=headline(gain_low=float("nan"))), "gain"),
        (replace(BETTER, rows=headline().iloc[3:]), "gain"),
        (replace(BETTER, contest=replace(BETTER.contest, low=NONE)), "champion"),
        (replace(BETTER, contest=Contest("history_only", Standing.ALTERED)), "champion"),
        (replace(BETTER, contest=replace(BETTER.contest, brier=(0.002, 0.001, 0.003))), "champion's Brier score"),
        (replace(BETTER, contest=replace(BETTER.contest, brier=(NONE, NONE, NONE))), "champion's Brier score"),
        (replace(BETTER, rows=headline(slope=(2.0, 1.5, 2.6))), "calibration slope"),
        (replace(BETTER, rows=headline().query("metric != 'calibration_slope'")), "calibration slope"),
        (replace(BETTER, rows=headline(intercept=(1.0, 0.8, 1.2))), "calibration intercept"),
        (replace(BETTER, rows=headline().query("metric != 'calibration_intercept'")), "calibration intercept"),
        (replace(BETTER, n_subjects=19), "data"),
        (replace(BETTER, n_event_subjects=9), "data"),
        (replace(BETTER, shadowed=Shadowed(1, 9)), "shadow nights"),
        (replace(BETTER, shadowed=Shadowed(0, 0), contest=Contest("history_only", Standing.SAME)), "shadow nights"),
    ],
    ids=["worse", "unfair", "insufficient though large", "leaking", "without a verdict", "a control not run", "no controls",
         "nothing estimable", "a control not estimable", "tuned", "not refitted", "too few refits",
         "unproven", "gain of nothing", "gain not estimable", "gain not measured",
         "not comparable", "a champion that is lost", "proven worse calibrated", "Brier score not comparable",
         "overconfident", "slope not measured", "risks too low", "intercept not measured",
         "few subjects", "few with an event", "outcomes not known yet", "the same recipe, not seen beside it"],
)  # fmt: skip
def test_a_worse_unfair_leaking_or_unproven_challenger_does_not(held_back: Evidence, rule: str):
    """One rule holds it back, and only its figure is the reason."""
    decision = gate.decide(held_back, POLICY)
    assert against(held_back) == [rule]
    assert decision.reasons == tuple(r.told for r in decision.rules if r.name == rule)


def test_figures_of_another_headline_count_for_nothing():
    """A gain on another split, horizon or task proves nothing here."""
    for column, value in (("split", "unseen_and_later"), ("horizon_days", 7), ("task", "burden")):
        assert against(replace(BETTER, rows=headline().assign(**{column: value}))) == ["gain", *CALIBRATION]


def test_a_slope_is_outside_its_limits_when_its_whole_interval_is():
    """With few events an uncertain slope does not block; without an interval the estimate speaks."""
    assert against(replace(BETTER, rows=headline(slope=(1.5, 1.3, 1.7)))) == []
    assert against(replace(BETTER, rows=headline(slope=(1.2, float("nan"), float("nan"))))) == []
    assert against(replace(BETTER, rows=headline(slope=(1.5, float("nan"), float("nan"))))) == ["calibration slope"]


def test_fairness_fails_are_told_where_they_do_not_block():
    """A policy may let them through; the decision counts them all the same."""
    decision = gate.decide(replace(BETTER, fairness=Counted(2, 5, 0, 9)), replace(POLICY, block_on_fairness_fail=False))
    assert decision.is_promoted
    assert "fairness comparisons: 2 fail, 5 pass, 9 without an answer for too little data" in decision.reasons


def test_insufficient_evidence_is_open_where_the_declared_size_is_met():
    """In a group smaller than that, or too small for an interval, it is not judged; never a pass; undeclared, none is open."""
    judged = pd.DataFrame(
        [(PASS, "", 90), (FAIL, "", 90), (INSUFFICIENT, FEW, 90), (INSUFFICIENT, WIDE, 29), (INSUFFICIENT, MANY, 30)],
        columns=["verdict", "why", "n_event_subjects"],
    )
    assert count(judged, 30, {}) == Counted(fails=1, passes=1, open=1, unjudged=2)
    assert count(judged, None, {}) == Counted(fails=1, passes=1, open=0, unjudged=3)
    (told,) = gate.decide(replace(BETTER, fairness=Counted(0, 5, 1, 9)), POLICY).reasons
    assert told.endswith(
        "9 without an answer for too little data, 1 without an answer although the groups have the size that is declared"
    )


def test_where_nothing_was_compared_that_is_what_is_told():
    """No comparison that fails does not stand alone: nobody was compared, and why."""
    nobody = count(
        pd.DataFrame({"verdict": [], "why": [], "n_event_subjects": []}), None, {"sex": "is recorded for nobody"}
    )
    told = gate.decide(replace(BETTER, fairness=nobody), replace(POLICY, shadow_nights=0)).reasons[-1]
    assert (
        told
        == "fairness comparisons: 0 fail, 0 pass, 0 without an answer for too little data; `sex` is recorded for nobody"
    )


def test_a_small_site_gets_its_rule_without_statistical_controls():
    """They try the model alone; what is computed again must have said something, whoever serves."""
    rule = replace(BETTER, served=RULE, is_tuned=True, fairness=Counted(0, 0, 1, 9))
    decision = gate.decide(replace(rule, controls=without_figures(SHIFTED, PERMUTED)), POLICY)
    assert decision.is_promoted
    assert any(SHIFTED in reason and "could not be estimated" in reason for reason in decision.reasons)
    assert against(replace(rule, controls=without_figures("features_recomputed"))) == ["estimable controls"]
    assert against(replace(rule, controls=controls(is_passed=[True, False, True]))) == ["controls"]


def test_controls_that_were_not_run_are_named():
    """Absent is another thing than failed."""
    (told,) = gate.decide(replace(BETTER, controls=controls().iloc[1:]), POLICY).reasons
    assert "features_recomputed (not run)" in told


def test_nothing_judged_promotes_nothing():
    """A decision without a rule is none."""
    assert not Decision(()).is_promoted
    assert Decision(()).reasons == ("no rule of the release policy was judged",)


@pytest.mark.parametrize(
    ("rows", "told"),
    [(CONDITIONAL, "only where models were refitted; set `training: refits:`"),
     (headline(refits=150), "refitted on 150 resamples only. A gain counts as proven only from 200 resamples"),
     (headline(gain_low=NONE, refits=0), "no interval could be estimated")],
)  # fmt: skip
def test_a_gain_that_is_not_refitted_serves_the_rule_and_says_so(rows: pd.DataFrame, told: str):
    """However high the interval that is conditional on the fits, or that of too few refits."""
    served, reason = candidate(rows, "unseen_subjects", 14, POLICY)
    assert served == RULE
    assert told in reason
    assert "so the rule serves" in reason
    assert "nan" not in reason


def test_a_simple_rule_needs_no_gain_and_yields_only_to_a_champion_that_is_proven_better():
    """Where nothing beats the bar, the bar serves: a champion stays only by a gain over it that is proven."""
    rule = replace(BETTER, served=RULE, rows=headline(gain_low=-0.01))
    unsure = Contest(MODEL, Standing.COMPARED, -0.03, -0.09, 0.01, BRIER)
    proven = Contest(MODEL, Standing.COMPARED, -0.03, -0.05, -0.01, BRIER)
    assert against(replace(rule, contest=unsure)) == []
    assert against(replace(rule, contest=proven)) == ["champion"]
    assert against(replace(rule, contest=proven), replace(POLICY, min_gain_low=0.02)) == []


@pytest.mark.parametrize("standing", [Standing.SAME, Standing.WEIGHED, Standing.GONE])
def test_where_nothing_is_to_be_compared_the_reason_is_told(standing: Standing):
    """The same recipe, one that was weighed already, or one of features that are gone holds nobody back."""
    decision = gate.decide(replace(BETTER, contest=Contest("history_only", standing)), POLICY)
    assert decision.is_promoted
    assert any(standing.value in reason for reason in decision.reasons)
    assert gate.decide(replace(BETTER, contest=None), POLICY).is_promoted


@pytest.mark.parametrize(
    ("shadowed", "told"),
    [(Shadowed(0, 0), "on 0 nights whose outcomes are known, of 2 asked for"),
     (Shadowed(1, 3), "on 1 night whose outcomes are known, of 2 asked for; those of 3 more are not known yet")],
)  # fmt: skip
def test_nights_whose_outcomes_are_not_known_yet_are_told_and_count_for_nothing(shadowed: Shadowed, told: str):
    """Only what can be looked back upon was a night in the champion's shadow."""
    (reason,) = gate.decide(replace(BETTER, shadowed=shadowed), POLICY).reasons
    assert reason == f"scored beside the champion {told}"


def test_without_a_champion_that_can_score_a_night_no_shadow_nights_are_asked_for():
    """The very first model, and the one that takes the place of what cannot serve, could never get any."""
    unseen = replace(BETTER, shadowed=Shadowed(0, 0))
    for contest in (None, Contest("history_only", Standing.GONE)):
        decision = gate.decide(replace(unseen, contest=contest), POLICY)
        assert decision.is_promoted
        assert decision.reasons[-1] == "nothing serves that it could have scored beside"


def test_where_no_shadow_nights_are_asked_for_nothing_is_said_of_them():
    """Neither for nor against: the rule is not there."""
    rules = gate.decide(replace(BETTER, shadowed=Shadowed(0, 0)), replace(POLICY, shadow_nights=0)).rules
    assert all(rule.is_kept and rule.name != "shadow nights" for rule in rules)


def test_a_training_without_controls_is_held_back():
    """Nothing says that its figures are free of leaks."""
    assert against(replace(BETTER, controls=None)) == ["controls"]


def test_a_difference_is_paired():
    """A predictor differs from itself by nothing at all, and from a better one with the sign of who is better."""
    rng = np.random.default_rng(4)
    label = np.tile([0, 0, 0, 1], 100)
    rows = pd.DataFrame({"subject_id": np.repeat([f"p{n:02}" for n in range(40)], 10), "label": label})
    rows = rows.assign(good=label + rng.normal(size=400), poor=0.2 * label + rng.normal(size=400))
    assert difference(rows, "good", "good", 200, 1) == ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    for value, low, high in difference(rows, "good", "poor", 200, 1):
        assert low < value < high
    (value, low, high), _ = difference(rows, "good", "poor", 200, 1)
    assert low > 0
    assert difference(rows, "poor", "good", 200, 1)[0] == pytest.approx((-value, -high, -low))
    assert all(np.isnan(difference(rows.assign(label=0), "good", "poor", 200, 1)[0]))


def test_what_learns_from_streams_is_no_simple_rule():
    """A regression on a hundred features needs no gain, being the bar, but every control, and fairness that can be told."""
    assert set(LEARNT) == {MODEL, WIDE_LOGISTIC}
    rows = headline(gain_low=-0.01).replace({"model": {RULE: WIDE_LOGISTIC}})
    wide = replace(BETTER, served=WIDE_LOGISTIC, rows=rows)
    assert against(wide) == []
    assert against(replace(wide, controls=without_figures(SHIFTED))) == ["estimable controls"]
    assert against(replace(wide, fairness=Counted(0, 5, 1, 9))) == ["fairness"]


def test_the_best_rule_that_is_calibrated_serves():
    """One whose slope is proven to be nobody's ranks highest and is still the bar; the next one gives the nights."""
    lesser = headline(gain_low=-0.01)
    best = lesser[lesser["model"] == RULE].assign(model=WIDE_LOGISTIC)
    best.loc[best["metric"] == "auroc", "value"] = 0.85
    flat = best.copy()
    flat.loc[flat["metric"] == "calibration_slope", ["value", "low", "high"]] = (-0.05, -0.3, 0.2)
    for rows, serves in ((best, WIDE_LOGISTIC), (flat, RULE)):
        served, reason = candidate(pd.concat([lesser, rows]), "unseen_subjects", 14, POLICY)
        assert served == serves
        assert f"onset AUROC against “{called(WIDE_LOGISTIC)}”" in reason
        assert ("whose calibration the release policy lets pass" in reason) == (serves == RULE)
    nobody = pd.concat([lesser, flat]).query("metric != 'calibration_intercept'")
    assert candidate(nobody, "unseen_subjects", 14, POLICY)[0] == WIDE_LOGISTIC
