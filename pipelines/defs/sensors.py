"""What starts a job besides the clock, and what happens when a run fails that nobody watches."""

from collections.abc import Iterator

from dagster import (
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunFailureSensorContext,
    RunRequest,
    RunsFilter,
    SensorEvaluationContext,
    run_failure_sensor,
    sensor,
)
from dagster._core.storage.tags import WILL_RETRY_TAG
from dagster_shared.error import SerializableErrorInfo

from features import errors as feature_errors
from models import errors as model_errors
from pipelines import errors, night_status, turn
from pipelines.dagster_home import BY_COMMAND, CUT_OFF, PARTITION
from pipelines.defs.jobs import nightly, retrain
from pipelines.installation import Installation
from pipelines.monitoring import retraining
from pipelines.night_record import NightStatus
from pipelines.settings import load_settings

OWN = {name for module in (errors, feature_errors, model_errors, turn) for name in vars(module) if name[0].isupper()}
EVERY_SECONDS = 600
UNFORESEEN = "It broke down with an unforeseen fault. Its run in Dagster holds the place."


@sensor(job=retrain, minimum_interval_seconds=EVERY_SECONDS)
def retrain_that_was_asked_for(_: SensorEvaluationContext) -> Iterator[RunRequest]:
    """A retraining for each request of monitoring; its key lets it run once only, and the gate decides what serves."""
    for request in retraining.read(load_settings().monitoring_folder / retraining.REQUESTS):
        yield RunRequest(run_key=f"monitoring {request.night}", partition_key=request.night)


@run_failure_sensor(monitored_jobs=[nightly], default_status=DefaultSensorStatus.RUNNING)
def night_failed(context: RunFailureSensorContext) -> None:
    """A night that was refused or broke down under the daemon is red, and told; a command tells its own."""
    run, night = context.dagster_run, context.dagster_run.tags.get(PARTITION)
    if night is None or not _is_last_word(context.instance, run):
        return
    installation = Installation(load_settings())
    # What is refused before any step, as a place that is taken, is said of the run alone.
    events = [*context.get_step_failure_events(), context.failure_event]
    said = [getattr(event.event_specific_data, "error", None) for event in events]
    if any(_is(error, turn.AtWork) for error in said):
        # It is tried again every hour, and was no fault of the night's.
        night_status.waits(installation, night)
        return
    stopped = _stopped_by_its_data(night_status.of(installation, night))
    why = next((words for error in said if (words := in_words(error))), None) or stopped
    night_status.fail(installation, night, why or (CUT_OFF if context.failure_event.message == CUT_OFF else UNFORESEEN))


def _is_last_word(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Whether nothing comes after the failure: no further try of the daemon's, no later success, and no command in charge."""
    if run.tags.get(WILL_RETRY_TAG) == "true" or BY_COMMAND.items() <= run.tags.items():
        return False
    of_night = RunsFilter(
        job_name=run.job_name, tags={PARTITION: run.tags[PARTITION]}, statuses=[DagsterRunStatus.SUCCESS]
    )
    failed = instance.get_run_record_by_id(run.run_id)
    later = [
        r for r in instance.get_run_records(of_night) if failed is None or r.create_timestamp > failed.create_timestamp
    ]
    return not later


def _stopped_by_its_data(status: NightStatus | None) -> str | None:
    """What the night's own checks found, where they stopped it."""
    reds = [] if status is None else [r for of, r in zip(status.levels, status.reasons, strict=True) if of == "red"]
    return " ".join(reds) or None


def _is(error: SerializableErrorInfo | None, kind: type[Exception]) -> bool:
    """Whether an error, or what it came from, is of a kind."""
    while error is not None:
        if error.cls_name == kind.__name__:
            return True
        error = error.cause
    return False


def in_words(error: SerializableErrorInfo | None) -> str | None:
    """What a step refused, where it is an error of ours, whose text is made to be read; else nothing."""
    while error is not None:
        if error.cls_name in OWN:
            return error.message.partition(": ")[2].strip()
        error = error.cause
    return None
