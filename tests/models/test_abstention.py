"""Abstention: what the rows that get a score are worth, and who gets none."""

import numpy as np
import pandas as pd
import pytest

from models import abstention
from models.abstention import ABSTAINED, ALL, MISSED, SCORED, SHARE

DAY = pd.Timestamp("2026-01-01")


def by_hand() -> tuple[pd.DataFrame, np.ndarray]:
    """Four subjects with one episode each; b's row before it lacks data, of a's two one, of c's and d's none."""
    rows = [
        ("a", 0, 2, 1, 0.9, 0.1), ("a", 1, 1, 1, 0.8, 0.5), ("a", 9, np.nan, 0, 0.2, np.nan),
        ("b", 0, 1, 1, 0.3, 0.2), ("b", 9, np.nan, 0, 0.4, 0.9),
        ("c", 0, 1, 1, 0.7, 0.25), ("c", 9, 30, 0, 0.1, 0.25), ("d", 0, 1, 1, 0.6, 0.9),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["subject_id", "day", "days_to_event", "label", "probability", "completeness"])
    table["index_date"] = DAY + pd.to_timedelta(table["day"], unit="D")
    return table, table["completeness"].to_numpy()


def cohort(subjects: int = 120, days: int = 20) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Where data are complete the score ranks; where they are not it is chance. Those of `old` lack data more often."""
    rng = np.random.default_rng(4)
    person = np.repeat(np.arange(subjects), days)
    is_old = np.arange(subjects) % 2 == 0
    complete = rng.random(len(person)) > np.where(is_old, 0.6, 0.2)[person]
    label = (rng.random(len(person)) < 0.2).astype(float)
    odds = np.where(complete, 3 * label, 0) - 2 + rng.normal(0, 1, len(person))
    names = np.array([f"p{i}" for i in range(subjects)])
    dates = DAY + pd.to_timedelta(np.tile(np.arange(days), subjects), unit="D")
    tested = pd.DataFrame({"subject_id": names[person], "index_date": dates,
                           "days_to_event": np.where(label == 1, 1, np.nan), "label": label,
                           "probability": 1 / (1 + np.exp(-odds))})  # fmt: skip
    return (
        tested,
        np.where(complete, 1.0, 0.1),
        pd.DataFrame({"subject_id": names, "age": np.where(is_old, "old", "young")}),
    )


def figure(found: pd.DataFrame, group: str, metric: str) -> pd.Series:
    """One row."""
    return found[(found["group"] == group) & (found["metric"] == metric)].iloc[0]


def test_an_episode_is_missed_only_if_no_row_before_it_gets_a_score():
    """a has a scored row left, b has none, c and d lose nothing: one of four."""
    found = abstention.abstention(*by_hand(), 0.25, 100, 1)
    assert figure(found, ALL, MISSED)["value"] == pytest.approx(1 / 4)


def test_no_data_is_too_little_and_exactly_enough_is_enough():
    """A missing completeness abstains, one at the limit does not: as the night's standing has it; 3 of 8 rows."""
    found = abstention.abstention(*by_hand(), 0.25, 100, 1)
    assert figure(found, ALL, SHARE)["value"] == pytest.approx(3 / 8)
    assert figure(found, SCORED, "auroc")["n_rows"] == 5
    assert figure(found, ABSTAINED, "auroc")["n_rows"] == 3


def test_rows_with_data_rank_and_rows_without_do_not():
    """The intervals of both groups lie apart, with all rows between."""
    tested, completeness, _ = cohort()
    found = abstention.abstention(tested, completeness, 0.25, 200, 1)
    assert figure(found, SCORED, "auroc")["low"] > figure(found, ALL, "auroc")["high"]
    assert figure(found, ABSTAINED, "auroc")["high"] < figure(found, ALL, "auroc")["low"]
    assert figure(found, ABSTAINED, "auroc")["low"] < 0.5 < figure(found, ABSTAINED, "auroc")["high"]


def test_where_nobody_abstains_nothing_is_claimed_of_those_who_do():
    """No row abstains: their figures are missing, and all equals scored."""
    tested, completeness, _ = cohort()
    found = abstention.abstention(tested, completeness, 0.0, 100, 1)
    assert np.isnan(figure(found, ABSTAINED, "auroc")["value"])
    assert figure(found, ALL, "auroc")["value"] == figure(found, SCORED, "auroc")["value"]
    assert figure(found, ALL, MISSED)["value"] == 0


def test_who_is_left_without_a_score_is_told_by_group():
    """Six in ten rows of the old, two in ten of the young; with what disclosure rules ask of a group."""
    tested, completeness, attributes = cohort()
    found = abstention.shares(tested, completeness, 0.25, attributes, {}, 200, 1).set_index("group")
    assert found.loc["old", "value"] == pytest.approx(0.6, abs=0.05)
    assert found.loc["young", "high"] < found.loc["old", "low"]
    assert found.loc["old", "n_subjects"] == 60
    assert 0 < found.loc["old", "largest_event_share"] < 0.1
