"""What a score is associated with: exact SHAP values of the trees, exact contributions of the linear part; never causes."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray

from models.risk import HazardModel, booster, linear_contributions

Values = NDArray[np.float64]
# From here on, decimals say nothing.
LARGE = 100


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


def drivers(
    model: HazardModel, matrix: pd.DataFrame, words: Callable[[str], str], top: int = 5
) -> list[tuple[str, ...]]:
    """The `top` features that raise each row's score most, in words, strongest first.

    Only parts that raise the risk are named; a row whose risk nothing raises gets none.
    """
    parts = contributions(model, matrix)
    order = np.argsort(-parts, axis=1, kind="stable")[:, :top]
    values = matrix[list(model.features)].to_numpy(dtype=np.float64)
    return [
        tuple(_phrase(words(model.features[k]), values[i, k]) for k in chosen if parts[i, k] > 0)
        for i, chosen in enumerate(order)
    ]


def _phrase(words: str, value: float) -> str:
    figure = "no data" if np.isnan(value) else f"{value:,.0f}" if abs(value) >= LARGE else f"{value:.2g}"
    return f"{words}: {figure}"
