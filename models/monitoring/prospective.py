"""How published scores turned out: by group, by time, by whether somebody acted; and whether that is worse than was promised."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import reliability, resampling
from models.fairness.disclosure import is_showable
from models.fairness.groups import EVERYBODY
from models.monitoring.limits import SHARE_FOR_EVERYBODY

Values = NDArray[np.float64]
Metric = tuple[float, float, float]
AUROC, RATIO = "auroc", "observed_to_expected"
OF_RELIABILITY = ("brier", "calibration_slope", "calibration_intercept")
CAUGHT, PPV = "episodes_caught", "alert_ppv"
METRICS = (AUROC, RATIO, *OF_RELIABILITY, CAUGHT, PPV)
WEEKS, ACTED, NOT_ACTED = "four weeks from ", "somebody acted", "nobody acted"
WEEKS_OF_A_BLOCK, FIRST_MONDAY = 4, pd.Timestamp("1970-01-05")
# Looks are a week apart.
LOOKS_A_YEAR = 52
# With fewer, a spread over resamples says nothing of how sure a figure is.
FEWEST_EVENT_SUBJECTS = 10
# Of a 95 % interval, half its width in standard errors.
NORMAL = 1.96
# What is asked at each look of each group: do as many have an event as was said, and is the order right?
QUESTIONS = (RATIO, AUROC)
# Rows of more nights hardly make a figure surer; of so many rows a look takes seconds.
MOST_ROWS = 400_000
FIGURES = ("outcome", "horizon_days", "model", "group", "metric", "value", "low", "high", "n_subjects", "n_episodes",
           "spread", "is_beyond", "promised")  # fmt: skip


@dataclass(frozen=True)
class Promise:
    """The AUROC that the evaluation found before a version served, with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def spread(self) -> float:
        """Its standard error; 0 where no interval was given."""
        return float(np.nan_to_num((self.high - self.low) / (2 * NORMAL)))


def thinned(rows: pd.DataFrame, most: int = MOST_ROWS) -> pd.DataFrame:
    """The rows of one night in so many that at most that many rows are left, evenly over time, as on other weekdays each time."""
    every = int(np.ceil(len(rows) / most)) if len(rows) else 1
    # No multiple of a week, which would show one weekday only.
    every += every % 7 == 0
    number = rows["as_of_date"].to_numpy().astype("datetime64[D]").astype(np.int64)
    return rows[number % every == 0] if every > 1 else rows


def figures(rows: pd.DataFrame, groups: Mapping[str, pd.Series], resamples: int, seed: int) -> pd.DataFrame:
    """Figures of one outcome's scores: of everybody, of each group, by four weeks, and by whether somebody acted.

    Args:
        rows: `subject_id, as_of_date, probability, label, onset, is_alert, is_acted_on`, of nights whose horizon is over; `onset` is
            the day of the event that a positive label is about.
        groups: for each attribute the level of each subject, indexed by subject.

    Returns:
        `group, metric, value, low, high, n_subjects, n_episodes, spread`; values are missing where too few are told of. `spread` is
        the standard error over resampled subjects, of the logarithm for ratios.
    """
    found = [_of(rows, EVERYBODY, resamples, seed)]
    for attribute, levels in groups.items():
        level = rows["subject_id"].map(levels)
        found += [_of(part, f"{attribute}={name}", resamples, seed) for name, part in rows.groupby(level.to_numpy())]
    acted = rows["is_acted_on"].to_numpy()
    if acted.any():
        found += [_of(rows[acted], ACTED, resamples, seed), _of(rows[~acted], NOT_ACTED, resamples, seed)]
    block = (rows["as_of_date"] - FIRST_MONDAY).dt.days // (7 * WEEKS_OF_A_BLOCK)
    for number, part in rows.groupby(block):
        begin = FIRST_MONDAY + pd.Timedelta(weeks=WEEKS_OF_A_BLOCK * int(str(number)))
        found.append(_of(part, f"{WEEKS}{begin:%Y-%m-%d}", resamples, seed))
    return pd.concat(found, ignore_index=True)


def _of(rows: pd.DataFrame, group: str, resamples: int, seed: int) -> pd.DataFrame:
    """Every metric of some rows."""
    positive = rows[rows["label"] == 1]
    by_subject = positive["subject_id"].value_counts()
    share = float(by_subject.max() / by_subject.sum()) if len(by_subject) else 1.0
    size = {
        "n_subjects": rows["subject_id"].nunique(),
        "n_event_subjects": len(by_subject),
        "largest_event_share": share,
    }
    is_told = bool(is_showable(pd.DataFrame([size])).all()) and len(positive) < len(rows)
    measured = _measured(rows, resamples, seed) if is_told else {}
    nothing = (float("nan"), float("nan"), float("nan")), float("nan")
    told = {metric: measured.get(metric, nothing) for metric in METRICS}
    episodes = len(positive[["subject_id", "onset"]].drop_duplicates())
    return pd.DataFrame(
        [
            {"group": group, "metric": metric, "value": of[0], "low": of[1], "high": of[2], "spread": spread,
             "n_subjects": size["n_subjects"] * is_told, "n_event_subjects": size["n_event_subjects"] * is_told,
             "n_episodes": episodes * is_told}
            for metric, (of, spread) in told.items()
        ]
    )  # fmt: skip


