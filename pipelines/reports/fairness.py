"""The fairness report: one page a clinical researcher can read, findings first. Small groups stay hidden."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from models.fairness import disclosure
from models.fairness.audit import Audit, Audited
from models.fairness.metrics import JUDGED, JUDGED_RATES
from models.fairness.verdicts import FAIL, INSUFFICIENT, PASS
from pipelines.reports import plots, words
from pipelines.reports.site import Context, write_page

# Columns of a group's table: what a reader compares first stands first.
SHOWN = ("observed_rate", "mean_predicted", "selection_rate", "tpr", "fpr", "ppv", "auroc")


@dataclass
class Section:
    """One attribute: its finding, its table, its plots."""

    name: str
    verdict: str
    headline: str
    sentences: list[tuple[str, str]] = field(default_factory=list)
    table: list[dict[str, Any]] = field(default_factory=list)
    comparisons: list[dict[str, Any]] = field(default_factory=list)
    n_hidden: int = 0
    reference: str = ""
    forest: Markup | None = None
    calibration: Markup | None = None


def page_name(of: Audited) -> str:
    """What the page of an audit is called."""
    return f"fairness {of.outcome} {of.task} {of.horizon_days}d {of.split} {of.model}"


def write_fairness(folder: Path, audit: Audit, context: Context) -> Path:
    """Write the report of one audit and give its path.

    Counts are rounded to five, figures to two decimals; groups too small to show are named but have no figures, and
    no curve is drawn below 50 subjects (`models.fairness.disclosure`).
    """
    shown = _displayable(audit)
    sections = [_section(audit, shown, name) for name in _attributes(audit)]
    crossed = _crossed(audit, shown)
    of = audit.audited
    return write_page(
        folder,
        page_name(of),
        "fairness",
        f"Fairness audit: {words.plain(of.outcome)} within {words.counted(of.horizon_days, 'day')}",
        _finding(sections, crossed),
        context,
        audit=audit,
        facts=_facts(shown),
        sections=sections,
        crossed=crossed,
        columns=[words.metric(m) for m in SHOWN],
        terms=[words.metric(m) for m in (*SHOWN, "observed_to_expected", "calibration_slope")],
        rules=disclosure,
        words=words,
    )


def _displayable(audit: Audit) -> pd.DataFrame:
    groups = audit.groups.copy()
    groups["is_shown"] = disclosure.is_showable(groups)
    groups["is_counted"] = disclosure.is_countable(groups)
    return groups


def _attributes(audit: Audit) -> list[str]:
    single = audit.groups.loc[~audit.groups["is_crossed"], "attribute"]
    return [name for name in dict.fromkeys(single) if name != "all"]


def _facts(shown: pd.DataFrame) -> list[tuple[str, str]]:
    everybody = shown.iloc[0]
    names = {
        "n_subjects": "subjects",
        "n_event_subjects": "with an event",
        "n_episodes": "episodes",
        "n_rows": "subject-days",
    }
    return [(label, words.count(disclosure.rounded_count(everybody[column]))) for column, label in names.items()]


def _section(audit: Audit, shown: pd.DataFrame, name: str) -> Section:
    groups = shown[(shown["attribute"] == name)]
    visible = set(groups.loc[groups["is_shown"], "group"])
    verdicts = audit.verdicts[(audit.verdicts["attribute"] == name)]
    seen = _visible(verdicts, groups)
    section = Section(words.plain(name).capitalize(), *_summary(groups, seen, audit.design.margin))
    section.reference = str(groups.loc[groups["is_reference"], "group"].iloc[0])
    section.table = [_table_row(audit, row, verdicts) for row in groups.to_dict("records")]
    section.comparisons = [_comparison(row) for row in seen.to_dict("records")]
    section.sentences = _sentences(seen)
    section.n_hidden = len(groups) - len(visible)
    if len(seen):
        section.forest = plots.forest(
            seen,
            JUDGED,
            audit.design.margin,
            f"Differences between groups by {section.name}; the same figures are in the table of comparisons.",
        )
    curves = {
        str(row["group"]): audit.calibration[
            (audit.calibration["attribute"] == name) & (audit.calibration["group"] == row["group"])
        ]
        for row in groups[groups["is_shown"]].to_dict("records")
        if disclosure.may_draw_curve(row["n_subjects"])
    }
    if curves:
        section.calibration = plots.calibration(
            curves, f"Observed against predicted risk for each group of {section.name}."
        )
    return section


def _visible(verdicts: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Comparisons of which both sides may be shown, with a value to show."""
    may = set(groups.loc[groups["is_shown"], "group"])
    is_seen = verdicts["group"].isin(may) & verdicts["reference"].isin(may) & verdicts["difference"].notna()
    return verdicts[is_seen]


def _summary(groups: pd.DataFrame, seen: pd.DataFrame, margin: float) -> tuple[str, str]:
    """The attribute's verdict and its headline: a gap outweighs doubt, doubt outweighs a pass."""
    if len(groups) < 2:
        return INSUFFICIENT, "Everybody audited is in one group, so there is nothing to compare."
    if seen.empty:
        return INSUFFICIENT, "No two groups are large enough to compare."
    counts = seen["verdict"].value_counts()
    n, failed, passed = len(seen), int(counts.get(FAIL, 0)), int(counts.get(PASS, 0))
    if failed:
        return FAIL, f"{failed} of {n} comparisons {'shows' if failed == 1 else 'show'} a gap larger than {margin:g}."
    if passed < n:
        return INSUFFICIENT, (
            f"No gap is proven, and fairness is not proven either: {passed} of {n} comparisons lie within {margin:g}, "
            f"{n - passed} cannot be told with so few events."
        )
    within = f"All {n} comparisons that can be made lie within {margin:g}."
    return (PASS if groups["is_shown"].all() else INSUFFICIENT), within


