"""Clock times as angles: 23 h and 1 h average to 0 h, and lie two hours apart."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
HOURS = 24.0


def hand(hours: Values) -> tuple[Values, Values]:
    """East and north of the hand of a 24-hour clock; missing stays missing."""
    angle = hours * (2 * np.pi / HOURS)
    return np.cos(angle), np.sin(angle)


def mean(east: Values, north: Values) -> Values:
    """Clock time in hours, 0 to 24, of the mean of hands; missing where they cancel out."""
    hours: Values = np.arctan2(north, east) * (HOURS / (2 * np.pi)) % HOURS
    return np.where(np.hypot(east, north) > 1e-9, hours, np.nan)


def sd(east: Values, north: Values) -> Values:
    """Circular standard deviation in hours, sqrt(-2 ln R), R the length of the mean of hands."""
    length = np.clip(np.hypot(east, north), 1e-12, 1.0)
    deviation: Values = np.sqrt(np.abs(2 * np.log(length))) * (HOURS / (2 * np.pi))
    return deviation


def apart(hours: Values, centre: Values) -> Values:
    """How much later than the centre, -12 to 12 h."""
    distance: Values = (hours - centre + HOURS / 2) % HOURS - HOURS / 2
    return distance
