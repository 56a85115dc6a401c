"""What alerts would have caught and cost, counted by hand."""

import numpy as np
import pandas as pd
import pytest

from models import operational
from models.operational import RULE

NAN = np.nan
# Ann's episode begins on the 5th, Bob's on the 4th; Cleo has none. Bob had another one two days before the 1st.
ROWS = pd.DataFrame({
    "subject_id": np.repeat(["ann", "bob", "cleo"], 3),
    "index_date": np.tile(pd.date_range("2026-03-01", periods=3, unit="us"), 3),
    "days_to_event": [4, 3, 2, 3, 2, 1, NAN, NAN, NAN],
    "days_since_event": [NAN, NAN, NAN, 2, 3, 4, 90, 91, 92],
})  # fmt: skip
LABEL = np.array([1.0, 1, 1, 1, 1, 1, 0, 0, 0])
EVERYBODY = np.vstack([np.ones(3), [[3, 0, 0], [0, 3, 0], [0, 0, 3]] * 10])


def measured(model: list[float], rule: list[float]) -> dict[str, tuple[float, float, float]]:
    """The model's metrics where three of nine rows are flagged."""
    risks = {"model": np.array(model), RULE: np.array(rule)}
    return operational.measure(ROWS, LABEL, risks, EVERYBODY, 1 / 3, 1, (0.2,))["model"]


KNOWS_ANN = [0.9, 0.8, 0.1, 0.2, 0.2, 0.2, 0.3, 0.1, 0.7]
KNOWS_BOB = [0.1, 0.1, 0.1, 0.9, 0.8, 0.7, 0.2, 0.2, 0.2]


def test_new_is_what_the_rule_missed_of_the_quiet():
    """Three alerts, one of the two episodes, and nobody had expected it: 100 / 3. Bob's was told by his last one."""
    found = measured(KNOWS_ANN, KNOWS_BOB)
    assert found["new_information_yield"][0] == pytest.approx(100 / 3)
    assert measured(KNOWS_BOB, KNOWS_ANN)["new_information_yield"][0] == 0
    assert measured(KNOWS_ANN, KNOWS_ANN)["new_information_yield"][0] == 0


def test_caught_false_and_early_alerts_are_counted():
    """Ann is flagged on the 1st and 2nd, Cleo on the 3rd: one of two episodes, 4 days ahead, one false alert in 9 days."""
    found = measured(KNOWS_ANN, KNOWS_BOB)
    assert found["episodes_caught"][0] == 0.5
    assert found["lead_time_days"][0] == 4
    assert found["false_alerts_per_subject_month"][0] == pytest.approx(30 / 9)
    assert found["alerts_per_100_subject_weeks"][0] == pytest.approx(700 / 3)
    # Ann's 1st is followed by her 2nd, her 2nd by a day without a flag; Cleo's 3rd is the last day.
    assert found["alert_persistence"][0] == 0.5


def test_net_benefit_weighs_a_false_alarm_by_the_odds_of_the_threshold():
    """From 20 % on: Ann twice and Bob thrice right, Cleo twice wrong at 0.25 each: 4.5 of 9 rows."""
    assert measured(KNOWS_ANN, KNOWS_BOB)["net_benefit_20%"][0] == pytest.approx((5 - 2 * 0.25) / 9)


def test_acting_on_everybody_and_on_nobody_stand_beside_the_model():
    """At each declared threshold: on all nine rows, six right and three wrong at a quarter or a hundredth; on nobody, 0."""
    found = operational.measure(ROWS, LABEL, {"model": np.array(KNOWS_ANN)}, EVERYBODY, 1 / 3, 1, (0.025, 0.2))
    assert set(found["treat_all"]) == set(found["treat_none"]) == {"net_benefit_2.5%", "net_benefit_20%"}
    assert found["treat_all"]["net_benefit_20%"][0] == pytest.approx((6 - 3 * 0.25) / 9)
    assert found["treat_all"]["net_benefit_2.5%"][0] == pytest.approx((6 - 3 * 0.025 / 0.975) / 9)
    assert found["treat_none"]["net_benefit_20%"] == (0, 0, 0)


def test_without_an_alert_nothing_is_divided_by_zero():
    """Nobody to flag: missing, not a warning and not a zero."""
    none = operational.measure(ROWS, LABEL, {"model": np.zeros(9), RULE: np.zeros(9)}, EVERYBODY, 0.0, 1)["model"]
    assert np.isnan(none["new_information_yield"][0])
    assert np.isnan(none["alert_persistence"][0])
    assert none["episodes_caught"][0] == 0
    assert "lead_time_days" not in none


def of_alerts(rows: list[int]) -> pd.DataFrame:
    """What alerts on these rows did, by metric."""
    return operational.of_alerts(ROWS, LABEL, np.isin(np.arange(9), rows), EVERYBODY).set_index("metric")


def test_each_figure_names_the_subjects_and_episodes_it_rests_on():
    """Ann's 1st and 2nd and Cleo's 3rd: two of three alerts were right, of two subjects; one of two subjects' episodes was caught."""
    counts = of_alerts([0, 1, 8])[["n_subjects", "n_episodes"]].apply(tuple, axis=1)
    assert counts["alerts_per_100_subject_weeks"] == counts["false_alerts_per_subject_month"] == (3, 2)
    assert counts["episodes_caught"] == (2, 2)
    assert counts["ppv"] == counts["quiet_onset_yield"] == (2, 1)
    assert counts["lead_time_days"] == (1, 1)


def test_a_share_of_none_or_all_is_not_certain():
    """Both of two subjects' episodes are caught: at least a third might have been, and not all; none of them: at most two thirds."""
    every, none = of_alerts([0, 3]).loc["episodes_caught"], of_alerts([8]).loc["episodes_caught"]
    assert tuple(every[["value", "low", "high"]]) == pytest.approx((1, 0.3424, 1), abs=1e-4)
    assert tuple(none[["value", "low", "high"]]) == pytest.approx((0, 0, 0.6576), abs=1e-4)
    assert of_alerts([8]).loc["quiet_onset_yield", "high"] == pytest.approx(79.35, abs=0.01)
