"""Any further number a day: declared signals, and daily figures of vendors that no measure uses."""

import numpy as np

from features.measures import Measure
from features.tables import DAILY_METRICS

# Vendor's daily metric -> measure and factor; a vendor's figure stands in only where no minutes give the measure.
VENDOR = {
    "steps": ("activity_steps", 1.0), "active_minutes": ("activity_brisk_minutes", 1.0),
    "sedentary_minutes": ("activity_sedentary_share", 1 / 1440), "resting_heart_rate": ("heart_resting", 1.0),
    "heart_rate_mean": ("heart_mean", 1.0), "heart_rate_max": ("heart_max", 1.0),
    "heart_rate_variance": ("heart_variance", 1.0), "hrv_rmssd": ("heart_hrv", 1.0),
    "worn_minutes": ("adherence_wear_minutes", 1.0), "minutes_asleep": ("sleep_duration", 1.0),
    "minutes_awake": ("sleep_waso", 1.0), "sleep_efficiency": ("sleep_efficiency", 0.01),
}  # fmt: skip
DEFAULT = ("mean_7d", "z_7d")


def measure(name: str, unit: str, usual_spread: float | None = None) -> Measure:
    """The measure of a declared signal: the median of its values of a day."""
    spread = np.nan if usual_spread is None else usual_spread
    return Measure(f"signals_{name}", unit, name.replace("_", " "), "median of the day's values", "", DEFAULT,
                   usual_spread=spread, stream="signals")  # fmt: skip


MEASURES = tuple(
    Measure(
        f"signals_{name}",
        unit,
        name.replace("_", " "),
        "the vendor's figure of the day",
        "",
        (),
        stream="wearable_days",
    )
    for name, (unit, _, _) in DAILY_METRICS.items()
    if name not in VENDOR
)
