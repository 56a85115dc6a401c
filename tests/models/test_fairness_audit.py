"""The audit as a whole: it agrees with Fairlearn, finds what was planted, and never calls silence fair."""

import numpy as np
import pandas as pd
import pytest
from fairlearn.metrics import MetricFrame, false_positive_rate, selection_rate, true_positive_rate
from sklearn.metrics import precision_score, roc_auc_score

from models.errors import ModelsError
from models.fairness import bootstrap, metrics
from models.fairness.alerts import AtLeast, TopShare, queue_rows
from models.fairness.audit import Audit, Audited, audit
from models.fairness.comparisons import REST
from models.fairness.groups import group_subjects
from models.fairness.rows import rows_of
from models.fairness.verdicts import FAIL, FEW, INSUFFICIENT, MANY, NOBODY, PASS, WIDE

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


def audited(scored: pd.DataFrame, attributes: pd.DataFrame, **changed: object) -> Audit:
    """An audit with few resamples."""
    return audit(scored, attributes, AUDITED, **({"rule": TopShare(0.1), "margin": 0.1, "resamples": 200} | changed))


def test_points_are_fairlearns_over_rows():
    """Every rate and the AUROC equal MetricFrame over the rows themselves, to 1e-12."""
    scored, attributes = cohort()
    result = audited(scored, attributes)
    rows, subjects = rows_of(scored)
    once = np.ones((len(subjects), 1), np.int32)
    flagged = queue_rows(scored, rows.subject, 0.1, 1).flagged(once)[:, 0]
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
    ours = result.rows.pivot_table(index="cell", columns="metric", values="value")
    for group in ("F", "M"):
        for name in rates:
            assert ours.loc[f"sex={group}", name] == pytest.approx(frame.loc[group, name], abs=1e-12)
        assert ours.loc[f"sex={group}", "auroc"] == pytest.approx(ranked.loc[group, "auroc"], abs=1e-12)


def test_figures_of_the_cohort_itself_are_its_points():
    """Drawing everybody once gives Fairlearn's figures from counts, in crossed groups too."""
    scored, attributes = cohort()
    result, of = audited(scored, attributes), audited(scored, attributes).study
    once = bootstrap.resample(of.rows, of.flags, bootstrap.whole(of.rows, of.groupings), of.weights[:, :1])
    kept = ~of.cells["is_rest"].to_numpy()
    for name in metrics.OF_FLAGS:
        ours = result.rows[result.rows["metric"] == name].set_index("cell").loc[of.cells.loc[kept, "cell"], "value"]
        np.testing.assert_allclose(once[name][0, kept], ours, atol=1e-12)


def written_out(scored: pd.DataFrame, weights: np.ndarray) -> pd.DataFrame:
    """The cohort in which drawn subjects are really copied, each copy a person of its own, and who is flagged each night."""
    codes = pd.factorize(scored["subject_id"], sort=True)[0]
    copied = scored.loc[np.repeat(scored.index, weights[codes])]
    copied["copy"] = copied.groupby(["subject_id", "index_date"]).cumcount()
    copied = copied.sort_values(["probability", "copy"], ascending=[False, True], kind="stable")
    rank, size = copied.groupby("index_date").cumcount(), copied.groupby("index_date")["label"].transform("size")
    return copied.assign(is_flagged=rank < np.floor(0.1 * size + 0.5))


def test_a_resample_equals_the_cohort_written_out():
    """Rates, ranking, episodes and lead times of a resample are those of a table in which drawn subjects are really copied."""
    scored, attributes = cohort(subjects=60)
    scored = scored.assign(days_to_event=ahead_of(scored), days_since_event=40.0)
    rows, subjects = rows_of(scored)
    (sex, *_) = group_subjects(attributes, subjects, np.ones(len(subjects), bool), {})
    weights = bootstrap.draw(len(subjects), 3, seed=5)
    queue = queue_rows(scored.drop(columns="site"), rows.subject, 0.1, 1)
    got = bootstrap.resample(rows, queue, bootstrap.whole(rows, [sex]), weights)
    copied = written_out(scored, weights[:, 2])
    here = copied[copied["subject_id"].map(attributes.set_index("subject_id")["sex"]) == "F"]
    positive, flagged = here[here["label"] == 1], here[here["is_flagged"]]
    onset = positive["index_date"] + pd.to_timedelta(positive["days_to_event"], unit="D")
    caught = (
        positive.assign(onset=onset)[positive["is_flagged"]]
        .groupby(["subject_id", "copy", "onset"])["days_to_event"]
        .max()
    )
    n_episodes = positive.assign(onset=onset).groupby(["subject_id", "copy", "onset"]).ngroups
    expected = {
        "tpr": positive["is_flagged"].mean(), "selection_rate": here["is_flagged"].mean(), "ppv": flagged["label"].mean(),
        "fpr": here.loc[here["label"] == 0, "is_flagged"].mean(), "brier": ((here["probability"] - here["label"]) ** 2).mean(),
        "episodes_caught": len(caught) / n_episodes, "mean_lead_time_days": caught.mean(),
        "quiet_onset_yield": 100 * len(caught) / len(flagged),
    }  # fmt: skip
    assert {name: got[name][2, 0] for name in expected} == pytest.approx(expected)
    assert got["auroc"][2, 0] == pytest.approx(roc_auc_score(here["label"], here["probability"]), abs=0.002)


