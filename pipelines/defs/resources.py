"""The one resource of every asset: the installation, a plain object, so that logic never sees Dagster."""

from collections.abc import Iterator
from datetime import UTC, datetime

from dagster import InitResourceContext, resource

from pipelines.dagster_home import PARTITION
from pipelines.installation import Installation
from pipelines.settings import load_settings
from pipelines.turn import alone

# The job's name, whose module needs this one.
NIGHTLY = "nightly"


@resource(description="Settings, lake, model registry and audit log of this installation; held alone during a run.")
def installation(context: InitResourceContext) -> Iterator[Installation]:
    """The installation that `FORETIDE_CONFIG`, or foretide.yaml in the working directory, describes."""
    # A run under Dagster is a command like any other: this is where it learns what time it is.
    found = Installation(load_settings(), now=datetime.now(UTC))
    run = context.dagster_run
    night = run.tags.get(PARTITION) if run is not None and run.job_name == NIGHTLY else None
    with alone(found, night):
        yield found
