"""The first days after enrolment must not be told from later ones by what is missing, nor by how large it is.

On the embedded kind of data nothing changes with enrolment, so whatever tells early rows from late ones is an artefact.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from features.catalog import STANDARD
from features.history import TENURE
from features.matrix import build_matrix
from features.warm_up import warm_up_days

SUBJECTS, DAYS, EARLY = 60, 120, 28
HALF_A_YEAR = 180
ABOUT_SILENCE = ("adherence_coverage_7d", "adherence_coverage_28d", "adherence_longest_gap_28d", "adherence_days_since_data_28d",
                 "history_episode_rate", "history_episodes_ever")  # fmt: skip
MEASURES = ("activity_steps", "sleep_duration", "heart_resting", "mood_valence")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """Own-past and windowed features of four measures that are the same noise all along, a fifth of the days missing."""
    rng = np.random.default_rng(1)
    dates = pd.date_range("2026-01-01", periods=DAYS, unit="us")
    names = [f"p{i:02}" for i in range(SUBJECTS)]
    days = pd.DataFrame({"subject_id": np.repeat(names, DAYS), "local_date": np.tile(dates, SUBJECTS)})
    days["known_on"] = days["local_date"] + pd.Timedelta(days=1)
    spread = {measure.name: measure.usual_spread for measure in STANDARD.measures}
    for name in MEASURES:
        values = np.repeat(rng.normal(0, 3, SUBJECTS), DAYS) + rng.normal(0, 1, SUBJECTS * DAYS)
        days[name] = np.where(rng.random(len(values)) < 0.8, values * spread[name], np.nan)
    days = days[rng.random(len(days)) < 0.7].reset_index(drop=True)
    subjects = pd.DataFrame({"subject_id": names, "enrolled_on": dates[0]})
    events = pd.DataFrame({"subject_id": [], "event_on": dates[:0], "known_on": dates[:0]})
    index = pd.DataFrame(
        {"subject_id": np.repeat(names, DAYS), "index_date": np.tile(dates + pd.Timedelta(days=1), SUBJECTS)}
    )
    wanted = [f.name for f in STANDARD.features if f.name.startswith(MEASURES) and f"_{f.window_days}d" in f.name]
    return build_matrix(days, events, subjects, index, features=[*wanted, *ABOUT_SILENCE, TENURE], threads=2)


def told_apart(rows: pd.DataFrame, columns: pd.DataFrame, warm_up: int) -> float:
    """AUROC of a boosted model that tells the first four weeks after the warm-up from later ones, in unseen subjects."""
    kept = (rows[TENURE] >= warm_up).to_numpy()
    rows, columns = rows[kept], columns[kept]
    is_early = (rows[TENURE] < warm_up + EARLY).to_numpy()
    train = rows["subject_id"].to_numpy() < "p30"
    model = HistGradientBoostingClassifier(max_iter=50, random_state=1).fit(columns[train], is_early[train])
    return float(roc_auc_score(is_early[~train], model.predict_proba(columns[~train])[:, 1]))


@pytest.mark.parametrize("kinds", [("mean", "sd", "slope", "rmssd"), ("z_3d", "z_7d"), ("z_28d",)])
def test_what_is_missing_does_not_tell_who_is_new(rows, kinds):
    """After their warm-up, no pattern of missing values of any window tells the first four weeks from later ones."""
    columns = rows[[name for name in rows.columns if any(f"_{kind}" in name for kind in kinds)]]
    assert told_apart(rows, columns.isna().astype(float), warm_up_days(columns)) < 0.6


def test_waiting_for_a_past_of_two_weeks_would_have_told(rows):
    """So that the test above could fail: a z that waits for 14 past days, as it once did, gives the new ones away."""
    waits = (
        rows[[name for name in rows.columns if name.endswith("_z_7d")]].isna()
        | (rows[TENURE] < 7 + 14 / 0.8).to_numpy()[:, None]
    )
    assert told_apart(rows, waits.astype(float), 10) > 0.7


def test_no_value_of_what_is_on_tells_who_is_new(rows):
    """After their warm-up the values of features that models see by default, coverage among them, tell next to nothing."""
    columns = rows[[name for name in rows.columns if name in STANDARD.chosen() and name != TENURE]]
    assert told_apart(rows, columns, warm_up_days(columns)) < 0.6


def test_without_the_warm_up_what_is_missing_tells(rows):
    """Nor may models learn from the first days: what is missing there is the calendar's doing."""
    assert told_apart(rows, rows[[name for name in rows.columns if "_mean_" in name]].isna().astype(float), 1) > 0.65


def test_the_size_of_z_tells_little(rows):
    """Differences that count in proportion to their past are smaller at first; a model can see some of it, not much."""
    columns = rows[[name for name in rows.columns if name.endswith("_z_7d")]]
    assert told_apart(rows, columns, warm_up_days(columns)) < 0.7


@pytest.fixture(scope="module")
def patterns() -> pd.DataFrame:
    """Patterns of mood and of answers against their own past over half a year, of what is the same noise all along."""
    rng = np.random.default_rng(2)
    dates, names = pd.date_range("2026-01-01", periods=HALF_A_YEAR, unit="us"), [f"p{i:02}" for i in range(SUBJECTS)]
    days = pd.DataFrame({"subject_id": np.repeat(names, HALF_A_YEAR), "local_date": np.tile(dates, SUBJECTS)})
    days["known_on"] = days["local_date"] + pd.Timedelta(days=1)
    days["mood_valence"], days["adherence_answers"] = rng.uniform(0, 1, len(days)), rng.integers(1, 5, len(days))
    days = days[rng.random(len(days)) < 0.7].reset_index(drop=True)
    subjects = pd.DataFrame({"subject_id": names, "enrolled_on": dates[0]})
    events = pd.DataFrame({"subject_id": [], "event_on": dates[:0], "known_on": dates[:0]})
    index = days[["subject_id"]].assign(index_date=days["known_on"])
    wanted = [f"{name}_z_{window}d" for name in ("mood_relative_sd", "adherence_answer_rate", "adherence_coverage")
              for window in (7, 14)]  # fmt: skip
    return build_matrix(days, events, subjects, index, features=[*wanted, TENURE], threads=2)


def test_patterns_against_their_own_past_do_not_tell_who_is_new(patterns):
    """After their warm-up neither what is missing nor how large it is, for all windows of the past could be seen by then."""
    columns = patterns.drop(columns=["subject_id", "index_date", TENURE])
    assert told_apart(patterns, columns, warm_up_days(columns)) < 0.6
    assert told_apart(patterns, columns.isna().astype(float), warm_up_days(columns)) < 0.6


def test_a_past_of_few_windows_would_have_told(patterns):
    """So that the test above could fail: of how many windows a past consists shows in the size of z."""
    columns = patterns[["adherence_answer_rate_z_7d", "adherence_coverage_z_7d"]]
    assert told_apart(patterns, columns, 4 * 7 + 10) > 0.8


@pytest.mark.parametrize(
    ("feature", "days"),
    [("sleep_duration_mean_7d_min", 10), ("sleep_duration_mean_28d_min", 28), ("sleep_duration_z_28d", 38),
     ("own_past_distance_7d", 17), ("sleep_duration_last_14d_min", 10), ("history_event_days_28d", 10)],
)  # fmt: skip
def test_a_window_is_waited_for_and_ten_days_more_where_it_is_compared_with_the_past(feature, days):
    """No value of a feature rests on less time than it names: who learnt from those days would learn who is new."""
    assert feature in STANDARD.by_name
    assert warm_up_days([feature]) == days
