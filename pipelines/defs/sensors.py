"""What starts a job besides the clock, once an operator switches it on in Dagster."""

from collections.abc import Iterator

from dagster import RunRequest, SensorEvaluationContext, sensor

from pipelines.defs.jobs import retrain
from pipelines.monitoring import retraining
from pipelines.settings import load_settings

EVERY_SECONDS = 600


@sensor(job=retrain, minimum_interval_seconds=EVERY_SECONDS)
def retrain_that_was_asked_for(_: SensorEvaluationContext) -> Iterator[RunRequest]:
    """A retraining for each request of monitoring; its key lets it run once only, and the gate decides what serves."""
    for request in retraining.read(load_settings().monitoring_folder / retraining.REQUESTS):
        yield RunRequest(run_key=f"monitoring {request.night}", partition_key=request.night)
