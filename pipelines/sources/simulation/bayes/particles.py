"""Courses that a subject may have taken, weighted: what is carried from day to day, and how few of them stand for all.

A particle is one path of stages and illnesses. What is unknown beside it is integrated out: strength of signs and
susceptibility on grids, personal traits and everyday stress as one Gaussian whose covariance all particles share.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipelines.sources.simulation.answers import FORM_EVERY_DAYS
from pipelines.sources.simulation.bayes.evidence import N_TRAITS
from pipelines.sources.simulation.course import EPISODE, EPISODE_SHOWS_AT_LEAST, STAGE_LOAD

STAGES = 5
Values = NDArray[np.float64]
Codes = NDArray[np.int64]
STAGE_LOADS = STAGE_LOAD.astype(float)


class Particles(NamedTuple):
    """What is believed before each day; the first axis is the day, the second the particle.

    `share` is the weight; `strength` and `susceptibility` are weights over the grids, given the particle; `load` and the
    `past` 14 of it are by strength, as is the `mean` of the traits; `covariance` is by day only.
    """

    count: Codes  # type: ignore[assignment] # nobody counts in the tuple
    stage: Codes
    ill: Codes
    share: Values
    strength: Values
    susceptibility: Values
    load: Values
    past: Values
    mean: Values
    covariance: Values
    evidence: Values


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


@njit(nogil=True, error_model="numpy")
def empty(days, particles, strengths, susceptibilities):  # type: ignore[no-untyped-def]
    """Room for so many days."""
    shape = (days, particles)
    return Particles(
        np.zeros(days, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape),
        np.zeros((*shape, strengths)), np.zeros((*shape, susceptibilities)), np.zeros((*shape, strengths)),
        np.zeros((*shape, strengths, FORM_EVERY_DAYS)), np.zeros((*shape, strengths, N_TRAITS)),
        np.zeros((days, N_TRAITS, N_TRAITS)), np.zeros(days),
    )  # fmt: skip


@njit(nogil=True, error_model="numpy")
def shown(stage, strength):  # type: ignore[no-untyped-def]
    """The load that a stage tends to; an episode shows in everybody."""
    return STAGE_LOADS[stage] * (max(strength, EPISODE_SHOWS_AT_LEAST) if stage >= EPISODE else strength)


@njit(nogil=True, error_model="numpy")
def survivors(share, most, luck):  # type: ignore[no-untyped-def]
    """Which of the weighted children live on and with what weight: the heavy ones as they are, of the light ones a draw.

    The optimal thinning of Fearnhead and Clifford (2003): unbiased, and no child twice. `luck` is uniform in [0, 1).
    """
    if len(share) <= most:
        return np.arange(len(share)), share
    order = np.argsort(-share)
    rest, kept = share.sum(), 0
    while share[order[kept]] * (most - kept) > rest:
        rest -= share[order[kept]]
        kept += 1
    step = rest / (most - kept)
    chosen, weight = np.empty(most, np.int64), np.full(most, step)
    chosen[:kept], weight[:kept] = order[:kept], share[order[:kept]]
    mark, reached, last = step * luck, 0.0, kept
    for child in order[kept:]:
        reached += share[child]
        if reached > mark and last < most:
            chosen[last] = child
            last += 1
            mark += step
    return chosen[:last], weight[:last]


@njit(nogil=True, error_model="numpy")
def begin(beliefs, day, prior):  # type: ignore[no-untyped-def]
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
