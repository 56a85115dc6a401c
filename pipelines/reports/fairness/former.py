"""The audit of one version beside that of an earlier one: which verdicts changed, and each figure then and now."""

from dataclasses import dataclass

import pandas as pd

from models.fairness.groups import EVERYBODY
from pipelines.reports import tables, words
from pipelines.reports.fairness import findings
from pipelines.reports.fairness import tables as tables_of
from pipelines.reports.fairness.view import View
from pipelines.reports.tables import Cell, Row, Table

KEY = ["cell", "reference_cell", "versus", "metric"]


@dataclass(frozen=True)
class Former:
    """An earlier version's audit, as its bundle has it: of the same kind of bundle as what it is compared with.

    Args:
        name: the version, such as `crisis/3`.
        night: of its audit, such as `2026-04-30`.
        rows, verdicts: its tables, with the columns of `Shown.tables`.
    """

    name: str
    night: str
    rows: pd.DataFrame
    verdicts: pd.DataFrame


def both(view: View, former: Former) -> pd.DataFrame:
    """Comparisons that both versions show; what was then has `_then` behind its name."""
    now = view.shown.tables["verdicts"]
    return now[now["metric"].isin(view.judged)].merge(
        former.verdicts, on=KEY, suffixes=("", "_then"), validate="one_to_one"
    )


def finding(view: View, former: Former) -> str:
    """How many verdicts changed, in a sentence."""
    compared = both(view, former)
    if compared.empty:
        return "The two versions show no comparison in common."
    changed = compared[compared["verdict"] != compared["verdict_then"]]
    turns = changed.groupby(["verdict_then", "verdict"]).size()
    n = len(compared)
    if changed.empty:
        return f"None of the {n} verdicts that both versions show has changed."
    told = [f"{count} from {_verdict(then)} to {_verdict(now)}" for (then, now), count in turns.items()]
    return f"Of {n} verdicts that both versions show, {len(changed)} changed: {words.listing(told)}."


def _verdict(name: str) -> str:
    return f"“{words.VERDICTS[name][1]}”"


def changes(view: View, former: Former) -> Table:
    """Each verdict that changed, with both differences."""
    compared = both(view, former)
    compared = compared[compared["verdict"] != compared["verdict_then"]]
    rows = [
        Row((
            tables.text(row["group"]), tables.text(tables_of.pair(row["attribute"])),
            tables.text(findings.other(row)),
            tables.text(words.metric(row["metric"]).short),
            tables.figure(row["difference_then"], row["low_then"], row["high_then"], is_signed=True, verdict=row["verdict_then"]),
            tables.figure(row["difference"], row["low"], row["high"], is_signed=True, verdict=row["verdict"]),
        ))
        for row in compared.to_dict("records")
    ]  # fmt: skip
    return Table(
        "Verdicts that changed", f"Differences then ({former.name}) and now, where the verdict is another",
        ("Group", "Attribute", "Compared with", "Metric", "Then", "Now"), tuple(rows),
    )  # fmt: skip


def values(view: View, former: Former) -> Table:
    """Each group's figures then and now, in the metrics that are judged."""
    rows, names = [], _names(view)
    of = former.rows.set_index(["cell", "metric"])
    for cell, name in names.items():
        for metric in view.judged:
            if (cell, metric) in of.index and (cell, metric) in view.figures.index:
                then, now = (_figure(view, frame.loc[(cell, metric)], metric) for frame in (of, view.figures))
                rows.append(Row((tables.text(name), tables.text(words.metric(metric).short), then, now)))
    return Table(
        "Then and now", f"Figures of {former.name}, audited {former.night}, and of this version, with 95 % intervals",
        ("Group", "Metric", "Then", "Now"), tuple(rows),
    )  # fmt: skip


def _names(view: View) -> dict[str, str]:
    """What the cells of whole groups are called: `sex: F`. Crossed ones are left out."""
    names = {EVERYBODY: "everybody"}
    for attribute in view.attributes:
        groups = view.groups(attribute)
        names |= {
            cell: f"{words.plain(attribute)}: {group}"
            for cell, group in zip(groups["cell"], groups["group"], strict=True)
        }
    return names


def _figure(view: View, row: pd.Series, metric: str) -> Cell:
    return tables.figure(row["value"], row["low"], row["high"], decimals=view.decimals(metric))
