"""What a training learnt from, as MLflow's dataset inputs: names and versions of the lake's tables, and no row of theirs."""

from typing import TYPE_CHECKING

import pandas as pd
from deltalake import DeltaTable

from pipelines.lake import Lake
from pipelines.raw_rows import RAW
from pipelines.release import tracking

if TYPE_CHECKING:
    from mlflow.data.meta_dataset import MetaDataset

# MLflow keeps no longer digests.
DIGEST = 36


def inputs(lake: Lake, content_version: str) -> "list[MetaDataset]":
    """Each raw table of the lake that holds anything, by name, with its version in Delta's log.

    Neither schema nor profile is given: MLflow would make a profile from values. Erasure leaves no file of an older version,
    so a version names what was read and cannot always be read again.

    Args:
        content_version: of what was known (`contents.version`); the digest is its beginning.
    """
    tracking.import_mlflow()
    from mlflow.data.delta_dataset_source import DeltaDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    found = []
    for name in lake.tables():
        folder = str(lake.root / RAW / name)
        source = DeltaDatasetSource(path=folder, delta_table_version=DeltaTable(folder).version())
        found.append(MetaDataset(source, name, content_version[:DIGEST]))  # type: ignore[abstract] # it has no profile
    return found


def log(inputs: "list[MetaDataset]", known_at: pd.Timestamp) -> None:
    """Put dataset inputs onto the run that is open, with the instant by which their rows were received."""
    mlflow = tracking.import_mlflow()
    for dataset in inputs:
        mlflow.log_input(dataset, context="training", tags={"known_at": known_at.isoformat()})
