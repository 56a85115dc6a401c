"""What a group's figures are must not depend on which other groups are summed beside it."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from features import mood, sleep
from features.groups import sums
from features.versions import KEY

N_DAYS = 200


def test_sums_leave_out_what_is_missing():
    """Of 1 and nothing: 1, one known; of nothing: 0, none known."""
    values = pd.DataFrame({"a": [1.0, np.nan, np.nan], "b": [1.0, 2.0, 3.0]})
    total, known = sums(values, pd.Series([0, 0, 4]))
    assert total.to_numpy().tolist() == [[1, 3], [0, 3]]
    assert known.to_numpy().tolist() == [[1, 2], [0, 1]]
    assert total.index.tolist() == [0, 4]
    assert [part.shape for part in sums(values.iloc[:0], pd.Series([], dtype=int))] == [(0, 2), (0, 2)]


def keys(day: np.ndarray) -> pd.DataFrame:
    """Key columns of rows of one subject, each known a day later."""
    dates = pd.Series(pd.Timestamp("2026-03-02").as_unit("us") + pd.to_timedelta(day, unit="D"))
    return pd.DataFrame({"subject_id": "ann", "local_date": dates, "known_on": dates + pd.Timedelta(days=1)})


def with_holes(dice: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """One value in ten missing."""
    return np.where(dice.random(len(values)) < 0.1, np.nan, values)


def answers() -> pd.DataFrame:
    """Many days of 60 answers to three items."""
    dice, n = np.random.default_rng(1), N_DAYS * 60
    at = pd.Timestamp("2026-03-02T08:00Z").as_unit("us") + pd.to_timedelta(np.arange(n) * 7, unit="min")
    return keys(np.repeat(np.arange(N_DAYS), 60)).assign(
        item=dice.choice(["mood", "energy", "happy"], n), answered_at=at, level=with_holes(dice, dice.random(n)),
        minutes_to_answer=with_holes(dice, dice.random(n)),
    )  # fmt: skip


def nights() -> pd.DataFrame:
    """Many days of a night and eleven naps, an hour and a half apart."""
    dice, n = np.random.default_rng(2), N_DAYS * 12
    began = np.repeat(np.arange(N_DAYS), 12) * 1440.0 + np.tile(np.arange(12) * 110.0, N_DAYS)
    ended = began + 30 + 10 * dice.random(n)
    rows = keys(np.repeat(np.arange(N_DAYS), 12)).assign(
        source="app", device_id="band", device_model="", algorithm_version="", record_id=[str(m) for m in range(n)],
        is_main=np.tile(np.arange(12) == 0, N_DAYS), preference=0, began=began, clock=0, ended=ended,
        minutes_in_bed=ended - began, midpoint=(began + ended) / 2 % 1440 / 60,
        **{name: with_holes(dice, 30 * dice.random(n)) for name in sleep.GIVEN_MINUTES},
    )  # fmt: skip
    return sleep.nights(rows)


@pytest.mark.parametrize(("daily", "rows"), [(mood.daily, answers()), (sleep.daily, nights())], ids=["mood", "sleep"])
def test_days_at_once_are_days_one_by_one(daily, rows):
    """All days together give each day's figures to the bit, though values are missing all over."""
    at_once = daily(rows)
    one_by_one = [daily(day.reset_index(drop=True)) for _, day in rows.groupby(KEY)]
    assert len(at_once) == N_DAYS
    assert_frame_equal(pd.concat(one_by_one, ignore_index=True), at_once, check_exact=True)
