"""How often the fairness audit is right: `make bench`. BENCH_TRIALS=2000 for the table of docs/fairness.md (an hour).

In each trial a cohort is made anew and audited as any other, with 1,000 resamples. Groups of `size` differ in nothing but
how many event subjects they have: how often their intervals hold the truth, and how often a gap is claimed where there is
none. The group "deaf" is heard less, by what each scenario says. `none` has no event at all.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, norm

from models.fairness import audit as audits
from models.fairness import bootstrap
from models.fairness.alerts import TopShare, flags_of
from models.fairness.audit import Audited
from models.fairness.comparisons import REFERENCE
from models.fairness.groups import group_subjects
from models.fairness.rows import rows_of
from models.fairness.verdicts import FAIL, INSUFFICIENT
from tests.models.made_up_scores import Made, cohort

TRIALS, THREADS = (int(os.environ.get(*of)) for of in (("BENCH_TRIALS", "40"), ("BENCH_PROCESSES", "2")))
MARGIN, SHARE, RESAMPLES = 0.1, 0.1, 1000
# By their number of event subjects, a fifth of all.
SIZES = {"200": 1000, "100": 500, "50": 250, "20": 100, "10": 50, "5": 25, "none": 60}
# How much of the signs before an event is heard of "deaf", where 2 is heard of all others; and what that is.
SCENARIOS = {"no gap": 2.0, "a gap of the margin": 1.53, "a gap of 0.28": 0.9}
OF = Audited("made up", "crisis", "onset", 14, "unseen_subjects", "a score")


def trial(heard: float, seed: int) -> pd.DataFrame:
    """Verdicts of one cohort, each attribute audited by itself.

    Points are our own counts: they equal Fairlearn's (tests/models/test_fairness_audit.py), which would take half of the time.
    """
    audits._set_points = lambda *_: None
    scored, attributes = cohort(Made(SIZES, signal_of_deaf=heard), seed)
    found = [
        audits.audit(scored, attributes[["subject_id", name]], OF, rule=TopShare(SHARE), margin=MARGIN, resamples=RESAMPLES,
              seed=seed, reference_groups={name: reference}).verdicts
        for name, reference in (("size", "200"), ("hearing", "heard"))
    ]  # fmt: skip
    columns = ["attribute", "group", "versus", "metric", "difference", "low", "high", "verdict", "n_event_subjects"]
    return pd.concat(found)[columns].assign(seed=seed)


def true_gap(heard: float) -> float:
    """The difference of TPR in a cohort so large that chance hardly matters: 200,000 subjects."""
    scored, attributes = cohort(Made({"200": 200_000}, signal_of_deaf=heard), 10**6)
    rows, subjects = rows_of(scored)
    (hearing,) = group_subjects(
        attributes[["subject_id", "hearing"]], subjects, np.ones(len(subjects), bool), {"hearing": "heard"}
    )
    flags, _ = flags_of(TopShare(SHARE), scored, rows.subject, 1)
    once = np.ones((len(subjects), 1), np.int32)
    deaf, heard_of = bootstrap.resample(rows, flags, bootstrap.whole(rows, [hearing]), once, with_scores=False)["tpr"][
        0
    ]
    return float(deaf - heard_of)


def share(is_so: pd.Series) -> str:
    """A share with its 95 % Wilson interval, in per cent."""
    found = binomtest(int(is_so.sum()), len(is_so)).proportion_ci(0.95, "wilson")
    return f"{100 * is_so.mean():.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})"


def coverage(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Per cent of intervals that hold the truth, no difference, by metric and event subjects, with Wilson intervals."""
    known = verdicts[(verdicts["attribute"] == "size") & (verdicts["versus"] == REFERENCE) & verdicts["low"].notna()]
    known = known[known["group"] != "none"]
    holds = (known["low"] <= 0) & (known["high"] >= 0)
    table = holds.groupby([known["metric"], known["group"]], sort=False).agg(share).unstack()
    return table[[name for name in SIZES if name in table]]


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.benchmark(group=f"{TRIALS} audits of made-up cohorts")
def test_trials(benchmark, capsys, scenario):
    """Found where planted with power 0.98: 95 %; claimed where there is none: at most 5 %; intervals: 94 to 96 %."""
    heard = SCENARIOS[scenario]

    def tried() -> pd.DataFrame:
        with ProcessPoolExecutor(THREADS) as pool:
            return pd.concat(pool.map(partial(trial, heard), range(TRIALS), chunksize=10))

    verdicts = benchmark.pedantic(tried, rounds=1)
    hearing = verdicts[verdicts["attribute"] == "hearing"]
    caught, gap = hearing[hearing["metric"] == "tpr"], true_gap(heard)
    power = norm.cdf((abs(gap) - MARGIN) / caught["difference"].std() - norm.ppf(0.975))
    of_size = verdicts[verdicts["attribute"] == "size"]
    told = {
        "true gap of TPR": f"{gap:+.3f}",
        "true power": f"{power:.3f}",
        "gap of TPR found": share(caught["verdict"] == FAIL),
        "any gap claimed among groups that differ in nothing": share(
            (of_size["verdict"] == FAIL).groupby(of_size["seed"]).any()
        ),
        "pass or gap of a group without events": share(
            of_size.loc[of_size["group"] == "none", "verdict"] != INSUFFICIENT
        ),
    }
    benchmark.extra_info |= told
    with capsys.disabled():
        print(f"\n{scenario}: {TRIALS} trials", *(f"  {name}: {value}" for name, value in told.items()), sep="\n")
        print(coverage(verdicts).to_string())
