"""Dagster's home: opened by one process at a time where it is still to be made, and rid of runs whose process is gone.

A fresh SQLite home breaks under several first starts, and a run that was cut off stays in progress for ever and holds the
only place in the queue: Dagster itself does nothing about either.
"""

import contextlib
import os
from collections.abc import Iterator
from datetime import datetime

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunsFilter
from dagster._core.events import JobFailureData, RunFailureReason

from pipelines import locks
from pipelines.errors import Usage
from pipelines.settings import Settings

LOCK_NAME, CONFIG_NAME = "dagster.lock", "dagster.yaml"
# Queued runs are none of them: a daemon that comes back takes them up.
IN_PROGRESS = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
CUT_OFF = (
    "The process of this run is gone: the machine or the process was stopped in mid-run. Nothing is half-written; the same "
    "night again finishes the job."
)
PARTITION = "dagster/partition"
# On runs of a command, which tells by itself what became of them and is given again by hand.
BY_COMMAND = {"foretide/by": "command", "dagster/max_retries": "0"}


@contextlib.contextmanager
def opened(settings: Settings) -> Iterator[DagsterInstance]:
    """The home's instance; paths in dagster.yaml are relative to the home, which is the working directory meanwhile.

    Raises:
        Usage: there is no dagster.yaml.
    """
    if not (settings.home / CONFIG_NAME).is_file():
        raise Usage(
            f"There is no `{CONFIG_NAME}` beside the configuration. Copy the project's: without it Dagster would send telemetry, "
            "and keep its records among your files."
        )
    settings.state_folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(settings.home):
        os.environ["DAGSTER_HOME"] = str(settings.home)
        with locks.in_turn(settings.state_folder / LOCK_NAME):
            instance = DagsterInstance.get()
            # Each makes its database when it is first asked.
            instance.get_runs(limit=1)
            instance.all_instigator_state()
            instance.event_log_storage.get_maximum_record_id()
        with instance:
            yield instance


def reap(instance: DagsterInstance, now: datetime | None) -> list[DagsterRun]:
    """Put runs on record as failed that a process left behind when it ended; which.

    Whoever calls holds the installation: a run that is in progress and does not hold it is at its very start, or gone.
    Runs made since the command was given are let be.
    """
    left = instance.get_run_records(RunsFilter(statuses=IN_PROGRESS))
    left = [record for record in left if now is None or record.create_timestamp <= now]
    for record in left:
        reason = JobFailureData(error=None, failure_reason=RunFailureReason.UNEXPECTED_TERMINATION)
        instance.report_run_failed(record.dagster_run, CUT_OFF, reason)
    return [record.dagster_run for record in left]
