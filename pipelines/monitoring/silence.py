"""Which signals follow from a stream that is silent: whoever was told of the silence is not told of each of them, too.

They stay on the page. What still stands a week after the stream is back, when most windows hold its data again, is told as new:
a device that came back with another firmware must not hide behind the outage before. Nor does a stream that ended for good hide
anything for good: once the weeks that a night is compared with lie in the silence, too, it explains no change any more.
"""

from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from features.signals import VENDOR
from features.tables import DAILY_METRICS
from models.monitoring.limits import COMPARED_DAYS, LEFT_OUT_DAYS
from models.monitoring.signals import DECAY, DRIFT, MISSINGNESS, ORDER, Signal
from pipelines import night_status, supply
from pipelines.installation import Installation
from pipelines.monitoring import record
from pipelines.monitoring.published import SCORED

STILL_FOLLOWS = pd.Timedelta(days=7)
EXPLAINS_HOURS = 24 * (COMPARED_DAYS + LEFT_OUT_DAYS)
MINUTES, SUMMARIES = "wearable", "wearable_days"
# Streams that feed features, by what their names begin with, the first that fits. Of two, one stands in for the other. All other
# features are made of several streams together.
FED_BY: tuple[tuple[str, tuple[str, ...]], ...] = (
    *(
        (f"{measure}_", ("sleep" if measure.startswith("sleep_") else MINUTES, SUMMARIES))
        for measure, _ in VENDOR.values()
    ),
    *((f"signals_{metric}_", (SUMMARIES,)) for metric in DAILY_METRICS if metric not in VENDOR),
    ("mood_", ("mood",)),
    ("early_warning_mood", ("mood",)),
    ("adherence_answer", ("mood",)),
    ("sleep_", ("sleep",)),
    ("early_warning_sleep", ("sleep", SUMMARIES)),
    ("activity_", (MINUTES,)),
    ("early_warning_activity", (MINUTES, SUMMARIES)),
    ("circadian_", (MINUTES,)),
    ("heart_", (MINUTES,)),
    ("adherence_wear", (MINUTES, SUMMARIES)),
    ("signals_", ("signals",)),
    ("history_", ("assessments",)),
    ("tenure_", ()),
)


@dataclass(frozen=True)
class Silent:
    """Streams that are silent on a night.

    Attributes:
        streams: all of them.
        lately: those that fell silent so lately that something may follow from it.
        heard: streams that are not silent; not those that need never come, and long did not.
        is_outage: whether next to nothing comes in.
    """

    streams: Collection[str] = ()
    lately: Collection[str] = ()
    heard: Collection[str] = ()
    is_outage: bool = False

    def explains(self, of: Signal) -> bool:
        """Whether a signal follows from it: of a feature that nothing feeds any more; in an outage whatever tells of the night.

        How past scores turned out never does, nor that another model puts people in another order.
        """
        if self.is_outage and self.lately:
            return of.kind not in (DECAY, ORDER)
        is_of_feature = of.kind in (DRIFT, MISSINGNESS) and of.name != SCORED
        return is_of_feature and self._stops(fed_by(of.name))

    def _stops(self, fed: Collection[str] | None) -> bool:
        """Whether what is fed by any of these streams, or by all there are, lacks lately what it is made of."""
        if fed is None:
            return bool(self.lately)
        return not set(fed).isdisjoint(self.lately) and set(fed).isdisjoint(self.heard)


def fed_by(feature: str) -> tuple[str, ...] | None:
    """The streams any of which a feature can be made of; None of one that is made of several together."""
    return next((streams for start, streams in FED_BY if feature.startswith(start)), None)


def of_night(installation: Installation, night: str) -> Silent:
    """What the record of a night says; nothing is silent where it says nothing."""
    status = night_status.of(installation, night)
    counts = {} if status is None else status.counts
    found = supply.silence(counts, installation.settings.night)
    recent = [name for name, hours in supply.ages(counts).items() if hours <= EXPLAINS_HOURS]
    return Silent(
        streams=tuple(found.silent),
        lately=tuple(name for name in recent if name in found.silent),
        heard=tuple(name for name in recent if name not in found.silent),
        is_outage=found.is_outage,
    )


def lately(installation: Installation, night: str) -> list[Silent]:
    """What a night's signals may follow from: the silence of the night, and of the watched nights of the week before."""
    since = f"{pd.Timestamp(night) - STILL_FOLLOWS:%Y-%m-%d}"
    nights = [of.night for of in record.recent(installation, since) if of.night < night]
    return [of_night(installation, of) for of in (night, *nights)]
