"""Spread of movement over the day against scipy."""

from scipy.stats import entropy

from features import activity
from tests.references.figures import same
from tests.references.made_up import steps_per_hour


def test_the_entropy_of_a_day_is_scipys():
    """In nats, of hourly shares of steps; hours without a step add nothing."""
    days = steps_per_hour().reshape(-1, 24)
    days[:, 2:5] = 0
    assert activity.entropy(days) == same(entropy(days, axis=1))
