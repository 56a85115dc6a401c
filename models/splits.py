"""Who is trained on and who is tested on: the same subjects later, subjects never seen, also later, and sites never seen."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.errors import ModelsError

UNSEEN_SUBJECTS = "unseen_subjects"
UNSEEN_AND_LATER = "unseen_and_later"
SAME_SUBJECTS_LATER = "same_subjects_later"
UNSEEN_SITE, UNSEEN_DEVICE = "unseen_site", "unseen_device"
# What a label frame says of each row, and may say once more of each cut: as it was known by then (`with_known`).
LABEL = ("days_to_event", "followed_days", "is_masked")
# Test periods begin after these shares of the index dates, so that every cut has a past to learn from.
FIRST_CUT, LAST_CUT = 0.4, 0.8

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows to test on, as masks over the label rows.

    `known` holds the label rows as a training at the cut would have known them; where there is no cut, they are as they are.
    """

    name: str
    fold: int
    cut: int
    train: Mask
    test: Mask
    known: pd.DataFrame | None = None


@dataclass(frozen=True)
class Period:
    """Rows that may be learnt from, and rows that are tested, whoever their subjects are; `known` as in `Split`."""

    train: Mask
    test: Mask
    known: pd.DataFrame | None = None


def folds(labels: pd.DataFrame, count: int, seed: int) -> NDArray[np.int64]:
    """Fold of each label row: whole subjects, those with an event spread evenly.

    Raises:
        ModelsError: fewer subjects, or fewer subjects with an event, than folds.
    """
    has_event = labels.groupby("subject_id")["days_to_event"].apply(lambda days: bool(days.notna().any()))
    if len(has_event) < count or int(has_event.sum()) < count:
        raise ModelsError(
            f"{len(has_event)} subjects, {int(has_event.sum())} of them with an event, are too few for {count} folds. "
            "Gather more data, or set fewer `training.folds`."
        )
    shuffled = has_event.sample(frac=1.0, random_state=seed).sort_values(kind="stable")
    fold_of = pd.Series(np.arange(len(shuffled)) % count, index=shuffled.index)
    return labels["subject_id"].map(fold_of).to_numpy(dtype=np.int64)


def unseen_subjects(labels: pd.DataFrame, count: int, seed: int) -> Iterator[Split]:
    """Each fold of subjects tested once by a model trained on the others."""
    fold = folds(labels, count, seed)
    for number in range(count):
        yield Split(UNSEEN_SUBJECTS, number, 0, fold != number, fold == number)


def unseen_and_later(labels: pd.DataFrame, count: int, cuts: int, horizon_days: int, seed: int) -> Iterator[Split]:
    """Each fold of subjects tested in each period by a model trained on the others' past."""
    fold = folds(labels, count, seed)
    for cut, period in enumerate(periods(labels, UNSEEN_AND_LATER, cuts, horizon_days)):
        for number in range(count):
            train, test = period.train & (fold != number), period.test & (fold == number)
            yield Split(UNSEEN_AND_LATER, number, cut, train, test, period.known)


def same_subjects_later(labels: pd.DataFrame, cuts: int, horizon_days: int) -> Iterator[Split]:
    """Everybody tested in each period by a model trained on everybody's past: who knows people again scores well here."""
    for cut, period in enumerate(periods(labels, SAME_SUBJECTS_LATER, cuts, horizon_days)):
        yield Split(SAME_SUBJECTS_LATER, 0, cut, period.train, period.test, period.known)


def one_out(split: str, place: pd.Series) -> Iterator[Split]:
    """Each site, or each device, tested by a model trained on the others; none where there is one only.

    Args:
        split: `UNSEEN_SITE` or `UNSEEN_DEVICE`.
        place: site or device of each label row's subject; rows without one are trained on only.
    """
    names = sorted(place.dropna().unique())
    for number, name in enumerate(names if len(names) > 1 else []):
        is_there = (place == name).to_numpy(dtype=bool)
        yield Split(split, number, 0, ~is_there, is_there)


def periods(labels: pd.DataFrame, split: str, cuts: int, horizon_days: int) -> tuple[Period, ...]:
    """What each fit of a split may learn from and what it is tested on, before subjects are kept apart.

    Purged where tests come later: a training row's whole horizon ends before the test period begins, and its label is the one
    that was known by then. What was received later is neither an event nor its absence.
    """
    if split == UNSEEN_SUBJECTS:
        every = np.ones(len(labels), dtype=bool)
        return (Period(every, every),)
    date = labels["index_date"]
    begins = cut_dates(date, cuts)
    ends = [*begins[1:], date.max() + pd.Timedelta(days=1)]
    return tuple(
        Period(is_over(date, horizon_days, begin), ((date >= begin) & (date < end)).to_numpy(), as_known(labels, cut))
        for cut, (begin, end) in enumerate(zip(begins, ends, strict=True))
    )


def cut_dates(index_date: pd.Series, cuts: int) -> list[pd.Timestamp]:
    """The index dates on which test periods begin."""
    return [index_date.quantile(share, interpolation="lower") for share in np.linspace(FIRST_CUT, LAST_CUT, cuts)]


def is_over(index_date: pd.Series, horizon_days: int, cut: pd.Timestamp) -> Mask:
    """Whether the whole horizon from each index date ends before the cut."""
    return (index_date + pd.Timedelta(days=horizon_days) <= cut).to_numpy(dtype=bool)


def with_known(labels: pd.DataFrame, cut: int, rows: Mask, known: pd.DataFrame) -> pd.DataFrame:
    """Labels that say of some of their rows, too, how these were known by a cut; of the others nothing was.

    Args:
        cut: its number.
        rows: which rows those are.
        known: their labels by then, in order.
    """
    nothing = {"days_to_event": np.nan, "followed_days": np.int64(0), "is_masked": False}
    told = {}
    for name in LABEL:
        told[_by_cut(name, cut)] = values = np.full(len(labels), nothing[name])
        values[rows] = known[name]
    return labels.assign(**told)


def as_known(labels: pd.DataFrame, cut: int) -> pd.DataFrame:
    """Label rows as they were known by a cut; as they are, where they do not say."""
    if _by_cut(LABEL[0], cut) not in labels:
        return labels
    return labels.assign(**{name: labels[_by_cut(name, cut)] for name in LABEL})


def _by_cut(name: str, cut: int) -> str:
    return f"{name}_by_cut_{cut}"
