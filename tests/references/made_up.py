"""Series for both sides of a comparison: no person stands behind any value."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

DAYS = 14


def steps_per_hour(days: int = DAYS, seed: int = 1) -> Values:
    """Steps of each hour, from midnight on: busiest in the late afternoon, noisy, never below 0."""
    rng = np.random.default_rng(seed)
    hours = np.arange(days * 24)
    return np.round(400 + 350 * np.cos(2 * np.pi * (hours - 16) / 24) + rng.normal(0, 120, len(hours))).clip(0)


def with_gaps(values: Values, share: float, seed: int = 2) -> Values:
    """The same with this share of single values unknown, here and there."""
    rng = np.random.default_rng(seed)
    unknown = rng.permutation(len(values))[: round(share * len(values))]
    result = values.astype(float)
    result[unknown] = np.nan
    return result


def as_days(hours: Values) -> Values:
    """Hours as Foretide takes them: one row of days of 24 hours, oldest first."""
    return hours.reshape(1, -1, 24)


def minutes_of(hours: Values) -> Values:
    """Minutes that add up to the hours, each hour spread evenly."""
    return np.repeat(hours / 60, 60)


def mood_of_days(days: int, seed: int = 3) -> Values:
    """Mood of each day as a share of its scale: each day remembers half of the one before, around a slow wave."""
    rng = np.random.default_rng(seed)
    deviation = np.zeros(days)
    for day, shock in enumerate(rng.normal(0, 0.1, days)):
        deviation[day] = 0.5 * deviation[day - 1] + shock
    return (0.55 + 0.15 * np.sin(np.arange(days) / 15) + deviation).clip(0, 1)


def minutes_asleep(nights: int, seed: int = 4) -> Values:
    """Minutes of sleep of each night, falling slowly."""
    rng = np.random.default_rng(seed)
    return 440 - 0.4 * np.arange(nights) + rng.normal(0, 45, nights)


def clock_times(nights: int, seed: int = 5) -> Values:
    """Clock times in hours around midnight, on both sides of it."""
    return np.random.default_rng(seed).normal(0.3, 1.2, nights) % 24
