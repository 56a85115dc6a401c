"""Other capacities and other risks to act from: what each would mean for each group, and how early episodes would be flagged."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from models.fairness import bootstrap, metrics
from models.fairness.alerts import AlertRule, AtLeast, Flags, TopShare, flags_of
from models.fairness.bootstrap import Weights
from models.fairness.groups import Grouping
from models.fairness.rows import Places, Rows, Values

SHARES = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
RISKS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
OVER_THRESHOLDS = ("selection_rate", "tpr", "fpr", "ppv", "episodes_caught")
TOP_SHARE, RISK = "top share", "risk"
# Days ahead of an onset by which an episode must be flagged to count.
LEAD_DAYS = (1, 2, 3, 5, 7, 10, 14, 21, 28)


def over_thresholds(
    scored: pd.DataFrame, rows: Rows, groupings: Sequence[Grouping], groups: pd.DataFrame, weights: Weights, seed: int
) -> pd.DataFrame:
    """What each group would get at other capacities, and at fixed risks: `cell, rule, at, metric, value, low, high`.

    `groups` counts them, in their order. Groups of one attribute only. `rule` is "top share" or "risk", `at` the share or the risk.
    """
    view = bootstrap.whole(rows, groupings)
    scope = flags_of(TopShare(max(SHARES)), scored, rows.subject, seed)[1]
    tried: list[tuple[str, float, AlertRule]] = [(TOP_SHARE, at, TopShare(at)) for at in SHARES]
    tried += [(RISK, at, AtLeast(at)) for at in RISKS if at <= rows.probability.max()]
    parts = []
    for name, at, rule in tried:
        flags, own = flags_of(rule, scored, rows.subject, seed)
        # So small a share of a night is decided by rounding; counted in larger pools it would be another curve.
        if name == TOP_SHARE and own != scope:
            continue
        found = bootstrap.resample(rows, flags, view, weights, with_scores=False)
        parts += [
            _told(groupings, found[metric], metrics.carriers(metric, groups)).assign(rule=name, at=at, metric=metric)
            for metric in OVER_THRESHOLDS
        ]
    return pd.concat(parts, ignore_index=True)[["cell", "rule", "at", "metric", "value", "low", "high"]]


def lead_times(
    rows: Rows, flags: Flags, groupings: Sequence[Grouping], groups: pd.DataFrame, weights: Weights
) -> pd.DataFrame:
    """Share of each group's episodes first flagged at least so many days ahead: `cell, days, value, low, high`.

    `groups` counts them, in their order. No rows where dates are not known. Groups of one attribute only.
    """
    view = bootstrap.whole(rows, groupings)
    farthest = np.nanmax(rows.days_ahead, initial=0) if rows.has_dates else 0
    n = metrics.carriers("episodes_caught", groups)
    parts = [
        _told(groupings, bootstrap.ahead(rows, flags, view, weights, days), n).assign(days=days)
        for days in LEAD_DAYS
        if days <= farthest
    ]
    columns = ["cell", "days", "value", "low", "high"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _told(groupings: Sequence[Grouping], drawn: Values, n: Places) -> pd.DataFrame:
    """Of each level the figure and its interval, from figures by cell of a whole view."""
    is_level = np.concatenate([np.repeat([True, False], len(g.levels))[: g.n_cells] for g in groupings])
    low, high = bootstrap.interval(drawn[1:, is_level], n)
    cells = [label for g in groupings for label in g.labels()]
    return pd.DataFrame({"cell": cells, "value": drawn[0, is_level], "low": low, "high": high})
