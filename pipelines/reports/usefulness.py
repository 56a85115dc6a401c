"""Whether risks are right in every month, and whether acting on them is worth more than on everybody or on nobody."""

from typing import Any

import pandas as pd

from models.baselines import MODEL
from models.fairness.disclosure import may_draw_curve
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


def _months(rows: pd.DataFrame, rule: str | None) -> dict[str, Any]:
    """Months down; the metrics of the model and of the best rule across."""
    models = [name for name in (MODEL, rule) if name in set(rows["model"])]
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
