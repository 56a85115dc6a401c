"""Whom a night brings to a clinician's attention: alerts within a declared capacity, and the tiers that stand on them.

An alert is an event that costs somebody's time, and what capacity counts; a tier is how somebody stands tonight because of one.
Nothing is remembered but past alerts, so that any night can be decided anew from them.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.fairness.rows import QUIET_DAYS

Marks = NDArray[np.bool_]
NIGHTS_PER_WEEK = 7
# After so long an alert is a first one again; before, it is one `again`.
REMEMBERED_DAYS = 28
HIGH, ELEVATED, BASELINE = "high", "elevated", "baseline"
NEW, WORSENED, AGAIN = "new", "worsened", "again"
ALERT_COLUMNS = ("as_of_date", "subject_id", "site", "tier", "alert", "risk", "is_quiet")
NO_ALERTS = pd.DataFrame({name: pd.Series(dtype=object) for name in ALERT_COLUMNS}).astype(
    {"as_of_date": "datetime64[us]", "risk": "float64", "is_quiet": "bool"}
)
# Subjects whose site nobody recorded share a capacity of their own.
NO_SITE = "not recorded"


@dataclass(frozen=True)
class Tier:
    """What brings somebody into a tier.

    Args:
        per_100_per_week: alerts per 100 scored subjects of a site and 7 nights.
        floor: the least risk (0 to 1) that is worth an alert, whatever room is left.
        by_site: the capacity of sites that have another one.
    """

    name: str
    per_100_per_week: float
    floor: float
    by_site: Mapping[str, float] = field(default_factory=dict)

    def per_week(self, site: str, subjects: int) -> int:
        """Alerts that a site of so many scored subjects can take in 7 nights; at least one, or a small site would have none."""
        # 0.07 * 100 is 7.000000000000001 in binary: rounding first keeps it 7.
        return math.ceil(round(self.by_site.get(site, self.per_100_per_week) * subjects / 100, 9))


@dataclass(frozen=True)
class Rules:
    """An alert policy.

    Args:
        high: the tier that is filled first.
        elevated: the tier of those whom it leaves.
        reserved_for_quiet: share of each capacity that only subjects without an event for 28 days can have.
        refractory_days: for so long an alert stands, and is not repeated unless things get worse.
        worsens_by: worse is when the odds have grown by this factor since the alert.
        holds_at: an alert ceases to stand when the risk falls below this share of what it lately took to get one.
    """

    high: Tier
    elevated: Tier
    reserved_for_quiet: float
    refractory_days: int
    worsens_by: float
    holds_at: float

    @property
    def lookback_days(self) -> int:
        """How far back past alerts matter."""
        return max(REMEMBERED_DAYS, self.refractory_days)


def is_quiet(days_since_event: pd.Series) -> pd.Series:
    """Whether a subject had no event for 28 days; days are missing where there never was one."""
    return days_since_event.fillna(np.inf) >= QUIET_DAYS


def decide(night: pd.DataFrame, past: pd.DataFrame, rules: Rules, as_of: pd.Timestamp) -> pd.DataFrame:
    """Tier, rank and alert of each scored subject of one outcome.

    In each site the highest risks at or above the floor get an alert while there is room, of the night (a seventh of the
    week's, rounded up) and of the 7 nights that end with it. Equal risks that do not all fit wait together, so that capacity is
    never exceeded and never filled by chance. Who has an alert from within the refractory time stands in its tier, or in the one
    below, while the risk holds.

    Args:
        night: `subject_id, site, risk, is_quiet`, one row per scored subject; risk within the alert horizon.
        past: earlier alerts (`ALERT_COLUMNS`) of the same outcome; those older than `lookback_days` do not matter.
        as_of: the night.

    Returns:
        Row by row beside the night: `subject_id, site, risk, is_quiet, tier, rank, alert, waits`. Rank 1 is the highest risk, equal
        risks share the smaller rank. `alert` is missing where there is none tonight. Who waits would be in the high tier, had it
        room.
    """
    night = night.assign(site=night["site"].fillna(NO_SITE)).reset_index(drop=True)
    age = (as_of - past["as_of_date"]).dt.days
    past = past.assign(age=age)[(age > 0) & (age <= rules.lookback_days)]
    last = past.sort_values("age").drop_duplicates("subject_id").set_index("subject_id")
    last = last.reindex(night["subject_id"]).reset_index(drop=True)
    found = night.assign(
        tier=BASELINE, rank=(-night["risk"]).rank(method="min").astype("int32"), alert=None, waits=False
    ).astype({"tier": object, "alert": object})
    for site, rows in night.groupby("site").groups.items():
        of_site = _Site(str(site), night.loc[rows], last.loc[rows], past[past["site"] == site], rules)
        for column, values in of_site.decided().items():
            found.loc[rows, column] = values
    return found


@dataclass(frozen=True)
class _Site:
    """The scored subjects of a site, each one's last alert beside them, and the site's past alerts."""

    name: str
    night: pd.DataFrame
    last: pd.DataFrame
    past: pd.DataFrame
    rules: Rules

    @property
    def is_refractory(self) -> Marks:
        return (self.last["age"] < self.rules.refractory_days).to_numpy()

    @property
    def is_worse(self) -> Marks:
        """Whether the odds have grown since the last alert by as much as makes another one due."""
        # Of somebody without an alert the risk then is missing, and nothing compares with that.
        then = np.minimum(self.last["risk"].to_numpy(np.float64), 1 - 1e-12)
        is_worse: Marks = self.risk / (1 - self.risk) >= self.rules.worsens_by * then / (1 - then)
        return is_worse

    @property
    def risk(self) -> NDArray[np.float64]:
        # Odds need something left to 1.
        risk: NDArray[np.float64] = np.minimum(self.night["risk"].to_numpy(np.float64), 1 - 1e-12)
        return risk

    def decided(self) -> dict[str, NDArray[np.object_] | Marks]:
        high, elevated = self.rules.high, self.rules.elevated
        was_high = (self.last["tier"] == HIGH).to_numpy()
        is_free = ~self.is_refractory | self.is_worse
        wants_high = (self.risk >= high.floor) & (is_free | ~was_high)
        is_high_alert = self._within(wants_high, high)
        stands_high = self.is_refractory & was_high & ~is_high_alert & self._holds(high)
        is_left = ~is_high_alert & ~stands_high
        is_elevated_alert = self._within(is_left & (self.risk >= elevated.floor) & is_free, elevated)
        stands_elevated = is_left & self.is_refractory & self._holds(elevated)
        is_alert = is_high_alert | is_elevated_alert
        is_remembered = self.last["age"].notna().to_numpy()
        kind = np.where(self.is_refractory & self.is_worse, WORSENED, np.where(is_remembered, AGAIN, NEW)).astype(
            object
        )
        tier = np.where(
            is_high_alert | stands_high, HIGH, np.where(is_elevated_alert | stands_elevated, ELEVATED, BASELINE)
        )
        return {
            "tier": tier.astype(object),
            "alert": pd.Series(kind).where(is_alert, None).to_numpy(object),
            "waits": wants_high & is_left,
        }  # fmt: skip

    def _holds(self, tier: Tier) -> Marks:
        """Whether the risk is still near what it took, in the last 6 nights, to get an alert of the tier; the floor if none was."""
        lately = self._lately(tier)
        line = lately["risk"].min() if len(lately) else tier.floor
        return self.risk >= self.rules.holds_at * line

    def _lately(self, tier: Tier) -> pd.DataFrame:
        """Alerts of the tier that count against the week which ends tonight."""
        return self.past[(self.past["tier"] == tier.name) & (self.past["age"] < NIGHTS_PER_WEEK)]

    def _within(self, wants: Marks, tier: Tier) -> Marks:
        """Of those who are due an alert, the highest risks that the capacity allows."""
        week = tier.per_week(self.name, len(self.night))
        night = math.ceil(week / NIGHTS_PER_WEEK)
        lately, quiet = self._lately(tier), self.night["is_quiet"].to_numpy(bool)
        room = min(night, week - len(lately))
        known = int((~lately["is_quiet"].to_numpy(bool)).sum())
        room_of_known = min(night - self._reserved(night), week - self._reserved(week) - known)
        fits = wants & (quiet | (self._last_of_tie(wants & ~quiet) <= room_of_known))
        return fits & (self._last_of_tie(fits) <= room)

    def _reserved(self, capacity: int) -> int:
        return math.floor(self.rules.reserved_for_quiet * capacity + 0.5)

    def _last_of_tie(self, among: Marks) -> NDArray[np.float64]:
        """How many of some have this risk or a higher one; those not among them come last."""
        place = pd.Series(-self.risk).where(among).rank(method="max")
        return np.asarray(place.fillna(np.inf), dtype=np.float64)


def alerts_of(decided: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The night's alerts, as later nights look back on them (`ALERT_COLUMNS`)."""
    return decided[decided["alert"].notna()].assign(as_of_date=as_of)[[*ALERT_COLUMNS]].reset_index(drop=True)


def through(nights: pd.DataFrame, rules: Rules) -> pd.DataFrame:
    """What a policy would have decided on many nights, one after the other.

    Args:
        nights: `as_of_date` and the columns of `decide`'s night; one outcome.

    Returns:
        The rows of `decide` of every night, with `as_of_date`, in the order of nights.
    """
    return pd.concat(list(_night_by_night(nights, rules)), ignore_index=True)


def _night_by_night(nights: pd.DataFrame, rules: Rules) -> Iterator[pd.DataFrame]:
    past: list[pd.DataFrame] = []
    for as_of in sorted(nights["as_of_date"].unique()):
        night = nights[nights["as_of_date"] == as_of].drop(columns="as_of_date")
        known = pd.concat(past, ignore_index=True) if past else NO_ALERTS
        decided = decide(night, known, rules, as_of)
        yield decided.assign(as_of_date=as_of)
        past = [*past, alerts_of(decided, as_of)][-rules.lookback_days :]
