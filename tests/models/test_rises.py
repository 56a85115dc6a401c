"""Relapses and deteriorations on a scale as each index date knew them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.calendar import is_known_on
from models import rises as module
from models.rises import rises

FIRST = pd.Timestamp("2026-01-01").as_unit("us")
SCALE = {"past": 10.0, "rise": 5.0, "reference_days": 90}


def versions(*rows: tuple[str, int, float, int, int | None]) -> pd.DataFrame:
    """Versions of assessments: subject, day, score, known on and superseded on, in days since `FIRST`."""
    frame = pd.DataFrame(rows, columns=["subject_id", "event_on", "score", "known_on", "superseded_on"])
    days = {name: FIRST + pd.to_timedelta(frame[name], unit="D").astype("timedelta64[us]")
            for name in ("event_on", "known_on", "superseded_on")}  # fmt: skip
    return frame.assign(**days, instrument="phq_9")


def standing(found: pd.DataFrame, day: int) -> list[tuple[str, int]]:
    """Subjects and days of the relapses that stood on an index date."""
    date = FIRST + pd.Timedelta(days=day)
    found = found[is_known_on(found["known_on"], date) & ~(found["superseded_on"] <= date)]
    return sorted(zip(found["subject_id"], (found["event_on"] - FIRST).dt.days, strict=True))


def test_a_relapse_that_is_corrected_away_stood_until_then():
    """13 after 6 and 7 is a relapse from day 30 on; on day 40 the 13 becomes an 8."""
    found = rises(versions(("a", 1, 6, 2, None), ("a", 15, 7, 16, None), ("a", 29, 13, 30, 40), ("a", 29, 8, 40, None)),
                     **SCALE)  # fmt: skip
    assert [standing(found, day) for day in (29, 30, 39, 40)] == [[], [("a", 29)], [("a", 29)], []]


def test_a_past_that_comes_in_late_makes_or_unmakes_a_relapse_from_then_on():
    """13 with no past is none; a 6 of before, known on day 50, makes it one; a 20 between, known on 60, is one instead."""
    found = rises(versions(("a", 29, 13, 30, None), ("a", 1, 6, 50, None), ("a", 15, 20, 60, None)), **SCALE)
    assert [standing(found, day) for day in (30, 49, 50, 59, 60)] == [[], [], [("a", 29)], [("a", 29)],
                                                                           [("a", 15)]]  # fmt: skip


def test_a_past_that_is_taken_back_leaves_no_relapse():
    """13 after a lone 6 is a relapse until the 6 is taken back on day 45."""
    found = rises(versions(("a", 1, 6, 2, 45), ("a", 29, 13, 30, None)), **SCALE)
    assert [standing(found, day) for day in (30, 44, 45)] == [[("a", 29)], [("a", 29)], []]


@pytest.mark.parametrize(
    ("rise", "past", "expected"), [(5.0, None, [("a", 29), ("b", 29)]), (None, 15.0, [("b", 29), ("c", 29)])]
)
def test_a_deterioration_needs_no_remission(rise: float | None, past: float | None, expected: list[tuple[str, int]]):
    """Levels 7, 12 and 14 (medians of 6 and 8, 12, 13 and 15), then 13, 17 and 15: up by 5 or more: a and b; past 15: b and c.
    d, at 20 all along, and e, without a score before, never."""
    found = rises(versions(("a", 1, 6, 2, None), ("a", 15, 8, 16, None), ("a", 29, 13, 30, None), ("b", 1, 12, 2, None),
                           ("b", 29, 17, 30, None), ("c", 1, 13, 2, None), ("c", 15, 15, 16, None), ("c", 29, 15, 30, None),
                           ("d", 1, 20, 2, None), ("d", 29, 20, 30, None), ("e", 29, 20, 30, None)), 90, rise, past)  # fmt: skip
    assert [one for one in standing(found, 60) if one[1] == 29] == expected


def test_only_what_has_an_odd_past_is_judged_again():
    """The dear way is for the few: none of a year in order, and three of it where the third of 26 was corrected."""
    year = [("a", 14 * number, 6.0, 14 * number + 1, None) for number in range(26)]
    late = [*year[:2], (*year[2][:4], 200), (*year[2][:2], 7.0, 200, None), *year[3:]]
    unsettled = [module._Versions(versions(*rows), 45).is_unsettled.sum() for rows in (year, late)]
    assert unsettled == [0, 3]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([50, 5_000_000]), st.sampled_from([(5, 10), (5, None), (None, 10)]))
def test_what_stood_is_what_one_would_find_from_what_was_known(
    seed: int, at_once: int, declared: tuple[float | None, float | None]
):
    """For every index date, late, corrected and deleted scores as they come: the rises of a lake that ends there."""
    rows = at_random(np.random.default_rng(seed))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SCORES_AT_ONCE", at_once)
        found = rises(rows, 30, *declared)
    for day in range(0, 100, 3):
        date = FIRST + pd.Timedelta(days=day)
        known = rows[is_known_on(rows["known_on"], date) & ~(rows["superseded_on"] <= date)]
        assert standing(found, day) == by_definition(known, *declared), day


def at_random(rng: np.random.Generator, size: int = 40) -> pd.DataFrame:
    """Assessments of three subjects over 60 days, many late, many corrected, some of those taken back."""
    rows = []
    for number in range(size):
        subject, day, known = str(rng.choice(list("abc"))), int(rng.integers(60)), number
        known = day + int(rng.choice([1, 1, 1, 4, 30]))
        for _ in range(int(rng.choice([0, 0, 0, 1, 2]))):
            until = known + int(rng.integers(1, 25))
            rows.append((subject, day, float(rng.integers(0, 20)), known, until))
            known = until
        if rng.random() < 0.9:
            rows.append((subject, day, float(rng.integers(0, 20)), known, None))
    return versions(*rows)


def by_definition(known: pd.DataFrame, rise: float | None, past: float | None) -> list[tuple[str, int]]:
    """Rises among assessments that all stand, one by one."""
    days, found = (known["event_on"] - FIRST).dt.days, []
    for subject, day, score in zip(known["subject_id"], days, known["score"], strict=True):
        before = known["score"][(known["subject_id"] == subject) & (days >= day - 30) & (days < day)]
        if before.empty:
            continue
        level = before.median()
        if (rise is None or score - level >= rise) and (past is None or level < past <= score):
            found.append((subject, int(day)))
    return sorted(found)
