"""Any further number a day: declared signals, and daily figures of vendors that no measure uses."""

import re
from collections.abc import Container, Mapping

import numpy as np
import pandas as pd

from features.activity import FEWEST_DAY_MINUTES
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
# What a vendor gives of a day on which nobody wore the device, too: zeros, and a day of rest.
MOVEMENT = (
    "steps",
    "active_minutes",
    "exercise_minutes",
    "sedentary_minutes",
    *(m for m in DAILY_METRICS if "heart_zone_" in m),
)
# Figures that no device gives that lies around: sitting it does, and a resting pulse is carried over from days before.
WORN = ("steps", "active_minutes", "exercise_minutes", "hrv_rmssd", "worn_minutes", "heart_zone_fat_burn_minutes",
        "heart_zone_cardio_minutes", "heart_zone_peak_minutes")  # fmt: skip
# What is not without a sensor on a body; of a device that gives steps or wear, and has none, they may stem from a moment's wear.
MEASURED = ("minutes_asleep", "heart_rate_mean", "heart_rate_max", "heart_rate_variance")
OF_WEAR = ("steps", "worn_minutes")
# Of these a zero says that there is none.
ABOVE_ZERO = ("minutes_asleep", "sleep_efficiency", "sleep_score", "resting_heart_rate", "heart_rate_mean", "heart_rate_max",
              "heart_rate_variance", "hrv_rmssd")  # fmt: skip
# What there is not without sleep.
OF_SLEEP = ("minutes_awake", "sleep_efficiency", "sleep_score")
DEFAULT = ("mean_7d", "z_7d")
# What the panel's columns of signals begin with.
SIGNAL = "signals_"


def measure(name: str, unit: str, usual_spread: float | None = None) -> Measure:
    """The measure of a declared signal: the median of its values of a day."""
    spread = np.nan if usual_spread is None else usual_spread
    return Measure(f"{SIGNAL}{name}", unit or "1", name.replace("_", " "), "median of the day's values",
                   "declared by the site", DEFAULT, usual_spread=spread, stream="signals")  # fmt: skip


def of_the_worn(rows: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """A vendor's figures, without zeros that stand for none, and without those of movement on days on which nobody wore it.

    Nobody did where a device gives no step, no active, exercising, worn or quickened minute and no variability of the pulse, or
    says so itself: a flat battery is no calm day. Where it gives neither steps nor wear, a pulse or sleep shows it. What
    belongs to a sleep of 0 minutes is none.

    Args:
        rows: `metric, value`, and what tells apart the days of devices.
        by: those columns.

    Returns:
        The rows that are left, with `is_worn`, and `is_short` where the device says that it was for less than a day counts from.
    """
    metric, value = rows["metric"], rows["value"]
    is_movement, is_wear = metric.isin(MOVEMENT), metric == "worn_minutes"

    def on_its_day(is_so: pd.Series) -> pd.Series:
        found: pd.Series = is_so.groupby([rows[name] for name in by], dropna=False).transform("any")
        return found

    is_measured = on_its_day(metric.isin(MEASURED) & (value > 0)) & ~on_its_day(metric.isin(OF_WEAR))
    is_worn = (on_its_day(metric.isin(WORN) & (value > 0)) | is_measured) & ~on_its_day(is_wear & (value == 0))
    is_short = on_its_day(is_wear & (value < FEWEST_DAY_MINUTES))
    is_none = metric.isin(ABOVE_ZERO) & (value == 0)
    is_none |= metric.isin(OF_SLEEP) & on_its_day((metric == "minutes_asleep") & (value == 0))
    rows = rows.assign(is_worn=is_worn, is_short=is_short)
    return rows[~is_none & (is_worn | ~is_movement)]


def of_the_first(rows: pd.DataFrame, day: list[str], by: list[str]) -> pd.DataFrame:
    """One figure a metric and day: of a device that was worn, preferred, for a day, for longer, with more steps.

    Of one that says that it was worn for less than a day counts from, movement is not known, and it is preferred to none; but one
    that says nothing of wear, and fewer steps than it, tells even less of the day. What a device does not give, the next does; but
    an unworn one says nothing of wear on a day on which another was worn.

    Args:
        rows: of `of_the_worn`, with `preference`: the higher the more preferred.
        day: columns that tell apart days.
        by: columns that tell apart days of devices.
    """
    of_day = rows.groupby(day)
    of_device = [rows[name] for name in by]
    for_long, steps = (
        rows["value"].where(rows["metric"] == metric).groupby(of_device).transform("max").fillna(-1.0)
        for metric in ("worn_minutes", "steps")
    )
    of_short = steps.where(rows["is_short"]).groupby([rows[name] for name in day]).transform("max").fillna(-1.0)
    standing = {
        "preference": rows["preference"].where(~rows["is_short"], of_day["preference"].transform("min")),
        "is_whole": (for_long >= FEWEST_DAY_MINUTES) | ((for_long < 0) & (steps >= of_short)),
        "for_long": for_long, "steps": steps,
    }  # fmt: skip
    rows = rows.assign(**standing)[
        rows["is_worn"] | ~of_day["is_worn"].transform("any") | (rows["metric"] != "worn_minutes")
    ]
    order = [*day, "metric", "is_worn", "preference", "is_whole", "for_long", "steps", "device_id", "source"]
    first = rows.sort_values(order).drop_duplicates([*day, "metric"], keep="last")
    return first[~(first["is_short"] & first["metric"].isin(MOVEMENT))]


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
        "the vendor's figure of the day"
        + ("; missing where nothing shows wear (docs/features.md)" if name in MOVEMENT else ""),
        "the vendor",
        (),
        stream="wearable_days",
    )
    for name, (unit, _, _) in DAILY_METRICS.items()
    if name not in VENDOR
)
