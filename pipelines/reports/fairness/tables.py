"""The tables of a fairness report, each made of what may be shown and of nothing else."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from models.fairness.comparisons import REST
from models.fairness.coverage import MEASURES
from models.fairness.groups import CROSS, EVERYBODY
from models.fairness.parts import IN_STRATA, OVER_TIME
from models.fairness.thresholds import OVER_THRESHOLDS, TOP_SHARE
from models.fairness.verdicts import FAIL, INSUFFICIENT, PASS
from pipelines.reports import tables, words
from pipelines.reports.fairness import findings
from pipelines.reports.fairness.view import View, first_known
from pipelines.reports.tables import Cell, Row, Table

COUNTS = {"n_subjects": "Subjects", "n_event_subjects": "With an event", "n_episodes": "Episodes"}
AT_CAPACITY = (
    "selection_rate", "tpr", "episodes_caught", "mean_lead_time_days", "fpr", "false_alerts_per_1000_days", "ppv",
    "quiet_onset_yield",
)  # fmt: skip
WHATEVER_THE_THRESHOLD = (
    "observed_rate", "mean_predicted", "observed_to_expected", "auroc", "auprc_lift", "calibration_slope", "ici", "brier",
)  # fmt: skip
BASE_RATE = "observed_rate"


def at_capacity(view: View, attribute: str) -> Table:
    """Each group as the alert rule serves it, with its counts."""
    name = words.plain(attribute).capitalize()
    named = reference(view, attribute) if len(view.verdicts(attribute)) else ""
    against = f" Verdicts compare with {named}." if named else ""
    return _of_groups(
        view, attribute, f"{name}: at this capacity", AT_CAPACITY,
        f"If {words.rule(view.shown.about)} is flagged. 95 % intervals stand below.{against}", has_counts=True,
    )  # fmt: skip


def whatever_the_threshold(view: View, attribute: str) -> Table:
    """Each group's risks, however many are flagged."""
    name = words.plain(attribute).capitalize()
    caption = "How right the risks are, and how well they rank, whoever is flagged. 95 % intervals stand below."
    return _of_groups(view, attribute, f"{name}: whatever the threshold", WHATEVER_THE_THRESHOLD, caption)


def reference(view: View, attribute: str) -> str:
    """The group that the others are compared with, as far as it is shown."""
    groups = view.groups(attribute)
    return ", ".join(map(str, groups.loc[groups["is_reference"].astype(bool), "group"]))


def _of_groups(
    view: View, attribute: str, name: str, metrics: Sequence[str], caption: str, *, has_counts: bool = False
) -> Table:
    """One row a group, after one of everybody; groups without figures are named last."""
    metrics, groups = first_known(metrics, view.metrics), view.groups(attribute)
    # Without dates each day before an event would count as an episode.
    counts = [c for c in COUNTS if has_counts and (c != "n_episodes" or "episodes_caught" in view.metrics)]
    verdicts = view.verdicts(attribute)
    by_group = verdicts[verdicts["versus"] != REST].set_index(["group", "metric"])["verdict"].to_dict()
    everybody = view.cells[view.cells["cell"] == EVERYBODY]
    rows = []
    for of in [*everybody.to_dict("records"), *groups[view.is_told(groups)].to_dict("records")]:
        is_all = of["cell"] == EVERYBODY
        cells = [tables.text("everybody" if is_all else of["group"]), *(tables.count(of[c]) for c in counts)]
        own = {} if is_all else {m: v for (group, m), v in by_group.items() if group == of["group"]}
        cells += [_figure(view, of["cell"], metric, own.get(metric, "")) for metric in metrics]
        is_reference = bool(of["is_reference"]) and not is_all
        rows.append(Row(tuple(cells), "reference" if is_reference else "", is_own=is_reference))
    columns = ("Group", *(COUNTS[c] for c in counts), *(words.metric(m).short for m in metrics))
    return Table(name, caption, columns, (*rows, *_hidden_rows(view, attribute)))


def _figure(view: View, cell: str, metric: str, verdict: str = "") -> Cell:
    if (cell, metric) not in view.figures.index:
        return Cell(words.DASH, is_number=True)
    row = view.figures.loc[(cell, metric)]
    shown = verdict if pd.notna(row["value"]) else ""
    return tables.figure(row["value"], row["low"], row["high"], decimals=view.decimals(metric), verdict=shown)


