"""The jobs: `take_in` ingests, `retrain` makes a model, `nightly` makes a delivery; `foretide run` runs them in turn."""

from dagster import AssetSelection, define_asset_job, in_process_executor

from pipelines.defs import audit, engineer, ingest, monitor, score, train

# A stopped machine leaves a run STARTED; the limit frees the queue for the next night.
LIMIT = {"dagster/max_runtime": "7200"}
RETRAINED = (ingest.raw_tables, engineer.core_roster, engineer.core_days, engineer.features_matrix, *train.ASSETS,
             *audit.ASSETS)  # fmt: skip

take_in = define_asset_job(
    "take_in",
    selection=AssetSelection.assets(ingest.raw_tables),
    executor_def=in_process_executor,
    tags=LIMIT,
    description="Every declared source through the door into the lake, validated.",
)
retrain = define_asset_job(
    "retrain",
    selection=AssetSelection.assets(*RETRAINED),
    executor_def=in_process_executor,
    tags=LIMIT,
    description="Raw data to an audited, registered model, promoted if the release policy allows.",
)
retrain_and_ablate = define_asset_job(
    "retrain_and_ablate",
    selection=AssetSelection.assets(*RETRAINED, *train.ON_REQUEST),
    executor_def=in_process_executor,
    tags=LIMIT,
    description="The same, and before the model is registered every family of features is tried.",
)
nightly = define_asset_job(
    "nightly",
    selection=AssetSelection.assets(ingest.raw_tables, engineer.core_roster, engineer.core_days,
                                    engineer.features_night, *score.ASSETS, *monitor.ASSETS),
    executor_def=in_process_executor,
    tags=LIMIT,
    description="New data to one night's delivery, whole or not at all.",
)  # fmt: skip
