"""The section `night:` of the configuration: when data are too old or too few, what is waited for, and what is caught up."""

from pydantic import Field, model_validator

from features.tables import TABLES
from pipelines.sections import Share, Strict


class Freshness(Strict):
    """How old a stream's newest row may be at a night's cutoff, in hours: before it is said, before it stops the night."""

    warn_after_hours: float | None = Field(48, gt=0)
    stop_after_hours: float | None = Field(None, gt=0)


class Completeness(Strict):
    """How far the share of the roster with any data lately may fall below what is usual, as a share of it."""

    warn_below: Share = 0.8
    stop_below: Share | None = None


class NightSettings(Strict):
    """What a night needs, beside a champion.

    Streams without a line of their own under `freshness:` are held to its defaults. Of the last `catch_up_nights` nights those
    without scores are run, too: missed ones, and failed ones. `wait_minutes` is for how long `score`, `run` and those who only ask
    (`monitor`, `policy --simulate`, `explain`) wait while another command is at work; 0 has them leave at once.
    """

    freshness: dict[str, Freshness] = {}
    completeness: Completeness = Completeness()
    catch_up_nights: int = Field(7, ge=0, le=60)
    wait_minutes: float = Field(30, ge=0, le=1440)

    @model_validator(mode="after")
    def _streams_exist(self) -> "NightSettings":
        for name in self.freshness:
            if name not in TABLES:
                raise ValueError(f"`freshness:` names a stream that is none of {', '.join(TABLES)}")
        return self

    def of_stream(self, name: str) -> Freshness:
        """The limits of a stream."""
        return self.freshness.get(name, Freshness())
