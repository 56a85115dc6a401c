"""Past episodes of the outcome, and how long a subject has been enrolled, as known at the cutoff.

History is the strongest predictor and the least news: its features are a family of their own, so that evaluation can
say what everything else adds. Days enrolled is kept apart again (`tenure`): it is an artefact of recruitment.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Values = NDArray[np.float64]
TENURE = "tenure_days_enrolled"
# Name, unit, window (0: since enrolment), formula, words, whether models see it.
FEATURES = (
    ("history_days_since_last_episode", "days", 0, "days since the newest known episode began", "days since the last episode",
     True),
    ("history_days_since_last_event", "days", 0, "days since the newest known event", "days since the last event", True),
    ("history_event_days_7d", "days", 7, "known event days", "event days this week", True),
    ("history_event_days_28d", "days", 28, "known event days", "event days over 28 days", True),
    ("history_event_days_90d", "days", 90, "known event days", "event days over 90 days", True),
    ("history_episodes_90d", "episodes", 90, "known episodes begun", "episodes over 90 days", True),
    ("history_episodes_ever", "episodes", 0, "known episodes since enrolment", "episodes since enrolment", True),
    ("history_episode_rate", "episodes/day", 0, "(episodes + 0.25) / (days enrolled + 90)", "past rate of episodes", True),
    (TENURE, "days", 0, "index date minus enrolment", "days since enrolment", False),
)  # fmt: skip
NAMES = tuple(name for name, *_ in FEATURES)
# The rate before anything is known about a subject, and how many days of evidence it is worth.
PRIOR_EPISODES, PRIOR_DAYS = 0.25, 90.0


def history(event_days: pd.DataFrame, index: pd.DataFrame, enrolled: pd.Series, merge_within_days: int) -> pd.DataFrame:
    """Past-episode features of each index row, in its order.

    Args:
        event_days: `subject_id, event_on, known_on`, and `superseded_on` where a record was later corrected or taken
            back. An event counts for t when event_on < t and known_on <= t (and t < superseded_on).
        index: `subject_id, index_date`.
        enrolled: first day of follow-up by subject.
        merge_within_days: events closer than this are one episode.

    Returns:
        `NAMES` as float columns. Days since the last episode are missing where none is known.
    """
    result = pd.DataFrame(np.nan, index=index.index, columns=list(NAMES))
    today = _days(index["index_date"])
    tenure = today - _days(index["subject_id"].map(enrolled))
    counted = {name: np.zeros(len(index)) for name in NAMES[2:7]}
    since_event, since_episode = np.full(len(index), np.nan), np.full(len(index), np.nan)
    rows_of = index.groupby("subject_id").indices
    for subject, events in event_days.groupby("subject_id"):
        rows = rows_of.get(subject)
        if rows is not None:
            found = _subject(events, today[rows], merge_within_days)
            since_event[rows], since_episode[rows] = found["since_event"], found["since_episode"]
            for name in counted:
                counted[name][rows] = found[name]
    result[NAMES[0]], result[NAMES[1]] = since_episode, since_event
    for name, values in counted.items():
        result[name] = values
    result["history_episode_rate"] = (counted["history_episodes_ever"] + PRIOR_EPISODES) / (
        np.maximum(tenure, 0) + PRIOR_DAYS
    )
    result[TENURE] = tenure.astype(float)
    return result


def _subject(events: pd.DataFrame, today: NDArray[np.int64], merge_within_days: int) -> dict[str, Values]:
    on, known = _days(events["event_on"]), _days(events["known_on"])
    until = _days(events["superseded_on"]) if "superseded_on" in events else np.full(len(on), np.iinfo(np.int64).max)
    until = np.where(until == np.iinfo(np.int64).min, np.iinfo(np.int64).max, until)
    order = np.argsort(on, kind="stable")
    on, known, until = on[order], known[order], until[order]
    counts = (on[None, :] < today[:, None]) & (known[None, :] <= today[:, None]) & (today[:, None] < until[None, :])
    age = np.where(counts, today[:, None] - on[None, :], np.iinfo(np.int32).max)
    # The event before, among those that count at that index date, decides whether an event opens an episode.
    before = np.maximum.accumulate(np.where(counts, on[None, :], np.iinfo(np.int64).min), axis=1)
    previous = np.concatenate([np.full((len(today), 1), np.iinfo(np.int64).min), before[:, :-1]], axis=1)
    never = previous == np.iinfo(np.int64).min
    opens = counts & (never | (on[None, :] - np.where(never, 0, previous) > merge_within_days))
    same_day = counts & ~never & (previous == on[None, :])
    distinct = counts & ~same_day
    latest, latest_opening = age.min(axis=1), np.where(opens, age, np.iinfo(np.int32).max).min(axis=1)
    result = {f"history_event_days_{w}d": (distinct & (age <= w)).sum(axis=1).astype(float) for w in (7, 28, 90)}
    result["history_episodes_90d"] = (opens & (age <= 90)).sum(axis=1).astype(float)
    result["history_episodes_ever"] = opens.sum(axis=1).astype(float)
    result["since_event"] = np.where(counts.any(axis=1), latest, np.nan)
    result["since_episode"] = np.where(counts.any(axis=1), latest_opening, np.nan)
    return result


def _days(dates: pd.Series) -> NDArray[np.int64]:
    return dates.to_numpy().astype("datetime64[D]").astype(np.int64)
