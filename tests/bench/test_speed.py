"""How fast the two heavy steps are: `make bench`. Peers run side by side, so that ratios hold on any machine."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from features.matrix import build_matrix
from models import resampling

SUBJECTS, DAYS = 100, 180


@pytest.fixture(scope="module")
def panel() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """A made-up day panel, no events, subjects, and every index date."""
    rng = np.random.default_rng(1)
    dates = pd.date_range("2026-01-01", periods=DAYS, unit="us")
    names = [f"p{i:03}" for i in range(SUBJECTS)]
    days = pd.DataFrame({"subject_id": np.repeat(names, DAYS), "local_date": np.tile(dates, SUBJECTS)})
    days["known_on"] = days["local_date"] + pd.Timedelta(days=1)
    for measure in ("mood_valence", "sleep_duration", "activity_steps", "heart_resting"):
        days[measure] = rng.normal(0, 1, len(days))
    subjects = pd.DataFrame({"subject_id": names, "enrolled_on": dates[0]})
    events = pd.DataFrame({"subject_id": [], "event_on": [], "known_on": []}).astype(
        {"subject_id": "str", "event_on": "datetime64[us]", "known_on": "datetime64[us]"}
    )
    index = days[["subject_id"]].assign(index_date=days["local_date"])
    return days, events, subjects, index[index["index_date"] > dates[0]]


@pytest.mark.benchmark(group="feature matrix, 18,000 subject-days")
def test_feature_matrix(benchmark, panel):
    """Every feature of the catalogue."""
    benchmark(build_matrix, *panel, merge_within_days=7)


@pytest.mark.benchmark(group="feature matrix, 18,000 subject-days")
def test_pandas_rolling_means_of_two_windows(benchmark, panel):
    """The peer: 8 of the catalogue's features by groupby.rolling, without any knowledge of receipt."""
    days = panel[0].set_index("local_date").drop(columns="known_on")

    def rolling() -> None:
        for window in ("7D", "28D"):
            days.groupby("subject_id").rolling(window, closed="left").mean()

    benchmark(rolling)


def scored() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, labels and subjects of 18,000 rows."""
    rng = np.random.default_rng(1)
    label = (rng.random(SUBJECTS * DAYS) < 0.05).astype(float)
    return rng.normal(0, 1, len(label)) + label, label, np.repeat(np.arange(SUBJECTS), DAYS)


@pytest.mark.benchmark(group="AUROC of 200 subject resamples")
def test_resampled_auroc(benchmark):
    """All resamples in one walk through the sorted rows."""
    score, label, subject = scored()
    weights = resampling.draws(SUBJECTS, 200, 1)
    benchmark(lambda: resampling.concordance(score, label, subject).auroc(weights))


@pytest.mark.benchmark(group="AUROC of 200 subject resamples")
def test_resampled_auroc_by_sklearn(benchmark):
    """The peer: scikit-learn once per resample, subjects as sample weights."""
    score, label, subject = scored()
    weights = resampling.draws(SUBJECTS, 200, 1)
    benchmark.pedantic(lambda: [roc_auc_score(label, score, sample_weight=w[subject]) for w in weights], rounds=2)
