"""What a daily measure and a pattern over several days are, and which statistics over trailing windows become features."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

# Trailing windows in days, and the fewest valid days in each for a value. Never more than a week's worth: what is missing
# for long after enrolment tells a model who is new.
WINDOWS: dict[int, int] = {3: 2, 7: 3, 14: 5, 28: 7, 90: 7}
SHORT, LONG, PAST = 7, 28, 90


@dataclass(frozen=True)
class Statistic:
    """How a trailing window of daily values becomes one number.

    Args:
        formula: `{}` is the window in days.
        words: `{}` are the measure's words, and then the window.
        of_clock_times: the formula where values are clock times; "" where it is the same.
        source: short citation; "" where it is plain arithmetic.
    """

    formula: str
    words: str
    of_clock_times: str = ""
    source: str = ""

    def over(self, days: int | str, is_circular: bool = False) -> str:
        """The formula over a window of so many days."""
        return ((self.of_clock_times if is_circular else "") or self.formula).format(days)


STATISTICS = {
    "mean": Statistic("mean over {} days", "{}, mean of {} days", "circular mean over {} days"),
    "sd": Statistic("standard deviation (n - 1) over {} days", "{}, variation (SD) over {} days",
                    "circular standard deviation (sqrt(-2 ln R) 24 h / (2 pi), R the length of the mean clock hand) over {} days"),
    "slope": Statistic("least-squares slope per day over {} days", "{}, trend over {} days"),
    "rmssd": Statistic("root mean square of differences of adjacent valid days, {} days", "{}, change from day to day over {} days",
                       source="Jahng 2008"),
    "last": Statistic("newest value of the last {} days", "{}, most recent of {} days"),
    "coverage": Statistic("valid days / days since enrolment, at most {}", "{}, days with a value of {} days",
                          source="Foretide"),
    "z": Statistic("(mean over {} days - median of the 90 days before) / s * n / (n + 7)", "{}, last {} days against own usual",
                   "(circular mean over {} days - median of the 90 days before, as seen from it) / s * n / (n + 7)", "Leys 2013"),
    "shift": Statistic("mean over {} days - median of the 90 days before", "{}, difference of the last {} days from own usual",
                       "circular mean over {} days - median of the 90 days before, as seen from it"),
}  # fmt: skip
# Statistics that compare with the days before the window: in robust standard deviations, and in the measure's own unit.
AGAINST_PAST = ("z", "shift")
# On by default, for a measure that declares nothing else.
LEVEL = ("mean_7d", "mean_28d", "sd_28d", "z_3d")
TREND = (*LEVEL, "slope_28d")


@dataclass(frozen=True)
class Measure:
    """One value per subject and local day: the panel's column, its unit, and what is usual of it.

    Every measure gets every statistic over every window (`catalog.STATISTICS`).

    Args:
        name: `<modality>_<measure>`, the panel's column.
        words: how a clinician would say it.
        formula: how the day's value comes about.
        source: short citation, of `literature.CITATIONS`.
        default: statistics that models see unless the configuration says otherwise.
        is_circular: whether values are clock times in hours, whose mean and spread are those of an angle.
        usual_spread: the standard deviation from day to day that is usual within a person, in `unit`; what the robust z
            rests on while a subject's own past is short. Missing: the z waits for the past.
        stream: the table whose device changes restart the subject's baseline.
    """

    name: str
    unit: str
    words: str
    formula: str
    source: str
    default: tuple[str, ...] = LEVEL
    is_circular: bool = False
    usual_spread: float = np.nan
    stream: str = "wearable"


# Columns that patterns may ask for beside measures: Monday is 0; 1 where the day holds any data, else 0, missing before
# enrolment; days from the newest receipt of the day's data to the index date.
WEEKDAY, HAS_DATA, SINCE_RECEIPT = "weekday", "has_data", "since_receipt"


@dataclass(frozen=True)
class PatternFeature:
    """One figure of a pattern; its name gets the window: `circadian_stability` -> `circadian_stability_14d`.

    Args:
        source: short citations, as `literature.cited` joins them.
        minimum: the least data for a value, in words.
        default: windows (days) that models see unless the configuration says otherwise.
        is_circular: whether values are clock times in hours.
    """

    name: str
    unit: str
    words: str
    formula: str
    source: str
    minimum: str
    default: tuple[int, ...] = ()
    is_circular: bool = False


@dataclass(frozen=True)
class Pattern:
    """What only several days, or several columns at once, can show.

    Args:
        columns: of the panel, or `WEEKDAY`, `HAS_DATA`, `SINCE_RECEIPT`.
        compute: from values of shape (n_rows, n_days, n_columns), **oldest day first**, NaN where unknown, to one array
            of shape (n_rows,) for each of `features`; NaN where the minimum is not met.
        windows: trailing windows in days for which it is defined.
        coverage: the pattern or measure whose coverage says how much it rests on; "" where silence itself is counted.
        has_own_past: whether it is compared with itself in earlier windows too.
        restarts_with: measures with whose past its own begins anew.
    """

    columns: tuple[str, ...]
    compute: Callable[[Values], tuple[Values, ...]]
    features: tuple[PatternFeature, ...]
    windows: tuple[int, ...] = tuple(WINDOWS)
    coverage: str = ""
    has_own_past: bool = True
    restarts_with: tuple[str, ...] = ()
