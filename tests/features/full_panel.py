"""A day panel in which every column of the catalogue has a plausible value on every day."""

import numpy as np
import pandas as pd

from features import mood, regularity
from features.catalog import STANDARD
from features.measures import HAS_DATA, SINCE_RECEIPT, WEEKDAY

N_DAYS = 200
DATES = pd.date_range("2026-01-01", periods=N_DAYS, freq="D", unit="us")


def full_panel() -> pd.DataFrame:
    """200 plausible days of one subject in which every column varies."""
    rng = np.random.default_rng(1)
    keys = pd.DataFrame({"subject_id": "ann", "local_date": DATES, "known_on": DATES + pd.Timedelta(days=1)})
    measured = {measure.name: rng.uniform(0.2, 0.8, N_DAYS) for measure in STANDARD.measures}
    asked = dict.fromkeys(column for pattern in STANDARD.patterns for column in pattern.columns)
    hours = {column: 40 + 30 * rng.random(N_DAYS) for column in asked if column not in measured}
    answers = rng.uniform(0, 1, (N_DAYS, 5))
    before, after = answers[:, :-1], answers[:, 1:]
    sums = (np.full(N_DAYS, 4.0), *(part.sum(axis=1) for part in (before, after, before**2, before * after)))
    began = DATES.to_numpy().astype("datetime64[m]").astype(np.int64) - 60 + rng.normal(0, 30, N_DAYS)
    ended = began + 480 + rng.normal(0, 30, N_DAYS)
    clock = {name: minutes % 1440 / 60 for name, minutes in (
        ("sleep_onset", began), ("sleep_offset", ended), ("sleep_midpoint", (began + ended) / 2))}  # fmt: skip
    values = {**measured, **hours, **dict(zip(mood.PAIR_COLUMNS, sums, strict=True)), **clock}
    made_up = (WEEKDAY, HAS_DATA, SINCE_RECEIPT, *regularity.STATE_COLUMNS)
    states = regularity.states(keys.assign(began=began, ended=ended)).reset_index(drop=True)
    columns = pd.DataFrame({name: column for name, column in values.items() if name not in made_up})
    return pd.concat([keys, columns, states], axis=1)
