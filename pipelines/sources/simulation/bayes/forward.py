"""The forward pass: day by day, what the hidden stage of one subject may be, given what had arrived by each cutoff.

Every child of every particle is weighed exactly before few of them are kept. A later arrival is no approximation
either: the pass goes back to the first day of which something else is known by now.
"""

import numpy as np
from numba import njit

from pipelines.sources.simulation import rhythms
from pipelines.sources.simulation.answers import FORM_EVERY_DAYS
from pipelines.sources.simulation.bayes import reading
from pipelines.sources.simulation.bayes.evidence import ANSWERING, STRESS
from pipelines.sources.simulation.bayes.particles import STAGES, begin, empty, shown, survivors
from pipelines.sources.simulation.bayes.reading import ARRIVED, STRESS_PERSISTENCE, STRESS_SD, Known
from pipelines.sources.simulation.bayes.weighing import ILL, NEGLIGIBLE, children, registry
from pipelines.sources.simulation.course import LOAD_PERSISTENCE


@njit(nogil=True, error_model="numpy")
def forward(subject, prior, index_days, risks, particles, luck):  # type: ignore[no-untyped-def]
    """Risks at each index day, (n, horizons), and the log evidence for the prior by then, (n,).

    Args:
        index_days: rising, later than enrolment.
        risks: chance of a registered event within each horizon by day, susceptibility and stage, (days + 1, n, 5, horizons).
        particles: how many are kept.
        luck: uniform in [0, 1), by day: which of the light particles are kept.
    """
    days = len(subject.is_seen)
    beliefs = empty(days + 1, particles, len(prior.strengths), prior.start.shape[1])
    known = Known(
        np.full((days, ANSWERING), np.nan), np.zeros(days), np.zeros(days, np.bool_), np.zeros(days, np.int64)
    )
    begin(beliefs, subject.enrolled, prior)
    result, told = np.zeros((len(index_days), risks.shape[3])), np.zeros(len(index_days))
    valid, news, events = subject.enrolled, 0, 0
    for row in range(len(index_days)):
        today = index_days[row]
        news, first = _take_news(subject, known, news, today)
        events, first_event = _take_events(subject, known, events, today)
        valid = max(min(valid, first, first_event), subject.enrolled)
        device_since = np.argmax(known.worn) if known.worn.any() else days
        for day in range(valid, today):
            _step(beliefs, day, today - day, subject, prior, known, device_since, luck[day])
        result[row], told[row] = _risk(beliefs, today, subject, prior, known, risks[today])
        valid = today
        # What is missing today may still come: the longer it does not, the more silence says.
        for day in range(max(today - len(ARRIVED) + 1, device_since), today):
            if not known.worn[day]:
                valid = day
                break
    return result, told


@njit(nogil=True, error_model="numpy")
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


@njit(nogil=True, error_model="numpy")
def _take_events(subject, known, place, today):  # type: ignore[no-untyped-def]
    """As `_take_news`, of events: one on a risk day tells of the stage on the day after."""
    first = len(known.events)
    while place < len(subject.event_known) and subject.event_known[place] <= today:
        known.events[subject.event_day[place]] += subject.event_change[place]
        first = min(first, subject.event_day[place] + 1)
        place += 1
    return place, first


@njit(nogil=True, error_model="numpy")
def _expected(beliefs, day):  # type: ignore[no-untyped-def]
    """Mean traits and mean signal as believed before the day."""
    mean, load = np.zeros(beliefs.mean.shape[3]), 0.0
    for j in range(beliefs.count[day]):
        for s in range(beliefs.strength.shape[2]):
            weight = beliefs.share[day, j] * beliefs.strength[day, j, s]
            mean += weight * beliefs.mean[day, j, s]
            load += weight * beliefs.load[day, j, s]
    return mean, load + rhythms.STRESS_SHARE * STRESS_PERSISTENCE * mean[STRESS]


@njit(nogil=True, error_model="numpy")
def _step(beliefs, day, age, subject, prior, known, device_since, luck):  # type: ignore[no-untyped-def]
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
    born = children(beliefs, day, subject, prior, known, seen, white, gain[STRESS].copy(), signal, residual)
    _keep(beliefs, day, prior, seen, white, gain, residual, born, luck)
    beliefs.evidence[day + 1] = beliefs.evidence[day] + born.evidence + np.log(np.diag(white)).sum()


@njit(nogil=True, error_model="numpy")
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


@njit(nogil=True, error_model="numpy")
def _keep(beliefs, day, prior, seen, white, gain, residual, born, luck):  # type: ignore[no-untyped-def]
    """Thin the children, and let the traits of those kept follow the day's readings."""
    chosen, share = survivors(born.share, beliefs.stage.shape[1], luck)
    effects = seen.weights @ white.T
    following, total = day + 1, share.sum()
    beliefs.count[following] = len(chosen)
    for j in range(len(chosen)):
        child = chosen[j]
        parent, stage, ill = born.parent[child], born.stage[child], born.ill[child]
        beliefs.stage[following, j], beliefs.ill[following, j] = stage, ill
        beliefs.share[following, j] = share[j] / total
        beliefs.strength[following, j] = born.strength[child]
        beliefs.susceptibility[following, j] = born.susceptibility[child]
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
            if born.strength[child, s] > NEGLIGIBLE:
                mean += gain @ left


@njit(nogil=True, error_model="numpy")
def _risk(beliefs, day, subject, prior, known, risks):  # type: ignore[no-untyped-def]
    """Risks from a day on and the log evidence by then, for a subject whom no event of the last days is hidden of."""
    result, total = np.zeros(risks.shape[2]), 0.0
    for j in range(beliefs.count[day]):
        before = beliefs.stage[day, j]
        for after in range(STAGES):
            told = beliefs.share[day, j] * registry(subject, known, day - 1, before, after)
            for n in range(len(risks)):
                weight = told * beliefs.susceptibility[day, j, n] * prior.chain[max(day - 1, 0), n, before, after]
                total += weight
                result += weight * risks[n, after]
    return result / total, beliefs.evidence[day] + np.log(total)
