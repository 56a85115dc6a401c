"""The model report: what is served and why, the model against every baseline, calibration, and who was counted."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
from markupsafe import Markup

from models.baselines import MODEL as OWN
from models.evaluation import GAIN, LEFT_OUT
from models.fairness.verdicts import FAIL, INSUFFICIENT, PASS
from models.gate import Decision
from models.operational import NET_BENEFIT
from models.refitting import REFITTED_GAIN
from models.splits import UNSEEN_AND_LATER, UNSEEN_SUBJECTS
from pipelines.errors import Fault
from pipelines.reports import ablation as ablations
from pipelines.reports import abstention as abstentions
from pipelines.reports import acted_on, controls, people, plots, usefulness, words
from pipelines.reports import flow as flows
from pipelines.reports import importance as importances
from pipelines.reports.site import Context, slug, write_page
from pipelines.training.abstention import BY_GROUP, FIGURES
from pipelines.training.deeds import ACTED_ON

# The table beside the plot; everything else that was measured is in the complete table.
COMPARED = ("auroc", "fold_mean_auroc", "auprc", "auprc_lift", "within_subject_auroc", "quiet_auroc")
ALERTS = (
    "new_information_yield",
    "episodes_caught",
    "false_alerts_per_subject_month",
    "lead_time_days",
    "alert_persistence",
)
CALIBRATED = ("calibration_slope", "calibration_intercept", "ici", "e90", "brier", "scaled_brier")
# Squared and mean errors of rare events are small: two decimals would print them all alike.
FINE = {
    "brier": 4,
    "scaled_brier": 3,
    "ici": 3,
    "e90": 3,
    "lead_time_days": 0,
    "new_information_yield": 1,
}
PEOPLE = "characteristics"
TASK_FIRST = ("onset", "burden")
GAINED = {
    PASS: "The model ranks better than the best baseline",
    FAIL: "The model ranks worse than the best baseline",
    INSUFFICIENT: "Not proven better than the best baseline",
}


def page_name(outcome: str) -> str:
    """What the page of an outcome's model is called."""
    return f"model {outcome}"


def write_model(
    folder: Path, outcome: str, rows: pd.DataFrame, flow: pd.DataFrame, curves: Mapping[str, pd.DataFrame],
    served: str, decision: Decision, alert_horizon_days: int, context: Context,
    tables: Mapping[str, pd.DataFrame] = MappingProxyType({}), told: Mapping[str, str] = MappingProxyType({}), remark: str = "",
    *, split: str, is_serving: bool = False,
) -> Path:  # fmt: skip
    """Write the report of one outcome's model and give its path.

    Args:
        rows: tidy rows; those of other outcomes are left out, and groups of subjects.
        flow: `models.flow.flow`, one row a step (`reports.flow`).
        curves: name -> predicted, observed (`models.evaluation.reliability`), and low, high where there are intervals.
        served: name of the predictor that earned being served: the model, or the best baseline.
        decision: of the gate, about that predictor.
        alert_horizon_days: the horizon that findings and compared tables refer to.
        tables: what else the training found, by name, as far as it was made: `ablation` (`models.ablation`), `controls`
            (`pipelines.training.controls`), `characteristics` of the cohort (`models.characteristics`), `importance`
            (`models.importance`), and both of `pipelines.training.abstention`.
        told: what a clinician calls each feature, by its name.
        remark: a sentence about what else decides whether it serves, where that is not the policy alone.
        split: on which the gain of onset decides.
        is_serving: whether it serves already, whatever the policy says.

    Raises:
        Fault: no tidy rows of this outcome.
    """
    own = rows[(rows["outcome"] == outcome) & ((rows["group"] == "all") | rows["metric"].isin([GAIN, REFITTED_GAIN]))]
    if own.empty:
        raise Fault(f"There are no result rows of outcome `{outcome}`. Run `foretide train` before its report.")
    surest = _surest(own[own["horizon_days"] == alert_horizon_days])
    gains = [_gain(row, split) for row in _ordered(surest, split)]
    return write_page(
        folder,
        page_name(outcome),
        "model",
        f"Model report: {words.plain(outcome)}",
        finding(served, decision, remark, is_serving),
        context,
        **_policy(decision),
        stem=slug(page_name(outcome)),
        gains=gains,
        hidden=usefulness.findings(rows[rows["outcome"] == outcome], split, alert_horizon_days, served),
        contests=[_contest(part, task, of, alert_horizon_days) for task, of, part in _parts(own, split)],
        calibration=_calibration(curves) if curves else None,
        **usefulness.section(rows[rows["outcome"] == outcome], split, alert_horizon_days, _rule(surest, split)),
        **_sections(tables, outcome, alert_horizon_days, served, told),
        flow=flows.section(flow, outcome, alert_horizon_days, _known(tables)),
        acted_on=acted_on.sentences(tables.get(ACTED_ON), rows, outcome, split),
        complete=[_line(row) for row in _ordered(own, split)],
        within=words.counted(alert_horizon_days, "day"),
        terms=_terms(own["metric"]),
        words=words,
    )


