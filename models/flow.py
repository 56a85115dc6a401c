"""From index dates to labelled rows: how many each rule took away, and how many reports were missing for whom."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.outcomes import at_horizon

DATES, MASKED, ADMITTED = "index dates", "masked: in an episode or refractory", "not at risk: admitted"
CENSORED, UNREPORTED = "censored: horizon not followed up", "censored: too few reports in the horizon"
LABELLED, POSITIVE, COMPETING = "labelled", "with an event", "without an event: died or admitted first"
STEPS = (DATES, MASKED, ADMITTED, CENSORED, UNREPORTED, LABELLED, POSITIVE, COMPETING)


def flow(labels: pd.DataFrame, horizons_days: tuple[int, ...]) -> pd.DataFrame:
    """How many rows and subjects each rule took away, in this order, and how many are labelled, per task and horizon."""
    rows = []
    for task, part in labels.groupby("task", sort=False):
        for horizon in horizons_days:
            rows += [
                {"task": task, "horizon_days": horizon, "step": step, "rows": int(of.sum()),
                 "subjects": int(part["subject_id"][of].nunique())}
                for step, of in zip(STEPS, _at_steps(part, horizon), strict=True)
            ]  # fmt: skip
    return pd.DataFrame(rows)


def _at_steps(part: pd.DataFrame, horizon_days: int) -> tuple[NDArray[np.bool_], ...]:
    """Which rows of a task stop at, or are at, each of `STEPS`."""
    known = at_horizon(part, horizon_days)
    kept, masked = np.isfinite(known), part["is_masked"].to_numpy()
    admitted = ~masked & part["is_admitted"].to_numpy()
    unreported = is_unreported(part, horizon_days)
    censored = ~masked & ~admitted & ~unreported & ~kept
    competing = kept & (part["days_to_competing"].to_numpy() < horizon_days)
    return np.ones(len(part), bool), masked, admitted, censored, unreported, kept, known == 1, competing


def is_unreported(labels: pd.DataFrame, horizon_days: int) -> NDArray[np.bool_]:
    """Whether a row is censored for want of the subject's own reports only: of answers, or of an assessment."""
    found: NDArray[np.bool_] = is_reachable(labels, horizon_days) & (
        labels["followed_days"].to_numpy() < horizon_days
    )  # fmt: skip
    return found


def is_reachable(labels: pd.DataFrame, horizon_days: int) -> NDArray[np.bool_]:
    """Whether a row would be labelled, had the subject reported all."""
    found: NDArray[np.bool_] = ~labels["is_masked"].to_numpy() & (labels["reachable_days"].to_numpy() >= horizon_days)
    return found