def _sentences(seen: pd.DataFrame) -> list[tuple[str, str]]:
    """Each proven gap as (group, sentence); where there is none, the widest difference that remains in doubt."""
    failed = seen[seen["verdict"] == FAIL]
    if len(failed):
        return [(str(row["group"]), _gap(row)) for row in failed.to_dict("records")]
    unsure = seen[(seen["verdict"] == INSUFFICIENT) & seen["mdd"].notna()]
    if unsure.empty:
        return []
    row = unsure.loc[unsure["difference"].abs().idxmax()]
    chance = f"This cohort would tell a difference of {words.number(row['mdd'])} from none four times out of five."
    return [(str(row["group"]), f"{_gap(row)} {chance}")]


SAID = {
    "selection_rate": "share of days flagged",
    "tpr": "share of days before an event that were flagged",
    "fpr": "share of event-free days that were flagged",
    "ppv": "share of flags that an event followed",
    "auroc": "ranking (AUROC)",
}


def _gap(row: Any) -> str:
    difference = words.number(row["difference"], is_signed=True)
    return (
        f"{SAID[row['metric']]} {words.number(row['group_value'])}, against "
        f"{words.number(row['reference_value'])} for {row['reference']} "
        f"(difference {difference}{_interval(row)})."
    )


def _interval(row: Any) -> str:
    interval = words.span(row["low"], row["high"], is_signed=True)
    return f", 95\u00a0% interval {interval}" if interval else ""


def _table_row(audit: Audit, group: dict[str, Any], verdicts: pd.DataFrame) -> dict[str, Any]:
    counts = [group[c] for c in ("n_subjects", "n_event_subjects", "n_episodes")]
    cells = []
    if group["is_shown"]:
        own = audit.rows[audit.rows["group"] == group["label"]].set_index("metric")
        verdict = verdicts[verdicts["group"] == group["group"]].set_index("metric")["verdict"]
        for metric in SHOWN:
            value = own.loc[metric]
            cells.append(
                {
                    "value": words.number(value["value"]),
                    "span": words.span(value["low"], value["high"]),
                    "verdict": verdict.get(metric) if pd.notna(value["value"]) else None,
                }
            )
    return {
        "group": group["group"],
        "is_reference": group["is_reference"],
        "counts": [words.count(disclosure.rounded_count(c)) if group["is_counted"] else words.DASH for c in counts],
        "cells": cells,
    }


def _comparison(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "group": row["group"],
        "reference": row["reference"],
        "metric": words.metric(row["metric"]).short,
        "difference": words.number(row["difference"], is_signed=True),
        "span": words.span(row["low"], row["high"], is_signed=True) or "not estimable",
        "verdict": row["verdict"],
        "mdd": words.number(row["mdd"]),
    }


def _crossed(audit: Audit, shown: pd.DataFrame) -> dict[str, Any]:
    """Pairs of attributes: how the comparisons came out, and each proven gap."""
    parts = []
    for name, groups in shown[shown["is_crossed"]].groupby("attribute", sort=False):
        parts.append(_visible(audit.verdicts[audit.verdicts["attribute"] == name], groups))
    seen = pd.concat(parts) if parts else audit.verdicts.iloc[:0]
    failed = seen[seen["verdict"] == FAIL].sort_values("difference", key=lambda d: -d.abs(), kind="stable")
    tally = [
        {
            "attribute": " × ".join(words.plain(str(name)).split(" & ")),
            **{v: int((part["verdict"] == v).sum()) for v in (FAIL, PASS, INSUFFICIENT)},
        }
        for name, part in seen.groupby("attribute", sort=False)
    ]
    n_groups = int(shown["is_crossed"].sum())
    return {
        "tally": tally,
        "failed": [
            _comparison(row) | {"attribute": words.plain(row["attribute"])} for row in failed.to_dict("records")
        ],
        "n_groups": n_groups,
        "n_hidden": n_groups - int(shown.loc[shown["is_crossed"], "is_shown"].sum()),
        "metrics": words.listing([words.metric(m).short.lower() for m in JUDGED_RATES]),
        "margin": f"{audit.design.margin:g}",
    }


def _finding(sections: Iterable[Section], crossed: dict[str, Any]) -> str:
    """The whole audit in one or two sentences."""
    by = {v: [s.name.lower() for s in sections if s.verdict == v] for v in (FAIL, INSUFFICIENT, PASS)}
    parts = []
    if by[FAIL]:
        parts.append(f"Gaps are proven by {words.listing(by[FAIL])}.")
    elif crossed["failed"]:
        parts.append("No gap is proven for a single attribute, but some are where two attributes cross.")
    else:
        parts.append("No gap is proven.")
    if by[INSUFFICIENT]:
        parts.append(f"By {words.listing(by[INSUFFICIENT])} this cohort cannot tell: that does not mean fair.")
    if by[PASS]:
        parts.append(f"By {words.listing(by[PASS])} all comparisons lie within the margin.")
    return " ".join(parts)
