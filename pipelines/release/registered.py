"""The registered model that a person names: `NAME/VERSION` or `NAME@ALIAS`."""

import re

from models import risk
from models.risk import HazardModel
from pipelines.errors import Fault, Refused, Usage
from pipelines.installation import Installation
from pipelines.release import horizons, tracking
from pipelines.release.registry import ModelVersion, ServedModel

NAMED = re.compile(r"(?P<name>[^/@]+)(?:/(?P<number>[0-9]+)|@(?P<alias>[^/@]+))")


AWAY = "The model registry cannot be reached, so that no past score can be computed again. Bring it back."


def named(installation: Installation, told: str) -> ModelVersion:
    """The version that a person means.

    Raises:
        Usage: it is not of that form.
        Refused: there is no such model.
    """
    form = NAMED.fullmatch(told)
    if form is None:
        raise Usage(
            "A model is named by `NAME/VERSION` or `NAME@ALIAS`, such as foretide-crisis/3 or foretide-crisis@champion."
        )
    registry, found = installation.registry, None
    if tracking.is_there(registry.tracking_uri):
        name, number, alias = form.group("name", "number", "alias")
        found = registry.version(name, number) if number else registry.find(name, alias)
    if found is None:
        raise Refused(
            f"There is no model `{told}` in this installation. `foretide promotions` lists what has served, and MLflow "
            "(`foretide ui`) every version."
        )
    return found


def of_delivery(installation: Installation, told: str) -> ServedModel:
    """What made scores that a delivery tells of as `NAME/VERSION (...)`, whether or not it serves today; its files verified.

    Raises:
        Refused: the version was deleted, its files were altered, or it was fitted for other horizons than are declared.
        Fault: the registry cannot be asked.
    """
    label = told.partition(" ")[0]
    name, _, number = label.rpartition("/")
    if not tracking.is_there(installation.registry.tracking_uri):
        # Asked, MLflow would make an empty one.
        raise Fault(AWAY)
    try:
        version = installation.registry.version(name, number)
    except tracking.unreachable() as error:
        raise Fault(AWAY) from error
    if version is None:
        raise Refused(f"The model version {label} was deleted from the registry.")
    served = ServedModel(version, installation.registry.fetch(version))
    horizons.refuse_others(installation.settings, served)
    return served


def load(installation: Installation, version: ModelVersion) -> HazardModel:
    """The fitted model of a version, its files verified first.

    Raises:
        Refused: the files are not those that were registered.
    """
    return risk.load(installation.registry.fetch(version))


def label(version: ModelVersion) -> str:
    """How answers call it: `NAME/VERSION`."""
    return f"{version.name}/{version.version}"
