"""Clinicians' verdicts on scores as counts, for the nightly page; who is few is not shown."""

from typing import Any

import pandas as pd

from features.tables import VERDICTS
from models.acted_on import ACTED
from models.fairness.disclosure import SMALLEST_SUBJECTS
from pipelines.reports import words

TIERS = ("high", "elevated", "baseline", "not told")
# A score on which somebody acted was of use, whatever else was said of it.
OF_USE = ("useful", ACTED)
FEW = f"< {SMALLEST_SUBJECTS}"


def section(verdicts: pd.DataFrame) -> dict[str, Any] | None:
    """Verdicts by month, and by tier with the share of use; None where there are none.

    Counts of verdicts on fewer than 10 subjects are not shown, nor is a total from which one could be told.

    Args:
        verdicts: `month, tier, verdict, subject_id`, one row a verdict.
    """
    if verdicts.empty:
        return None
    months = [(month, [_count(of[of["verdict"] == verdict]) for verdict in VERDICTS])
              for month, of in verdicts.groupby("month", sort=True)]  # fmt: skip
    tiers = [(tier, *_of_use(of)) for tier in TIERS if len(of := verdicts[verdicts["tier"] == tier])]
    return {"verdicts": [words.plain(verdict) for verdict in VERDICTS], "months": months, "tiers": tiers}


def _is_few(rows: pd.DataFrame) -> bool:
    return 0 < rows["subject_id"].nunique() < SMALLEST_SUBJECTS


def _count(rows: pd.DataFrame) -> str:
    return FEW if _is_few(rows) else words.count(len(rows))


def _of_use(rows: pd.DataFrame) -> tuple[str, str]:
    """Verdicts, and the share of them that were of use; neither where a part of them is on few subjects."""
    is_of_use = rows["verdict"].isin(OF_USE)
    if _is_few(rows):
        return FEW, words.DASH
    if _is_few(rows[is_of_use]) or _is_few(rows[~is_of_use]):
        return words.count(len(rows)), f"a part is on {FEW}"
    return words.count(len(rows)), words.percent(round(float(is_of_use.mean()), 2))
