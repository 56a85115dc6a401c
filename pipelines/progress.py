"""Progress of long work: a bar on a terminal, silence in a pipe. The work itself only ever sees a `Report`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

# What a step did, in numbers and words for its asset's page; never of one subject.
Counts = dict[str, int | float | str]


class Report(Protocol):
    """Tells how far the work has come: what is being done, and the share done (0 to 1) where it is known."""

    def __call__(self, what: str, share: float | None = None) -> None: ...


def silent(what: str, share: float | None = None) -> None:
    """A `Report` that says nothing."""


@contextmanager
def progress_bar(is_quiet: bool = False) -> Iterator[Report]:
    """A bar on standard error while the block runs; nothing where standard error is not a terminal."""
    if is_quiet or not sys.stderr.isatty():
        yield silent
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=None)

        def report(what: str, share: float | None = None) -> None:
            bar.update(task, description=what, total=None if share is None else 1.0, completed=share or 0.0)

        yield report
