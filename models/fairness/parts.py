"""Parts of a cohort's days: by when, and by how much data there was. The same metrics within each, group by group."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.fairness import bootstrap, metrics
from models.fairness.alerts import Flags
from models.fairness.bootstrap import Weights
from models.fairness.groups import AT, Grouping
from models.fairness.rows import Places, Rows, Values

# Longer than this, quarters are told instead of months.
MOST_MONTHS = 12
LEAST, MIDDLE, MOST = "least data", "middling data", "most data"
OVER_TIME = ("observed_rate", "mean_predicted", "selection_rate", "tpr", "fpr", "ppv", "episodes_caught", "auroc")
IN_STRATA = ("selection_rate", "tpr", "fpr", "ppv", "episodes_caught", "auroc")


@dataclass(frozen=True)
class Parts:
    """Which part each row lies in, of shape (n_rows,), -1 where in none; and what the parts are called."""

    of: Places
    names: tuple[str, ...]


def periods(scored: pd.DataFrame) -> Parts:
    """Calendar months of the index dates, or quarters where there are many; no part where rows have no date."""
    if "index_date" not in scored.columns:
        return Parts(np.full(len(scored), -1), ())
    months = scored["index_date"].dt.to_period("M")
    by_month = months.nunique() <= MOST_MONTHS
    codes, names = pd.factorize(months if by_month else scored["index_date"].dt.to_period("Q"), sort=True)
    return Parts(codes.astype(np.int64), tuple(str(name) for name in names))


def by_data(scored: pd.DataFrame) -> Parts:
    """Thirds of the rows by `completeness` (share of recent days with any data); fewer where many rows are equal.

    No part where nobody knows it; rows without one are in none.
    """
    if "completeness" not in scored.columns or scored["completeness"].nunique() < 2:
        return Parts(np.full(len(scored), -1), ())
    share = scored["completeness"].to_numpy(float)
    first, second = np.nanquantile(share, [1 / 3, 2 / 3])
    third = np.where(np.isnan(share), -1, (share > first).astype(np.int64) + (share > second))
    _, codes = np.unique(third[third >= 0], return_inverse=True)
    found = np.full(len(share), -1)
    found[third >= 0] = codes
    present = sorted(set(third[third >= 0].tolist()))
    return Parts(found, tuple((LEAST, MIDDLE, MOST)[k] for k in present))


def cell_names(groupings: Sequence[Grouping], parts: Parts) -> list[str]:
    """Cells in the order of `bootstrap.in_parts`."""
    return [f"{label}{AT}{name}" for g in groupings for label in g.labels() for name in parts.names]


def over_time(
    rows: Rows, flags: Flags, groupings: Sequence[Grouping], parts: Parts, counted: pd.DataFrame, weights: Weights
) -> pd.DataFrame:
    """Each group's figures period by period: `cell, metric, value, low, high`. Groups of one attribute only.

    Args:
        counted: how many each cell is of, by `cell`: `n_subjects, n_event_subjects`.
    """
    drawn = _drawn(rows, flags, groupings, parts, weights)
    cells = cell_names(groupings, parts)
    columns = ["cell", "metric", "value", "low", "high"]
    found = []
    for metric in OVER_TIME if cells else ():
        low, high = bootstrap.interval(drawn[metric][1:], metrics.carriers(metric, counted.loc[cells]))
        found.append(
            pd.DataFrame({"cell": cells, "metric": metric, "value": drawn[metric][0], "low": low, "high": high})
        )
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def at_equal_coverage(
    rows: Rows, flags: Flags, groupings: Sequence[Grouping], parts: Parts, counted: pd.DataFrame, weights: Weights
) -> pd.DataFrame:
    """Each group's figures among days with about as much data, and paired differences to the reference group there.

    `cell, reference_cell, metric, value, difference, low, high`; the interval is of the difference. It shows where a gap
    shows, not what makes it. Groups of one attribute only.

    Args:
        counted: as of `over_time`.
    """
    columns = ["cell", "reference_cell", "metric", "value", "difference", "low", "high"]
    if not parts.names:
        return pd.DataFrame(columns=columns)
    drawn, n = _drawn(rows, flags, groupings, parts, weights), len(parts.names)
    cells, found, first = cell_names(groupings, parts), [], 0
    for grouping in groupings:
        here = np.arange(first, first + len(grouping.levels) * n)
        reference = first + grouping.reference * n + (here - first) % n
        first += len(here)
        for metric in IN_STRATA:
            differences = drawn[metric][:, here] - drawn[metric][:, reference]
            carried = np.minimum(
                *(metrics.carriers(metric, counted.loc[[cells[k] for k in of]]) for of in (here, reference))
            )
            low, high = bootstrap.interval(differences[1:], carried)
            found.append(pd.DataFrame({
                "cell": [cells[k] for k in here], "reference_cell": [cells[k] for k in reference], "metric": metric,
                "value": drawn[metric][0, here], "difference": differences[0], "low": low, "high": high,
            })[here != reference])  # fmt: skip
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def _drawn(
    rows: Rows, flags: Flags, groupings: Sequence[Grouping], parts: Parts, weights: Weights
) -> dict[str, Values]:
    if not parts.names:
        return {}
    return bootstrap.resample(rows, flags, bootstrap.in_parts(rows, groupings, parts.of, len(parts.names)), weights)
