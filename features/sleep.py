"""Sleep: duration, efficiency, wake after onset, timing. A night belongs to the local day of its final awakening.

Sleep latency is not here: no column of the table says when a subject went to bed and tried to sleep. Durations are
differences of UTC instants; clock times of a night, its onset's too, are on the wall clock where the subject woke up, so
that a night in which clocks change or on a flight is as long on the wall as it was.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features import regularity
from features.groups import sums
from features.measures import LEVEL, TREND, Measure
from features.tables import SAME_SLEEP_SHARE, SLEEP_ROUNDING_MIN, SPLIT_NIGHT_GAP_MIN
from features.versions import KEY

_WHOLE = "missing where a part of the night lacks its own"
MEASURES = (
    Measure("sleep_duration", "min", "sleep duration",
            f"total sleep time of the day's episodes, naps too, on one device; {_WHOLE}", "AASM",
            (*TREND, "rmssd_28d", "last_7d"), usual_spread=60.0, stream="sleep"),
    Measure("sleep_efficiency", "share", "sleep efficiency",
            "total sleep time / time from beginning to end, over the day's episodes with both; what lies between parts of the night "
            "is time in bed", "AASM", LEVEL,
            usual_spread=0.05, stream="sleep"),
    Measure("sleep_waso", "min", "time awake during the night",
            "minutes awake within the night and between its parts, naps left out; missing where a part lacks its own", "AASM", LEVEL,
            usual_spread=20.0, stream="sleep"),
    Measure("sleep_midpoint", "h", "the middle of the night",
            "clock time halfway from beginning to end of the night: the episode that the source calls the main one, else the "
            f"longest, with those that lie at most {SPLIT_NIGHT_GAP_MIN} min apart from it", "Wittmann 2006",
            ("mean_7d", "mean_28d", "sd_28d", "z_3d"), is_circular=True, usual_spread=0.8, stream="sleep"),
    Measure("sleep_onset", "h", "the time of falling asleep", "clock time at which the night began", "Foretide", (),
            is_circular=True, usual_spread=1.0, stream="sleep"),
    Measure("sleep_offset", "h", "the time of waking up", "clock time at which the night ended", "Foretide", (),
            is_circular=True, usual_spread=1.0, stream="sleep"),
    Measure("sleep_deep_share", "share", "share of deep sleep", "deep / total sleep time, over episodes with both",
            "AASM", ("mean_7d", "z_3d"), usual_spread=0.05, stream="sleep"),
    Measure("sleep_rem_share", "share", "share of REM sleep", "REM / total sleep time, over episodes with both",
            "AASM", ("mean_7d", "z_3d"), usual_spread=0.05, stream="sleep"),
    Measure("sleep_naps", "naps", "naps", "episodes that are no part of the night", "Foretide", ("mean_7d", "mean_28d"),
            stream="sleep"),
    Measure("sleep_nap_share", "share", "share of sleep taken in naps",
            "sleep time of episodes that are no part of the night / total sleep time", "Foretide", (), stream="sleep"),
)  # fmt: skip
PATTERNS = regularity.PATTERNS

GIVEN_MINUTES = ["minutes_asleep", "minutes_awake", "minutes_deep", "minutes_rem"]
MINUTES = [*GIVEN_MINUTES, "minutes_in_bed"]
IN_BED_SQL = "(epoch_us(offset_at) - epoch_us(onset_at)) / 60000000.0"
_STAGES = "coalesce(minutes_deep, 0) + coalesce(minutes_rem, 0)"
STAGES_FIT = f"{_STAGES} <= coalesce(minutes_asleep, {_STAGES}) + {SLEEP_ROUNDING_MIN}"
# Some bands count as awake what was not of the night: where there was no time for it, nobody knows how long it was; nor how
# much of a sleep was deep that is shorter than its deep part.
FITS = {"minutes_awake": f"minutes_awake + coalesce(minutes_asleep, 0) <= {IN_BED_SQL} + {SLEEP_ROUNDING_MIN}",
        **dict.fromkeys(("minutes_deep", "minutes_rem"), STAGES_FIT)}  # fmt: skip
# Ends are minutes since 1970, UTC; `clock` is how far the wall clock was ahead at the awakening. What is no number of minutes
# is missing.
ROWS_SQL = f"""
    source, device_id, device_model, algorithm_version, record_id, is_main,
    {", ".join(f"CASE WHEN isfinite({n}) AND {n} >= 0 AND {FITS.get(n, True)} THEN {n} END AS {n}" for n in GIVEN_MINUTES)},
    {IN_BED_SQL} AS minutes_in_bed,
    epoch_us(onset_at) / 60000000.0 AS began, epoch_us(offset_at) / 60000000.0 AS ended, utc_offset_min AS clock,
    ((epoch_us(onset_at) + epoch_us(offset_at)) / 120000000.0 + utc_offset_min) % 1440 / 60.0 AS midpoint"""
# Rules that nights can break, as `nights` marks them.
MARKS = ("two_devices", "overlapping_sleep", "split_night")


def nights(rows: pd.DataFrame) -> pd.DataFrame:
    """Episodes with no minute told twice: of the device that speaks for the day, and without what others cover.

    Args:
        rows: one row per episode and version of its day, `preference` the place of its device among those preferred.

    Returns:
        The rows kept, sorted, each day's night last; `is_night` marks the main episode and what was split from it,
        and a column for each of `MARKS` whether the day's version showed it.
    """
    device = rows.groupby([*KEY, "preference", "device_id", "source"])
    # Rounded, for a sum of fractions of minutes depends in its last bits on the order that the rows came in.
    recorded = device["minutes_in_bed"].sum().round(6).reset_index()
    two_devices = recorded.groupby(KEY)["source"].size() > 1
    # Two devices in one bed would count every hour twice: the preferred one, or that which recorded more, speaks.
    order = [*KEY, "preference", "minutes_in_bed", "device_id", "source"]
    recorded = recorded.sort_values(order, ascending=[True, True, True, False, True, True, True])
    chosen = recorded.drop_duplicates(KEY, keep="last")[[*KEY, "device_id", "source"]]
    rows = _without_overlap(rows.merge(chosen, on=[*KEY, "device_id", "source"]))
    rows = _with_night(rows).sort_values([*KEY, "is_night", "minutes_in_bed", "midpoint"], kind="stable")
    marked = rows.merge(two_devices.rename("two_devices").reset_index(), on=KEY, how="left")
    return marked.assign(split_night=marked["parts"] > 1).reset_index(drop=True)


def _without_overlap(rows: pd.DataFrame) -> pd.DataFrame:
    """Leave out episodes that lie mostly within others of their day, and the covered part of the rest.

    The main sleep comes before naps, a longer episode before a shorter one.
    """
    is_main = rows["is_main"].astype("boolean").fillna(False).astype(bool)
    rows = rows.assign(is_main=is_main, overlapping_sleep=False).sort_values(
        [*KEY, "began", "ended"], ignore_index=True
    )
    day = rows.groupby(KEY, sort=False).ngroup()
    latest = rows.groupby(day)["ended"].cummax().groupby(day).shift(1)
    overlapping = rows.index[day.isin(day[rows["began"] < latest])]
    if overlapping.empty:
        return rows
    share = pd.Series(1.0, index=rows.index)
    order = ["is_main", "minutes_in_bed", "began", "record_id"]
    ordered = rows.loc[overlapping].sort_values(order, ascending=[False, False, True, True])
    for _, episodes in ordered.groupby(day[overlapping], sort=False):
        share.update(_uncovered(episodes))
    rows["overlapping_sleep"] = day.isin(day[overlapping])
    rows[MINUTES] = rows[MINUTES].mul(share, axis=0)
    return rows[share > 0].reset_index(drop=True)


def _uncovered(episodes: pd.DataFrame) -> pd.Series:
    """Share of each episode that no episode before it covers; 0 where that is less than half."""
    shares, covered = [], np.zeros((0, 2))
    for began, ended in zip(episodes["began"], episodes["ended"], strict=True):
        inside = np.clip(covered, began, ended)
        share = 1.0 - (inside[:, 1] - inside[:, 0]).sum() / max(ended - began, 1e-9)
        shares.append(share if share > 1 - SAME_SLEEP_SHARE else 0.0)
        if shares[-1] > 0:
            covered = _union(np.vstack([covered, [[began, ended]]]))
    return pd.Series(shares, index=episodes.index)


def _union(spans: NDArray[np.float64]) -> NDArray[np.float64]:
    """Disjoint spans that cover what the given ones do."""
    merged: list[list[float]] = []
    for began, ended in spans[np.argsort(spans[:, 0])]:
        if merged and began <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], ended)
        else:
            merged.append([began, ended])
    return np.array(merged)


def _with_night(rows: pd.DataFrame) -> pd.DataFrame:
    """Mark each day's night: the episode said to be the main one, else the longest, and what was split from it.

    All parts of a night are told by the clock of its end; `minutes_up` is how long before a part the one before it ended.
    """
    order = ["is_main", "minutes_in_bed", "midpoint"]
    rows = rows.sort_values([*KEY, "began"], ignore_index=True)
    day = rows.groupby(KEY, sort=False).ngroup()
    gap = rows["began"] - rows["ended"].groupby(day).cummax().groupby(day).shift(1)
    is_first = gap.isna() | (gap > SPLIT_NIGHT_GAP_MIN)
    run = is_first.cumsum()
    main = rows.assign(day=day).sort_values(["day", *order]).drop_duplicates("day", keep="last").index
    is_night = run.isin(run[main])
    parts = is_night.groupby(day).transform("sum")
    clock = rows["clock"].groupby(run).transform("last").where(is_night, rows["clock"])
    split = is_night & (parts > 1)
    span = rows[split].groupby(day[split])
    middle = (span["began"].transform("min") + span["ended"].transform("max")) / 2 + clock[split]
    return rows.assign(is_night=is_night, parts=parts, clock=clock, midpoint=rows["midpoint"].mask(split, middle % 1440 / 60),
                       minutes_up=gap.clip(lower=0.0).mask(is_first | ~is_night, 0.0))  # fmt: skip


def daily(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per subject, day of awakening and version, from `nights`; days without an episode have no row."""
    is_night = rows["is_night"]
    rows = rows.assign(began=rows["began"] + rows["clock"], ended=rows["ended"] + rows["clock"])
    rows = rows.assign(night_began=rows["began"].where(is_night), night_ended=rows["ended"].where(is_night))
    day = rows.groupby(KEY)
    asleep, up = rows["minutes_asleep"], rows["minutes_up"]
    duration = _with_the_night(rows, asleep)
    result = pd.DataFrame({
        "sleep_duration": duration,
        "sleep_efficiency": _share(rows, asleep, rows["minutes_in_bed"] + up).clip(upper=1.0),
        "sleep_waso": _with_the_night(rows, (rows["minutes_awake"] + up).where(is_night)),
        "sleep_midpoint": day["midpoint"].last(),
        "sleep_onset": day["night_began"].min() % 1440 / 60,
        "sleep_offset": day["night_ended"].max() % 1440 / 60,
        "sleep_deep_share": _share(rows, rows["minutes_deep"], asleep).clip(upper=1.0),
        "sleep_rem_share": _share(rows, rows["minutes_rem"], asleep).clip(upper=1.0),
        "sleep_naps": day.size() - day["is_night"].sum().astype(float),
        "sleep_nap_share": _share(rows, asleep.mask(is_night, 0.0), asleep).where(duration.notna()),
    })  # fmt: skip
    return result.join(regularity.states(rows)).reset_index()


def _with_the_night(rows: pd.DataFrame, minutes: pd.Series) -> pd.Series:
    """Sum of the minutes known of each day's episodes; missing where the night lacks its own: a nap alone is no night."""
    lacks = (rows["is_night"] & minutes.isna()).astype(float)
    total = _totals(rows, minutes=minutes, lacks=lacks)
    return total["minutes"].where(total["lacks"] == 0)


def _share(rows: pd.DataFrame, part: pd.Series, whole: pd.Series) -> pd.Series:
    """One sum over another, both over the episodes of the day that have both."""
    has_both = part.notna() & whole.notna()
    total = _totals(rows, part=part.where(has_both), whole=whole.where(has_both))
    return total["part"] / total["whole"].where(total["whole"] > 0)


def _totals(rows: pd.DataFrame, **minutes: pd.Series) -> pd.DataFrame:
    day = rows.groupby(KEY)
    return sums(pd.DataFrame(minutes), day.ngroup())[0].set_axis(day.size().index)
