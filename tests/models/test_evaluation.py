"""Evaluation and gate: a signal is found, noise is not, and what is served has earned it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from models import evaluation, protocol, splits
from models.baselines import MODEL, Predictor
from models.candidacy import candidate
from models.evaluation import GAIN
from models.proof import FEWEST_REFITS
from models.protocol import Predictions
from models.refitting import REFITS, REFITTED_GAIN
from tests.models.made_up import OUTCOME, POLICY, cohort

PREDICTORS = (
    Predictor(MODEL, "boosted_trees", ("history_episode_rate", "sleep_short", "noise")),
    Predictor("prevalence", "logistic", ()),
    Predictor("history_only", "logistic", ("history_episode_rate",)),
)


def evaluated(signal: float) -> tuple[list[Predictions], pd.DataFrame]:
    """Cross-predicted and measured on unseen subjects."""
    matrix, labels = cohort(signal=signal)
    planned = list(splits.unseen_subjects(labels, 3, 1))
    found = protocol.cross_predict(
        matrix, labels, OUTCOME.horizons_days, PREDICTORS, planned, 7, 1, 2, lambda share: None
    )
    return found, pd.concat(
        [evaluation.evaluate(p, "made up", "crisis", 200, 1, 0.1) for p in found], ignore_index=True
    )


@pytest.fixture(scope="module")
def with_signal() -> tuple[list[Predictions], pd.DataFrame]:
    """A cohort in which sleep says something."""
    return evaluated(2.0)


@pytest.fixture(scope="module")
def without_signal() -> tuple[list[Predictions], pd.DataFrame]:
    """A cohort in which nothing says anything."""
    return evaluated(0.0)


def value(rows: pd.DataFrame, metric: str, model: str = MODEL, column: str = "value") -> float:
    """One figure at 14 days."""
    found = rows[(rows["metric"] == metric) & (rows["model"] == model) & (rows["horizon_days"] == 14)]
    return float(found[column].iloc[0])


def again(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as if 200 refits had given the interval that is conditional on the fits."""
    gains = rows[rows["metric"] == GAIN]
    return pd.concat([rows, gains.assign(metric=REFITTED_GAIN), gains.assign(metric=REFITS, value=FEWEST_REFITS)])


def test_a_real_signal_beats_the_best_baseline_and_the_model_is_served(with_signal):
    """The interval of the gain lies above 0, with what refitting adds; that of the fitted models alone does not do."""
    rows = with_signal[1]
    assert value(rows, "auroc") > 0.7
    assert value(rows, GAIN, column="low") > 0
    assert candidate(rows, "unseen_subjects", 14, POLICY)[0] != MODEL
    assert candidate(again(rows), "unseen_subjects", 14, POLICY)[0] == MODEL


def test_a_gain_below_what_the_policy_asks_for_serves_the_rule(with_signal):
    """The interval must lie above the declared least gain, not above 0 only, and the sentence says so."""
    rows = again(with_signal[1])
    policy = replace(
        POLICY, min_gain_low=value(rows, GAIN, column="low"), calibration_slope_low=-9, calibration_slope_high=9
    )
    served, reason = candidate(rows, "unseen_subjects", 14, policy)
    assert served == evaluation.best_baseline(rows, "unseen_subjects", 14)
    assert "not proven better than the best simple rule by more than" in reason


def test_without_a_signal_the_best_rule_is_served_and_said_so(without_signal):
    """Noise on unseen people ranks near a coin, and earns nothing."""
    rows = without_signal[1]
    assert value(rows, GAIN, column="low") <= 0
    best = evaluation.best_baseline(rows, "unseen_subjects", 14)
    served, reason = candidate(rows, "unseen_subjects", 14, POLICY)
    assert served == best != MODEL
    assert "the rule serves" in reason


def test_every_row_of_a_subject_is_predicted_by_a_model_that_never_saw_it(with_signal):
    """Each labelled row is predicted once; each fold's rows are whole subjects."""
    rows = with_signal[0][0].rows
    assert not rows.duplicated(["subject_id", "index_date"]).any()
    assert rows.groupby("subject_id")["fold"].nunique().max() == 1


def test_every_predictor_has_every_metric_with_subjects_and_episodes(with_signal):
    """The tidy rows are complete: no baseline is left out."""
    rows = with_signal[1]
    assert tuple(rows.columns) == evaluation.COLUMNS
    counted = rows[rows["metric"] != GAIN].groupby(["horizon_days", "model"])["metric"].nunique()
    assert counted.min() == counted.max()
    assert len(counted) == 6
    assert (rows[["n_subjects", "n_episodes"]] > 0).all(axis=None)


