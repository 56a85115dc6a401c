"""When the jobs run by themselves, once an operator switches them on in Dagster."""

import pandas as pd
from dagster import RunRequest, ScheduleEvaluationContext, SkipReason, schedule

from pipelines.cohort import known_at
from pipelines.defs.jobs import nightly, retrain
from pipelines.settings import load_settings


def _once_the_night_is_over(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    """A run for today's night as soon as the last site's cutoff has passed; its key lets it run once only."""
    now = context.scheduled_execution_time
    night = f"{now:%Y-%m-%d}"
    if known_at(load_settings().sites, pd.Timestamp(night)) > now:
        return SkipReason(f"The last cutoff of {night} lies ahead.")
    return RunRequest(run_key=night, partition_key=night)


@schedule(job=nightly, cron_schedule="30 * * * *", execution_timezone="UTC")
def nightly_schedule(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    """Looks every hour whether tonight's last cutoff has passed, in whatever zone the sites are."""
    return _once_the_night_is_over(context)


@schedule(job=retrain, cron_schedule="30 * 1 * *", execution_timezone="UTC")
def retrain_schedule(context: ScheduleEvaluationContext) -> RunRequest | SkipReason:
    """The same, on the first day of each month."""
    return _once_the_night_is_over(context)
