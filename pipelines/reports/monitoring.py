"""The page of what was watched: what is out of the ordinary first, then charts with their limits, then how past scores turned out.

Internal: figures of groups of at least ten subjects; nobody's own.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from models.fairness.groups import EVERYBODY
from models.monitoring.counts import ALERT, STATUS
from models.monitoring.limits import COMPARED_DAYS, LEFT_OUT_DAYS, Chart
from models.monitoring.prospective import ACTED, NOT_ACTED, WEEKS
from models.monitoring.series import ABSENT, LEVEL, SHARE, SPREAD
from models.monitoring.signals import DRIFT, MISSINGNESS, SCORES, VOLUME
from pipelines.monitoring.record import NightRecord
from pipelines.monitoring.telling import HEADINGS, TITLES, Finding, lead, unjudged
from pipelines.reports import control_charts, tables, words
from pipelines.reports.control_charts import Panel
from pipelines.reports.site import Context, write_page
from pipelines.reports.tables import Row, Table

NEW, STANDS = ("▲", "new tonight", "fail"), ("◆", "stands", "unsure")
FOLLOWS = ("◌", "follows from a stream that is or was silent", "unsure")
ABOUT = {
    DRIFT: "Levels and spreads in standard deviations of all subjects before watching began: those that changed most tonight.",
    MISSINGNESS: "Share of subjects without a value, or with a score: those that changed most tonight.",
    SCORES: "Level and spread of risks, in standard deviations.",
    VOLUME: "Share of those with a score who were alerted.",
}
STATISTICS = {LEVEL: "level", SPREAD: "spread", ABSENT: "missing", SHARE: "share"}
PANELS, LINES = 6, 60
LONGEST_TITLE = 46
# A chart of fewer nights shows nothing.
FEWEST_DRAWN = 7
NAMES = {"risk": "Risk", "scored": "Have a score", "alerted": "Alerted"}
# Whose values are shares of people.
OF_SHARES = (MISSINGNESS, VOLUME)
OF_SCORES = {
    "auroc": "AUROC", "observed_to_expected": "Events for each foreseen", "calibration_slope": "Calibration slope",
    "calibration_intercept": "Calibration intercept", "brier": "Brier score", "episodes_caught": "Episodes caught",
    "alert_ppv": "Alerts followed by an event",
}  # fmt: skip


def write_monitoring(
    folder: Path, record: NightRecord, found: Sequence[Finding], charts: Mapping[str, Chart], shifts: pd.DataFrame,
    told: Mapping[str, str], false_alarms_per_year: float, context: Context,
) -> Path:  # fmt: skip
    """Write the page of a watched night and give its path.

    Args:
        found: what is out of the ordinary.
        charts: of each kind.
        shifts: population stability index by series (`models.monitoring.series.shifts`).
        told: what a clinician calls each feature.
    """
    night = pd.Timestamp(record.night)
    nights = max((len(of.series.nights) for of in charts.values()), default=0)
    facts = [
        ("nights counted", words.count(nights)),
        ("series judged tonight", words.count(sum(record.judged.values()))),
        ("false alarms accepted a year", f"{false_alarms_per_year:g}"),
        ("last look at outcomes", record.looked_on or words.DASH),
    ]
    return write_page(
        folder, "monitoring", "monitoring", f"Monitoring, night of {record.night}", lead(record, found), context,
        facts=facts,
        findings=[{"title": TITLES[of.kind], "text": of.sentence, "mark": _mark(of)} for of in found],
        unjudged=unjudged(record, charts),
        retrain=record.retrain_asked_for, unreadable=record.unreadable,
        sections=[_section(kind, of, night, record, shifts, told) for kind, of in charts.items() if night in of.series.nights],
        turnout=_turnout(record), looked_on=record.looked_on,
        compared=(COMPARED_DAYS, LEFT_OUT_DAYS), words=words,
    )  # fmt: skip


def _mark(of: Finding) -> tuple[str, str, str]:
    if of.follows:
        return FOLLOWS
    return NEW if of.is_new else STANDS


def _section(
    kind: str, of: Chart, night: pd.Timestamp, record: NightRecord, shifts: pd.DataFrame, told: Mapping[str, str]
) -> dict[str, Any]:
    at = of.series.place(night)
    table = of.series.table.assign(
        value=of.series.value[at], expected=of.expected[at], reach=of.reach[at], ratio=of.ratio[at],
        subjects=of.series.subjects[at], is_alarm=of.is_alarm[at], place=np.arange(len(of.series.table)),
    ).merge(shifts, how="left")  # fmt: skip
    table = table[table["value"].notna()]
    order = table.assign(far=table["ratio"].abs().fillna(-1)).sort_values(["is_alarm", "far"], ascending=False)
    return {
        "heading": HEADINGS[kind], "about": ABOUT[kind], "chart": _charts(of, order, told), "table": _table(kind, order, told),
        "n": words.count(len(order)),
    }  # fmt: skip


def _charts(of: Chart, order: pd.DataFrame, told: Mapping[str, str]) -> Markup:
    # Of what befalls everybody one chart says more than one for each group; of each thing the one that changed most.
    ranked = order.assign(is_part=order["group"] != EVERYBODY).sort_values("is_part", kind="stable")
    ranked = ranked.drop_duplicates(["name", "group"]) if len(ranked) > PANELS else ranked
    if order["is_alarm"].any():
        ranked = pd.concat([order[order["is_alarm"]].drop_duplicates("name"), ranked]).drop_duplicates("place")
    panels = {}
    for row in ranked.head(PANELS).to_dict("records"):
        k = row["place"]
        whom = "everybody" if row["group"] == EVERYBODY else row["group"]
        panels[f"{_short(_name(row, told))}\n{STATISTICS[row['statistic']]}, {whom}"] = Panel(
            of.series.nights, of.series.value[:, k], of.expected[:, k], of.reach[:, k], of.is_alarm[:, k],
            is_share=row["statistic"] in (ABSENT, SHARE),
        )  # fmt: skip
    if not panels or np.isfinite(of.series.value).any(axis=1).sum() < FEWEST_DRAWN:
        return Markup()
    return control_charts.draw(
        panels, f"By night, with what is ordinary shaded: {'; '.join(panels)}".replace("\n", ", ")
    )


def _name(row: Mapping[str, Any], told: Mapping[str, str]) -> str:
    name = told.get(row["name"]) or NAMES.get(row["name"], words.plain(row["name"]))
    return f"{name}, {words.plain(row['outcome'])}" if row["kind"] in (STATUS, ALERT) else name


def _short(name: str) -> str:
    name = name[:1].upper() + name[1:]
    return name if len(name) <= LONGEST_TITLE else f"{name[: LONGEST_TITLE - 1].rstrip()}…"


def _table(kind: str, order: pd.DataFrame, told: Mapping[str, str]) -> Table:
    rows, is_share = [], kind in OF_SHARES
    unit, scale, decimals = (" (%)", 100, 1) if is_share else ("", 1, words.DECIMALS)
    columns = (
        "Thing", "What of it", "In whom", "Subjects", f"Tonight{unit}", f"Expected{unit}", f"Ordinary within ±{unit}",
        "Distance in limits", "Shift (PSI)",
    )  # fmt: skip
    for row in order.head(LINES).to_dict("records"):
        value, expected, reach = (scale * row[name] for name in ("value", "expected", "reach"))
        cells = (
            tables.text(_name(row, told)), tables.text(STATISTICS[row["statistic"]]),
            tables.text("everybody" if row["group"] == EVERYBODY else row["group"]), tables.count(row["subjects"]),
            tables.figure(value, is_signed=not is_share, decimals=decimals),
            tables.figure(expected, is_signed=not is_share, decimals=decimals), tables.figure(reach, decimals=decimals),
            tables.figure(row["ratio"], is_signed=True), tables.figure(row["psi"]),
        )  # fmt: skip
        rows.append(Row(cells, is_own=bool(row["is_alarm"])))
    return Table(HEADINGS[kind], f"The {words.count(len(rows))} farthest from what is expected; beyond ±1 is out of the ordinary.",
                 columns, tuple(rows))  # fmt: skip


def _turnout(record: NightRecord) -> list[Table]:
    """A table for each outcome and version: everybody, groups, whether somebody acted, four weeks at a time."""
    if not record.figures:
        return []
    figures = pd.DataFrame(record.figures)
    found = []
    for (outcome, model), part in figures.groupby(["outcome", "model"], sort=False):
        rows = [_turned_out(str(group), of) for group, of in part.groupby("group", sort=False)]
        first = part.iloc[0]
        caption = (
            f"Nights of {first['first_night']} to {first['last_night']} whose {first['horizon_days']} days are over, as known on "
            f"{record.looked_on}; 95 % intervals over resampled subjects."
        )
        columns = ("In whom", "Subjects", "Episodes", *OF_SCORES.values())
        found.append(Table(f"{words.plain(str(outcome)).capitalize()}, {model}", caption, columns, tuple(rows)))
    return found


def _turned_out(group: str, of: pd.DataFrame) -> Row:
    by = of.set_index("metric")
    name = "Everybody" if group == EVERYBODY else group
    if not by["n_subjects"].iloc[0]:
        return Row((tables.text(name),), note="too few subjects or events to show", is_hidden=True)
    cells = [
        tables.text(name, _place(group)),
        tables.count(by["n_subjects"].iloc[0]),
        tables.count(by["n_episodes"].iloc[0]),
    ]
    for metric in OF_SCORES:
        row = by.loc[metric]
        decimals = words.DECIMALS_OF.get(metric, words.DECIMALS)
        cells.append(tables.figure(row["value"], row["low"], row["high"], decimals=decimals))
    worse = [OF_SCORES[str(metric)].lower() for metric in by.index[by["is_beyond"].astype(bool)]]
    note = f"worse than promised: {words.listing(worse)}" if worse else ""
    return Row(tuple(cells), note=note, is_own=group == EVERYBODY)


def _place(group: str) -> str:
    """How rows of a table of scores sort: everybody, groups, who was acted on, weeks."""
    if group == EVERYBODY:
        return "0"
    if group in (ACTED, NOT_ACTED):
        return f"2{group}"
    return f"{3 if group.startswith(WEEKS) else 1}{group}"
