"""From raw tables to what a model sees: who is on the roster, the day panel, the feature matrices."""

from dagster import AssetExecutionContext, MaterializeResult, asset

from pipelines import engineering
from pipelines.defs.ingest import SPECS
from pipelines.defs.partitions import nights

RAW = [spec.key for spec in SPECS]
INSTALLATION = {"installation"}


@asset(group_name="core", deps=RAW, partitions_def=nights, required_resource_keys=INSTALLATION)
def core_roster(context: AssetExecutionContext) -> MaterializeResult:
    """Subjects enrolled by the night, consent not ended, known by the cutoff: each must get a row."""
    cohort = engineering.cohort(context.resources.installation, context.partition_key)
    return MaterializeResult(
        metadata={"subjects_known": len(cohort.subjects), "subjects_on_roster": len(cohort.roster)}
    )


@asset(group_name="core", deps=RAW, partitions_def=nights, required_resource_keys=INSTALLATION)
def core_days(context: AssetExecutionContext) -> MaterializeResult:
    """The day panel: one row per subject, local day and version of what was known about it."""
    panel = engineering.panel(context.resources.installation, context.partition_key)
    return MaterializeResult(metadata={"subject_days_computed": panel.days_computed})


@asset(group_name="features", deps=[core_roster, core_days], partitions_def=nights, required_resource_keys=INSTALLATION)
def features_matrix(context: AssetExecutionContext) -> MaterializeResult:
    """The feature matrix for training: one row per subject and past index date, each as known at its own cutoff."""
    shapes = engineering.training_matrices(context.resources.installation, context.partition_key)
    return MaterializeResult(metadata={outcome: f"{rows} rows x {features} features"
                                       for outcome, (rows, features) in shapes.items()})  # fmt: skip


@asset(group_name="features", deps=[core_roster, core_days], partitions_def=nights, required_resource_keys=INSTALLATION)
def features_night(context: AssetExecutionContext) -> MaterializeResult:
    """The feature matrix of one night: one row per subject on the roster."""
    shapes = engineering.night_matrices(context.resources.installation, context.partition_key)
    return MaterializeResult(metadata={outcome: f"{rows} rows x {features} features"
                                       for outcome, (rows, features) in shapes.items()})  # fmt: skip
