"""The hidden course of each subject: a daily Markov chain of states, the onsets it makes, and the true hazard.

`state[:, d]` holds at the cutoff of day d. An onset on risk day d moves the state to `episode` on d + 1, so nothing
that a stream shows by c(d) knows of it except through the state. The chain is Markov in five stages on purpose: a
forward pass with these same numbers is the best any model could do.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.signal import lfilter

from pipelines.sources.simulation.dice import Array, Dice
from pipelines.sources.simulation.people import People

Flags = NDArray[np.bool_]

STABLE, PRODROME_EARLY, PRODROME_LATE, EPISODE, RECOVERY = range(5)
STAGE_NAMES = ("stable", "prodrome", "prodrome", "episode", "recovery")

# Daily chances of leaving a stage; those of `stable` are the person's susceptibility times the season.
SUDDEN_ONSET_SHARE = 0.06
EARLY_TO_LATE, EARLY_TO_STABLE, EARLY_TO_EPISODE = 0.12, 0.03, 0.008
LATE_TO_EPISODE, LATE_TO_STABLE = 0.10, 0.025
EPISODE_TO_RECOVERY = 0.17
RECOVERY_TO_STABLE, RECOVERY_TO_EPISODE = 0.055, 0.008
SEASON_AMPLITUDE = 0.25
FURTHER_EVENT = 0.18

# How much of the full picture each stage shows, and how much of yesterday's picture stays today.
STAGE_LOAD = np.array([0.0, 0.75, 1.1, 1.25, 0.5], dtype=np.float32)
LOAD_PERSISTENCE = 0.6
EPISODE_SHOWS_AT_LEAST = 0.6
ADMISSION_SHARE = 0.12


@dataclass(frozen=True)
class Course:
    """Arrays of shape (subjects, days) except `enrolled`, `ends`, `deceased`, `discharged`, `withdrawn` (day or -1).

    `load` is what the state shows in the streams; `stress` looks the same and means nothing; `ill` is a short
    infection. `is_seen` marks days on which streams can be recorded.
    """

    state: NDArray[np.int8]
    has_event: Flags
    load: Array
    stress: Array
    ill: Array
    is_seen: Flags
    is_inpatient: Flags
    is_paused: Flags
    enrolled: NDArray[np.int64]
    deceased: NDArray[np.int64]
    discharged: NDArray[np.int64]
    withdrawn: NDArray[np.int64]


def season(first: date, days: int) -> Array:
    """Cosine of the year, (1, days): 1 in the depth of winter, -1 at midsummer."""
    phase = 2 * np.pi * (pd.date_range(first, periods=days, freq="D").day_of_year.to_numpy() - 15) / 365.25
    return np.cos(phase)[None, :].astype(np.float32)


def transitions(susceptibility: Array, season_of_day: Array) -> Array:
    """Transition matrices, (..., from, to), for arrays of susceptibility and season of one shape."""
    slip = susceptibility * (1 + SEASON_AMPLITUDE * season_of_day)
    result = np.zeros((*slip.shape, 5, 5), dtype=np.float32)
    result[..., STABLE, PRODROME_EARLY] = slip
    result[..., STABLE, EPISODE] = SUDDEN_ONSET_SHARE * slip
    result[..., PRODROME_EARLY, PRODROME_LATE] = EARLY_TO_LATE
    result[..., PRODROME_EARLY, STABLE] = EARLY_TO_STABLE
    result[..., PRODROME_EARLY, EPISODE] = EARLY_TO_EPISODE
    result[..., PRODROME_LATE, EPISODE] = LATE_TO_EPISODE
    result[..., PRODROME_LATE, STABLE] = LATE_TO_STABLE
    result[..., EPISODE, RECOVERY] = EPISODE_TO_RECOVERY
    result[..., RECOVERY, STABLE] = RECOVERY_TO_STABLE
    result[..., RECOVERY, EPISODE] = RECOVERY_TO_EPISODE
    stay = 1 - result.sum(axis=-1)
    result[..., range(5), range(5)] = stay
    return result


def course(seed: int, who: People, first: date, days: int) -> Course:
    """Live through `days` days from `first`."""
    dice = Dice(seed, who.numbers, "course")
    state = _states(who, season(first, days), dice.uniform(days), dice.uniform(1)[:, 0])
    enters = np.zeros(state.shape, dtype=bool)
    enters[:, :-1] = (state[:, 1:] == EPISODE) & (state[:, :-1] != EPISODE)
    further = (state == EPISODE) & (dice.uniform(days) < FURTHER_EVENT)
    enrolled, deceased, discharged, withdrawn, is_paused = _follow_up(dice.uniform(10), days)
    is_inpatient = _admissions(enters, dice.uniform(days), dice.uniform(days))
    day = np.arange(days)[None, :]
    alive = day < _end(deceased, days)[:, None]
    is_seen = (day >= enrolled[:, None]) & alive
    for gone in (discharged, withdrawn):
        is_seen &= day < _end(gone, days)[:, None]
    has_event = (enters | further) & ~is_inpatient & alive & (day < _end(withdrawn, days)[:, None])
    return Course(
        state=state,
        has_event=has_event & (day >= enrolled[:, None]),
        load=_load(who, state),
        stress=_autoregressive(dice.normal(days), 0.9, 0.4),
        ill=lfilter([1, 0.8, 0.5, 0.2], [1], dice.uniform(days) < 0.009, axis=1).astype(np.float32),
        is_seen=is_seen & ~is_paused,
        is_inpatient=is_inpatient & is_seen,
        is_paused=is_paused & is_seen,
        enrolled=enrolled,
        deceased=deceased,
        discharged=discharged,
        withdrawn=withdrawn,
    )


def _end(day: NDArray[np.int64], days: int) -> NDArray[np.int64]:
    return np.where(day < 0, days, day)


def _states(who: People, season_of_day: Array, luck: Array, start: Array) -> NDArray[np.int8]:
    """The stage at each day's cutoff; one in twelve of the prone enters in recovery from an earlier episode."""
    state = np.zeros(luck.shape, dtype=np.int8)
    state[:, 0] = np.where((start < 0.08) & (who.susceptibility > 0.001), RECOVERY, STABLE)
    rows = np.arange(len(who))
    for day in range(luck.shape[1] - 1):
        upto = transitions(who.susceptibility, season_of_day[:, day]).cumsum(axis=-1)[rows, state[:, day]]
        state[:, day + 1] = (luck[:, day, None] >= upto[:, :-1]).sum(axis=1)
    return state


