"""What a command that changes an installation begins with."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pipelines.installation import Installation
    from pipelines.progress import Report
    from pipelines.settings import Settings

GLANCE_S = 2.0


@contextmanager
def held(settings: "Settings", as_json: bool, wait_minutes: float = 0) -> Iterator["Installation"]:
    """The installation of these settings, held alone while the block runs, its progress as a bar on a terminal.

    Who only asks holds it too: tables are tidied as they are written, under the feet of whoever reads beside, and finding out why
    a score was given may have to make the day panel again.

    Args:
        settings: which installation.
        as_json: whether a machine reads the answer; then there is no bar.
        wait_minutes: for how long another process that holds it is waited for.

    Raises:
        Refused: another process holds it, and held it all that time.
    """
    from pipelines.progress import progress_bar
    from pipelines.turn import finish

    with progress_bar(as_json) as report, ExitStack() as stack:
        installation, former = _taken(settings, report, wait_minutes, stack)
        finish(installation, former)
        yield installation


@contextmanager
def held_for_a_night(settings: "Settings", as_json: bool, as_of: str | None) -> Iterator["Installation"]:
    """The same for a night, which waits as long as is declared; that it waited in vain or could not begin is put on record, and told.

    Raises:
        Usage: the night asked for is none, which is said before anything is waited for.
        Refused: as `held`.
    """
    from pipelines.cli.night_of import expected, night_of
    from pipelines.installation import Installation
    from pipelines.night_status import fail, watched
    from pipelines.progress import progress_bar
    from pipelines.turn import AtWork, finish

    bystander = Installation(settings)
    if as_of is not None:
        night_of(bystander, as_of)
    with progress_bar(as_json) as report, ExitStack() as stack:
        try:
            installation, former = _taken(settings, report, settings.night.wait_minutes, stack)
        except AtWork:
            _waited_in_vain(bystander, as_of)
            raise
        except OSError as error:
            # Nobody holds it, for the disk takes no lock.
            fail(bystander, expected(bystander, as_of), error)
            raise
        with watched(installation, expected(installation, as_of)):
            finish(installation, former)
        yield installation


def _taken(settings: "Settings", report: "Report", wait_minutes: float, stack: ExitStack) -> "tuple[Installation, str]":
    """The installation, taken as soon as it is free, and who was superseded, if anybody; each try is a command of that instant."""
    from pipelines.installation import Installation
    from pipelines.turn import AtWork, hold

    end, has_said = time.monotonic() + 60 * wait_minutes, False
    while True:
        installation = Installation(settings, report, datetime.now(UTC))
        try:
            former = stack.enter_context(hold(installation))
        except AtWork as at_work:
            left = end - time.monotonic()
            if left <= 0:
                raise
            if not has_said:
                typer.echo(
                    f"Another command or Dagster run is at work ({at_work.holder}); waiting for it, up to {wait_minutes:g} "
                    "minutes.",
                    err=True,
                )
                has_said = True
            report("waiting for another command")
            time.sleep(min(GLANCE_S, left))
        else:
            return installation, former


def _waited_in_vain(bystander: "Installation", as_of: str | None) -> None:
    """Put on record that a night could not begin, where any time was waited; of an empty lake there is no night.

    The lake is read beside whoever is at work in it, and may be damaged: where that breaks down, tonight's is meant.
    """
    from pipelines import night_status
    from pipelines.cli.night_of import expected, nights_of
    from pipelines.errors import Refused

    if not bystander.settings.night.wait_minutes:
        return
    try:
        night = nights_of(bystander, as_of)[0][-1]
    except Refused:
        return
    except Exception:  # noqa: BLE001 (whatever it is, it is not why the night could not begin)
        night = expected(bystander, as_of)
    night_status.waits(bystander, night)
