"""What abstaining for want of data does: how good the rows are that get a score, and who is left without one.

A subject with too little data gets a status and no score. Whether that rule keeps the worse figures out, and whom it leaves
out, is measured on the test rows of a training, each scored as if nobody had abstained.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import resampling
from models.calibration import binned_levels, binned_slopes, slope_and_intercept
from models.fairness.groups import group_subjects

Values = NDArray[np.float64]
Counts = NDArray[np.float64] | NDArray[np.int64] | NDArray[np.intp]
Metric = tuple[float, float, float]
ALL, SCORED, ABSTAINED = "all", "scored", "abstained"
SHARE, MISSED = "share_abstained", "episodes_missed"
# As in evaluation: the second decimal of a slope's interval decides nothing.
CALIBRATION_RESAMPLES = 300
MISSING: Metric = (float("nan"),) * 3


def abstention(tested: pd.DataFrame, completeness: Values, least: float, resamples: int, seed: int) -> pd.DataFrame:
    """Figures of all labelled test rows, of those that would be scored, and of those that would not.

    Args:
        tested: `subject_id, index_date, days_to_event, label, probability` at one horizon.
        completeness: of each row, share of the last 28 days with any data; missing counts as none.
        least: completeness that a score needs.

    Returns:
        `group, metric, value, low, high, n_rows, n_subjects, n_episodes, n_event_subjects, largest_event_share` (of positive
        rows): `auroc, calibration_slope, calibration_intercept, observed_rate, mean_predicted` by group, missing where there
        are not two event subjects; of `all` also `share_abstained` of rows, and `episodes_missed`, the share of episodes
        before which no row within the horizon would be scored. Intervals (95 %) resample subjects.
    """
    is_out = np.nan_to_num(completeness) < least
    code, subjects = pd.factorize(tested["subject_id"])
    weights = np.vstack([np.ones(len(subjects)), resampling.draws(len(subjects), resamples, seed)])
    episode, owner = _episodes(tested, code)
    found = []
    for group, mask in ((ALL, np.ones(len(tested), bool)), (SCORED, ~is_out), (ABSTAINED, is_out)):
        events = np.bincount(code[mask], tested["label"][mask], len(subjects))
        counts = {"n_rows": int(mask.sum()), "n_subjects": len(np.unique(code[mask])),
                  "n_episodes": len(np.unique(episode[mask & (episode >= 0)])), "n_event_subjects": int((events > 0).sum()),
                  "largest_event_share": float(events.max() / events.sum()) if events.sum() else np.nan}  # fmt: skip
        figures = _figures(tested[mask], code[mask], weights)
        if group == ALL:
            caught = np.bincount(episode[~is_out & (episode >= 0)], minlength=len(owner)) > 0
            missed = np.bincount(owner, ~caught, len(subjects)).astype(np.float64)
            figures[SHARE] = _ratio(weights, np.bincount(code, is_out), np.bincount(code))
            figures[MISSED] = _ratio(weights, missed, np.bincount(owner, minlength=len(subjects)))
        found += [{"group": group, "metric": metric, "value": of[0], "low": of[1], "high": of[2], **counts}
                  for metric, of in figures.items()]  # fmt: skip
    return pd.DataFrame(found)


def _episodes(tested: pd.DataFrame, code: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The episode that each row comes before within the horizon (-1: none), and whose each episode is."""
    onset = tested["index_date"] + pd.to_timedelta(tested["days_to_event"], unit="D")
    keys = pd.DataFrame({"code": code, "onset": onset.to_numpy()})[(tested["label"] == 1).to_numpy()]
    episode = np.full(len(tested), -1)
    grouped = keys.groupby(["code", "onset"])
    episode[keys.index] = grouped.ngroup().to_numpy()
    return episode, grouped["code"].first().to_numpy(dtype=np.int64)


def _figures(rows: pd.DataFrame, code: NDArray[np.int64], weights: Values) -> dict[str, Metric]:
    """Ranking and calibration of some rows, with subjects resampled as everywhere."""
    score, label = rows["probability"].to_numpy(float), rows["label"].to_numpy(float)
    names = ("auroc", "calibration_slope", "calibration_intercept", "observed_rate", "mean_predicted")
    if len(np.unique(code[label == 1])) < 2 or not (label == 0).any():
        return dict.fromkeys(names, MISSING)
    curve = resampling.curve(score, label, code, weights)
    binned = curve.score, curve.rows[:CALIBRATION_RESAMPLES], curve.positives[:CALIBRATION_RESAMPLES]
    slopes, levels = binned_slopes(*binned), binned_levels(*binned)
    slopes[0], levels[0] = slope_and_intercept(score, label)
    aurocs = resampling.concordance(score, label, code).auroc(weights)
    means = [resampling.subject_means(of, code, weights) for of in (label, score)]
    return dict(zip(names, map(_with_interval, (aurocs, slopes, levels, *means)), strict=True))


def _with_interval(values: Values) -> Metric:
    return float(values[0]), *resampling.interval(values[1:])


def _ratio(weights: Values, part: Counts, whole: Counts) -> Metric:
    """One sum over subjects by another, in every resample."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return _with_interval((weights @ part) / (weights @ whole))


def shares(
    tested: pd.DataFrame, completeness: Values, least: float, attributes: pd.DataFrame, references: Mapping[str, str],
    resamples: int, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """Share of rows without a score in each group of each attribute, with what disclosure rules ask.

    Args:
        tested, completeness, least: as of `abstention`.
        attributes, references: as of `characteristics`.

    Returns:
        `attribute, group, value, low, high, n_subjects, n_event_subjects, largest_event_share` (of positive rows).

    Raises:
        ModelsError: as `fairness.groups.group_subjects`.
    """
    is_out = np.nan_to_num(completeness) < least
    code, subjects = pd.factorize(tested["subject_id"])
    weights = np.vstack([np.ones(len(subjects)), resampling.draws(len(subjects), resamples, seed)])
    events = np.bincount(code, tested["label"], len(subjects))
    out, rows = np.bincount(code, is_out), np.bincount(code)
    found: list[dict[str, object]] = []
    for grouping in group_subjects(attributes, pd.Index(subjects), events > 0, references):
        for k, level in enumerate(grouping.levels if not grouping.is_crossed else ()):
            is_in = grouping.codes == k
            value, low, high = _ratio(weights, out * is_in, rows * is_in)
            own = events[is_in]
            found.append({
                "attribute": grouping.name, "group": level, "value": value, "low": low, "high": high,
                "n_subjects": int(is_in.sum()), "n_event_subjects": int((own > 0).sum()),
                "largest_event_share": float(own.max() / own.sum()) if own.sum() else np.nan,
            })  # fmt: skip
    return pd.DataFrame(found)
