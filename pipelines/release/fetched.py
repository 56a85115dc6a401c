"""A model folder as MLflow fetched it, for a notebook for instance, compared with what was registered."""

from pathlib import Path

import yaml

from pipelines.errors import Refused
from pipelines.release import tracking
from pipelines.release.registry import CONTENT_TAG
from pipelines.release.stored import content_hash

# MLflow writes it beside what it fetched, anew each time: which version was asked for, if one was.
ASKED_FOR = "registered_model_meta"


def verified(folder: Path) -> Path:
    """The folder, if its files are those that were registered; nothing of it is parsed.

    The hash that was registered lies in MLflow's database, apart from the files, with the version that was asked for or
    else with the logged model. Nothing that lies beside the files can stand in for it: who can alter the one can alter
    the other. So a copy is refused, too, as long as the database that knows it is not the one MLflow asks.

    Raises:
        Refused: the files are others, or MLflow's database does not know the model or cannot be asked.
    """
    registered = _registered(folder.parent.parent)
    if registered is None:
        raise Refused(
            "Nothing tells whether the model's files are those that were registered: MLflow's database does not know the "
            "model, or cannot be asked. Call `mlflow.set_tracking_uri` with the database it was registered in, then load it again."
        )
    if content_hash(folder) != registered:
        raise Refused(
            "The model's files are not those that were registered: altered or swapped. Restore MLflow's artifacts from a "
            "backup, or train and promote again."
        )
    return folder


def _registered(fetched: Path) -> str | None:
    """The content hash that MLflow's database tells of a fetched model; None where it tells none."""
    import mlflow
    from mlflow.exceptions import MlflowException
    from mlflow.models import Model
    from sqlalchemy.exc import SQLAlchemyError

    if not tracking.is_there(mlflow.get_tracking_uri()):
        return None
    note = fetched / ASKED_FOR
    asked_for = yaml.safe_load(note.read_text()) if note.is_file() else {}
    client = mlflow.MlflowClient()
    try:
        if asked_for.get("model_name"):
            tags = client.get_model_version(asked_for["model_name"], str(asked_for["model_version"])).tags
        else:
            tags = client.get_logged_model(str(Model.load(fetched).model_id)).tags
    except (MlflowException, SQLAlchemyError, OSError):
        return None
    return tags.get(CONTENT_TAG)
