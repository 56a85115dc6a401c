"""Which nights are due: tonight's, and those that were missed; for the daemon's schedule and for `foretide score` alike."""

from datetime import UTC, datetime

import pandas as pd

from features.calendar import DAY
from pipelines import night_record
from pipelines.cohort import known_at
from pipelines.delivery.manifest import MANIFEST_NAME
from pipelines.delivery.nights import POINTER_NAME, nights
from pipelines.delivery.publish import current
from pipelines.errors import Refused
from pipelines.settings import Settings


def is_over(settings: Settings, night: pd.Timestamp, now: datetime) -> bool:
    """Whether the last site's cutoff of a night has passed."""
    return bool(known_at(settings.sites, night) <= now)


def is_delivered(settings: Settings, night: pd.Timestamp) -> bool | None:
    """Whether scores of a night are in force; None where its pointer cannot be read, so that nobody can tell."""
    try:
        folder = current(settings.deliveries_folder, night)
        return folder is not None and (folder / MANIFEST_NAME).is_file()
    except (Refused, OSError):
        return None


def tonight(settings: Settings, now: datetime) -> pd.Timestamp:
    """The newest night that is over. East of UTC+3 that is tomorrow's by UTC, from the evening on."""
    night = pd.Timestamp(f"{now.astimezone(UTC):%Y-%m-%d}") + DAY
    while not is_over(settings, night, now):
        night -= DAY
    return night


def nights_due(settings: Settings, now: datetime) -> list[str]:
    """Tonight, and before it the nights that were missed or failed; oldest first.

    Those are the last so many as are declared that have no scores, and those of which nobody can tell whether they have: they are
    refused and told, the others go on. None is earlier than the first night that was ever delivered: before it nobody was waiting.
    """
    last = tonight(settings, now)
    delivered = (night.name for night in nights(settings.deliveries_folder) if (night / POINTER_NAME).exists())
    first = next(delivered, f"{last:%Y-%m-%d}")
    earlier = [last - back * DAY for back in range(settings.night.catch_up_nights, 0, -1)]
    missed = [night for night in earlier if f"{night:%Y-%m-%d}" >= first and not is_delivered(settings, night)]
    return [f"{night:%Y-%m-%d}" for night in (*missed, last)]


def is_in_service(settings: Settings, newest: str | None, now: datetime) -> bool:
    """Whether nights are scored as they come, and not those of a study that is over.

    So it is where data came in, or a night was begun, however it ended, within the nights that are caught up.

    Args:
        settings: which installation.
        newest: the newest night that the lake has data for; None where it is not asked.
        now: when it is asked.
    """
    since = f"{tonight(settings, now) - (settings.night.catch_up_nights + 1) * DAY:%Y-%m-%d}"
    last = night_record.last(settings.state_folder)
    return (newest is not None and newest >= since) or (last is not None and last.night >= since)
