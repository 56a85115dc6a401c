"""What each subject's days are like beneath the sensors: sleep, activity, heart, wear and willingness to answer.

All arrays are (subjects, days). A day's sleep is the night that ends on it, in hours from its local midnight.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.sources.simulation.clock import Clock
from pipelines.sources.simulation.course import Course, season
from pipelines.sources.simulation.dice import Array, Dice
from pipelines.sources.simulation.people import People

Flags = NDArray[np.bool_]

# What a full prodrome (load 1, warning strength 1) does to a day.
SLEEP_SHORTER_H = 1.4
SLEEP_SHIFT_H = 1.1
STEPS_LOG = -0.45
RESTING_HR_BPM = 4.5
HRV_LOG = -0.2
MOOD_POINTS = 1.8
# What it does to the log-odds of wearing the device and of answering.
WEAR_LOGIT, ANSWER_LOGIT = -0.9, -0.9
# The share of it that everyday stress imitates.
STRESS_SHARE = 0.4
INPATIENT_LOGIT = -2.0
AWAKE_AT_LEAST_H = 4


@dataclass(frozen=True)
class Rhythms:
    """`signal` is the load plus everyday stress that the streams respond to; times in hours, mood in points."""

    signal: Array
    asleep_from: Array
    asleep_until: Array
    efficiency: Array
    steps: Array
    flatness: Array
    resting_hr: Array
    hrv: Array
    mood: Array
    wears: Flags
    worn_share: Array
    answer_chance: Array


def rhythms(seed: int, who: People, life: Course, clock: Clock) -> Rhythms:
    """The days of a group of subjects."""
    dice, days, base = Dice(seed, who.numbers, "rhythm"), clock.days, who.baselines
    noise = dice.normal(12, days)
    weekend = (clock.dates.day_of_week.to_numpy() >= 5).astype(np.float32)[None, :]
    winter = season(clock.first, days)
    signal = life.load + STRESS_SHARE * life.stress
    span, middle, efficiency = _sleep(base, noise, signal, weekend, winter)
    steps = np.exp(
        np.log(6800) + 0.38 * base[:, 3:4] + 0.15 * base[:, 4:5] * weekend - 0.08 * winter
        + STEPS_LOG * signal - 0.5 * life.ill + 0.34 * noise[:, 3]
    )  # fmt: skip
    resting = 62 + 6.5 * base[:, 5:6] + 0.8 * winter + RESTING_HR_BPM * signal + 5 * life.ill + 1.7 * noise[:, 4]
    sent_away = INPATIENT_LOGIT * life.is_inpatient
    wear = who.wear_logit[:, None] + WEAR_LOGIT * signal + 0.4 * noise[:, 6] + sent_away
    fatigue = 0.8 * np.linspace(0, 1, days, dtype=np.float32)[None, :]
    answer = who.answer_logit[:, None] + ANSWER_LOGIT * signal - fatigue + 0.3 * noise[:, 7] + sent_away
    luck = dice.uniform(2, days)
    return Rhythms(
        signal=signal,
        asleep_from=after_waking(middle - span / 2, middle + span / 2),
        asleep_until=middle + span / 2,
        efficiency=efficiency,
        steps=np.clip(steps, 300, 32_000),
        flatness=np.clip(0.15 + 0.25 * signal + 0.05 * noise[:, 8], 0, 0.8),
        resting_hr=np.clip(resting, 42, 105),
        hrv=np.clip(np.exp(np.log(38) + 0.35 * base[:, 6:7] + HRV_LOG * signal + 0.18 * noise[:, 5]), 6, 180),
        mood=0.7 * base[:, 7:8] - 0.15 * winter + 0.1 * weekend
        - MOOD_POINTS * who.mood_expression[:, None] * signal + 0.45 * noise[:, 9],
        wears=life.is_seen & who.has_device[:, None] & (luck[:, 0] < _logistic(wear)) & (luck[:, 1] >= 0.015),
        worn_share=np.clip(0.93 - 0.08 * np.maximum(signal, 0) + 0.04 * noise[:, 10], 0.45, 0.985),
        answer_chance=np.where(life.is_seen, _logistic(answer), 0).astype(np.float32),
    )  # fmt: skip


def _logistic(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _sleep(base: Array, noise: Array, signal: Array, weekend: Array, winter: Array) -> tuple[Array, Array, Array]:
    """Time in bed and its middle, in hours, and efficiency. The prodrome moves some people earlier, most later."""
    direction = np.where(base[:, 2:3] < -0.8, -1, 1)
    asleep = 7.1 + 0.6 * base[:, 0:1] + 0.5 * weekend + 0.15 * winter - SLEEP_SHORTER_H * signal
    asleep = asleep + (0.75 + 0.3 * np.maximum(signal, 0)) * noise[:, 0]
    middle = 3.4 + 0.8 * base[:, 1:2] + 0.6 * weekend + SLEEP_SHIFT_H * direction * signal
    middle = middle + (0.55 + 0.5 * np.maximum(signal, 0)) * noise[:, 1]
    efficiency = np.clip(0.9 - 0.04 * signal + 0.025 * noise[:, 2], 0.6, 0.98)
    span = np.clip(np.clip(asleep, 2, 11.5) / efficiency, 2.5, 14)
    return span, np.clip(middle, -1, 9), efficiency


def after_waking(begins: Array, ends: Array) -> Array:
    """Begin of each night, at least four hours after the last one ended: nights do not overlap."""
    result = begins.copy()
    result[:, 1:] = np.maximum(begins[:, 1:], ends[:, :-1] - 24 + AWAKE_AT_LEAST_H)
    return result
