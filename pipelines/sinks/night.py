"""The night's sinks: bring them up to date, and tell whoever is responsible where one is behind."""

from collections.abc import Sequence

from pipelines import night_status, notices
from pipelines.installation import Installation
from pipelines.notices import Notice
from pipelines.reports import words
from pipelines.sinks.catching_up import SinkReport, catch_up

CALLED = {"postgres": "The PostgreSQL database"}
BEHIND = "sink_behind"


def bring(installation: Installation, night: str) -> list[SinkReport]:
    """Bring every sink what it lacks after a night was delivered; one that is behind makes the night amber."""
    installation.report("bringing scores to sinks")
    reports = catch_up(installation)
    for report in reports:
        if report.state == "behind":
            night_status.add(installation, night, "amber", sentence(report))
            notices.give(installation, _notice(report, night))
    return reports


def sentence(report: SinkReport) -> str:
    """What became of a sink, for people."""
    name = CALLED[report.sink]
    if report.state == "up to date":
        if not report.deliveries_brought:
            return f"{name} has every delivery; nothing was written."
        brought = words.counted(report.deliveries_brought, "delivery", "deliveries")
        return f"{name} got {brought} ({words.counted(report.rows, 'row')}) and has everything."
    return f"{name} {_lacks(report)}. {report.why} The delivery itself is published and whole."


def sentences(reports: Sequence[SinkReport]) -> list[str]:
    """What became of every sink."""
    return [sentence(report) for report in reports]


def erased(report: SinkReport) -> str:
    """What became of a sink after a withdrawal."""
    name = CALLED[report.sink]
    if report.state == "up to date":
        return f"{name} holds nothing of them any more."
    return f"{sentence(report)} Subjects who withdrew go from it as soon as it can be used, with the next night or withdrawal."


def _lacks(report: SinkReport) -> str:
    if report.nights_behind is None:
        return "is behind: it does not have this night yet"
    return f"lacks {words.counted(report.nights_behind, 'night')}"


def _notice(report: SinkReport, night: str) -> Notice:
    known = {} if report.nights_behind is None else {"nights_behind": report.nights_behind}
    return Notice(
        kind=BEHIND,
        level="amber",
        night=night,
        title=f"{CALLED[report.sink]} is behind",
        sentences=(sentence(report), "It catches up by itself with the next night, once it can be used again."),
        counts={"deliveries_brought": report.deliveries_brought, **known},
    )
