"""Which nights are due: tonight's, and those that were missed; for the daemon's schedule and for `foretide score` alike."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd

from features.calendar import DAY
from pipelines import night_record
from pipelines.cohort import known_at
from pipelines.delivery.publish import current
from pipelines.errors import Refused
from pipelines.settings import Settings


def is_over(settings: Settings, night: pd.Timestamp, now: datetime) -> bool:
    """Whether the last site's cutoff of a night has passed."""
    return bool(known_at(settings.sites, night) <= now)


def is_delivered(settings: Settings, night: pd.Timestamp) -> bool | None:
    """Whether scores of a night are in force; None where its pointer cannot be read, so that nobody can tell."""
    try:
        return current(settings.deliveries_folder, night) is not None
    except (Refused, OSError):
        return None


def nights_due(settings: Settings, now: datetime) -> list[str]:
    """Tonight, once its last cutoff has passed, and before it the nights that were missed since the last delivery; oldest first.

    Missed nights are those between the newest night with a delivery and tonight, at most as many as are declared, and any of
    which nobody can tell whether it is delivered: it is refused and told, the others go on. Where no night was ever delivered,
    none was missed.
    """
    today = pd.Timestamp(f"{now:%Y-%m-%d}")
    over = [
        night
        for back in range(settings.night.catch_up_nights, -1, -1)
        if is_over(settings, night := today - back * DAY, now)
    ]
    delivered = {night: is_delivered(settings, night) for night in over}
    last = max((night for night in over if delivered[night]), default=_before_all(settings, over))
    return [f"{night:%Y-%m-%d}" for night in over if night > last or night == today or delivered[night] is None]


def _before_all(settings: Settings, over: Sequence[pd.Timestamp]) -> pd.Timestamp:
    """After which night others count as missed where none of the last ones was delivered: none do, unless one ever was."""
    first = over[0] if over else pd.Timestamp.max
    earlier = settings.deliveries_folder.glob("[0-9]*/latest.json")
    return first - DAY if any(path.parent.name < f"{first:%Y-%m-%d}" for path in earlier) else pd.Timestamp.max


def is_in_service(settings: Settings, newest: str, now: datetime) -> bool:
    """Whether nights are scored as they come, and not those of a study that is over.

    So it is where data came in, or a night was begun, however it ended, within the nights that are caught up.

    Args:
        settings: which installation.
        newest: the newest night that the lake has data for.
        now: when it is asked.
    """
    since = f"{pd.Timestamp(f'{now:%Y-%m-%d}') - (settings.night.catch_up_nights + 1) * DAY:%Y-%m-%d}"
    last = night_record.last(settings.state_folder)
    return newest >= since or (last is not None and last.night >= since)
