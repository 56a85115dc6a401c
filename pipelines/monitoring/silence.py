"""Which signals follow from a stream that is silent: whoever was told of the silence is not told of each of them, too.

They stay on the page. What still stands a week after the stream is back, when most windows hold its data again, is told as new:
a device that came back with another firmware must not hide behind the outage before.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import pandas as pd

from models.monitoring.signals import DECAY, DRIFT, MISSINGNESS, ORDER, Signal
from pipelines import night_status, supply
from pipelines.cohort import PANEL_STREAMS
from pipelines.installation import Installation
from pipelines.monitoring import record
from pipelines.monitoring.published import SCORED

STILL_FOLLOWS = pd.Timedelta(days=7)
OF_DEVICES = ("wearable", "wearable_days")
# Streams that feed features, by what their names begin with, the first that fits; all others rest on any stream.
FED_BY: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("mood_", ("mood",)),
    ("early_warning_mood", ("mood",)),
    ("adherence_answer", ("mood",)),
    ("sleep_", ("sleep", "wearable_days")),
    ("early_warning_sleep", ("sleep", "wearable_days")),
    ("activity_", OF_DEVICES),
    ("early_warning_activity", OF_DEVICES),
    ("circadian_", OF_DEVICES),
    ("heart_", OF_DEVICES),
    ("adherence_wear", OF_DEVICES),
    ("signals_", ("signals", "wearable_days")),
    ("history_", ("assessments",)),
    ("tenure_", ()),
)


@dataclass(frozen=True)
class Silent:
    """Streams that are silent on a night or were within the week before, and whether next to nothing came in then."""

    streams: Collection[str] = ()
    is_outage: bool = False

    def explains(self, of: Signal) -> bool:
        """Whether a signal follows from it: of a feature that a silent stream feeds; in an outage whatever tells of the night.

        How past scores turned out never does, nor that another model puts people in another order.
        """
        if self.is_outage:
            return of.kind not in (DECAY, ORDER)
        is_of_feature = of.kind in (DRIFT, MISSINGNESS) and of.name != SCORED
        return is_of_feature and not set(self.streams).isdisjoint(fed_by(of.name))


def fed_by(feature: str) -> tuple[str, ...]:
    """The streams that a feature is made of."""
    return next((streams for start, streams in FED_BY if feature.startswith(start)), PANEL_STREAMS)


def of_night(installation: Installation, night: str) -> Silent:
    """What the record of a night says; nothing is silent where it says nothing."""
    status = night_status.of(installation, night)
    found = supply.silence({} if status is None else status.counts, installation.settings.night)
    return Silent(tuple(found.silent), found.is_outage)


def lately(installation: Installation, night: str, tonight: Silent) -> Silent:
    """The same with the watched nights of the week before."""
    since = f"{pd.Timestamp(night) - STILL_FOLLOWS:%Y-%m-%d}"
    nights = [of for of in record.recent(installation, since) if of.night < night]
    streams: Iterable[str] = (name for of in nights for name in of.silent)
    return Silent(
        tuple(dict.fromkeys([*tonight.streams, *streams])), tonight.is_outage or any(of.is_outage for of in nights)
    )
