"""Any further number a day: declared signals, and daily figures of vendors that no measure uses."""

import re
from collections.abc import Container, Iterable, Mapping

import numpy as np
import pandas as pd

from features.errors import FeaturesError
from features.measures import Measure
from features.tables import ATTRIBUTE_NAME, DAILY_METRICS

# Vendor's daily metric -> measure and factor; a vendor's figure stands in only where no minutes give the measure.
VENDOR = {
    "steps": ("activity_steps", 1.0), "active_minutes": ("activity_brisk_minutes", 1.0),
    "sedentary_minutes": ("activity_sedentary_share", 1 / 1440), "resting_heart_rate": ("heart_resting", 1.0),
    "heart_rate_mean": ("heart_mean", 1.0), "heart_rate_max": ("heart_max", 1.0),
    "heart_rate_variance": ("heart_variance", 1.0), "hrv_rmssd": ("heart_hrv", 1.0),
    "worn_minutes": ("adherence_wear_minutes", 1.0), "minutes_asleep": ("sleep_duration", 1.0),
    "minutes_awake": ("sleep_waso", 1.0), "sleep_efficiency": ("sleep_efficiency", 0.01),
}  # fmt: skip
# What a vendor gives without a sign of being worn on days on which nobody wore the device: zeros, and a day of rest.
MOVEMENT = (
    "steps",
    "active_minutes",
    "exercise_minutes",
    "sedentary_minutes",
    *(m for m in DAILY_METRICS if "heart_zone_" in m),
)
PULSE = tuple(m for m in DAILY_METRICS if m.startswith(("heart_rate_", "resting_heart_rate", "hrv_", "heart_zone_")))
MINUTES_PER_DAY = 1440
DEFAULT = ("mean_7d", "z_7d")
# What the panel's columns of signals begin with.
SIGNAL = "signals_"


def measure(name: str, unit: str, usual_spread: float | None = None) -> Measure:
    """The measure of a declared signal: the median of its values of a day."""
    spread = np.nan if usual_spread is None else usual_spread
    return Measure(f"{SIGNAL}{name}", unit or "1", name.replace("_", " "), "median of the day's values",
                   "declared by the site", DEFAULT, usual_spread=spread, stream="signals")  # fmt: skip


def of_the_worn(wide: pd.DataFrame) -> pd.DataFrame:
    """A vendor's figures by metric, without those of movement on days on which the device was not worn.

    It was not where the vendor counts no worn minute; or tells of none, and gives no step, no active or exercising minute, no
    pulse, and nothing less than a whole day of sitting: a flat battery is no calm day.

    Args:
        wide: one row per day and version, one column per metric that is given, NaN where it is not.
    """

    def given(metrics: Iterable[str]) -> pd.Series:
        return (wide.reindex(columns=list(metrics)) > 0).any(axis=1)

    worn = wide.reindex(columns=["worn_minutes"])["worn_minutes"]
    has_sat = wide.reindex(columns=["sedentary_minutes"])["sedentary_minutes"] < MINUTES_PER_DAY
    moved = given(("steps", "active_minutes", "exercise_minutes"))
    is_off = (worn == 0) | ~(has_sat | moved | given(PULSE) | (worn > 0))
    return wide.assign(**{metric: wide[metric].mask(is_off) for metric in MOVEMENT if metric in wide.columns})


def check_declared(declared: Mapping[str, tuple[str, float | None]], measures: Container[str]) -> None:
    """Refuse signals whose name could not stand in a feature's name, or stands for something else already.

    Raises:
        FeaturesError: a name is not in lower case letters, digits and _, or is that of a metric of `wearable_days` or of a
            daily measure; or what is declared of it is no unit and usual spread.
    """
    for name, told in declared.items():
        if not isinstance(name, str) or not re.fullmatch(ATTRIBUTE_NAME, name):
            raise FeaturesError(
                f"The signal `{name}` is not named in lower case letters, digits and _. Rename it, here and in the data."
            )
        if name in DAILY_METRICS:
            raise FeaturesError(
                f"The signal `{name}` is called like a metric of `wearable_days`. Give it another name, or its values to "
                "that table."
            )
        if name in measures:
            raise FeaturesError(f"The signal `{name}` is called like a daily measure. Give it another name.")
        if not _is_unit_and_spread(told):
            raise FeaturesError(
                f'The signal `{name}` is not declared by a unit and a usual spread. Write them like ("m/s", 0.2), or '
                '("m/s", None) where no spread above 0 is known.'
            )


def _is_unit_and_spread(told: object) -> bool:
    """Whether it is a text, and a number above 0 or none."""
    if not isinstance(told, tuple | list) or len(told) != 2 or not isinstance(told[0], str):
        return False
    spread = told[1]
    return spread is None or (isinstance(spread, int | float) and not isinstance(spread, bool) and 0 < spread < np.inf)


MEASURES = tuple(
    Measure(
        f"{SIGNAL}{name}",
        unit,
        name.replace("_", " "),
        "the vendor's figure of the day",
        "the vendor",
        (),
        stream="wearable_days",
    )
    for name, (unit, _, _) in DAILY_METRICS.items()
    if name not in VENDOR
)
