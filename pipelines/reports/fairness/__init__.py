"""The fairness report: one page a clinical researcher can read, findings first. It draws from what may be shown alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from models.fairness import disclosure
from models.fairness.audit import Audited
from models.fairness.comparisons import REFERENCE, REST
from models.fairness.groups import EVERYBODY
from models.fairness.showing import COUNTS, Shown
from models.fairness.thresholds import RISK, TOP_SHARE
from models.fairness.verdicts import FAIL, INSUFFICIENT
from pipelines.reports import plots, words
from pipelines.reports.fairness import findings, limits, references
from pipelines.reports.fairness import former as formers
from pipelines.reports.fairness import tables as made
from pipelines.reports.fairness.findings import Finding
from pipelines.reports.fairness.former import Former
from pipelines.reports.fairness.view import View, first_known
from pipelines.reports.site import Context, render, write_page
from pipelines.reports.tables import Table

__all__ = ["Former", "page_name", "page_text", "write_fairness"]

KIND = "fairness"
IN_THRESHOLD_PLOT = ("episodes_caught", "tpr", "fpr", "ppv", "selection_rate")
IN_COURSE_PLOT = ("observed_rate", "mean_predicted", "episodes_caught", "ppv", "auroc")
IN_TERMS = tuple(dict.fromkeys((*made.AT_CAPACITY, *made.WHATEVER_THE_THRESHOLD)))


@dataclass(frozen=True)
class Section:
    """One attribute: its finding, its tables and its plots; None where there is nothing to draw."""

    finding: Finding
    reference: str
    tables: tuple[Table, ...]
    comparisons: Table
    behind: tuple[Table, ...]
    forest: Markup | None
    calibration: Markup | None
    by_share: Markup | None
    by_risk: Markup | None
    lead_times: Markup | None
    undrawn: str

    @property
    def name(self) -> str:
        """What the attribute is called."""
        return self.finding.name


@dataclass(frozen=True)
class Beside:
    """One attribute's table and plot in a later section."""

    name: str
    tables: tuple[Table, ...]
    plot: Markup | None
    undrawn: str = ""


def page_name(of: Audited) -> str:
    """What the page of an audit is called."""
    return f"fairness {of.outcome} {of.task} {of.horizon_days}d {of.split} {of.model}"


def write_fairness(folder: Path, shown: Shown, context: Context, former: Former | None = None) -> tuple[Path, str]:
    """Write the report of one audit into the report site; its path, and the same page as one that stands alone.

    Arguments as of `page_text`.
    """
    of, content = Audited(**{field.name: shown.about[field.name] for field in fields(Audited)}), _page(shown, former)
    return write_page(folder, page_name(of), KIND, **content, context=context), render(KIND, **content, context=context)


def page_text(shown: Shown, context: Context, former: Former | None = None) -> str:
    """The report of one audit as a page that stands alone.

    Args:
        shown: either bundle; the page says which, and holds no figure that is not in its tables.
        former: an earlier version's audit to compare with, as a bundle of the same kind has it.
    """
    return render(KIND, **_page(shown, former), context=context)


def sentences(shown: Shown) -> list[str]:
    """What was found by each attribute, for a terminal."""
    view = View(shown)
    found = [findings.of_attribute(view, name) for name in view.attributes]
    return [
        line
        for of in found
        for line in (
            f"{of.name}: {of.headline} {of.hidden}".strip(),
            *(f"{of.name} {group}: {said}" for group, said in of.sentences),
        )
    ]


def verdicts(shown: Shown) -> list[dict[str, object]]:
    """Each comparison of two groups of one attribute with its reference, and every gap with the rest, for a terminal."""
    found = shown.tables["verdicts"]
    asked = ~found["is_crossed"].astype(bool) & ((found["versus"] == REFERENCE) | (found["verdict"] == FAIL))
    return [
        {
            "attribute": words.plain(row["attribute"]), "group": row["group"], "against": row["reference"],
            "metric": words.metric(row["metric"]).short, "difference": words.number(row["difference"], is_signed=True),
            "95 % interval": words.span(row["low"], row["high"], is_signed=True) or words.DASH,
            "verdict": words.VERDICTS[row["verdict"]][1], "told from none": words.number(row["mdd"]),
        }
        for row in found[asked & found["difference"].notna()].to_dict("records")
    ]  # fmt: skip