def ahead_of(scored: pd.DataFrame) -> pd.Series:
    """Days to the event of each positive row: those of a run count down to 1."""
    positive = scored[scored["label"] == 1]
    last = positive.groupby("subject_id")["index_date"].transform("max")
    return ((last - positive["index_date"]).dt.days + 1.0).reindex(scored.index)


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
    value = result.rows.query("cell == 'sex=X' and metric == 'tpr'")["value"]
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


def test_a_group_is_compared_with_the_rest_where_there_are_more_than_two():
    """The rest is everybody else, and a group's verdict against it is of the same resamples."""
    scored, attributes = cohort()
    attributes["ward"] = np.resize(["a", "b", "c"], len(attributes))
    result = audited(scored, attributes)
    verdicts = result.verdicts[result.verdicts["versus"] == REST]
    assert set(verdicts["attribute"]) == {"ward"}
    row = verdicts.query("group == 'b' and metric == 'ppv'").iloc[0]
    others = attributes.assign(ward=attributes["ward"].where(attributes["ward"] == "b", "not b"))
    two = audited(scored, others[["subject_id", "ward"]], reference_groups={"ward": "not b"}).verdicts
    twin = two.query("metric == 'ppv'").iloc[0]
    for name in ("difference", "low", "high"):
        assert row[name] == pytest.approx(twin[name], abs=1e-12)


def test_a_fixed_risk_flags_whoever_reaches_it():
    """No capacity: the share flagged is what it is, and is not found again in a resample."""
    scored, attributes = cohort()
    result = audited(scored, attributes, rule=AtLeast(0.3))
    everybody = result.rows.query("cell == 'all' and metric == 'selection_rate'").iloc[0]
    assert everybody["value"] == pytest.approx((scored["probability"] >= 0.3).mean())
    assert everybody["low"] < everybody["value"] < everybody["high"]


def test_a_rule_that_turns_out_to_flag_nobody_is_refused():
    """Nobody reaches a risk of 1: a difference of 0.00 between nothing and nothing would be no finding."""
    with pytest.raises(ModelsError, match="flags nobody"):
        audited(*cohort(subjects=20), rule=AtLeast(1.0))


def test_the_share_flagged_by_site_is_not_judged_where_each_site_has_its_own():
    """Equal by construction is no evidence of fairness."""
    verdicts = audited(*cohort(subjects=400)).verdicts
    assert "selection_rate" not in set(verdicts.loc[verdicts["attribute"] == "site", "metric"])
    assert "selection_rate" in set(verdicts.loc[verdicts["attribute"] == "sex", "metric"])


def test_threshold_curves_do_not_mix_capacities():
    """A share too small for a site's night is left out, not counted among all rows instead."""
    curves = audited(*cohort()).tables["thresholds"].query("rule == 'top share' and metric == 'selection_rate'")
    sites = curves[curves["cell"].str.startswith("site=")]
    assert sites["at"].min() == 0.05
    np.testing.assert_allclose(sites["value"], sites["at"], atol=0.02)


@pytest.mark.parametrize("rule", [TopShare(0.0), TopShare(1.0), AtLeast(0.0), AtLeast(1.5)])
def test_a_rule_that_flags_nobody_or_everybody_is_refused(rule):
    """The message says what to give instead."""
    with pytest.raises(ModelsError, match="such as 0"):
        audited(*cohort(subjects=20), rule=rule)


