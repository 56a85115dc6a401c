"""What the day panel says of a simulated subject's hidden signal: readings that are linear in it and in personal traits.

A reading is `offset(date) + traits + weight * signal + noise`, by the formulae of `rhythms`, `nights` and `answers`, the
vendor's daily summaries included. Days told by minutes are not read as such: the filter is for `minute_days: 0`.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.sources.simulation import answers, nights, rhythms
from pipelines.sources.simulation.course import season

Values = NDArray[np.float64]

READINGS = ("asleep", "middle", "efficiency", "steps", "resting", "hrv", "mood", "anxiety", "energy", "worn", "phq")
ASLEEP, MIDDLE, EFFICIENCY, STEPS, RESTING, HRV, MOOD, ANXIETY, ENERGY, WORN, PHQ = range(11)
# Willingness to answer and to wear the device are read from what came, on their log-odds.
ANSWERING, WEARING, N_READINGS = 11, 12, 13
TRAITS = (
    "asleep", "middle", "steps", "weekend_steps", "resting_bpm", "hrv", "felt", "mood", "anxiety", "energy", "phq",
    "answer_logit", "wear_logit", "stress",
)  # fmt: skip
RESTING_BPM, ANSWER_LOGIT, WEAR_LOGIT, STRESS, N_TRAITS = 4, 11, 12, 13, 14
# A night lasts longer than any nap: a day with a nap alone tells of no night.
SHORTEST_NIGHT_H = 2.0
# Both rates of the vendor measure one heart: weights by the variance of their noise, rounding included.
RESTING_NOISE, MEAN_RATE_NOISE = 0.6**2 + 1 / 12, 1 + 1 / 12
ROUNDING = 1 / 12
WEEKEND_STEPS = 0.15


def readings(panel: pd.DataFrame) -> Values:
    """Readings of each version of a subject-day less what the date explains, (n_rows, 11), NaN where there is none."""
    date = pd.DatetimeIndex(panel["local_date"])
    day = (date - date.min()).days.to_numpy()
    weekend, winter = (
        (date.day_of_week >= 5).astype(float),
        season(date.min(), int(day.max()) + 1)[0][day].astype(float),
    )
    of = {name: panel[name].to_numpy(dtype=float) if name in panel else np.full(len(panel), np.nan) for name in COLUMNS}
    result = np.full((len(panel), len(READINGS)), np.nan)
    _sleep(result, of, weekend, winter)
    _wearable(result, of, winter)
    felt = 0.1 * weekend - 0.15 * winter
    for place, (item, (level, slope)) in enumerate(answers.ITEMS.items()):
        low, high = answers.SCALE
        result[:, MOOD + place] = low + (high - low) * of[f"mood_{item}"] - level - slope * felt
    result[:, PHQ] = of["mood_phq_9"] - answers.PHQ_LEVEL
    return result


COLUMNS = (
    "sleep_onset", "sleep_offset", "sleep_efficiency", "activity_steps", "adherence_wear_minutes", "heart_resting",
    "heart_mean", "heart_hrv", "mood_mood", "mood_anxiety", "mood_energy", "mood_phq_9", "adherence_answers",
)  # fmt: skip


def _sleep(result: Values, of: dict[str, Values], weekend: Values, winter: Values) -> None:
    in_bed = (of["sleep_offset"] - of["sleep_onset"]) % 24
    in_bed[in_bed < SHORTEST_NIGHT_H] = np.nan
    # From noon to noon, so that a middle before midnight is a little less than 0.
    middle = (of["sleep_onset"] + in_bed / 2 + 12) % 24 - 12
    result[:, ASLEEP] = in_bed * of["sleep_efficiency"] - 7.1 - 0.5 * weekend - 0.15 * winter
    result[:, MIDDLE] = middle - 3.4 - 0.6 * weekend
    result[:, EFFICIENCY] = of["sleep_efficiency"] - 0.9


def _wearable(result: Values, of: dict[str, Values], winter: Values) -> None:
    worn = of["adherence_wear_minutes"] / 1440
    activity = np.maximum(of["activity_steps"], 1)
    result[:, STEPS] = np.log(activity / np.minimum(1, 0.35 + 0.7 * worn)) - np.log(6800) + 0.08 * winter
    by_mean = of["heart_mean"] - 9 - activity / 2500
    resting = of["heart_resting"]
    both = (resting / RESTING_NOISE + by_mean / MEAN_RATE_NOISE) / (1 / RESTING_NOISE + 1 / MEAN_RATE_NOISE)
    result[:, RESTING] = np.where(np.isnan(both), resting, both) - 62 - 0.8 * winter
    result[:, HRV] = np.log(np.maximum(of["heart_hrv"], 1)) - np.log(38)
    # Who takes the device off at night has a share of the day so small that nobody else has it.
    is_day_only = worn < nights.DAY_ONLY_SHARE * 1.02
    result[:, WORN] = worn / np.where(is_day_only, nights.DAY_ONLY_SHARE, 1) - 0.93


def weights(direction: float, expression: float) -> Values:
    """What one unit of signal, of illness, and of the signal's mean over 14 days adds to each reading, (3, 13)."""
    result = np.zeros((3, N_READINGS))
    result[0, [ASLEEP, MIDDLE, EFFICIENCY, STEPS]] = (
        -rhythms.SLEEP_SHORTER_H, direction * rhythms.SLEEP_SHIFT_H, -0.04, rhythms.STEPS_LOG,
    )  # fmt: skip
    result[0, [RESTING, HRV, WORN]] = rhythms.RESTING_HR_BPM, rhythms.HRV_LOG, -0.08
    result[0, [ANSWERING, WEARING]] = rhythms.ANSWER_LOGIT, rhythms.WEAR_LOGIT
    result[0, MOOD : ENERGY + 1] = [-rhythms.MOOD_POINTS * expression * slope for _, slope in answers.ITEMS.values()]
    result[1, [STEPS, RESTING]] = -0.5, 5
    result[2, PHQ] = answers.PHQ_RISE * np.sqrt(expression)
    return result


def loadings() -> Values:
    """How much of each trait is in each reading, (13, 14); the weekend's steps and the stress are added day by day."""
    result = np.zeros((N_READINGS, N_TRAITS))
    result[[ASLEEP, MIDDLE, STEPS, RESTING, HRV], [0, 1, 2, 4, 5]] = 0.6, 0.8, 0.38, 1, 0.35
    for place, (_, slope) in enumerate(answers.ITEMS.values()):
        result[MOOD + place, 6], result[MOOD + place, 7 + place] = 0.7 * slope, 0.5
    result[PHQ, [10, 6]] = answers.PHQ_SD, -1
    result[ANSWERING, ANSWER_LOGIT] = result[WEARING, WEAR_LOGIT] = 1
    return result
