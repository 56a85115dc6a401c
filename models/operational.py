"""What alerts would have done: whom a capacity flags night by night, what that catches, and what nobody knew before.

Flags are drawn once, on the rows as they are; an interval resamples the subjects whose flags they were.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import resampling
from models.fairness.alerts import queue_rows
from models.fairness.rows import QUIET_DAYS

Values = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]
Metric = tuple[float, float, float]
# What a clinician knows without a model; a yield is what this rule misses.
RULE = "history_and_tenure"
ALERTS, FALSE_ALERTS, CAUGHT = "alerts_per_100_subject_weeks", "false_alerts_per_subject_month", "episodes_caught"
PPV, QUIET_YIELD, LEAD_TIME = "ppv", "quiet_onset_yield", "lead_time_days"
DAYS_PER_MONTH = 30
NET_BENEFIT = "net_benefit_"
# What acting on everybody or on nobody is worth, beside what predictors are.
TREAT_ALL, TREAT_NONE = "treat_all", "treat_none"


def flags(rows: pd.DataFrame, risk: Values, top_share: float, seed: int) -> Flags:
    """Which rows a capacity flags: the `top_share` of each night, of all rows where nights are too small; ties by chance.

    Args:
        rows: `subject_id, index_date`, row by row beside the risks; with `site`, each site has its own capacity.
    """
    subject = pd.factorize(rows["subject_id"])[0].astype(np.int64)
    told = rows[[name for name in ("subject_id", "index_date", "site") if name in rows]]
    queue = queue_rows(told.assign(probability=risk), subject, top_share, seed)
    return queue.flagged(np.ones((subject.max(initial=-1) + 1, 1), np.int32))[:, 0] > 0


@dataclass(frozen=True)
class _Test:
    """Labelled rows by subject and by the episode that they come before (-1: none), and whose episode each is."""

    rows: pd.DataFrame
    label: Values
    subject: Places
    episode: Places
    owner: Places
    weights: Values

    def by_subject(self, of: Values | Flags) -> Values:
        """Sum over each subject's rows."""
        return np.bincount(self.subject, of, self.weights.shape[1]).astype(np.float64)

    def caught(self, of: Flags) -> Flags:
        """Episodes before which any of these rows lies."""
        return np.bincount(self.episode[of & (self.episode >= 0)], minlength=len(self.owner)) > 0

    def by_owner(self, of: Flags) -> Values:
        """Sum over each subject's episodes."""
        return np.bincount(self.owner, of, self.weights.shape[1]).astype(np.float64)

    def ratio(self, part: Values, whole: Values, scale: float = 1.0) -> Metric:
        """One sum over subjects by another, in every resample; the first is the estimate."""
        return resampling.with_interval(scale * self._divided(part, whole))

    def share(self, part: Values, whole: Values, scale: float = 1.0) -> Metric:
        """The same where the first sum counts some of what the second counts."""
        value, low, high = resampling.share_with_interval(self._divided(part, whole), int(np.count_nonzero(whole)))
        return scale * value, scale * low, scale * high

    def _divided(self, part: Values, whole: Values) -> Values:
        with np.errstate(invalid="ignore", divide="ignore"):
            divided: Values = (self.weights @ part) / (self.weights @ whole)
        return divided


def measure(
    rows: pd.DataFrame, label: Values, risks: Mapping[str, Values], weights: Values, top_share: float, seed: int,
    thresholds: Sequence[float] = (),
) -> dict[str, dict[str, Metric]]:  # fmt: skip
    """Metrics by predictor, each with its 95 % interval over resampled subjects.

    Args:
        rows: `subject_id, index_date, days_to_event, days_since_event` of labelled test rows.
        label: 1 where an event came within the horizon, else 0.
        risks: by predictor, row by row.
        weights: how often each subject was drawn, everybody first; of shape (n, n_subjects), subjects in order of appearance.
        top_share: share of the rows of a night that is flagged.
        thresholds: risks from which on acting is weighed; also for `treat_all` and `treat_none`.
    """
    test = _test(rows.reset_index(drop=True), label, weights)
    flagged = {name: flags(rows, risk, top_share, seed) for name, risk in risks.items()}
    found: dict[str, dict[str, Metric]] = {}
    for name, of in flagged.items():
        found[name] = {
            **_burden_and_gain(test, of),
            "alert_persistence": _persistence(test, of),
            **_lead_time(test, of),
            **_worths(test, risks[name], thresholds),
        }
        if RULE in flagged and name != RULE:
            new = test.caught(of & _is_quiet(rows)) & ~test.caught(flagged[RULE])
            found[name]["new_information_yield"] = test.share(test.by_owner(new), test.by_subject(of), 100.0)
    for name, chance in ((TREAT_ALL, 1.0), (TREAT_NONE, 0.0)) if thresholds else ():
        found[name] = _worths(test, np.full(len(rows), chance), thresholds)
    return found


