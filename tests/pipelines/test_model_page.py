"""Sections of the model report: controls, Table 1, the flow."""

import re

import numpy as np
import pandas as pd
import pytest

from models.abstention import ABSTAINED, ALL, MISSED, SCORED, SHARE
from models.controls import PERMUTED, SHIFTED
from models.flow import ADMITTED, COMPETING, STEPS, UNREPORTED
from models.importance import AGREEMENT, BORNE_OUT, IN_TOP, SIZE
from models.reliability import MONTH, OF_A_MONTH
from pipelines.reports import controls, flow, importance, people, usefulness
from pipelines.reports.abstention import METRICS
from pipelines.reports.comparison import comparison
from pipelines.reports.model import write_model
from pipelines.training.abstention import BY_GROUP, FIGURES
from pipelines.training.controls import RECOMPUTED, sentence
from tests.pipelines.test_reports import CONTEXT, PROMOTED, Outline, tidy


def control_rows(**failed: bool) -> pd.DataFrame:
    """Three controls of two outcomes; of `crisis` one could not be estimated."""
    rows = [
        (outcome, control, figure, np.nan, not failed.get(control, False), f"<{control}> was found")
        for outcome in ("crisis", "other")
        for control, figure in ((RECOMPUTED, 0.0), (SHIFTED, 0.501), (PERMUTED, np.nan))
    ]
    return pd.DataFrame(rows, columns=["outcome", "control", "figure", "p", "is_passed", "told"])


def group(attribute: str, name: str, n: int, n_event: int, largest: float = 0.1) -> dict[str, object]:
    """A group of Table 1."""
    return {"attribute": attribute, "group": name, "n_subjects": n, "n_followed": n, "n_event_subjects": n_event,
            "n_episodes": 2 * n_event, "largest_event_share": largest, "followed_days": 120.4, "unreported_share": 0.1234}  # fmt: skip


GROUPS = pd.DataFrame(
    [group("all", "all", 83, 32), group("sex", "F", 41, 17), group("sex", "M", 38, 14), group("sex", "<x>", 4, 1)]
)


def flow_rows() -> pd.DataFrame:
    """Two horizons of the onset task."""
    rows = [
        {
            "outcome": "crisis",
            "task": "onset",
            "horizon_days": h,
            "step": step,
            "rows": 1000 * h - 100 * k,
            "subjects": 80 - k,
        }
        for h in (7, 14)
        for k, step in enumerate(STEPS)
    ]
    return pd.DataFrame(rows)


def importance_rows(agreement: float = 0.9) -> pd.DataFrame:
    """Two features in four fits: the larger in every fit's top ten, the other in three."""
    told = {"outcome": "crisis", "split": "unseen_subjects", "model": "boosted_hazard", "n_fits": 4}
    rows = [("feature=a_<b>", SIZE, 0.4, 0.3, 0.5), ("feature=c", SIZE, 0.2, 0.1, 0.3), ("feature=a_<b>", IN_TOP, 1.0, 0, 0),
            ("feature=c", IN_TOP, 0.75, 0, 0), ("feature=a_<b>", BORNE_OUT, 0.9, 0.6, 1.2), ("feature=c", BORNE_OUT, -0.4, -0.7, -0.1),
            ("fits", AGREEMENT, agreement, 0.7, 0.95)]  # fmt: skip
    return pd.DataFrame(rows, columns=["group", "metric", "value", "low", "high"]).assign(**told)


