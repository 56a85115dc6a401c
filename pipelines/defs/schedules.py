"""When the jobs run by themselves, once an operator switches them on in Dagster."""

from collections.abc import Sequence
from datetime import datetime

from dagster import DagsterRunStatus, RunRequest, RunsFilter, ScheduleEvaluationContext, SkipReason, schedule

from pipelines.cohort import known_at
from pipelines.dagster_home import PARTITION
from pipelines.defs.jobs import nightly, retrain
from pipelines.nights_due import nights_due, tonight
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
    since: datetime | None = None,
) -> bool:
    """Whether a job has a run for a night. The key of a run request is unique within a tick of the schedule only."""
    of_night = RunsFilter(job_name=job, tags={PARTITION: night}, statuses=list(statuses), created_after=since)
    return bool(context.instance.get_runs_count(of_night))


@schedule(job=nightly, cron_schedule="30 * * * *", execution_timezone="UTC")
def nightly_schedule(context: ScheduleEvaluationContext) -> list[RunRequest] | SkipReason:
    """Looks every hour which night is over, in whatever zone the sites are, and what was missed.

    A night that ran well or is under way is asked for no more. Tonight's, if it failed, is tried again an hour later; an earlier
    one once with each night, as by `foretide score`, for some are refused for good and would keep tonight's waiting.
    """
    now, settings = context.scheduled_execution_time, load_settings()
    *missed, last = nights_due(settings, now)
    begun = known_at(settings.sites, tonight(settings, now))
    untried = [night for night in missed if not _ran(context, nightly.name, night, since=begun)]
    nights = [night for night in (*untried, last) if not _ran(context, nightly.name, night, NOT_AGAIN)]
    if not nights:
        return SkipReason(f"The night of {last} is done, and so are those before it.")
    return [RunRequest(run_key=f"{night} {now:%H}", partition_key=night) for night in nights]


@schedule(job=retrain, cron_schedule="30 * * * *", execution_timezone="UTC")
def retrain_schedule(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    """The same, once a month, on its first night; a training that was missed is not made up for."""
    last = tonight(load_settings(), context.scheduled_execution_time)
    night = f"{last:%Y-%m-%d}"
    if last.day != 1 or _ran(context, retrain.name, night):
        return SkipReason(f"The night of {night} is not the first of a month, or its training was begun.")
    return RunRequest(run_key=night, partition_key=night)
