"""Who is in a cohort: subjects, follow-up and episodes, overall and by declared attributes (Table 1 of a report)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from models.fairness.groups import group_subjects

EVERYBODY = "all"


def characteristics(attributes: pd.DataFrame, labels: pd.DataFrame, references: Mapping[str, str]) -> pd.DataFrame:
    """Everybody, then the groups of each attribute, with counts that reports must not show unhidden.

    Args:
        attributes: one row per subject known: subject_id and one text column per attribute.
        labels: onset labels of every index row (`models.outcomes.label`), masked and censored ones too.
        references: attribute -> group that others are compared to; must exist.

    Returns:
        One row per group: `attribute, group, n_subjects, n_followed` (with an index date), `n_event_subjects,
        n_episodes, largest_event_share` (of the group's episodes, one subject's), `followed_days` (mean over those
        followed, of days from the first index date through the last on which an event would have been known of).

    Raises:
        ModelsError: as `fairness.groups.group_subjects`.
    """
    each = _by_subject(labels).reindex(attributes["subject_id"])
    has_event = (each["episodes"] > 0).to_numpy()
    groupings = group_subjects(attributes, each.index, has_event, references)
    rows = [_group(EVERYBODY, EVERYBODY, each)]
    for grouping in groupings:
        if not grouping.is_crossed:
            rows += [_group(grouping.name, level, each[grouping.codes == k]) for k, level in enumerate(grouping.levels)]
    return pd.DataFrame(rows)


def _by_subject(labels: pd.DataFrame) -> pd.DataFrame:
    """Episodes that began after an index date, and days followed, of each subject with an index date."""
    of = labels["subject_id"]
    onset = labels["index_date"] + pd.to_timedelta(labels["days_to_event"], unit="D")
    until = labels["index_date"] + pd.to_timedelta(labels["followed_days"], unit="D")
    days = (until.groupby(of).max() - labels["index_date"].groupby(of).min()).dt.days
    return pd.DataFrame({"episodes": onset.groupby(of).nunique(), "followed_days": days})


def _group(attribute: str, group: str, each: pd.DataFrame) -> dict[str, object]:
    episodes = each["episodes"].fillna(0)
    total = int(episodes.sum())
    return {
        "attribute": attribute,
        "group": group,
        "n_subjects": len(each),
        "n_followed": int(each["followed_days"].notna().sum()),
        "n_event_subjects": int((episodes > 0).sum()),
        "n_episodes": total,
        "largest_event_share": float(episodes.max() / total) if total else np.nan,
        "followed_days": float(each["followed_days"].mean()),
    }
