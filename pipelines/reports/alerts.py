"""Tonight's alerts as the night's page tells them: counts by tier, never a subject."""

from dataclasses import dataclass

import pandas as pd

from pipelines.delivery.contract import ALERTS, TIERS
from pipelines.delivery.standing import WAITS
from pipelines.reports import words


@dataclass(frozen=True)
class TierNight:
    """A tier tonight: its step of care, subjects in it, and alerts by kind, in words."""

    tier: str
    action: str
    subjects: str
    alerts: tuple[str, ...]


@dataclass(frozen=True)
class AlertsNight:
    """An outcome's tiers tonight, highest first, and how many subjects wait for room in the high one."""

    tiers: tuple[TierNight, ...]
    waiting: str


def of_night(scores: pd.DataFrame) -> dict[str, AlertsNight]:
    """By outcome what the night's delivered rows say of alerts.

    Args:
        scores: delivered rows (`subject_id, outcome, tier, alert, action, reason_codes`).
    """
    subjects = scores.drop_duplicates(["subject_id", "outcome"])
    return {str(name): _of_outcome(rows) for name, rows in subjects.groupby("outcome", sort=True)}


def _of_outcome(rows: pd.DataFrame) -> AlertsNight:
    waiting = sum(WAITS in reasons for reasons in rows["reason_codes"])
    return AlertsNight(tuple(_of_tier(rows[rows["tier"] == tier], tier) for tier in TIERS), words.count(waiting))


def _of_tier(rows: pd.DataFrame, tier: str) -> TierNight:
    # Who waits and stands in no tier has a step of care of their own.
    is_usual = [tier != TIERS[-1] or WAITS not in reasons for reasons in rows["reason_codes"]]
    usual = rows.loc[is_usual, "action"]
    action = str(usual.iloc[0]) if len(usual) else words.DASH
    return TierNight(
        tier, action, words.count(len(rows)), tuple(words.count((rows["alert"] == kind).sum()) for kind in ALERTS)
    )
