"""Rises on a scale over the subject's own level, and the index dates on which each of them stood: relapse, deterioration.

Whether an assessment is one follows from its own score and from those of the days before it, each of which can
come later than it, be corrected, or be taken back. Most come in order and stay as they are: one pass over each subject
judges them. Only those with another kind in the days before them are judged again for each index date with news.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.calendar import day_number

Places = NDArray[np.int64]
FOR_EVER = np.iinfo(np.int64).max
# Scores of the past that are held at a time.
SCORES_AT_ONCE = 5_000_000


def rises(rows: pd.DataFrame, reference_days: int, rise: float | None, past: float | None) -> pd.DataFrame:
    """Assessments that rise over the median of the days before, by so much, past a threshold, or both.

    Args:
        rows: versions of assessments on one scale: `subject_id, event_on, known_on, score` and, where given,
            `superseded_on`.
        reference_days: how many days before an assessment the median is taken over; without a score there is none.
        rise: least rise over the median.
        past: a threshold that the median lies below and the score does not.

    Returns:
        The rows of those assessments. Each stood from `known_on` to the day before `superseded_on`, judged by the scores
        that were known meanwhile; a row comes again for each such time.
    """
    rows = rows.sort_values(["subject_id", "event_on"], kind="stable", ignore_index=True)
    versions = _Versions(rows, reference_days)
    judged = pd.concat([_in_order(rows, versions, reference_days), _judged_again(versions)], ignore_index=True)
    judged = judged[_rose(judged["reference"], versions.score[judged["row"]], rise, past)]
    stood = {"known_on": _dates(judged["begin"]), "superseded_on": _dates(judged["end"])}
    found: pd.DataFrame = rows.iloc[judged["row"]].assign(**stood).reset_index(drop=True)
    return found


def _rose(reference: pd.Series, score: NDArray[np.float64], rise: float | None, past: float | None) -> pd.Series:
    is_past = reference.notna() if past is None else (reference < past) & (score >= past)
    return is_past if rise is None else is_past & (score - reference >= rise)


class _Versions:
    """Versions of assessments sorted by subject and day, as arrays of shape (n_rows,).

    Attributes:
        known, until: days since 1970 between which each stood.
        first, last: where the days before each begin and end.
        is_odd: whether a later assessment can have been known without it, or with it otherwise.
        is_unsettled: whether one of the days before it is odd.
    """

    def __init__(self, rows: pd.DataFrame, reference_days: int) -> None:
        subject = pd.factorize(rows["subject_id"])[0].astype(np.int64) << 20
        on = day_number(rows["event_on"])
        self.score = rows["score"].to_numpy(dtype=np.float64)
        self.known, self.until = day_number(rows["known_on"]), np.full(len(rows), FOR_EVER)
        if "superseded_on" in rows:
            is_over = rows["superseded_on"].notna().to_numpy()
            self.until[is_over] = day_number(rows["superseded_on"][is_over])
        self.last = np.searchsorted(subject + on, subject + on)
        self.first = np.searchsorted(subject + on, subject + on - reference_days)
        earliest = pd.Series(self.known[::-1]).groupby(subject[::-1]).cummin().to_numpy()[::-1]
        self.is_odd = (self.until < FOR_EVER) | (self.known > earliest)
        self.odd_before = np.append(0, np.cumsum(self.is_odd))
        self.is_unsettled = self.odd_before[self.last] > self.odd_before[self.first]


def _in_order(rows: pd.DataFrame, versions: _Versions, reference_days: int) -> pd.DataFrame:
    """Rows with nothing odd in the days before them: `row, begin, end, reference`."""
    past = rows.set_index("event_on").groupby("subject_id")["score"]
    reference = past.rolling(f"{reference_days}D", closed="left").median().to_numpy()
    row = np.flatnonzero(~versions.is_unsettled)
    return _judged(row, versions.known[row], versions.until[row], reference[row])


def _judged_again(versions: _Versions) -> pd.DataFrame:
    """All other rows, once for each time in which the days before them stayed the same."""
    rows = np.flatnonzero(versions.is_unsettled)
    owner, odd = _spans(versions.odd_before[versions.first[rows]], versions.odd_before[versions.last[rows]])
    place, odd = np.tile(rows[owner], 2), np.flatnonzero(versions.is_odd)[odd]
    news = np.concatenate([versions.known[odd], versions.until[odd]])
    is_meanwhile = (news > versions.known[place]) & (news < versions.until[place])
    begins = np.concatenate([versions.known[rows], news[is_meanwhile]])
    times = np.unique((np.concatenate([rows, place[is_meanwhile]]) << 20) + begins)
    row, begin = times >> 20, times & (2**20 - 1)
    goes_on = row[:-1] == row[1:]
    end = versions.until[row]
    end[:-1][goes_on] = begin[1:][goes_on]
    portions = int((versions.last[row] - versions.first[row]).sum()) // SCORES_AT_ONCE + 1
    some = zip(np.array_split(row, portions), np.array_split(begin, portions), strict=True)
    return _judged(row, begin, end, np.concatenate([_medians(versions, *each) for each in some]))


def _judged(row: Places, begin: Places, end: Places, reference: NDArray[np.float64]) -> pd.DataFrame:
    return pd.DataFrame({"row": row, "begin": begin, "end": end, "reference": reference})


def _medians(versions: _Versions, row: Places, on: Places) -> NDArray[np.float64]:
    """Median score of the days before each row, of what stood on an index date; missing where nothing did."""
    owner, place = _spans(versions.first[row], versions.last[row])
    stood = (versions.known[place] <= on[owner]) & (on[owner] < versions.until[place])
    median = pd.Series(versions.score[place[stood]]).groupby(owner[stood]).median()
    found: NDArray[np.float64] = median.reindex(np.arange(len(row))).to_numpy(dtype=np.float64)
    return found


def _spans(first: Places, last: Places) -> tuple[Places, Places]:
    """Every place from each first to before each last, with the number of the span that it is of."""
    size = last - first
    owner = np.repeat(np.arange(len(first)), size)
    return owner, np.arange(len(owner)) - np.repeat(np.cumsum(size) - size, size) + first[owner]


def _dates(days: pd.Series) -> NDArray[np.datetime64]:
    dates = np.where(days == FOR_EVER, np.datetime64("NaT"), days.to_numpy().astype("datetime64[D]"))
    return dates.astype("datetime64[us]")
