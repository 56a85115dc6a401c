"""What the ablation found, for a terminal and for the model report: a table, and sentences that name their uncertainty."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from models.ablation import ADDS, ALONE, ALONE_IN_FULL, EVERYTHING, HISTORY, IN_FULL, LEARNER, LEFT_OUT, TAKES_AWAY
from pipelines.reports import words

COMPARISONS = {
    LEARNER: "trees over history against the rule over it",
    ALONE: "added to history",
    ALONE_IN_FULL: "in full, added to history",
    LEFT_OUT: "on top of all else that is on",
    IN_FULL: "in full, on top of all that is on",
}
# The page's columns; a family of which nothing is on has its figure in full in the first.
ACROSS = {"Added to history": (ALONE, ALONE_IN_FULL), "On top of all else": (LEFT_OUT,), "In full": (IN_FULL,)}
# Three decimals: what a family adds is small.
DECIMALS = 3


def at_alert_horizon(rows: pd.DataFrame, alert_horizons: Mapping[str, int]) -> pd.DataFrame:
    """The rows that verdicts refer to, as they were made."""
    return rows[rows["horizon_days"] == rows["outcome"].map(alert_horizons)]


def table(rows: pd.DataFrame, alert_horizons: Mapping[str, int]) -> list[dict[str, object]]:
    """One row per comparison at the alert horizon; `switch` is what `features:` would say, and nothing was switched."""
    return [
        {"outcome": f"{row['outcome']} {row['horizon_days']} d", "family": words.plain(row["family"]),
         "comparison": COMPARISONS[row["comparison"]], "features": int(row["features"]), "AUROC gained (95 %)": _figure(row),
         "could find": _plain(row["mdd"]), "verdict": row["verdict"], "switch": _switch(row)}
        for row in at_alert_horizon(rows, alert_horizons).to_dict("records")
    ]  # fmt: skip


def _figure(row: Mapping[str, Any]) -> str:
    span = words.span(row["low"], row["high"], is_signed=True, decimals=DECIMALS)
    return f"{words.number(row['value'], is_signed=True, decimals=DECIMALS)} ({span or words.DASH})"


def _switch(row: Mapping[str, Any]) -> str:
    """What `features:` would say, and whether that is recommended."""
    if row["comparison"] == LEFT_OUT:
        return f"drop {row['family']}" + (" (recommended)" if row["verdict"] == TAKES_AWAY else "")
    if row["comparison"] == IN_FULL:
        return f"add {row['features']} of {row['family']}" + (" (recommended)" if row["verdict"] == ADDS else "")
    return ""


def sentences(rows: pd.DataFrame, alert_horizons: Mapping[str, int]) -> list[str]:
    """What was found for each outcome, what it recommends, and how sure that is."""
    shown = at_alert_horizon(rows, alert_horizons)
    return [
        sentence for outcome, part in shown.groupby("outcome", sort=False) for sentence in _of_outcome(outcome, part)
    ]


def _of_outcome(outcome: object, rows: pd.DataFrame) -> list[str]:
    first = rows.iloc[0]
    families = rows[~rows["family"].isin([HISTORY, EVERYTHING])]
    to_history = _found(families, (ALONE, ALONE_IN_FULL), "history")
    to_the_rest = _found(families, (LEFT_OUT, IN_FULL), "all that is on")
    unused = [words.plain(str(name)) for name, part in families.groupby("family") if part["mdd"].isna().all()]
    no_use = f" The model made no use of {words.listing(unused)}: too few events for it to tell." if unused else ""
    return [
        f"{words.plain(str(outcome))}, {words.counted(first['horizon_days'], 'day')}: with "
        f"{words.counted(first['n_event_subjects'], 'event subject')}, {to_history}, and {to_the_rest}.{no_use}",
        _recommended(families),
        f"{first['configurations']} configurations were tried, {words.counted(first['seeds'], 'seed')} each. Verdicts are adjusted "
        f"for all {len(rows)} comparisons, intervals are not: of twenty that show nothing one lies off zero. They resample subjects "
        "and seeds and are conditional on the fitted models: refitting in each resample would widen them. Half of the "
        f"comparisons could not have found a gain below {_plain(rows['mdd'].median())}.",
    ]


def _plain(value: float) -> str:
    return words.number(value, decimals=DECIMALS)


def _found(rows: pd.DataFrame, comparisons: tuple[str, ...], to: str) -> str:
    of = rows[rows["comparison"].isin(comparisons)]
    adds, takes_away = (_shown(of.loc[of["verdict"] == verdict, "family"]) for verdict in (ADDS, TAKES_AWAY))
    less = f" ({takes_away} to take away from it)" if takes_away else ""
    return f"{adds or 'no family is shown'} to add to {to}{less}"


def _shown(families: pd.Series) -> str:
    named = [words.plain(name) for name in dict.fromkeys(families)]
    return f"{words.listing(named)} {'is' if len(named) == 1 else 'are'} shown" if named else ""


def _recommended(rows: pd.DataFrame) -> str:
    drop = rows[(rows["comparison"] == LEFT_OUT) & (rows["verdict"] == TAKES_AWAY)]
    add = rows[(rows["comparison"] == IN_FULL) & (rows["verdict"] == ADDS)]
    said = [
        f"{verb} {part['family']} ({_figure(part)})"
        for verb, rows_of in (("add what is off of", add), ("drop", drop)) for part in rows_of.to_dict("records")
    ]  # fmt: skip
    if not said:
        return "Recommended: leave `features:` as it is. What adds nothing stays available and off."
    return (
        f"Recommended under `features:`, and not done by itself: {'; '.join(said)}. Confirm it on another cohort first."
    )


def section(rows: pd.DataFrame, outcome: str, alert_horizon_days: int) -> dict[str, Any]:
    """The page's section: sentences, a table of families by comparison, and the names that a recommended `add` means."""
    horizons = {outcome: alert_horizon_days}
    own = at_alert_horizon(rows[rows["outcome"] == outcome], horizons)
    by = {(row["family"], row["comparison"]): row for row in own.to_dict("records")}
    lines = [
        {
            "name": words.plain(family).capitalize(),
            "is_own": False,
            "cells": [_cell(by, family, kinds) for kinds in ACROSS.values()],
        }
        for family in dict.fromkeys(own["family"])
    ]
    added = own[(own["comparison"] == IN_FULL) & (own["verdict"] == ADDS)]
    return {
        "sentences": [sentence.replace("`", "") for sentence in sentences(own, horizons)],
        "table": {"columns": list(ACROSS), "lines": lines},
        "names": {words.plain(row["family"]): row["names"] for row in added.to_dict("records")},
    }


def _cell(by: Mapping[tuple[str, str], Mapping[str, Any]], family: str, comparisons: tuple[str, ...]) -> dict[str, str]:
    row = next((by[family, kind] for kind in comparisons if (family, kind) in by), None)
    if row is None:
        return {"value": "", "span": ""}
    span = words.span(row["low"], row["high"], is_signed=True, decimals=DECIMALS)
    told = [
        span,
        "in full" if row["comparison"] == ALONE_IN_FULL else "",
        f"{row['features']} features",
        row["verdict"],
    ]
    return {
        "value": words.number(row["value"], is_signed=True, decimals=DECIMALS),
        "span": "; ".join(part for part in told if part),
    }
