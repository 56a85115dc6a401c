"""Plots as inline SVG: differences, calibration, other thresholds and coverage by group, models against baselines.

Colours are from the Okabe-Ito palette and never carry meaning alone: marker shapes and words do too. Figures hold no
date and no random ids, so the same results draw the same bytes.
"""

import io
import itertools
import re
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from models.fairness.verdicts import FAIL, INSUFFICIENT, PASS
from models.fairness.ways import GRADIENT, RECALIBRATION, REWEIGHING, THRESHOLDS, UNMITIGATED
from pipelines.reports import words

INK, GREY, PALE, BLUE, ORANGE, GREEN = "#1a1a1a", "#6b6b6b", "#e9eef3", "#0072b2", "#d55e00", "#00795c"
MARKS = {PASS: ("o", GREEN), FAIL: ("^", ORANGE), INSUFFICIENT: ("s", GREY)}
WAY_MARKS = {
    UNMITIGATED: ("o", INK),
    REWEIGHING: ("^", BLUE),
    RECALIBRATION: ("s", GREEN),
    GRADIENT: ("D", "#cc79a7"),
    THRESHOLDS: ("v", ORANGE),
}
# Drawn filled.
MAY_SERVE = (UNMITIGATED, REWEIGHING)
LOOK = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.edgecolor": "#b5b5b5",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "text.color": INK,
    "xtick.color": GREY,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "svg.hashsalt": "foretide",
    # Letters as text, not as outlines: a page is a third of the size, and its plots can be searched.
    "svg.fonttype": "none",
    # A group may be called `$50` or `a_b`: names are no formulas.
    "text.parse_math": False,
}
WIDTH_IN = 11.2
# Okabe-Ito without its yellow, which is too pale on white; a shape and a dash to each, so that none is told by colour alone.
LINES = (
    ("#000000", "o", "-"), ("#0072b2", "^", (0, (5, 2))), ("#d55e00", "s", (0, (1, 1.5))), ("#009e73", "D", "-."),
    ("#cc79a7", "v", "-"), ("#56b4e9", "P", (0, (5, 2))), ("#e69f00", "X", (0, (1, 1.5))),
)  # fmt: skip
MOST_LINES = len(LINES)
# A name in a plot has room for so many letters, and the legend of the narrowest one.
LONGEST_NAME, LEGEND_LETTERS = 26, 80


def short(name: str) -> str:
    """A name as a plot has room for it: what begins and ends it; tables have it in full."""
    return name if len(name) <= LONGEST_NAME else f"{name[:14].rstrip()}…{name[-10:].lstrip()}"


def forest(comparisons: pd.DataFrame, metrics: Sequence[str], margin: float, alt: str) -> Markup:
    """Differences to the reference group, one panel a metric, one line a group, with the margin shaded.

    `comparisons`: group, metric, difference, low, high, verdict; those without an interval are left out.
    """
    groups = list(dict.fromkeys(comparisons["group"]))
    with mpl.rc_context(LOOK):
        figure = Figure(figsize=(WIDTH_IN, 0.95 + 0.36 * len(groups)), layout="constrained")
        axes = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
        bounds = comparisons[["low", "high", "difference"]].abs().max().max()
        reach = min(1.0, max(2 * margin, 1.08 * bounds)) if np.isfinite(bounds) else 2 * margin
        for axis, metric in zip(axes, metrics, strict=True):
            _forest_panel(axis, comparisons[comparisons["metric"] == metric], groups, margin)
            axis.set(title=words.metric(metric).short, xlim=(-reach, reach), ylim=(len(groups) - 0.5, -0.5))
        axes[0].set_yticks(range(len(groups)), [*map(short, groups)])
        figure.supxlabel("difference from the reference group (shaded: within the margin)", fontsize=8, color=GREY)
        return svg(figure, alt)


