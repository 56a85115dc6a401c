"""When the jobs run by themselves, once an operator switches them on in Dagster."""

from collections.abc import Sequence

import pandas as pd
from dagster import DagsterRunStatus, RunRequest, RunsFilter, ScheduleEvaluationContext, SkipReason, schedule

from pipelines.dagster_home import PARTITION
from pipelines.defs.jobs import nightly, retrain
from pipelines.nights_due import is_over, nights_due
from pipelines.settings import load_settings

NOT_AGAIN = (
    DagsterRunStatus.SUCCESS,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
)


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
    if not is_over(load_settings(), pd.Timestamp(night), now) or _ran(context, retrain.name, night):
        return SkipReason(f"The last cutoff of {night} lies ahead, or its training was begun.")
    return RunRequest(run_key=night, partition_key=night)
