"""Cohorts of made-up people with scores, labels and groups whose truth is known: for tests and benchmarks of the audit.

Whoever has an event shows signs for a fortnight before it, some loudly and some hardly; the score hears them, but less of
those of the group "deaf". Groups of attribute `size` differ in nothing but how many they are.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

HORIZON_DAYS = 14
DAYS = 12


@dataclass(frozen=True)
class Made:
    """How a cohort is made: subjects of each level of `size`, by their name; chance of an event; how much is heard."""

    sizes: dict[str, int]
    event_chance: float = 0.2
    signal: float = 2.0
    signal_of_deaf: float = 2.0
    days: int = DAYS


def cohort(of: Made, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores by subject and night at two sites, and attributes: `size`, `hearing` (heard or deaf), as drawn by the seed.

    Nobody of the level "none" has an event.
    """
    rng = np.random.default_rng(seed)
    size = np.repeat([*of.sizes], [*of.sizes.values()])
    n = len(size)
    is_deaf, site = rng.random(n) < 0.5, np.where(rng.random(n) < 0.5, "north", "south")
    has_event = (rng.random(n) < of.event_chance) & (size != "none")
    onset = np.where(has_event, rng.integers(1, of.days + HORIZON_DAYS, n), 10_000)
    loudness = rng.gamma(2.0, 0.5, n) * np.where(is_deaf, of.signal_of_deaf, of.signal)
    who, day = np.repeat(np.arange(n), of.days), np.tile(np.arange(of.days), n)
    ahead = onset[who] - day
    label = ((ahead >= 1) & (ahead <= HORIZON_DAYS)).astype(int)
    score = -3 + rng.normal(0, 0.7, n)[who] + rng.normal(0, 0.8, len(who)) + label * loudness[who]
    names = np.char.add("p", np.arange(n).astype(str))
    scored = pd.DataFrame({
        "subject_id": names[who], "index_date": pd.Timestamp("2026-01-01") + pd.to_timedelta(day, unit="D"), "site": site[who],
        "probability": 1 / (1 + np.exp(-score)), "label": label, "days_to_event": np.where(label, ahead, np.nan),
        "days_since_event": np.where(ahead <= 0, -ahead, np.nan),
    })  # fmt: skip
    hearing = np.where(is_deaf, "deaf", "heard")
    return scored[ahead >= 1].reset_index(drop=True), pd.DataFrame(
        {"subject_id": names, "size": size, "hearing": hearing}
    )
