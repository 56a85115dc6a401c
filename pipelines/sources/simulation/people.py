"""Who the simulated subjects are: recorded attributes, personal baselines, and the unfairness built in.

Attributes act on what is *seen* of a person. Only a missing record of ethnicity goes with the hazard itself, for
such people tend to enter care in a crisis. Each unfairness is listed in `docs/simulated-cohort.md`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.sources.simulation.dice import Array, Dice

Codes = NDArray[np.int64]

SEXES = ("F", "M")
AGE_BANDS = ("18-29", "30-44", "45-59", "60+")
ETHNICITIES = ("white", "black", "asian", "other")
LANGUAGES = ("english", "other")
QUINTILES = ("1", "2", "3", "4", "5")
DEVICE_MODELS = ("Lumen 2", "Pacer S")
BIASED_MODEL = 1
NOT_RECORDED = -1

# Unfairness: device ownership falls with deprivation.
OWNERSHIP = np.array([0.95, 0.92, 0.86, 0.70, 0.55])
# Unfairness: share of events that reach the registry.
CAPTURE, CAPTURE_BLACK, CAPTURE_OTHER_LANGUAGE = 0.96, 0.65, 0.80
# Unfairness: men show about half of their low mood in questions.
MOOD_EXPRESSION_MALE = 0.5
# Unfairness: the app speaks English only (on the log-odds of an answer).
OTHER_LANGUAGE_ANSWER_LOGIT = -1.3
# Unfairness: one model's optical sensor reads wrong, and often nothing, on dark skin.
SENSOR_BIAS_BPM, SENSOR_DROPOUT, USUAL_DROPOUT = 6.0, 0.25, 0.03
# Unfairness: the young wear the device less at night.
NIGHT_WEAR, NIGHT_WEAR_YOUNG = 0.88, 0.62

SHARE_RESILIENT = 0.62
SHARE_WITHOUT_WARNING = 0.15


@dataclass(frozen=True)
class People:
    """One entry per subject in each array; codes index the tuples above, -1 means not recorded."""

    numbers: Codes
    site: Codes
    sex: Codes
    age_band: Codes
    ethnicity: Codes
    language: Codes
    quintile: Codes
    has_device: NDArray[np.bool_]
    device_model: Codes
    device_changes_at: Array
    wears_at_night: NDArray[np.bool_]
    susceptibility: Array
    warning_strength: Array
    mood_expression: Array
    registry_capture: Array
    sensor_bias_bpm: Array
    sensor_dropout: Array
    answer_logit: Array
    wear_logit: Array
    baselines: Array

    def __len__(self) -> int:
        return len(self.numbers)


def _pick(uniform: Array, shares: tuple[float, ...]) -> Codes:
    return np.searchsorted(np.cumsum(shares)[:-1], uniform, side="right").astype(np.int64)


def people(seed: int, numbers: Codes) -> People:
    """Draw the subjects of these numbers.

    `susceptibility` is the daily chance of slipping from stable into a prodrome; `warning_strength` scales what a
    prodrome shows (0: nothing); `baselines` (n, 16) are standard normal personal levels, one column per trait.
    """
    dice = Dice(seed, numbers, "person")
    u, z = dice.uniform(20), dice.normal(4)
    ethnicity = _pick(u[:, 2], (0.60, 0.20, 0.15, 0.05))
    quintile = np.minimum((u[:, 3] ** np.where(ethnicity == 0, 1.15, 0.7) * 5).astype(np.int64), 4)
    language = (u[:, 4] < np.where(ethnicity == 2, 0.35, 0.10)).astype(np.int64)
    age_band, sex = _pick(u[:, 1], (0.22, 0.31, 0.29, 0.18)), _pick(u[:, 0], (0.56, 0.44))
    model, is_unrecorded = (u[:, 6] < 0.4).astype(np.int64), u[:, 7] < 0.09
    is_misread = (ethnicity == 1) & (model == BIASED_MODEL)
    return People(
        numbers=numbers,
        site=(u[:, 5] >= 0.55).astype(np.int64),
        sex=np.where(u[:, 8] < 0.04, NOT_RECORDED, sex),
        age_band=age_band,
        ethnicity=np.where(is_unrecorded, NOT_RECORDED, ethnicity),
        language=language,
        quintile=np.where(u[:, 9] < 0.05, NOT_RECORDED, quintile),
        has_device=u[:, 10] < OWNERSHIP[quintile],
        device_model=model,
        device_changes_at=np.where(u[:, 11] < 0.08, u[:, 12], 2).astype(np.float32),
        wears_at_night=u[:, 13] < np.where(age_band == 0, NIGHT_WEAR_YOUNG, NIGHT_WEAR),
        susceptibility=daily_slip(u[:, 14], z[:, 0], is_unrecorded),
        warning_strength=strength_of_signs(u[:, 15], z[:, 1]),
        mood_expression=np.where(sex == 1, MOOD_EXPRESSION_MALE, 1).astype(np.float32),
        registry_capture=capture(ethnicity, language),
        sensor_bias_bpm=np.where(is_misread, SENSOR_BIAS_BPM, 0).astype(np.float32),
        sensor_dropout=np.where(is_misread, SENSOR_DROPOUT, USUAL_DROPOUT).astype(np.float32),
        answer_logit=(1.1 + 0.7 * z[:, 2] + OTHER_LANGUAGE_ANSWER_LOGIT * language).astype(np.float32),
        wear_logit=(2.4 + 0.7 * z[:, 3]).astype(np.float32),
        baselines=dice.normal(16),
    )


def daily_slip(uniform: Array, normal: Array, is_unrecorded: NDArray[np.bool_]) -> Array:
    """The daily chance of slipping, by a draw that says who is prone and a normal one that says how much."""
    prone = 0.0140 * np.exp(0.55 * normal) * np.where(is_unrecorded, 1.3, 1.0)
    return np.minimum(np.where(uniform < SHARE_RESILIENT, 0.0005, prone), 0.05).astype(np.float32)


def strength_of_signs(uniform: Array, normal: Array) -> Array:
    """What a prodrome shows, by a draw that says whether anything and a normal one that says how much."""
    strength = np.clip(np.exp(0.35 * normal), 0.4, 2.0)
    return np.where(uniform < SHARE_WITHOUT_WARNING, 0, strength).astype(np.float32)


def capture(ethnicity: Codes, language: Codes) -> Array:
    """Share of a subject's events that reach the registry."""
    share = np.where(ethnicity == 1, CAPTURE_BLACK, CAPTURE) * np.where(language == 1, CAPTURE_OTHER_LANGUAGE, 1)
    return share.astype(np.float32)
