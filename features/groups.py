"""Sums over groups of rows whose last bit depends on nothing but the group's own rows.

pandas 3 changes the last bit of one group's sum or mean where a value of another is missing: a panel built day by day
would differ from one built at once.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def sums(values: pd.DataFrame, group: pd.Series) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Sum of each group's known values, 0 where there is none, and how many are known: one row per group.

    Args:
        values: columns of numbers, NaN where unknown.
        group: number of each row's group, ascending.
    """
    labels, starts = np.unique(group.to_numpy(), return_index=True)

    def by_group(of: pd.DataFrame) -> pd.DataFrame:
        totals: dict[str, NDArray[np.float64]] = {
            name: np.add.reduceat(of[name].to_numpy(dtype=np.float64), starts) for name in of.columns
        }
        return pd.DataFrame(totals, index=pd.Index(labels, name=group.name))

    return by_group(values.fillna(0.0)), by_group(values.notna())
