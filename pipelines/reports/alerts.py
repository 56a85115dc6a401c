"""Tonight's alerts as the night's page tells them: counts by tier, never a subject."""

from dataclasses import dataclass

import pandas as pd

from pipelines.delivery.contract import ALERTS, TIERS
from pipelines.delivery.standing import WAITS
from pipelines.reports import words

# What of delivered rows is told here.
TOLD_OF = ("subject_id", "outcome", "tier", "alert", "action", "reason_codes")


@dataclass(frozen=True)
class TierNight:
    """A tier tonight, or the part of it with one step of care: that step, subjects, and alerts by kind, in words."""

    tier: str
    action: str
    subjects: str
    alerts: tuple[str, ...]


@dataclass(frozen=True)
class AlertsNight:
    """An outcome's tiers tonight by step of care, highest tier first, and how many subjects wait for room in the high one."""

    tiers: tuple[TierNight, ...]
    waiting: str


def of_night(scores: pd.DataFrame) -> dict[str, AlertsNight]:
    """By outcome what the night's delivered rows say of alerts.

    Args:
        scores: delivered rows (columns `TOLD_OF`).
    """
    subjects = scores.drop_duplicates(["subject_id", "outcome"])
    subjects = subjects.assign(waits=[WAITS in reasons for reasons in subjects["reason_codes"]])
    return {str(name): _of_outcome(rows) for name, rows in subjects.groupby("outcome", sort=True)}


def _of_outcome(rows: pd.DataFrame) -> AlertsNight:
    lines = [line for tier in TIERS for line in _of_tier(rows[rows["tier"] == tier], tier)]
    return AlertsNight(tuple(lines), words.count(rows["waits"].sum()))


def _of_tier(rows: pd.DataFrame, tier: str) -> list[TierNight]:
    """A line for each step of care: who waits and stands in no tier has one of their own, and comes last."""
    steps = rows["action"].fillna(words.DASH)
    in_order = sorted(set(steps), key=lambda step: (bool(rows.loc[steps == step, "waits"].all()), step))
    return [_line(tier, step, rows[steps == step]) for step in in_order] or [_line(tier, words.DASH, rows)]


def _line(tier: str, action: str, rows: pd.DataFrame) -> TierNight:
    alerts = tuple(words.count((rows["alert"] == kind).sum()) for kind in ALERTS)
    return TierNight(tier, action, words.count(len(rows)), alerts)
