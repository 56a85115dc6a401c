"""The forward pass: day by day, what the hidden stage of one subject may be, given what had arrived by each cutoff.

Every child of every particle is weighed exactly before few of them are kept. A later arrival is no approximation
either: the pass goes back to the first day of which something else is known by now.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from pipelines.sources.simulation import rhythms
from pipelines.sources.simulation.answers import FORM_EVERY_DAYS
from pipelines.sources.simulation.bayes import evidence, reading
from pipelines.sources.simulation.bayes.evidence import ANSWERING, STRESS
from pipelines.sources.simulation.bayes.particles import Codes, Values, empty, shown, survivors
from pipelines.sources.simulation.bayes.reading import ARRIVED, STRESS_PERSISTENCE, STRESS_SD, Known
from pipelines.sources.simulation.course import ADMISSION_SHARE, EPISODE, FURTHER_EVENT, LOAD_PERSISTENCE
from pipelines.sources.simulation.registry import MISBOOKED

STAGES = 5
SLEEP = (evidence.ASLEEP, evidence.MIDDLE)
# A short infection: how much of it is left on its days, and how often one begins.
ILL, ILL_CHANCE = np.array([0.0, 1.0, 0.8, 0.5, 0.2]), 0.009
# An admission without an onset the day before: one that was under way when the subject enrolled.
UNEXPLAINED = 1e-6
# Traits of a particle are followed for no strength less likely than this.
NEGLIGIBLE = 1e-7


class Prior(NamedTuple):
    """What is believed of a subject before any reading.

    `chain[d]` is the transition from day d to d + 1 by susceptibility, (n, 5, 5); `start` the weights of stage and
    susceptibility on the day before enrolment, (5, n).
    """

    mean: Values
    variance: Values
    strengths: Values
    strength_share: Values
    start: Values
    chain: Values
    loadings: Values
    weights: Values


class Children(NamedTuple):
    """What particles may have become, as in `Particles`, by the number of their parent; and the log evidence of the day."""

    parent: Codes
    stage: Codes
    ill: Codes
    share: Values
    strength: Values
    susceptibility: Values
    evidence: float


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


@njit(nogil=True, cache=True)
def forward(subject, prior, index_days, risks, particles, seed):  # type: ignore[no-untyped-def]
    """Risks at each index day, (n, horizons), and the log evidence for the prior by then, (n,).

    Args:
        index_days: rising, later than enrolment.
        risks: chance of a registered event within each horizon by day, susceptibility and stage, (days + 1, n, 5, horizons).
        particles: how many are kept.
    """
    days = len(subject.is_seen)
    beliefs = empty(days + 1, particles, len(prior.strengths), prior.start.shape[1])
    known = Known(np.full((days, ANSWERING), np.nan), np.zeros(days), np.zeros(days, np.bool_), np.zeros(days, np.int64))
    _begin(beliefs, subject.enrolled, prior)
    result, told = np.zeros((len(index_days), risks.shape[3])), np.zeros(len(index_days))
    valid, news, events = subject.enrolled, 0, 0
    for row in range(len(index_days)):
        today = index_days[row]
        news, first = _take_news(subject, known, news, today)
        events, first_event = _take_events(subject, known, events, today)
        valid = max(min(valid, first, first_event), subject.enrolled)
        device_since = np.argmax(known.worn) if known.worn.any() else days
        for day in range(valid, today):
            np.random.seed(seed + 1009 * day)
            _step(beliefs, day, today - day, subject, prior, known, device_since)
        result[row], told[row] = _risk(beliefs, today, subject, prior, known, risks[today])
        valid = today
        # What is missing today may still come: the longer it does not, the more silence says.
        for day in range(max(today - len(ARRIVED) + 1, subject.enrolled), today):
            if not known.worn[day]:
                valid = day
                break
    return result, told


@njit(nogil=True, cache=True)
def _take_news(subject, known, place, today):  # type: ignore[no-untyped-def]
    """Take in what is known by today; where the next news are, and the first day that they change."""
    first = len(known.prompts)
    while place < len(subject.news_known) and subject.news_known[place] <= today:
        day = subject.news_day[place]
        known.readings[day] = subject.news_readings[place]
        known.prompts[day], known.worn[day] = subject.news_prompts[place], subject.news_worn[place]
        first = min(first, day)
        place += 1
    return place, first


@njit(nogil=True, cache=True)
def _take_events(subject, known, place, today):  # type: ignore[no-untyped-def]
    """As `_take_news`, of events: one on a risk day tells of the stage on the day after."""
    first = len(known.events)
    while place < len(subject.event_known) and subject.event_known[place] <= today:
        known.events[subject.event_day[place]] += subject.event_change[place]
        first = min(first, subject.event_day[place] + 1)
        place += 1
    return place, first


@njit(nogil=True, cache=True)
def _begin(beliefs, day, prior):  # type: ignore[no-untyped-def]
    """One particle for each stage, with the load that the stage tends to."""
    beliefs.count[day] = STAGES
    for stage in range(STAGES):
        total = prior.start[stage].sum()
        beliefs.stage[day, stage], beliefs.share[day, stage] = stage, total
        beliefs.susceptibility[day, stage] = prior.start[stage] / max(total, 1e-300)
        beliefs.strength[day, stage] = prior.strength_share
        for s in range(len(prior.strengths)):
            beliefs.load[day, stage, s] = shown(stage, prior.strengths[s])
            beliefs.past[day, stage, s] = beliefs.load[day, stage, s]
            beliefs.mean[day, stage, s] = prior.mean
    beliefs.covariance[day] = np.diag(prior.variance)


@njit(nogil=True, cache=True)
def _transition(subject, known, day, before, after):  # type: ignore[no-untyped-def]
    """How likely the registry's and the ward's word of a day is, if the stage goes from `before` on it to `after`."""
    result = 1.0
    is_onset = after == EPISODE and before != EPISODE
    if day >= subject.enrolled and not subject.is_inpatient[day]:
        happens = 1.0 if is_onset else (FURTHER_EVENT if before == EPISODE else 0.0)
        registered = subject.capture * happens + 2 * MISBOOKED * (1 - happens)
        result *= registered if known.events[day] > 0 else 1 - registered
    following = day + 1
    if following < len(subject.is_seen) and following > subject.enrolled and subject.is_seen[following]:
        was, is_now = subject.is_inpatient[day], subject.is_inpatient[following]
        if is_now and not was:
            result *= ADMISSION_SHARE if is_onset else UNEXPLAINED
        elif is_onset and not is_now:
            result *= 1 - ADMISSION_SHARE
    return result


@njit(nogil=True, cache=True)
def _expected(beliefs, day):  # type: ignore[no-untyped-def]
    """Mean traits and mean signal as believed before the day."""
    mean, load = np.zeros(beliefs.mean.shape[3]), 0.0
    for j in range(beliefs.count[day]):
        for s in range(beliefs.strength.shape[2]):
            weight = beliefs.share[day, j] * beliefs.strength[day, j, s]
            mean += weight * beliefs.mean[day, j, s]
            load += weight * beliefs.load[day, j, s]
    return mean, load + rhythms.STRESS_SHARE * STRESS_PERSISTENCE * mean[STRESS]


@njit(nogil=True, cache=True)
def _step(beliefs, day, age, subject, prior, known, device_since):  # type: ignore[no-untyped-def]
    """From what is believed before a day to what is believed after it."""
    mean, signal = _expected(beliefs, day)
    seen = reading.model(day, age, subject, known, device_since, mean, signal, prior.loadings, prior.weights)
    spread = beliefs.covariance[day].copy()
    spread[STRESS, :] *= STRESS_PERSISTENCE
    spread[:, STRESS] *= STRESS_PERSISTENCE
    spread[STRESS, STRESS] += STRESS_SD**2 * (1 - STRESS_PERSISTENCE**2)
    # In units of what was to be expected: A S A' = 1, for S the covariance of the readings.
    white = np.linalg.inv(np.linalg.cholesky(seen.loadings @ spread @ seen.loadings.T + seen.noise))
    gain = spread @ seen.loadings.T @ white.T
    beliefs.covariance[day + 1] = spread - gain @ gain.T
    residual = _residuals(beliefs, day, seen, white)
    children = _children(beliefs, day, subject, prior, known, seen, white, gain[STRESS].copy(), signal, residual)
    _keep(beliefs, day, prior, seen, white, gain, residual, children)
    beliefs.evidence[day + 1] = beliefs.evidence[day] + children.evidence + np.log(np.diag(white)).sum()


@njit(nogil=True, cache=True)
def _residuals(beliefs, day, seen, white):  # type: ignore[no-untyped-def]
    """Whitened readings of each particle and strength less what its traits let expect, (count, strengths, readings)."""
    count, strengths = beliefs.count[day], beliefs.strength.shape[2]
    result = np.zeros((count, strengths, len(seen.place)))
    scaled = np.ones(beliefs.mean.shape[3])
    scaled[STRESS] = STRESS_PERSISTENCE
    look, value = white @ seen.loadings * scaled, white @ seen.value
    for j in range(count):
        for s in range(strengths):
            if beliefs.strength[day, j, s] > NEGLIGIBLE:
                result[j, s] = value - look @ beliefs.mean[day, j, s]
    return result


@njit(nogil=True, cache=True)
def _children(beliefs, day, subject, prior, known, seen, white, on_stress, signal, residual):  # type: ignore[no-untyped-def]
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
            chance = beliefs.share[day, j] * of_slip.sum() * _transition(subject, known, day - 1, before, after)
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


@njit(nogil=True, cache=True)
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
    return Effects(seen.weights @ white.T, np.any(seen.place == evidence.PHQ), sleep, spread, noise)


@njit(nogil=True, cache=True)
def _weigh(beliefs, day, parent, stage, ill, prior, of, on_stress, residual, result):  # type: ignore[no-untyped-def]
    """Log weight of a child by strength: how well its load explains the day's readings.

    Traits follow readings as if their noise were that of the expected signal; here it is that of the child's own.
    """
    for s in range(len(result)):
        if beliefs.strength[day, parent, s] <= NEGLIGIBLE:
            result[s] = -np.inf
            continue
        load = LOAD_PERSISTENCE * beliefs.load[day, parent, s] + (1 - LOAD_PERSISTENCE) * shown(stage, prior.strengths[s])
        form = 0.0
        if of.has_form:
            past = beliefs.past[day, parent, s]
            form = (past.sum() - past[day % FORM_EVERY_DAYS] + load) / FORM_EVERY_DAYS
        square, stress = 0.0, STRESS_PERSISTENCE * beliefs.mean[day, parent, s, STRESS]
        asleep = middle = 0.0
        for place in range(residual.shape[1]):
            left = residual[s, place] - load * of.effects[0, place] - ILL[ill] * of.effects[1, place] - form * of.effects[2, place]
            square += left * left
            stress += on_stress[place] * left
            asleep += of.sleep[0, place] * left
            middle += of.sleep[1, place] * left
        own = load + rhythms.STRESS_SHARE * stress
        weight = np.log(beliefs.strength[day, parent, s]) - square / 2
        weight += _own_noise(asleep, of.spread[0], reading.asleep_noise(own) - of.noise[0])
        result[s] = weight + _own_noise(middle, of.spread[1], reading.middle_noise(own) - of.noise[1])


@njit(nogil=True, cache=True)
def _own_noise(distance, spread, more):  # type: ignore[no-untyped-def]
    """How the log density of a reading changes that has so much more noise than was taken for it."""
    if spread == 0.0:
        return 0.0
    return (np.log(spread / (spread + more)) + distance**2 * (1 / spread - 1 / (spread + more))) / 2


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def _keep(beliefs, day, prior, seen, white, gain, residual, children):  # type: ignore[no-untyped-def]
    """Thin the children, and let the traits of those kept follow the day's readings."""
    chosen, share = survivors(children.share, beliefs.stage.shape[1])
    effects = seen.weights @ white.T
    following, total = day + 1, share.sum()
    beliefs.count[following] = len(chosen)
    for j in range(len(chosen)):
        child = chosen[j]
        parent, stage, ill = children.parent[child], children.stage[child], children.ill[child]
        beliefs.stage[following, j], beliefs.ill[following, j] = stage, ill
        beliefs.share[following, j] = share[j] / total
        beliefs.strength[following, j] = children.strength[child]
        beliefs.susceptibility[following, j] = children.susceptibility[child]
        for s in range(len(prior.strengths)):
            before, past = beliefs.load[day, parent, s], beliefs.past[following, j, s]
            load = LOAD_PERSISTENCE * before + (1 - LOAD_PERSISTENCE) * shown(stage, prior.strengths[s])
            past[:] = beliefs.past[day, parent, s]
            past[day % FORM_EVERY_DAYS] = load
            form = past.sum() / FORM_EVERY_DAYS
            beliefs.load[following, j, s] = load
            left = residual[parent, s] - load * effects[0] - ILL[ill] * effects[1] - form * effects[2]
            mean = beliefs.mean[following, j, s]
            mean[:] = beliefs.mean[day, parent, s]
            mean[STRESS] *= STRESS_PERSISTENCE
            if children.strength[child, s] > NEGLIGIBLE:
                mean += gain @ left


@njit(nogil=True, cache=True)
def _risk(beliefs, day, subject, prior, known, risks):  # type: ignore[no-untyped-def]
    """Risks from a day on and the log evidence by then, for a subject whom no event of the last days is hidden of."""
    result, total = np.zeros(risks.shape[2]), 0.0
    for j in range(beliefs.count[day]):
        before = beliefs.stage[day, j]
        for after in range(STAGES):
            told = beliefs.share[day, j] * _transition(subject, known, day - 1, before, after)
            for n in range(len(risks)):
                weight = told * beliefs.susceptibility[day, j, n] * prior.chain[max(day - 1, 0), n, before, after]
                total += weight
                result += weight * risks[n, after]
    return result / total, beliefs.evidence[day] + np.log(total)
