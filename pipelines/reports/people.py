"""Table 1: the cohort by declared attributes, as it may be shown. Small groups are named, and have no figures."""

from typing import Any

import pandas as pd

from models.characteristics import EVERYBODY
from models.fairness import disclosure
from pipelines.reports import words

COLUMNS = (
    "Subjects", "With an index date", "Followed, mean days", "With an event", "Without an event", "Episodes", "Missing reports",
)  # fmt: skip
HIDDEN = "too few to show"


def section(groups: pd.DataFrame) -> dict[str, Any]:
    """Lines of the table, everybody first, and what its rules are, in a sentence.

    Args:
        groups: of `models.characteristics`. Counts are rounded to five; where a hidden group's would follow from the
            others', they are left out (`models.fairness.disclosure`).
    """
    is_shown, is_counted = disclosure.is_showable(groups), disclosure.is_countable(groups)
    lines = [
        _line(row, bool(shown), bool(counted))
        for row, shown, counted in zip(groups.to_dict("records"), is_shown, is_counted, strict=True)
    ]
    return {
        "columns": list(COLUMNS),
        "lines": lines,
        "rules": f"Counts are rounded to {disclosure.COUNTS_ROUNDED_TO}. A group below {disclosure.SMALLEST_SUBJECTS} "
        f"subjects, or {disclosure.SMALLEST_EVENT_SUBJECTS} with an event, or of whose episodes one subject has more than "
        f"{words.percent(disclosure.LARGEST_EVENT_SHARE)}, is not shown, nor counts from which it would follow. Missing reports: of "
        "the horizons that were followed up otherwise, those with too few answers, or without the assessment.",
    }


def _line(row: dict[str, Any], is_shown: bool, is_counted: bool) -> dict[str, Any]:
    is_everybody = row["attribute"] == EVERYBODY
    without = row["n_subjects"] - row["n_event_subjects"]
    counts = (row["n_subjects"], row["n_followed"], row["n_event_subjects"], without, row["n_episodes"])
    told = [words.count(disclosure.rounded_count(n)) if is_counted else words.DASH for n in counts]
    told.insert(2, words.number(row["followed_days"], decimals=0))
    missing = round(row["unreported_share"], disclosure.DECIMALS)
    told.append(words.DASH if pd.isna(missing) else words.percent(missing))
    return {
        "attribute": "" if is_everybody else words.plain(row["attribute"]).capitalize(),
        "group": "Everybody" if is_everybody else str(row["group"]),
        "is_own": is_everybody,
        "cells": told if is_shown else None,
        "hidden": "" if is_shown else HIDDEN,
    }
