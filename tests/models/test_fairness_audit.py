"""The audit as a whole: it agrees with Fairlearn, finds what was planted, and never calls silence fair."""

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from sklearn.metrics import precision_score, roc_auc_score

from models.errors import ModelsError
from models.fairness import bootstrap, metrics
from models.fairness.alerts import queue_rows
from models.fairness.audit import TIDY, Audit, Audited, audit
from models.fairness.bootstrap import Rows
from models.fairness.groups import group_subjects
from models.fairness.verdicts import FAIL, INSUFFICIENT

AUDITED = Audited("made up", "crisis", "onset", 14, "unseen_subjects", "boosted_hazard")


def cohort(subjects: int = 160, days: int = 60, seed: int = 1, deaf_to: str = "") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores that see an event coming, except in the sex `deaf_to`; and who these people are."""
    rng = np.random.default_rng(seed)
    sex = np.where(np.arange(subjects) % 2 == 0, "F", "M")
    site = np.where(np.arange(subjects) % 5 == 0, "north", "south")
    start = rng.integers(0, days + 40, subjects)
    day = np.tile(np.arange(days), subjects)
    person = np.repeat(np.arange(subjects), days)
    label = ((start[person] - day >= 0) & (start[person] - day < 14)).astype(int)
    heard = label * (sex[person] != deaf_to)
    score = -3 + 2.5 * heard + rng.normal(0, 1, len(day)) + rng.normal(0, 0.3, subjects)[person]
    names = np.array([f"p{i:03}" for i in range(subjects)])
    scored = pd.DataFrame(
        {"subject_id": names[person], "index_date": pd.Timestamp("2026-01-01") + pd.to_timedelta(day, unit="D"),
         "probability": 1 / (1 + np.exp(-score)), "label": label, "site": site[person]}
    )  # fmt: skip
    return scored, pd.DataFrame({"subject_id": names, "sex": sex, "site": site})


def audited(scored: pd.DataFrame, attributes: pd.DataFrame, **changed: float) -> Audit:
    """An audit with few resamples."""
    return audit(scored, attributes, AUDITED, **({"top_share": 0.1, "margin": 0.1, "resamples": 200} | changed))


def test_points_are_fairlearns_over_rows():
    """Every rate and the AUROC equal MetricFrame over the rows themselves, to 1e-12."""
    scored, attributes = cohort()
    result = audited(scored, attributes)
    codes, subjects = pd.factorize(scored["subject_id"], sort=True)
    queue = queue_rows(scored, codes, 0.1, 1)
    flagged = np.zeros(len(scored), int)
    flagged[queue.rows] = queue.flagged(np.ones((len(subjects), 1), np.int32))[:, 0]
    sex = scored["subject_id"].map(attributes.set_index("subject_id")["sex"])
    rates = {
        "selection_rate": selection_rate,
        "tpr": true_positive_rate,
        "fpr": false_positive_rate,
        "ppv": precision_score,
    }
    frame = MetricFrame(metrics=rates, y_true=scored["label"], y_pred=flagged, sensitive_features=sex).by_group
    ranked = MetricFrame(
        metrics={"auroc": roc_auc_score}, y_true=scored["label"], y_pred=scored["probability"], sensitive_features=sex
    ).by_group
    ours = result.rows.pivot_table(index="group", columns="metric", values="value")
    for group in ("F", "M"):
        for name in rates:
            assert ours.loc[f"sex={group}", name] == pytest.approx(frame.loc[group, name], abs=1e-12)
        assert ours.loc[f"sex={group}", "auroc"] == pytest.approx(ranked.loc[group, "auroc"], abs=1e-12)


def test_resampled_counts_of_the_cohort_itself_are_its_points():
    """Drawing everybody once gives exactly the point estimates, in crossed groups too."""
    scored, attributes = cohort()
    result = audited(scored, attributes)
    codes, subjects = pd.factorize(scored["subject_id"], sort=True)
    rows = Rows(codes, scored["label"].to_numpy(), scored["probability"].to_numpy(), len(subjects))
    groupings = group_subjects(attributes, pd.Index(subjects), rows.per_subject(rows.label.astype(float)) > 0, {})
    once = np.ones((len(subjects), 1), np.int32)
    rates = metrics.rates(bootstrap.count_groups(rows, queue_rows(scored, codes, 0.1, 1), groupings, once))
    labels = [label for g in groupings for label in g.labels()]
    for name in metrics.RATES:
        ours = result.rows[result.rows["metric"] == name].set_index("group").loc[labels, "value"]
        np.testing.assert_allclose(rates[name][0], ours, atol=1e-12)


def test_a_resample_equals_the_cohort_written_out():
    """A resample's rates are those of a table in which drawn subjects are really copied."""
    scored, attributes = cohort(subjects=40)
    codes, subjects = pd.factorize(scored["subject_id"], sort=True)
    rows = Rows(codes, scored["label"].to_numpy(), scored["probability"].to_numpy(), len(subjects))
    groupings = group_subjects(attributes, pd.Index(subjects), np.ones(len(subjects), bool), {})[:1]
    weights = bootstrap.draw(len(subjects), 3, seed=5)
    rates = metrics.rates(
        bootstrap.count_groups(
            rows, queue_rows(scored[["index_date", "probability"]], codes, 0.1, 1), groupings, weights
        )
    )
    copied = scored.loc[np.repeat(scored.index, weights[codes, 2])]
    order = copied.sort_values("probability", ascending=False, kind="stable")
    rank, size = order.groupby("index_date").cumcount(), order.groupby("index_date")["label"].transform("size")
    is_flagged = rank < np.floor(0.1 * size + 0.5)
    is_female = order["subject_id"].map(attributes.set_index("subject_id")["sex"]) == "F"
    positive = is_female & (order["label"] == 1)
    assert rates["tpr"][2, 0] == pytest.approx(is_flagged[positive].mean())
    assert rates["selection_rate"][2, 0] == pytest.approx(is_flagged[is_female].mean())


