"""Past episodes of the outcome, and how long a subject has been enrolled, as known at the cutoff.

History is the strongest predictor and the least news: its features are a family of their own, so that evaluation can
say what everything else adds. Days enrolled is kept apart again (`tenure`): it is an artefact of recruitment.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.calendar import day_number

Values = NDArray[np.float64]
TENURE = "tenure_days_enrolled"
# Name, unit, window (0: all before the index date), formula, words, whether models see it.
FEATURES = (
    ("history_days_since_last_episode", "days", 0, "days since the first event of the newest known episode",
     "days since the last episode", True),
    ("history_days_since_last_event", "days", 0, "days since the newest known event", "days since the last event", True),
    ("history_event_days_7d", "days", 7, "days with a known event among the 7 before", "event days over 7 days", True),
    ("history_event_days_28d", "days", 28, "days with a known event among the 28 before", "event days over 28 days", True),
    ("history_event_days_90d", "days", 90, "days with a known event among the 90 before", "event days over 90 days", True),
    ("history_episodes_90d", "episodes", 90, "known episodes that began in the 90 days before", "episodes over 90 days", True),
    ("history_episodes_ever", "episodes", 0, "known episodes", "episodes ever", True),
    ("history_episode_rate", "episodes/day", 365, "(known episodes that began in the 365 days before + 0.25) / (365 + 90)",
     "episodes that began in the past year", True),
    (TENURE, "days", 0, "index date minus enrolment", "days since enrolment", False),
)  # fmt: skip
NAMES = tuple(name for name, *_ in FEATURES)
# The rate before anything is known about a subject, and how many days of evidence it is worth. The past it is mixed with is
# as long for everybody: days since enrolment in it would tell who is new.
PRIOR_EPISODES, PRIOR_DAYS, RATE_DAYS = 0.25, 90.0, 365
NEVER, FOR_EVER = np.iinfo(np.int64).min, np.iinfo(np.int64).max


def enrolment(subjects: pd.DataFrame, index: pd.DataFrame) -> pd.Series:
    """First day of follow-up of each index row's subject, as known on its index date; as was told first before that.

    Args:
        subjects: `subject_id, enrolled_on`; where `known_on` is given, a subject's later rows take the place of earlier
            ones from that index date on.
        index: `subject_id, index_date`, all subjects among `subjects`.
    """
    place, names = pd.factorize(subjects["subject_id"])
    known = day_number(subjects["known_on"]) if "known_on" in subjects else np.zeros(len(subjects), np.int64)
    order = np.lexsort((known, place))
    place, known = place[order].astype(np.int64), known[order]
    asked = names.get_indexer(pd.Index(index["subject_id"])).astype(np.int64)
    newest = np.searchsorted((place << 20) + known, (asked << 20) + day_number(index["index_date"]), side="right") - 1
    row = order[np.maximum(newest, np.searchsorted(place, asked))]
    return subjects["enrolled_on"].iloc[row].set_axis(index.index)


def history(
    event_days: pd.DataFrame, index: pd.DataFrame, enrolled_on: pd.Series, merge_within_days: int
) -> pd.DataFrame:
    """Past-episode features of each index row, in its order.

    Args:
        event_days: `subject_id, event_on, known_on`, and `superseded_on` where a record was later corrected or taken
            back. An event counts for t when event_on < t and known_on <= t (and t < superseded_on).
        index: `subject_id, index_date`.
        enrolled_on: first day of follow-up of each index row's subject.
        merge_within_days: events closer than this are one episode.

    Returns:
        `NAMES` as float columns. Days since the last episode are missing where none is known.
    """
    today = day_number(index["index_date"])
    result = {name: np.zeros(len(index)) for name in NAMES}
    result[NAMES[0]][:] = result[NAMES[1]][:] = np.nan
    result["history_episode_rate"][:] = PRIOR_EPISODES / (RATE_DAYS + PRIOR_DAYS)
    result[TENURE] = (today - day_number(enrolled_on)).astype(float)
    place, subjects = pd.factorize(event_days["subject_id"])
    has_any = np.flatnonzero(index["subject_id"].isin(subjects))
    rows_of = index.iloc[has_any].groupby("subject_id").indices
    on, known = day_number(event_days["event_on"]), day_number(event_days["known_on"])
    until = day_number(event_days["superseded_on"]) if "superseded_on" in event_days else np.full(len(on), FOR_EVER)
    until = np.where(until == NEVER, FOR_EVER, until)
    order = np.lexsort((on, place))
    starts = np.searchsorted(place[order], np.arange(len(subjects) + 1))
    for subject, start, stop in zip(subjects, starts[:-1], starts[1:], strict=True):
        mine = order[start:stop]
        if subject in rows_of:
            rows = has_any[rows_of[subject]]
            for name, values in _subject(on[mine], known[mine], until[mine], today[rows], merge_within_days).items():
                result[name][rows] = values
    return pd.DataFrame(result, index=index.index)


def _subject(
    on: NDArray[np.int64], known: NDArray[np.int64], until: NDArray[np.int64], today: NDArray[np.int64],
    merge_within_days: int,
) -> dict[str, Values]:  # fmt: skip
    """Figures of one subject's index dates, from events in their order."""
    counts = (on[None, :] < today[:, None]) & (known[None, :] <= today[:, None]) & (today[:, None] < until[None, :])
    age = np.where(counts, today[:, None] - on[None, :], np.iinfo(np.int32).max)
    # The event before, among those that count at that index date, decides whether an event opens an episode.
    before = np.maximum.accumulate(np.where(counts, on[None, :], NEVER), axis=1)
    previous = np.concatenate([np.full((len(today), 1), NEVER), before[:, :-1]], axis=1)
    never = previous == NEVER
    opens = counts & (never | (on[None, :] - np.where(never, 0, previous) > merge_within_days))
    same_day = counts & ~never & (previous == on[None, :])
    distinct = counts & ~same_day
    latest, latest_opening = age.min(axis=1), np.where(opens, age, np.iinfo(np.int32).max).min(axis=1)
    result = {f"history_event_days_{w}d": (distinct & (age <= w)).sum(axis=1).astype(float) for w in (7, 28, 90)}
    result["history_episodes_90d"] = (opens & (age <= 90)).sum(axis=1).astype(float)
    result["history_episodes_ever"] = opens.sum(axis=1).astype(float)
    recent = (opens & (age <= RATE_DAYS)).sum(axis=1)
    result["history_episode_rate"] = (recent + PRIOR_EPISODES) / (RATE_DAYS + PRIOR_DAYS)
    result["history_days_since_last_event"] = np.where(counts.any(axis=1), latest, np.nan)
    result["history_days_since_last_episode"] = np.where(counts.any(axis=1), latest_opening, np.nan)
    return result
