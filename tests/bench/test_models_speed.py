"""How fast a model is trained and its figures are resampled at a million rows: `make bench`. Plain XGBoost runs beside it.

A row is one at risk in one interval, as XGBoost counts. The matrix counts towards the peak; it is float32 here, 1.2 GB, a
tenth of it missing; as float64, as the pipeline builds it, it takes 1.2 GB more. `BENCH_ROWS=100000 BENCH_ROUNDS=30`.
"""

import os
from collections.abc import Callable
from time import perf_counter, process_time

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from scipy.special import expit

from features import history
from models import resampling, risk
from models.growth import Growth
from tests.bench.memory import forget_peak, peak_gb

ROWS, ROUNDS = (int(os.environ.get(*of)) for of in (("BENCH_ROWS", "1000000"), ("BENCH_ROUNDS", "300")))
FEATURES, THREADS, RESAMPLES, WEEKS = 300, 2, 1000, 50
GROWTH = Growth(rounds=ROUNDS, max_depth=5)
NAMES = (*history.NAMES, *(f"signal_{k}" for k in range(FEATURES - len(history.NAMES))))


def made_up() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A matrix as `build_matrix` lays it out, and labels of one horizon that a few of its features know of."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal((FEATURES, ROWS), dtype=np.float32)
    logit = values[:10].sum(axis=0) / 2 - 3.5
    for of in values:
        of[rng.random(ROWS) < 0.1] = np.nan
    is_event = rng.random(ROWS) < expit(logit)
    labels = pd.DataFrame({
        "subject_id": np.char.add("p", (np.arange(ROWS) // WEEKS).astype(str)), "outcome": "crisis", "task": "onset",
        "is_masked": False, "followed_days": 7, "days_to_event": np.where(is_event, 3.0, np.nan),
    })  # fmt: skip
    return pd.DataFrame(values.T, columns=list(NAMES), copy=False), labels


def took(work: Callable[[], object]) -> dict[str, float]:
    """Seconds by the clock and of the processor, and the height of memory meanwhile."""
    forget_peak()
    wall, cpu = perf_counter(), process_time()
    work()
    return {"seconds": perf_counter() - wall, "cpu_seconds": process_time() - cpu, "peak_gb": peak_gb()}


@pytest.mark.benchmark(group=f"{ROUNDS} rounds, depth 5, {ROWS:,} rows x {FEATURES} features")
def test_training(benchmark, monkeypatch):
    """The goals: trees in 5 minutes, 3 GB, at most 1.15 of plain `xgb.train`; calibration trains three times more on two thirds."""
    matrix, labels = made_up()
    learn, trees = risk._learn, []

    def timed(*told):
        model = []
        trees.append(took(lambda: model.append(learn(*told))))
        return model[0]

    def plain() -> None:
        label = labels["days_to_event"].notna().to_numpy(float)
        data = xgb.QuantileDMatrix(matrix, label, max_bin=risk.MAX_BIN, nthread=THREADS)
        told = {name: of for name, of in vars(GROWTH).items() if name != "rounds"}
        xgb.train({**risk.TREES, **told, "seed": 1, "nthread": THREADS}, data, ROUNDS)

    monkeypatch.setattr(risk, "_learn", timed)
    whole = benchmark.pedantic(
        lambda: took(lambda: risk.fit(matrix, labels, (7,), NAMES, "boosted_trees", 1, THREADS, growth=GROWTH)),
        rounds=1,
    )
    # The cross-fits count the height anew, so that of the whole fit is the greatest of all.
    whole["peak_gb"] = max(whole["peak_gb"], *(of["peak_gb"] for of in trees))
    # After it, for what plain XGBoost copies is not all given back.
    peer = took(plain)
    told = {"trees": trees[0], "plain": peer, "whole fit": whole}
    benchmark.extra_info |= {f"{name}, {key}": round(of, 2) for name, part in told.items() for key, of in part.items()}
    benchmark.extra_info |= {f"ratio, {key}": round(trees[0][key] / peer[key], 3) for key in ("seconds", "cpu_seconds")}


@pytest.mark.benchmark(group=f"AUROC, AUPRC and Brier of {RESAMPLES:,} subject resamples, {ROWS:,} rows")
def test_resampled_figures(benchmark):
    """The goal: 40 seconds, the drawing of subjects included."""
    rng = np.random.default_rng(1)
    label = (rng.random(ROWS) < 0.05).astype(float)
    score, subject = expit(rng.normal(0, 1, ROWS) + label - 3), np.arange(ROWS) // WEEKS

    def figures() -> list[tuple[float, float, float]]:
        weights = np.vstack([np.ones(subject[-1] + 1), resampling.draws(subject[-1] + 1, RESAMPLES, 1)])
        values = (
            resampling.concordance(score, label, subject).auroc(weights),
            resampling.curve(score, label, subject, weights).average_precision(),
            resampling.subject_means((score - label) ** 2, subject, weights),
        )
        return [resampling.with_interval(of) for of in values]

    told = benchmark.pedantic(lambda: took(figures), rounds=1)
    benchmark.extra_info |= {key: round(of, 2) for key, of in told.items()}
