"""What abstaining for want of data does, for the model report and the card: rows with a score, rows without, and whose."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from models.abstention import ABSTAINED, ALL, MISSED, SCORED, SHARE
from models.fairness import disclosure
from pipelines.reports import words

COLUMNS = {ALL: "All rows", SCORED: "With a score", ABSTAINED: "Without a score"}
METRICS = {
    "auroc": "Ranking (AUROC)", "calibration_slope": "Calibration slope", "calibration_intercept": "Calibration intercept",
    "observed_rate": "Observed risk", "mean_predicted": "Predicted risk",
}  # fmt: skip
COUNTS = {"n_rows": "Rows", "n_subjects": "Subjects", "n_episodes": "Episodes"}
# Risks of rare events are small.
DECIMALS = 3


def section(figures: pd.DataFrame, by_group: pd.DataFrame) -> dict[str, Any]:
    """Sentences, a table of rows by whether they get a score, and lines of groups that may be shown.

    Args:
        figures: of `models.abstention.abstention`, with `least`, the completeness that a score needs.
        by_group: of `models.abstention.shares`; groups too small are named without figures.
    """
    at = figures.set_index(["group", "metric"])
    lines = [
        (name, *(words.rounded(at.loc[(of, "auroc"), column]) for of in COLUMNS)) for column, name in COUNTS.items()
    ]
    shown = at.assign(is_shown=disclosure.is_showable(at))
    lines += [(name, *(_figure(shown.loc[(of, metric)], metric) for of in COLUMNS)) for metric, name in METRICS.items()]
    return {
        "columns": list(COLUMNS.values()),
        "lines": lines,
        "sentences": _sentences(at),
        "groups": [
            _group(row, bool(shown))
            for row, shown in zip(by_group.to_dict("records"), disclosure.is_showable(by_group), strict=True)
        ],
    }


def _figure(row: pd.Series, metric: str) -> str:
    """A figure with its interval; none of rows of too few subjects."""
    if not row["is_shown"]:
        return words.DASH
    decimals = words.DECIMALS if metric in ("auroc", "calibration_slope") else DECIMALS
    span = words.span(row["low"], row["high"], decimals=decimals)
    return words.number(row["value"], decimals=decimals) + (f" ({span})" if span else "")


def _sentences(at: pd.DataFrame) -> list[str]:
    least, share, missed = at["least"].iloc[0], at.loc[(ALL, SHARE)], at.loc[(ALL, MISSED)]
    return [
        f"A subject with data on fewer than {words.percent(least)} of the last 28 days gets a status and no score. Of labelled test "
        f"rows that would have been {_percent(share)}.",
        f"{_percent(missed)} of the episodes had no row with a score within the horizon before them, so that no score could have "
        "told of them.",
    ]


def _percent(row: Mapping[str, Any] | pd.Series) -> str:
    """A share with its interval, in percent."""
    span = words.span(100 * row["low"], 100 * row["high"], decimals=1)
    return f"{words.number(100 * row['value'], decimals=1)} %" + (f" ({span})" if span else "")


def _group(row: dict[str, Any], is_shown: bool) -> tuple[str, str, str]:
    return (
        words.plain(row["attribute"]).capitalize(),
        str(row["group"]),
        _percent(row) if is_shown else "too few to show",
    )
