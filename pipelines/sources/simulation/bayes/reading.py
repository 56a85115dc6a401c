"""One day's readings as a linear Gaussian model of traits and signal, as far as they had arrived by a cutoff."""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipelines.sources.simulation import answers, receipt, rhythms
from pipelines.sources.simulation.bayes import evidence
from pipelines.sources.simulation.bayes.evidence import ANSWERING, N_READINGS, STRESS, WEARING

Values = NDArray[np.float64]
Codes = NDArray[np.int64]
Flags = NDArray[np.bool_]

PROMPTS = len(answers.PROMPT_HOURS)
SLOPES = np.array([slope for _, slope in answers.ITEMS.values()])
NOTHING = 1e9
ITEM_NOISE = 0.4**2 + evidence.ROUNDING
# Of a day that the band was worn, how much is not lost and has arrived by the first, second, ... cutoff after it.
LOST = 0.015
IN_TIME, IN_DAYS = receipt.SYNCED_AT_NIGHT, 1 - receipt.SYNCED_AT_NIGHT - receipt.SYNCED_IN_MORNING
# Late ones come 25 h after the day and up to five days later, by the square of a uniform draw; the cutoff is at 3 h.
LATE = np.sqrt((np.arange(5) + 2 / 24) / 5)
ARRIVED = (1 - LOST) * np.array([0.0, IN_TIME, *(1 - IN_DAYS * (1 - LATE)), 1.0])
# Of everyday stress: the mean over the 14 days of a form varies by so much of one day's variance.
STRESS_SD, STRESS_PERSISTENCE, STRESS_OF_FORM = 0.4, 0.9, 0.66


class Subject(NamedTuple):
    """What is told of one subject, each with the index date that knew it first: days are numbered from the cohort's first.

    `news_*` are versions of days by `known`, `event_*` registered events that come (1) and are taken back (-1).
    """

    news_known: Codes
    news_day: Codes
    news_readings: Values
    news_prompts: Values
    news_worn: Flags
    event_known: Codes
    event_day: Codes
    event_change: Codes
    is_seen: Flags
    is_inpatient: Flags
    is_weekend: Flags
    enrolled: int
    capture: float


class Known(NamedTuple):
    """The newest version of each day, and how many registered events it has, by some index date."""

    readings: Values
    prompts: Values
    worn: Flags
    events: Codes


class Model(NamedTuple):
    """The day's readings less what is expected of traits, by reading: what each unit of the unknown adds, and the noise."""

    place: Codes
    value: Values
    loadings: Values
    weights: Values
    noise: Values


@njit(nogil=True, error_model="numpy")
def model(day, age, subject, known, device_since, mean, signal, loadings, weights):  # type: ignore[no-untyped-def]
    """The readings of a day, so many cutoffs ago.

    Args:
        mean, signal: traits and signal as believed before: log-odds are linear about them, noise is as they let expect.
    """
    value = np.full(N_READINGS, np.nan)
    noise = np.zeros((N_READINGS, N_READINGS))
    value[:ANSWERING] = known.readings[day]
    # Of an unseen day this reading says nothing, so that there is one to be dealt with.
    value[ANSWERING], noise[ANSWERING, ANSWERING] = 0.0, NOTHING
    add_noise(noise, max(signal, 0.0), max(known.prompts[day], 1.0), weights)
    away = rhythms.INPATIENT_LOGIT * subject.is_inpatient[day]
    if subject.is_seen[day]:
        tired = 0.8 * day / (len(subject.is_seen) - 1)
        at = mean[evidence.ANSWER_LOGIT] + weights[0, ANSWERING] * signal
        chance = 1 / (1 + np.exp(-(at + away - tired)))
        information = PROMPTS * chance * (1 - chance)
        value[ANSWERING] = at + (known.prompts[day] - PROMPTS * chance) / information
        noise[ANSWERING, ANSWERING] = 1 / information + 0.3**2
        if day >= device_since:
            at = mean[evidence.WEAR_LOGIT] + weights[0, WEARING] * signal
            chance = 1 / (1 + np.exp(-(at + away)))
            # What came says the same whenever it came; what did not come says more the longer it has not.
            latest = len(ARRIVED) - 1
            told = ARRIVED[latest if known.worn[day] else min(age, latest)] * chance
            slope = told * (1 - chance)
            score = (1 - chance) if known.worn[day] else -slope / (1 - told)
            information = slope * slope / (told * (1 - told))
            value[WEARING] = at + score / information
            noise[WEARING, WEARING] = 1 / information + 0.4**2
    place = np.flatnonzero(np.isfinite(value))
    loaded = loadings.copy()
    loaded[evidence.STEPS, 3] = evidence.WEEKEND_STEPS * subject.is_weekend[day]
    loaded[:, STRESS] = rhythms.STRESS_SHARE * weights[0]
    return Model(place, value[place], loaded[place], weights[:, place].copy(), noise[place][:, place].copy())


@njit(nogil=True, error_model="numpy")
def add_noise(noise, signal, prompts, weights):  # type: ignore[no-untyped-def]
    """Add the covariance of a day's readings given traits and signal, for so many prompts answered."""
    noise[evidence.ASLEEP, evidence.ASLEEP] = asleep_noise(signal)
    noise[evidence.MIDDLE, evidence.MIDDLE] = middle_noise(signal)
    noise[evidence.EFFICIENCY, evidence.EFFICIENCY] = 0.025**2
    noise[evidence.STEPS, evidence.STEPS] = 0.34**2
    both = 1 / (1 / evidence.RESTING_NOISE + 1 / evidence.MEAN_RATE_NOISE)
    noise[evidence.RESTING, evidence.RESTING] = 1.7**2 + both
    noise[evidence.HRV, evidence.HRV] = 0.18**2
    felt = 0.45**2 + (answers.SCATTER + answers.SCATTER_MORE * signal) ** 2 / prompts
    for one in range(len(SLOPES)):
        for other in range(len(SLOPES)):
            noise[evidence.MOOD + one, evidence.MOOD + other] = felt * SLOPES[one] * SLOPES[other]
        noise[evidence.MOOD + one, evidence.MOOD + one] += ITEM_NOISE / prompts
    noise[evidence.WORN, evidence.WORN] = 0.04**2
    stress = (rhythms.STRESS_SHARE * STRESS_SD * weights[2, evidence.PHQ]) ** 2 * STRESS_OF_FORM
    noise[evidence.PHQ, evidence.PHQ] = 1.6**2 + evidence.ROUNDING + stress


@njit(nogil=True, error_model="numpy")
def asleep_noise(signal):  # type: ignore[no-untyped-def]
    """Variance of the hours asleep beside what traits and signal explain; it grows with the signal."""
    return (0.75 + 0.3 * max(signal, 0.0)) ** 2


@njit(nogil=True, error_model="numpy")
def middle_noise(signal):  # type: ignore[no-untyped-def]
    """Variance of the middle of the night beside what traits and signal explain; it grows with the signal."""
    return (0.55 + 0.5 * max(signal, 0.0)) ** 2
