"""What a score is associated with: exact SHAP values of the trees, exact contributions of the linear part; never causes."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray

from models.fairness.disclosure import SMALLEST_SUBJECTS
from models.risk import HazardModel, booster, linear_contributions

Values = NDArray[np.float64]
# How a feature, its value and the median beside it are said.
Say = Callable[[str, float, float], str]


def contributions(model: HazardModel, matrix: pd.DataFrame) -> Values:
    """Each feature's part of the log-odds of the first interval's hazard, of shape (n_rows, n_features).

    Parts are relative to the average training row and, with the model's level, add up to its uncalibrated log-odds.
    """
    parts = np.zeros((len(matrix), len(model.features)))
    columns = [model.features.index(feature) for feature in model.linear.features]
    parts[:, columns] = linear_contributions(model, matrix)
    if model.learner == "boosted_trees" and len(matrix):
        x = matrix[list(model.features)].to_numpy(dtype=np.float64)
        data = xgb.DMatrix(np.column_stack([x, np.zeros(len(x))]))
        parts += booster(model).predict(data, pred_contribs=True)[:, : len(model.features)]
    return parts


def medians(model: HazardModel, matrix: pd.DataFrame) -> Values:
    """What is usual of each feature among the rows, in the order of `model.features`.

    Missing where fewer than 10 rows have a value: the median of two would tell one person's own beside the other's.
    """
    known = matrix[list(model.features)].astype(np.float64)
    usual: Values = known.median().where(known.count() >= SMALLEST_SUBJECTS).to_numpy()
    return usual


def drivers(model: HazardModel, matrix: pd.DataFrame, usual: Values, say: Say, top: int = 5) -> list[tuple[str, ...]]:
    """The `top` features that raise each row's score most, in words, strongest first.

    Only parts that raise the risk are named, and nothing that is as with half of the others; a row whose risk nothing raises
    gets none.

    Args:
        usual: `medians` of all rows of the night, of which `matrix` may hold some.
    """
    parts = contributions(model, matrix)
    values = matrix[list(model.features)].to_numpy(dtype=np.float64)
    parts = np.where(values == usual, 0.0, parts)
    order = np.argsort(-parts, axis=1, kind="stable")[:, :top]
    return [
        tuple(say(model.features[k], values[i, k], usual[k]) for k in chosen if parts[i, k] > 0)
        for i, chosen in enumerate(order)
    ]
