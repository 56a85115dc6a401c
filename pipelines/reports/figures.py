"""Figures that go with a training into MLflow; the report site has its own plots."""

import pandas as pd
from matplotlib.figure import Figure

from models.reliability import curves
from pipelines.reports import words


def training_figures(
    rows: pd.DataFrame, predictions: pd.DataFrame, served: str, horizon_days: int
) -> dict[str, Figure]:
    """Onset AUROC of every predictor with intervals, and the calibration of what is served."""
    return {"auroc": _auroc(rows, horizon_days), "calibration": _calibration(predictions, served)}


def _auroc(rows: pd.DataFrame, horizon_days: int) -> Figure:
    chosen = rows[(rows["metric"] == "auroc") & (rows["task"] == "onset") & (rows["horizon_days"] == horizon_days)]
    splits = list(chosen["split"].unique())
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axis, split in zip(figure.subplots(1, max(len(splits), 1), squeeze=False)[0], splits, strict=False):
        part = chosen[chosen["split"] == split].sort_values("value")
        spread = [(part["value"] - part["low"]).fillna(0), (part["high"] - part["value"]).fillna(0)]
        axis.errorbar(part["value"], part["model"], xerr=spread, fmt="o", color="#1f4e79", capsize=3)
        axis.axvline(0.5, color="#888888", linewidth=1)
        axis.set(
            title=f"{split.replace('_', ' ')}, {words.counted(horizon_days, 'day')}",
            xlabel="onset AUROC (95 % interval)",
        )
    return figure


def _calibration(predictions: pd.DataFrame, served: str) -> Figure:
    figure = Figure(figsize=(4.5, 4), layout="constrained")
    axis = figure.subplots()
    for split, part in predictions.groupby("split"):
        for curve in curves(part, (served,)).values():
            axis.plot(curve["predicted"], curve["observed"], "o-", label=str(split).replace("_", " "))
    axis.plot([0, 1], [0, 1], color="#888888", linewidth=1, transform=axis.transAxes, linestyle=":")
    axis.set(xlabel="predicted risk", ylabel="observed share", title=served.replace("_", " "))
    if axis.get_legend_handles_labels()[0]:
        axis.legend(frameon=False)
    return figure
