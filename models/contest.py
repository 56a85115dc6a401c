"""Two predictors on the same rows of people that neither saw: the difference of their AUROCs, and how sure it is."""

import numpy as np
import pandas as pd

from models import resampling


def difference(rows: pd.DataFrame, one: str, other: str, resamples: int, seed: int) -> tuple[float, float, float]:
    """AUROC of one column of risks minus that of another, and its 95 % interval over resampled subjects.

    The interval is conditional on the fitted models. All are missing without rows of both labels.

    Args:
        rows: `subject_id, label` (0 or 1) and a column of risks for each predictor.
        one, other: the columns.
        resamples: of subjects, the same for both.
        seed: what they are drawn by.
    """
    subject, subjects = pd.factorize(rows["subject_id"])
    label = rows["label"].to_numpy(dtype=float)
    everybody = np.ones((1, len(subjects)))
    weights = np.vstack([everybody, resampling.draws(len(subjects), resamples, seed)])
    more, less = (
        resampling.concordance(rows[name].to_numpy(), label, subject.astype(np.int64), len(subjects)).auroc(weights)
        for name in (one, other)
    )
    apart = more - less
    return float(apart[0]), *resampling.interval(apart[1:])
