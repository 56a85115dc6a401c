"""Reweighing (Kamiran & Calders 2012): training rows count so that label and group are independent of each other.

A row counts P(group) P(label) / P(group, label) times, in each interval of the hazard by that interval's own rows and label. The
share of labels in the whole stays as it is, so that risks stay right on average; whoever's group had more or fewer events than
others is learnt from as if it had as many. The attribute is read while fitting, never at prediction.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import ModelsError
from models.fairness.groups import group_subjects
from models.intervals import at_risk

Values = NDArray[np.float64]


def column(attribute: str) -> str:
    """The column of a label frame that holds each row's group by an attribute."""
    return f"group_by_{attribute}"


def with_groups(labels: pd.DataFrame, attributes: pd.DataFrame, attribute: str) -> pd.DataFrame:
    """Label rows with the group of each one's subject; who has no value recorded is in a group of that name.

    Args:
        labels: `subject_id` and more.
        attributes: one row per subject: `subject_id` and a text column of the attribute.

    Raises:
        ModelsError: no such column, a subject has several rows, or everybody is in one group.
    """
    if attribute not in attributes.columns:
        raise ModelsError(
            f"`subjects` has no column `{attribute}`, so nothing can be mitigated by it. Name a recorded attribute."
        )
    subjects = pd.Index(labels["subject_id"].unique())
    nobody = np.zeros(len(subjects), dtype=bool)
    (grouping,) = group_subjects(attributes[["subject_id", attribute]], subjects, nobody, {})
    if len(grouping.levels) < 2:
        raise ModelsError(
            f"Everybody is in one group by `{attribute}`, so there is nothing to mitigate. Name another attribute."
        )
    of = pd.Series(np.array(grouping.levels, dtype=object)[grouping.codes], index=subjects)
    return labels.assign(**{column(attribute): labels["subject_id"].map(of).astype("str")})


def weights(labels: pd.DataFrame, horizons_days: Sequence[int], attribute: str) -> Values:
    """What each row counts for in each interval between horizons, of shape (n_rows, n_horizons); 1 where not at risk.

    Args:
        labels: a label frame, of training rows alone, with their groups (`with_groups`).

    Raises:
        ModelsError: it does not say in which groups its rows are.
    """
    if column(attribute) not in labels:
        raise ModelsError(
            f"The labels do not say in which group by `{attribute}` their rows are, so they cannot be reweighed. Train again."
        )
    group = pd.factorize(labels[column(attribute)])[0].astype(np.int64)
    place, interval, y = at_risk(labels, tuple(horizons_days))
    found = np.ones((len(labels), len(horizons_days)))
    for k in range(len(horizons_days)):
        here = interval == k
        found[place[here], k] = balanced(group[place[here]], y[here].astype(np.int64))
    return found


def balanced(group: NDArray[np.int64], label: NDArray[np.int64]) -> Values:
    """P(group) P(label) / P(group, label) of each row, of shape (n_rows,).

    A group without a row of one label has nobody to count for it; its other rows count less, and it stays dependent.

    Args:
        group, label: of shape (n_rows,); groups counted from 0, labels 0 or 1.
    """
    counts = np.zeros((group.max(initial=-1) + 1, 2))
    np.add.at(counts, (group, label), 1)
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / max(len(group), 1)
    ratio = np.divide(expected, counts, out=np.ones_like(counts), where=counts > 0)
    found: Values = ratio[group, label]
    return found
