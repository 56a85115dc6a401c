"""Who may be scored tonight: each roster subject's status and the reasons for it, for one outcome."""

import pandas as pd

# Why a scored subject is in no high tier though the risk would be enough for it.
WAITS = "waits_for_capacity"
# A person in these states must not get a probability: an alert about the dead or the admitted is a never-event.
NOT_ELIGIBLE = ("deceased", "inpatient", "discharged", "paused")


def decide(
    roster: pd.DataFrame, outcome: str, care_status: pd.DataFrame, in_episode: pd.Series, min_completeness: float
) -> pd.DataFrame:
    """Status of every subject on the roster, by precedence: not eligible, in an episode, too little data, scored.

    Args:
        roster: `subject_id, completeness` (share of the last 28 days with any data; missing counts as none),
            `last_observation_at` (instant, missing where there is none).
        outcome: the outcome that the episode refers to.
        care_status: `subject_id, status` in force at the cutoff, one row per subject; none means active.
        in_episode: whether each subject is inside an episode or its refractory time, indexed by subject_id; subjects
            not in it are not.
        min_completeness: least completeness that allows a score.

    Returns:
        One row per roster subject: `subject_id, outcome, status, reason_codes (tuple of words), completeness,
        last_observation_at`.
    """
    care = roster["subject_id"].map(care_status.set_index("subject_id")["status"])
    inside = roster["subject_id"].isin(in_episode.index[in_episode.astype(bool)])
    completeness = roster["completeness"].fillna(0.0)
    status = pd.Series("scored", index=roster.index).mask(completeness < min_completeness, "insufficient_data")
    status = status.mask(inside, "in_episode").mask(care.isin(NOT_ELIGIBLE), "not_eligible")
    return pd.DataFrame(
        {
            "subject_id": roster["subject_id"],
            "outcome": outcome,
            "status": status,
            "reason_codes": [_reasons(s, c) for s, c in zip(status, care, strict=True)],
            "completeness": completeness,
            "last_observation_at": roster["last_observation_at"],
        }
    )


def _reasons(status: str, care: object) -> tuple[str, ...]:
    if status == "not_eligible":
        return (f"care_status_{care}",)
    return {
        "in_episode": ("in_episode_or_refractory",),
        "insufficient_data": ("completeness_below_minimum",),
    }.get(status, ())