def test_scores_without_dates_have_rates_and_no_episodes():
    """Anybody's file: rows are rows, alerts are drawn among all of them, and nothing is said of lead times."""
    scored, attributes = cohort()
    result = audited(scored.drop(columns=["index_date", "site"]), attributes)
    values = result.rows[result.rows["cell"] == "sex=F"].set_index("metric")["value"]
    assert result.design.scope == "all rows"
    assert np.isfinite(values[["tpr", "auroc", "brier"]]).all()
    assert values[list(metrics.OF_DATES)].isna().all()
    assert result.tables["course"].empty
    assert result.tables["lead_times"].empty


def test_every_doubt_has_a_reason_and_a_size():
    """Insufficient evidence tells why, and what could have been found, unless nobody has an event at all."""
    scored, attributes = cohort()
    attributes.loc[attributes.index < 30, "sex"] = "X"
    scored.loc[scored["subject_id"].isin(attributes["subject_id"][:30]), "label"] = 0
    attributes.loc[30:33, "sex"] = "few"
    verdicts = audited(scored, attributes, margin=0.02).verdicts
    doubt = verdicts[verdicts["verdict"] == INSUFFICIENT]
    assert {WIDE, NOBODY, FEW} <= set(doubt["why"]) <= {WIDE, MANY, NOBODY, FEW}
    assert (doubt["mdd"].isna() == (doubt["why"] == NOBODY)).all()
    assert (doubt.loc[doubt["group"] == "X", "why"] == NOBODY).all()


def test_a_verdict_changes_with_the_margin_and_says_from_where_on():
    """From `passes_from` on a comparison passes, whatever margin was declared; below it never."""
    result = audited(*cohort())
    told = result.verdicts.merge(result.sensitivity, on=["cell", "reference_cell", "metric"], suffixes=("", "_at"))
    is_beyond = told["margin"] > told["passes_from"]
    assert (told.loc[is_beyond, "verdict_at"] == PASS).all()
    assert not (told.loc[~is_beyond, "verdict_at"] == PASS).any()
    declared = told[told["margin"] == 0.1]
    assert (declared["verdict"] == declared["verdict_at"]).all()


def test_every_table_names_cells_that_are_counted():
    """Whatever figure is told, it is known how many people it is of."""
    scored, attributes = cohort()
    result = audited(scored.assign(completeness=np.random.default_rng(3).random(len(scored))), attributes)
    counted = result.cells.set_index("cell")
    assert counted.index.is_unique
    for name, table in result.tables.items():
        assert len(table), name
        for column in {"cell", "reference_cell"} & set(table.columns):
            assert set(table[column]) <= set(counted.index), name
    for name, who in (("n_subjects", result.members), ("n_event_subjects", result.event_members)):
        assert {cell: len(of) for cell, of in who.items()} == counted[name].to_dict()


def test_equal_coverage_compares_days_with_as_much_data():
    """A gap that stands where one group has less data vanishes among days with as much: planted, and seen to go."""
    scored, attributes = cohort(subjects=400)
    sex = scored["subject_id"].map(attributes.set_index("subject_id")["sex"])
    rng = np.random.default_rng(8)
    has_data = rng.random(len(scored)) < np.where(sex == "F", 0.9, 0.3)
    log_odds = -3 + 2.5 * scored["label"] * has_data + rng.normal(0, 1, len(scored))
    scored = scored.assign(probability=1 / (1 + np.exp(-log_odds)), completeness=has_data.astype(float))
    result = audited(scored, attributes[["subject_id", "sex"]])
    gap = result.verdicts.query("metric == 'auroc'").iloc[0]
    assert gap["low"] > 0.1
    strata = result.tables["strata"].query("metric == 'auroc'")
    assert len(strata) == 2
    assert ((strata["low"] < 0.03) & (strata["high"] > -0.03)).all()


def test_lead_times_fall_with_days_ahead():
    """Who is flagged ten days ahead is flagged five days ahead; of one day ahead or more are all caught."""
    result = audited(*cohort())
    for _, curve in result.tables["lead_times"].groupby("cell"):
        assert (np.diff(curve.sort_values("days")["value"]) <= 1e-12).all()
    one = result.tables["lead_times"].query("days == 1").set_index("cell")["value"]
    caught = result.rows.query("metric == 'episodes_caught'").set_index("cell")["value"]
    pd.testing.assert_series_equal(one, caught[one.index], check_names=False)


def test_each_figure_stands_once():
    """Every metric of every group, everybody and crossed groups among them."""
    rows = audited(*cohort(subjects=60)).rows
    assert {"all", "sex=F", "sex=F & site=north"} <= set(rows["cell"])
    assert not rows.duplicated(["cell", "metric"]).any()
    assert set(rows["metric"]) == set(metrics.METRICS)


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