def of_alerts(rows: pd.DataFrame, label: Values, alerted: Flags, weights: Values) -> pd.DataFrame:
    """What alerts that were given, or would have been, caught and cost: `metric, value, low, high, n_subjects, n_episodes`.

    Intervals are 95 % ones over resampled subjects. The numbers are of the subjects whose rows a metric divides by, and of the
    episodes that these rows come before.

    Args:
        rows, label, weights: as of `measure`; every scored row whose outcome is known.
        alerted: on which rows there was an alert.
    """
    test = _test(rows.reset_index(drop=True), label, weights)
    alerts, quiet = test.by_subject(alerted), test.caught(alerted & _is_quiet(rows))
    found = {
        **_burden_and_gain(test, alerted),
        PPV: test.share(test.by_subject(alerted & (label == 1)), alerts),
        QUIET_YIELD: test.share(test.by_owner(quiet), alerts, 100.0),
        **_lead_time(test, alerted),
    }
    every, ahead = np.ones(len(rows), dtype=bool), test.episode >= 0
    rest_on = {ALERTS: every, FALSE_ALERTS: every, CAUGHT: ahead, LEAD_TIME: alerted & ahead}
    told = []
    for metric, (value, low, high) in found.items():
        of = rest_on.get(metric, alerted)
        counts = {
            "n_subjects": len(np.unique(test.subject[of])),
            "n_episodes": len(np.unique(test.episode[of & ahead])),
        }
        told.append({"metric": metric, "value": value, "low": low, "high": high, **counts})
    return pd.DataFrame(told)


def _is_quiet(rows: pd.DataFrame) -> Flags:
    since = rows["days_since_event"].to_numpy(dtype=np.float64)
    quiet: Flags = np.nan_to_num(since, nan=np.inf) >= QUIET_DAYS
    return quiet


def _burden_and_gain(test: _Test, of: Flags) -> dict[str, Metric]:
    alerts, every = test.by_subject(of), test.by_subject(np.ones(len(of)))
    episodes = test.by_owner(np.ones(len(test.owner), dtype=bool))
    return {
        ALERTS: test.ratio(alerts, every, 700.0),
        FALSE_ALERTS: test.ratio(test.by_subject(of & (test.label == 0)), every, DAYS_PER_MONTH),
        CAUGHT: test.share(test.by_owner(test.caught(of)), episodes),
    }


def _test(rows: pd.DataFrame, label: Values, weights: Values) -> _Test:
    subject = pd.factorize(rows["subject_id"])[0].astype(np.int64)
    onset = rows["index_date"] + pd.to_timedelta(rows["days_to_event"].where(label == 1), unit="D")
    ahead = pd.DataFrame({"subject": subject, "onset": onset}).groupby(["subject", "onset"])
    episode = ahead.ngroup().fillna(-1).to_numpy().astype(np.int64)
    owner = ahead["subject"].first().to_numpy().astype(np.int64)
    return _Test(rows, label, subject, episode, owner, weights)


def _worths(test: _Test, risk: Values, thresholds: Sequence[float]) -> dict[str, Metric]:
    """What acting from each threshold on is worth, per row."""
    every = test.by_subject(np.ones(len(risk)))
    return {
        f"{NET_BENEFIT}{100 * t:g}%": test.ratio(test.by_subject(_worth(risk, test.label, t)), every)
        for t in thresholds
    }


def _worth(risk: Values, label: Values, threshold: float) -> Values:
    """What acting on each row from a risk on is worth, in rows with an event (Vickers 2006)."""
    gained = np.where(label == 1, 1.0, -threshold / (1 - threshold))
    return np.where(risk >= threshold, gained, 0.0)


def _persistence(test: _Test, of: Flags) -> Metric:
    """Share of flagged rows after which the same subject is flagged on the next day, of those that have a next day."""
    rows = test.rows[["subject_id", "index_date"]].assign(of=of, row=np.arange(len(of)))
    after = rows.assign(index_date=rows["index_date"] - pd.Timedelta(days=1)).drop(columns="row")
    pairs = rows[of].merge(after, on=["subject_id", "index_date"], suffixes=("", "_after"))
    is_pair, is_again = np.zeros(len(of), dtype=bool), np.zeros(len(of), dtype=bool)
    is_pair[pairs["row"]] = True
    is_again[pairs.loc[pairs["of_after"], "row"]] = True
    return test.share(test.by_subject(is_again), test.by_subject(is_pair))


def _lead_time(test: _Test, of: Flags) -> dict[str, Metric]:
    """Days from the first flag before each caught episode to its onset: the median, and its quartiles instead of an interval."""
    before = of & (test.episode >= 0)
    if not before.any():
        return {}
    first = test.rows.loc[before, "days_to_event"].groupby(test.episode[before]).max()
    low, middle, high = np.quantile(first, [0.25, 0.5, 0.75])
    return {LEAD_TIME: (float(middle), float(low), float(high))}