def _hidden_rows(view: View, attribute: str) -> list[Row]:
    return [
        Row((tables.text(group),), f"Not shown: {why}. Cannot be judged.", is_hidden=True)
        for group, why in view.named_hidden(attribute).items()
    ]


def comparisons(view: View, attribute: str) -> Table:
    """Every comparison of an attribute, with the reference and with everybody else."""
    name = words.plain(attribute).capitalize()
    rows = [_comparison(row, view.margin) for row in view.verdicts(attribute).to_dict("records")]
    return Table(
        f"{name}: all comparisons", f"Differences between groups by {name.lower()}, group minus what it is compared with",
        COMPARISON, tuple(rows),
    )  # fmt: skip


COMPARISON = (
    "Group", "Compared with", "Metric", "Difference", "Verdict", "Told from none",
    "Within margin from", "Why it cannot tell",
)  # fmt: skip


def _comparison(row: dict[str, Any], margin: float) -> Row:
    other = findings.other(row)
    return Row(
        (
            tables.text(row["group"]), tables.text(other), tables.text(words.metric(row["metric"]).short),
            tables.figure(row["difference"], row["low"], row["high"], is_signed=True),
            Cell("", verdict=row["verdict"], key=words.VERDICTS[row["verdict"]][1]),
            tables.figure(row["mdd"]), tables.figure(row["passes_from"]), tables.text(findings.why(row)),
        )
    )  # fmt: skip


def crossed_gaps(view: View) -> Table:
    """Each proven gap among crossed groups, widest first."""
    failed = view.crossed[view.crossed["verdict"] == FAIL].sort_values(
        "difference", key=lambda d: -d.abs(), kind="stable"
    )
    named = [(pair(row["attribute"]), _comparison(row, view.margin)) for row in failed.to_dict("records")]
    rows = [replace(row, cells=(tables.text(name), *row.cells[:-1])) for name, row in named]
    return Table(
        "Two attributes crossed: gaps",
        f"Gaps proven larger than {view.margin:g}",
        ("Attributes", *COMPARISON[:-1]),
        tuple(rows),
    )


def crossed_tally(view: View) -> Table:
    """How the comparisons of each pair of attributes came out."""
    rows = [
        Row((tables.text(pair(str(name))), *tally(part["verdict"])))
        for name, part in view.crossed.groupby("attribute", sort=False)
    ]
    return Table(
        "Two attributes crossed: all comparisons",
        "How the comparisons came out, by pair of attributes. Groups of which nothing may be shown are left out.",
        ("Attributes", *TALLY), tuple(rows),
    )  # fmt: skip


TALLY = ("Gap", "Within margin", "Cannot tell")


def tally(verdicts: pd.Series) -> list[Cell]:
    return [tables.count(int((verdicts == verdict).sum())) for verdict in (FAIL, PASS, INSUFFICIENT)]


def pair(name: str) -> str:
    """What an attribute is called, or two crossed: `sex × age band`."""
    return " × ".join(words.plain(name).split(CROSS))


def calibration(view: View, attribute: str) -> Table:
    """Given and observed risk in fifths of each group's scores."""
    rows = [
        Row(
            (tables.text(group), tables.count(row["fifth"]),
             tables.figure(row["predicted"], decimals=view.decimals("mean_predicted")),
             tables.figure(row["observed"], row["low"], row["high"], decimals=view.decimals(BASE_RATE)))
        )
        for group, part in view.with_curves("calibration", attribute).items() for row in part.to_dict("records")
    ]  # fmt: skip
    name = words.plain(attribute).capitalize()
    return Table(
        f"{name}: calibration", "Predicted and observed risk in fifths of each group’s scores, lowest first",
        ("Group", "Fifth", "Predicted risk", "Observed risk"), tuple(rows),
    )  # fmt: skip


