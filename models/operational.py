"""What alerts would have done: whom a capacity flags night by night, what that catches, and what nobody knew before.

Flags are drawn once, on the rows as they are; an interval resamples the subjects whose flags they were.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import resampling
from models.fairness.alerts import queue_rows

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]
# What a clinician knows without a model; a yield is what this rule misses.
RULE = "history_and_tenure"
# Without an event for so long nobody expects one.
QUIET_DAYS = 28
DAYS_PER_MONTH = 30
# Risks from which on acting could be worth it: one in fifty to one in five.
THRESHOLDS = (0.02, 0.05, 0.10, 0.20)


def flags(rows: pd.DataFrame, risk: Values, top_share: float, seed: int) -> Flags:
    """Which rows a capacity flags: the `top_share` of each night, of all rows where nights are too small; ties by chance.

    Args:
        rows: `subject_id, index_date`, row by row beside the risks.
    """
    subject = pd.factorize(rows["subject_id"])[0].astype(np.int64)
    queue = queue_rows(rows[["subject_id", "index_date"]].assign(probability=risk), subject, top_share, seed)
    flagged = np.zeros(len(rows), dtype=bool)
    flagged[queue.rows] = queue.flagged(np.ones((subject.max(initial=-1) + 1, 1), np.int32))[:, 0] > 0
    return flagged


def measure(
    rows: pd.DataFrame, label: Values, risks: Mapping[str, Values], weights: Values, top_share: float, seed: int
) -> dict[str, dict[str, tuple[float, float, float]]]:
    """Metrics by predictor, each with its 95 % interval over resampled subjects.

    Args:
        rows: `subject_id, index_date, days_to_event, days_since_event` of labelled test rows.
        label: 1 where an event came within the horizon, else 0.
        risks: by predictor, row by row.
        weights: how often each subject was drawn, everybody first; of shape (n, n_subjects), subjects in order of appearance.
        top_share: share of the rows of a night that is flagged.
    """
    rows = rows.reset_index(drop=True)
    flagged = {name: flags(rows, risk, top_share, seed) for name, risk in risks.items()}
    subject = pd.factorize(rows["subject_id"])[0]
    onset = rows["index_date"] + pd.to_timedelta(rows["days_to_event"].where(label == 1), unit="D")
    episode = pd.DataFrame({"subject": subject, "onset": onset}).groupby(["subject", "onset"]).ngroup().to_numpy()
    owner = pd.Series(subject).groupby(episode).first().drop(-1, errors="ignore").to_numpy()
    is_quiet = np.nan_to_num(rows["days_since_event"].to_numpy(dtype=np.float64), nan=np.inf) >= QUIET_DAYS
    n_subjects = weights.shape[1]

    def caught(of: Flags) -> Flags:
        """Episodes before which any of these rows lies."""
        return np.bincount(episode[of & (episode >= 0)], minlength=len(owner)).astype(bool)

    def ratio(part: Values, whole: Values, scale: float = 1.0) -> tuple[float, float, float]:
        with np.errstate(invalid="ignore", divide="ignore"):
            values = scale * (weights @ part) / (weights @ whole)
        return float(values[0]), *resampling.interval(values[1:])

    def by_subject(of: Values | Flags) -> Values:
        return np.bincount(subject, of.astype(np.float64), n_subjects)

    def by_owner(of: Flags) -> Values:
        return np.bincount(owner, of.astype(np.float64), n_subjects)

    every, episodes = by_subject(np.ones(len(rows))), by_owner(np.ones(len(owner), dtype=bool))
    found = {}
    for name, of in flagged.items():
        alerts = by_subject(of)
        metrics = {
            "alerts_per_100_subject_weeks": ratio(alerts, every, 700.0),
            "false_alerts_per_subject_month": ratio(by_subject(of & (label == 0)), every, DAYS_PER_MONTH),
            "episodes_caught": ratio(by_owner(caught(of)), episodes),
            "alert_persistence": _persistence(rows, of, by_subject, ratio),
            **_lead_time(rows["days_to_event"].to_numpy(dtype=np.float64), episode, of),
        }
        for threshold in THRESHOLDS:
            acted = risks[name] >= threshold
            harm = np.where(label == 1, 1.0, -threshold / (1 - threshold))
            metrics[f"net_benefit_{threshold:.0%}"] = ratio(by_subject(np.where(acted, harm, 0.0)), every)
        if RULE in flagged and name != RULE:
            new = caught(of & is_quiet) & ~caught(flagged[RULE])
            metrics["new_information_yield"] = ratio(by_owner(new), alerts, 100.0)
        found[name] = metrics
    return found


def _persistence(rows, of, by_subject, ratio):  # type: ignore[no-untyped-def]
    """Share of flagged rows after which the same subject is flagged on the next day, of those that have a next day."""
    by = pd.DataFrame({"subject_id": rows["subject_id"], "index_date": rows["index_date"], "of": of, "row": np.arange(len(rows))})
    after = by.assign(index_date=by["index_date"] - pd.Timedelta(days=1))[["subject_id", "index_date", "of"]]
    pairs = by.merge(after, on=["subject_id", "index_date"], suffixes=("", "_after"))
    is_pair, is_again = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    is_pair[pairs.loc[pairs["of"], "row"]] = True
    is_again[pairs.loc[pairs["of"] & pairs["of_after"], "row"]] = True
    return ratio(by_subject(is_again), by_subject(is_pair))


def _lead_time(to_event: Values, episode: NDArray[np.int64], of: Flags) -> dict[str, tuple[float, float, float]]:
    """Days from the first flag before each caught episode to its onset: the median, and its quartiles instead of an interval."""
    before = of & (episode >= 0)
    if not before.any():
        return {}
    first = pd.Series(to_event[before]).groupby(episode[before]).max()
    low, middle, high = np.quantile(first, [0.25, 0.5, 0.75])
    return {"lead_time_days": (float(middle), float(low), float(high))}
