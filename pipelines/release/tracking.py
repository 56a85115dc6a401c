"""The MLflow store: opened quietly, once, without telemetry and without pickle; and results as MLflow metrics.

Holds what is about MLflow itself; which model serves is `pipelines.release.registry`'s business.
"""

import hashlib
import logging
import os
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version as installed_version
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from models.baselines import MODEL
from models.evaluation import GAIN
from pipelines import locks

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient

EXPERIMENT = "foretide"
NOT_FOUND, EXISTS = "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"
SQLITE = "sqlite:///"
# Read by MLflow when it is imported: no egress, no pickled models, no bars in the middle of ours.
ENVIRONMENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
SERVING_CODE = Path(__file__).with_name("serving_model.py")
# What loading and scoring need besides Foretide itself, which is on no index: naming it would invite an impostor.
REQUIREMENTS = ("mlflow", "numpy", "pandas", "scikit-learn", "xgboost")
# What the run's metrics show: everything of the model, and the headline of what it must beat. The rest is in tables.
HEADLINE = "auroc"


def is_there(tracking_uri: str) -> bool:
    """Whether the store exists; asking MLflow would create an empty one. A server is taken to exist."""
    return not tracking_uri.startswith(SQLITE) or Path(tracking_uri.removeprefix(SQLITE)).is_file()


def import_mlflow() -> ModuleType:
    """MLflow, imported in silence: it takes seconds, and warns about its own modules."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow
        import mlflow.pyfunc
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    return mlflow


def unreachable() -> tuple[type[Exception], ...]:
    """What MLflow raises where its store cannot be asked."""
    from sqlalchemy.exc import SQLAlchemyError

    return import_mlflow().exceptions.MlflowException, SQLAlchemyError, OSError


def open_store(tracking_uri: str, artifact_root: Path) -> tuple["MlflowClient", str]:
    """A client and the id of Foretide's experiment; both store and experiment are made at the first call.

    Several first calls at once wait for one another, since MLflow's own first start is not safe against that.
    """
    mlflow = import_mlflow()
    artifact_root.mkdir(parents=True, exist_ok=True)
    with locks.in_turn(artifact_root / ".store.lock"):
        if tracking_uri.startswith(SQLITE):
            Path(tracking_uri.removeprefix(SQLITE)).parent.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(tracking_uri)
        client = mlflow.MlflowClient(tracking_uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        if experiment is not None:
            return client, experiment.experiment_id
        # Without a location of their own artifacts would land in the working directory.
        return client, client.create_experiment(
            EXPERIMENT,
            artifact_location=artifact_root.resolve().as_uri(),
            tags={"mlflow.experimentKind": "custom_model_development"},
        )


def log_results(tables: Mapping[str, pd.DataFrame], figures: Mapping[str, "Figure"]) -> None:
    """Put tables and figures onto the run that is open."""
    mlflow = import_mlflow()
    for name, table in tables.items():
        mlflow.log_table(table, f"tables/{name}.json")
    for name, figure in figures.items():
        mlflow.log_figure(figure, f"figures/{name}.png")


def log_model(
    folder: Path, feature_list: Sequence[str], horizons_days: Sequence[int], input_example: pd.DataFrame,
    tags: Mapping[str, str],
) -> Any:  # fmt: skip
    """The model folder as an MLflow model of the run that is open: models from code, nothing pickled."""
    return import_mlflow().pyfunc.log_model(
        name="model",
        python_model=str(SERVING_CODE),
        artifacts={"model": str(folder)},
        pip_requirements=[f"{package}=={installed_version(package)}" for package in REQUIREMENTS],
        signature=_signature(feature_list, horizons_days),
        input_example=input_example[list(feature_list) or list(input_example)].astype(float),
        tags=dict(tags),
    )


def _signature(feature_list: Sequence[str], horizons_days: Sequence[int]) -> Any:
    """Features in, one risk per horizon out. Of a model that needs no feature, like the prevalence, only what comes out.

    Features are optional, which is how MLflow itself calls columns with missing values. That none of them is left out
    is the model's own to check: where MLflow checks it, its error prints rows or names no column.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    # MLflow knows no schema without columns.
    given = Schema([ColSpec("double", name, required=False) for name in feature_list]) if feature_list else None
    return ModelSignature(given, Schema([ColSpec("double", f"risk_{days}d") for days in horizons_days]))


def log_texts(tracking_uri: str, run_id: str, folder: str, texts: Mapping[str, str]) -> None:
    """Put texts into a folder of a run that is over, by file name; a text already there is replaced."""
    client = import_mlflow().MlflowClient(tracking_uri)
    for name, text in texts.items():
        client.log_text(run_id, text, f"{folder}/{name}")


def set_tag(tracking_uri: str, run_id: str, name: str, value: str) -> None:
    """Put a tag on a run that is over, in place of one of that name: runs are found by it."""
    import_mlflow().MlflowClient(tracking_uri).set_tag(run_id, name, value)


def content_of(rows: pd.DataFrame) -> str:
    """Hash of tidy rows, by which a model and the results of its training know one another."""
    return hashlib.sha256(rows.to_json(orient="values", double_precision=15).encode()).hexdigest()


def metrics_of(rows: pd.DataFrame) -> dict[str, float]:
    """Tidy rows as MLflow metrics, `<split>/<task>_<horizon>d_<metric>`, a baseline's name behind its own.

    Only ungrouped, finite values; groups are left to the audit's tables.
    """
    is_gain = rows["metric"] == GAIN
    chosen = rows[is_gain | (rows["group"] == "all") & ((rows["model"] == MODEL) | (rows["metric"] == HEADLINE))]
    found = {}
    for row in chosen[np.isfinite(chosen["value"].astype(float))].to_dict("records"):
        # MLflow allows no percent sign in a metric's name.
        metric = row["metric"].replace("%", "_percent")
        name = f"{row['split']}/{row['task']}_{row['horizon_days']:g}d_{metric}"
        found[name if row["model"] == MODEL else f"{name}_{row['model']}"] = float(row["value"])
    return found
