"""Mitigation compared: what each way gains for whom and costs whom, in sentences, as a table, and as a page of the report site.

Nothing here is a recommendation: whether to take from one group for another is for people to decide.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from models.fairness import disclosure
from models.fairness.frontier import GAP, METRICS, MINUS_UNMITIGATED, OF_RISK
from models.fairness.mitigation import BOUND, MOST_ROUNDS
from models.fairness.verdicts import FAIL, INSUFFICIENT, PASS
from models.fairness.ways import NEEDS, RANDOMISED, RECALIBRATION, REWEIGHING, UNMITIGATED, WAYS
from models.power import EVERYBODY
from pipelines.reports import plots, words
from pipelines.reports.site import Context, write_page
from pipelines.training.mitigating import Compared

CALLED = {
    REWEIGHING: "Reweighing",
    RECALIBRATION: "Recalibration by group",
    "exponentiated_gradient": "Exponentiated gradient",
    "threshold_optimizer": "Threshold optimizer",
}
MAY_BE_DECLARED = {
    UNMITIGATED: "yes, by declaring none",
    REWEIGHING: "yes",
    RECALIBRATION: "no: what serves reads no attribute that is audited",
    **dict.fromkeys(RANDOMISED, "no: for comparison only"),
}
# Squared errors of rare events are small.
FINE = {"brier": 4}
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


def sentences(found: Compared) -> list[str]:
    """What serves does now; what each way gains and costs; what that proves; what each needs, and which may be chosen."""
    return [_as_it_is(found), *(_of_way(found, way) for way in WAYS[1:]), _closed(found), _needed(found)]


def table(found: Compared) -> list[dict[str, object]]:
    """One row per way and group: what it does there, and by how much that differs from what serves."""
    return [_line(found, way, str(group)) for group in _shown(found) for way in WAYS]


def _line(found: Compared, way: str, group: str) -> dict[str, object]:
    by = _by(found)
    line: dict[str, object] = {"group": words.plain(group), "way": _called(found, way)}
    for metric in ("selection_rate", "tpr"):
        line[words.metric(metric).short] = words.number(by.loc[(way, group, metric), "value"])
    line[f"Caught − {_base(found)} (95 %)"] = "" if way == UNMITIGATED else _change(by, way, group, "tpr")
    for metric in ("fpr", "ppv", "auroc", "calibration_slope", "brier"):
        line[words.metric(metric).short] = words.number(
            by.loc[(way, group, metric), "value"], decimals=FINE.get(metric, words.DECIMALS)
        )
    return line


def _base(found: Compared) -> str:
    """What all ways are compared with, within a sentence."""
    return "without mitigation" if found.reweighed_by else "as served"


def _called(found: Compared, way: str) -> str:
    """A way as a heading."""
    return CALLED.get(way) or _base(found).capitalize()


def _may(found: Compared, way: str) -> str:
    """Whether a way may be declared."""
    serves = UNMITIGATED
    if found.reweighed_by:
        serves = REWEIGHING if found.reweighed_by == found.attribute else ""
    return "it is what serves" if way == serves else MAY_BE_DECLARED[way]


def _by(found: Compared) -> pd.DataFrame:
    return found.rows.set_index(["model", "group", "metric"])


def _shown(found: Compared) -> list[str]:
    """Everybody, and the groups that may be shown."""
    return list(dict.fromkeys(found.rows["group"]))


def _group(found: Compared, label: str) -> str:
    return label.removeprefix(f"{found.attribute}=")


def _change(by: pd.DataFrame, way: str, group: str, metric: str) -> str:
    """A difference to what serves, with its interval."""
    return _span(by.loc[(f"{way}{MINUS_UNMITIGATED}", group, metric)], metric)


def _span(row: Any, metric: str) -> str:
    decimals = FINE.get(metric, words.DECIMALS)
    span = words.span(row["low"], row["high"], is_signed=True, decimals=decimals)
    told = words.number(row["value"], is_signed=True, decimals=decimals)
    return f"{told} ({span})" if span else told


def _of_100(value: float) -> str:
    return f"{100 * value:.0f}"


def _as_it_is(found: Compared) -> str:
    by, row = _by(found), found.rows.iloc[0]
    caught = found.rows[
        (found.rows["model"] == UNMITIGATED) & (found.rows["metric"] == "tpr") & (found.rows["group"] != EVERYBODY)
    ]
    most, least = (caught.loc[place] for place in (caught["value"].idxmax(), caught["value"].idxmin()))
    already = (
        f" What serves is reweighed by {words.plain(found.reweighed_by)}; it is compared here with what it would be without."
        if found.reweighed_by
        else ""
    )
    name = words.served(found.served)
    return (
        f"{name[0].upper()}{name[1:]} catches {_of_100(by.loc[(UNMITIGATED, EVERYBODY, 'tpr'), 'value'])} of 100 days before "
        f"an event ({words.plain(str(row['outcome']))}, {words.counted(row['horizon_days'], 'day')}, "
        f"{words.SPLITS[str(row['split'])]}) with the top {words.percent(found.top_share)} flagged; by "
        f"{words.plain(found.attribute)} it is {_of_100(most['value'])} in the group “{_group(found, most['group'])}” and "
        f"{_of_100(least['value'])} in “{_group(found, least['group'])}”: a widest gap of "
        f"{words.figure(by.loc[(UNMITIGATED, EVERYBODY, GAP)])}.{already}"
    )


def _of_way(found: Compared, way: str) -> str:
    """What a way does to the gap, to everybody, and to groups."""
    by = _by(found)
    change = by.loc[(f"{way}{MINUS_UNMITIGATED}", EVERYBODY, GAP)]
    verdict = words.proven(
        change, 0, "widens the widest gap", "narrows the widest gap", "is not proven to narrow or widen the gap"
    )
    gap = words.number(by.loc[(way, EVERYBODY, GAP), "value"])
    said = [f"{_called(found, way)} {verdict} (now {gap}; change {_span(change, GAP)})."]
    caught, flagged = by.loc[(way, EVERYBODY, "tpr")], by.loc[(way, EVERYBODY, "selection_rate"), "value"]
    lot = ", not proven more than a lot would" if not caught["low"] > flagged else ""
    said.append(
        f"For everybody it catches {_of_100(caught['value'])} of 100{lot} "
        f"(change {_change(by, way, EVERYBODY, 'tpr')})"
        + (f", flagging {_of_100(flagged)} of 100 days." if way in RANDOMISED else ".")
    )
    said.append(_for_whom(found, way))
    return " ".join(said)


def _for_whom(found: Compared, way: str) -> str:
    """Groups that are proven to be caught more or less often; where there are none, the largest change all the same."""
    rows = found.rows
    rows = rows[
        (rows["model"] == f"{way}{MINUS_UNMITIGATED}") & (rows["metric"] == "tpr") & (rows["group"] != EVERYBODY)
    ]
    gains, costs = rows[rows["low"] > 0], rows[rows["high"] < 0]
    told = [
        f"{what} {words.listing([_named(found, row) for row in of.to_dict('records')])}"
        for what, of in (("It is proven to catch more in", gains), ("It is proven to catch less in", costs))
        if len(of)
    ]
    if told:
        return f"{'. '.join(told)}."
    largest = rows.loc[rows["value"].abs().idxmax()]
    return f"No group is proven to be caught more or less often; the largest change is in {_named(found, largest)}."


def _named(found: Compared, row: Any) -> str:
    """A group and how its share caught changes."""
    return f"“{_group(found, str(row['group']))}” ({_span(row, 'tpr')})"


def _closed(found: Compared) -> str:
    by = _by(found)
    closed = [_called(found, way) for way in WAYS if by.loc[(way, EVERYBODY, GAP), "high"] <= found.margin]
    rule = "A gap that is not proven closed is not closed"
    if not closed:
        return f"{rule}: with none of these does the widest gap lie, interval and all, within {found.margin:g}."
    return f"{rule}: it lies, interval and all, within {found.margin:g} with {words.listing(closed)} alone."


def _needed(found: Compared) -> str:
    """What each needs at prediction, which may be chosen, and who is not shown."""
    hidden = hidden_groups(found)
    small = f" Too small to be shown: {words.listing([f'“{name}”' for name in hidden])}." if hidden else ""
    return (
        "At prediction reweighing needs nothing; recalibration by group needs the attribute; the exponentiated gradient needs chance; "
        "the threshold optimizer needs both. The last two flag by chance: they are for comparison only and cannot be chosen. Only "
        "reweighing can be declared, under `training: mitigation:`; the release policy then judges what it makes."
        + small
    )


def hidden_groups(found: Compared) -> list[str]:
    """Names of the groups that are too small to be shown."""
    groups = found.groups
    return [str(name) for name in groups.loc[~groups["is_shown"] & (groups["attribute"] != EVERYBODY), "group"]]


def write_mitigation(folder: Path, found: Compared, context: Context) -> Path:
    """Write the page of one comparison and give its path."""
    outcome, horizon = found.rows["outcome"].iloc[0], found.rows["horizon_days"].iloc[0]
    return write_page(
        folder,
        page_name(found),
        "mitigation",
        f"Mitigation compared: {words.plain(str(outcome))} by {words.plain(found.attribute)}",
        f"{_as_it_is(found)} {_closed(found)}",
        context,
        found=found,
        facts=_facts(found),
        findings=[_finding(found, way) for way in WAYS[1:]],
        closed=_closed(found),
        frontier=plots.frontier(
            pd.DataFrame([_point(found, way) for way in WAYS]),
            "Widest gap between groups against the share caught of everybody, for each way; the same figures are in the tables.",
        ),
        within=words.counted(horizon, "day"),
        split=words.SPLITS[str(found.rows["split"].iloc[0])],
        served=words.served(found.served),
        parts=[_part(found, group) for group in _shown(found)],
        columns=[words.metric(metric).short for metric in METRICS],
        hidden=hidden_groups(found),
        ways=[_way(found, way) for way in WAYS],
        base=_base(found),
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
    told = {"n_subjects": "subjects", "n_event_subjects": "with an event", "n_episodes": "episodes"}
    return [(label, words.count(disclosure.rounded_count(everybody[column]))) for column, label in told.items()]


def _finding(found: Compared, way: str) -> dict[str, str]:
    change = _by(found).loc[(f"{way}{MINUS_UNMITIGATED}", EVERYBODY, GAP)]
    return {
        "what": _called(found, way),
        "verdict": words.proven(change, 0, FAIL, PASS, INSUFFICIENT),
        "text": _of_way(found, way),
        "may": _may(found, way),
    }


def _point(found: Compared, way: str) -> dict[str, object]:
    """A way on the frontier."""
    by = _by(found)
    gap, caught = by.loc[(way, EVERYBODY, GAP)], by.loc[(way, EVERYBODY, "tpr")]
    return {
        "way": way, "name": _called(found, way),
        **{f"gap_{of}": gap[of] for of in ("value", "low", "high")}, **{f"caught_{of}": caught[of] for of in ("value", "low", "high")},
    }  # fmt: skip


def _part(found: Compared, label: str) -> dict[str, Any]:
    """One group: a line a way, with differences to what serves below each figure."""
    by, group = _by(found), found.groups[found.groups["label"] == label].iloc[0]
    counts = [
        f"{words.count(disclosure.rounded_count(group[column]))} {told}"
        for column, told in (
            ("n_subjects", "subjects"),
            ("n_event_subjects", "with an event"),
            ("n_episodes", "episodes"),
        )
    ]
    return {
        "name": "Everybody" if label == EVERYBODY else f"{words.plain(found.attribute).capitalize()}: {group['group']}",
        "counts": ", ".join(counts) if group["is_counted"] else "counts would give a hidden group away",
        "lines": [
            {"name": _called(found, way), "is_own": way == UNMITIGATED, "cells": [_cell(by, way, label, metric) for metric in METRICS]}
            for way in WAYS
        ],
    }  # fmt: skip


def _cell(by: pd.DataFrame, way: str, group: str, metric: str) -> dict[str, Any]:
    """A figure with its interval, and its change where it is not what serves; a dash where a way has no risk."""
    if way in RANDOMISED and metric in OF_RISK:
        return {"value": words.DASH, "lines": ["no risk"]}
    row, decimals = by.loc[(way, group, metric)], FINE.get(metric, words.DECIMALS)
    lines = [words.span(row["low"], row["high"], decimals=decimals)]
    if way != UNMITIGATED:
        apart = by.loc[(f"{way}{MINUS_UNMITIGATED}", group, metric)]
        lines.append(f"Δ {words.number(apart['value'], is_signed=True, decimals=decimals)}")
        lines.append(words.span(apart["low"], apart["high"], is_signed=True, decimals=decimals))
    return {"value": words.number(row["value"], decimals=decimals), "lines": [line for line in lines if line]}


def _way(found: Compared, way: str) -> dict[str, str]:
    """What a way needs, whether it may be declared, and the widest gap with it."""
    by = _by(found)
    gap = by.loc[(way, EVERYBODY, GAP)]
    return {
        "name": _called(found, way),
        "needs": NEEDS[way],
        "may": _may(found, way),
        "gap": f"{words.number(gap['value'])} ({words.span(gap['low'], gap['high']) or words.DASH})",
        "change": words.DASH if way == UNMITIGATED else _change(by, way, EVERYBODY, GAP),
    }
