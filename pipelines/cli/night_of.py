"""Which night a command is for; the only place below which nothing calls the clock."""

from datetime import UTC, datetime

import pandas as pd

from features.calendar import DAY
from pipelines.cohort import known_at, newest_night
from pipelines.errors import Usage
from pipelines.installation import Installation
from pipelines.nights_due import is_in_service, nights_due


def night_of(installation: Installation, as_of: str | None, option: str = "--as-of") -> str:
    """The night asked for, else the newest one that the lake has data for; never one whose cutoff lies ahead.

    Raises:
        Usage: not a date, or a night that is not over yet.
        Refused: the lake is empty.
    """
    sites, now = installation.settings.sites, pd.Timestamp(datetime.now(UTC))
    if as_of is None:
        night = newest_night(installation.lake, sites)
        while known_at(sites, night) > now:
            night -= DAY
        return f"{night:%Y-%m-%d}"
    try:
        night = pd.Timestamp(datetime.strptime(as_of, "%Y-%m-%d"))  # noqa: DTZ007  (a civil day)
    except ValueError as error:
        raise Usage(f"`{option}` is not a date; write it like 2026-07-01.") from error
    if known_at(sites, night) > now:
        raise Usage(
            f"The night of {as_of} is not over: its last cutoff lies ahead, and nobody can know yet what will be "
            "known then. Ask for an earlier one."
        )
    return f"{night:%Y-%m-%d}"


def nights_of(installation: Installation, as_of: str | None) -> tuple[list[str], bool]:
    """The nights that `foretide score` is for, oldest first, and whether the newest is tonight's.

    That is the night asked for, and only that. Where none was asked for it is tonight's, and before it those that were missed;
    of a study that is over, whose data end long before tonight, it is the newest night that the lake has data for.

    Raises:
        Usage, Refused: as `night_of`.
    """
    newest, now, settings = night_of(installation, as_of), datetime.now(UTC), installation.settings
    if as_of is not None:
        return [newest], True
    is_tonight = is_in_service(settings, newest, now)
    return (nights_due(settings, now) if is_tonight else []) or [newest], is_tonight
