"""A gain is proven when it holds on subjects left out, whoever else was drawn to be learnt from."""

import numpy as np
import pandas as pd
import pytest

from models import evaluation, protocol, refitting, splits
from models.baselines import MODEL, Predictor
from models.candidacy import candidate
from models.refitting import REFITS, REFITTED_GAIN
from tests.models.made_up import OUTCOME, POLICY, cohort

PREDICTORS = (
    Predictor(MODEL, "boosted_trees", ("history_episode_rate", "sleep_short", "noise")),
    Predictor("history_only", "logistic", ("history_episode_rate",)),
)


def refitted(
    signal: float, split: str = splits.UNSEEN_SUBJECTS, threads: int = 2, **columns: object
) -> dict[str, np.ndarray]:
    """AUROCs of 20 resamples of a made-up cohort."""
    matrix, labels = cohort(signal=signal)
    periods = splits.periods(labels, split, 2, 14)
    return refitting.refit(
        matrix.assign(**columns),
        labels,
        OUTCOME.horizons_days,
        PREDICTORS,
        periods,
        7,
        20,
        1,
        threads,
        lambda share: None,
    )


def gained(found: dict[str, np.ndarray], signal: float) -> pd.Series:
    """The row of the gain at 14 days."""
    matrix, labels = cohort(signal=signal)
    planned = list(splits.unseen_subjects(labels, 3, 1))
    predicted = protocol.cross_predict(
        matrix, labels, OUTCOME.horizons_days, PREDICTORS, planned, 7, 1, 2, lambda share: None
    )
    rows = evaluation.evaluate(predicted[0], "made up", "crisis", 100, 1, 0.1)
    again = refitting.gains(rows, found, splits.UNSEEN_SUBJECTS, OUTCOME.horizons_days)
    assert "refitted on 20 resamples only" in candidate(pd.concat([rows, again]), splits.UNSEEN_SUBJECTS, 14, POLICY)[1]
    counted = again[again["metric"] == REFITS]
    assert list(counted["value"]) == [20] * len(OUTCOME.horizons_days)
    return again[again["metric"] == REFITTED_GAIN].set_index("horizon_days").loc[14]


@pytest.fixture(scope="module")
def with_signal() -> dict[str, np.ndarray]:
    """Refits where sleep says something."""
    return refitted(2.0)


def test_a_signal_is_proven_and_noise_is_not(with_signal):
    """The whole interval lies above 0 for the one, and not for the other."""
    proven, unproven = gained(with_signal, 2.0), gained(refitted(0.0), 0.0)
    assert proven["metric"] == REFITTED_GAIN
    assert proven["low"] > 0
    assert unproven["low"] <= 0


def test_who_was_drawn_is_not_tested_on():
    """Knowing each person by number, and whether they fall ill at all, helps nobody left out."""
    labels = cohort(signal=0.0)[1]
    ill = labels.groupby("subject_id")["days_to_event"].transform("count") > 0
    person = pd.factorize(labels["subject_id"])[0] * 2.0
    found = refitted(0.0, sleep_short=person, noise=np.sin(person * 12.9))
    assert ill.any()
    assert np.nanmean(found[MODEL][:, 1]) < 0.6


def test_the_same_seed_gives_the_same_figures_in_any_number_of_threads(with_signal):
    """To the bit."""
    alone = refitted(2.0, threads=1)
    assert all(np.array_equal(alone[name], with_signal[name], equal_nan=True) for name in alone)


def test_a_resample_that_leaves_nothing_to_learn_from_is_missing():
    """Two event subjects in the past of the first cut cannot calibrate: no figure, and no interval from those that are left."""
    matrix, labels = cohort(30, 60)
    few = labels.assign(days_to_event=labels["days_to_event"].where(labels["subject_id"] < "p003"))
    found = refitting.refit(matrix, few, OUTCOME.horizons_days, PREDICTORS, splits.periods(few, splits.UNSEEN_AND_LATER, 2, 14), 7,
                            5, 1, 1, lambda share: None)  # fmt: skip
    assert np.isnan(found[MODEL]).all()


def test_resamples_without_a_figure_are_made_up_for_by_others(monkeypatch):
    """One in ten may give none: others are drawn until there are as many as asked for, each the same as ever."""
    aurocs, calls = refitting._aurocs, iter(range(1000))
    monkeypatch.setattr(
        refitting, "_aurocs", lambda *of: aurocs(*of) * (np.nan if next(calls) // len(PREDICTORS) == 3 else 1)
    )
    found = refitted(2.0, threads=1)
    assert {len(of) for of in found.values()} == {21}
    assert np.isfinite(found[MODEL]).all(axis=1).sum() == 20


def test_a_gain_over_a_rule_that_was_not_refitted_is_left_out(with_signal):
    """Where the model and one rule alone were fitted again, gains over others have no interval to tell."""
    rows = pd.DataFrame([
        {"metric": "auroc_minus_best_baseline", "task": "onset", "split": "s", "horizon_days": days, "model": MODEL,
         "group": f"best baseline: {name}", "value": 0.1, "low": 0.0, "high": 0.2}
        for days, name in ((7, "tenure_only"), (14, "history_only"))
    ])  # fmt: skip
    found = refitting.gains(rows, with_signal, "s", OUTCOME.horizons_days)
    assert list(found["horizon_days"].unique()) == [14]


def test_a_later_period_is_learnt_from_the_past_alone():
    """The whole horizon of what is learnt ended before what is tested began."""
    labels = cohort(30, 90)[1]
    for period in splits.periods(labels, splits.UNSEEN_AND_LATER, 3, 14):
        assert (labels["index_date"][period.train] + pd.Timedelta(days=14)).max() <= labels["index_date"][
            period.test
        ].min()
    everything = splits.periods(labels, splits.UNSEEN_SUBJECTS, 3, 14)
    assert len(everything) == 1
    assert everything[0].train.all()
    assert everything[0].test.all()
