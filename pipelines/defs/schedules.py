"""When the jobs run by themselves, once an operator switches them on in Dagster."""

from dagster import RunRequest, ScheduleEvaluationContext, schedule

from pipelines.defs.jobs import nightly, retrain


def _tonight(context: ScheduleEvaluationContext) -> RunRequest:
    night = f"{context.scheduled_execution_time:%Y-%m-%d}"
    return RunRequest(run_key=night, partition_key=night)


@schedule(job=nightly, cron_schedule="30 3 * * *", execution_timezone="UTC")
def nightly_schedule(context: ScheduleEvaluationContext) -> RunRequest:
    """Half an hour after the default cutoff; move it where cutoffs of your sites come later."""
    return _tonight(context)


@schedule(job=retrain, cron_schedule="0 4 1 * *", execution_timezone="UTC")
def retrain_schedule(context: ScheduleEvaluationContext) -> RunRequest:
    """On the first day of each month."""
    return _tonight(context)
