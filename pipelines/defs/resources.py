"""The one resource of every asset: the installation, a plain object, so that logic never sees Dagster."""

from collections.abc import Iterator
from datetime import UTC, datetime

from dagster import InitResourceContext, resource

from pipelines.installation import Installation
from pipelines.settings import load_settings
from pipelines.turn import alone


@resource(description="Settings, lake, model registry and audit log of this installation; held alone during a run.")
def installation(_: InitResourceContext) -> Iterator[Installation]:
    """The installation that `FORETIDE_CONFIG`, or foretide.yaml in the working directory, describes."""
    # A run under Dagster is a command like any other: this is where it learns what time it is.
    found = Installation(load_settings(), now=datetime.now(UTC))
    with alone(found):
        yield found
