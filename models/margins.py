"""Log-odds of hazards by fitted models: of rows in an interval, or of a matrix in every interval by several models at once.

Several models of the same features share what costs most of the time with shallow trees: that values come together.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from models.intervals import Rows
from models.linear import Linear, linear_margin, linear_parts
from models.trees import Trees

Values = NDArray[np.float64]
# A linear part, and boosted trees upon it (UBJ); empty where there are none.
Fitted = tuple[Linear, bytes]


def trees_of(raw: bytes) -> xgb.Booster:
    """Boosted trees from their bytes."""
    trees = xgb.Booster()
    trees.load_model(bytearray(raw))
    return trees


def of_rows(fitted: Fitted, rows: Rows) -> Values:
    """Log-odds of each row's hazard in its own interval, of shape (n_rows,)."""
    linear, raw = fitted
    margin = linear_margin(linear, rows.values(linear.features), rows.interval)
    if raw:
        trees = trees_of(raw)
        for part, x in rows.batches():
            margin[part] = trees.inplace_predict(x, base_margin=margin[part], predict_type="margin")
    return margin


def in_every_interval(
    models: Sequence[Fitted], columns: Mapping[str, NDArray[np.floating]], n_rows: int, n_intervals: int
) -> Values:
    """Log-odds by each of some models, of shape (n_models, n_rows, n_intervals); the same bits as of one row at a time.

    Args:
        columns: values of all features of the models, in their order.
    """
    every = Rows(columns, np.arange(n_rows), np.zeros(n_rows, dtype=np.int64))
    margins = np.empty((len(models), n_rows, n_intervals))
    for margin, (linear, _) in zip(margins, models, strict=True):
        parts = linear_parts(linear, every.values(linear.features)).sum(axis=1)
        margin[:] = parts[:, None] + np.array(linear.interval_level)
    boosted = [(margin, _walked(raw)) for margin, (_, raw) in zip(margins, models, strict=True) if raw]
    for part, x in every.batches() if boosted else ():
        by_row = np.ascontiguousarray(x)
        for margin, trees in boosted:
            trees.add_to(margin[part], by_row)
    return margins


@lru_cache(maxsize=64)
def _walked(raw: bytes) -> Trees:
    """Read once: of single rows that would cost more than the walk."""
    return Trees.of(trees_of(raw))
