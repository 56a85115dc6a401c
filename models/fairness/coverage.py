"""Where a gap shows: how much of each group's days the data cover. It describes, and explains nothing."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from models.fairness import bootstrap, metrics
from models.fairness.bootstrap import Weights
from models.fairness.groups import Grouping, membership
from models.fairness.rows import Rows

# Of each row, 0 to 1, as far as they are known: share of recent days with any data; whether a device sent anything, a question
# was answered, and a questionnaire completed, lately; share of the features without a value; whether it would get no score for
# want of data.
MEASURES = ("completeness", "device", "answers", "assessed", "missing", "abstained")


def coverage(scored: pd.DataFrame, rows: Rows, groupings: Sequence[Grouping], weights: Weights) -> pd.DataFrame:
    """Mean of each measure over the rows of each group, with subject intervals: `cell, measure, value, low, high`.

    Args:
        scored: any of `MEASURES` as columns; rows where one is missing do not count towards it.

    Also `rows_per_subject`. Groups of one attribute only.
    """
    labels = [label for g in groupings for label in g.labels()]
    member = membership(groupings).astype(float)
    drawn, ones = weights.astype(float), np.ones(len(rows.label))
    found = []
    for name in (*(m for m in MEASURES if m in scored.columns), "rows_per_subject"):
        if name == "rows_per_subject":
            above, below = rows.per_subject(ones), np.ones(rows.n_subjects)
        else:
            values = scored[name].to_numpy(float)
            known = np.isfinite(values)
            above, below = rows.per_subject(np.where(known, values, 0.0)), rows.per_subject(known.astype(float))
        means = metrics.ratio(member @ (drawn * above[:, None]), member @ (drawn * below[:, None])).T
        low, high = bootstrap.interval(means[1:], member.sum(axis=1).astype(np.int64))
        found.append(pd.DataFrame({"cell": labels, "measure": name, "value": means[0], "low": low, "high": high}))
    return pd.concat(found, ignore_index=True)
