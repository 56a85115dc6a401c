"""Declared outcomes -> event days, episodes, masks and labels. The only module that looks past the cutoff.

An event lies at its risk day (`features.calendar.risk_day`): "before c(t)" is `event_on < t`, and the horizon of H days
from c(t) is `t <= event_on < t + H`. Two tasks, never mixed: *onset*, the start of a new episode, without index dates
inside an episode or its refractory time; *burden*, any event day, unmasked.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import ModelsError
from models.relapses import relapses

Days = NDArray[np.int64]
Task = Literal["onset", "burden"]
TASKS: tuple[Task, ...] = ("onset", "burden")
DAY = pd.Timedelta(days=1)
# From index dates to labelled rows; `flow` tells how many remain at each.
STEPS = ("index dates", "masked: in an episode or refractory", "censored: horizon not followed up", "labelled",
         "with an event")  # fmt: skip
NEVER = np.iinfo(np.int64).max // 4


@dataclass(frozen=True)
class Outcome:
    """A declared crisis or relapse; see `foretide.yaml` for what each key means."""

    name: str
    horizons_days: tuple[int, ...]
    events: tuple[str, ...] = ()
    assessment: str | None = None
    in_remission_below: float | None = None
    rise: float | None = None
    reference_days: int = 90
    merge_within_days: int = 7
    refractory_days: int = 14
    ascertainment: Literal["registry", "self_report"] = "registry"
    min_coverage: float = 0.0

    @property
    def needs_reports(self) -> bool:
        """Whether the absence of an event is known only from the subject's own reports."""
        return self.assessment is not None or self.ascertainment == "self_report"


def event_days(outcome: Outcome, events: pd.DataFrame | None, assessments: pd.DataFrame | None) -> pd.DataFrame:
    """Days on which the outcome happened: `subject_id, event_on, known_on` and, where given, `superseded_on`.

    Args:
        outcome: the declaration.
        events: raw events with `kind`, `event_on`, `known_on`; for outcomes declared by event kinds.
        assessments: raw assessments with `instrument`, `score`, `event_on`, `known_on`; for relapse on a scale. Of
            several versions, with `superseded_on`, each counts for the index dates on which it stood (`relapses`).

    Raises:
        ModelsError: the stream that the outcome needs was not given.
    """
    rows = assessments if outcome.assessment else events
    if rows is None:
        needed = "assessments" if outcome.assessment else "events"
        raise ModelsError(f"Outcome `{outcome.name}` needs the `{needed}` stream, which was not given. Ingest it.")
    found = _relapses(outcome, rows) if outcome.assessment else rows[rows["kind"].isin(outcome.events)]
    columns = [c for c in ("subject_id", "event_on", "known_on", "superseded_on") if c in found.columns]
    return found[columns].sort_values(["subject_id", "event_on", "known_on"], ignore_index=True)