def _forest_panel(axis: Axes, part: pd.DataFrame, groups: list[str], margin: float) -> None:
    axis.axvspan(-margin, margin, color=PALE, lw=0)
    axis.axvline(0, color=GREY, lw=0.8)
    axis.tick_params(left=False)
    axis.spines["left"].set_visible(False)
    for row in part.itertuples():
        if not np.isfinite(row.difference):
            continue
        marker, colour = MARKS[row.verdict]
        place = groups.index(row.group)
        axis.plot([row.low, row.high], [place, place], color=colour, lw=1.8, solid_capstyle="round")
        face = "white" if row.verdict == INSUFFICIENT else colour
        axis.plot(row.difference, place, marker, color=colour, ms=6.5, mfc=face, mew=1.5)


def calibration(curves: dict[str, pd.DataFrame], alt: str) -> Markup:
    """Predicted against observed risk, one small panel for each named curve.

    Each curve: predicted, observed and, where there are intervals, low and high.
    """
    columns = min(5, len(curves))
    lines = -(-len(curves) // columns)
    top = max(_highest(curve) for curve in curves.values()) * 1.06
    with mpl.rc_context(LOOK):
        figure = Figure(figsize=(min(WIDTH_IN, 2.3 * columns + 0.4), 2.25 * lines + 0.25), layout="constrained")
        axes = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False).ravel()
        for axis, (name, curve) in zip(axes, curves.items(), strict=False):
            axis.plot([0, top], [0, top], color=GREY, lw=0.8, ls=(0, (4, 3)))
            if "low" in curve.columns:
                axis.vlines(curve["predicted"], curve["low"], curve["high"], color=BLUE, lw=1.6)
            axis.plot(curve["predicted"], curve["observed"], "o-", color=BLUE, ms=5, lw=1)
            axis.set(title=short(name), xlim=(0, top), ylim=(0, top))
            axis.set_box_aspect(1)
        for axis in axes[len(curves) :]:
            axis.set_visible(False)
        for axis in axes[len(curves) - columns : len(curves)]:
            axis.tick_params(labelbottom=True)
        figure.supxlabel("predicted risk", fontsize=8, color=GREY)
        figure.supylabel("observed risk", fontsize=8, color=GREY)
        return svg(figure, alt)


