"""What is compared with what: each group with its reference group and with everybody else, in the same resamples."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.fairness import bootstrap, metrics
from models.fairness.alerts import Flags, Queue
from models.fairness.groups import EVERYBODY, Grouping
from models.fairness.rows import Values

# What a comparison is made with.
REFERENCE, REST = "reference", "rest"


def comparisons(
    cells: pd.DataFrame, groupings: Sequence[Grouping], drawn: Mapping[str, Values], flags: Flags
) -> pd.DataFrame:
    """Every group against its reference group and, where there are more than two, against all others together.

    Not the share flagged where the capacity is spent within each group: it is the same by construction.
    """
    found, first = [], 0
    for g in groupings:
        n = len(g.levels)
        here = np.arange(first, first + n)
        first += g.n_cells
        pairs = [(REFERENCE, np.delete(here, g.reference), np.full(n - 1, here[g.reference]))]
        if g.has_rest:
            pairs.append((REST, here, here + n))
        same = ("selection_rate",) if isinstance(flags, Queue) and flags.is_spent_within(g.codes) else ()
        for versus, own, other in pairs if g.attributes != (EVERYBODY,) else ():
            asked = [name for name in metrics.JUDGED if name not in same]
            found += [_compare(cells, own, other, name, drawn[name]).assign(versus=versus) for name in asked]
    return pd.concat(found, ignore_index=True)


def _compare(
    cells: pd.DataFrame, own: NDArray[np.int64], other: NDArray[np.int64], name: str, drawn: Values
) -> pd.DataFrame:
    """Paired differences: both cells in the same resamples."""
    differences = drawn[:, own] - drawn[:, other]
    n = np.minimum(metrics.carriers(name, cells.loc[own]), metrics.carriers(name, cells.loc[other]))
    low, high = bootstrap.interval(differences[1:], n)
    against = cells.loc[other, ["cell", "group", "n_subjects", "n_event_subjects"]].reset_index(drop=True)
    kept = ["cell", "attribute", "group", "is_crossed", "n_subjects", "n_event_subjects"]
    return cells.loc[own, kept].reset_index(drop=True).assign(
        reference_cell=against["cell"], reference=against["group"], metric=name,
        group_value=drawn[0, own], reference_value=drawn[0, other], difference=differences[0], low=low, high=high,
        n_carriers=n, standard_error=bootstrap.spread(differences[1:]), own_standard_error=bootstrap.spread(drawn[1:, own]),
        reference_n_subjects=against["n_subjects"], reference_n_event_subjects=against["n_event_subjects"],
    )  # fmt: skip
