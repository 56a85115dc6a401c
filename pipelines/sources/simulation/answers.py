"""What subjects say: three prompts a day with three items each, and a PHQ-9 every two weeks."""

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from pipelines.sources.simulation import dirt, receipt
from pipelines.sources.simulation.clock import MINUTE_US
from pipelines.sources.simulation.dice import Array, Dice
from pipelines.sources.simulation.rows import Group, frame, instants, text

PROMPT_HOURS = np.array([9.5, 14.5, 20.0], dtype=np.float32)
# item: level on the 1..7 scale, and how it moves with the day's mood.
ITEMS = {"mood": (4.6, 1.0), "anxiety": (2.9, -0.85), "energy": (4.2, 0.75)}
SCALE = (1.0, 7.0)
# Within a day answers scatter, and more so in a prodrome.
SCATTER, SCATTER_MORE = 0.6, 0.45
FORM_EVERY_DAYS = 14
FORM_COMPLETED = 0.86
PHQ_LEVEL, PHQ_SD, PHQ_RISE = 6.0, 3.0, 8.5


def mood(g: Group) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `mood`, and their later corrections."""
    n, days = g.shape
    dice, prompts = Dice(g.seed, g.who.numbers, "mood"), len(PROMPT_HOURS)
    is_answered = dice.uniform(days, prompts) < g.daily.answer_chance[:, :, None]
    values = _values(g, dice)
    # A prompt comes within the hour, its answer about twelve minutes later.
    asked_h = PROMPT_HOURS + dice.uniform(days, prompts)
    delay_h = -0.2 * np.log(1 - dice.uniform(days, prompts))
    receipt_luck, luck = dice.uniform(days, prompts), dice.uniform(days, prompts, len(ITEMS))
    subject, day, prompt = np.nonzero(is_answered)
    asked = g.clock.at(subject, day, asked_h[is_answered])
    given = asked + g.clock.at(subject, day, delay_h[is_answered]) - g.clock.starts[subject, day]
    received = receipt.answers_at(given, receipt_luck[is_answered])
    offset = g.clock.offset_min(subject, given)
    items, rows = len(ITEMS), len(subject)
    columns: dict[str, object] = {
        "answered_at": instants(given.repeat(items)),
        "item": text(list(ITEMS), np.tile(np.arange(items), rows)),
        "value": values[is_answered].reshape(-1).astype(np.float64),
        "scale_min": np.full(rows * items, SCALE[0]),
        "scale_max": np.full(rows * items, SCALE[1]),
        "prompted_at": instants(asked.repeat(items)),
        "utc_offset_min": offset.repeat(items),
    }
    sent = frame(g, subject.repeat(items), "app", received.repeat(items), columns)
    times = ("answered_at", "prompted_at")
    return dirt.traffic(g, sent, luck[is_answered].reshape(-1), times, _off_scale, _one_point_nearer)


def _values(g: Group, dice: Dice) -> Array:
    """Answers on the scale, (n, days, prompts, items), whole points."""
    days, prompts = g.clock.days, len(PROMPT_HOURS)
    scatter = SCATTER + SCATTER_MORE * np.maximum(g.daily.signal, 0)
    felt = g.daily.mood[:, :, None] + scatter[:, :, None] * dice.normal(days, prompts)
    level, slope = (np.array(part, dtype=np.float32) for part in zip(*ITEMS.values(), strict=True))
    personal = 0.5 * g.who.baselines[:, None, None, 8 : 8 + len(ITEMS)]
    answers = level + personal + slope * felt[..., None] + 0.4 * dice.normal(days, prompts, len(ITEMS))
    return np.clip(np.rint(answers), *SCALE)


def _off_scale(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(value=70.0)


def _one_point_nearer(rows: pd.DataFrame) -> pd.DataFrame:
    """A subject mends a slip of the finger, one point towards the middle."""
    return rows.assign(value=rows["value"] - np.where(rows["value"] > 4, 1, -1))


def assessments(g: Group) -> tuple[pd.DataFrame, pd.DataFrame]:
    """PHQ-9 scores that follow the last two weeks, and their later corrections."""
    n, days = g.shape
    dice = Dice(g.seed, g.who.numbers, "phq")
    luck, noise = dice.uniform(5, days), dice.normal(days)
    phase = (dice.uniform(1) * FORM_EVERY_DAYS).astype(np.int64)
    is_due = (np.arange(days)[None, :] + phase) % FORM_EVERY_DAYS == 0
    is_done = is_due & g.life.is_seen & (luck[:, 0] < FORM_COMPLETED - 0.1 * np.clip(g.life.load, 0, 1))
    expression = np.sqrt(g.who.mood_expression)[:, None]
    recent = lfilter(np.full(FORM_EVERY_DAYS, 1 / FORM_EVERY_DAYS), [1], g.daily.signal, axis=1)
    level = np.maximum(PHQ_LEVEL + PHQ_SD * g.who.baselines[:, 11:12] - g.who.baselines[:, 7:8], 1)
    score = np.clip(np.rint(level + PHQ_RISE * expression * recent + 1.6 * noise), 0, 27)
    subject, day = np.nonzero(is_done)
    given = g.clock.at(subject, day, 8 + 13 * luck[:, 1][is_done])
    received = receipt.forms_at(given, luck[:, 2][is_done])
    columns: dict[str, object] = {
        "completed_at": instants(given // MINUTE_US * MINUTE_US),
        "instrument": text(["phq_9"], np.zeros(len(subject), dtype=np.int64)),
        "score": score[is_done].astype(np.float64),
        "utc_offset_min": g.clock.offset_min(subject, given),
    }
    sent = frame(g, subject, "clinic", received, columns)
    return dirt.traffic(g, sent, luck[:, 3][is_done], ("completed_at",), _impossible_score, _added_up_again)


def _impossible_score(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(score=999.0)


def _added_up_again(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(score=np.clip(rows["score"] + 1, 0, 27))