def _worths(metrics: pd.Series) -> tuple[str, ...]:
    """Net benefits at the declared thresholds, in their order."""
    return tuple(metrics[metrics.str.startswith(NET_BENEFIT)].unique())


def _rule(gains: pd.DataFrame, split: str) -> str | None:
    """The best simple rule on the split that headlines, as the gain names it."""
    named = gains.loc[(gains["task"] == "onset") & (gains["split"] == split), "group"]
    return None if named.empty else str(named.iloc[0]).removeprefix("best baseline: ")


def _terms(metrics: pd.Series) -> list[words.Word]:
    """The metrics that the page holds, explained, in the order in which they are met."""
    held = set(metrics)
    return [
        words.metric(m)
        for m in dict.fromkeys((*COMPARED, *ALERTS, *_worths(metrics), *CALIBRATED, *metrics))
        if m in held
    ]


def _sections(
    tables: Mapping[str, pd.DataFrame], outcome: str, horizon_days: int, served: str, told: Mapping[str, str]
) -> dict[str, Any]:
    """What else the training found, by its name in the page; None of what it did not make."""
    made: dict[str, Callable[[], Any]] = {
        "ablation": lambda: ablations.section(tables["ablation"], outcome, horizon_days),
        "importance": lambda: importances.section(tables["importance"], outcome, told, served),
        "controls": lambda: controls.section(tables["controls"], outcome),
        PEOPLE: lambda: people.section(tables[PEOPLE]),
        FIGURES: lambda: abstentions.section(tables[FIGURES], tables[BY_GROUP]),
    }
    return {name: make() if name in tables else None for name, make in made.items()}


def _known(tables: Mapping[str, pd.DataFrame]) -> int | None:
    """How many subjects were known that night."""
    return int(tables[PEOPLE]["n_subjects"].iloc[0]) if PEOPLE in tables else None


def finding(served: str, decision: Decision, remark: str, is_serving: bool) -> str:
    """The page in a sentence: what serves, or that it is held back; and the remark."""
    return f"{_served(served, decision, is_serving)} {remark}".strip()


def _served(served: str, decision: Decision, is_serving: bool) -> str:
    name = words.served(served)
    if not decision.is_promoted and is_serving:
        return f"{name[0].upper()}{name[1:]} serves, outside the release policy, which would hold it back for the reasons below."
    if not decision.is_promoted:
        return f"Held back, for the reasons below: {name}."
    if served == OWN:
        return f"{name} beat the best simple baseline and is served."
    return f"{name[0].upper()}{name[1:]} is served."


def _calibration(curves: Mapping[str, pd.DataFrame]) -> Markup:
    named = {words.predictor(name).removeprefix("Baseline: "): curve for name, curve in curves.items()}
    return plots.calibration(named, "Observed against predicted risk.")


def _policy(decision: Decision) -> dict[str, Any]:
    """The rules of the release policy, and how many are kept."""
    return {"decision": decision, "kept": _kept(decision)}


def _kept(decision: Decision) -> str:
    n_broken = sum(not rule.is_kept for rule in decision.rules)
    if not decision.rules:
        return "No rule was judged."
    if not n_broken:
        return f"{words.counted(len(decision.rules), 'rule is', 'rules are')} kept, none is broken."
    return f"{words.counted(n_broken, 'rule')} of {len(decision.rules)} {'is' if n_broken == 1 else 'are'} not kept."


def _rank(order: Sequence[str], name: str) -> tuple[int, str]:
    return (order.index(name) if name in order else len(order), name)


def _parts(rows: pd.DataFrame, deciding: str) -> list[tuple[str, str, pd.DataFrame]]:
    """Rows by task and split; what decides comes first."""
    order = (deciding, UNSEEN_AND_LATER, UNSEEN_SUBJECTS)
    parts = [(str(task), str(split), part) for (task, split), part in rows.groupby(["task", "split"])]
    return sorted(parts, key=lambda p: (_rank(TASK_FIRST, p[0]), _rank(order, p[1])))


def _ordered(rows: pd.DataFrame, deciding: str) -> list[dict[str, Any]]:
    return [row for _, _, part in _parts(rows, deciding) for row in part.to_dict("records")]


