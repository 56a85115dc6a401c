"""The page of the report site on which ways to mitigate are compared: findings, frontier, what each needs, every group."""

from pathlib import Path
from typing import Any

import pandas as pd

from models.fairness import disclosure
from models.fairness.frontier import GAP, METRICS, MINUS_UNMITIGATED
from models.fairness.mitigation import BOUND, MOST_ROUNDS
from models.fairness.verdicts import FAIL, INSUFFICIENT, PASS
from models.fairness.ways import NEEDS, UNMITIGATED, WAYS
from models.power import EVERYBODY
from pipelines.reports import mitigation as told
from pipelines.reports import plots, tables, words
from pipelines.reports.site import Context, write_page
from pipelines.reports.tables import Cell, Row, Table
from pipelines.training.mitigating import Compared

NO_RISK = "The two ways that flag by chance have no risk, and a dash where a figure is of risks."
SOURCES = (
    "Kamiran F, Calders T. Data preprocessing techniques for classification without discrimination. Knowledge and Information "
    "Systems 2012;33:1-33 (reweighing).",
    "Cox DR. Two further applications of a model for binary regression. Biometrika 1958;45:562-565 (slope and intercept); Barda N, "
    "Yona G, Rothblum GN, et al. Addressing bias in prediction models by improving subpopulation calibration. JAMIA 2021;28:549-558.",
    "Agarwal A, Beygelzimer A, Dudik M, Langford J, Wallach H. A reductions approach to fair classification. ICML 2018 "
    "(exponentiated gradient).",
    "Hardt M, Price E, Srebro N. Equality of opportunity in supervised learning. NeurIPS 2016 (thresholds by group).",
    "Hesterberg TC. What teachers should know about the bootstrap: resampling in the undergraduate statistics curriculum. The "
    "American Statistician 2015;69:371-386 (expanded percentile intervals).",
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
        hidden=told.hidden_groups(found),
        needs=_needs(found),
        base=told.base(found),
        terms=[words.metric(metric) for metric in (*METRICS, GAP)],
        bound=BOUND,
        rounds=MOST_ROUNDS,
        sources=SOURCES,
        rules=disclosure,
        words=words,
    )


def _facts(found: Compared) -> list[tuple[str, str]]:
    """How many are counted; rounded, since groups are, and said to be: the fairness report of the same rows is exact."""
    everybody = found.groups.iloc[0]
    names = {"n_subjects": "subjects", "n_event_subjects": "with an event", "n_episodes": "episodes"}
    return [
        (label, f"about {words.count(disclosure.rounded_count(everybody[column]))}") for column, label in names.items()
    ]


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
    """One group: what each way does there, and how that differs from what serves."""
    by, group = told.by_key(found), found.groups[found.groups["label"] == label].iloc[0]
    counts = [
        f"{words.count(disclosure.rounded_count(group[column]))} {name}"
        for column, name in (
            ("n_subjects", "subjects"),
            ("n_event_subjects", "with an event"),
            ("n_episodes", "episodes"),
        )
    ]
    name = "Everybody" if label == EVERYBODY else f"{words.plain(found.attribute).capitalize()}: {group['group']}"
    told_of = ", ".join(counts) if group["is_counted"] else "counts would give a hidden group away"
    figures = [Row((_heading(found, way), *_figures(by, way, label)), is_own=way == UNMITIGATED) for way in WAYS]
    changes = [
        Row((_heading(found, way), *_figures(by, f"{way}{MINUS_UNMITIGATED}", label, is_signed=True)))
        for way in WAYS[1:]
    ]
    columns = ("Way", *(words.metric(metric).short for metric in METRICS))
    return {
        "name": name,
        "tables": [
            Table(name, f"{told_of[0].upper()}{told_of[1:]}. Below each figure its 95 % interval. {NO_RISK}", columns, tuple(figures)),
            Table(
                f"{name}, difference to {told.base(found)}", "On the same resamples, with its 95 % interval.", columns, tuple(changes)
            ),
        ],
    }  # fmt: skip


def _heading(found: Compared, way: str) -> Cell:
    """A way at the head of its row, sorted as the ways are told."""
    return tables.text(told.called(found, way), float(WAYS.index(way)))


def _figures(by: pd.DataFrame, model: str, group: str, *, is_signed: bool = False) -> list[Cell]:
    """Every metric of a way, or of its difference, with intervals; a dash where a way has no risk."""
    return [_figure(by.loc[(model, group, metric)], metric, is_signed=is_signed) for metric in METRICS]


def _figure(row: pd.Series, metric: str, *, is_signed: bool = False) -> Cell:
    decimals = told.FINE.get(metric, words.DECIMALS)
    return tables.figure(row["value"], row["low"], row["high"], decimals=decimals, is_signed=is_signed)


def _needs(found: Compared) -> Table:
    """What each way needs, whether it may be declared, and the widest gap with it."""
    by, rows = told.by_key(found), []
    for way in WAYS:
        change = (
            []
            if way == UNMITIGATED
            else [_figure(by.loc[(f"{way}{MINUS_UNMITIGATED}", EVERYBODY, GAP)], GAP, is_signed=True)]
        )
        cells = (
            _heading(found, way), tables.text(NEEDS[way]), tables.text(told.may_be_declared(found, way)),
            _figure(by.loc[(way, EVERYBODY, GAP)], GAP), *(change or [tables.count(None)]),
        )  # fmt: skip
        rows.append(Row(cells, is_own=way == UNMITIGATED))
    columns = ("Way", "Needs at prediction", "May be declared", "Widest gap of caught", f"Change to {told.base(found)}")
    caption = "At prediction, beside the features; to be fitted all of them read the attribute of those learnt from."
    return Table("What each way needs", caption, columns, tuple(rows))