def _page(shown: Shown, former: Former | None) -> dict[str, Any]:
    view = View(shown)
    sections = [_section(view, name) for name in view.attributes]
    crossed, about = _crossed(view), shown.about
    within = f" within {words.counted(about['horizon_days'], 'day')}" if about["horizon_days"] else ""
    return {
        "title": f"Fairness audit: {words.plain(about['outcome'])}{within}",
        "finding": findings.in_short([s.finding for s in sections], bool(crossed and crossed["n_gaps"])),
        "view": view,
        "about": about,
        "rule": words.rule(about),
        "facts": _facts(view),
        "sections": sections,
        "crossed": crossed,
        "coverage": [found for name in view.attributes if (found := _coverage(view, name)).tables],
        "has_strata": len(shown.tables["strata"]) > 0,
        "course": [found for name in view.attributes if (found := _course(view, name)).tables],
        "sensitivity": limits.sensitivity(view),
        "former": _former(view, former),
        "to_gather": limits.to_gather(view),
        "suppressed": limits.suppressed(view),
        "terms": [words.metric(name) for name in first_known(IN_TERMS, view.metrics)],
        "measures": [words.measure(name) for name in dict.fromkeys(shown.tables["coverage"]["measure"])],
        "enough": findings.enough_to_judge(),
        "references": references.FAIRNESS,
        "rules": disclosure,
        "words": words,
    }


def _facts(view: View) -> list[tuple[str, str]]:
    everybody = view.cells[view.cells["cell"] == EVERYBODY]
    names = dict(zip(COUNTS, ("subjects", "with an event", "episodes", "subject-days"), strict=True))
    if "episodes_caught" not in view.metrics:
        del names["n_episodes"]
    values = everybody.iloc[0] if len(everybody) else pd.Series(pd.NA, index=list(names))
    return [(label, words.DASH if pd.isna(values[c]) else words.count(values[c])) for c, label in names.items()]


def _section(view: View, attribute: str) -> Section:
    name = words.plain(attribute).capitalize()
    judged = view.verdicts(attribute)
    drawn = judged[(judged["versus"] != REST) & judged["difference"].notna()]
    kept = view.most_known(attribute, plots.MOST_LINES)
    behind = (made.thresholds(view, attribute), made.lead_times(view, attribute), made.calibration(view, attribute))
    fifths = view.with_curves("calibration", attribute)
    by = partial(_threshold_plot, view, attribute, kept)
    return Section(
        findings.of_attribute(view, attribute),
        made.reference(view, attribute),
        (made.at_capacity(view, attribute), made.whatever_the_threshold(view, attribute)),
        made.comparisons(view, attribute),
        tuple(table for table in behind if table.rows),
        plots.forest(
            drawn, first_known(view.judged, list(dict.fromkeys(drawn["metric"]))), view.margin,
            f"Differences between groups by {name}; the same figures are in the table of comparisons.",
        ) if len(drawn) else None,
        plots.calibration(fifths, f"Observed against predicted risk for each group of {name}.") if fifths else None,
        by(TOP_SHARE, "share of days flagged, everybody taken together"),
        by(RISK, "risk from which on a day is flagged"),
        _lead_time_plot(view, attribute, kept),
        _undrawn(view, attribute, kept),
    )  # fmt: skip


def _undrawn(view: View, attribute: str, kept: Sequence[str]) -> str:
    """Which groups have no line, as more could not be told apart."""
    groups = view.groups(attribute)
    n = int(view.is_told(groups).sum()) - len(kept)
    if n <= 0:
        return ""
    return f"Lines are of the {len(kept)} groups with most people who had an event; the other {n} are in the tables."


def _lines(parts: Mapping[str, pd.DataFrame], kept: Sequence[str], x: str) -> pd.DataFrame:
    """Rows of the groups to draw, with `group`, `x` and `value`."""
    chosen = [part.assign(group=group, x=part[x]) for group, part in parts.items() if group in kept]
    table = pd.concat(chosen) if chosen else pd.DataFrame(columns=["group", "x", "value", "metric", "rule"])
    return table[table["value"].notna()]


