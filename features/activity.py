"""Steps: totals, minutes by cadence, share and bouts of sitting, spread over the day.

Bouts are read from bits: of each hour one word, whose bit m says something of its minute m (`minutes.SUMS`).
"""

import numpy as np
from numpy.typing import NDArray

from features.measures import LEVEL, TREND, Measure, Pattern

Hours = NDArray[np.float64]
Bits = NDArray[np.uint64]
# Cadence bands in steps per minute (Tudor-Locke 2018): incidental to purposeful, slow to medium, brisk and faster.
SLOW_STEPS_PER_MIN, BRISK_STEPS_PER_MIN = 60, 100
MINUTES, MINUTES_PER_DAY = 60, 1440
# An hour counts when at least this many of its minutes tell of steps, as the heart rate asks: a single minute of a
# battery that went flat would stand for a calm hour.
FEWEST_MINUTES = 20
# A day counts from 10 hours on, the usual rule of a valid wear day (Troiano 2008): what is told of less is no total.
FEWEST_DAY_MINUTES = 600
# Of those hours of the day: ten hours in bed with the device on tell little of what was done.
WAKING_HOURS = slice(6, 24)
# How movement spreads over a day is known where all but two of those hours are: what follows a flat battery is no rest.
FEWEST_SPREAD_HOURS = 16
# Steps of each clock hour, as a rate per known hour, in the day panel.
HOUR_COLUMNS = tuple(f"activity_h{hour:02d}" for hour in range(24))
# Days whose bits are unpacked at once: 1.5 KB each.
DAYS_AT_ONCE = 8192

_TOLD = "missing below 600 minutes from 6 to 24 h that tell of steps"
MEASURES = (
    Measure("activity_steps", "steps", "steps", f"steps of the day; {_TOLD}", "Troiano 2008",
            (*TREND, "rmssd_28d", "last_7d"), usual_spread=3000.0),
    Measure("activity_incidental_minutes", "min", "moving about", f"minutes of 1 to 59 steps; {_TOLD}", "Tudor-Locke 2018", ()),
    Measure("activity_slow_minutes", "min", "slow to medium walking", f"minutes of 60 to 99 steps; {_TOLD}",
            "Tudor-Locke 2018", ()),
    Measure("activity_brisk_minutes", "min", "brisk walking", f"minutes of at least 100 steps; {_TOLD}",
            "Tudor-Locke 2018", LEVEL),
    Measure("activity_sedentary_share", "share", "time without movement",
            "minutes without a step / minutes that tell of steps, in hours with a sign of being worn; missing below 600 of those from "
            "6 to 24 h, and where no word and less than an hour of pulse, in fewer than 3 hours, tells of wear",
            "Troiano 2008", LEVEL),
    Measure("activity_sedentary_bout", "min", "how long rest lasted at a time",
            "mean length of runs of worn minutes without a step, sleep included; cut at midnight and where a minute is unknown",
            "Di 2017", ()),
    Measure("activity_sedentary_longest", "min", "the longest rest",
            "longest run of worn minutes without a step, sleep included; cut at midnight and where a minute is unknown",
            "Foretide", ()),
    Measure("activity_rest_to_active", "1/min", "how soon rest gave way to movement",
            "share of still minutes that a minute with steps follows, of those with a known next minute: 1 / mean bout",
            "Di 2017", ()),
    Measure("activity_active_to_rest", "1/min", "how soon movement gave way to rest",
            "share of minutes with steps that a still one follows, of those with a known next minute: 1 / mean bout",
            "Di 2017", ()),
    Measure("activity_entropy", "nat", "spread of movement over the day",
            "- sum p ln p, p each clock hour's share of the day's steps: a rate per minute that tells of steps, none below 20 "
            "such minutes; missing below 16 known hours from 6 to 24 h",
            "Shannon 1948", LEVEL),
)  # fmt: skip
PATTERNS: tuple[Pattern, ...] = ()


def hourly(steps: Hours, minutes: Hours) -> Hours:
    """Steps of each clock hour as a rate per known hour; missing below 20 known minutes.

    So an hour told in part is not calmer than it was, and one told twice, when clocks go back, not busier.

    Args:
        steps: sum of steps per hour, of shape (n_days, 24).
        minutes: minutes that tell of steps per hour, same shape.
    """
    return np.where(minutes >= FEWEST_MINUTES, steps * MINUTES / np.maximum(minutes, 1), np.nan)


