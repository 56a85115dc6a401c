"""Which features a model's scores are associated with: mean size of their parts of the log-odds, on rows held out.

Every fit of a split explains rows of subjects that it never saw, so that what it merely learnt by heart counts for
nothing. How far fits agree tells how much of a ranking of features is chance. Never what causes an episode.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import resampling
from models.explanation import contributions
from models.protocol import Predictions

Values = NDArray[np.float64]
# Held-out rows that each fit explains at most: exact parts of trees are dear.
MOST_ROWS = 2000
TOP = 10
SIZE, IN_TOP, AGREEMENT = "mean_absolute_log_odds", f"share_of_fits_in_top_{TOP}", "rank_correlation_of_fits"
FEATURE, FITS = "feature=", "fits"


def importance(predictions: Predictions, matrix: pd.DataFrame, name: str, resamples: int, seed: int) -> pd.DataFrame:
    """How much each feature moves a predictor's scores, how sure that is, and how far the fits agree.

    Sizes are of parts of the log-odds within the first horizon, the mean over fits of means over rows that are not
    masked. Their intervals (95 %) resample subjects and are conditional on the fits. Of the features with the ten
    largest sizes it is told in which share of the fits they are among that fit's ten. Agreement is Spearman's rank
    correlation of two fits' sizes: the mean over pairs, and in place of an interval the least and the greatest.

    Args:
        predictions: of one task and split.
        matrix: holds the predicted rows by `subject_id, index_date`.
        name: of the predictor.

    Returns:
        `task, horizon_days, split, model, group, metric, value, low, high, n_subjects, n_episodes, n_fits`, largest sizes
        first; `group` is `feature=NAME`, or `fits` for their agreement.
    """
    sizes, drawn = _sizes(predictions, matrix, name, resamples, seed)
    features = next(iter(predictions.fits.values()))[name].features
    order = np.argsort(-drawn[0], kind="stable")
    is_top = _are_top(sizes)
    found = [(FEATURE + features[k], SIZE, drawn[0, k], *resampling.interval(drawn[1:, k])) for k in order]
    found += [(FEATURE + features[k], IN_TOP, is_top[:, k].mean(), np.nan, np.nan) for k in order[:TOP]]
    found.append((FITS, AGREEMENT, *_agreement(sizes)))
    table = pd.DataFrame(found, columns=["group", "metric", "value", "low", "high"])
    of: dict[str, str | int] = {"task": predictions.task, "horizon_days": predictions.horizons_days[0],
                                "split": predictions.split, "model": name}  # fmt: skip
    table = table.assign(**of)[[*of, *table.columns]]
    at_risk = predictions.rows[~predictions.rows["is_masked"].astype(bool)]
    onset = at_risk["index_date"] + pd.to_timedelta(at_risk["days_to_event"], unit="D")
    episodes = onset.groupby(at_risk["subject_id"]).nunique()
    return table.assign(n_subjects=len(episodes), n_episodes=int(episodes.sum()), n_fits=len(sizes))


def _sizes(
    predictions: Predictions, matrix: pd.DataFrame, name: str, resamples: int, seed: int
) -> tuple[Values, Values]:
    """Sizes by fit, of shape (n_fits, n_features); their mean over fits, first as it is and then as resampled."""
    rows, key = predictions.rows, ["subject_id", "index_date"]
    place = rows[key].merge(matrix[key].assign(place=np.arange(len(matrix))), on=key, how="left")["place"].to_numpy()
    code, subjects = pd.factorize(rows["subject_id"])
    weights = np.vstack([np.ones(len(subjects)), resampling.draws(len(subjects), resamples, seed)])
    rng = np.random.default_rng(seed)
    fits = []
    for (cut, fold), fitted in sorted(predictions.fits.items()):
        is_own = (rows["cut"] == cut) & (rows["fold"] == fold) & ~rows["is_masked"].astype(bool)
        own = np.flatnonzero(is_own)
        if len(own):
            chosen = rng.choice(own, min(MOST_ROWS, len(own)), replace=False)
            parts = np.abs(contributions(fitted[name], matrix.iloc[place[chosen]]))
            fits.append(_means(parts, code[chosen], weights))
    each = np.stack(fits)
    with np.errstate(invalid="ignore"):
        # A fit none of whose subjects was drawn says nothing in that resample.
        drawn = np.nansum(each, axis=0) / np.isfinite(each).sum(axis=0)
    return each[:, 0], drawn


def _means(parts: Values, code: NDArray[np.int64], weights: Values) -> Values:
    """Mean over rows of each feature's sizes under each weighting of subjects, of shape (n_weightings, n_features)."""
    present, own = np.unique(code, return_inverse=True)
    sums = pd.DataFrame(parts).groupby(own).sum().to_numpy()
    drawn = weights[:, present]
    with np.errstate(invalid="ignore"):
        means: Values = (drawn @ sums) / (drawn @ np.bincount(own).astype(np.float64))[:, None]
    return means


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
