"""What people read about a model: the fairness report and the model report."""

from dagster import AssetExecutionContext, MaterializeResult, MetadataValue, TableRecord, asset

from pipelines.defs.engineer import INSTALLATION
from pipelines.defs.partitions import nights
from pipelines.defs.train import model_challenger
from pipelines.release import fairness, reporting


@asset(group_name="report", deps=[model_challenger], partitions_def=nights, required_resource_keys=INSTALLATION)
def report_fairness(context: AssetExecutionContext) -> MaterializeResult:
    """Whom the challenger serves better or worse, with intervals and verdicts, as one page and as tables."""
    told = fairness.audit(context.resources.installation, context.partition_key)
    metadata: dict[str, MetadataValue] = {}
    for of in told:
        rows = [TableRecord(row) for row in fairness.compared(of.shown)]
        metadata |= {of.outcome: MetadataValue.text(fairness.counted(of.audit)), f"{of.outcome}: verdicts": MetadataValue.table(rows),
                     f"{of.outcome}: page": MetadataValue.path(of.page)}  # fmt: skip
    return MaterializeResult(metadata=metadata)


@asset(group_name="report", deps=[report_fairness], partitions_def=nights, required_resource_keys=INSTALLATION)
def report_model(context: AssetExecutionContext) -> MaterializeResult:
    """The model against every baseline, how well it is calibrated, and what the gate decides."""
    return MaterializeResult(metadata=reporting.model_report(context.resources.installation, context.partition_key))


ASSETS = (report_fairness, report_model)
