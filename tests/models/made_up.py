"""Made-up cohorts for tests of models: no person stands behind any row."""

import numpy as np
import pandas as pd

from models import outcomes
from models.outcomes import Outcome
from models.policy import Policy

OUTCOME = Outcome("crisis", (7, 14), events=("crisis_contact",), merge_within_days=7, refractory_days=7)
NO_CARE = pd.DataFrame({"subject_id": [], "event_on": [], "status": []}).astype(
    {"subject_id": "str", "event_on": "datetime64[us]", "status": "str"}
)
POLICY = Policy(
    min_gain_low=0.0, non_inferiority_margin=0.05, calibration_slope_low=0.7, calibration_slope_high=1.4,
    calibration_intercept_limit=0.7, block_on_fairness_fail=True, min_subjects=20, min_event_subjects=10, min_group_event_subjects=30,
    shadow_nights=2,
)  # fmt: skip
FEATURES = ("history_episode_rate", "sleep_short", "noise")


def cohort(
    subjects: int = 80, days: int = 120, seed: int = 1, signal: float = 2.0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A feature matrix in which short sleep comes before an event, and its onset labels."""
    rng = np.random.default_rng(seed)
    first = pd.Timestamp("2026-01-01").as_unit("us")
    dates = pd.date_range(first, periods=days, freq="D", unit="us")
    index = pd.DataFrame(
        {"subject_id": np.repeat([f"p{i:03}" for i in range(subjects)], days), "index_date": np.tile(dates, subjects)}
    )
    ill = rng.random(subjects) < 0.6
    on = rng.integers(20, days, subjects)
    events = pd.DataFrame({"subject_id": [f"p{i:03}" for i in range(subjects) if ill[i]],
                           "event_on": first + pd.to_timedelta(on[ill], unit="D")}).astype({"event_on": "datetime64[us]"})  # fmt: skip
    until = pd.DataFrame({"subject_id": index["subject_id"].unique(), "followed_until": dates[-1]})
    until["knowable_until"] = until["followed_until"]
    labels = outcomes.label(index, OUTCOME, "onset", events, until, [index.iloc[:0]], NO_CARE)
    labels["days_since_event"] = outcomes.days_since_event(index, events)
    near = (labels["days_to_event"] < 10).to_numpy()
    matrix = index.assign(
        history_episode_rate=rng.random(subjects).repeat(days),
        sleep_short=signal * near + rng.normal(0, 1, len(index)),
        noise=rng.normal(0, 1, len(index)),
        tenure_days_enrolled=np.tile(np.arange(1.0, days + 1), subjects),
    )
    return matrix, labels
