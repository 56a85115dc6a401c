"""What a command that changes an installation begins with."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.installation import Installation
    from pipelines.settings import Settings


@contextmanager
def held(settings: "Settings", as_json: bool) -> Iterator["Installation"]:
    """The installation of these settings, held alone while the block runs, its progress as a bar on a terminal.

    Raises:
        Refused: another process holds it.
    """
    from pipelines.installation import Installation
    from pipelines.progress import progress_bar
    from pipelines.turn import alone

    with progress_bar(as_json) as report:
        installation = Installation(settings, report, datetime.now(UTC))
        with alone(installation):
            yield installation
