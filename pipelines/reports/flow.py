"""From the cohort to the rows that a model learns from: a table, and the same figures as a diagram."""

from typing import Any

import pandas as pd

from models.fairness.disclosure import SMALLEST_SUBJECTS
from models.flow import ADMITTED, CENSORED, COMPETING, DATES, LABELLED, MASKED, POSITIVE, STEPS, UNREPORTED
from pipelines.reports import plots, words


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
    return plots.flow(main, aside, ends, f"{alt}. The same figures are in the table.")


def _counted(step: pd.Series) -> str:
    return f"{words.count(step['rows'])} rows, {_people(step['subjects'])} subjects"


def _people(count: float) -> str:
    """How many, or that they are few: who died or was admitted is soon somebody whom one knows."""
    return words.rounded(count) if count < SMALLEST_SUBJECTS else words.count(count)
