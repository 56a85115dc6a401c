"""How good a model is: the headline with intervals, calibration, and what its scores are associated with."""

from typing import Any

import numpy as np
import pandas as pd

from models.baselines import MODEL
from models.evaluation import GAIN
from models.fairness import disclosure
from models.refitting import REFITTED_GAIN
from pipelines.reports import abstention as abstentions
from pipelines.reports import importance, words
from pipelines.reports.card.facts import Facts, Section, table
from pipelines.reports.model import FINE

HEADLINE = (
    "auroc", REFITTED_GAIN, GAIN, "auprc", "auprc_lift", "within_subject_auroc", "within_subject_auroc_by_pairs",
    "quiet_auroc", "new_information_yield",
    "episodes_caught", "false_alerts_per_subject_month", "lead_time_days", "auroc_over_seeds",
)  # fmt: skip
CALIBRATION = ("calibration_slope", "calibration_intercept", "ici", "e90", "brier", "scaled_brier")
HOLDS = {
    REFITTED_GAIN: "resampled subjects, everything fitted again",
    "auroc_over_seeds": "no interval: least and greatest of the seeds",
    "lead_time_days": "no interval: quartiles",
}
CONDITIONAL = "resampled subjects, conditional on the fits"
NONE = "no interval is made"
PLACES = 4


def rows(facts: Facts) -> list[dict[str, Any]]:
    """The headline's tidy rows for machines; counts of subjects and episodes rounded."""
    found = facts.headline.copy()
    for count in ("n_subjects", "n_episodes"):
        found[count] = found[count].map(disclosure.rounded_count)
    numbers = ["value", "low", "high"]
    found[numbers] = found[numbers].round(PLACES)
    told: list[dict[str, Any]] = found.astype(object).where(found.notna(), None).to_dict("records")
    return told


def headline(facts: Facts) -> Section:
    """The predictor that serves and the model beside it, with what each interval holds."""
    where = f"{words.SPLITS.get(facts.split, facts.split)}, within {words.counted(facts.alert_horizon, 'day')}"
    about = {metric: words.metric(metric) for metric in HEADLINE if metric in set(facts.headline["metric"])}
    return Section(
        "figures",
        "How well it ranks",
        (
            f"The start of a new episode on {where}.",
            *(f"{word.short}: {word.meaning}." for word in about.values() if word.meaning),
        ),
        tables=_tables(facts, HEADLINE, "Ranking and alerts"),
    )


def calibration(facts: Facts) -> Section:
    """How the calibration was made, and whether risks are right."""
    how = (
        "One line on the log-odds scale, fitted to predictions for subjects that a fit had not seen."
        if facts.learner == "boosted_trees"
        else "Maximum likelihood with few weights; no second line."
    )
    return Section(
        "calibration", "Whether its risks are right", (how,), tables=_tables(facts, CALIBRATION, "Calibration")
    )


def _tables(facts: Facts, metrics: tuple[str, ...], caption: str) -> tuple[Any, ...]:
    found = []
    for model in dict.fromkeys((facts.served, MODEL)):
        of = facts.headline[facts.headline["model"] == model].drop_duplicates("metric").set_index("metric")
        lines = [_line(of.loc[metric], metric) for metric in metrics if metric in of.index]
        if lines:
            columns = ("Metric", "Value", "95 % interval", "What the interval holds")
            found.append(table(f"{caption}: {words.predictor(model)}.", columns, lines))
    return tuple(found)


def _line(row: pd.Series, metric: str) -> tuple[str, ...]:
    is_signed, decimals = metric in (GAIN, REFITTED_GAIN), FINE.get(metric, words.DECIMALS)
    span = words.span(row["low"], row["high"], is_signed, decimals)
    return (
        words.metric(metric).short,
        words.number(row["value"], is_signed, decimals),
        span or words.DASH,
        HOLDS.get(metric, CONDITIONAL) if span else NONE if np.isfinite(row["value"]) else "not estimable",
    )


def associated(facts: Facts) -> Section:
    """The features that move scores most, never causes."""
    found = None
    if facts.importance is not None:
        found = importance.section(facts.importance, facts.outcome.name, facts.told, facts.served)
    if found is None:
        return Section("associated", "What its scores are associated with", ("Not measured in this training.",))
    lines = [
        (
            line["name"],
            line["value"],
            line["span"],
            line["in_top"],
            f"{line['slope']} ({line['slope_span']})" if line["slope_span"] else line["slope"],
        )
        for line in found["lines"][:10]
    ]
    columns = (
        "Feature",
        "Mean size of its part of the log-odds",
        "95 % interval",
        "Fits with it among their ten largest",
        "Slope of its part (1: as large as the data say; below 0: the other way)",
    )
    return Section(
        "associated", "What its scores are associated with", tuple(found["sentences"]),
        tables=(table("Associated with scores; not why an episode comes.", columns, lines),),
    )  # fmt: skip


def abstention(facts: Facts) -> Section:
    """How good the rows with a score are, and who is left without."""
    found = abstentions.section(facts.abstention, facts.abstained_by_group)
    return Section(
        "abstention",
        "Who gets no score for want of data",
        tuple(found["sentences"]),
        tables=(
            table(
                "Labelled test rows; 95 % intervals over resampled subjects.",
                ("Figure", *found["columns"]),
                found["lines"],
            ),
            table("Share of rows without a score.", ("Attribute", "Group", "Without a score"), found["groups"]),
        ),
    )
