"""Days on which a level jumps by what two units differ by: lb and kg, seconds and minutes. Compiled, for every level is looked at."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.baseline import MAD_TO_SD
from features.change_limits import (
    LEVEL_DAYS_AFTER,
    LEVEL_DAYS_BEFORE,
    LEVEL_LEAST_SPREAD,
    UNIT_FACTOR_TOLERANCE,
    UNIT_FACTORS,
    UNIT_FEWEST_DEVIATIONS,
)

Values = NDArray[np.float64]
Places = NDArray[np.int64]
WIDTH = LEVEL_DAYS_BEFORE + LEVEL_DAYS_AFTER
LEAST = (MAD_TO_SD, UNIT_FACTOR_TOLERANCE, LEVEL_LEAST_SPREAD, UNIT_FEWEST_DEVIATIONS)


def unit_jumps(values: Values, group: Places) -> Places:
    """First rows of windows of `WIDTH` after whose first two weeks a level jumps by a unit, far outside its own spread, and stays.

    Args:
        values: above 0, in the order of their days, group by group.
        group: of which subject (and measure) each is.
    """
    if len(values) < WIDTH:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(
        _are_jumps(np.log(values), group, np.log(UNIT_FACTORS), (LEVEL_DAYS_BEFORE, LEVEL_DAYS_AFTER), LEAST)
    )


@njit(cache=True, nogil=True)
def _median(values):  # type: ignore[no-untyped-def]
    """Of an even number of values, which are sorted in place."""
    for i in range(1, len(values)):
        value, j = values[i], i - 1
        while j >= 0 and values[j] > value:
            values[j + 1] = values[j]
            j -= 1
        values[j + 1] = value
    half = len(values) // 2
    return (values[half - 1] + values[half]) / 2


@njit(cache=True, nogil=True)
def _are_jumps(logs, group, factors, days, least):  # type: ignore[no-untyped-def]
    # Numbers are handed in: what is compiled and kept on disk would go on with old ones.
    n_before, n_after = days
    mad_to_sd, tolerance, least_spread, deviations = least
    width = n_before + n_after
    n = len(logs) - width + 1
    found = np.zeros(n, dtype=np.bool_)
    before, after = np.empty(n_before), np.empty(n_after)
    for i in range(n):
        if group[i] != group[i + width - 1]:
            continue
        before[:] = logs[i : i + n_before]
        usual = _median(before)
        after[:] = logs[i + n_before : i + width] - usual
        smallest = np.abs(after).min()
        jump = abs(_median(after))
        # The cheap conditions first: nearly no window goes on from here.
        if not smallest > jump / 2 or not abs(logs[i + n_before - 1] - usual) < jump / 2:
            continue
        before[:] = np.abs(before - usual)
        spread = max(mad_to_sd * _median(before), least_spread)
        is_unit = np.abs(jump - factors).min() <= max(tolerance, spread)
        found[i] = is_unit and jump >= deviations * spread
    return found
