"""Executes the jobs in this process, as runs that Dagster's pages show under their job and their assets."""

import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import cast

from dagster import DagsterExecutionStepExecutionError, DagsterInstance, DagsterRun, ResourceDefinition, RetryRequested

# Raised by public calls, but not exported.
from dagster._core.errors import DagsterAssetCheckFailedError, DagsterExecutionInterruptedError

from features.errors import FeaturesError
from models.errors import ModelsError
from pipelines import dagster_home, night_status, supply
from pipelines.definitions import defs
from pipelines.errors import ForetideError, Refused
from pipelines.installation import Installation
from pipelines.progress import Counts

# The repository label is what the job pages filter by; a run started by this process would lack it.
REPOSITORY = {".dagster/repository": "__repository__@pipelines.definitions"}
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def execute(installation: Installation, job: str, night: str | None = None) -> dict[str, Counts]:
    """Run one job, for one night where it is for nights, and return what each asset told, by its name.

    Raises:
        ForetideError, FeaturesError, ModelsError: what a step refused.
        Refused: a blocking check failed.
        KeyboardInterrupt: the process was asked to end.
    """
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with interrupts_kept(), dagster_home.opened(installation.settings) as instance:
        for run in dagster_home.reap(instance, installation.now):
            _put_on_record(installation, run)
        return _execute(installation, instance, job, night)


def _put_on_record(installation: Installation, left: DagsterRun) -> None:
    """Say of a night whose run was cut off that it was; a night that was over by then stands as it is."""
    night = left.tags.get(dagster_home.PARTITION)
    if left.job_name != "nightly" or night is None:
        return
    status = night_status.of(installation, night)
    if status is None or not status.is_over:
        night_status.fail(installation, night, dagster_home.CUT_OFF)


@contextlib.contextmanager
def interrupts_kept() -> Iterator[None]:
    """Raise at the end what came in between and was lost: amid Dagster's own work after the last step, or in a finalizer.

    Raises:
        KeyboardInterrupt: the process was asked to end, and nothing else was raised.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    # The interpreter writes the number of each signal there, whoever handles it.
    before, told = signal.set_wakeup_fd(writer, warn_on_full_buffer=False), sys.unraisablehook
    received = b""

    def untold(lost: "sys.UnraisableHookArgs") -> None:
        if not isinstance(lost.exc_value, KeyboardInterrupt):
            told(lost)

    sys.unraisablehook = untold
    try:
        yield
        with contextlib.suppress(BlockingIOError):
            received = os.read(reader, 64)
    finally:
        sys.unraisablehook = told
        signal.set_wakeup_fd(before)
        os.close(reader)
        os.close(writer)
    if {signal.SIGINT, signal.SIGTERM}.intersection(received):
        raise KeyboardInterrupt


def _execute(installation: Installation, instance: DagsterInstance, job: str, night: str | None) -> dict[str, Counts]:
    try:
        result = defs.resolve_job_def(job).execute_in_process(
            instance=instance,
            partition_key=night,
            run_config=QUIET,
            tags=REPOSITORY | dagster_home.BY_COMMAND,
            resources={"installation": ResourceDefinition.hardcoded_resource(installation)},
        )
    except DagsterExecutionStepExecutionError as error:
        refused = error.user_exception
        if isinstance(refused, RetryRequested):
            refused = refused.__cause__
        if isinstance(refused, ForetideError | FeaturesError | ModelsError):
            raise refused from None
        raise
    except DagsterExecutionInterruptedError:
        # Dagster has put the run on record as failed; its own name for Ctrl-C is known to nobody above.
        raise KeyboardInterrupt from None
    except DagsterAssetCheckFailedError as error:
        if night is not None and any(check in str(error) for check in (supply.FRESH, supply.COMPLETE)):
            raise Refused(_lacking(installation, night)) from None
        raise Refused(
            f"The job `{job}` stopped: rows in the lake break what must hold. The newest page under “Data” in "
            f"{installation.settings.reports_folder} says which and how many. Cure the source, or declare a waiver with a "
            "reason and an end under `door: waivers:`."
        ) from None
    made = [event.step_materialization_data.materialization for event in result.get_asset_materialization_events()]
    return {
        of.asset_key.to_user_string(): {name: cast("float | str", told.value) for name, told in of.metadata.items()}
        for of in made
    }


def _lacking(installation: Installation, night: str) -> str:
    """What the night's data lack, where that stops it."""
    status = night_status.of(installation, night)
    levels = () if status is None else zip(status.levels, status.reasons, strict=True)
    said = " ".join(reason for level, reason in levels if level == "red")
    return (
        f"{said} That stops the night (`night:` in the configuration). Have the stream sent, or declare another limit."
    )
