"""Local time at the sites: where each subject's days begin in UTC, and the offset in force at an instant."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features import calendar

Instants = NDArray[np.int64]

# As in the embedded foretide.yaml. Cutoffs six hours apart; clocks that change on different days.
SITES = {"north": "Europe/Berlin", "south": "America/New_York"}
SITE_NAMES = tuple(SITES)
MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US


@dataclass(frozen=True)
class Clock:
    """The civil days of a group of subjects. `site` (n,) indexes SITE_NAMES; `starts` (n, days + 1) is UTC us."""

    first: date
    days: int
    site: NDArray[np.int64]
    starts: Instants

    @property
    def dates(self) -> pd.DatetimeIndex:
        """Naive midnight of each day."""
        return pd.date_range(self.first, periods=self.days, freq="D", unit="us")

    def at(self, subject: NDArray[np.int64], day: NDArray[np.int64], hours: NDArray[np.floating]) -> Instants:
        """UTC microseconds, whole seconds, `hours` of elapsed time after local midnight of a day."""
        return self.starts[subject, day] + np.rint(hours.astype(np.float64) * 3600).astype(np.int64) * 1_000_000

    def offset_min(self, subject: NDArray[np.int64], instants: Instants) -> NDArray[np.int32]:
        """Local time minus UTC in minutes where the subject is, at each instant."""
        result = np.empty(len(instants), dtype=np.int32)
        for number, zone in enumerate(SITES.values()):
            mine = self.site[subject] == number
            result[mine] = offsets(instants[mine], zone)
        return result


def offsets(instants: Instants, zone: str) -> NDArray[np.int32]:
    """Minutes that an IANA zone is ahead of UTC at each instant (UTC microseconds)."""
    local = pd.DatetimeIndex(instants.view("M8[us]")).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    return ((local.asi8 - instants) // MINUTE_US).astype(np.int32)


def clock(until: date, days: int, site: NDArray[np.int64]) -> Clock:
    """The clock of subjects at the given sites for the `days` civil days that end with `until`."""
    first = until - timedelta(days=days - 1)
    midnights = pd.date_range(first, periods=days + 1, freq="D", unit="us")
    starts = np.stack([midnights.tz_localize(zone).tz_convert("UTC").asi8 for zone in SITES.values()])
    return Clock(first, days, site, starts[site])


def snapshot_us(until: date) -> int:
    """The instant of the last receipt: the latest cutoff of all sites on the day after `until`."""
    night = pd.Timestamp(until) + calendar.DAY
    return max(int(calendar.cutoff_of(night, zone).timestamp()) for zone in SITES.values()) * 1_000_000
