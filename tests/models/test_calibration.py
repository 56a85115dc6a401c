"""Calibration lines: one an interval, near each other where data are few."""

import numpy as np
import pytest
from scipy.special import expit

from models import calibration

ROWS = 60_000


def told(slopes: tuple[float, ...], intercepts: tuple[float, ...], rows: int = ROWS):
    """Log-odds, labels that follow the lines, and intervals."""
    rng = np.random.default_rng(1)
    interval = rng.integers(len(slopes), size=rows)
    margin = rng.normal(-2.0, 1.0, rows)
    label = rng.random(rows) < expit(np.array(slopes)[interval] * margin + np.array(intercepts)[interval])
    return margin, label.astype(float), interval


def test_each_interval_has_a_line_of_its_own():
    """Steep a week ahead, flat three weeks on; found again to a tenth."""
    slopes, intercepts = calibration.fit_lines(*told((1.4, 1.0, 0.6), (0.4, 0.0, -0.5)), 3)
    assert slopes == pytest.approx((1.4, 1.0, 0.6), abs=0.1)
    assert intercepts == pytest.approx((0.4, 0.0, -0.5), abs=0.2)


def test_alike_intervals_have_the_line_of_all():
    """What a single line finds."""
    margin, label, interval = told((1.2, 1.2), (0.3, 0.3))
    for found, of_all in zip(
        calibration.fit_lines(margin, label, interval, 2), calibration.fit_line(margin, label), strict=True
    ):
        assert found == pytest.approx((of_all, of_all), abs=0.1)


def test_few_rows_leave_lines_near_the_identity():
    """Of three rows nothing can be said."""
    slopes, intercepts = calibration.fit_lines(
        np.array([-1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0]), np.array([0, 1, 0]), 2
    )
    assert slopes == pytest.approx((1.0, 1.0), abs=0.6)
    assert np.ptp(intercepts) < 1


def test_an_interval_without_an_event_has_nearly_the_slope_of_all():
    """No event in it is no evidence of another slope; how far its risk falls is bounded."""
    margin, label, interval = told((1.0, 1.0), (0.0, 0.0))
    label[interval == 1] = 0
    slopes, intercepts = calibration.fit_lines(margin, label, interval, 2)
    assert np.isfinite([*slopes, *intercepts]).all()
    assert intercepts[1] < intercepts[0]


def test_what_ranks_wrongly_is_not_turned_around():
    """It is held flat: that it is of no use is for the controls and the gate to tell."""
    slopes, _ = calibration.fit_lines(*told((-1.0, 1.0), (0.0, 0.0)), 2)
    assert slopes[0] == calibration.FLATTEST
    assert slopes[1] == pytest.approx(1.0, abs=0.1)