def _relapses(outcome: Outcome, rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows[rows["instrument"] == outcome.assessment]
    return relapses(rows, float(outcome.in_remission_below or 0.0), float(outcome.rise or 0.0), outcome.reference_days)


def episodes(days: pd.DataFrame, merge_within_days: int) -> pd.DataFrame:
    """Event days merged into episodes: `subject_id, started_on, ended_on`; gaps up to `merge_within_days` are bridged."""
    days = days[["subject_id", "event_on"]].drop_duplicates().sort_values(["subject_id", "event_on"], ignore_index=True)
    gap = days.groupby("subject_id")["event_on"].diff()
    number = (gap.isna() | (gap > merge_within_days * DAY)).cumsum()
    merged = days.groupby(["subject_id", number])["event_on"].agg(["min", "max"]).reset_index(level=0)
    return merged.rename(columns={"min": "started_on", "max": "ended_on"}).reset_index(drop=True)


def days_since_event(index: pd.DataFrame, days: pd.DataFrame) -> NDArray[np.float64]:
    """Whole days from the newest event before each index date, whenever received; missing where there is none."""
    before, _ = _neighbours(index, days, "event_on")
    return np.where(before >= NEVER, np.nan, before.astype(np.float64))


def is_masked(index: pd.DataFrame, days: pd.DataFrame, outcome: Outcome) -> NDArray[np.bool_]:
    """Whether the index date lies inside an episode or its refractory time, by the event days given."""
    since = days_since_event(index, days)
    return np.nan_to_num(since, nan=np.inf) <= outcome.refractory_days


def label(
    index: pd.DataFrame,
    outcome: Outcome,
    task: Task,
    days: pd.DataFrame,
    follow_up: pd.DataFrame,
    reported: pd.DataFrame,
) -> pd.DataFrame:
    """What happened after each index date: days to the first event, and for how long one would have seen it.

    Args:
        index: `subject_id, index_date`.
        outcome: the declaration.
        task: onset or burden.
        days: the outcome's event days, whenever received.
        follow_up: `subject_id, followed_until`, the last civil day fully followed up.
        reported: `subject_id, local_date` of days on which the subject would have reported an event: days with an
            answer, or with the outcome's assessment. Not used where a registry sees everyone.

    Returns:
        The index with `outcome, task, days_to_event` (missing: none seen), `followed_days, is_masked`.
    """
    targets = (
        days
        if task == "burden"
        else episodes(days, outcome.merge_within_days).rename(columns={"started_on": "event_on"})
    )
    _, ahead = _neighbours(index, targets, "event_on")
    until = index["subject_id"].map(follow_up.set_index("subject_id")["followed_until"])
    followed = ((until - index["index_date"]).dt.days + 1).fillna(0).clip(lower=0).to_numpy()
    if outcome.needs_reports:
        followed = np.minimum(followed, _reported_through(index, reported, outcome))
    masked = is_masked(index, days, outcome) if task == "onset" else np.zeros(len(index), dtype=bool)
    return index[["subject_id", "index_date"]].assign(
        outcome=outcome.name,
        task=task,
        days_to_event=np.where((ahead >= NEVER) | (ahead >= followed), np.nan, ahead.astype(np.float64)),
        followed_days=followed.astype(np.int64),
        is_masked=masked,
    )


def at_horizon(labels: pd.DataFrame, horizon_days: int) -> NDArray[np.float64]:
    """1 if an event came within the horizon, 0 if not, missing where masked or not fully followed up.

    A horizon that is not fully followed up loses its positives too: otherwise only events would end follow-up.
    """
    seen = ~labels["is_masked"].to_numpy() & (labels["followed_days"].to_numpy() >= horizon_days)
    return np.where(seen, (labels["days_to_event"].to_numpy() < horizon_days).astype(np.float64), np.nan)


def flow(labels: pd.DataFrame, horizons_days: tuple[int, ...]) -> pd.DataFrame:
    """How many rows and subjects remain at each step from index dates to labelled rows, per task and horizon."""
    rows = []
    for task, part in labels.groupby("task", sort=False):
        for horizon in horizons_days:
            known = at_horizon(part, horizon)
            kept = np.isfinite(known)
            masked, positive = part["is_masked"].to_numpy(), known == 1
            of_steps = (np.ones(len(part), bool), masked, ~masked & ~kept, kept, positive)
            rows += [
                {"task": task, "horizon_days": horizon, "step": step, "rows": int(of.sum()),
                 "subjects": int(part["subject_id"][of].nunique())}
                for step, of in zip(STEPS, of_steps, strict=True)
            ]  # fmt: skip
    return pd.DataFrame(rows)


def _neighbours(index: pd.DataFrame, days: pd.DataFrame, column: str) -> tuple[Days, Days]:
    """Days back to the newest event before, and ahead to the first at or after, each index date; NEVER where none."""
    before, ahead = np.full(len(index), NEVER), np.full(len(index), NEVER)
    for rows, today, on in _by_subject(index, days, column):
        following = np.searchsorted(on, today, side="left")
        earlier, later = following > 0, following < len(on)
        before[rows[earlier]] = today[earlier] - on[following[earlier] - 1]
        ahead[rows[later]] = on[following[later]] - today[later]
    return before, ahead


def _reported_through(index: pd.DataFrame, reported: pd.DataFrame, outcome: Outcome) -> Days:
    """The longest horizon that is reported well enough, as are all shorter ones: silence is not absence of events."""
    horizons = np.array(outcome.horizons_days)
    needed = np.maximum(1, np.ceil(outcome.min_coverage * horizons))
    longest = np.zeros(len(index), dtype=np.int64)
    for rows, today, on in _by_subject(index, reported, "local_date"):
        begin = today[:, None]
        count = np.searchsorted(on, begin + horizons) - np.searchsorted(on, begin)
        enough = np.logical_and.accumulate(count >= needed, axis=1).sum(axis=1)
        longest[rows] = np.concatenate([[0], horizons])[enough]
    return longest


def _by_subject(index: pd.DataFrame, days: pd.DataFrame, column: str) -> Iterator[tuple[Days, Days, Days]]:
    """For each subject with any such day: positions of its index rows, their dates and its distinct days, sorted."""
    today = index["index_date"].to_numpy().astype("datetime64[D]").astype(np.int64)
    rows_of = index.reset_index(drop=True).groupby("subject_id").indices
    for subject, part in days.groupby("subject_id"):
        rows = rows_of.get(subject)
        if rows is not None:
            yield (
                np.asarray(rows),
                today[rows],
                np.unique(part[column].to_numpy().astype("datetime64[D]").astype(np.int64)),
            )
