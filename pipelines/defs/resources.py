"""The one resource of every asset: the installation, a plain object, so that logic never sees Dagster."""

from dagster import InitResourceContext, resource

from pipelines.installation import Installation
from pipelines.settings import load_settings


@resource(description="Settings, lake, model registry and audit log of this installation.")
def installation(_: InitResourceContext) -> Installation:
    """The installation that `FORETIDE_CONFIG`, or foretide.yaml in the working directory, describes."""
    return Installation(load_settings())
