"""What a cohort can prove before training, for a terminal: sentences that name what they assume, and a table."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pandas as pd

from models.baselines import called
from models.power import CORRELATION, GAIN, GAP, HIGH_CORRELATION, LOW_CORRELATION, SIZES
from pipelines.reports import words
from pipelines.training.planning import Plan

# A gain of 0.05 and one of 0.005 are not the same answer.
DECIMALS = 3
POWER = "four times out of five"
IN_WORDS = {"tpr": "the share of event days caught", "auroc": "AUROC"}


def table(plans: list[Plan]) -> list[dict[str, object]]:
    """One row per gain or gap: the smallest that can be proven, and the event subjects missing for each size."""
    return [_line(plan, row) for plan in plans for row in plan.prospects.to_dict("records")]


def _line(plan: Plan, row: Mapping[str, Any]) -> dict[str, object]:
    if row["claim"] == GAIN:
        claim, between, decimals = "gain in AUROC", f"model and {_rule(plan)}", DECIMALS
        least = plan.least_gain
    else:
        claim, between = f"gap in {IN_WORDS[row['metric']]}", f"{_named(row)} and {row['reference']}"
        decimals, least = words.DECIMALS, plan.audit.design.margin
    span = words.span(least + row["low"], least + row["high"], decimals=decimals)
    return {
        "outcome": f"{plan.audit.audited.outcome} {plan.audit.audited.horizon_days} d",
        "to be proven": f"{claim} beyond {least:g}",
        "between": between,
        "smallest": words.number(least + row["detectable"], decimals=decimals) + (f" ({span})" if span else ""),
        "event subjects": _count(row["n_event_subjects"]),
        **{f"missing for {size:.2f} beyond": _count(row[f"missing_{size}"]) for size in SIZES},
    }


def _named(row: Mapping[str, Any]) -> str:
    return f"{words.plain(row['attribute'])}: {row['group']}"


def _count(value: float) -> str:
    return words.DASH if pd.isna(value) else words.count(value)


def _rule(plan: Plan) -> str:
    return called(plan.audit.audited.model)


def sentences(plans: list[Plan]) -> list[str]:
    """What can be proven of each outcome, what is missing, and what that rests on."""
    return [sentence for plan in plans for sentence in (*_of_gain(plan), *_of_gaps(plan))]


def _of_gain(plan: Plan) -> list[str]:
    row = plan.prospects[plan.prospects["claim"] == GAIN].iloc[0]
    audited = plan.audit.audited
    about = (
        f"{words.plain(audited.outcome)}, {words.counted(audited.horizon_days, 'day')}: with {_count(row['n_event_subjects'])} event "
        f"subjects among {_count(row['n_subjects'])} tested ({words.SPLITS[audited.split]}), this cohort"
    )
    over = f"over the best simple rule ({_rule(plan)}: AUROC {words.number(plan.auroc)})"
    least, low, high = (
        words.number(plan.least_gain + row[name], decimals=DECIMALS) for name in ("detectable", "low", "high")
    )
    if plan.auroc + plan.least_gain + row["detectable"] > 1:
        found = f"can prove no gain {over}: it would have to be {least}, more than there is left."
    else:
        found = f"can prove a gain of {least} AUROC or more {over} {POWER}."
    return [
        f"{about} {found}{_asked(plan)} {_missing(row, plan.least_gain)}",
        "Assumed: the model's figures vary over subjects as much as the rule's, its AUROC along with it (correlation "
        f"{CORRELATION:g}; at {HIGH_CORRELATION:g} the gain would have to be {low}, at {LOW_CORRELATION:g} {high}); new "
        f"subjects are like these. {_conditional(plan)}",
    ]


def _asked(plan: Plan) -> str:
    return f" The release policy asks for more than {plan.least_gain:g}, interval and all." if plan.least_gain else ""


def _missing(row: pd.Series, least: float) -> str:
    lacking = {least + size: row[f"missing_{size}"] for size in SIZES}
    short = [f"{_count(count)} for {size:.2f}" for size, count in lacking.items() if count > 0]
    enough = [f"{size:.2f}" for size, count in lacking.items() if count == 0]
    parts = [f"about so many event subjects are missing: {words.listing(short)}" if short else "",
             f"they suffice for {words.listing(enough)}" if enough else ""]  # fmt: skip
    text = "; ".join(part for part in parts if part)
    return f"{text[0].upper()}{text[1:]}."


def _conditional(plan: Plan) -> str:
    if plan.is_refitted:
        return "What fitting again adds is that of the rule; a model with more features adds more."
    return "The interval is conditional on the fitted models; with `training: refits:` it is wider, with few event subjects far wider."


def _of_gaps(plan: Plan) -> list[str]:
    gaps = plan.prospects[plan.prospects["claim"] == GAP]
    return [_of_attribute(name, gaps[gaps["attribute"] == name], hidden, plan) for name, hidden in plan.hidden.items()]


def _of_attribute(name: str, gaps: pd.DataFrame, n_hidden: int, plan: Plan) -> str:
    hidden = f" {n_hidden} group{'s are' if n_hidden > 1 else ' is'} too small to be shown." if n_hidden else ""
    if gaps.empty:
        return f"By {words.plain(name)}: no two groups are large enough to be compared.{hidden}"
    design = plan.audit.design
    told = [
        f"{_between(design.margin + part['detectable'])} in {IN_WORDS[metric]}"
        for metric, part in gaps.groupby("metric", sort=False)
    ]
    return (
        f"By {words.plain(name)} a gap fails the audit {POWER} from {words.listing(told)} on (the margin of {design.margin:g} "
        f"included; of many comparisons each must be larger; {words.rule(asdict(design))} flagged, compared with "
        f"{gaps['reference'].iloc[0]}).{hidden}"
    )


def _between(values: pd.Series) -> str:
    low, high = words.number(values.min()), words.number(values.max())
    return low if low == high else f"{low} to {high}"
