"""Which night a command is for; the only place below which nothing calls the clock."""

from datetime import UTC, datetime

from pipelines.cohort import first_night_knowing_all
from pipelines.errors import Usage
from pipelines.installation import Installation


def night_of(installation: Installation, as_of: str | None) -> str:
    """The night asked for, else tonight: the first one that knows everything received so far, never after today.

    Raises:
        Usage: not a date, or a date in the future.
        Refused: the lake is empty.
    """
    today = datetime.now(UTC).date()
    if as_of is not None:
        try:
            night = datetime.strptime(as_of, "%Y-%m-%d").replace(tzinfo=UTC).date()
        except ValueError as error:
            raise Usage("`--as-of` is not a date; write it like 2026-07-01.") from error
        if night > today:
            raise Usage("`--as-of` lies in the future; nobody can know yet what will be known then.")
        return night.isoformat()
    night = first_night_knowing_all(installation.lake, installation.settings.sites)
    return min(night.date(), today).isoformat()
