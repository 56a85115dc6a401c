"""The page of the report site on which ways to mitigate are compared: findings, frontier, what each needs, every group."""

from pathlib import Path
from typing import Any

import pandas as pd

from models.fairness import disclosure
from models.fairness.frontier import GAP, METRICS, MINUS_UNMITIGATED, OF_RISK
from models.fairness.mitigation import BOUND, MOST_ROUNDS
from models.fairness.verdicts import FAIL, INSUFFICIENT, PASS
from models.fairness.ways import NEEDS, RANDOMISED, UNMITIGATED, WAYS
from models.power import EVERYBODY
from pipelines.reports import mitigation as told
from pipelines.reports import plots, words
from pipelines.reports.site import Context, write_page
from pipelines.training.mitigating import Compared

SOURCES = (
    "Kamiran F, Calders T. Data preprocessing techniques for classification without discrimination. Knowledge and Information "
    "Systems 2012;33:1-33 (reweighing).",
    "Cox DR. Two further applications of a model for binary regression. Biometrika 1958;45:562-565 (slope and intercept); Barda N, "
    "Yona G, Rothblum GN, et al. Addressing bias in prediction models by improving subpopulation calibration. JAMIA 2021;28:549-558.",
    "Agarwal A, Beygelzimer A, Dudik M, Langford J, Wallach H. A reductions approach to fair classification. ICML 2018 "
    "(exponentiated gradient).",
    "Hardt M, Price E, Srebro N. Equality of opportunity in supervised learning. NeurIPS 2016 (thresholds by group).",
)


def page_name(found: Compared) -> str:
    """What the page is called."""
    return f"mitigation {found.rows['outcome'].iloc[0]} {found.attribute}"


def write_mitigation(folder: Path, found: Compared, context: Context) -> Path:
    """Write the page of one comparison and give its path."""
    outcome, horizon = found.rows["outcome"].iloc[0], found.rows["horizon_days"].iloc[0]
    return write_page(
        folder,
        page_name(found),
        "mitigation",
        f"Mitigation compared: {words.plain(str(outcome))} by {words.plain(found.attribute)}",
        f"{told.as_it_is(found)} {told.closed(found)}",
        context,
        found=found,
        facts=_facts(found),
        findings=[_finding(found, way) for way in WAYS[1:]],
        closed=told.closed(found),
        frontier=plots.frontier(
            pd.DataFrame([_point(found, way) for way in WAYS]),
            "Widest gap between groups against the share caught of everybody, for each way; the same figures are in the tables.",
        ),
        within=words.counted(horizon, "day"),
        split=words.SPLITS[str(found.rows["split"].iloc[0])],
        served=words.served(found.served),
        parts=[_part(found, group) for group in told.shown(found)],
        columns=[words.metric(metric).short for metric in METRICS],
        hidden=told.hidden_groups(found),
        ways=[_way(found, way) for way in WAYS],
        base=told.base(found),
        terms=[words.metric(metric) for metric in (*METRICS, GAP)],
        bound=BOUND,
        rounds=MOST_ROUNDS,
        sources=SOURCES,
        rules=disclosure,
        words=words,
    )


def _facts(found: Compared) -> list[tuple[str, str]]:
    """How many are counted, rounded as counts of everybody are on pages."""
    everybody = found.groups.iloc[0]
    names = {"n_subjects": "subjects", "n_event_subjects": "with an event", "n_episodes": "episodes"}
    return [(label, words.count(disclosure.rounded_count(everybody[column]))) for column, label in names.items()]


def _finding(found: Compared, way: str) -> dict[str, str]:
    change = told.by_key(found).loc[(f"{way}{MINUS_UNMITIGATED}", EVERYBODY, GAP)]
    return {
        "what": told.called(found, way),
        "verdict": words.proven(change, 0, FAIL, PASS, INSUFFICIENT),
        "text": told.of_way(found, way),
        "may": told.may_be_declared(found, way),
    }


def _point(found: Compared, way: str) -> dict[str, object]:
    """A way on the frontier."""
    by = told.by_key(found)
    gap, caught = by.loc[(way, EVERYBODY, GAP)], by.loc[(way, EVERYBODY, "tpr")]
    return {
        "way": way, "name": told.called(found, way),
        **{f"gap_{of}": gap[of] for of in ("value", "low", "high")}, **{f"caught_{of}": caught[of] for of in ("value", "low", "high")},
    }  # fmt: skip


def _part(found: Compared, label: str) -> dict[str, Any]:
    """One group: a line a way, with differences to what serves below each figure."""
    by, group = told.by_key(found), found.groups[found.groups["label"] == label].iloc[0]
    counts = [
        f"{words.count(disclosure.rounded_count(group[column]))} {name}"
        for column, name in (
            ("n_subjects", "subjects"),
            ("n_event_subjects", "with an event"),
            ("n_episodes", "episodes"),
        )
    ]
    return {
        "name": "Everybody" if label == EVERYBODY else f"{words.plain(found.attribute).capitalize()}: {group['group']}",
        "counts": ", ".join(counts) if group["is_counted"] else "counts would give a hidden group away",
        "lines": [
            {
                "name": told.called(found, way),
                "is_own": way == UNMITIGATED,
                "cells": [_cell(by, way, label, metric) for metric in METRICS],
            }
            for way in WAYS
        ],
    }


def _cell(by: pd.DataFrame, way: str, group: str, metric: str) -> dict[str, Any]:
    """A figure with its interval, and its change where it is not what serves; a dash where a way has no risk."""
    if way in RANDOMISED and metric in OF_RISK:
        return {"value": words.DASH, "lines": ["no risk"]}
    row, decimals = by.loc[(way, group, metric)], told.FINE.get(metric, words.DECIMALS)
    lines = [words.span(row["low"], row["high"], decimals=decimals)]
    if way != UNMITIGATED:
        apart = by.loc[(f"{way}{MINUS_UNMITIGATED}", group, metric)]
        lines.append(f"Δ {words.number(apart['value'], is_signed=True, decimals=decimals)}")
        lines.append(words.span(apart["low"], apart["high"], is_signed=True, decimals=decimals))
    return {"value": words.number(row["value"], decimals=decimals), "lines": [line for line in lines if line]}


def _way(found: Compared, way: str) -> dict[str, str]:
    """What a way needs, whether it may be declared, and the widest gap with it."""
    by = told.by_key(found)
    gap = by.loc[(way, EVERYBODY, GAP)]
    return {
        "name": told.called(found, way),
        "needs": NEEDS[way],
        "may": told.may_be_declared(found, way),
        "gap": f"{words.number(gap['value'])} ({words.span(gap['low'], gap['high']) or words.DASH})",
        "change": words.DASH if way == UNMITIGATED else told.change_of(by, way, EVERYBODY, GAP),
    }
