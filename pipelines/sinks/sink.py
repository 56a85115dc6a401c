"""What every sink can do, and what went wrong with one, in words that hold neither a secret nor a row."""

from collections.abc import Mapping
from typing import Protocol

from pipelines.errors import Refused
from pipelines.sinks.published import Published


class Unreachable(Refused):
    """The sink cannot be reached or used at all, now; whatever it lacks waits for the next call."""


class Sink(Protocol):
    """A place to which deliveries are brought, each whole or not at all."""

    nights_at_once: int

    def held(self) -> Mapping[str, str]:
        """The runs that the sink holds, each with the seal of its manifest when it was brought.

        Raises:
            Unreachable: the sink cannot be asked.
        """

    def forget(self, notice: Published) -> int:
        """Erase the subjects whom a notice of withdrawal names by score ids that the sink holds; how many rows went."""

    def bring(self, delivery: Published) -> int:
        """Put a delivery into the sink, whole or not at all, in force unless one after it is there; its rows.

        One that is there already, but with rows of subjects who withdrew, loses them.

        Raises:
            Unreachable: the sink cannot be used now.
            Refused: this delivery cannot be brought; others can.
        """

    def close(self) -> None:
        """Let go of the sink."""
