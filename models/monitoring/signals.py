"""What is out of the ordinary on a night: signals from charts of what is counted, and from how scores turned out."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.fairness.groups import EVERYBODY
from models.monitoring.agreement import LEAST, Agreement
from models.monitoring.counts import ALERT, FEATURE, SCORE, STATUS
from models.monitoring.limits import PERSISTENT_NIGHTS, Chart, chart
from models.monitoring.prospective import RATIO
from models.monitoring.series import ABSENT, Series

# What is watched; each may give an equal part of the false alarms that are accepted.
DRIFT, MISSINGNESS, SCORES, ORDER = "drift", "missingness", "scores", "order"
VOLUME, DECAY = "volume", "decay"
KINDS = (DRIFT, MISSINGNESS, SCORES, ORDER, VOLUME, DECAY)
CALIBRATION, RANKING, AGREEMENT = "calibration", "ranking", "agreement"


@dataclass(frozen=True)
class Signal:
    """One series that is out of the ordinary.

    Attributes:
        kind: one of `KINDS`.
        outcome, name, group, statistic: which series.
        since: the first night of the stretch, the one before it was told.
        value, expected, reach: on the night it was told of: the figure, what was expected, how far from it is ordinary.
        model: of decay, the version that published the scores; of the order, the one that tonight is compared with.
    """

    kind: str
    outcome: str
    name: str
    group: str
    statistic: str
    since: str
    value: float
    expected: float
    reach: float
    model: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """What makes it the same signal on another night."""
        return (self.kind, self.outcome, self.name, self.group, self.statistic, self.model)

    @property
    def ratio(self) -> float:
        """Distance from what was expected, in limits."""
        return (self.value - self.expected) / self.reach


def share_of(false_alarms_per_year: float) -> float:
    """The part of the accepted false alarms that each kind may give."""
    return false_alarms_per_year / len(KINDS)


def charts(series: Series, false_alarms_per_year: float) -> dict[str, Chart]:
    """Each kind of series against limits of its own; kinds without a series are left out."""
    found = {}
    for kind, chosen in _kinds(series.table).items():
        if chosen.any():
            found[kind] = chart(series.among(chosen), share_of(false_alarms_per_year))
    return found


def _kinds(table: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    kind, is_absent = table["kind"].to_numpy(), (table["statistic"] == ABSENT).to_numpy()
    return {
        DRIFT: (kind == FEATURE) & ~is_absent,
        MISSINGNESS: (kind == FEATURE) & is_absent | (kind == STATUS),
        SCORES: kind == SCORE,
        VOLUME: kind == ALERT,
    }


def of_night(charts: dict[str, Chart], night: pd.Timestamp) -> list[Signal]:
    """Signals that stand on a night."""
    found = []
    for kind, of in charts.items():
        if night not in of.series.nights:
            continue
        at = of.series.place(night)
        for k in np.flatnonzero(of.is_alarm[at]):
            row, begin = of.series.table.iloc[k], _begin(of.is_alarm[: at + 1, k])
            since = of.series.nights[max(begin - PERSISTENT_NIGHTS + 1, 0)]
            found.append(
                Signal(kind, row["outcome"], row["name"], row["group"], row["statistic"], f"{since:%Y-%m-%d}",
                       float(of.series.value[at, k]), float(of.expected[at, k]), float(of.reach[at, k]))
            )  # fmt: skip
    return found


def _begin(is_alarm: NDArray[np.bool_]) -> int:
    """Where the last stretch of alarms begins."""
    quiet = np.flatnonzero(~is_alarm)
    return int(quiet[-1]) + 1 if len(quiet) else 0


def of_order(found: Agreement, outcome: str, name: str, night: str) -> list[Signal]:
    """The signal of an order that was lost; none where it holds."""
    if not found.is_lost:
        return []
    reach = found.high - found.value
    return [Signal(ORDER, outcome, name, EVERYBODY, AGREEMENT, night, found.value, LEAST, reach, found.with_version)]


def of_look(figures: pd.DataFrame, night: str) -> list[Signal]:
    """Signals of how published scores turned out."""
    found = []
    for row in figures[figures["is_beyond"]].to_dict("records") if len(figures) else []:
        statistic = CALIBRATION if row["metric"] == RATIO else RANKING
        found.append(
            Signal(DECAY, row["outcome"], row["metric"], row["group"], statistic, night, float(row["value"]),
                   float(row["promised"]), float(abs(row["value"] - row["promised"])), str(row["model"]))
        )  # fmt: skip
    return found
