"""Which registered models were trained on subjects who withdrew, and until when they may be kept.

The date stands as a tag on the model's version in MLflow, where whoever trains and promotes sees it.
"""

from dataclasses import dataclass

import pandas as pd

from pipelines.errors import Fault
from pipelines.installation import Installation
from pipelines.release import tracking

RETRAIN_BY = "retrain_by"


@dataclass(frozen=True)
class FlaggedModel:
    """A version that was trained on somebody who withdrew; `serves` names its aliases, if it has any."""

    name: str
    version: str
    retrain_by: str
    aliases: str


def flag(installation: Installation, first_received: pd.Timestamp, retrain_by: str) -> None:
    """Tag every version that may have seen rows received at `first_received`; an earlier date stands.

    Raises:
        Fault: the registry cannot be reached.
    """
    for version in _versions(installation):
        known_at = version.tags.get("known_at")
        if known_at is None or pd.Timestamp(known_at) >= first_received:
            date = min(retrain_by, version.tags.get(RETRAIN_BY, retrain_by))
            _client(installation).set_model_version_tag(version.name, version.version, RETRAIN_BY, date)


def flagged(installation: Installation) -> list[FlaggedModel]:
    """Every version that is still kept though somebody it was trained on withdrew."""
    client, found = None, []
    for version in _versions(installation):
        if RETRAIN_BY in version.tags:
            client = client or _client(installation)
            aliases = client.get_model_version(version.name, version.version).aliases
            found.append(
                FlaggedModel(version.name, str(version.version), version.tags[RETRAIN_BY], ", ".join(sorted(aliases)))
            )
    return found


def _client(installation: Installation):  # type: ignore[no-untyped-def]
    settings = installation.settings
    return tracking.open_store(settings.tracking_uri, settings.artifacts_folder)[0]


def _versions(installation: Installation):  # type: ignore[no-untyped-def]
    if not tracking.is_there(installation.settings.tracking_uri):
        return []
    try:
        found = _client(installation).search_model_versions(max_results=10_000)
    except tracking.unreachable() as error:
        raise Fault(
            "The model registry cannot be reached, so nobody can tell which models were trained on whoever withdrew; "
            "nothing was erased yet. Bring the registry back, then give the command again."
        ) from error
    return sorted(found, key=lambda version: (version.name, int(version.version)))
