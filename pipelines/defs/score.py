"""The night: the champion's scores, the delivery, its sinks, the page that says how it went, and a challenger in its shadow."""

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    MaterializeResult,
    asset,
)

from pipelines import late, night
from pipelines.defs.engineer import INSTALLATION, features_night
from pipelines.defs.partitions import nights
from pipelines.defs.retries import tried_again
from pipelines.release import shadow
from pipelines.sinks import night as sinks

NOTHING_BARRED = AssetCheckSpec(
    "nothing_kept_a_challenger_from_scoring",
    asset="model_shadow_scores",
    description="Every challenger there is could score beside the champion; a warning only, for the night is delivered.",
)
SINKS_UP_TO_DATE = AssetCheckSpec(
    "sinks_are_up_to_date",
    asset="report_sinks",
    description="Every sink has every delivery; a warning only, for the files are delivered and what it lacks is brought later.",
)


# After the night began, for its status says which past nights could not be delivered again.
@asset(group_name="report", deps=[features_night], partitions_def=nights, required_resource_keys=INSTALLATION)
def report_late(context: AssetExecutionContext) -> MaterializeResult:
    """Past nights that data concern which came in late, delivered again."""
    return MaterializeResult(metadata=late.redeliver(context.resources.installation, context.partition_key))


# After the late nights, for tonight's alerts rest on those before.
@asset(
    group_name="model", deps=[features_night, report_late], partitions_def=nights, required_resource_keys=INSTALLATION
)
def model_scores(context: AssetExecutionContext) -> MaterializeResult:
    """A row for everyone on the roster: a probability, or the reason why there is none."""
    with tried_again():
        return MaterializeResult(metadata=night.score(context.resources.installation, context.partition_key))


@asset(group_name="report", deps=[model_scores], partitions_def=nights, required_resource_keys=INSTALLATION)
def report_delivery(context: AssetExecutionContext) -> MaterializeResult:
    """The night's delivery: Parquet, CSV, FHIR and a manifest, whole or not at all."""
    return MaterializeResult(metadata=night.deliver(context.resources.installation, context.partition_key))


@asset(
    group_name="report",
    deps=[report_delivery],
    partitions_def=nights,
    required_resource_keys=INSTALLATION,
    check_specs=[SINKS_UP_TO_DATE],
)
def report_sinks(context: AssetExecutionContext) -> MaterializeResult:
    """The delivery brought to every sink, with whatever a sink that was down has missed."""
    reports = sinks.bring(context.resources.installation, context.partition_key)
    behind = {report.sink: report.why for report in reports if report.state == "behind"}
    check = AssetCheckResult(passed=not behind, severity=AssetCheckSeverity.WARN, metadata=behind)
    return MaterializeResult(metadata={report.sink: report.told() for report in reports}, check_results=[check])


@asset(group_name="report", deps=[report_sinks], partitions_def=nights, required_resource_keys=INSTALLATION)
def report_nightly(context: AssetExecutionContext) -> MaterializeResult:
    """How the night went: rows by status and tier, and what was missing."""
    return MaterializeResult(metadata=night.report(context.resources.installation, context.partition_key))


# Last, so that nothing of it can keep the champion's night from consumers.
@asset(
    group_name="model",
    deps=[report_nightly],
    partitions_def=nights,
    required_resource_keys=INSTALLATION,
    check_specs=[NOTHING_BARRED],
)
def model_shadow_scores(context: AssetExecutionContext) -> MaterializeResult:
    """What the challenger says of the same night, where shadow nights are asked for; sealed, for the gate counts nights only."""
    told = shadow.score(context.resources.installation, context.partition_key)
    barred = shadow.not_scored(told)
    check = AssetCheckResult(passed=not barred, severity=AssetCheckSeverity.WARN, metadata=barred)
    return MaterializeResult(metadata=told, check_results=[check])


ASSETS = (report_late, model_scores, report_delivery, report_sinks, report_nightly, model_shadow_scores)
