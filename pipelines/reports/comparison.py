"""The model beside every baseline as a table for the terminal."""

from collections.abc import Mapping

import pandas as pd

from models.baselines import called
from pipelines.reports import words

SHOWN = {"fold_mean_auroc": "by fold", "auprc": "AUPRC", "within_subject_auroc": "within", "quiet_auroc": "quiet"}


def comparison(results: pd.DataFrame, alert_horizons: Mapping[str, int]) -> list[dict[str, object]]:
    """One row per outcome, task, split and predictor at the alert horizon: AUROC with its interval, and what goes with it.

    Args:
        results: tidy result rows.
        alert_horizons: the horizon, in days, that is shown of each outcome.
    """
    own = results[results["horizon_days"] == results["outcome"].map(alert_horizons)]
    rows: list[dict[str, object]] = []
    for (outcome, task, split, model), part in own.groupby(["outcome", "task", "split", "model"], sort=False):
        metrics = part.drop_duplicates("metric").set_index("metric")
        # Acting on everybody ranks nobody, and where no fit could be made nothing does.
        if "auroc" not in metrics.index:
            continue
        auroc = metrics.loc["auroc"]
        rows.append({
            "outcome": f"{outcome} {alert_horizons[str(outcome)]} d", "task": task, "tested on": words.SPLITS[str(split)],
            "predictor": called(str(model)),
            "AUROC (95 %)": f"{words.number(auroc['value'])} ({words.span(auroc['low'], auroc['high']) or words.DASH})",
            **{short: words.number(metrics["value"].get(name, float("nan"))) for name, short in SHOWN.items()},
        })  # fmt: skip
    return rows
