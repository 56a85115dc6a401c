"""How sure a gain is when the models could have come out otherwise too: subjects are drawn anew and everything is refitted.

An out-of-bag bootstrap: each resample fits every predictor on the subjects drawn, as often as they were, and tests on those
that were not. Fits see 63 % of the subjects and tests 37 %, so that the interval is rather too wide than too narrow.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from models import protocol, resampling, splits
from models.baselines import MODEL, Predictor
from models.evaluation import COLUMNS, GAIN
from models.outcomes import at_horizon

Values = NDArray[np.float64]
REFITTED_GAIN = f"{GAIN}_refitted"
# How many resamples gave that gain.
REFITS = "refits_with_a_gain"


def refit(
    matrix: pd.DataFrame, labels: pd.DataFrame, horizons_days: tuple[int, ...], predictors: Sequence[Predictor],
    periods: Sequence[splits.Period], train_every_days: int, resamples: int, seed: int, threads: int,
    progress: Callable[[float], None],
) -> dict[str, Values]:  # fmt: skip
    """AUROC of every predictor on the subjects left out, of shape (n_resamples, n_horizons).

    Further resamples are drawn for those that gave no figure, as long as an interval can come of it.

    Args:
        matrix, labels: row by row beside each other; `labels` of one task.
        horizons_days: rising horizons.
        periods: what may be learnt from and what is tested, as in the split that headlines (`splits.periods`).
        resamples: how many are to give a figure at every horizon.
        progress: told the share of resamples done.

    Returns:
        By predictor; missing where a resample left no onset or nothing else to test on, or too few to learn from.
    """
    labels = labels.reset_index(drop=True)
    code, subjects = pd.factorize(labels["subject_id"])
    learnt = {p.name: protocol.learnt_from(matrix, labels, p.features, train_every_days) for p in predictors}
    known = np.column_stack([at_horizon(labels, horizon) for horizon in horizons_days])

    def one(resample: int) -> dict[str, Values]:
        generator = np.random.default_rng([seed, resample])
        times = np.bincount(generator.integers(len(subjects), size=len(subjects)), minlength=len(subjects))[code]
        tested, risks = [], []
        for period in periods:
            train = {
                name: np.repeat(rows := np.flatnonzero(period.train & of), times[rows]) for name, of in learnt.items()
            }
            test = np.flatnonzero(period.test & (times == 0))
            told = labels if period.known is None else period.known
            if len(test) and all(protocol.is_learnable(told.iloc[rows]) for rows in train.values()):
                tested.append(test)
                risks.append(protocol.fit_and_rank(matrix, told, train, test, horizons_days, predictors, seed))
        rows = np.concatenate([np.array([], np.int64), *tested])
        return {p.name: _aurocs(known[rows], [found[p.name] for found in risks]) for p in predictors}

    found: list[dict[str, Values]] = []
    missing = resamples
    with ThreadPoolExecutor(threads) as pool:
        while missing and len(found) + missing <= resamples / resampling.FEWEST_VALID:
            for aurocs in pool.map(one, range(len(found), len(found) + missing)):
                found.append(aurocs)
                progress(min(1.0, len(found) / resamples))
            missing = resamples - sum(all(np.isfinite(of).all() for of in aurocs.values()) for aurocs in found)
    return {p.name: np.stack([aurocs[p.name] for aurocs in found]) for p in predictors}


def _aurocs(known: Values, risks: list[Values]) -> Values:
    """AUROC at each horizon over the rows whose label is known."""
    pooled = np.concatenate(risks) if risks else np.zeros(known.shape)
    found = np.full(known.shape[1], np.nan)
    for k, label in enumerate(known.T):
        kept = np.isfinite(label)
        if len(np.unique(label[kept])) == 2:
            found[k] = roc_auc_score(label[kept], pooled[kept, k])
    return found


def gains(
    results: pd.DataFrame, refitted: dict[str, Values], split: str, horizons_days: tuple[int, ...]
) -> pd.DataFrame:
    """The rows of the gain on that split once more, with the interval that refitting gives, and how many resamples gave one.

    Args:
        results: tidy rows that hold `GAIN` of the onset task; the best baseline is the one named there.
        refitted: of `refit`, for that split; a gain over a baseline that is not among its predictors is left out.
    """
    rows = results[(results["metric"] == GAIN) & (results["task"] == "onset") & (results["split"] == split)]
    found = []
    for row in rows.to_dict("records"):
        best = str(row["group"]).removeprefix("best baseline: ")
        if best in refitted:
            place = horizons_days.index(int(row["horizon_days"]))
            gained = refitted[MODEL][:, place] - refitted[best][:, place]
            low, high = resampling.interval(gained)
            found.append({**row, "metric": REFITTED_GAIN, "low": low, "high": high})
            counted = int(np.isfinite(gained).sum())
            found.append({**row, "metric": REFITS, "value": counted, "low": np.nan, "high": np.nan})
    return pd.DataFrame(found, columns=list(COLUMNS))
