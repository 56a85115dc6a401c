"""Mood answers: level, spread, instability and latency, each item on its own scale from 0 to 1."""

import numpy as np
import pandas as pd

from features.measures import LEVEL, TREND, Measure

# Items with measures of their own; others count as answers only.
ITEMS = (
    "mood", "energy", "anxiety", "irritability", "positive_mood", "negative_mood", "positive_energy",
    "negative_energy", "happy", "sad", "tense", "tired", "rested",
)  # fmt: skip
# The item that stands for mood as a whole: the first of these that was answered.
VALENCE = ("mood", "positive_mood", "happy")

MEASURES = (
    Measure("mood_valence", "share of scale", "overall mood", "mean of the day's answers, scaled to 0..1",
            "Jahng 2008", (*TREND, "rmssd_28d", "last")),
    Measure("mood_swing", "share of scale", "mood swings within the day",
            "root mean square of successive differences within the day", "Jahng 2008", LEVEL),
    Measure("mood_latency", "min", "time taken to answer", "median minutes from prompt to answer", "", LEVEL),
    *(Measure(f"mood_{item}", "share of scale", f"the answers on {item.replace('_', ' ')}",
              "mean of the day's answers, scaled to 0..1", "Jahng 2008", ("mean_7d", "mean_28d", "z_7d"))
      for item in ITEMS),
)  # fmt: skip

# Rows of the day panel need: local_date, known_on, item, level (0..1), minutes_to_answer, answered_at.
ROWS_SQL = """
    item, (value - scale_min) / nullif(scale_max - scale_min, 0) AS level, answered_at,
    (epoch_us(answered_at) - epoch_us(prompted_at)) / 60000000.0 AS minutes_to_answer"""


def daily(rows: pd.DataFrame) -> pd.DataFrame:
    """One row per subject, local day and version, from single answers; days without an answer have no row."""
    key = ["subject_id", "local_date", "known_on"]
    rows = rows.sort_values([*key, "item", "answered_at"], kind="stable")
    levels = rows.groupby([*key, "item"])["level"].mean().unstack("item")
    result = levels.reindex(columns=list(ITEMS)).add_prefix("mood_")
    result["mood_valence"] = levels.reindex(columns=list(VALENCE)).bfill(axis=1).iloc[:, 0]
    step = rows.groupby([*key, "item"])["level"].diff()
    main = rows["item"].isin(VALENCE)
    mean_square = (step[main] ** 2).groupby([rows.loc[main, name] for name in key]).mean()
    result["mood_swing"] = np.sqrt(mean_square)
    result["mood_latency"] = rows.groupby(key)["minutes_to_answer"].median()
    result["adherence_answers"] = rows.groupby(key).size().astype(float)
    return result.reset_index()