def test_a_planted_gap_is_found():
    """A model deaf to one sex fails on what it catches there."""
    result = audited(*cohort(deaf_to="M"))
    caught = result.verdicts.query("attribute == 'sex' and metric == 'tpr'").iloc[0]
    assert caught["verdict"] == FAIL
    assert result.has_failed


def test_no_gap_is_invented():
    """Among equals no single attribute fails."""
    result = audited(*cohort())
    assert not (result.verdicts.loc[~result.verdicts["is_crossed"], "verdict"] == FAIL).any()


def test_a_group_without_events_is_never_judged():
    """Neither pass nor fail, whatever the metric, and its rate over events is missing."""
    scored, attributes = cohort()
    attributes.loc[attributes.index < 30, "sex"] = "X"
    scored.loc[scored["subject_id"].isin(attributes["subject_id"][:30]), "label"] = 0
    result = audited(scored, attributes)
    judged = result.verdicts.query("attribute == 'sex' and group == 'X'")
    assert set(judged["verdict"]) == {INSUFFICIENT}
    value = result.rows.query("group == 'sex=X' and metric == 'tpr'")["value"]
    assert value.isna().all()


def test_a_group_of_one_subject_is_never_judged():
    """One person is no group."""
    scored, attributes = cohort()
    attributes.loc[0, "sex"] = "X"
    judged = audited(scored, attributes).verdicts.query("group == 'X'")
    assert set(judged["verdict"]) == {INSUFFICIENT}


def test_episodes_are_runs_of_positive_days():
    """Two runs a fortnight apart are two episodes; a missing day inside a run does not split it."""
    days = pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-04", "2026-01-20", "2026-01-21", "2026-01-22"])
    scored = pd.DataFrame({"subject_id": "p", "index_date": days, "probability": 0.1, "label": [1, 1, 1, 1, 0, 1]})
    result = audited(scored, pd.DataFrame({"subject_id": ["p"], "sex": ["F"]}), resamples=5)
    assert result.groups.loc[0, "n_episodes"] == 3


def test_the_same_audit_twice_is_the_same():
    """Seeded: rows and verdicts do not depend on the row order or the day."""
    scored, attributes = cohort(subjects=60)
    first, second = audited(scored, attributes), audited(scored, attributes)
    pd.testing.assert_frame_equal(first.rows, second.rows)
    pd.testing.assert_frame_equal(first.verdicts, second.verdicts)


def test_rows_are_tidy():
    """Exactly the columns of every tidy table, and the group `all` among the groups."""
    rows = audited(*cohort(subjects=60)).rows
    assert tuple(rows.columns) == TIDY
    assert {"all", "sex=F", "sex=F & site=north"} <= set(rows["group"])
    assert not rows.duplicated(["group", "metric"]).any()


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("label", 2, "1 rows that have a label other than 0 or 1"),
        ("label", np.nan, "1 rows that have a label other than 0 or 1"),
        ("probability", 1.2, "1 rows that have no probability within 0 to 1"),
        ("probability", np.nan, "1 rows that have no probability within 0 to 1"),
        ("index_date", pd.Timestamp("2026-01-02"), "1 rows that repeat a subject and index date"),
    ],
)
def test_unusable_scores_are_refused(column, value, message):
    """Each message says what is wrong, how often, and holds no value and no subject."""
    scored, attributes = cohort(subjects=20)
    scored[column] = scored[column].astype(float) if column == "label" else scored[column]
    scored.loc[0, column] = value
    with pytest.raises(ModelsError, match=message) as refusal:
        audited(scored, attributes)
    assert "p000" not in str(refusal.value)


def test_an_empty_table_is_refused():
    """Nothing scored is said to be nothing, not audited as fair."""
    scored, attributes = cohort(subjects=20)
    with pytest.raises(ModelsError, match="has no rows"):
        audited(scored.iloc[:0], attributes)
