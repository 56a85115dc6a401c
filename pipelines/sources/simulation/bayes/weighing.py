"""How likely each child of a particle is: the chain, the registry and the ward, and the day's readings given its load."""

from typing import NamedTuple

import numpy as np
from numba import njit

from pipelines.sources.simulation import rhythms
from pipelines.sources.simulation.answers import FORM_EVERY_DAYS
from pipelines.sources.simulation.bayes import evidence, reading
from pipelines.sources.simulation.bayes.evidence import STRESS
from pipelines.sources.simulation.bayes.particles import STAGES, Children, Values, shown
from pipelines.sources.simulation.bayes.reading import STRESS_PERSISTENCE
from pipelines.sources.simulation.course import ADMISSION_SHARE, EPISODE, FURTHER_EVENT, LOAD_PERSISTENCE
from pipelines.sources.simulation.registry import MISBOOKED

SLEEP = (evidence.ASLEEP, evidence.MIDDLE)
# A short infection: how much of it is left on its days, and how often one begins.
ILL, ILL_CHANCE = np.array([0.0, 1.0, 0.8, 0.5, 0.2]), 0.009
# An admission without an onset the day before: one that was under way when the subject enrolled.
UNEXPLAINED = 1e-6
# Traits of a particle are followed for no strength less likely than this.
NEGLIGIBLE = 1e-7


class Effects(NamedTuple):
    """Whitened effects of signal, illness and the signal's mean over 14 days on the readings, (3, readings).

    `sleep` are the whitened places of hours asleep and of their middle, (2, readings), `spread` how far each may lie from
    what all other readings let expect, and `noise` what was taken for it; `spread` is 0 where there is no such reading.
    """

    effects: Values
    has_form: bool
    sleep: Values
    spread: Values
    noise: Values


@njit(nogil=True, error_model="numpy")
def registry(subject, known, day, before, after):  # type: ignore[no-untyped-def]
    """How likely the registry's word of a risk day is, if the stage goes from `before` on it to `after`."""
    if day < subject.enrolled or subject.is_inpatient[day]:
        return 1.0
    happens = FURTHER_EVENT if before == EPISODE else (1.0 if after == EPISODE else 0.0)
    registered = subject.capture * happens + 2 * MISBOOKED * (1 - happens)
    return registered if known.events[day] > 0 else 1 - registered


@njit(nogil=True, error_model="numpy")
def _ward(subject, day, before, after):  # type: ignore[no-untyped-def]
    """How likely the ward's word of a day is, known at the cutoff after it, if the stage came from `before` to `after`."""
    if day <= subject.enrolled or not subject.is_seen[day]:
        return 1.0
    is_onset = after == EPISODE and before != EPISODE
    if subject.is_inpatient[day] and not subject.is_inpatient[day - 1]:
        return ADMISSION_SHARE if is_onset else UNEXPLAINED
    return 1 - ADMISSION_SHARE if is_onset and not subject.is_inpatient[day] else 1.0


@njit(nogil=True, error_model="numpy")
def children(beliefs, day, subject, prior, known, seen, white, on_stress, signal, residual):  # type: ignore[no-untyped-def]
    """Every next stage of every particle, weighed; an illness begins on no day on which the stage changes."""
    count, strengths, n = beliefs.count[day], len(prior.strengths), prior.start.shape[1]
    most = count * (STAGES + 1)
    parent, stage, ill = np.zeros(most, np.int64), np.zeros(most, np.int64), np.zeros(most, np.int64)
    share, strength, slips = np.zeros(most), np.zeros((most, strengths)), np.zeros((most, n))
    effects = _effects(seen, white, signal)
    can_show_illness = known.worn[day]
    made = 0
    for j in range(count):
        before, was_ill = beliefs.stage[day, j], beliefs.ill[day, j]
        for after in range(STAGES):
            of_slip = beliefs.susceptibility[day, j] * prior.chain[max(day - 1, 0), :, before, after]
            chance = beliefs.share[day, j] * of_slip.sum() * registry(subject, known, day - 1, before, after)
            chance *= _ward(subject, day, before, after)
            if chance <= 0.0:
                continue
            for begins in range(2):
                if begins and (was_ill or after != before or not can_show_illness):
                    continue
                parent[made], stage[made] = j, after
                ill[made] = 1 if begins else ((was_ill + 1) % len(ILL) if was_ill else 0)
                _weigh(beliefs, day, j, after, ill[made], prior, effects, on_stress, residual[j], strength[made])
                of_illness = 1.0 if was_ill else (ILL_CHANCE if begins else 1 - ILL_CHANCE)
                share[made] = np.log(chance * of_illness)
                slips[made] = of_slip / of_slip.sum()
                made += 1
    total = _normalise(share[:made], strength[:made])
    return Children(parent[:made], stage[:made], ill[:made], share[:made], strength[:made], slips[:made], total)


