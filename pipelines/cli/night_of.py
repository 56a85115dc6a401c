"""Which night a command is for; the only place below which nothing calls the clock."""

from datetime import UTC, datetime

import pandas as pd

from features.calendar import DAY
from pipelines import night_status, scrubbing
from pipelines.cohort import known_at, newest_night
from pipelines.errors import ForetideError, Usage
from pipelines.installation import Installation
from pipelines.nights_due import is_in_service, nights_due, tonight

# Nothing was recorded before; and years of fewer than four digits are not written alike everywhere.
EARLIEST = 1970


def night_of(installation: Installation, as_of: str | None, option: str = "--as-of") -> str:
    """The night asked for, else the newest one that the lake has data for; never one whose cutoff lies ahead.

    Raises:
        Usage: not a date, one of long ago, or a night that is not over yet.
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
    if night.year < EARLIEST:
        raise Usage(f"`{option}` lies before {EARLIEST}; write all digits of the year, as in 2026-07-01.")
    if known_at(sites, night) > now:
        raise Usage(
            f"The night of {as_of} is not over: its last cutoff lies ahead, and nobody can know yet what will be "
            "known then. Ask for an earlier one."
        )
    return f"{night:%Y-%m-%d}"


def expected(installation: Installation, as_of: str | None) -> str:
    """The night asked for, else tonight's by the clock: which one is meant where the lake cannot be asked."""
    if as_of is not None:
        return night_of(installation, as_of)
    return f"{tonight(installation.settings, datetime.now(UTC)):%Y-%m-%d}"


def nights_of(installation: Installation, as_of: str | None) -> tuple[list[str], bool]:
    """The nights that `foretide score` is for, oldest first, and whether the newest is tonight's.

    That is the night asked for, and only that. Where none was asked for it is tonight's, and before it those that were missed;
    of a study that is over, whose data end long before tonight, it is the newest night that the lake has data for.

    Raises:
        Usage, Refused: as `night_of`.
    """
    now, settings = datetime.now(UTC), installation.settings
    if as_of is not None:
        return [night_of(installation, as_of)], True
    # The lake is asked only where the record does not tell: nobody has looked yet whether it is damaged.
    if is_in_service(settings, None, now) or is_in_service(settings, newest := night_of(installation, None), now):
        return nights_due(settings, now), True
    return [newest], False


def nights_to_score(installation: Installation, as_of: str | None) -> tuple[list[str], bool]:
    """The same for who holds the installation. Where the lake breaks down, tonight's night is red and told, and damage is said.

    Raises:
        Usage, Refused: as `night_of`; or the lake is damaged.
    """
    try:
        return nights_of(installation, as_of)
    except ForetideError:
        raise
    except Exception:  # noqa: BLE001 (whatever it is, it is raised again by the second try)
        with night_status.watched(installation, expected(installation, as_of)):
            scrubbing.refuse_damage(installation)
            return nights_of(installation, as_of)
