"""Builds a night's rows in the delivery contract's columns: everyone on the roster, every outcome, every horizon."""

from collections.abc import Mapping

import pandas as pd

from pipelines.delivery.contract import COLUMNS, KEY, DeliveryContext, score_ids
from pipelines.errors import Refused

# Tiers whose drivers are given: the explanation is dear, and a low score needs none.
EXPLAINED_TIERS = ("high", "elevated")


def build(
    context: DeliveryContext,
    horizons_days: Mapping[str, tuple[int, ...]],
    standings: pd.DataFrame,
    scores: pd.DataFrame,
    tiers: pd.DataFrame,
    drivers: pd.DataFrame,
) -> pd.DataFrame:
    """One row per roster subject, outcome and horizon: a probability, or a status that says why there is none.

    Only `scored` subjects get a probability, a tier and drivers, whatever else is handed in.

    Args:
        context: the night; its run id and versions go onto every row.
        horizons_days: horizons of each delivered outcome.
        standings: `standing.decide` of every outcome, stacked.
        scores: `subject_id, outcome, horizon_days, probability, mean_risk_low, mean_risk_high`.
        tiers: `subject_id, outcome, tier, rank, alert, action`; a subject's tier stands on all horizons of the outcome.
        drivers: `subject_id, outcome, drivers` (sequence of phrases); may be empty.

    Returns:
        The contract's columns, sorted by subject, outcome and horizon; `supersedes` is empty until publishing.

    Raises:
        Refused: scores for subjects who are not on the roster, repeated rows, or scored subjects without a score.
    """
    grid = pd.DataFrame(
        [(outcome, horizon) for outcome, horizons in horizons_days.items() for horizon in horizons],
        columns=["outcome", "horizon_days"],
    )
    _refuse_strangers(scores, standings)
    rows = standings.merge(grid, on="outcome")
    rows = _joined(rows, scores, KEY, "scores")
    rows = _joined(rows, tiers, KEY[:2], "tiers")
    rows = _joined(rows, drivers, KEY[:2], "drivers")
    return _finished(_masked(rows), context)


def _refuse_strangers(scores: pd.DataFrame, standings: pd.DataFrame) -> None:
    strangers = set(scores["subject_id"]) - set(standings["subject_id"])
    if strangers:
        raise Refused(
            f"Scores were handed in for {len(strangers)} subjects who are not on the night's roster. "
            "Build features and roster for the same night, then score again."
        )


def _joined(rows: pd.DataFrame, more: pd.DataFrame, key: list[str], what: str) -> pd.DataFrame:
    repeated = int(more.duplicated(key).sum())
    if repeated:
        raise Refused(
            f"The night's {what} have {repeated} rows that repeat {', '.join(key)}. Hand in one row for each."
        )
    return rows.merge(more, on=key, how="left")


def _masked(rows: pd.DataFrame) -> pd.DataFrame:
    """Blank everything that only a scored subject may have."""
    is_scored = rows["status"] == "scored"
    missing = int((is_scored & rows["probability"].isna()).sum())
    if missing:
        raise Refused(
            f"{missing} rows of subjects who may be scored have no probability. Score every eligible subject."
        )
    for column in ("probability", "mean_risk_low", "mean_risk_high"):
        rows[column] = rows[column].astype(float).where(is_scored)
    for column in ("tier", "alert", "action"):
        rows[column] = rows[column].astype(object).where(is_scored & rows[column].notna(), None)
    rows["rank"] = rows["rank"].astype("Int32").where(is_scored)
    explained = rows["tier"].isin(EXPLAINED_TIERS)
    rows["drivers"] = [_phrases(d) if e else () for d, e in zip(rows["drivers"], explained, strict=True)]
    rows["reason_codes"] = [_phrases(r) for r in rows["reason_codes"]]
    return rows


def _phrases(given: object) -> tuple[str, ...]:
    """A row's phrases from a tuple, a list or an array; a left join leaves NaN where there are none."""
    return tuple(map(str, given)) if hasattr(given, "__len__") else ()  # type: ignore[call-overload]


def _finished(rows: pd.DataFrame, context: DeliveryContext) -> pd.DataFrame:
    rows = rows.sort_values(KEY, ignore_index=True)
    rows["run_id"] = context.run_id
    rows["score_id"] = score_ids(context.run_id, rows)
    rows["as_of_date"] = context.as_of
    rows["model_version"] = rows["outcome"].map(dict(context.model_versions))
    rows["policy_version"] = context.policy_version
    rows["supersedes"] = None
    rows["generated_at"] = context.known_at
    return rows[list(COLUMNS)]
