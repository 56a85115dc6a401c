"""Regularity of sleep from day to day: sleep regularity index, social jetlag, composite phase deviation.

A day's sleep is kept as bits, one for each 5 minutes, on the wall clock of its awakening. The table of sleep says when
an episode began and ended, not when within it a subject lay awake: all of an episode is sleep here.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features import circular
from features.coverage import Counts, coverage
from features.measures import WEEKDAY, Pattern, PatternFeature, Values
from features.versions import KEY

Epochs = NDArray[np.int64]
Words = NDArray[np.uint64]

EPOCH_MIN = 5
# Four hours to a column: 48 bits, which a float holds exactly.
EPOCHS_PER_WORD = 48
# From 08:00 of the day before: the longest episode that the door lets in ends just after midnight.
WORDS_BEFORE, WORDS_OF_DAY = 4, 6
STATE_COLUMNS = tuple(f"sleep_state_{word}" for word in range(WORDS_BEFORE + WORDS_OF_DAY))
# Words of a day before noon: what sleep begins in them ends that day.
WORDS_OF_MORNING = 3

SATURDAY = 5
FEWEST_FREE, FEWEST_WORK, FEWEST_PAIRS, FEWEST_STEPS = 2, 3, 5, 3


def states(rows: pd.DataFrame) -> pd.DataFrame:
    """When sleep was, as bits from 08:00 before the day of awakening to its end, by `KEY`.

    An epoch is sleep when its middle lies in an episode; so that on average as many epochs as minutes are sleep.

    Args:
        rows: one row per episode, sorted by `KEY`, with `began` and `ended` in minutes since 1970 on the wall clock.
    """
    midnight = rows["local_date"].to_numpy().astype("datetime64[m]").astype(np.int64)
    first, after = (_epoch(rows[end].to_numpy(dtype=np.float64) - midnight) for end in ("began", "ended"))
    starts = np.flatnonzero(~rows.duplicated(KEY))
    words = {}
    for place, column in enumerate(STATE_COLUMNS):
        low, high = (
            np.clip(epoch - place * EPOCHS_PER_WORD, 0, EPOCHS_PER_WORD).astype(np.uint64) for epoch in (first, after)
        )
        bits = np.left_shift(np.uint64(1), high) - np.left_shift(np.uint64(1), low)
        words[column] = np.bitwise_or.reduceat(bits, starts).astype(np.float64) if len(starts) else np.zeros(0)
    return pd.DataFrame(words, index=pd.MultiIndex.from_frame(rows.iloc[starts][KEY]))


def _epoch(minutes_from_midnight: Values) -> Epochs:
    """The first epoch whose middle is not before an instant, counted from the first bit."""
    epoch: Epochs = np.ceil(minutes_from_midnight / EPOCH_MIN - 0.5).astype(np.int64) + WORDS_BEFORE * EPOCHS_PER_WORD
    return epoch


def sleep_regularity(words: Values) -> tuple[Values]:
    """Chance that a subject is in the same state, asleep or awake, 24 hours later: 100 always, 0 at random (Phillips 2017).

    -100 + 200 times the share of epochs, over valid pairs only, that are like the epoch 24 hours on the wall clock later.
    A missing day is missing, not awake: the hours before noon are known on a day with an episode that ended then, the
    hours after noon when also the next day has one, to which the evening's sleep belongs.

    Args:
        words: `STATE_COLUMNS`, of shape (n_rows, n_days, 10), NaN on days without an episode.

    Returns:
        Shape (n_rows,), from -100 to 100; missing below 5 pairs of successive days with an episode.
    """
    is_known, both = np.isfinite(words[:, :, 0]), _is_successive(words[:, :, 0])
    held: Words = np.where(is_known[:, :, None], words, 0.0).astype(np.uint64)
    asleep = held[:, :, WORDS_BEFORE:].copy()
    asleep[:, :-1, WORDS_OF_DAY - WORDS_BEFORE :] |= held[:, 1:, :WORDS_BEFORE]
    is_pair = np.zeros((*both.shape, WORDS_OF_DAY), dtype=bool)
    is_pair[:, :, :WORDS_OF_MORNING] = both[:, :, None]
    is_pair[:, :-1, WORDS_OF_MORNING:] = (both[:, :-1] & both[:, 1:])[:, :, None]
    differing = np.where(is_pair, np.bitwise_count(asleep[:, 1:] ^ asleep[:, :-1]), 0).sum(axis=(1, 2))
    epochs = EPOCHS_PER_WORD * is_pair.sum(axis=(1, 2))
    index = 100.0 - 200.0 * differing / np.maximum(epochs, 1)
    return (np.where(both.sum(axis=1) >= FEWEST_PAIRS, index, np.nan),)


def pairs_of_days(days: Values) -> Counts:
    """How many days with sleep the day after has too: what regularity and phase deviation rest on.

    Args:
        days: of shape (n_rows, n_days, n_columns); the first column is NaN on days without.
    """
    pairs: Counts = _is_successive(days[:, :, 0]).sum(axis=1)
    return pairs


def _is_successive(values: Values) -> NDArray[np.bool_]:
    """Whether each day but the oldest is valid after a valid one."""
    is_known = np.isfinite(values)
    both: NDArray[np.bool_] = is_known[:, 1:] & is_known[:, :-1]
    return both


def social_jetlag(days: Values) -> tuple[Values, Values]:
    """How much later a subject sleeps on free days than on work days, in hours; its size, then signed (Wittmann 2006).

    Free are Saturday and Sunday: the nights that follow Friday and Saturday, since a night belongs to the day of its
    awakening. Who works shifts, or where the week ends otherwise, has free days that this does not know.

    Args:
        days: mid-sleep as clock time in hours and weekday, Monday 0; of shape (n_rows, n_days, 2).

    Returns:
        Two arrays of shape (n_rows,), up to 12 h; missing below 2 free or 3 work days with a mid-sleep.
    """
    free, work = _free_and_work(days[:, :, 0], days[:, :, 1])
    signed = circular.apart(_middle(free, FEWEST_FREE), _middle(work, FEWEST_WORK))
    return np.abs(signed), signed


def composite_phase_deviation(days: Values) -> tuple[Values]:
    """How far sleep lay from its own time and from where it was yesterday, in hours (Fischer 2016).

    The mean over days of sqrt(a^2 + b^2): a from mid-sleep to the chronotype, b from mid-sleep to the day before's.
    The chronotype is mid-sleep on free days, less half of what sleep on free days is longer than the week's average.

    Args:
        days: mid-sleep, onset and offset as clock times in hours, and weekday; of shape (n_rows, n_days, 4).

    Returns:
        Shape (n_rows,), up to 17 h; missing below 2 free or 3 work days, or 3 pairs of successive days.
    """
    midpoint, weekday = days[:, :, 0], days[:, :, 3]
    free, work = _free_and_work(midpoint, weekday)
    has_both = np.isfinite(_middle(free, FEWEST_FREE) + _middle(work, FEWEST_WORK))
    in_bed_free, in_bed_work = _free_and_work((days[:, :, 2] - days[:, :, 1]) % 24, weekday)
    caught_up = _mean(in_bed_free) - (2 * _mean(in_bed_free) + 5 * _mean(in_bed_work)) / 7
    chronotype = _middle(free, FEWEST_FREE) - np.maximum(caught_up, 0) / 2
    from_own = circular.apart(midpoint, chronotype[:, None])[:, 1:]
    from_yesterday = circular.apart(midpoint[:, 1:], midpoint[:, :-1])
    deviation = np.hypot(from_own, from_yesterday)
    is_given = has_both & (np.isfinite(deviation).sum(axis=1) >= FEWEST_STEPS)
    return (np.where(is_given, _mean(deviation), np.nan),)


def _free_and_work(values: Values, weekday: Values) -> tuple[Values, Values]:
    """Values of free days and of work days, the other days missing."""
    return np.where(weekday >= SATURDAY, values, np.nan), np.where(weekday < SATURDAY, values, np.nan)


def _mean(values: Values) -> Values:
    """Mean over valid days; 0 where there is none."""
    mean: Values = np.nansum(values, axis=1) / np.maximum(np.isfinite(values).sum(axis=1), 1)
    return mean


def _middle(hours: Values, fewest: int) -> Values:
    """Mean clock time in hours; missing below `fewest` of them, or where they lie all around the clock."""
    east, north = circular.hand(hours)
    return np.where(np.isfinite(hours).sum(axis=1) >= fewest, circular.mean(_mean(east), _mean(north)), np.nan)


_FREE_AND_WORK = "2 free and 3 work days"
_WINDOWS = (7, 14, 28, 90)
# A device or an algorithm that shifts either end of the night shifts when it is.
_RESTARTS = ("sleep_duration", "sleep_midpoint")

PATTERNS = (
    Pattern(
        STATE_COLUMNS,
        sleep_regularity,
        (
            PatternFeature("sleep_regularity", "points of 100", "how regular sleep was from day to day",
                           "-100 + 200 * share of 5-minute epochs in the same state, asleep or awake, 24 h later on the wall clock; "
                           "an episode counts as asleep throughout; only valid pairs of epochs: before noon both days have an "
                           "episode, after noon also the day after them, to which the evening's sleep belongs",
                           "Phillips 2017", "5 pairs of successive days that both have an episode", (14,)),
        ),
        _WINDOWS,
        "sleep_regularity",
        restarts_with=_RESTARTS,
    ),
    coverage("sleep_regularity", STATE_COLUMNS, pairs_of_days, "pairs of successive days with sleep",
             "pairs of successive days with sleep", less=1, windows=_WINDOWS),
    Pattern(
        ("sleep_midpoint", WEEKDAY),
        social_jetlag,
        (
            PatternFeature("sleep_social_jetlag", "h", "how far sleep on free days lies from that on work days",
                           "abs(circular mean of mid-sleep on Saturdays and Sundays - on other days)", "Wittmann 2006",
                           _FREE_AND_WORK, (28,)),
            PatternFeature("sleep_social_jetlag_signed", "h", "how much later sleep is on free days than on work days",
                           "circular mean of mid-sleep on Saturdays and Sundays - on other days", "Wittmann 2006",
                           _FREE_AND_WORK),
        ),
        _WINDOWS,
        "sleep_midpoint",
        restarts_with=_RESTARTS,
    ),
    Pattern(
        ("sleep_midpoint", "sleep_onset", "sleep_offset", WEEKDAY),
        composite_phase_deviation,
        (
            PatternFeature("sleep_phase_deviation", "h", "how far sleep lay from its own time and from yesterday's",
                           "mean of sqrt((mid-sleep - chronotype)^2 + (mid-sleep - mid-sleep the day before)^2); chronotype: "
                           "mid-sleep on free days less half of what sleep on free days is longer than over the week", "Fischer 2016",
                           f"{_FREE_AND_WORK}, 3 pairs of successive days"),
        ),
        _WINDOWS,
        "sleep_phase_deviation",
        restarts_with=_RESTARTS,
    ),
    coverage("sleep_phase_deviation", ("sleep_midpoint",), pairs_of_days, "pairs of successive days with a mid-sleep",
             "pairs of successive days with a mid-sleep", less=1, windows=_WINDOWS),
)  # fmt: skip