@njit(nogil=True, error_model="numpy")
def _effects(seen, white, signal):  # type: ignore[no-untyped-def]
    """The effects on readings whose noise was taken to be that of a signal."""
    inverse = white.T @ white
    sleep, spread = np.zeros((2, len(seen.place))), np.zeros(2)
    for place in range(len(seen.place)):
        for one in range(2):
            if seen.place[place] == SLEEP[one]:
                spread[one] = 1 / inverse[place, place]
                sleep[one] = white[:, place] * spread[one]
    noise = np.array([reading.asleep_noise(signal), reading.middle_noise(signal)])
    return Effects(seen.weights @ white.T, bool(np.any(seen.place == evidence.PHQ)), sleep, spread, noise)


@njit(nogil=True, error_model="numpy")
def _weigh(beliefs, day, parent, stage, ill, prior, of, on_stress, residual, result):  # type: ignore[no-untyped-def]
    """Log weight of a child by strength: how well its load explains the day's readings.

    Traits follow readings as if their noise were that of the expected signal; here it is that of the child's own.
    """
    for s in range(len(result)):
        if beliefs.strength[day, parent, s] <= NEGLIGIBLE:
            result[s] = -np.inf
            continue
        load = LOAD_PERSISTENCE * beliefs.load[day, parent, s] + (1 - LOAD_PERSISTENCE) * shown(
            stage, prior.strengths[s]
        )
        form = 0.0
        if of.has_form:
            past = beliefs.past[day, parent, s]
            form = (past.sum() - past[day % FORM_EVERY_DAYS] + load) / FORM_EVERY_DAYS
        square, stress = 0.0, STRESS_PERSISTENCE * beliefs.mean[day, parent, s, STRESS]
        asleep = middle = 0.0
        for place in range(residual.shape[1]):
            left = (
                residual[s, place]
                - load * of.effects[0, place]
                - ILL[ill] * of.effects[1, place]
                - form * of.effects[2, place]
            )
            square += left * left
            stress += on_stress[place] * left
            asleep += of.sleep[0, place] * left
            middle += of.sleep[1, place] * left
        own = load + rhythms.STRESS_SHARE * stress
        weight = np.log(beliefs.strength[day, parent, s]) - square / 2
        weight += _own_noise(asleep, of.spread[0], reading.asleep_noise(own) - of.noise[0])
        result[s] = weight + _own_noise(middle, of.spread[1], reading.middle_noise(own) - of.noise[1])


@njit(nogil=True, error_model="numpy")
def _own_noise(distance, spread, more):  # type: ignore[no-untyped-def]
    """How the log density of a reading changes that has so much more noise than was taken for it."""
    if spread == 0.0:
        return 0.0
    return (np.log(spread / (spread + more)) + distance**2 * (1 / spread - 1 / (spread + more))) / 2


@njit(nogil=True, error_model="numpy")
def _normalise(share, strength):  # type: ignore[no-untyped-def]
    """From log weights to weights that sum to 1, in place; the log of what they summed to."""
    for child in range(len(share)):
        highest = strength[child].max()
        strength[child] = np.exp(strength[child] - highest)
        total = strength[child].sum()
        strength[child] /= total
        share[child] += highest + np.log(total)
    highest = share.max()
    share[:] = np.exp(share - highest)
    total = share.sum()
    share /= total
    return highest + np.log(total)
