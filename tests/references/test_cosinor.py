"""Cosinor of hourly values against least squares by statsmodels and against pyActigraphy."""

import numpy as np
import pytest
import statsmodels.api as sm

from features import circadian
from tests.references.figures import same, shown
from tests.references.made_up import as_days, steps_per_hour, with_gaps


def ours(hours: np.ndarray) -> tuple[float, float, float]:
    """Our mesor, amplitude and acrophase in hours."""
    mesor, amplitude, acrophase = circadian.cosinor(as_days(hours))
    return mesor[0], amplitude[0], acrophase[0]


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_the_cosine_is_that_of_least_squares(share):
    """statsmodels fits a level, a cosine and a sine to the same valid hours, each at its middle."""
    hours = with_gaps(steps_per_hour(), share)
    turns = 2 * np.pi * (np.arange(len(hours)) % 24 + 0.5) / 24
    basis = sm.add_constant(np.column_stack([np.cos(turns), np.sin(turns)]))
    level, east, north = sm.OLS(hours, basis, missing="drop").fit().params
    peak = np.arctan2(north, east) * 24 / (2 * np.pi) % 24
    assert ours(hours) == same((level, np.hypot(east, north), peak))


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_pyactigraphy_fits_the_same_mesor_and_amplitude(ask, share):
    """With its period held at a day; its search stops where the sum of squares no longer falls."""
    hours = with_gaps(steps_per_hour(), share)
    theirs = ask("cosinor", values=hours, minutes=60)
    assert ours(hours)[:2] == same((theirs["Mesor"], theirs["Amplitude"]))


def test_pyactigraphy_places_an_hour_at_its_beginning(ask):
    """Deviation: its phase of 2.0994 rad is a peak at 15.9810 h, ours is at 16.4810 h.

    Steps of 15 to 16 h were taken around half past 15, so that ours is half an hour later; and a clock time, not an angle.
    """
    hours = steps_per_hour()
    phase = ask("cosinor", values=hours, minutes=60)["Acrophase"]
    peak = -phase * 24 / (2 * np.pi) % 24
    assert (peak, ours(hours)[2]) == shown(15.9810, 16.4810)
    assert ours(hours)[2] - 0.5 == same(peak)


def test_pyactigraphy_fits_the_length_of_the_day_too(ask):
    """Deviation: of days that drift by a quarter of an hour theirs finds a swing of 300.0 unless its period is held, ours 289.2307.

    Ours holds the 24 h that people live by: a rhythm that leaves them is a weak one, not a strong one of another length.
    """
    hours = 400 + 300 * np.cos(2 * np.pi * np.arange(14 * 24) / 24.25)
    theirs = ask("cosinor", values=hours, minutes=60, fits_period=True)
    assert theirs["Period"] == same(24.25)
    assert (theirs["Amplitude"], ours(hours)[1]) == shown(300.0, 289.2307)
