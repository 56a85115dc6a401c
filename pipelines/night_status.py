"""The status of each night: green, amber or red, with its reasons; on record, on the pages, and told where somebody must act.

A night begins, everything that is found on the way is added, and it ends: delivered, or failed. What failed is red; the last
delivery stands.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pandas as pd

from features.errors import FeaturesError
from models.errors import ModelsError
from pipelines import data_nights, full_disk, night_record, notices, scrubbing, turn
from pipelines.errors import ForetideError, Refused
from pipelines.installation import Installation
from pipelines.night_record import Level, NightStatus
from pipelines.nights_due import is_delivered
from pipelines.notices import Notice
from pipelines.release.registry import model_name
from pipelines.reports import words
from pipelines.reports.nightly import show_status

__all__ = ["NightStatus", "add", "begin", "conclude", "fail", "of", "waits", "watched"]

FAILED, INCOMPLETE, WAITS = "night_failed", "night_incomplete", "night_waits"


def of(installation: Installation, night: str) -> NightStatus | None:
    """What is on record about a night; None if it never began."""
    return night_record.read(installation.settings.state_folder, night)


def begin(installation: Installation, night: str, counts: Mapping[str, int]) -> None:
    """A night begins, for the first time or anew: what was said of an earlier try is gone."""
    night_record.write(installation.settings.state_folder, NightStatus(night, counts=counts))


def add(installation: Installation, night: str, level: Level, reason: str) -> None:
    """Say one more thing about a night, whether it is still going on or over; its pages show it."""
    state = installation.settings.state_folder
    status = night_record.read(state, night) or NightStatus(night)
    _show(installation, status.told(level, reason))


def conclude(installation: Installation, night: str) -> NightStatus:
    """A night is delivered: what its data and its model give to say is said, and somebody is told where there is anything."""
    of_lake = scrubbing.removed(installation.lake)
    for reason in [*_of_data(installation, night), *_of_models(installation), *of_lake]:
        add(installation, night, "amber", reason)
    former = of(installation, night) or NightStatus(night)
    status = NightStatus(night, former.level, former.reasons, former.counts, former.levels, is_over=True)
    _show(installation, status)
    if status.level != "green":
        title = "Scores are delivered, but there is something to see to."
        _tell(installation, Notice(INCOMPLETE, status.level, night, title, status.reasons, status.counts))
    # Only once it is told: a night that is cut off before begins anew, and what it had said is gone.
    scrubbing.say_no_more(installation.lake)
    return status


def _of_data(installation: Installation, night: str) -> list[str]:
    """Streams of which an unusual share came into quarantine."""
    on_record = data_nights.on_record(installation, night, 1)
    streams = on_record[-1].streams if on_record and on_record[-1].night == night else {}
    most = installation.settings.door.max_bad_share
    return [
        f"{words.percent(round(stream.quarantine_share, 2))} of the night's rows of `{table}` are in quarantine."
        for table, stream in streams.items()
        if not stream.has_few_in_quarantine(most)
    ]


def _of_models(installation: Installation) -> list[str]:
    """Champions that had to be taken from the cache."""
    served = [installation.registry.champion(model_name(outcome)) for outcome in installation.settings.outcomes]
    return [
        f"The model registry cannot be reached, or has no files of {one.name} version {one.version}: as it was verified here "
        "last, that champion scored from the cache."
        for one in served
        if one.is_from_cache
    ]


def fail(installation: Installation, night: str, error: BaseException | str) -> None:
    """A night was refused or broke down: red, on record, on the index page, and told; the last delivery stands.

    Scores of the night that are in force already make it amber: what failed came after them, or was another try. Where nobody
    can tell whether they are, for their pointer is damaged, it is red. A disk that takes no more is told, and never raised.
    """
    former, why = of(installation, night), error if isinstance(error, str) else _in_words(error)
    status = NightStatus(night, counts={} if former is None else former.counts, is_over=True)
    if is_delivered(installation.settings, pd.Timestamp(night)):
        _fail_after_delivery(installation, status, why)
        return
    status = status.told("red", why)
    with _if_it_can():
        _show(installation, status)
    title = "No new scores were delivered. The last delivery, if there is one, stands as it was."
    cure = (
        f"Cure what is named and give `foretide score --as-of {night}`; docs/operations.md says what each status means."
    )
    _tell(installation, Notice(FAILED, "red", night, title, (*status.reasons, cure), status.counts))


def waits(installation: Installation, night: str) -> None:
    """A night could not begin, for another command was at work all the time: not finished, on record, and told.

    Said by a process that holds nothing. Where that other one is at work on this very night, or anything is on record of it,
    it is not said: whoever is at work on it tells how it went, and what was told before stands.
    """
    settings = installation.settings
    if turn.night_at_work_on(settings) == night or is_delivered(settings, pd.Timestamp(night)):
        return
    reason = "It could not begin: another command was at work in the installation."
    status = NightStatus(night).told("amber", reason)
    with _if_it_can():
        if not night_record.write_first(settings.state_folder, status):
            return
        show_status(settings.reports_folder, status)
    cure = (
        f"Look for a training or a command that hangs; once it is over, give `foretide score --as-of {night}`. A later night "
        "that is scored without a date brings this one too."
    )
    _tell(
        installation,
        Notice(WAITS, "amber", night, "There are no scores yet: the night could not begin.", (reason, cure)),
    )


def _fail_after_delivery(installation: Installation, begun: NightStatus, why: str) -> None:
    """The scores are there; say what did not follow them, instead of what that try had found."""
    status = begun.told(
        "amber", f"Scores of this night are delivered; what was to follow, or another try, failed: {why}"
    )
    with _if_it_can():
        _show(installation, status)
    title = "Scores are delivered, but what was to follow them, or another try, failed."
    _tell(installation, Notice(INCOMPLETE, "amber", status.night, title, status.reasons, status.counts))


def _in_words(error: BaseException) -> str:
    """Why a night failed; of an error that is not ours only the type, for its text may hold somebody's data."""
    if isinstance(error, ForetideError | FeaturesError | ModelsError):
        return str(error)
    if (of_disk := full_disk.told_by(error)) is not None:
        return f"{of_disk} Make room."
    return f"It broke down with an unforeseen fault ({type(error).__name__}). Its run in Dagster holds the place."


@contextmanager
def watched(installation: Installation, night: str) -> Iterator[None]:
    """Put the night on record as failed when the block fails; what it raised goes on.

    A night that was stopped by a signal is not a failure: whoever stopped it knows. Whoever was superseded says nothing:
    the night belongs to another run.
    """
    try:
        yield
    except Exception as error:
        if _is_in_charge(installation):
            fail(installation, night, error)
        raise


def _is_in_charge(installation: Installation) -> bool:
    try:
        installation.lease.check()
    except Refused:
        return False
    return True


def _show(installation: Installation, status: NightStatus) -> None:
    night_record.write(installation.settings.state_folder, status)
    show_status(installation.settings.reports_folder, status)


@contextmanager
def _if_it_can() -> Iterator[None]:
    """Put on record and show how a night went that has no scores; where the disk takes nothing it is told all the same."""
    try:
        yield
    except (OSError, ValueError) as error:
        logging.getLogger(__name__).warning(
            "How a night without scores went could not be put on record (%s).", type(error).__name__
        )


def _tell(installation: Installation, notice: Notice) -> None:
    """Give a notice; what could not be reached is in the log, for a notice never fails a night."""
    for untold in notices.give(installation, notice):
        logging.getLogger(__name__).warning(untold)