def _load(who: People, state: NDArray[np.int8]) -> Array:
    strength = np.broadcast_to(who.warning_strength[:, None], state.shape)
    shown = np.where(state >= EPISODE, np.maximum(strength, EPISODE_SHOWS_AT_LEAST), strength)
    target = STAGE_LOAD[state] * shown
    return lfilter([1 - LOAD_PERSISTENCE], [1, -LOAD_PERSISTENCE], target, axis=1).astype(np.float32)


def _autoregressive(noise: Array, persistence: float, sd: float) -> Array:
    scaled = noise * np.float32(sd * np.sqrt(1 - persistence**2))
    scaled[:, 0] /= np.float32(np.sqrt(1 - persistence**2))
    return lfilter([1], [1, -persistence], scaled, axis=1).astype(np.float32)


def _follow_up(
    u: Array, days: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Flags]:
    """Enrolment (most on the first day), death, discharge, withdrawal (day or -1), and paused days."""
    enrolled = np.where(u[:, 0] < 0.6, 0, u[:, 1] * days / 3).astype(np.int64)
    late = ((0.4 + 0.58 * u[:, 2]) * days).astype(np.int64)
    fate = np.searchsorted(np.cumsum([0.012, 0.03, 0.02, 0.04]), u[:, 3], side="right")
    deceased, discharged, withdrawn = (np.where(fate == which, late, -1) for which in range(3))
    day = np.arange(days)[None, :]
    lasts = (14 + 26 * u[:, 4]).astype(np.int64)
    is_paused = (fate == 3)[:, None] & (day >= late[:, None]) & (day < (late + lasts)[:, None])
    return enrolled, deceased, discharged, withdrawn, is_paused


def _admissions(enters: Flags, luck: Array, length: Array) -> Flags:
    """Days in hospital, from the day after an onset, 3 to 16 days."""
    result = np.zeros(enters.shape, dtype=bool)
    for subject, day in np.argwhere(enters & (luck < ADMISSION_SHARE)):
        result[subject, day + 1 : day + 4 + int(14 * length[subject, day])] = True
    return result


def true_risks(who: People, first: date, state: NDArray[np.int8], horizons_days: tuple[int, ...]) -> dict[int, Array]:
    """Chance of an onset within H days of each day's cutoff given the hidden stage; missing during an episode."""
    days = state.shape[1]
    longest = max(horizons_days, default=0)
    chain = transitions(who.susceptibility[:, None], season(first, days + longest))
    onset, quiet = chain[..., EPISODE], np.delete(chain, EPISODE, axis=-1)
    risk = np.zeros((len(who), days + longest, 5), dtype=np.float32)
    result = {}
    for ahead in range(1, longest + 1):
        later = np.delete(risk, EPISODE, axis=-1)[:, 1:]
        risk[:, :-1] = onset[:, :-1] + np.einsum("ndst,ndt->nds", quiet[:, :-1], later)
        if ahead in horizons_days:
            here = np.take_along_axis(risk[:, :days], state[..., None].astype(np.int64), axis=2)[..., 0]
            result[ahead] = np.where(state == EPISODE, np.nan, here).astype(np.float32)
    return result
