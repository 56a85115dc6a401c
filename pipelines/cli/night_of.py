"""Which night a command is for; the only place below which nothing calls the clock."""

from datetime import UTC, datetime

import pandas as pd

from pipelines.cohort import last_received_at
from pipelines.errors import Refused, Usage
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
    received = last_received_at(installation.lake)
    if received is None:
        raise Refused("The lake is empty. Declare `sources:` in foretide.yaml, or run `foretide ingest`.")
    return min((received + pd.Timedelta(days=1)).date(), today).isoformat()
