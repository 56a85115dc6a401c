"""Which features a model's scores are associated with: mean size of their parts of the log-odds, on rows held out.

Every fit of a split explains rows of subjects that it never saw, so that what it merely learnt by heart counts for
nothing. How far fits agree tells how much of a ranking of features is chance, and whether those subjects bear out sign and
size of a feature's part, whether it may be told of somebody. Never what causes an episode.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import resampling
from models.explanation import contributions_within
from models.outcomes import at_horizon
from models.protocol import Predictions

Values = NDArray[np.float64]
# Held-out rows that each fit explains at most: exact parts of trees are dear.
MOST_ROWS = 2000
TOP = 10
# No spread at all.
EPSILON = 1e-300
SIZE, IN_TOP, AGREEMENT = "mean_absolute_log_odds", f"share_of_fits_in_top_{TOP}", "rank_correlation_of_fits"
# 1: the feature's part is as large as what came to pass says; 0: nothing of it shows; below: it points the other way.
BORNE_OUT = "calibration_slope_of_part"
FEATURE, FITS = "feature=", "fits"


def importance(
    predictions: Predictions, matrix: pd.DataFrame, name: str, horizon_days: int, resamples: int, seed: int
) -> pd.DataFrame:
    """How much each feature moves a predictor's scores, how sure that is, and how far the fits agree.

    Sizes are of parts of the log-odds within a horizon, the mean over fits of means over rows that are not
    masked. Their intervals (95 %) resample subjects and are conditional on the fits. Of the features with the ten
    largest sizes it is told in which share of the fits they are among that fit's ten. Agreement is Spearman's rank
    correlation of two fits' sizes: the mean over pairs, and in place of an interval the least and the greatest.

    The slope of a part is by how much it would have to be multiplied, all others left as they are, to fit the events of the
    rows best: 1 + sum f (y - p) / sum f^2 p (1 - p), one step of Newton's method, with f the part less its mean in the fit,
    y the event and p the risk. Missing where the part never varies.

    Args:
        predictions: of one task and split.
        matrix: holds the predicted rows by `subject_id, index_date`.
        name: of the predictor.
        horizon_days: one of its horizons.

    Returns:
        `task, horizon_days, split, model, group, metric, value, low, high, n_subjects, n_episodes, n_fits`, largest sizes
        first; `group` is `feature=NAME`, or `fits` for their agreement.
    """
    features = next(iter(predictions.fits.values()))[name].features
    sizes, drawn, slopes = _drawn(predictions, matrix, name, horizon_days, resamples, seed)
    order = np.argsort(-drawn[0], kind="stable")
    is_top = _are_top(sizes)
    found = [(FEATURE + features[k], SIZE, drawn[0, k], *resampling.interval(drawn[1:, k])) for k in order]
    found += [(FEATURE + features[k], IN_TOP, is_top[:, k].mean(), np.nan, np.nan) for k in order[:TOP]]
    found += [(FEATURE + features[k], BORNE_OUT, slopes[0, k], *resampling.interval(slopes[1:, k])) for k in order]
    found.append((FITS, AGREEMENT, *_agreement(sizes)))
    table = pd.DataFrame(found, columns=["group", "metric", "value", "low", "high"])
    of: dict[str, str | int] = {"task": predictions.task, "horizon_days": horizon_days,
                                "split": predictions.split, "model": name}  # fmt: skip
    table = table.assign(**of)[[*of, *table.columns]]
    at_risk = predictions.rows[~predictions.rows["is_masked"].astype(bool)]
    onset = at_risk["index_date"] + pd.to_timedelta(at_risk["days_to_event"], unit="D")
    episodes = onset.groupby(at_risk["subject_id"]).nunique()
    return table.assign(n_subjects=len(episodes), n_episodes=int(episodes.sum()), n_fits=len(sizes))


def contradicted(rows: pd.DataFrame, outcome: str, name: str) -> tuple[str, ...]:
    """Features whose part people held out contradict: its slope is proven to lie below 0.

    Args:
        rows: of `importance`, with `outcome`.
        name: of the predictor.
    """
    own = rows[(rows["outcome"] == outcome) & (rows["model"] == name) & (rows["metric"] == BORNE_OUT)]
    return tuple(own.loc[own["high"] < 0, "group"].str.removeprefix(FEATURE))


def _drawn(
    predictions: Predictions, matrix: pd.DataFrame, name: str, horizon_days: int, resamples: int, seed: int
) -> tuple[Values, Values, Values]:
    """Sizes by fit, of shape (n_fits, n_features); their mean over fits, and slopes, first as they are and then as resampled."""
    rows, key = predictions.rows, ["subject_id", "index_date"]
    place = rows[key].merge(matrix[key].assign(place=np.arange(len(matrix))), on=key, how="left")["place"].to_numpy()
    code, subjects = pd.factorize(rows["subject_id"])
    weights = np.vstack([np.ones(len(subjects)), resampling.draws(len(subjects), resamples, seed)])
    label, risk = (
        at_horizon(rows, horizon_days),
        predictions.risks[name][:, predictions.horizons_days.index(horizon_days)],
    )
    rng = np.random.default_rng(seed)
    fits, excess, information = [], [], []
    for (cut, fold), fitted in sorted(predictions.fits.items()):
        is_own = (rows["cut"] == cut) & (rows["fold"] == fold) & ~rows["is_masked"].astype(bool)
        own = np.flatnonzero(is_own)
        if len(own):
            chosen = rng.choice(own, min(MOST_ROWS, len(own)), replace=False)
            parts = contributions_within(fitted[name], matrix.iloc[place[chosen]], horizon_days)
            fits.append(_means(np.abs(parts), code[chosen], weights))
            seen = np.isfinite(label[chosen])
            some, p = chosen[seen], risk[chosen[seen], None]
            apart = parts[seen] - (parts[seen] * p * (1 - p)).sum(axis=0) / np.maximum((p * (1 - p)).sum(), EPSILON)
            excess.append(_sums(apart * (label[some, None] - p), code[some], weights))
            information.append(_sums(apart**2 * p * (1 - p), code[some], weights))
    each = np.stack(fits)
    with np.errstate(invalid="ignore", divide="ignore"):
        # A fit none of whose subjects was drawn says nothing in that resample.
        drawn = np.nansum(each, axis=0) / np.isfinite(each).sum(axis=0)
        slopes = 1 + np.sum(excess, axis=0) / np.sum(information, axis=0)
    return each[:, 0], drawn, np.where(np.isfinite(slopes), slopes, np.nan)


def _means(parts: Values, code: NDArray[np.int64], weights: Values) -> Values:
    """Mean over rows of each feature's sizes under each weighting of subjects, of shape (n_weightings, n_features)."""
    with np.errstate(invalid="ignore"):
        means: Values = _sums(parts, code, weights) / _sums(np.ones((len(code), 1)), code, weights)
    return means


def _sums(parts: Values, code: NDArray[np.int64], weights: Values) -> Values:
    """Sum over rows of each column under each weighting of subjects, of shape (n_weightings, n_columns)."""
    present, own = np.unique(code, return_inverse=True)
    totals = np.zeros((len(present), parts.shape[1]))
    np.add.at(totals, own, parts)
    summed: Values = weights[:, present] @ totals
    return summed


def _are_top(sizes: Values) -> NDArray[np.bool_]:
    """Whether each feature is among a fit's ten largest; one without any part never is."""
    rank = pd.DataFrame(-sizes).rank(axis=1, method="first").to_numpy()
    found: NDArray[np.bool_] = (rank <= TOP) & (sizes > 0)
    return found


def _agreement(sizes: Values) -> tuple[float, float, float]:
    """Mean, least and greatest rank correlation of two fits; missing where there is one only."""
    pairs = pd.DataFrame(sizes.T).corr(method="spearman").to_numpy()[np.triu_indices(len(sizes), 1)]
    known = pairs[np.isfinite(pairs)]
    return (float(known.mean()), float(known.min()), float(known.max())) if len(known) else (np.nan, np.nan, np.nan)
