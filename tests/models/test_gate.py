"""The gate: what is better serves; what is worse, unfair, leaking or unproven does not, and every rule tells its figure."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models import gate
from models.baselines import MODEL
from models.contest import difference
from models.evaluation import GAIN
from models.gate import Contest, Evidence, Standing

POLICY = gate.Policy(
    min_gain_low=0.0, non_inferiority_margin=0.05, calibration_slope_low=0.7, calibration_slope_high=1.4,
    block_on_fairness_fail=True, min_subjects=20, min_event_subjects=10,
)  # fmt: skip
RULE = "history_only"
WORSE = Contest("history_only", Standing.COMPARED, -0.02, -0.06, 0.02)


def headline(gain_low: float = 0.01, slope: tuple[float, float, float] = (1.0, 0.9, 1.1)) -> pd.DataFrame:
    """Result rows of the headline: the model's gain, and the slope of the model and of a simple rule."""
    rows = [(MODEL, GAIN, 0.04, gain_low, 0.08)] + [(name, "calibration_slope", *slope) for name in (MODEL, RULE)]
    told = {"outcome": "crisis", "task": "onset", "split": "unseen_subjects", "horizon_days": 14}
    return pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high"]).assign(**told)


def controls(*passed: bool) -> pd.DataFrame:
    """How controls came out."""
    return pd.DataFrame({"control": [f"control_{n}" for n in range(len(passed))], "is_passed": passed})


BETTER = Evidence(headline(), MODEL, "unseen_subjects", 14, 90, 30, 0, controls(True, True),
                  Contest("history_only", Standing.COMPARED, 0.04, 0.01, 0.07))  # fmt: skip


def against(evidence: Evidence, policy: gate.Policy = POLICY) -> list[str]:
    """Names of the rules that hold it back."""
    return [rule.name for rule in gate.decide(evidence, policy).rules if not rule.is_kept]


def test_a_better_challenger_serves_and_every_rule_says_why():
    """A proven gain, no worse than the champion, calibrated, fair, without a leak: each rule is told, kept."""
    decision = gate.decide(BETTER, POLICY)
    assert decision.is_promoted
    assert decision.reasons == (
        "no control failed of 2",
        "tested on 90 subjects, 30 of them with an event",
        "a gain of more than 0 over the best simple rule is proven: at least +0.010",
        "onset AUROC against the champion's predictor, history_only: +0.040 (+0.010 to +0.070), not worse by 0.05 or more",
        "calibration slope 1.00 (0.90 to 1.10) lies within 0.7 to 1.4",
        "no fairness comparison fails",
    )


@pytest.mark.parametrize(
    ("held_back", "rule"),
    [
        (replace(BETTER, contest=WORSE), "champion"),
        (replace(BETTER, fairness_fails=2), "fairness"),
        (replace(BETTER, controls=controls(True, False)), "controls"),
        (replace(BETTER, rows=headline(gain_low=-0.01)), "gain"),
        (replace(BETTER, rows=headline(gain_low=0.0)), "gain"),
        (replace(BETTER, rows=headline(gain_low=float("nan"))), "gain"),
        (replace(BETTER, rows=headline().iloc[1:]), "gain"),
        (replace(BETTER, contest=Contest("history_only", Standing.COMPARED)), "champion"),
        (replace(BETTER, rows=headline(slope=(2.0, 1.5, 2.6))), "calibration"),
        (replace(BETTER, rows=headline().iloc[:1]), "calibration"),
        (replace(BETTER, n_subjects=19), "data"),
        (replace(BETTER, n_event_subjects=9), "data"),
    ],
    ids=["worse", "unfair", "leaking", "unproven", "gain of nothing", "gain not estimable", "gain not measured",
         "not comparable", "overconfident", "slope not measured", "few subjects", "few with an event"],
)  # fmt: skip
def test_a_worse_unfair_leaking_or_unproven_challenger_does_not(held_back: Evidence, rule: str):
    """One rule holds it back, and only its figure is the reason."""
    decision = gate.decide(held_back, POLICY)
    assert against(held_back) == [rule]
    assert decision.reasons == tuple(r.told for r in decision.rules if r.name == rule)


def test_figures_of_another_headline_count_for_nothing():
    """A gain on another split, horizon or task proves nothing here."""
    for column, value in (("split", "unseen_and_later"), ("horizon_days", 7), ("task", "burden")):
        assert against(replace(BETTER, rows=headline().assign(**{column: value}))) == ["gain", "calibration"]


def test_a_slope_is_outside_its_limits_when_its_whole_interval_is():
    """With few events an uncertain slope does not block; without an interval the estimate speaks."""
    assert against(replace(BETTER, rows=headline(slope=(1.5, 1.3, 1.7)))) == []
    assert against(replace(BETTER, rows=headline(slope=(1.2, float("nan"), float("nan"))))) == []
    assert against(replace(BETTER, rows=headline(slope=(1.5, float("nan"), float("nan"))))) == ["calibration"]


def test_fairness_fails_are_told_where_they_do_not_block():
    """A policy may let them through; the decision counts them all the same."""
    decision = gate.decide(replace(BETTER, fairness_fails=2), replace(POLICY, block_on_fairness_fail=False))
    assert decision.is_promoted
    assert "fairness comparisons that fail: 2" in decision.reasons


def test_a_simple_rule_needs_no_gain_and_yields_only_to_a_champion_that_is_proven_better():
    """Where nothing beats the bar, the bar serves: a champion stays only by a gain over it that is proven."""
    rule = replace(BETTER, served=RULE, rows=headline(gain_low=-0.01))
    unsure = Contest(MODEL, Standing.COMPARED, -0.03, -0.09, 0.01)
    proven = Contest(MODEL, Standing.COMPARED, -0.03, -0.05, -0.01)
    assert against(replace(rule, contest=unsure)) == []
    assert against(replace(rule, contest=proven)) == ["champion"]
    assert against(replace(rule, contest=proven), replace(POLICY, min_gain_low=0.02)) == []


@pytest.mark.parametrize("standing", [Standing.SAME, Standing.WEIGHED, Standing.GONE, Standing.ALTERED])
def test_where_nothing_is_to_be_compared_the_reason_is_told(standing: Standing):
    """The same recipe, one that was weighed already, or one that cannot serve any more holds nobody back."""
    decision = gate.decide(replace(BETTER, contest=Contest("history_only", standing)), POLICY)
    assert decision.is_promoted
    assert any(standing.value in reason for reason in decision.reasons)
    assert gate.decide(replace(BETTER, contest=None), POLICY).is_promoted


def test_a_training_without_controls_is_held_back():
    """Nothing says that its figures are free of leaks."""
    assert against(replace(BETTER, controls=None)) == ["controls"]


def test_a_difference_is_paired():
    """A predictor differs from itself by nothing at all, and from a better one with the sign of who is better."""
    rng = np.random.default_rng(4)
    label = np.tile([0, 0, 0, 1], 100)
    rows = pd.DataFrame({"subject_id": np.repeat([f"p{n:02}" for n in range(40)], 10), "label": label})
    rows = rows.assign(good=label + rng.normal(size=400), poor=0.2 * label + rng.normal(size=400))
    assert difference(rows, "good", "good", 200, 1) == (0.0, 0.0, 0.0)
    value, low, high = difference(rows, "good", "poor", 200, 1)
    assert 0 < low < value < high
    assert difference(rows, "poor", "good", 200, 1) == pytest.approx((-value, -high, -low))
    assert all(np.isnan(difference(rows.assign(label=0), "good", "poor", 200, 1)))
