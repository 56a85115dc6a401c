"""Whether anything can be learnt from labels at all: rows of both classes, of several subjects; else why not, in counts."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import ModelsError
from models.outcomes import at_horizon


def refuse_what_cannot_be_learnt(labels: pd.DataFrame, horizons_days: tuple[int, ...]) -> None:
    """Refuse labels of one task by which no row can be told from another.

    Args:
        labels: as of `models.outcomes.label`.
        horizons_days: rising horizons.

    Raises:
        ModelsError: no row is labelled, all are one subject's, none has an event ahead within any horizon, or all have.
    """
    known = np.column_stack([at_horizon(labels, horizon) for horizon in horizons_days])
    is_labelled = np.asarray(np.isfinite(known).any(axis=1))
    has_both = (known == 1).any(axis=0) & (known == 0).any(axis=0)
    subjects = int(labels["subject_id"][is_labelled].nunique())
    if has_both.any() and subjects > 1:
        return
    why = _why(labels, horizons_days, known, subjects)
    raise ModelsError(
        f"`{labels['outcome'].iloc[0]}` cannot be learnt: of {len(labels)} index dates of {labels['subject_id'].nunique()} subjects "
        f"{int(labels['is_masked'].sum())} lie in an episode or its refractory time, and {int(is_labelled.sum())}, of {subjects} "
        f"subjects, are followed up for a horizon. {why}"
    )


def _why(labels: pd.DataFrame, horizons_days: tuple[int, ...], known: NDArray[np.float64], subjects: int) -> str:
    """What is lacking, and the cure."""
    shortest, longest = horizons_days[0], horizons_days[-1]
    if labels["is_masked"].all():
        return "None is left. Declare a shorter `refractory_days:`, or an outcome that is rarer."
    if subjects == 0:
        return (
            f"None has {shortest} days of follow-up. Gather more data, or declare shorter `horizons_days:` or a lower "
            "`min_coverage:`."
        )
    if subjects == 1:
        return "A model is tested on others than it learnt from. Gather more subjects."
    if (known == 1).any():
        return "Every one of them has an event ahead. Declare shorter `horizons_days:`, or an outcome that is rarer."
    ahead = labels["days_to_event"] < longest
    if (ahead & labels["is_masked"]).any():
        hidden = labels["subject_id"][ahead & labels["is_masked"]].nunique()
        return (
            f"None has an event ahead within {longest} days: all dates before one, of {hidden} subjects, are masked by the event "
            "before. Declare a shorter `refractory_days:`, or `merge_within_days:` that tell fewer episodes apart."
        )
    return f"None has an event ahead within {longest} days. Gather more data, or declare longer `horizons_days:`."
