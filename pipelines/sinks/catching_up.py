"""Brings every sink what it lacks. Whatever is wrong with a sink delays that sink alone: it is said, and never raised."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from pipelines import locks
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.reports import words
from pipelines.sinks.published import Published, Stock, stock
from pipelines.sinks.sink import Sink, Unreachable

Opened = Callable[[], Sink]


@dataclass
class SinkReport:
    """What a call did for one sink: deliveries and rows brought, rows erased, and what it lacks still.

    `nights_behind` is None where the sink could not be asked. `why` says what kept it, in a sentence.
    """

    sink: str
    deliveries_brought: int = 0
    rows: int = 0
    rows_erased: int = 0
    nights_behind: int | None = 0
    why: str = ""

    @property
    def state(self) -> Literal["up to date", "behind"]:
        """Whether the sink has everything."""
        return "up to date" if self.nights_behind == 0 and not self.why else "behind"

    def told(self) -> dict[str, Any]:
        """The same as counts and words for pages and machines."""
        return {"sink": self.sink, "state": self.state, **{k: v for k, v in vars(self).items() if k != "sink"}}


def reports(told: Mapping[str, Any]) -> list[SinkReport]:
    """The reports back from what each told, by the sink's name."""
    names = [field.name for field in fields(SinkReport)]
    return [SinkReport(**{name: of[name] for name in names}) for of in told.values()]


def configured(installation: Installation) -> dict[str, Opened]:
    """Every configured sink by its name, to be opened."""
    postgres = installation.settings.delivery.postgres
    if postgres is None:
        return {}
    # Imported late: most installations have no database.
    from pipelines.sinks.postgres.sink import PostgresSink

    return {"postgres": lambda: PostgresSink(postgres)}


def catch_up(installation: Installation) -> list[SinkReport]:
    """Bring every configured sink what it lacks, one after the other; what each of them got and lacks."""
    opened = configured(installation)
    if not opened:
        return []
    there = stock(installation.settings.deliveries_folder)
    fence = installation.lease.check
    return [bring_to(name, open_sink, there, fence) for name, open_sink in opened.items()]


def bring_to(name: str, open_sink: Opened, there: Stock, fence: Callable[[], None] = locks.unfenced) -> SinkReport:
    """Bring one sink what it lacks of the deliveries there are.

    Args:
        fence: raises once another run took the place of this one in the installation.
    """
    report = SinkReport(name)
    try:
        sink = open_sink()
        try:
            _bring(sink, there, report, fence)
        finally:
            sink.close()
    except Refused as refused:
        report.nights_behind, report.why = None if isinstance(refused, Unreachable) else 0, str(refused)
    except Exception as error:  # noqa: BLE001 (the edge: nothing about a sink may end the night, not even a mistake of ours)
        report.nights_behind, report.why = None, f"An unforeseen error stopped it ({type(error).__name__})."
    return report


def _bring(sink: Sink, there: Stock, report: SinkReport, fence: Callable[[], None]) -> None:
    held = sink.held()
    for notice in there.deliveries:
        if notice.tells_of_withdrawals and notice.run_id not in held:
            report.rows_erased += _forgotten(sink, notice)
    for delivery in _now(there.deliveries, held, sink.nights_at_once):
        try:
            fence()
            report.rows += sink.bring(delivery)
            report.deliveries_brought += 1
            held = {**held, delivery.run_id: delivery.seal}
        except Unreachable as unreachable:
            report.why = str(unreachable)
            break
        except Refused as refused:
            report.why = str(refused)
    report.nights_behind = len({delivery.night for delivery in _lacking(there.deliveries, held)}) + len(there.damaged)
    if report.nights_behind and not report.why:
        report.why = _why_behind(there, sink)


def _forgotten(sink: Sink, notice: Published) -> int:
    """Rows that a notice took out of the sink; a damaged one names nobody, and is told of when it is to be brought."""
    try:
        return sink.forget(notice)
    except Unreachable:
        raise
    except Refused:
        return 0


def _why_behind(there: Stock, sink: Sink) -> str:
    if there.damaged:
        return f"{words.counted(len(there.damaged), 'night is', 'nights are')} damaged on disk. Score them again."
    return f"One call brings {words.counted(sink.nights_at_once, 'night')}; the next one goes on."


def _lacking(deliveries: Sequence[Published], held: Mapping[str, str]) -> list[Published]:
    return [delivery for delivery in deliveries if held.get(delivery.run_id) != delivery.seal]


def _now(deliveries: Sequence[Published], held: Mapping[str, str], nights: int) -> list[Published]:
    """What is brought by this call, in order: so many of the nights it lacks, and all that were erased from since."""
    lacking = _lacking(deliveries, held)
    changed = [delivery for delivery in lacking if delivery.run_id in held]
    new = [delivery for delivery in lacking if delivery.run_id not in held]
    first = sorted({delivery.night for delivery in new})[:nights]
    # Erasure does not wait for nights to be caught up.
    return [*changed, *(delivery for delivery in new if delivery.night in first)]
