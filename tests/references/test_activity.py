"""Spread of movement over the day and bouts of rest against scipy and pyActigraphy."""

import numpy as np
from scipy.ndimage import label
from scipy.stats import entropy

from features import activity
from tests.references.figures import same, shown
from tests.references.made_up import steps_per_hour


def bouts(seed: int = 8) -> np.ndarray:
    """Minutes of one day, 1 with steps and 0 without: sleep to 7 h, then rests of 12 minutes on average, movement of 4."""
    draws = np.random.default_rng(seed).random(1440)
    minutes = np.zeros(1440)
    for minute in range(420, 1440):
        ends = draws[minute] < (1 / 4 if minutes[minute - 1] else 1 / 12)
        minutes[minute] = minutes[minute - 1] != ends
    return minutes


def bits(minutes: np.ndarray) -> np.ndarray:
    """Minutes of one day as Foretide keeps them: of each hour one word, whose bit m is its minute m."""
    return (minutes.reshape(1, 24, 60).astype(np.uint64) << np.arange(60, dtype=np.uint64)).sum(axis=2, dtype=np.uint64)


def test_the_entropy_of_a_day_is_scipys():
    """In nats, of hourly shares of steps; hours without a step add nothing."""
    days = steps_per_hour().reshape(-1, 24)
    days[:, 2:5] = 0
    assert activity.entropy(days) == same(entropy(days, axis=1))


def test_bouts_of_rest_are_those_that_scipy_labels():
    """Mean and longest run of minutes without a step."""
    still = bouts() == 0
    lengths = np.bincount(label(still)[0])[1:]
    assert activity.mean_run(bits(still))[0] == same(lengths.mean())
    assert activity.longest_run(bits(still))[0] == same(lengths.max())


def test_pyactigraphy_takes_transition_rates_from_where_they_are_steady(ask):
    """Deviation: of a day with 7 h of sleep its kRA is 0.1101 and ours 0.0621.

    It averages over the lengths of bouts at which a smoothed rate is steady (Lim 2011), which leaves long rests out. Ours is
    the rate over all minutes, 1 / mean bout (Di 2017).
    """
    minutes = bouts()
    active, still = bits(minutes == 1), bits(minutes == 0)
    theirs = ask("rest_to_active", values=minutes)
    assert (theirs, activity.transition_rate(still, active)[0]) == shown(0.1101, 0.0621)