def test_within_subjects_everybody_counts_alike_or_by_their_pairs():
    """p ranks 5 bad days above all 5 good ones, q half of 5 pairs with each of 20: (1 + 0.5) / 2, and (25 + 50) / 125."""
    names, label = ["p"] * 10 + ["q"] * 25, [1.0] * 5 + [0.0] * 5 + [1.0] * 5 + [0.0] * 20
    score = np.array([0.9] * 5 + [0.1] * 5 + [0.5] * 25)
    rows = pd.DataFrame({"subject_id": names, "index_date": pd.Timestamp("2026-01-01"), "fold": 0, "cut": 0,
                         "days_to_event": np.where(np.array(label) == 1, 1, np.nan), "followed_days": 99, "is_masked": False,
                         "days_since_event": np.nan})  # fmt: skip
    predicted = Predictions("onset", "unseen_subjects", (14,), rows, {MODEL: score[:, None]}, {})
    found = evaluation.evaluate(predicted, "made up", "crisis", 100, 1, 0.1).set_index("metric")["value"]
    assert found["within_subject_auroc"] == pytest.approx(0.75)
    assert found["within_subject_auroc_by_pairs"] == pytest.approx(75 / 125)


def test_the_flat_baseline_is_a_coin_within_each_fold(with_signal):
    """Pooling over folds distorts a constant; within a fold it is 0.5 exactly."""
    assert value(with_signal[1], "fold_mean_auroc", "prevalence") == 0.5


def test_a_split_with_fewer_than_twenty_event_subjects_does_not_headline(with_signal):
    """Then the other split speaks."""
    found = with_signal[0][0]
    later = Predictions("onset", "unseen_and_later", found.horizons_days, found.rows, found.risks)
    assert evaluation.headline_split([later], 14) == "unseen_and_later"
    some = found.rows["subject_id"] < "p015"
    few = Predictions("onset", "unseen_and_later", found.horizons_days, found.rows[some], {})
    assert evaluation.headline_split([few], 14) == "unseen_subjects"


def test_identity_alone_is_worth_much_on_the_same_subjects_later():
    """Who falls ill again and again is known by name; the rate of one's own past rows is shrunk to everybody's."""
    seen = pd.DataFrame({"subject_id": ["ann"] * 5 + ["bob"] * 5, "is_masked": False, "followed_days": 30,
                         "days_to_event": [1.0] * 5 + [float("nan")] * 5})  # fmt: skip
    unseen = pd.DataFrame({"subject_id": ["ann", "bob", "cleo"]})
    # (5 + 5 * 0.5) / 10, (0 + 5 * 0.5) / 10, everybody's
    assert protocol.own_rates(seen, unseen, (7,))[:, 0].tolist() == [0.75, 0.25, 0.5]


def test_seeds_are_told_by_their_mean_and_their_ends(with_signal):
    """Of the same split and task, beside the first seed's row."""
    predictions, rows = with_signal
    other = evaluation.aurocs(predictions[0])
    told = evaluation.over_seeds(rows, pd.concat([other, other.assign(auroc=other["auroc"] - 0.1)]), "unseen_subjects")
    own = told[(told["model"] == MODEL) & (told["horizon_days"] == 14)].iloc[0]
    assert own["high"] == pytest.approx(value(rows, "auroc"))
    assert (own["value"], own["low"]) == pytest.approx((own["high"] - 0.05, own["high"] - 0.1))


def test_fits_that_could_not_be_made_are_counted():
    """A fold whose training rows hold too few people with an event is not silently gone; where all were made, no row is."""
    matrix, labels = cohort(40, 90)
    planned = [*splits.unseen_subjects(labels, 4, 1), *splits.same_subjects_later(labels, 2, 14)]
    nobody = np.zeros(len(labels), dtype=bool)
    planned = [
        replace(planned[0], train=nobody),
        *planned[1:4],
        *(replace(later, test=nobody) for later in planned[4:]),
    ]
    rules = (Predictor("prevalence", "logistic", ()),)
    found = protocol.cross_predict(matrix, labels, (7, 14), rules, planned, 7, 1, 1, lambda share: None)
    told = evaluation.left_out(planned, found, "made up", "crisis", "onset", (7, 14))
    assert told.set_index(["split", "horizon_days"])["value"].to_dict() == {
        ("unseen_subjects", 7): 1, ("unseen_subjects", 14): 1, ("same_subjects_later", 7): 2, ("same_subjects_later", 14): 2,
    }  # fmt: skip
    assert evaluation.left_out(planned[1:4], found, "made up", "crisis", "onset", (7, 14)).empty