def _surest(rows: pd.DataFrame) -> pd.DataFrame:
    """One gain for each task and split: that whose interval holds what refitting adds, where it was refitted."""
    gains = rows[rows["metric"].isin([GAIN, REFITTED_GAIN])]
    return gains.sort_values("metric", key=lambda of: of == GAIN, kind="stable").drop_duplicates(["task", "split"])


def _gain(row: dict[str, Any], split: str) -> dict[str, str | bool]:
    """Whether the model beats the best baseline, in one sentence, and whether that is the gain that decides."""
    where = f"{words.TASKS.get(row['task'], row['task'])}, {words.SPLITS.get(row['split'], row['split'])}"
    told: dict[str, str | bool] = {"where": where, "is_deciding": (row["task"], row["split"]) == ("onset", split)}
    if not math.isfinite(row["value"]):
        return {**told, "verdict": INSUFFICIENT, "text": "Not estimable: too few subjects with an event."}
    verdict = words.proven(row, 0, PASS, FAIL, INSUFFICIENT)
    interval = words.span(row["low"], row["high"], is_signed=True)
    is_refitted = row["metric"] == REFITTED_GAIN
    how = "refitted" if is_refitted else "conditional on the fitted models"
    figure = words.number(row["value"], is_signed=True) + (
        f" (95\u00a0% interval, {how}: {interval})" if interval else ""
    )
    if verdict == PASS and not is_refitted:
        said = f"Not proven: the model ranks better than the best baseline as long as nothing is fitted again: AUROC {figure}."
        return {**told, "verdict": INSUFFICIENT, "text": said}
    return {**told, "verdict": verdict, "text": f"{GAINED[verdict]}: AUROC {figure}."}


def _contest(rows: pd.DataFrame, task: str, split: str, horizon_days: int) -> dict[str, Any]:
    """One task and split: a plot of AUROC over horizons, and a table of the alert horizon."""
    named = rows.assign(name=rows["model"].map(words.predictor))
    area = named[(named["metric"] == "auroc") & named["value"].notna()]
    area = area.sort_values("model", key=lambda m: m != OWN, kind="stable")
    alt = f"AUROC of the model and each baseline: {words.TASKS.get(task, task)}, {words.SPLITS.get(split, split)}."
    plot: Markup | None = plots.contest(area, OWN, alt) if len(area) else None
    at = named[named["horizon_days"] == horizon_days]
    return {
        "heading": f"{words.TASKS.get(task, task).capitalize()}: {words.SPLITS.get(split, split)}",
        "plot": plot,
        "n_subjects": words.counted(at["n_subjects"].max(), "subject"),
        "n_counted": words.counted(at["n_episodes"].max(), "episode" if task == "onset" else "event day"),
        "left_out": int(rows.loc[rows["metric"] == LEFT_OUT, "value"].max()) if LEFT_OUT in set(rows["metric"]) else 0,
        "compared": _table(at, COMPARED),
        "alerts": _table(at, ALERTS),
        "worth": _table(at, _worths(at["metric"])),
        "calibrated": _table(at, CALIBRATED),
    }


def _table(rows: pd.DataFrame, metrics: Sequence[str]) -> dict[str, Any]:
    """Models down, metrics across; our model first."""
    asked = [m for m in metrics if m in set(rows["metric"])]
    models = sorted(dict.fromkeys(rows["model"]), key=lambda m: m != OWN)
    by = rows.drop_duplicates(["model", "metric"]).set_index(["model", "metric"])
    lines = []
    for model in models:
        cells = [by.loc[(model, m)] if (model, m) in by.index else None for m in asked]
        lines.append({"name": words.predictor(model), "is_own": model == OWN, "cells": [_cell(c) for c in cells]})
    return {
        "columns": [words.metric(m).short for m in asked],
        "lines": [x for x in lines if any(c["value"] for c in x["cells"])],
    }


def _cell(row: Any) -> dict[str, str]:
    if row is None:
        return {"value": "", "span": ""}
    decimals = FINE.get(row.name[-1], 4 if row.name[-1].startswith(NET_BENEFIT) else words.DECIMALS)
    return {
        "value": words.number(row["value"], decimals=decimals),
        "span": words.span(row["low"], row["high"], decimals=decimals),
    }


def _line(row: dict[str, Any]) -> dict[str, str]:
    return {
        "task": str(row["task"]),
        "split": words.SPLITS.get(row["split"], row["split"]),
        "horizon": f"{int(row['horizon_days'])} d",
        "model": words.predictor(row["model"]),
        "metric": words.metric(row["metric"]).short,
        "value": words.number(row["value"]),
        "span": words.span(row["low"], row["high"]),
    }