def curves(panels: Mapping[str, pd.DataFrame], across: str, alt: str, at: float | None = None) -> Markup:
    """Lines over an axis that all panels share, one line a group, at most `MOST_LINES`; the legend stands above.

    Each panel: group, x (numbers, or texts that sort as they are to stand), value. `at`: where a dashed line stands, as
    where the rule in use lies.
    """
    groups = list(dict.fromkeys(name for panel in panels.values() for name in panel["group"]))
    places = pd.Index(sorted({x for panel in panels.values() for x in panel["x"]}))
    in_a_row = min(5, int(LEGEND_LETTERS // (10 + max(len(short(group)) for group in groups))))
    is_text = not pd.api.types.is_numeric_dtype(places)
    look = dict(zip(groups, LINES, strict=False))
    width = min(WIDTH_IN, 3.7 * len(panels) + (1.5 if len(panels) == 1 else 0))
    with mpl.rc_context(LOOK):
        figure = Figure(figsize=(width, 2.75 + 0.22 * -(-len(groups) // in_a_row)), layout="constrained")
        axes = figure.subplots(1, len(panels), sharex=True, squeeze=False)[0]
        for axis, (name, panel) in zip(axes, panels.items(), strict=True):
            if at is not None:
                axis.axvline(at, color=GREY, lw=0.8, ls=(0, (4, 3)))
            for group, (colour, marker, line) in look.items():
                part = panel[panel["group"] == group]
                x = places.get_indexer(part["x"]) if is_text else part["x"]
                axis.plot(x, part["value"], marker, ls=line, color=colour, ms=4.5, lw=1.4, mfc="white")
            axis.set(title=name, ylim=_from_none(panel["value"]))
            axis.locator_params(axis="y" if is_text else "both", nbins=5)
            if is_text:
                axis.set_xticks(range(len(places)), [*places], rotation=45, ha="right")
        keys = [Line2D([], [], color=c, marker=m, ls=ls, ms=4.5, lw=1.4, mfc="white") for c, m, ls in look.values()]
        # Matplotlib hides labels that begin with an underscore.
        names = [f" {name}" if name.startswith("_") else name for name in map(short, look)]
        figure.legend(keys, names, loc="outside upper left", ncols=min(in_a_row, len(groups)), frameon=False, fontsize=8,
                      handlelength=3)  # fmt: skip
        figure.supxlabel(across, fontsize=8, color=GREY)
        return svg(figure, alt)


def dots(panels: Mapping[str, pd.DataFrame], alt: str) -> Markup:
    """One measure a panel, one line a group: its value with its interval. Each panel: group, value, low, high."""
    groups = list(dict.fromkeys(name for panel in panels.values() for name in panel["group"]))
    with mpl.rc_context(LOOK):
        width = min(WIDTH_IN, 2 + 2.2 * len(panels))
        figure = Figure(figsize=(width, 0.75 + 0.3 * len(groups)), layout="constrained")
        axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axis, (name, panel) in zip(axes, panels.items(), strict=True):
            axis.tick_params(left=False)
            axis.spines["left"].set_visible(False)
            places = [groups.index(group) for group in panel["group"]]
            axis.hlines(places, panel["low"], panel["high"], color=BLUE, lw=1.8)
            axis.plot(panel["value"], places, "o", color=BLUE, ms=5.5)
            axis.set(title=name, ylim=(len(groups) - 0.5, -0.5), xlim=_from_none(panel[["value", "high"]].max(axis=1)))
            axis.locator_params(axis="x", nbins=4)
        axes[0].set_yticks(range(len(groups)), [*map(short, groups)])
        return svg(figure, alt)


def _from_none(values: pd.Series) -> tuple[float, float]:
    """Limits from a little below 0 to a little above the largest value, so that no mark is cut."""
    largest = float(values.max())
    top = largest if np.isfinite(largest) and largest > 0 else 1.0
    return -0.04 * top, 1.06 * top


def _highest(curve: pd.DataFrame) -> float:
    highest = curve[[c for c in ("predicted", "observed", "high") if c in curve.columns]].max().max()
    return float(highest) if np.isfinite(highest) and highest > 0 else 1.0


def contest(rows: pd.DataFrame, own: str, alt: str) -> Markup:
    """One metric of every predictor with its interval, one panel a horizon; ours filled, baselines hollow.

    `rows`: tidy rows of one metric, task and split, with the words for each model in `name`.
    """
    names = list(dict.fromkeys(rows["name"]))
    horizons = sorted(rows["horizon_days"].unique())
    with mpl.rc_context(LOOK):
        figure = Figure(figsize=(WIDTH_IN, 0.95 + 0.3 * len(names)), layout="constrained")
        axes = figure.subplots(1, len(horizons), sharey=True, sharex=True, squeeze=False)[0]
        for axis, horizon in zip(axes, horizons, strict=True):
            axis.axvline(0.5, color=GREY, lw=0.8, ls=(0, (4, 3)))
            axis.tick_params(left=False)
            axis.spines["left"].set_visible(False)
            for row in rows[rows["horizon_days"] == horizon].itertuples():
                place, colour = names.index(row.name), BLUE if row.model == own else GREY
                axis.plot([row.low, row.high], [place, place], color=colour, lw=1.8, solid_capstyle="round")
                axis.plot(
                    row.value, place, "o", color=colour, ms=6.5, mfc=colour if row.model == own else "white", mew=1.5
                )
            axis.set(title=f"within {words.counted(horizon, 'day')}", ylim=(len(names) - 0.5, -0.5))
        axes[0].set_yticks(range(len(names)), names)
        figure.supxlabel("AUROC with 95 % interval (dashed: a coin)", fontsize=8, color=GREY)
        return svg(figure, alt)


def decision(rows: pd.DataFrame, own: str, alt: str) -> Markup:
    """Net benefit over the risk from which on one acts, one line a predictor; ours thick, with its interval shaded.

    `rows`: model, threshold, value, low, high, with the words for each model in `name`.
    """
    with mpl.rc_context(LOOK):
        figure = Figure(figsize=(WIDTH_IN / 2, 3.2), layout="constrained")
        axis = figure.subplots()
        lines, marks = itertools.cycle(("-", (0, (4, 3)), ":", "-.")), itertools.cycle("o^sD")
        for name, part in sorted(rows.groupby("name"), key=lambda of: of[1]["model"].iloc[0] != own):
            part, is_own = part.sort_values("threshold"), part["model"].iloc[0] == own
            colour = BLUE if is_own else GREY
            axis.plot(
                part["threshold"], part["value"], next(marks), ls=next(lines), color=colour, ms=4.5,
                lw=1.8 if is_own else 1, mfc=colour if is_own else "white", label=name,
            )  # fmt: skip
            if is_own:
                axis.fill_between(part["threshold"], part["low"], part["high"], color=PALE, lw=0)
        # Acting on everybody is worth so little from high risks on that it would flatten all else.
        best = float(rows.loc[rows["model"] == own, "value"].max())
        axis.set(xlabel="risk from which on one acts", ylabel="net benefit, per row")
        axis.set_ylim(bottom=-max(best, 0.001), top=None)
        axis.legend(frameon=False, fontsize=8)
        return svg(figure, alt)


def frontier(points: pd.DataFrame, alt: str) -> Markup:
    """Widest gap between groups against the share caught of everybody, a cross of intervals for each way to mitigate.

    `points`: way, name, and gap_ and caught_ value, low, high; a way without a gap is left out.
    """
    with mpl.rc_context(LOOK):
        figure = Figure(figsize=(WIDTH_IN * 0.72, 3.9), layout="constrained")
        axis = figure.subplots()
        for row in points[points["gap_value"].notna()].to_dict("records"):
            marker, colour = WAY_MARKS[row["way"]]
            face = colour if row["way"] in MAY_SERVE else "white"
            axis.plot([row["gap_low"], row["gap_high"]], [row["caught_value"]] * 2, color=colour, lw=1, alpha=0.7)
            axis.plot([row["gap_value"]] * 2, [row["caught_low"], row["caught_high"]], color=colour, lw=1, alpha=0.7)
            axis.plot(
                row["gap_value"], row["caught_value"], marker, color=colour, ms=9, mfc=face, mew=1.8, ls="", label=row["name"]
            )  # fmt: skip
        axis.set(xlim=(0, None), ylim=(0, None))
        axis.set_xlabel("widest gap of the share caught between groups")
        axis.set_ylabel("share caught of everybody")
        figure.legend(loc="outside right center", frameon=False, fontsize=8.5, labelspacing=1.1)
        return svg(figure, alt)


def svg(figure: Figure, alt: str) -> Markup:
    """The figure as an `<svg>` element that scales, with its description for screen readers."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    # Hundredths of a point are finer than any screen or printer; the rest is half of the bytes.
    text = re.sub(r' (?:d|x|y|transform)="[^"]*"', lambda of: re.sub(r"(\.\d\d)\d+", r"\1", of[0]), text)
    text = re.sub(r">\s+<", "><", text)
    text = re.sub(r'(<svg[^>]*?) width="([\d.]+)pt" height="[\d.]+pt"', r'\1 style="width:\2pt"', text, count=1)
    # Only our own drawing goes in unescaped; the words beside it are escaped here.
    opening, rest = text.split(">", 1)
    label = Markup('{} role="img" aria-label="{}">').format(Markup(opening), alt)  # noqa: S704
    return label + Markup(rest)  # noqa: S704
