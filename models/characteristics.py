"""Who is in a cohort: subjects, follow-up, missing reports and episodes, overall and by declared attributes (Table 1)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from models.fairness.groups import group_subjects
from models.flow import is_reachable, is_unreported

EVERYBODY = "all"


def characteristics(
    attributes: pd.DataFrame, labels: pd.DataFrame, references: Mapping[str, str], horizon_days: int
) -> pd.DataFrame:
    """Everybody, then the groups of each attribute, with counts that reports must not show unhidden.

    Args:
        attributes: one row per subject known: subject_id and one text column per attribute.
        labels: onset labels of every index row (`models.outcomes.label`), masked and censored ones too.
        references: attribute -> group that others are compared to; must exist.
        horizon_days: the horizon whose missing reports are told of.

    Returns:
        One row per group: `attribute, group, n_subjects, n_followed` (with an index date), `n_event_subjects,
        n_episodes, largest_event_share` (of the group's episodes, one subject's), `followed_days` (mean over those
        followed, of days from the first index date through the last on which an event would have been known of),
        `unreported_share` (of the rows whose horizon was followed up but for the subject's own reports, those that lack too many
        of these, or an assessment; missing where nobody was asked for any).

    Raises:
        ModelsError: as `fairness.groups.group_subjects`.
    """
    each = _by_subject(labels, horizon_days).reindex(attributes["subject_id"])
    has_event = (each["episodes"] > 0).to_numpy()
    groupings = group_subjects(attributes, each.index, has_event, references)
    rows = [_group(EVERYBODY, EVERYBODY, each)]
    for grouping in groupings:
        if not grouping.is_crossed:
            rows += [_group(grouping.name, level, each[grouping.codes == k]) for k, level in enumerate(grouping.levels)]
    return pd.DataFrame(rows)


def _by_subject(labels: pd.DataFrame, horizon_days: int) -> pd.DataFrame:
    """Of each subject with an index date: episodes that began after one, days followed, rows to be reported on or not."""
    of = labels["subject_id"]
    onset = labels["index_date"] + pd.to_timedelta(labels["days_to_event"], unit="D")
    # Nobody is followed beyond death, nor, from one row on, beyond an admission.
    alive = labels["days_to_competing"].fillna(np.inf) + 1
    until = labels["index_date"] + pd.to_timedelta(np.minimum(labels["followed_days"], alive), unit="D")
    days = (until.groupby(of).max() - labels["index_date"].groupby(of).min()).dt.days
    # Reports are counted by horizon: where they are asked for, no more days than the longest are followed.
    is_asked = bool((labels["followed_days"] < labels["reachable_days"]).any())
    reachable = pd.Series(is_reachable(labels, horizon_days) & is_asked, index=labels.index)
    unreported = pd.Series(is_unreported(labels, horizon_days), index=labels.index)
    return pd.DataFrame({
        "episodes": onset.groupby(of).nunique(), "followed_days": days, "reachable": reachable.groupby(of).sum(),
        "unreported": unreported.groupby(of).sum(),
    })  # fmt: skip


def _group(attribute: str, group: str, each: pd.DataFrame) -> dict[str, object]:
    episodes = each["episodes"].fillna(0)
    total, reachable = int(episodes.sum()), each["reachable"].sum()
    return {
        "attribute": attribute,
        "group": group,
        "n_subjects": len(each),
        "n_followed": int(each["followed_days"].notna().sum()),
        "n_event_subjects": int((episodes > 0).sum()),
        "n_episodes": total,
        "largest_event_share": float(episodes.max() / total) if total else np.nan,
        "followed_days": float(each["followed_days"].mean()),
        "unreported_share": float(each["unreported"].sum() / reachable) if reachable else np.nan,
    }
