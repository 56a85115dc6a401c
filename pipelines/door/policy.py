"""What an installation asks of a delivery beyond the declared tables: declared signals, a limit to bad rows, consent."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True)
class SignalLimits:
    """A declared signal: its unit, and the closed range outside of which a value is implausible."""

    unit: str
    low: float | None = None
    high: float | None = None


def _nobody(_: Iterable[str]) -> set[str]:
    return set()


@dataclass(frozen=True)
class DoorPolicy:
    """How strict the door is.

    Args:
        max_bad_share: a delivery of which a larger share of a table's rows breaks a rule is refused whole, from
            `intake.ALWAYS_TOLERATED` rows on.
        signals: by name; any other signal is refused row by row.
        minutes_kept_from: raw minutes before this day were removed by `foretide retain`; later ones of such days are
            dropped and only counted, for they would replace the whole day by a few minutes.
        now: when the command was given; what claims to have been received later comes from a wrong date. Unlimited where
            nobody says.
        withdrawn: which of some subjects have withdrawn their consent; their rows are dropped and only counted.
    """

    max_bad_share: float = 1.0
    signals: Mapping[str, SignalLimits] = field(default_factory=dict)
    minutes_kept_from: date | None = None
    now: datetime | None = None
    withdrawn: Callable[[Iterable[str]], set[str]] = _nobody


@dataclass(frozen=True)
class Origin:
    """What a delivery is made of: its format, and by file, as it is named and read, what the file held."""

    format: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
