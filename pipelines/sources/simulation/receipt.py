"""When rows come in: most within hours of the sync after local midnight, some in the morning, some days late."""

import numpy as np
import pandas as pd

from pipelines.sources.simulation.clock import HOUR_US, Instants
from pipelines.sources.simulation.dice import Array, Dice
from pipelines.sources.simulation.rows import Group, Index

# Share of subject-days that a wearable syncs by the night, only in the next morning, or days later.
SYNCED_AT_NIGHT, SYNCED_IN_MORNING = 0.86, 0.10
# Unfairness: the registry of this site is slower.
REGISTRY_MEDIAN_H = {"north": 10.0, "south": 30.0}
REGISTRY_LATE = 0.03
DAY_S = 24 * 3600


def sync_at(g: Group) -> Instants:
    """The sync that brings each subject-day of the wearable, (n, days), in UTC microseconds after the day's end."""
    luck = Dice(g.seed, g.who.numbers, "sync").uniform(2, g.clock.days)
    at_night = 0.1 + 2.6 * luck[:, 1]
    in_morning = 5 + 6 * luck[:, 1]
    days_late = 24 * (1 + 5 * luck[:, 1] ** 2) + 1
    hours = np.where(luck[:, 0] < SYNCED_AT_NIGHT, at_night, in_morning)
    hours = np.where(luck[:, 0] < SYNCED_AT_NIGHT + SYNCED_IN_MORNING, hours, days_late)
    return g.clock.starts[:, 1:] + _whole_seconds(hours)


def answers_at(given: Instants, luck: Array) -> Instants:
    """Receipt of app answers: within minutes, but 4 % wait on a phone without network for up to four days."""
    hours = np.where(luck < 0.96, 0.02 + 0.2 * luck, 2 + 96 * (luck - 0.96) / 0.04)
    return given + _whole_seconds(hours)


def forms_at(given: Instants, luck: Array) -> Instants:
    """Receipt of questionnaires: within the hour, but 10 % are on paper and typed in days later."""
    hours = np.where(luck < 0.9, luck, 20 + 80 * (luck - 0.9) / 0.1)
    return given + _whole_seconds(hours)


def registry_at(occurred: Instants, site: Index, normal: Array, luck: Array) -> Instants:
    """Receipt of registry events: log-normal hours around the site's median, and 3 % one to four weeks late."""
    median = np.array(list(REGISTRY_MEDIAN_H.values()))[site]
    hours = median * np.exp(0.8 * normal) + np.where(luck < REGISTRY_LATE, 24 * (7 + 700 * luck), 0)
    return occurred + _whole_seconds(hours)


def days_later(received_at: pd.Series, luck: Array) -> pd.Series:
    """Receipt of a correction: one to four days after the row it corrects, in whole seconds."""
    seconds = np.rint((1 + 3 * luck.astype(np.float64)) * DAY_S).astype("timedelta64[s]")
    return received_at + seconds.astype("timedelta64[us]")


def _whole_seconds(hours: Array) -> Instants:
    return np.rint(np.asarray(hours, dtype=np.float64) * HOUR_US / 1_000_000).astype(np.int64) * 1_000_000