def abstention_rows() -> pd.DataFrame:
    """A tenth of the rows without a score, those of seven subjects."""
    told = {ALL: (0.7, 1003, 83), SCORED: (0.74, 903, 81), ABSTAINED: (0.66, 100, 7)}
    rows = [
        {"group": group, "metric": metric, "value": value, "low": value - 0.1, "high": value + 0.1, "n_rows": n_rows,
         "n_subjects": n, "n_episodes": 12, "n_event_subjects": n // 2, "largest_event_share": 0.1}
        for group, (value, n_rows, n) in told.items() for metric in METRICS
    ]  # fmt: skip
    shares = [{**rows[0], "metric": metric, "value": 0.1, "low": 0.05, "high": 0.2} for metric in (SHARE, MISSED)]
    return pd.DataFrame([*rows, *shares]).assign(least=0.25)


def by_group() -> pd.DataFrame:
    """Two groups, one of four people."""
    few = {"attribute": "sex", "group": "<x>", "value": 0.91, "low": 0.7, "high": 1.0, "n_subjects": 4, "n_event_subjects": 1,
           "largest_event_share": 1.0}  # fmt: skip
    many = {**few, "group": "F", "value": 0.12, "n_subjects": 41, "n_event_subjects": 17, "largest_event_share": 0.1}
    return pd.DataFrame([few, many])


def page(folder, tables: dict[str, pd.DataFrame], rows: pd.DataFrame | None = None) -> str:
    """The text of a model report with these tables."""
    path = write_model(
        folder,
        "crisis",
        tidy() if rows is None else rows,
        flow_rows(),
        {},
        "boosted_hazard",
        PROMOTED,
        14,
        CONTEXT,
        tables,
        split="unseen_subjects",
    )
    return path.read_text(encoding="utf-8")


def test_a_control_that_could_not_be_estimated_is_not_shown_as_passed():
    """It stops nothing, and is called not estimable."""
    found = controls.section(control_rows(), "crisis")
    assert [line["result"] for line in found["lines"]] == ["passed", "passed", "not estimable"]
    assert found["finding"] == "No control failed of 3; 1 could not be estimated."


def test_a_failed_control_is_the_page_s_first_word_about_its_figures():
    """Who reads the page is told that none of its figures can be relied on."""
    found = controls.section(control_rows(**{SHIFTED: True}), "crisis")
    assert found["verdict"] == "fail"
    assert found["finding"] == "1 of 3 controls failed, so that no figure on this page can be relied on."


def test_every_control_stands_in_the_report_with_its_figure(tmp_path):
    """In words, escaped; those of other outcomes stay out."""
    text = page(tmp_path, {"controls": control_rows()})
    assert text.count("was found</td>") == 3
    assert "&lt;features_recomputed&gt; was found" in text
    assert "0.50 within-subject AUROC" in text


def test_a_report_without_controls_says_so(tmp_path):
    """Silence would read as success."""
    assert "None were run on this training" in page(tmp_path, {})


def test_table_1_hides_small_groups_and_what_they_follow_from():
    """Four people: named, without figures; the counts of the next smallest group are hidden with theirs."""
    lines = {line["group"]: line for line in people.section(GROUPS)["lines"]}
    assert lines["Everybody"]["cells"] == ["85", "85", "120", "30", "50", "65", "12 %"]
    assert lines["<x>"]["cells"] is None
    assert lines["M"]["cells"] == ["–", "–", "120", "–", "–", "–", "12 %"]
    assert lines["F"]["cells"][0] == "40"


def test_table_1_is_in_the_report(tmp_path):
    """Escaped, captioned, and silent about the small group."""
    text = page(tmp_path, {"characteristics": GROUPS})
    row = re.search(r"<td class=\"text\">&lt;x&gt;</td>(.*?)</tr>", text)
    assert row
    assert not re.search(r"\d\d", re.sub("<[^>]+>", "", row.group(1)))
    outline = Outline(text)
    assert outline.n_tables == outline.n_captions
    assert outline.unscoped == []


def test_the_flow_is_drawn_with_the_figures_of_its_table():
    """At the alert horizon, from the subjects known down to those with an event; for screen readers too."""
    drawn = str(flow.section(flow_rows(), "crisis", 14, n_known=99)["diagram"])
    told = re.search(r'aria-label="([^"]+)"', drawn)
    assert told
    for figure in (
        "99 subjects",
        "14,000 rows, 80 subjects",
        "13,900 rows",
        "13,800 rows",
        "13,700 rows",
        "13,600 rows",
        "Labelled within 14 days, 13,500 rows",
        "With an event, 13,400 rows",
        "Without an event, 100 rows, 13,300 of them died or admitted first",
    ):
        assert figure in told.group(1)


def test_a_rule_that_took_nothing_away_is_in_the_table_only():
    """Where nobody was admitted and no report was asked for, the diagram has no box for either."""
    rows = flow_rows()
    rows.loc[rows["step"].isin([ADMITTED, UNREPORTED, COMPETING]), "rows"] = 0
    found = flow.section(rows, "crisis", 14)
    assert "dmitted" not in str(found["diagram"])
    assert ADMITTED in str(found["lines"])


@pytest.mark.parametrize("missing", ["step", "task"])
def test_a_flow_without_steps_is_a_table_only(missing):
    """Nothing is drawn of what is not there."""
    assert flow.section(flow_rows().drop(columns=missing), "crisis", 14)["diagram"] is None


def test_few_people_are_not_counted_in_the_flow():
    """Three who were admitted: fewer than 10, in the diagram and in the table."""
    rows = flow_rows()
    rows.loc[rows["step"] == ADMITTED, "subjects"] = 3
    found = flow.section(rows, "crisis", 14)
    assert "13,800 rows, fewer than 10 subjects" in str(found["diagram"])
    assert "'3'" not in str(found["lines"])
    assert "fewer than 10" in str(found["lines"])


def test_what_scores_are_associated_with_is_said_in_a_clinician_s_words(tmp_path):
    """Largest first, with how stable that is; another outcome's page has no such section."""
    found = importance.section(importance_rows(), "crisis", {"c": "time asleep"}, "boosted_hazard")
    assert found
    assert [(line["name"], line["in_top"]) for line in found["lines"]] == [
        ("a <b>", "4 of 4"),
        ("time asleep", "3 of 4"),
    ]
    assert "Fits order the features much alike" in found["sentences"][1]
    assert "1 of the 2 largest are among the 10 largest of every fit" in found["sentences"][1]
    assert [(line["slope"], line["slope_span"]) for line in found["lines"]] == [
        ("0.90", "0.60 to 1.20"),
        ("−0.40", "−0.70 to −0.10"),
    ]
    assert found["sentences"][-1].endswith("one points the wrong way and is never named as a driver: time asleep.")
    assert importance.section(importance_rows(), "other", {}, "boosted_hazard") is None
    text = page(tmp_path, {"importance": importance_rows()})
    assert "a &lt;b&gt;" in text
    assert "because" not in text.partition("<h2>What the model")[2].partition("<h2>")[0]


def test_an_order_that_differs_between_fits_is_not_called_stable():
    """A rank correlation of 0.2 reads as what it is, and a rule that serves is told apart from the model."""
    found = importance.section(importance_rows(0.2), "crisis", {}, "history_only")
    assert found
    assert found["sentences"][0] == "What earned being served is the simple rule, not this model."
    assert "otherwise each time" in found["sentences"][2]


def test_abstention_is_told_with_what_it_misses_and_for_whom(tmp_path):
    """Counts rounded; of seven subjects' rows and of a group of four no figure."""
    text = page(tmp_path, {FIGURES: abstention_rows(), BY_GROUP: by_group()})
    part = text.partition("<h2>Who gets no score")[2].partition("<h2>")[0]
    assert "fewer than 25 % of the last 28 days" in part
    assert "10.0 % (5.0 to 20.0) of the episodes had no row with a score" in part
    assert "<td>1,005</td><td>905</td><td>100</td>" in part
    assert "<td>85</td><td>80</td><td>fewer than 10</td>" in part
    assert "0.66" not in part
    assert "<td>0.70 (0.60 to 0.80)</td><td>0.74 (0.64 to 0.84)</td><td>–</td>" in part
    assert '<td class="text">&lt;x&gt;</td><td>too few to show</td>' in part
    assert "91.0" not in part
    assert '<td class="text">F</td><td>12.0 % (70.0 to 100.0)</td>' in part


def test_a_page_of_no_controls_is_no_pass():
    """None run, and one without a verdict: neither the page nor the command's answer says that all passed."""
    none = control_rows().iloc[:0]
    assert controls.section(none, "crisis")["verdict"] == "fail"
    assert sentence(none) == "No controls were run."
    unknown = control_rows().astype({"is_passed": object})
    unknown.loc[0, "is_passed"] = float("nan")
    assert controls.section(unknown, "crisis")["verdict"] == "fail"
    assert sentence(unknown).startswith(f"1 of {len(unknown)} controls fail")


def usefulness_rows() -> pd.DataFrame:
    """The rows of `tidy`, and beside them a decision curve, two months of which one is too small, and fits left out."""
    known = tidy()
    gain = known[known["metric"] == "auroc_minus_best_baseline"].assign(group="best baseline: history_only")
    base = known.iloc[[0]].assign(horizon_days=14)
    further = [
        base.assign(model=model, metric=f"net_benefit_{risk}%", value=value * risk, low=np.nan, high=np.nan)
        for model, value in (
            ("boosted_hazard", 0.002),
            ("history_only", 0.001),
            ("treat_all", -0.003),
            ("treat_none", 0.0),
        )
        for risk in (1, 2.5)
    ]
    further += [
        base.assign(
            model=model,
            group=f"month={month}",
            metric=f"monthly_{metric}",
            value=value,
            low=value - 0.1,
            high=value + 0.1,
        )
        for model in ("boosted_hazard", "history_only")
        for month, value in (("2026-03", 0.876), ("2026-04", np.nan))
        for metric in ("calibration_slope", "calibration_intercept", "ici")
    ]
    further.append(base.assign(metric="fits_left_out", value=3.0, low=np.nan, high=np.nan))
    return pd.concat([known[known["metric"] == "auroc"], gain, *further], ignore_index=True)


def test_whether_acting_is_worth_it_and_every_month_s_calibration_are_on_the_page(tmp_path):
    """A curve of four lines, the thresholds as declared, a month that is not estimable said so, and the fits that were left out."""
    text = page(tmp_path, {}, usefulness_rows())
    assert "Net benefit of acting from each risk on, within 14 days." in text
    assert "Net benefit at 2.5 %" in text
    months = text[text.index("Calibration month by month") :]
    assert months.count("not estimable") >= 6
    assert months.index("2026-03") < months.index("0.88") < months.index("2026-04")
    assert "Fits left out, with the people whom they would have tested: 3." in text
    assert "Acting on everybody" in text
    few = usefulness_rows().assign(n_subjects=49)
    assert "Net benefit of acting from each risk on, within 14 days." not in page(tmp_path / "few", {}, few)
    without = page(tmp_path / "other", {})
    assert "Calibration month by month" not in without
    assert "Fits left out" not in without


def test_the_terminal_s_table_leaves_out_what_ranks_nobody():
    """Acting on everybody, and a split without a fit, have no AUROC and no line."""
    rows = usefulness_rows()
    vanished = rows[rows["metric"] == "fits_left_out"].assign(split="unseen_and_later")
    found = comparison(pd.concat([rows, vanished]), {"crisis": 14})
    assert [row["tested on"] for row in found] == ["unseen subjects"] * 2


def late_rows(intercepts: dict[str, tuple[float, float, float]], within: tuple[float, float, float]) -> pd.DataFrame:
    """A rule's calibration by month, and how it ranks one person's days."""
    told = {
        "outcome": "crisis",
        "task": "onset",
        "split": "unseen_subjects",
        "horizon_days": 14,
        "model": "history_and_tenure",
    }
    rows = [(f"{MONTH}{month}", OF_A_MONTH + "calibration_intercept", *of) for month, of in intercepts.items()]
    rows.append(("all", "within_subject_auroc", *within))
    return pd.DataFrame(rows, columns=["group", "metric", "value", "low", "high"]).assign(**told)


def test_what_the_overall_figures_hide_is_found():
    """A rule that ranks people, not days, and whose risks were too high in the newest month; another model's rows are not its."""
    months = {"2026-04": (0.1, -0.2, 0.4), "2026-05": (0.5, 0.1, 0.9), "2026-06": (-0.693, -1.0, -0.3)}
    rows = late_rows(months, (0.38, 0.30, 0.46))
    within, late = usefulness.findings(rows, "unseen_subjects", 14, "history_and_tenure")
    assert within["verdict"] == "fail"
    assert "worse than a coin: it tells who is at risk, not when (AUROC 0.38" in within["text"]
    assert "how long somebody has been enrolled" in within["text"]
    assert late["verdict"] == "fail"
    assert "proven too high in 2026-06, and too low in 2026-05, of 3 months that can be told" in late["text"]
    assert "the odds were 2.00 times too high" in late["text"]
    assert usefulness.findings(rows, "unseen_subjects", 14, "boosted_hazard") == []


def test_a_month_that_is_over_is_told_and_no_alarm():
    """Only the newest says what to watch; where none is proven wrong, that is said."""
    good = late_rows({"2026-05": (0.5, 0.1, 0.9), "2026-06": (0.0, -0.3, 0.3)}, (0.6, 0.55, 0.65))
    within, late = usefulness.findings(good, "unseen_subjects", 14, "history_and_tenure")
    assert (within["verdict"], late["verdict"]) == ("pass", "insufficient_evidence")
    fine = late_rows({"2026-06": (0.0, -0.3, 0.3)}, (0.5, 0.45, 0.55))
    within, late = usefulness.findings(fine, "unseen_subjects", 14, "history_and_tenure")
    assert (within["verdict"], late["verdict"]) == ("insufficient_evidence", "pass")
