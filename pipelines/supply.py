"""What a night has to go on: how old each stream's newest row is at the cutoff, and how much of the roster has any data lately.

Counts only. What is usual is the median of the nights on record.
"""

from collections.abc import Sequence
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

# The shares looked at: of the roster, with any data on the last so many days.
SPANS = (1, 3)
# What is usual rests on so many nights; on fewer than the fewest nothing is called unusual.
NIGHTS, FEWEST = 28, 5
ROSTER = "on_the_roster"
HOUR, TWO_DAYS = pd.Timedelta(hours=1), 48
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
    counts = {f"hours_since_{table}": int((instant - at) / HOUR) for table, at in newest.items() if at is not None}
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


def _stale(counts: dict[str, int], declared: NightSettings) -> list[Remark]:
    found = []
    for table in cohorts.PANEL_STREAMS:
        hours, limits = counts.get(f"hours_since_{table}"), declared.of_stream(table)
        if hours is None:
            continue
        for level, limit in (("red", limits.stop_after_hours), ("amber", limits.warn_after_hours)):
            if limit is not None and hours > limit:
                ago = f"{hours // 24} days" if hours >= TWO_DAYS else f"{hours} hours"
                found.append(Remark(FRESH, level, f"Nothing of `{table}` has come in for {ago}."))  # type: ignore[arg-type]
                break
    return found


def _incomplete(counts: dict[str, int], declared: NightSettings, earlier: Sequence[NightStatus]) -> list[Remark]:
    found, limits = [], declared.completeness
    for days in SPANS:
        shares = [share for status in earlier if (share := _share(status.counts, days)) is not None]
        share = _share(counts, days)
        if share is None or len(shares) < FEWEST:
            continue
        usual = median(shares)
        for level, limit in (("red", limits.stop_below), ("amber", limits.warn_below)):
            if limit is not None and share < limit * usual:
                when = "the last day" if days == 1 else f"the last {days} days"
                words = f"{share:.0%} of the roster have any data of {when}; {usual:.0%} is usual."
                found.append(Remark(COMPLETE, level, words))  # type: ignore[arg-type]
                break
    return found


def _share(counts: Any, days: int) -> float | None:
    roster = counts.get(ROSTER, 0)
    return counts[_had(days)] / roster if roster and _had(days) in counts else None


def take_stock(installation: Installation, night: str) -> tuple[dict[str, int], list[Remark]]:
    """The night's counts, and what they give to remark."""
    state = installation.settings.state_folder
    counts = counts_of(installation, night)
    return counts, remarks(counts, installation.settings.night, night_record.recent(state, night, NIGHTS))