def _threshold_plot(view: View, attribute: str, kept: Sequence[str], rule: str, across: str) -> Markup | None:
    lines = _lines(view.with_curves("thresholds", attribute), kept, "at")
    lines = lines[lines["rule"] == rule]
    panels = _panels(lines, first_known(IN_THRESHOLD_PLOT, view.metrics))
    if not panels or lines["x"].nunique() < 2:
        return None
    of = view.shown.about["rule"]
    at = of.get("share" if rule == TOP_SHARE else "risk")
    alt = f"What each group of {words.plain(attribute)} would get, by {across}; the same figures are in a table below."
    return plots.curves(panels, across, alt, at)


def _panels(lines: pd.DataFrame, metrics: Sequence[str]) -> dict[str, pd.DataFrame]:
    found = {words.metric(metric).short: lines[lines["metric"] == metric] for metric in metrics}
    return {name: panel for name, panel in found.items() if len(panel)}


def _lead_time_plot(view: View, attribute: str, kept: Sequence[str]) -> Markup | None:
    lines = _lines(view.with_curves("lead_times", attribute), kept, "days")
    if lines["x"].nunique() < 2:
        return None
    alt = f"Share of the episodes of each group of {words.plain(attribute)} flagged so many days ahead; see the table below."
    return plots.curves({"Share of episodes flagged": lines}, "at least so many days ahead of the onset", alt)


def _crossed(view: View) -> dict[str, Any]:
    """Pairs of attributes: how the comparisons came out, and each proven gap; empty where none are crossed."""
    groups = view.cells[view.cells["is_crossed"].astype(bool)]
    n = int(view.is_told(groups).sum()) + view.n_crossed_hidden
    if not n:
        return {}
    gaps = made.crossed_gaps(view)
    return {
        "gaps": gaps,
        "n_gaps": len(gaps.rows),
        "widest": findings.widest(view.crossed),
        "tally": made.crossed_tally(view),
        "n_groups": n,
        "n_hidden": view.n_crossed_hidden,
        "verdict": FAIL if gaps.rows else INSUFFICIENT,
    }


def _coverage(view: View, attribute: str) -> Beside:
    name, table = words.plain(attribute).capitalize(), made.coverage(view, attribute)
    if not any(not row.is_hidden for row in table.rows):
        return Beside(name, (), None)
    rows = view.table("coverage")
    rows = rows[(rows["attribute"] == attribute) & rows["value"].notna()]
    panels = {words.measure(str(of)).short: part for of, part in rows.groupby("measure", sort=False)}
    alt = f"How much of the days of each group of {name} the data cover; the same figures are in the table."
    strata = made.strata(view, attribute)
    return Beside(name, (table, *([strata] if strata.rows else [])), plots.dots(panels, alt) if panels else None)


def _course(view: View, attribute: str) -> Beside:
    name, table = words.plain(attribute).capitalize(), made.course(view, attribute)
    if not table.rows:
        return Beside(name, (), None)
    rows = view.table("course")
    rows = rows[(rows["attribute"] == attribute) & rows["value"].notna()]
    kept = view.most_known(attribute, plots.MOST_LINES)
    lines = rows[rows["group"].isin(kept)].assign(x=lambda of: of["part"]).sort_values("part", kind="stable")
    panels = _panels(lines, first_known(IN_COURSE_PLOT, view.metrics)) if len(lines["x"].drop_duplicates()) > 1 else {}
    alt = f"Figures of each group of {name} period by period; the same figures are in the table."
    plot = plots.curves(panels, "period of the day scored", alt) if panels else None
    return Beside(name, (table,), plot, _undrawn(view, attribute, kept))


def _former(view: View, former: Former | None) -> dict[str, Any] | None:
    if former is None:
        return None
    changes = formers.changes(view, former)
    return {
        "name": former.name,
        "night": former.night,
        "finding": formers.finding(view, former),
        "changes": changes if changes.rows else None,
        "values": formers.values(view, former),
    }
