"""How often the statistical controls cry wolf: `make bench`. 500 clean trials; at most 2 % false alarms, its bound stated."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from models import controls, outcomes, splits
from models.baselines import MODEL, Predictor
from models.controls import Trial
from models.outcomes import Outcome
from tests.models.made_up import NO_CARE

TRIALS = 500
OUTCOME = Outcome("crisis", (14,), events=("crisis",), merge_within_days=7, refractory_days=7)
FEATURES = ("history_episode_rate", "trait", "mood", "season")


def clean(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Subjects who are ill to unequal degrees, followed for unequal times, with features that honestly know much of it."""
    rng = np.random.default_rng([seed, 1])
    first = pd.Timestamp("2026-01-01").as_unit("us")
    days = rng.integers(40, 160, 40)
    who = np.repeat(np.arange(40), days)
    when = np.arange(len(who)) - np.repeat(np.cumsum(days) - days, days)
    index = pd.DataFrame({"subject_id": np.char.add("p", who.astype(str)),
                          "index_date": first + pd.to_timedelta(when, unit="D")}).astype({"index_date": "datetime64[us]"})  # fmt: skip
    rate = rng.gamma(1.0, 0.03, 40)
    is_event = rng.random(len(who)) < rate[who] * np.where(when % 60 < 30, 1.6, 0.4)
    events = pd.DataFrame({"subject_id": index["subject_id"], "event_on": index["index_date"]})[is_event]
    until = index.groupby("subject_id")["index_date"].max().rename("followed_until").reset_index()
    until["knowable_until"] = until["followed_until"]
    labels = outcomes.label(index, OUTCOME, "onset", events, until, [index.iloc[:0]], NO_CARE)
    mood = pd.Series(rng.normal(size=len(who))).ewm(halflife=5).mean().to_numpy()
    matrix = index.assign(
        history_episode_rate=rate[who], trait=(rate + rng.normal(0, 0.02, 40))[who], season=np.cos(when / 60 * 2 * np.pi),
        mood=mood + (labels["days_to_event"] < 10).to_numpy(), tenure_days_enrolled=when + 11.0,
    )  # fmt: skip
    return matrix, labels


def is_alarm(seed: int) -> bool:
    """Whether any control fails on clean data."""
    matrix, labels = clean(seed)
    planned = list(splits.unseen_subjects(labels, 4, seed))
    trial = Trial(Predictor(MODEL, "boosted_trees", FEATURES), OUTCOME.horizons_days, 14, planned, 7, seed, 1)
    found = controls.negative_controls(matrix, labels, trial, lambda _: None)
    assert found["figure"].notna().all()
    return not found["is_passed"].all()


@pytest.mark.benchmark(group=f"{TRIALS} clean trials")
def test_clean_trials_seldom_fail(benchmark):
    """Joint rate of both controls; its 95 % Wilson bound is told beside it."""
    alarms = benchmark.pedantic(lambda: sum(is_alarm(seed) for seed in range(TRIALS)), rounds=1)
    bound = binomtest(alarms, TRIALS).proportion_ci(method="wilson").high
    benchmark.extra_info |= {"false_alarms": alarms, "wilson_high": round(bound, 4)}
    assert alarms <= 0.02 * TRIALS
