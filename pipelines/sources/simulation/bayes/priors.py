"""What is believed of a subject before any reading, by what is recorded of them: grids, personal traits, the chain."""

from collections.abc import Iterator
from datetime import date
from functools import cache
from itertools import product

import numpy as np
from scipy.stats import norm

from pipelines.sources.simulation import people
from pipelines.sources.simulation.bayes import evidence
from pipelines.sources.simulation.bayes.particles import STAGES, Prior, Values
from pipelines.sources.simulation.bayes.reading import STRESS_SD
from pipelines.sources.simulation.course import EPISODE, FURTHER_EVENT, RECOVERY, STABLE, season, transitions
from pipelines.sources.simulation.registry import SECOND_EVENT_SHARE

HORIZONS_DAYS = (7, 14, 28)
# Points of the grids: how prone somebody is, beside being resilient; how strong signs are, beside there being none.
PRONE, STRONG = 7, 6
# What is not recorded is so by chance: these are everybody's shares.
SHARE_BLACK, SHARE_MALE, SHARE_BIASED_MODEL = 0.20, 0.44, 0.4
# A prodrome moves the sleep of some people earlier: those of whom a standard normal trait lies below this.
EARLIER_BELOW = -0.8
ENTERS_IN_RECOVERY, IS_PRONE_ABOVE = 0.08, 0.001


def quantiles(points: int) -> Values:
    """Middles of so many equally likely parts of the standard normal distribution."""
    return norm.ppf((np.arange(points) + 0.5) / points)


def slips(is_unrecorded: bool) -> tuple[Values, Values]:
    """The grid of daily chances of slipping, and the share of each."""
    normal = np.append(quantiles(PRONE), 0.0)
    uniform = np.append(np.ones(PRONE), 0.0)
    share = np.append(np.full(PRONE, (1 - people.SHARE_RESILIENT) / PRONE), people.SHARE_RESILIENT)
    return people.daily_slip(uniform, normal, np.full(PRONE + 1, is_unrecorded)).astype(float), share


def strengths() -> tuple[Values, Values]:
    """The grid of strengths of signs, and the share of each."""
    normal = np.append(quantiles(STRONG), 0.0)
    uniform = np.append(np.ones(STRONG), 0.0)
    share = np.append(np.full(STRONG, (1 - people.SHARE_WITHOUT_WARNING) / STRONG), people.SHARE_WITHOUT_WARNING)
    return people.strength_of_signs(uniform, normal).astype(float), share


@cache
def chain(first: date, days: int, is_unrecorded: bool) -> Values:
    """Transitions from each day to the next by susceptibility, (days, n, 5, 5)."""
    slip = slips(is_unrecorded)[0]
    return transitions(slip[None, :], season(first, days)[0][:, None]).astype(float)


@cache
def stages(first: date, days: int, is_unrecorded: bool) -> Values:
    """Chance of each stage and susceptibility on each day if nothing is known, (days, 5, n)."""
    slip, share = slips(is_unrecorded)
    result = np.zeros((days, STAGES, len(slip)))
    result[0, RECOVERY] = np.where(slip > IS_PRONE_ABOVE, ENTERS_IN_RECOVERY, 0) * share
    result[0, STABLE] = share - result[0, RECOVERY]
    for day, step in enumerate(chain(first, days, is_unrecorded)[:-1]):
        result[day + 1] = np.einsum("sn,nst->tn", result[day], step)
    return result


@cache
def onset_risks(first: date, days: int, is_unrecorded: bool, registered: float) -> Values:
    """Chance of a registered event within each horizon from each day, by susceptibility and stage, (days + 1, n, 5, 3).

    Args:
        registered: the share of days with events of which any reaches the registry.
    """
    longest = max(HORIZONS_DAYS)
    steps = chain(first, days + 1 + longest, is_unrecorded)
    told = np.zeros((STAGES, STAGES))
    told[:, EPISODE] = registered
    told[EPISODE] = FURTHER_EVENT * registered
    onset, quiet = (steps * told).sum(axis=-1), steps * (1 - told)
    risk, result = np.zeros(onset.shape), []
    for ahead in range(1, longest + 1):
        later = np.roll(risk, -1, axis=0)
        risk = onset + np.einsum("dnst,dnt->dns", quiet, later)
        if ahead in HORIZONS_DAYS:
            result.append(risk[: days + 1])
    return np.stack(result, axis=-1)


def registered(ethnicity: str | None, language: str) -> float:
    """Share of a subject's days with events of which any reaches the registry."""
    codes = np.array([people.ETHNICITIES.index("black"), people.ETHNICITIES.index("white")])
    of_black, of_others = people.capture(codes, np.full(2, people.LANGUAGES.index(language)))
    black = _is_black(ethnicity)
    share = float(black * of_black + (1 - black) * of_others)
    return 1 - (1 - share) * (1 - SECOND_EVENT_SHARE * share)


def _is_black(ethnicity: str | None) -> float:
    return SHARE_BLACK if ethnicity is None else float(ethnicity == "black")


def of_person(
    first: date, days: int, enrolled: int, sex: str | None, ethnicity: str | None, language: str, has_nights: bool
) -> Iterator[tuple[float, Prior]]:
    """Every way a subject may be that changes what readings mean, with its chance: expression of mood, direction of sleep."""
    male = {None: SHARE_MALE, "M": 1.0, "F": 0.0}[sex]
    earlier = float(norm.cdf(EARLIER_BELOW)) if has_nights else 0.0
    mean, variance = _traits(_is_black(ethnicity), language)
    start = stages(first, days, ethnicity is None)[max(enrolled - 1, 0)]
    steps = chain(first, days, ethnicity is None)
    expressions = ((1.0, 1 - male), (people.MOOD_EXPRESSION_MALE, male))
    for (expression, one), (direction, other) in product(expressions, ((1.0, 1 - earlier), (-1.0, earlier))):
        if one * other > 0:
            effects = evidence.weights(direction, expression)
            yield one * other, Prior(mean, variance, *strengths(), start, steps, evidence.loadings(), effects)


def _traits(black: float, language: str) -> tuple[Values, Values]:
    """Mean and variance of the personal traits before any reading; the bias of a sensor goes with the resting rate."""
    mean, variance = np.zeros(evidence.N_TRAITS), np.ones(evidence.N_TRAITS)
    misread = SHARE_BIASED_MODEL * black
    mean[evidence.RESTING_BPM] = people.SENSOR_BIAS_BPM * misread
    variance[evidence.RESTING_BPM] = 6.5**2 + people.SENSOR_BIAS_BPM**2 * misread * (1 - misread)
    mean[evidence.ANSWER_LOGIT] = 1.1 + people.OTHER_LANGUAGE_ANSWER_LOGIT * (language == "other")
    mean[evidence.WEAR_LOGIT] = 2.4
    variance[[evidence.ANSWER_LOGIT, evidence.WEAR_LOGIT]] = 0.7**2
    variance[evidence.STRESS] = STRESS_SD**2
    return mean, variance
