"""The scored rows as arrays: whose they are, what was said, what happened, and the episode that each comes before."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import ModelsError

Values = NDArray[np.float64]
Places = NDArray[np.int64]

# Positive rows of a subject further apart than this belong to different episodes.
EPISODE_GAP_DAYS = 7
# Without an event for so long nobody expects one.
QUIET_DAYS = 28
NEEDED = ("subject_id", "probability", "label")


@dataclass(frozen=True)
class Rows:
    """Scored rows as arrays of shape (n_rows,).

    Attributes:
        subject: whose, counted from 0 to n_subjects - 1 in the order of the sorted ids.
        label: 1 where the event came, else 0.
        probability: the risk given, 0 to 1.
        episode: which episode a positive row comes before, counted from 0; -1 where none.
        days_ahead: days from the row to the onset of that episode; missing where none or where no dates are known.
        is_quiet: whether the subject had no event for `QUIET_DAYS` days before.
        n_subjects: how many.
        has_dates: whether rows have a date, so that episodes and lead times mean anything.
        has_history: whether days since the last event are known, so that quiet means anything.
    """

    subject: Places
    label: Places
    probability: Values
    episode: Places
    days_ahead: Values
    is_quiet: NDArray[np.bool_]
    n_subjects: int
    has_dates: bool
    has_history: bool

    def per_subject(self, values: Values) -> Values:
        """Sum of the values over each subject's rows, shape (n_subjects,)."""
        return np.bincount(self.subject, weights=values, minlength=self.n_subjects).astype(float)

    def episodes(self) -> Places:
        """How many episodes each subject has, shape (n_subjects,)."""
        pairs = np.unique(np.stack([self.subject, self.episode])[:, self.episode >= 0], axis=1)
        return np.bincount(pairs[0], minlength=self.n_subjects)

    def cells(self, is_flagged: NDArray[np.bool_]) -> pd.DataFrame:
        """Rows alike in subject, label and is_flagged (0/1) as one: n (rows), probability and squared_error (their means)."""
        table = pd.DataFrame({"subject": self.subject, "label": self.label, "is_flagged": is_flagged.astype(np.int64),
                              "p": self.probability, "e": (self.probability - self.label) ** 2})  # fmt: skip
        by = table.groupby(["subject", "label", "is_flagged"])
        return by.agg(n=("p", "size"), probability=("p", "mean"), squared_error=("e", "mean")).reset_index()


def rows_of(scored: pd.DataFrame) -> tuple[Rows, pd.Index]:
    """The rows of a scores table, and its subjects in the order of their codes.

    Args:
        scored: one row per subject and index date: subject_id, probability (0-1), label (0/1). Where known index_date;
            days_to_event (days to the next event, of positive rows at least) and days_since_event (missing: never one).
            Without days_to_event, each run of positive rows of a subject is taken as the days before one episode; without
            index_date, each positive row as one episode.
    """
    codes, subjects = pd.factorize(scored["subject_id"], sort=True)
    subject, label = codes.astype(np.int64), scored["label"].to_numpy(np.int64)
    has_dates = "index_date" in scored.columns
    episode, ahead = np.full(len(scored), -1), np.full(len(scored), np.nan)
    if not has_dates:
        episode[label == 1] = np.arange(label.sum())
    elif "days_to_event" in scored.columns:
        episode, ahead = _before_events(scored, subject, label)
    else:
        episode, ahead = _runs(scored, subject, label)
    is_quiet, has_history = np.zeros(len(scored), dtype=bool), "days_since_event" in scored.columns
    if has_history:
        since = scored["days_since_event"].to_numpy(dtype=float)
        is_quiet = np.nan_to_num(since, nan=np.inf) >= QUIET_DAYS
    return Rows(subject, label, scored["probability"].to_numpy(float), episode.astype(np.int64), ahead, is_quiet,
                len(subjects), has_dates, has_history), pd.Index(subjects)  # fmt: skip


def _before_events(scored: pd.DataFrame, subject: Places, label: Places) -> tuple[Places, Values]:
    """Episode and days to its onset of each positive row, from the days to the next event."""
    days = scored["days_to_event"].where(label == 1).to_numpy(dtype=float)
    onset = scored["index_date"].reset_index(drop=True) + pd.to_timedelta(pd.Series(days), unit="D")
    found = pd.DataFrame({"subject": subject, "onset": onset}).groupby(["subject", "onset"]).ngroup()
    return np.asarray(found.where(label == 1, -1).fillna(-1), dtype=np.int64), days


def _runs(scored: pd.DataFrame, subject: Places, label: Places) -> tuple[Places, Values]:
    """Episode and days ahead of each positive row, where only labels are known: the onset is the day after a run's last."""
    positive = pd.DataFrame({"subject": subject, "day": scored["index_date"].to_numpy(), "row": np.arange(len(label)),
                             "run": _run_starts(scored, subject, label)})[label == 1]  # fmt: skip
    positive = positive.sort_values(["subject", "day"], kind="stable")
    positive["run"] = positive["run"].cumsum() - 1
    last = positive.groupby("run")["day"].transform("max")
    episode, ahead = np.full(len(label), -1), np.full(len(label), np.nan)
    episode[positive["row"]] = positive["run"]
    ahead[positive["row"]] = (last - positive["day"]).dt.total_seconds() / 86400 + 1
    return episode, ahead


def _run_starts(scored: pd.DataFrame, subject: Places, label: Places) -> NDArray[np.bool_]:
    """Whether each row begins a run of positive rows of its subject."""
    table = pd.DataFrame({"subject": subject, "day": scored["index_date"].to_numpy(), "label": label})
    ordered = table.sort_values(["subject", "day"], kind="stable")
    earlier = ordered.groupby("subject").shift()
    is_new = (earlier["label"] != 1) | ((ordered["day"] - earlier["day"]) > pd.Timedelta(days=EPISODE_GAP_DAYS))
    found = pd.Series((ordered["label"] == 1) & is_new, index=ordered.index)
    return found.sort_index().to_numpy()


def refuse_unusable(scored: pd.DataFrame) -> None:
    """Refuse scores that no audit can be made of.

    Raises:
        ModelsError: no rows, a missing column, repeated subject-days, labels other than 0 and 1, scores not within 0-1.
    """
    absent = [column for column in NEEDED if column not in scored.columns]
    if absent:
        raise ModelsError(f"`scored` lacks {absent}. Hand over one row per subject and index date with these columns.")
    if scored.empty:
        raise ModelsError(
            "`scored` has no rows, so there is nothing to audit. Score and label some subject-days first."
        )
    unknown = int(scored["subject_id"].isna().sum())
    repeated = 0
    if "index_date" in scored.columns:
        unknown += int(scored["index_date"].isna().sum())
        repeated = int(scored.duplicated(["subject_id", "index_date"]).sum())
    for count, what, cure in (
        (unknown, "lack a subject or a date", "Leave them out."),
        (repeated, "repeat a subject and index date", "Keep one per day."),
        ((~scored["label"].isin([0, 1])).sum(), "have a label other than 0 or 1", "Leave unlabelled rows out."),
        ((~scored["probability"].between(0, 1)).sum(), "have no probability within 0 to 1", "Give calibrated scores."),
    ):
        if count:
            raise ModelsError(f"`scored` has {int(count)} rows that {what}. {cure}")