def _measured(rows: pd.DataFrame, resamples: int, seed: int) -> dict[str, tuple[Metric, float]]:
    """Each metric with its interval and standard error."""
    codes, subjects = pd.factorize(rows["subject_id"])
    subject = codes.astype(np.int64)
    score, label = rows["probability"].to_numpy(np.float64), rows["label"].to_numpy(np.float64)
    weights = np.vstack([np.ones(len(subjects)), resampling.draws(len(subjects), resamples, seed)])
    auroc = resampling.concordance(score, label, subject).auroc(weights)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = _sums(label, subject, weights) / _sums(score, subject, weights)
        log_ratio = np.log(ratio)
    found = {
        AUROC: (resampling.with_interval(auroc), _spread(auroc)),
        RATIO: (resampling.with_interval(ratio), _spread(log_ratio)),
    }
    curve = resampling.curve(score, label, subject, weights)
    reliable = reliability.measure(score, label, subject, weights, curve)
    found |= {name: (reliable[name], float("nan")) for name in OF_RELIABILITY}
    of_alerts = _of_alerts(rows, subject, weights)
    return found | {name: (metric, float("nan")) for name, metric in of_alerts.items()}


def _of_alerts(rows: pd.DataFrame, subject: NDArray[np.int64], weights: Values) -> dict[str, Metric]:
    """Share of episodes before which an alert was given, and share of alerts that an event followed."""
    alert, label = rows["is_alert"].to_numpy(np.float64), rows["label"].to_numpy(np.float64)
    positive = label == 1
    episode = pd.DataFrame({"subject": subject, "onset": rows["onset"].to_numpy(), "alert": alert})[positive]
    of_each = episode.groupby(["subject", "onset"])["alert"].max().reset_index()
    owner = of_each["subject"].to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        caught = _sums(of_each["alert"].to_numpy(), owner, weights) / _sums(np.ones(len(owner)), owner, weights)
        ppv = _sums(alert * label, subject, weights) / _sums(alert, subject, weights)
    return {
        CAUGHT: resampling.share_with_interval(caught, len(np.unique(owner))),
        PPV: resampling.share_with_interval(ppv, len(np.unique(subject[alert > 0]))),
    }


def _sums(values: Values, subject: NDArray[np.int64], weights: Values) -> Values:
    total: Values = weights @ np.bincount(subject, values, weights.shape[1])
    return total


def _spread(resamples: Values) -> float:
    valid = resamples[1:][np.isfinite(resamples[1:])]
    return (
        float(np.std(valid, ddof=1)) if len(valid) >= resampling.FEWEST_VALID * (len(resamples) - 1) else float("nan")
    )


def judged(found: pd.DataFrame, promise: Promise | None, false_alarms_per_year: float) -> pd.DataFrame:
    """The figures with `is_beyond`: worse than was promised, however often one looks, and `promised`.

    A year's looks of all groups share the accepted false alarms, half for everybody and half for groups. As many events as
    expected are promised to everybody; an order as good as in the evaluation, and no better, to everybody only: in a group it was
    not promised. Too few subjects with an event are not judged.
    """
    is_group = found["group"].str.contains("=") & ~found["group"].str.startswith(WEEKS)
    n_groups = max(found.loc[is_group, "group"].nunique(), 1)
    spent = false_alarms_per_year / LOOKS_A_YEAR
    of_everybody = NormalDist().inv_cdf(1 - spent * SHARE_FOR_EVERYBODY / len(QUESTIONS) / 2)
    of_groups = NormalDist().inv_cdf(1 - spent * (1 - SHARE_FOR_EVERYBODY) / n_groups / 2)
    limit = np.where(found["group"] == EVERYBODY, of_everybody, np.where(is_group, of_groups, np.nan))
    enough = (found["n_event_subjects"] >= FEWEST_EVENT_SUBJECTS).to_numpy()
    value, spread = found["value"].to_numpy(np.float64), found["spread"].to_numpy(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.abs(np.log(value)) / spread
        worse = (promise.value - value) / np.hypot(spread, promise.spread) if promise else np.full(len(found), np.nan)
    is_ratio = (found["metric"] == RATIO).to_numpy()
    is_order = ((found["metric"] == AUROC) & (found["group"] == EVERYBODY)).to_numpy()
    beyond = enough & ((is_ratio & (off > limit)) | (is_order & (worse > limit)))
    promised = np.where(
        is_ratio, 1.0, np.where(is_order & (promise is not None), promise.value if promise else np.nan, np.nan)
    )
    return found.assign(is_beyond=beyond, promised=promised)
