"""Who was at risk in which interval between horizons: the rows that a hazard is learnt from and told for.

One row of the matrix is at risk in several intervals, and calibration learns from most of them three times more. So rows
are places in the matrix, and its values are copied a batch at a time.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray

from models.errors import ModelsError

Values = NDArray[np.float64]
Places = NDArray[np.int64]
# Large enough that XGBoost hardly notices, small beside a matrix. Models are the same bytes whatever it is.
BATCH_ROWS = 16_384


def at_risk(labels: pd.DataFrame, horizons_days: tuple[int, ...]) -> tuple[Places, Places, Values]:
    """Each interval that an index row was at risk in and followed through: the row, the interval, 1 if an event came."""
    to_event = np.nan_to_num(labels["days_to_event"].to_numpy(), nan=np.inf)
    followed = np.where(labels["is_masked"], 0, labels["followed_days"])
    bounds = (0, *horizons_days)
    rows, intervals, y = [], [], []
    for k in range(len(horizons_days)):
        those = np.flatnonzero((to_event >= bounds[k]) & (followed >= bounds[k + 1]))
        rows.append(those)
        intervals.append(np.full(len(those), k))
        y.append((to_event[those] < bounds[k + 1]).astype(np.float64))
    return np.concatenate(rows), np.concatenate(intervals), np.concatenate(y)


def columns_of(matrix: pd.DataFrame, features: tuple[str, ...]) -> dict[str, NDArray[np.floating]]:
    """The values of each feature, without a copy where they are floating-point numbers; NaN where missing.

    Raises:
        ModelsError: a feature is missing, is no number, or an infinite value.
    """
    missing = [feature for feature in features if feature not in matrix.columns]
    if missing:
        lacking = f"The matrix lacks {len(missing)} of the model's {len(features)} features, first `{missing[0]}`."
        raise ModelsError(f"{lacking} Build it with all of them.")
    columns = {feature: _floating(feature, matrix[feature]) for feature in features}
    infinite = sum(int(np.isinf(values).sum()) for values in columns.values())
    if infinite:
        raise ModelsError(f"The matrix holds {infinite} infinite values. Mend the feature that makes them.")
    return columns


def _floating(name: str, column: pd.Series) -> NDArray[np.floating]:
    if column.dtype in (np.float64, np.float32):
        return column.to_numpy()
    try:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        # What it says holds a value.
        raise ModelsError(
            f"Feature `{name}` holds what is no number. Give numbers, and NaN where it is not known."
        ) from None


@dataclass(frozen=True)
class Rows:
    """Rows of a matrix, each in one interval.

    Attributes:
        columns: of the matrix, by feature (`columns_of`).
        place: of each row in the matrix.
        interval: that it is at risk in, counted from 0.
    """

    columns: Mapping[str, NDArray[np.floating]]
    place: Places
    interval: Places

    def __len__(self) -> int:
        return len(self.place)

    def among(self, those: NDArray[np.bool_] | Places) -> "Rows":
        """Some of the rows, by a mask or by their places, which may come several times."""
        return Rows(self.columns, self.place[those], self.interval[those])

    def values(self, features: tuple[str, ...]) -> Values:
        """Values of some features, of shape (n_rows, n_features), column by column."""
        x = np.empty((len(self), len(features)), order="F")
        for k, feature in enumerate(features):
            x[:, k] = self.columns[feature][self.place]
        return x

    def batches(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """What trees read, some rows at a time: every feature, and the interval last; rounded as XGBoost rounds."""
        for start in range(0, len(self), BATCH_ROWS):
            part = slice(start, min(start + BATCH_ROWS, len(self)))
            x = np.empty((part.stop - start, len(self.columns) + 1), np.float32, order="F")
            for k, values in enumerate(self.columns.values()):
                x[:, k] = values[self.place[part]]
            x[:, -1] = self.interval[part]
            yield part, x


class Batches(xgb.DataIter):
    """Rows with their labels, margins and weights (none: 1), as XGBoost asks for them: several times over, a batch at a time."""

    def __init__(self, rows: Rows, y: Values, margin: Values, weight: Values | None = None) -> None:
        self._rows, self._y, self._margin, self._weight = rows, y, margin, weight
        self._ahead = rows.batches()
        super().__init__()

    def next(self, input_data: Callable[..., None]) -> bool:
        """Hand over a batch, if there is another."""
        for part, x in self._ahead:
            weight = None if self._weight is None else self._weight[part]
            input_data(data=x, label=self._y[part], base_margin=self._margin[part], weight=weight)
            return True
        return False

    def reset(self) -> None:
        """Begin anew."""
        self._ahead = self._rows.batches()
