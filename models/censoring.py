"""Whether the gain hangs on who was lost to follow-up: inverse-probability-of-censoring weights, as a sensitivity analysis.

Rows whose horizon was not followed up have no label. If those are other people than the rest, figures of the rest mislead.
Each labelled row is counted once more for the rows like it that were lost (Robins and Finkelstein 2000), as far as what
was known at the cutoff tells who is lost; what nobody knew then stays a limit.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models import resampling
from models.baselines import MODEL
from models.evaluation import COLUMNS, GAIN
from models.outcomes import at_horizon
from models.protocol import Predictions

Values = NDArray[np.float64]
AUROC, WEIGHTED_GAIN = "auroc_ipcw", f"{GAIN}_ipcw"
# A row stands for at most so many: else a handful of them would decide.
LARGEST_WEIGHT = 20.0


def weights(labels: pd.DataFrame, covariates: pd.DataFrame, horizon_days: int, night: pd.Timestamp) -> Values:
    """For how many rows each labelled row stands, on average 1; missing where a row has no label.

    Args:
        labels: of one task, as of `models.outcomes.label`.
        covariates: numbers known at each row's cutoff, row by row beside them; missing is a value of its own.
        horizon_days: the horizon.
        night: rows whose horizon was not over by then were lost by the calendar, whoever they are, and ask for no weight.
    """
    known = np.isfinite(at_horizon(labels, horizon_days))
    is_over = (labels["index_date"] + pd.Timedelta(days=horizon_days) <= night).to_numpy()
    could = is_over & ~labels["is_masked"].to_numpy() & ~labels["is_admitted"].to_numpy()
    weight = np.where(known, 1.0, np.nan)
    if known[could].all() or not known[could].any():
        return weight
    x = np.column_stack([covariates.fillna(covariates.median()).fillna(0.0), covariates.isna()]).astype(np.float64)
    kept = make_pipeline(StandardScaler(), LogisticRegression()).fit(x[could], known[could])
    weight[known] = np.minimum(1 / kept.predict_proba(x[known])[:, 1], LARGEST_WEIGHT)
    weight /= np.nanmean(weight)
    return weight


def sensitivity(
    predictions: Predictions, covariates: pd.DataFrame, horizon_days: int, bar: str, night: pd.Timestamp, dataset: str,
    outcome: str, resamples: int, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """Tidy rows of the AUROC of the model and of the best rule, and of the gain, by rows so weighted; none where none was lost.

    Intervals resample subjects; fits and weights stay.

    Args:
        covariates: as of `weights`, row by row beside `predictions.rows`.
        bar: the best baseline's name.
    """
    rows, place = predictions.rows, predictions.horizons_days.index(horizon_days)
    weight, label = weights(rows, covariates, horizon_days, night), at_horizon(rows, horizon_days)
    kept = np.isfinite(label)
    if np.ptp(weight[kept]) == 0:
        return pd.DataFrame(columns=list(COLUMNS))
    code, subjects = pd.factorize(rows["subject_id"][kept])
    drawn = np.vstack([np.ones(len(subjects)), resampling.draws(len(subjects), resamples, seed)])
    found = {
        model: resampling.concordance(
            predictions.risks[model][kept, place], label[kept], code.astype(np.int64), weight[kept]
        ).auroc(drawn)
        for model in (MODEL, bar)
    }
    figures = [(model, AUROC, of) for model, of in found.items()]
    onset = rows["index_date"] + pd.to_timedelta(rows["days_to_event"], unit="D")
    episodes = pd.DataFrame({"of": rows["subject_id"], "on": onset})[label == 1].drop_duplicates()
    told = {"dataset": dataset, "outcome": outcome, "task": predictions.task, "horizon_days": horizon_days,
            "split": predictions.split, "group": "all", "n_subjects": len(subjects), "n_episodes": len(episodes)}  # fmt: skip
    tidy = [
        {**told, "model": model, "metric": metric, **dict(zip(("value", "low", "high"), resampling.with_interval(of), strict=True))}
        for model, metric, of in [*figures, (MODEL, WEIGHTED_GAIN, found[MODEL] - found[bar])]
    ]  # fmt: skip
    return pd.DataFrame(tidy, columns=list(COLUMNS))
