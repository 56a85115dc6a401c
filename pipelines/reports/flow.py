"""From the cohort to the rows that a model learns from: a table, and the same figures as a diagram."""

import itertools
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from models.fairness.disclosure import SMALLEST_SUBJECTS
from models.flow import ADMITTED, CENSORED, COMPETING, DATES, LABELLED, MASKED, POSITIVE, STEPS, UNREPORTED
from pipelines.reports import words
from pipelines.reports.plots import GREY, LOOK, PALE, svg


def section(flow: pd.DataFrame, outcome: str, horizon_days: int, n_known: int | None = None) -> dict[str, Any]:
    """The flow as a table with column names in words, and a diagram of the onset task at that horizon.

    Args:
        flow: `models.flow.flow`, one row a step; shown as it is. Where there are columns `outcome` and
            `horizon_days`, only rows of this outcome and horizon are shown.
        n_known: subjects known that night, with an index date or without.
    """
    own = flow
    for column, wanted in (("outcome", outcome), ("horizon_days", horizon_days)):
        if column in own.columns:
            own = own[own[column] == wanted].drop(columns=column)
    is_number = {c: pd.api.types.is_numeric_dtype(own[c]) for c in own.columns}
    return {
        "columns": [(words.plain(str(c)).capitalize(), is_number[c]) for c in own.columns],
        "lines": [
            [(_people(v) if c == "subjects" else _value(v), is_number[c]) for c, v in row.items()]
            for row in own.to_dict("records")
        ],
        "diagram": _diagram(own, horizon_days, n_known),
    }


def _value(value: Any) -> str:
    if isinstance(value, str):
        return words.TASKS.get(value, words.plain(value))
    if pd.isna(value):
        return words.DASH
    return words.count(value) if float(value).is_integer() else words.number(value)


def _diagram(own: pd.DataFrame, horizon_days: int, n_known: int | None) -> Any:
    """Boxes from subjects to labelled rows; none where steps are not those of the onset task."""
    if not {"task", "step", "rows", "subjects"} <= set(own.columns):
        return None
    steps = own[own["task"] == "onset"].set_index("step")
    if not set(STEPS) <= set(steps.index):
        return None
    told = {step: _counted(steps.loc[step]) for step in STEPS}
    n_negative = steps.loc[LABELLED, "rows"] - steps.loc[POSITIVE, "rows"]
    within = words.counted(horizon_days, "day")
    main = [f"Index dates\n{told[DATES]}", f"Labelled within {within}\n{told[LABELLED]}"]
    if n_known is not None:
        main.insert(0, f"Known that night\n{words.count(n_known)} subjects")
    # Masks and censoring are there always, to be seen even where they took nothing.
    rules = [step for step in (MASKED, ADMITTED, CENSORED, UNREPORTED)
             if step in (MASKED, CENSORED) or steps.loc[step, "rows"] > 0]  # fmt: skip
    aside = [f"{step.capitalize()}\n{told[step]}" for step in rules]
    first = f", {words.count(steps.loc[COMPETING, 'rows'])} of them died or admitted first"
    without = f"{words.count(n_negative)} rows{first if steps.loc[COMPETING, 'rows'] > 0 else ''}"
    ends = [f"With an event\n{told[POSITIVE]}", f"Without an event\n{without}"]
    alt = f"Flow of subjects and rows, the start of a new episode within {within}: " + "; ".join(
        box.replace("\n", ", ") for box in (*main, *aside, *ends)
    )
    return _drawn(main, aside, ends, f"{alt}. The same figures are in the table.")


def _drawn(main: Sequence[str], aside: Sequence[str], ends: Sequence[str], alt: str) -> Markup:
    """Boxes from the cohort down to what is labelled, what drops out beside the way, and how labelled rows end.

    Texts may have several lines. What drops out leaves between the last two boxes of the main line.
    """
    step, half = 1.25, 0.36
    places = [-step * k for k in range(len(main))]
    # What drops out needs room of its own between the last two boxes.
    places[-1] -= len(aside) - half
    with mpl.rc_context(LOOK):
        figure = Figure(figsize=(7.4, 0.55 * (2 * step - places[-1])), layout="constrained")
        axis = figure.subplots()
        axis.set(xlim=(-2.6, 4.6), ylim=(places[-1] - step - 2 * half, 2 * half))
        axis.axis("off")
        for text, y in zip(main, places, strict=True):
            _box(axis, 0, y, text)
        for above, below in itertools.pairwise(places):
            _arrow(axis, (0, above - half), (0, below + half))
        for k, text in enumerate(aside):
            y = places[-2] - 1 - k
            _arrow(axis, (0, y), (1.42, y))
            _box(axis, 1.5, y, text, face=PALE, ha="left")
        for x, text in zip((-1.35, 1.35), ends, strict=True):
            _arrow(axis, (0, places[-1] - half), (x, places[-1] - step + half))
            _box(axis, x, places[-1] - step, text)
        return svg(figure, alt)


def _box(axis: Axes, x: float, y: float, text: str, face: str = "white", ha: str = "center") -> None:
    look = {"boxstyle": "square,pad=0.6", "facecolor": face, "edgecolor": GREY, "linewidth": 1}
    axis.text(x, y, text, ha=ha, va="center", fontsize=8.5, bbox=look)


def _arrow(axis: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    look = {"arrowstyle": "-|>", "color": GREY, "linewidth": 1, "shrinkA": 0, "shrinkB": 0}
    axis.annotate("", end, start, arrowprops=look)


def _counted(step: pd.Series) -> str:
    return f"{words.count(step['rows'])} rows, {_people(step['subjects'])} subjects"


def _people(count: float) -> str:
    """How many, or that they are few: who died or was admitted is soon somebody whom one knows."""
    return words.rounded(count) if count < SMALLEST_SUBJECTS else words.count(count)