def entropy(hourly_steps: Hours) -> NDArray[np.float64]:
    """Shannon entropy, in nats, of how a day's steps spread over its 24 hours.

    Args:
        hourly_steps: steps per hour, of shape (n_days, 24); NaN where unknown.

    Returns:
        Shape (n_days,); missing where there was no step at all, or more than two hours from 6 to 24 h are unknown.
    """
    is_known = np.isfinite(hourly_steps[:, WAKING_HOURS]).sum(axis=1) >= FEWEST_SPREAD_HOURS
    steps = np.nan_to_num(hourly_steps)
    total = steps.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = steps / total
        summed: NDArray[np.float64] = -np.nansum(share * np.log(share), axis=1)
    return np.where(is_known & (total[:, 0] > 0), summed, np.nan)


def known_bits(
    active: NDArray[np.int64], still: NDArray[np.int64], n_active: Hours, n_still: Hours
) -> tuple[Bits, Bits]:
    """Which minutes had steps and which were still, of the hours in which each minute was told once.

    A minute told twice (clocks go back, two offsets in one hour) carries into its neighbour's bit. Sums of powers of
    two have as many bits as terms only if all differ: so counts tell, and such an hour is unknown.

    Args:
        active: sums of 2^minute over minutes with steps, of shape (n_days, 24).
        still: the same over minutes without a step.
        n_active: how many minutes had steps.
        n_still: how many were without a step.
    """
    once = (active >= 0) & (still >= 0) & (active & still == 0)
    once &= (np.bitwise_count(active) == n_active) & (np.bitwise_count(still) == n_still)
    return np.where(once, active, 0).astype(np.uint64), np.where(once, still, 0).astype(np.uint64)


def transition_rate(before: Bits, after: Bits) -> NDArray[np.float64]:
    """How likely a minute of one state is to be followed by the other one, per minute: 1 / mean bout.

    Args:
        before: minutes in the state that is left, of shape (n_days, 24).
        after: minutes in the state that is entered; a minute in neither is unknown, and no pair.

    Returns:
        Shape (n_days,); missing where no minute of the first state has a known next one.
    """
    changed = _n_minutes(before & _next_minute(after))
    pairs = _n_minutes(before & _next_minute(before | after))
    return np.where(pairs > 0, changed / np.maximum(pairs, 1), np.nan)


def mean_run(bits: Bits) -> NDArray[np.float64]:
    """Mean length, in minutes, of a day's runs of successive minutes; missing where there is none."""
    runs = _n_minutes(_lasts(bits))
    return np.where(runs > 0, _n_minutes(bits) / np.maximum(runs, 1), np.nan)


def longest_run(bits: Bits) -> NDArray[np.float64]:
    """Length, in minutes, of a day's longest run of successive minutes; missing where there is none."""
    longest = np.full(len(bits), np.nan)
    for start in range(0, len(bits), DAYS_AT_ONCE):
        part = bits[start : start + DAYS_AT_ONCE]
        first, last = _places(part & ~_minute_before(part)), _places(_lasts(part))
        day = last // MINUTES_PER_DAY
        is_new = np.append(True, day[1:] != day[:-1])[: len(day)]
        if len(day):
            lengths = np.maximum.reduceat(last - first + 1, np.flatnonzero(is_new))
            longest[start + day[is_new]] = lengths
    return longest


def _n_minutes(bits: Bits) -> NDArray[np.float64]:
    minutes: NDArray[np.float64] = np.bitwise_count(bits).sum(axis=1, dtype=np.float64)
    return minutes


def _next_minute(bits: Bits) -> Bits:
    """What holds of the next minute, also of the next hour's first one."""
    ahead = bits >> np.uint64(1)
    ahead[:, :-1] |= (bits[:, 1:] & np.uint64(1)) << np.uint64(MINUTES - 1)
    return ahead


def _minute_before(bits: Bits) -> Bits:
    """What held of the minute before, also of the hour before."""
    behind = bits << np.uint64(1) & np.uint64(2**MINUTES - 1)
    behind[:, 1:] |= bits[:, :-1] >> np.uint64(MINUTES - 1)
    return behind


def _lasts(bits: Bits) -> Bits:
    """The last minute of each run."""
    return bits & ~_next_minute(bits)


def _places(bits: Bits) -> NDArray[np.int64]:
    """Minutes of all days, counted through from the first day's midnight, whose bit is set."""
    octets = bits.astype("<u8", copy=False).view(np.uint8).reshape(-1)
    places = np.flatnonzero(np.unpackbits(octets, bitorder="little").view(np.bool_))
    return places // 64 * MINUTES + places % 64
