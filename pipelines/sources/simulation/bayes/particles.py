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

Values = NDArray[np.float64]
Codes = NDArray[np.int64]
STAGE_LOADS = STAGE_LOAD.astype(float)


class Particles(NamedTuple):
    """What is believed before each day; the first axis is the day, the second the particle.

    `share` is the weight; `strength` and `susceptibility` are weights over the grids, given the particle; `load` and the
    `past` 14 of it are by strength, as is the `mean` of the traits; `covariance` is by day only.
    """

    count: Codes
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


@njit(nogil=True, cache=True)
def empty(days, particles, strengths, susceptibilities):  # type: ignore[no-untyped-def]
    """Room for so many days."""
    shape = (days, particles)
    return Particles(
        np.zeros(days, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape),
        np.zeros((*shape, strengths)), np.zeros((*shape, susceptibilities)), np.zeros((*shape, strengths)),
        np.zeros((*shape, strengths, FORM_EVERY_DAYS)), np.zeros((*shape, strengths, N_TRAITS)),
        np.zeros((days, N_TRAITS, N_TRAITS)), np.zeros(days),
    )  # fmt: skip


@njit(nogil=True, cache=True)
def shown(stage, strength):  # type: ignore[no-untyped-def]
    """The load that a stage tends to; an episode shows in everybody."""
    return STAGE_LOADS[stage] * (max(strength, EPISODE_SHOWS_AT_LEAST) if stage >= EPISODE else strength)


@njit(nogil=True, cache=True)
def survivors(share, most):  # type: ignore[no-untyped-def]
    """Which of the weighted children live on and with what weight: the heavy ones as they are, of the light ones a draw.

    The optimal thinning of Fearnhead and Clifford (2003): unbiased, and no child twice.
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
    mark, reached, last = step * np.random.random(), 0.0, kept
    for child in order[kept:]:
        reached += share[child]
        if reached > mark and last < most:
            chosen[last] = child
            last += 1
            mark += step
    return chosen[:last], weight[:last]
