"""Minutes of steps and heart rate for the recent days of a group of subjects; only worn minutes are rows.

The device's day has 1,440 slots: the 25th hour of an autumn day is never recorded.
"""

import numpy as np
import pandas as pd

from pipelines.sources.simulation import dirt, receipt
from pipelines.sources.simulation.clock import MINUTE_US
from pipelines.sources.simulation.dice import Array, Dice
from pipelines.sources.simulation.rows import Group, device_columns, frame, instants, known_by_snapshot

MINUTES = 1440
BLOCK = 10
# Mean of the cadence below, over minutes with steps.
LOWEST_CADENCE, CADENCE_RANGE, MEAN_CADENCE = 5, 108, 48.2
ASLEEP_BPM, AWAKE_BPM, PER_STEP_BPM = 4.0, 11.0, 0.22
HRV_EVERY = 5
# Share of subject-days whose heart rates the maker recomputes, and whose last hours are sent twice.
RECOMPUTED_DAYS, RESENT_DAYS = 0.006, 0.006
RESENT_FROM_H = 21


def wearable(g: Group, minute_days: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `wearable` for the last `minute_days` days, and the minutes that are sent again later."""
    window = slice(g.clock.days - minute_days, g.clock.days)
    dice = Dice(g.seed, g.who.numbers, "minutes")
    asleep = _asleep(g, window)
    steps = _steps(g, window, asleep, dice)
    heart = _heart_rate(g, window, asleep, steps, dice)
    luck = dice.uniform(minute_days, MINUTES)
    heart[luck > 1 - g.who.sensor_dropout[:, None, None]] = np.nan
    hrv = _hrv(g, window, asleep, dice)
    worn = _worn(g, window, asleep, dice)
    subject, day, minute = np.nonzero(worn)
    at = g.clock.starts[subject, day + window.start] + minute * MINUTE_US
    columns: dict[str, object] = {
        "minute_at": instants(at),
        "steps": steps[worn],
        "heart_rate": heart[worn],
        "hrv_rmssd": hrv[worn],
        "worn": np.ones(len(at), dtype=bool),
        "utc_offset_min": g.clock.offset_min(subject, at),
        **device_columns(g, subject, day + window.start),
    }
    received = receipt.sync_at(g)[subject, day + window.start]
    rows = frame(g, subject, "band", received, columns)
    day_luck = dice.uniform(minute_days)[subject, day]
    again = _sent_again(g, rows, day_luck, minute >= RESENT_FROM_H * 60)
    # Whole days are sent again, so single minutes have dirt and duplicates only.
    return known_by_snapshot(g, dirt.soil(rows, luck[worn], ("minute_at",), _impossible)), again


def _asleep(g: Group, window: slice) -> np.ndarray:
    """Whether the subject sleeps, (n, days, 1440): last night until waking, tonight from its start on."""
    hours = np.arange(MINUTES, dtype=np.float32) / 60
    begins, ends = (when[:, window, None] for when in (g.daily.asleep_from, g.daily.asleep_until))
    tonight = np.concatenate([begins[:, 1:], begins[:, -1:]], axis=1) + 24
    return ((hours >= begins) & (hours < ends)) | (hours >= tonight)


def _worn(g: Group, window: slice, asleep: np.ndarray, dice: Dice) -> np.ndarray:
    """Worn minutes, (n, days, 1440): one stretch a day off for charging and washing, nights for some."""
    minute = np.arange(MINUTES, dtype=np.float32)
    luck = dice.uniform(asleep.shape[1])
    off_from = (60 * (g.daily.asleep_until[:, window] + 10 * luck))[:, :, None]
    off_for = MINUTES * (1 - g.daily.worn_share[:, window, None])
    worn = (minute - off_from) % MINUTES >= off_for
    worn &= ~asleep | g.who.wears_at_night[:, None, None]
    length = np.diff(g.clock.starts, axis=1)[:, window, None] // MINUTE_US
    return worn & g.daily.wears[:, window, None] & (np.arange(MINUTES) < length)


def _steps(g: Group, window: slice, asleep: np.ndarray, dice: Dice) -> np.ndarray:
    """Steps per minute, int32, so that a day of full wear is expected to hold the day's steps."""
    n, days, _ = asleep.shape
    hours = np.arange(MINUTES, dtype=np.float32)[None, :] / 60 - 0.8 * g.who.baselines[:, 1:2]
    shape = 0.35 + np.exp(-(((hours - 8.5) / 1.5) ** 2)) + 0.8 * np.exp(-(((hours - 13) / 2) ** 2))
    shape = shape + np.exp(-(((hours - 18) / 1.8) ** 2))
    flatness = g.daily.flatness[:, window, None].astype(np.float32)
    chance = (1 - flatness) * shape[:, None, :].astype(np.float32) + flatness
    chance *= np.repeat(np.exp(dice.normal(days, MINUTES // BLOCK)), BLOCK, axis=2)
    chance *= ~asleep
    total = chance.sum(axis=2, keepdims=True) + 1e-6
    chance *= g.daily.steps[:, window, None].astype(np.float32) / (np.float32(MEAN_CADENCE) * total)
    luck = dice.uniform(days, MINUTES)
    is_moving = luck < np.minimum(chance, 0.9)
    effort = np.divide(luck, chance, out=np.zeros_like(luck), where=is_moving)
    return np.where(is_moving, LOWEST_CADENCE + CADENCE_RANGE * effort * np.sqrt(effort), 0).astype(np.int32)


def _heart_rate(g: Group, window: slice, asleep: np.ndarray, steps: np.ndarray, dice: Dice) -> Array:
    """Mean heart rate per minute in whole bpm, as the sensor reads it."""
    days = asleep.shape[1]
    rhythm = AWAKE_BPM + 3 * np.sin(2 * np.pi * (np.arange(MINUTES, dtype=np.float32) / 60 - 10) / 24)
    level = g.daily.resting_hr[:, window] + g.who.sensor_bias_bpm[:, None]
    heart = np.where(asleep, np.float32(ASLEEP_BPM), rhythm.astype(np.float32))
    heart += level[:, :, None].astype(np.float32)
    heart += 2.2 * dice.normal(days, MINUTES)
    heart += np.repeat(2 * dice.normal(days, MINUTES // BLOCK), BLOCK, axis=2)
    effort = steps * np.float32(PER_STEP_BPM)
    heart += effort
    # The heart slows down over the minutes after the effort.
    heart[..., 1:] += 0.5 * effort[..., :-1]
    heart[..., 2:] += 0.25 * effort[..., :-2]
    return np.clip(np.rint(heart), 36, 205)


def _hrv(g: Group, window: slice, asleep: np.ndarray, dice: Dice) -> Array:
    """RMSSD every five minutes of sleep, whole ms; missing otherwise."""
    days = asleep.shape[1]
    every = np.rint(g.daily.hrv[:, window, None] * np.exp(0.2 * dice.normal(days, MINUTES // HRV_EVERY)))
    result = np.full(asleep.shape, np.nan, dtype=np.float32)
    result[..., ::HRV_EVERY] = np.where(asleep[..., ::HRV_EVERY], np.clip(every, 2, 300), np.nan)
    return result


def _impossible(rows: pd.DataFrame) -> pd.DataFrame:
    """7,000 steps in a minute, or a heart rate of 0 where the sensor lost the skin."""
    is_even = np.arange(len(rows)) % 2 == 0
    return rows.assign(
        steps=np.where(is_even, 7000, rows["steps"]).astype(np.int32),
        heart_rate=np.where(is_even, rows["heart_rate"], 0).astype(np.float32),
    )


def _sent_again(g: Group, rows: pd.DataFrame, day_luck: Array, is_evening: np.ndarray) -> pd.DataFrame:
    """Recomputed days (heart rate one up, a new algorithm) and evenings that a second sync repeats unchanged."""
    is_recomputed = day_luck < RECOMPUTED_DAYS
    is_repeated = (day_luck >= RECOMPUTED_DAYS) & (day_luck < RECOMPUTED_DAYS + RESENT_DAYS) & is_evening
    half = np.float32(0.5)
    recomputed = dirt.resend(
        rows[is_recomputed],
        np.full(int(is_recomputed.sum()), half),
        lambda same: same.assign(heart_rate=same["heart_rate"] + 1),
    )
    repeated = dirt.resend(rows[is_repeated], np.full(int(is_repeated.sum()), half), lambda same: same)
    return known_by_snapshot(g, pd.concat([recomputed, repeated.assign(version=np.int32(0))], ignore_index=True))
