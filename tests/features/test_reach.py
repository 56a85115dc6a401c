"""Flags that go on from night to night, from the days that new rows can reach, are those that all days give."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from features import reach
from features.days import Days
from features.flags import FLAG, flags_of
from features.hours import HOUR_COLUMNS
from features.plausibility import FINDING

FIRST = pd.Timestamp("2026-01-01").as_unit("us")
DAY = pd.Timedelta(days=1)
SUBJECTS, DAYS, RECENT = 6, 130, 70
NAMES = ["source", "device_id", "device_model", "algorithm_version"]


def told(seed: int) -> Days:
    """Days of people whose devices, units, sleep and clocks change every few weeks, some days late or missing."""
    rng = np.random.default_rng(seed)
    days = pd.MultiIndex.from_product([[f"p{n}" for n in range(SUBJECTS)], range(DAYS)]).to_frame(index=False)
    rows = pd.DataFrame({"subject_id": days[0].astype("str"), "local_date": FIRST + pd.to_timedelta(days[1], unit="D")})
    late = np.where(rng.random(len(rows)) < 0.06, rng.integers(1, 9, len(rows)), 0)
    rows["known_on"] = rows["local_date"] + pd.to_timedelta(1 + late, unit="D")
    at, who = days[1].to_numpy(), pd.factorize(days[0])[0]

    def since(weeks: int) -> np.ndarray:
        """How often something of each person has changed by each day, or turned back."""
        turns = rng.random((SUBJECTS, DAYS)) < 1 / (7 * weeks)
        return turns.cumsum(axis=1)[who, at]

    unit, clock, sleep = since(5) % 2, since(5) % 4, since(8)
    hours = np.sin((np.arange(24) - 8 - 6 * clock[:, None]) / 24 * 2 * np.pi).clip(0) * 900
    steps = (hours + rng.random(hours.shape) * 60).round()
    values = {"activity_steps": steps.sum(axis=1), "heart_resting": rng.normal(60, 2, len(rows)),
              "heart_mean": rng.normal(75, 3, len(rows)), "heart_hrv": rng.normal(40, 4, len(rows)) * 60.0**unit,
              "sleep_duration": 420 + rng.normal(0, 15, len(rows)) + 50 * (sleep % 2),
              "sleep_midpoint": 3 + rng.normal(0, 0.4, len(rows)) + sleep % 3}  # fmt: skip
    panel = pd.concat([rows, pd.DataFrame(values), pd.DataFrame(steps, columns=list(HOUR_COLUMNS))], axis=1)
    for name in values:
        panel.loc[rng.random(len(rows)) < 0.08, name] = np.nan
    panel.loc[(at > 40) & (at < 75) & (who == 0), list(HOUR_COLUMNS)] = np.nan
    # Two have everything, and one of them weighs weekly; the others have one stream each.
    worn_by, sleeps, weighs, answers = (np.isin(who, [0, 1, only]) for only in (2, 3, 4, 5))
    panel.loc[~worn_by, [name for name in values if not name.startswith("sleep")] + list(HOUR_COLUMNS)] = np.nan
    panel.loc[~sleeps, ["sleep_duration", "sleep_midpoint"]] = np.nan
    part = (rng.random((5, len(rows))) < 0.9) & [
        who < 5,
        weighs & ((who != 1) | (at % 7 == 0)),
        sleeps,
        worn_by,
        worn_by,
    ]
    origin = rows.assign(stream="sleep", device=0, source="app", device_id=(sleep // 2).astype(str), device_model="m",
                         algorithm_version=sleep.astype(str))  # fmt: skip
    worn = origin.assign(stream="wearable", device_id=since(5).astype(str), algorithm_version="1")
    level = rows.assign(measure="signals.weight", value=rng.normal(80, 0.5, len(rows)) * 2.2046 ** (since(5) % 2))
    offset = rows.assign(utc_offset_min=60.0 * (1 + 3 * (since(9) % 2)))
    ahead = rows[answers & (rng.random(len(rows)) < 0.05)].assign(stream="mood")
    return Days(panel[part[0]], pd.DataFrame(columns=FINDING), pd.concat([origin[part[2]], worn[part[3]]]),
                level[part[1]], ahead, offset[part[4]])  # fmt: skip


def where(found: Days, keep: Callable[[pd.DataFrame], pd.Series]) -> Days:
    """The rows that a condition keeps."""
    names = ("panel", "origins", "levels", "ahead", "offsets")
    return replace(found, **{name: (rows := getattr(found, name))[keep(rows)] for name in names})


def known_by(found: Days, night: pd.Timestamp) -> Days:
    """What was known on an index date."""
    return where(found, lambda rows: rows["known_on"] <= night)


def renewed(former: pd.DataFrame, known: Days, since: pd.Timestamp, begin: pd.Timestamp) -> tuple[pd.DataFrame, int]:
    """The flags of a night from those of the night `since`, and how many subjects' needed no look at all of their days."""
    recent = where(known, lambda rows: rows["local_date"] >= begin)
    late = where(known, lambda rows: (rows["known_on"] > since) & (rows["local_date"] < begin))
    anew = {*late.panel["subject_id"], *late.levels["subject_id"], *late.origins["subject_id"], *late.ahead["subject_id"],
            *late.offsets["subject_id"]}  # fmt: skip
    reached = reach.flags_from(recent, since)
    anew |= {*reached.index[reached.isna()]}
    reached = reached.drop(list(anew), errors="ignore")

    def is_renewed(flags: pd.DataFrame) -> pd.Series:
        return flags["on_date"] >= reached.reindex(flags["subject_id"]).set_axis(flags.index)

    again = flags_of(recent)
    whole = flags_of(where(known, lambda rows: rows["subject_id"].isin(anew)))
    parts = [former[~former["subject_id"].isin(anew) & ~is_renewed(former)], again[is_renewed(again)], whole]
    return pd.concat(parts).sort_values(FLAG, ignore_index=True), len(reached)


@pytest.mark.parametrize("seed", range(6))
def test_flags_go_on_as_if_all_days_were_looked_at(seed):
    """Night after night, whatever changes; and most nights a part of the days is enough."""
    found = told(seed)
    night = FIRST + 95 * DAY
    flags, enough, kinds = flags_of(known_by(found, night)), 0, set()
    while night < FIRST + DAYS * DAY:
        since, night = night, night + int(1 + seed) * DAY
        flags, reached = renewed(flags, known_by(found, night), since, night - RECENT * DAY)
        wanted = flags_of(known_by(found, night))
        assert_frame_equal(flags, wanted, check_dtype=False)
        enough += reached
        kinds |= set(wanted.loc[wanted["known_on"] > since, "flag"])
    assert enough > 0
    assert kinds
