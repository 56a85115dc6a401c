"""When the jobs run by themselves, once an operator switches them on in Dagster."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
from dagster import DagsterRunStatus, RunRequest, RunsFilter, ScheduleEvaluationContext, SkipReason, schedule

from features.calendar import DAY
from pipelines.cohort import known_at
from pipelines.dagster_home import PARTITION
from pipelines.defs.jobs import nightly, retrain
from pipelines.delivery.publish import current
from pipelines.settings import Settings, load_settings

NOT_AGAIN = (
    DagsterRunStatus.SUCCESS,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
)


def _is_over(settings: Settings, night: pd.Timestamp, now: datetime) -> bool:
    """Whether the last site's cutoff of a night has passed."""
    return bool(known_at(settings.sites, night) <= now)


def nights_due(settings: Settings, now: datetime) -> list[str]:
    """Tonight, once its last cutoff has passed, and before it the nights that were missed since the last delivery; oldest first.

    Missed nights are those between the newest night with a delivery and tonight, at most as many as are declared. Where no
    night was ever delivered, none was missed.
    """
    today = pd.Timestamp(f"{now:%Y-%m-%d}")
    over = [
        night
        for back in range(settings.night.catch_up_nights, -1, -1)
        if _is_over(settings, night := today - back * DAY, now)
    ]
    delivered = [night for night in over if current(settings.deliveries_folder, night) is not None]
    last = max(delivered, default=_before_all(settings, over))
    return [f"{night:%Y-%m-%d}" for night in over if night > last or night == today]


def _before_all(settings: Settings, over: Sequence[pd.Timestamp]) -> pd.Timestamp:
    """After which night others count as missed where none of the last ones was delivered: none do, unless one ever was."""
    first = over[0] if over else pd.Timestamp.max
    earlier = settings.deliveries_folder.glob("[0-9]*/latest.json")
    return first - DAY if any(path.parent.name < f"{first:%Y-%m-%d}" for path in earlier) else pd.Timestamp.max


def _ran(
    context: ScheduleEvaluationContext,
    job: str,
    night: str,
    statuses: Sequence[DagsterRunStatus] = tuple(DagsterRunStatus),
) -> bool:
    """Whether a job has a run for a night. The key of a run request is unique within a tick of the schedule only."""
    of_night = RunsFilter(job_name=job, tags={PARTITION: night}, statuses=list(statuses))
    return bool(context.instance.get_runs_count(of_night))


@schedule(job=nightly, cron_schedule="30 * * * *", execution_timezone="UTC")
def nightly_schedule(context: ScheduleEvaluationContext) -> list[RunRequest] | SkipReason:
    """Looks every hour whether tonight's last cutoff has passed, in whatever zone the sites are, and what was missed.

    A night that ran well or is under way is asked for no more; one that failed is tried again an hour later.
    """
    now = context.scheduled_execution_time
    nights = [night for night in nights_due(load_settings(), now) if not _ran(context, nightly.name, night, NOT_AGAIN)]
    if not nights:
        return SkipReason(f"The last cutoff of {now:%Y-%m-%d} lies ahead, or its night is done.")
    return [RunRequest(run_key=f"{night} {now:%H}", partition_key=night) for night in nights]


@schedule(job=retrain, cron_schedule="30 * 1 * *", execution_timezone="UTC")
def retrain_schedule(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    """The same, on the first day of each month; a training that was missed is not made up for."""
    now = context.scheduled_execution_time
    night = f"{now:%Y-%m-%d}"
    if not _is_over(load_settings(), pd.Timestamp(night), now) or _ran(context, retrain.name, night):
        return SkipReason(f"The last cutoff of {night} lies ahead, or its training was begun.")
    return RunRequest(run_key=night, partition_key=night)
