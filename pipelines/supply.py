"""What a night has to go on: how old each stream's newest row is at the cutoff, and how much of the roster has any data lately.

Counts only. What is usual is the median of the nights on record that were not unusual themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Any

import pandas as pd

from features.calendar import is_known_on_sql
from pipelines import cohort as cohorts
from pipelines import contents, engineering, night_record
from pipelines.installation import Installation
from pipelines.night_record import Level, NightStatus
from pipelines.night_sections import NightSettings
from pipelines.panel.view import DAYS, stores
from pipelines.reports.words import percent

# The shares looked at: of the roster, with any data on the last so many days.
SPANS = (1, 3)
# What is usual rests on so many nights; on fewer than the fewest nothing is called unusual.
NIGHTS, FEWEST = 28, 5
ROSTER = "on_the_roster"
HOUR, TWO_DAYS = pd.Timedelta(hours=1), 48
# From so large a share of the streams that are looked after on, silence has one cause, as a rule: nothing arrives here at all.
OUTAGE_SHARE, FEWEST_STREAMS = 0.75, 2
FRESH, COMPLETE = "streams_are_fresh", "the_roster_has_its_usual_data"


@dataclass(frozen=True)
class Remark:
    """Something about a night's data that somebody should know; `red` stops the night."""

    check: str
    level: Level
    words: str


def counts_of(installation: Installation, night: str) -> dict[str, int]:
    """Hours since each stream's newest row, as `hours_since_<stream>`, the roster, and of it who `had_data_in_<n>d`."""
    lake, instant = installation.lake, cohorts.known_at(installation.settings.sites, date.fromisoformat(night))
    newest = {table: contents.last_received_at(lake, table, instant) for table in cohorts.PANEL_STREAMS}
    counts = {_hours(table): int((instant - at) / HOUR) for table, at in newest.items() if at is not None}
    roster = engineering.cohort(installation, night).roster["subject_id"]
    last_day = _last_day_with_data(installation, pd.Timestamp(night))
    days_ago = (pd.Timestamp(night) - last_day.reindex(roster)).dt.days
    return counts | {ROSTER: len(roster)} | {_had(days): int((days_ago <= days).sum()) for days in SPANS}


def _had(days: int) -> str:
    return f"had_data_in_{days}d"


def _last_day_with_data(installation: Installation, night: pd.Timestamp) -> pd.Series:
    """Each subject's last local day with any data before the night, of the last few days, from the stored day panel."""
    first = night - pd.Timedelta(days=max(SPANS))
    store = stores(installation.lake)[DAYS]
    pieces = [piece for piece in store.pieces() if piece.month >= f"{first:%Y-%m}"]
    since, until = f"DATE '{first:%Y-%m-%d}'", f"DATE '{night:%Y-%m-%d}'"
    where = f"local_date >= {since} AND local_date < {until} AND {is_known_on_sql(until)}"
    with installation.lake.connection() as connection:
        rows = store.read(pieces, connection, ("subject_id", "local_date"), where)
    return pd.to_datetime(rows.groupby("subject_id")["local_date"].max())


def remarks(counts: dict[str, int], declared: NightSettings, earlier: Sequence[NightStatus]) -> list[Remark]:
    """What is too old or too little, by what is declared and what is usual."""
    return [*_stale(counts, declared), *_incomplete(counts, declared, earlier)]


@dataclass(frozen=True)
class Silence:
    """Streams that are as old at the cutoff as declared, or older, each with its level, and how many are looked after at all.

    A stream of which nothing ever came, and one without a limit, are not looked after.
    """

    silent: Mapping[str, Level]
    looked_after: int

    @property
    def is_outage(self) -> bool:
        """Whether next to nothing comes in from anywhere."""
        return len(self.silent) >= max(FEWEST_STREAMS, OUTAGE_SHARE * self.looked_after)


def ages(counts: Mapping[str, int]) -> dict[str, int]:
    """Hours from each stream's newest row to a night's cutoff, by the counts of the night; streams that never came are left out."""
    return {table: counts[_hours(table)] for table in cohorts.PANEL_STREAMS if _hours(table) in counts}


def silence(counts: Mapping[str, int], declared: NightSettings) -> Silence:
    """Which streams are silent, by the counts of a night."""
    silent: dict[str, Level] = {}
    looked_after = 0
    for table, hours in ages(counts).items():
        limits = declared.of_stream(table)
        told: tuple[tuple[Level, float | None], ...] = (
            ("red", limits.stop_after_hours), ("amber", limits.warn_after_hours),
        )  # fmt: skip
        if all(limit is None for _, limit in told):
            continue
        looked_after += 1
        worst = next((level for level, limit in told if limit is not None and hours >= limit), None)
        if worst is not None:
            silent[table] = worst
    return Silence(silent, looked_after)


def _stale(counts: Mapping[str, int], declared: NightSettings) -> list[Remark]:
    """A sentence for each silent stream; one before them all where next to nothing comes in."""
    found = silence(counts, declared)
    hours = {table: counts[_hours(table)] for table in found.silent}
    told = [
        Remark(FRESH, level, f"Nothing of `{table}` has come in for {_ago(hours[table])}.")
        for table, level in found.silent.items()
    ]
    if not found.is_outage:
        return told
    n, worst = len(told), max(found.silent.values(), key=night_record.LEVELS.index)
    whence = "any stream" if n == found.looked_after else "nearly any stream"
    words = (
        f"Nothing has come in from {whence} for {_ago(min(hours.values()))}: {n} of {found.looked_after} are silent."
    )
    return [Remark(FRESH, worst, words), *told]


def _ago(hours: int) -> str:
    return f"{hours // 24} days" if hours >= TWO_DAYS else f"{hours} hours"


def _hours(table: str) -> str:
    return f"hours_since_{table}"


def _incomplete(counts: dict[str, int], declared: NightSettings, earlier: Sequence[NightStatus]) -> list[Remark]:
    found, limits = [], declared.completeness
    for days in SPANS:
        share, usual = _share(counts, days), _usual(earlier, days, declared)
        if share is None or usual is None:
            continue
        for level, limit in (("red", limits.stop_below), ("amber", limits.warn_below)):
            if limit is not None and share < limit * usual:
                when = "the last day" if days == 1 else f"the last {days} days"
                words = f"{_percent(share)} of the roster have any data of {when}; {_percent(usual)} is usual."
                found.append(Remark(COMPLETE, level, words))  # type: ignore[arg-type]
                break
    return found


def _usual(earlier: Sequence[NightStatus], days: int, declared: NightSettings) -> float | None:
    """The median share of earlier nights, oldest first; None where they are too few.

    What was unusual by those before it is not learnt as usual, nor is an outage, which may have come before anything was.
    """
    shares: list[float] = []
    for status in earlier:
        share = _share(status.counts, days)
        if share is None or silence(status.counts, declared).is_outage:
            continue
        if len(shares) < FEWEST or share >= (declared.completeness.warn_below or 0) * median(shares):
            shares.append(share)
    return median(shares) if len(shares) >= FEWEST else None


def _percent(share: float) -> str:
    return percent(round(share, 2))


def _share(counts: Any, days: int) -> float | None:
    roster = counts.get(ROSTER, 0)
    return counts[_had(days)] / roster if roster and _had(days) in counts else None


def take_stock(installation: Installation, night: str) -> tuple[dict[str, int], list[Remark]]:
    """The night's counts, and what they give to remark."""
    state = installation.settings.state_folder
    counts = counts_of(installation, night)
    return counts, remarks(counts, installation.settings.night, night_record.recent(state, night, NIGHTS))