def thresholds(view: View, attribute: str) -> Table:
    """What each group would get at other capacities and from other risks on."""
    metrics = first_known(OVER_THRESHOLDS, view.metrics)
    rows = []
    for group, part in view.with_curves("thresholds", attribute).items():
        for (rule, at), of in part.groupby(["rule", "at"], sort=False):
            found = of.set_index("metric")
            flagged = f"top {words.percent(at)}" if rule == TOP_SHARE else f"risk of {at:g} or more"
            head = (tables.text(group), tables.text(flagged, key=f"{rule} {at:.3f}"))
            rows.append(Row((*head, *(_in(view, found, metric) for metric in metrics))))
    name = words.plain(attribute).capitalize()
    return Table(
        f"{name}: other thresholds", "If another share of each night, or another risk, were flagged",
        ("Group", "Flagged if", *(words.metric(m).short for m in metrics)), tuple(rows),
    )  # fmt: skip


def _in(view: View, found: pd.DataFrame, metric: str, value: str = "value", *, is_signed: bool = False) -> Cell:
    """A cell from rows by metric; a dash where there is none."""
    if metric not in found.index:
        return Cell(words.DASH, is_number=True)
    row = found.loc[metric]
    return tables.figure(row[value], row["low"], row["high"], decimals=view.decimals(metric), is_signed=is_signed)


def lead_times(view: View, attribute: str) -> Table:
    """Share of each group's episodes flagged so many days ahead."""
    parts = view.with_curves("lead_times", attribute)
    days = sorted({day for part in parts.values() for day in part["days"]})
    rows = []
    for group, part in parts.items():
        found = part.set_index("days")
        cells = (
            tables.figure(*found.loc[day, ["value", "low", "high"]])
            if day in found.index
            else Cell(words.DASH, is_number=True)
            for day in days
        )
        rows.append(Row((tables.text(group), *cells)))
    name = words.plain(attribute).capitalize()
    return Table(
        f"{name}: lead times", "Share of episodes first flagged at least so many days ahead of their onset",
        ("Group", *(words.counted(day, "day") for day in days)), tuple(rows),
    )  # fmt: skip


def coverage(view: View, attribute: str) -> Table:
    """How much of each group's days the data cover, and how often an event follows."""
    table = view.table("coverage")
    measures = first_known(("rows_per_subject", *MEASURES), list(dict.fromkeys(table["measure"])))
    groups, rows = view.groups(attribute), []
    for of in groups[view.is_told(groups)].to_dict("records"):
        found = table[table["cell"] == of["cell"]].set_index("measure")
        cells = (_in(view, found, measure) for measure in measures)
        rows.append(Row((tables.text(of["group"]), *cells, _figure(view, of["cell"], BASE_RATE))))
    name = words.plain(attribute).capitalize()
    columns = ("Group", *(words.measure(m).short for m in measures), words.metric(BASE_RATE).short)
    caption = "Means over each group’s days; 95 % intervals stand below"
    return Table(f"{name}: coverage", caption, columns, (*rows, *_hidden_rows(view, attribute)))


def strata(view: View, attribute: str) -> Table:
    """Differences to the reference among days with about as much data."""
    table = view.table("strata")
    table = table[(table["attribute"] == attribute)]
    metrics = first_known(IN_STRATA, view.metrics)
    rows = []
    for (group, part), of in table.groupby(["group", "part"], sort=False):
        found = of.set_index("metric")
        cells = (_in(view, found, metric, "difference", is_signed=True) for metric in metrics)
        rows.append(Row((tables.text(group), tables.text(part), *cells)))
    name = words.plain(attribute).capitalize()
    return Table(
        f"{name}: among days with as much data",
        f"Differences to {reference(view, attribute) or 'the reference'} among the third of days with least, middling and most data",
        ("Group", "Days with", *(words.metric(m).short for m in metrics)), tuple(rows),
    )  # fmt: skip


def course(view: View, attribute: str) -> Table:
    """Each group's figures period by period."""
    table = view.table("course")
    table = table[table["attribute"] == attribute]
    metrics = first_known(OVER_TIME, view.metrics)
    rows = []
    for (group, part), of in table.groupby(["group", "part"], sort=False):
        found = of.set_index("metric")
        rows.append(Row((tables.text(group), tables.text(part), *(_in(view, found, metric) for metric in metrics))))
    name = words.plain(attribute).capitalize()
    return Table(
        f"{name}: over time", "Each group’s figures by the period of the day scored; 95 % intervals stand below",
        ("Group", "Period", *(words.metric(m).short for m in metrics)), tuple(rows),
    )  # fmt: skip
