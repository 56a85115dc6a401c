"""Two predictors on the same rows: exact, paired, by group, and nothing of a group too small to be shown."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from models import contest, operational
from models.contest import DIFFERENCE


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """120 subjects x 40 days; `good` knows more than `poor` of the label, but not among the women."""
    rng = np.random.default_rng(4)
    subject, days = np.repeat(np.arange(120), 40), np.tile(np.arange(40), 120)
    label = (rng.random(len(subject)) < 0.12).astype(float)
    knows = np.where(subject % 2 == 0, 0.0, 0.25)
    return pd.DataFrame({
        "subject_id": [f"p{i:03}" for i in subject], "index_date": pd.Timestamp("2026-01-01") + pd.to_timedelta(days, unit="D"),
        "label": label, "poor": 0.3 * rng.random(len(subject)), "good": 0.3 * rng.random(len(subject)) + knows * label,
    })  # fmt: skip


@pytest.fixture(scope="module")
def attributes(rows) -> pd.DataFrame:
    """Two large groups, and a site of four subjects."""
    who = sorted(rows["subject_id"].unique())
    return pd.DataFrame(
        {"subject_id": who, "sex": ["F", "M"] * 60, "site": ["tiny"] * 4 + ["north"] * 60 + ["south"] * 56}
    )


@pytest.fixture(scope="module")
def found(rows, attributes) -> tuple[pd.DataFrame, dict[str, int]]:
    """Good against poor."""
    return contest.by_group(rows, "good", "poor", attributes, 0.1, 200, 1)


def figure(found: pd.DataFrame, model: str, metric: str, group: str = "all", column: str = "value") -> float:
    """One figure."""
    chosen = found[(found["model"] == model) & (found["metric"] == metric) & (found["group"] == group)]
    return float(chosen[column].iloc[0])


def test_overall_figures_are_those_of_the_libraries_and_their_difference_that_of_the_contest(rows, found):
    """AUROC and Brier by scikit-learn, days caught by the night's capacity, the paired interval by `difference`."""
    for name in ("good", "poor"):
        assert figure(found[0], name, "auroc") == pytest.approx(roc_auc_score(rows["label"], rows[name]))
        assert figure(found[0], name, "brier") == pytest.approx(brier_score_loss(rows["label"], rows[name]))
        flagged = operational.flags(rows, rows[name].to_numpy(), 0.1, 1)
        assert figure(found[0], name, "tpr") == pytest.approx(flagged[rows["label"] == 1].mean())
    for metric, expected in zip(("auroc", "brier"), contest.difference(rows, "good", "poor", 200, 1), strict=True):
        told = [figure(found[0], DIFFERENCE, metric, column=column) for column in ("value", "low", "high")]
        assert told == pytest.approx(expected)


def test_a_group_has_the_figures_of_its_own_rows_rounded_and_its_own_verdict(rows, attributes, found):
    """What is better for the men is not for the women, and counts are to the nearest five."""
    men = rows["subject_id"].isin(attributes.loc[attributes["sex"] == "M", "subject_id"])
    own = roc_auc_score(rows.loc[men, "label"], rows.loc[men, "good"])
    assert figure(found[0], "good", "auroc", "sex=M") == round(own, 2)
    assert figure(found[0], DIFFERENCE, "auroc", "sex=M", "low") > 0.1
    women = [figure(found[0], DIFFERENCE, "auroc", "sex=F", column) for column in ("low", "high")]
    assert women[0] < 0 < women[1]
    assert figure(found[0], "good", "auroc", "sex=M", "n_subjects") == 60


def test_a_small_group_and_what_would_give_it_away_are_hidden(found):
    """Four subjects have no row, and the counts of the group that would give theirs away are not there."""
    rows, hidden = found
    assert hidden == {"sex": 0, "site": 1}
    assert set(rows["group"]) == {"all", "sex=F", "sex=M", "site=north", "site=south"}
    assert np.isnan(figure(rows, "good", "auroc", "site=south", "n_subjects"))


def test_with_sites_each_has_a_capacity_of_its_own(rows, attributes):
    """A site whose risks are all lower has days flagged too."""
    sites = rows.merge(attributes[["subject_id", "site"]]).query("site != 'tiny'").reset_index(drop=True)
    lower = sites.assign(good=sites["good"] * np.where(sites["site"] == "south", 0.01, 1.0))
    south = [
        figure(contest.by_group(given, "good", "poor", attributes, 0.1, 100, 1)[0], "good", "tpr", "site=south")
        for given in (lower, lower.drop(columns="site"))
    ]
    assert south[0] > 0.2 > south[1]
