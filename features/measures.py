"""What a daily measure is, and which statistics of it over trailing windows become features."""

from dataclasses import dataclass

SHORT, LONG, PAST = 7, 28, 90

# Statistic -> (window in days, fewest valid days for a value).
STATISTICS: dict[str, tuple[int, int]] = {
    "mean_7d": (SHORT, 3),
    "mean_28d": (LONG, 7),
    "sd_28d": (LONG, 7),
    "slope_28d": (LONG, 7),
    "rmssd_28d": (LONG, 7),
    "last": (SHORT, 1),
    "z_7d": (PAST, 14),
}
LEVEL = ("mean_7d", "mean_28d", "sd_28d", "z_7d")
TREND = (*LEVEL, "slope_28d")


@dataclass(frozen=True)
class Measure:
    """One value per subject and local day: the panel's column, its unit, and the windows taken of it.

    `words` is how a clinician would say it; `is_circular` marks clock times in hours, whose mean and spread are
    those of an angle.
    """

    name: str
    unit: str
    words: str
    formula: str
    source: str
    statistics: tuple[str, ...] = LEVEL
    is_circular: bool = False
