"""Declared outcomes -> event days, episodes, masks and labels: what came after the cutoff.

An event lies at its risk day (`features.calendar.risk_day`): "before c(t)" is `event_on < t`, and the horizon of H days
from c(t) is `t <= event_on < t + H`. Two tasks, never mixed: *onset*, the start of a new episode, without index dates
inside an episode or its refractory time; *burden*, any event day, unmasked. Death and admission compete with both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.competing import competing_days, is_admitted
from models.errors import ModelsError
from models.rises import rises

Days = NDArray[np.int64]
Task = Literal["onset", "burden"]
TASKS: tuple[Task, ...] = ("onset", "burden")
DAY = pd.Timedelta(days=1)
NEVER = np.iinfo(np.int64).max // 4


@dataclass(frozen=True, kw_only=True)
class Part:
    """One way in which an outcome happens: kinds of events, a relapse or a deterioration on a scale; see `foretide.yaml`."""

    events: tuple[str, ...] = ()
    assessment: str | None = None
    in_remission_below: float | None = None
    rise: float | None = None
    reaches: float | None = None
    reference_days: int = 90
    ascertainment: Literal["registry", "self_report"] = "registry"
    min_coverage: float = 0.0

    @property
    def needs_reports(self) -> bool:
        """Whether the absence of an event is known only from the subject's own reports."""
        return self.assessment is not None or self.ascertainment == "self_report"

    @property
    def table(self) -> str:
        """The stream that tells of it."""
        return "assessments" if self.assessment else "events"

    def found(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of its stream that are such an event."""
        if not self.assessment:
            return rows[rows["kind"].isin(self.events)]
        past = self.reaches if self.in_remission_below is None else self.in_remission_below
        return rises(rows[rows["instrument"] == self.assessment], self.reference_days, self.rise, past)


@dataclass(frozen=True)
class Outcome(Part):
    """A declared crisis, relapse or deterioration, or any of several; see `foretide.yaml` for what each key means."""

    name: str
    horizons_days: tuple[int, ...]
    any_of: tuple[Part, ...] = ()
    merge_within_days: int = 7
    refractory_days: int = 14

    @property
    def parts(self) -> tuple[Part, ...]:
        """The ways in which it happens; itself where it is no combination."""
        return self.any_of or (self,)

    @property
    def needs_reports(self) -> bool:
        """Whether the absence of an event is known, in part, only from the subject's own reports."""
        return any(part.needs_reports for part in self.any_of) if self.any_of else super().needs_reports

    @property
    def tables(self) -> tuple[str, ...]:
        """The streams that tell of it."""
        return tuple(dict.fromkeys(part.table for part in self.parts))


def event_days(outcome: Outcome, events: pd.DataFrame | None, assessments: pd.DataFrame | None) -> pd.DataFrame:
    """Days on which the outcome happened: `subject_id, event_on, known_on` and, where given, `superseded_on`.

    Args:
        outcome: the declaration; of a combination, every part's days count.
        events: raw events with `kind`, `event_on`, `known_on`; for what is declared by event kinds.
        assessments: raw assessments with `instrument`, `score`, `event_on`, `known_on`; for what is declared on a scale. Of
            several versions, with `superseded_on`, each counts for the index dates on which it stood (`rises`).

    Raises:
        ModelsError: a stream that the outcome needs was not given.
    """
    streams = {"events": events, "assessments": assessments}
    found = []
    for part in outcome.parts:
        rows = streams[part.table]
        if rows is None:
            raise ModelsError(
                f"Outcome `{outcome.name}` needs the `{part.table}` stream, which was not given. Ingest it."
            )
        found.append(part.found(rows))
    days = pd.concat(found)
    columns = [c for c in ("subject_id", "event_on", "known_on", "superseded_on") if c in days.columns]
    return days[columns].sort_values(["subject_id", "event_on", "known_on"], ignore_index=True)


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
    return is_refractory(days_since_event(index, days), outcome)


def is_refractory(days_since: NDArray[np.float64], outcome: Outcome) -> NDArray[np.bool_]:
    """Whether the newest event lies so few days back that its episode or refractory time goes on; missing: no event."""
    return np.nan_to_num(days_since, nan=np.inf) <= outcome.refractory_days


def label(
    index: pd.DataFrame,
    outcome: Outcome,
    task: Task,
    days: pd.DataFrame,
    follow_up: pd.DataFrame,
    reported: Sequence[pd.DataFrame],
    care: pd.DataFrame,
) -> pd.DataFrame:
    """What happened after each index date: days to the first event, and for how long one would have seen it.

    Where death or admission came first, the outcome did not, and silence from then on hides nothing; the horizon must still
    be over and consented to, or only deaths would end it. While admitted, a subject is at risk of nothing and followed for no
    day.

    Args:
        index: `subject_id, index_date`.
        outcome: the declaration.
        task: onset or burden.
        days: the outcome's event days, whenever received.
        follow_up: `subject_id, followed_until`, the last civil day fully followed up, and `knowable_until`, the last that
            anything may be known of, whatever became of the subject.
        reported: for each part of the outcome, `subject_id, local_date` of days on which the subject would have reported
            an event of it: days with an answer, or with its assessment. Not used where a registry sees everyone.
        care: versions of care status in force: `subject_id, event_on, status`, those of one day in their order.

    Returns:
        The index with `outcome, task, days_to_event` (missing: none seen), `followed_days, is_masked`; beside these
        `is_admitted`, `days_to_competing` (missing: neither died nor was admitted first) and `reachable_days`, for how long
        one would have seen an event had the subject reported all.
    """
    targets = (
        days
        if task == "burden"
        else episodes(days, outcome.merge_within_days).rename(columns={"started_on": "event_on"})
    )
    _, ahead = _neighbours(index, targets, "event_on")
    _, ended = _neighbours(index, competing_days(care), "event_on")
    reachable, away = _days_through(index, follow_up, "followed_until"), is_admitted(index, care)
    # Every day before the death or admission was followed up, or it is not known to be the first to come.
    is_ended = (ended <= reachable) & (ended < ahead) & ~away & (reachable > 0)
    reachable = np.where(is_ended, _days_through(index, follow_up, "knowable_until"), reachable)
    followed = reachable = np.where(away, 0, reachable)
    for part, told in zip(outcome.parts, reported, strict=True):
        if part.needs_reports:
            until = np.where(is_ended, ended + 1, NEVER)
            followed = np.minimum(followed, _reported_through(index, told, part, outcome.horizons_days, until))
    masked = is_masked(index, days, outcome) if task == "onset" else np.zeros(len(index), dtype=bool)
    return index[["subject_id", "index_date"]].assign(
        outcome=outcome.name,
        task=task,
        days_to_event=np.where((ahead >= NEVER) | (ahead >= followed) | is_ended, np.nan, ahead.astype(np.float64)),
        followed_days=followed.astype(np.int64),
        is_masked=masked,
        is_admitted=away,
        days_to_competing=np.where(is_ended, ended.astype(np.float64), np.nan),
        reachable_days=reachable.astype(np.int64),
    )


def _days_through(index: pd.DataFrame, follow_up: pd.DataFrame, last: str) -> Days:
    """Days from each index date through the subject's last day of that name; none where that is past or unknown."""
    until = index["subject_id"].map(follow_up.set_index("subject_id")[last])
    days: Days = ((until - index["index_date"]).dt.days + 1).fillna(0).clip(lower=0).to_numpy().astype(np.int64)
    return days


def at_horizon(labels: pd.DataFrame, horizon_days: int) -> NDArray[np.float64]:
    """1 if an event came within the horizon, 0 if not, missing where masked or not fully followed up.

    A horizon that is not fully followed up loses its positives too: otherwise only events would end follow-up.
    """
    seen = ~labels["is_masked"].to_numpy() & (labels["followed_days"].to_numpy() >= horizon_days)
    return np.where(seen, (labels["days_to_event"].to_numpy() < horizon_days).astype(np.float64), np.nan)


def _neighbours(index: pd.DataFrame, days: pd.DataFrame, column: str) -> tuple[Days, Days]:
    """Days back to the newest event before, and ahead to the first at or after, each index date; NEVER where none."""
    before, ahead = np.full(len(index), NEVER), np.full(len(index), NEVER)
    for rows, today, on in _by_subject(index, days, column):
        following = np.searchsorted(on, today, side="left")
        earlier, later = following > 0, following < len(on)
        before[rows[earlier]] = today[earlier] - on[following[earlier] - 1]
        ahead[rows[later]] = on[following[later]] - today[later]
    return before, ahead


def _reported_through(
    index: pd.DataFrame, reported: pd.DataFrame, part: Part, horizons_days: tuple[int, ...], until: Days
) -> Days:
    """The longest horizon that is reported well enough, as are all shorter ones: silence is not absence of events.

    Args:
        until: after how many days somebody could have the outcome no more; silence from then on is none.
    """
    horizons = np.array(horizons_days)
    longest = np.zeros(len(index), dtype=np.int64)
    for rows, today, on in _by_subject(index, reported, "local_date"):
        begin, asked = today[:, None], np.minimum(horizons, until[rows][:, None])
        count = np.searchsorted(on, begin + asked) - np.searchsorted(on, begin)
        needed = np.maximum(1, np.ceil(part.min_coverage * asked))
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
