"""Whether risks are right in every month and tell one person's days apart, and whether acting on them is worth anything."""

from typing import Any

import numpy as np
import pandas as pd

from models.baselines import MODEL
from models.fairness.disclosure import may_draw_curve
from models.fairness.verdicts import FAIL, INSUFFICIENT, PASS
from models.operational import NET_BENEFIT, TREAT_ALL, TREAT_NONE
from models.reliability import MONTH, MONTHLY, OF_A_MONTH
from pipelines.reports import plots, words

DECIMALS = {"ici": 3}


def section(rows: pd.DataFrame, split: str, horizon_days: int, rule: str | None) -> dict[str, Any]:
    """The decision curve and the calibration by month of onset on the split that headlines; None of what was not estimable.

    Args:
        rows: tidy rows of one outcome, groups included.
        rule: the best simple rule there.
    """
    at = rows[(rows["task"] == "onset") & (rows["split"] == split) & (rows["horizon_days"] == horizon_days)]
    worth = at[at["metric"].str.startswith(NET_BENEFIT) & at["model"].isin([MODEL, rule, TREAT_ALL, TREAT_NONE])]
    worth = worth.assign(
        threshold=worth["metric"].str.removeprefix(NET_BENEFIT).str.removesuffix("%").astype(float) / 100,
        name=worth["model"].map(words.predictor),
    )
    alt = f"Net benefit of acting from each risk on, within {words.counted(horizon_days, 'day')}."
    is_drawn = len(worth) > 0 and may_draw_curve(int(worth["n_subjects"].max()))
    months = at[at["group"].str.startswith(MONTH)]
    return {
        "decision_curve": plots.decision(worth, MODEL, alt) if is_drawn else None,
        "months": _months(months, rule) if len(months) else None,
    }


def findings(rows: pd.DataFrame, split: str, horizon_days: int, served: str) -> list[dict[str, str]]:
    """What the overall figures of the predictor that is to serve hide: how it ranks one person's days, and how it was of late.

    Args:
        rows: tidy rows of one outcome, groups included.
    """
    at = rows[(rows["task"] == "onset") & (rows["split"] == split) & (rows["horizon_days"] == horizon_days)]
    own = at[at["model"] == served]
    return [*_within(own, served), *_of_late(own)]


def _within(own: pd.DataFrame, served: str) -> list[dict[str, str]]:
    found = own[own["metric"] == "within_subject_auroc"]
    if found.empty or pd.isna(found["low"].iloc[0]):
        return []
    row = found.iloc[0].to_dict()
    verdict = words.proven(row, 0.5, PASS, FAIL, INSUFFICIENT)
    said = {
        PASS: "What is to serve ranks the days of one person better than a coin",
        FAIL: "What is to serve ranks the days of one person worse than a coin: it tells who is at risk, not when",
        INSUFFICIENT: "What is to serve is not proven to rank the days of one person better than a coin: it tells who is at risk",
    }[verdict]
    tenure = (
        " A part of its rank is how long somebody has been enrolled, which comes of recruitment."
        if "tenure" in served
        else ""
    )
    text = f"{said} (AUROC {words.number(row['value'])}, 95 % interval {words.span(row['low'], row['high'])}).{tenure}"
    return [{"what": "One person's days", "verdict": verdict, "text": text}]


def _of_late(own: pd.DataFrame) -> list[dict[str, str]]:
    """In which months the mean risk was proven wrong, and whether the newest is one of them."""
    months = own[own["group"].str.startswith(MONTH) & (own["metric"] == OF_A_MONTH + "calibration_intercept")]
    months = months[months["low"].notna()].sort_values("group")
    if months.empty:
        return []
    high, low = months[months["high"] < 0], months[months["low"] > 0]
    parts = [f"too {way} in {words.listing(list(found['group'].str.removeprefix(MONTH)))}"
             for way, found in (("high", high), ("low", low)) if len(found)]  # fmt: skip
    of = f"of {words.counted(len(months), 'month')} that can be told"
    if not parts:
        return [
            {
                "what": "Month by month",
                "verdict": PASS,
                "text": f"The mean risk of what is to serve is in none {of} proven wrong.",
            }
        ]
    newest = months.iloc[-1]
    is_of_late = newest["group"] in set(high["group"]) | set(low["group"])
    text = f"The mean risk of what is to serve is proven {', and '.join(parts)}, {of}."
    if is_of_late:
        odds = words.number(float(np.exp(abs(newest["value"]))))
        text += (
            f" In the newest the odds were {odds} times too {'high' if newest['value'] < 0 else 'low'}: watch the next."
        )
    return [{"what": "Month by month", "verdict": FAIL if is_of_late else INSUFFICIENT, "text": text}]


def _months(rows: pd.DataFrame, rule: str | None) -> dict[str, Any]:
    """Months down; the metrics of the model and of the best rule across."""
    models = [name for name in (MODEL, rule) if name is not None and name in set(rows["model"])]
    by = rows.set_index(["group", "model", "metric"])
    asked = [(model, metric) for model in models for metric in MONTHLY]
    lines = []
    for month in sorted(rows["group"].unique()):
        cells = [_cell(by.loc[(month, model, OF_A_MONTH + metric)], metric) for model, metric in asked]
        lines.append({"name": month.removeprefix(MONTH), "is_own": False, "cells": cells})
    return {
        "columns": [f"{words.predictor(model)}: {words.metric(metric).short}" for model, metric in asked], "lines": lines,
    }  # fmt: skip


def _cell(row: pd.Series, metric: str) -> dict[str, str]:
    decimals = DECIMALS.get(metric, words.DECIMALS)
    value = words.number(row["value"], decimals=decimals)
    return {
        "value": "not estimable" if pd.isna(row["value"]) else value,
        "span": words.span(row["low"], row["high"], decimals=decimals),
    }
