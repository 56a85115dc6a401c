"""What goes wrong on the way: impossible values, wrong clocks, strangers' rows, duplicates, corrections, deletions.

One uniform number per row decides; the shares below cut [0, 1) from the bottom. About 0.12 % of rows are dirty, that
is, must not pass the door; duplicates and corrections are ordinary traffic.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from pipelines.sources.simulation.dice import Array
from pipelines.sources.simulation.receipt import days_later
from pipelines.sources.simulation.rows import Group, known_by_snapshot

IMPOSSIBLE, WRONG_CLOCK, STRANGER = 0.0008, 0.0002, 0.0002
DUPLICATED, CORRECTED, DELETED = 0.002, 0.004, 0.0003
SHARES = (IMPOSSIBLE, WRONG_CLOCK, STRANGER, DUPLICATED, CORRECTED, DELETED)
NAMES = ("impossible", "wrong_clock", "stranger", "duplicated", "corrected", "deleted")
AHEAD = pd.Timedelta(days=400)
STRANGER_ID = "sim-0000"

Change = Callable[[pd.DataFrame], pd.DataFrame]


def fates(luck: Array) -> dict[str, np.ndarray]:
    """Which rows meet which fate; a row meets one at most."""
    which = np.searchsorted(np.cumsum(SHARES), luck, side="right")
    return {name: which == number for number, name in enumerate(NAMES)}


def soil(rows: pd.DataFrame, luck: Array, times: tuple[str, ...], spoil: Change) -> pd.DataFrame:
    """The rows with their dirt, and exact duplicates at the end. `spoil` makes values impossible."""
    fate = fates(luck)
    bad = np.flatnonzero(fate["impossible"])
    spoiled = spoil(rows.iloc[bad].copy())
    for column in spoiled.columns[(spoiled != rows.iloc[bad]).any()]:
        rows.loc[bad, column] = spoiled[column]
    for column in times:
        rows.loc[fate["wrong_clock"], column] += AHEAD
    rows.loc[fate["stranger"], "subject_id"] = STRANGER_ID
    return pd.concat([rows, rows[fate["duplicated"]]], ignore_index=True)


def resend(rows: pd.DataFrame, luck: Array, correct: Change, is_deleted: bool = False) -> pd.DataFrame:
    """Later versions of clean rows: the same keys one to four days on, with other values or taken back."""
    again = correct(rows.copy())
    return again.assign(received_at=days_later(rows["received_at"], luck), version=np.int32(1), is_deleted=is_deleted)


def traffic(
    g: Group, rows: pd.DataFrame, luck: Array, times: tuple[str, ...], spoil: Change, correct: Change
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What is sent first, and what is sent again later, of one table; only what the snapshot can hold.

    Corrections and deletions fall on rows free of dirt.
    """
    fate = fates(luck)
    timing = (luck * 7919) % 1
    corrected = resend(rows[fate["corrected"]], timing[fate["corrected"]], correct)
    deleted = resend(rows[fate["deleted"]], timing[fate["deleted"]], lambda same: same, is_deleted=True)
    first = known_by_snapshot(g, soil(rows, luck, times, spoil))
    return first, known_by_snapshot(g, pd.concat([corrected, deleted], ignore_index=True))
