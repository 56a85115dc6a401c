"""Whether plans keep their word: `make bench`. A difference of the size that can be proven is found four times out of five."""

import numpy as np
import pandas as pd
import pytest

from models import contest, power, resampling
from tests.models.test_power import audited, cohort

TRIALS = 200
# Two standard errors of 200 trials at 80 %.
WITHIN = 0.06
STRENGTHS = np.linspace(0, 1.5, 11)
LARGE = 3000


def gained(strength: float) -> tuple[float, float]:
    """What a strength of the model means in a large cohort: gain in AUROC, and correlation with the rule's over subjects."""
    rows = cohort(0, strength, LARGE)
    subject, _ = pd.factorize(rows["subject_id"])
    label, weights = rows["label"].to_numpy(float), resampling.draws(LARGE, 300, 1)
    rule, model = (
        resampling.concordance(rows[name].to_numpy(), label, subject).auroc(weights)
        for name in ("probability", "model")
    )
    return float((model - rule).mean()), float(np.corrcoef(rule, model)[0, 1])


def gap_of(strength: float) -> float:
    """How much better men are ranked in a large cohort, by AUROC, where their events are seen so much better than women's."""
    rows = cohort(0, 0.0, LARGE, gap=strength)
    is_man = np.repeat(np.arange(LARGE) % 2 == 1, len(rows) // LARGE)
    men, women = (
        resampling.concordance(
            of["probability"].to_numpy(), of["label"].to_numpy(float), pd.factorize(of["subject_id"])[0]
        ).auroc(np.ones((1, LARGE)))[0]
        for of in (rows[is_man], rows[~is_man])
    )
    return float(men - women)


@pytest.mark.benchmark(group=f"{TRIALS} cohorts with a planted difference")
def test_a_planted_gain_is_found_four_times_out_of_five(benchmark):
    """48 event subjects, the correlation known: the interval of the gain lies above 0 in 80 % of the cohorts."""
    error = float(np.mean([power.standard_error(cohort(seed), 200, seed) for seed in range(1, 31)]))
    truths = [gained(strength) for strength in STRENGTHS]
    surplus = [gain - power.detectable_gain(error, correlation) for gain, correlation in truths]
    planted = float(np.interp(0, surplus, STRENGTHS))

    def found() -> float:
        cohorts = (cohort(seed, planted) for seed in range(100, 100 + TRIALS))
        return float(np.mean([contest.difference(rows, "model", "probability", 300, 1)[1] > 0 for rows in cohorts]))

    share = benchmark.pedantic(found, rounds=1)
    benchmark.extra_info |= {
        "found": share,
        "planted": round(float(np.interp(planted, STRENGTHS, [g for g, _ in truths])), 3),
    }
    assert share == pytest.approx(0.8, abs=WITHIN)


@pytest.mark.benchmark(group=f"{TRIALS} cohorts with a planted difference")
def test_a_planted_gap_is_found_four_times_out_of_five(benchmark):
    """24 event subjects of each sex, planned where there is no gap: the audit's interval excludes 0 in 80 % of the cohorts."""

    def verdict(seed: int, strength: float) -> pd.Series:
        verdicts = audited(cohort(seed, 0.0, gap=strength), np.resize(["F", "M"], 120)).verdicts
        return verdicts[verdicts["metric"] == "auroc"].iloc[0]

    detectable = float(np.mean([verdict(seed, 0.0)["mdd"] for seed in range(1, 31)]))
    planted = float(np.interp(detectable, [gap_of(strength) for strength in STRENGTHS], STRENGTHS))

    def found() -> float:
        seen = [verdict(seed, planted) for seed in range(100, 100 + TRIALS)]
        return float(np.mean([row["low"] > 0 or row["high"] < 0 for row in seen]))

    share = benchmark.pedantic(found, rounds=1)
    benchmark.extra_info |= {"found": share, "planted": round(detectable, 3)}
    assert share == pytest.approx(0.8, abs=WITHIN)
