"""The section `monitoring:`: how many false alarms are accepted, and what starts a retraining."""

from typing import Literal

from pydantic import Field

from pipelines.sections import Strict


class Monitoring(Strict):
    """How the nights are watched (docs/monitoring.md).

    `false_alarms_per_year` is how many false alarms a year are accepted of everything that is watched together: limits follow from
    it. A new signal of a kind in `retrain_on` asks for a retraining, at most once in four weeks; what it makes serves only if
    the gate lets it.
    """

    false_alarms_per_year: float = Field(4, gt=0, le=365)
    retrain_on: tuple[Literal["drift", "decay"], ...] = ()
    resamples: int = Field(500, ge=100)
