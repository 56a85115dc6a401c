"""From feature matrix to a registered challenger: labels, honest evaluation, final fit, release decision."""

from dagster import AssetExecutionContext, MaterializeResult, asset

from pipelines.defs.engineer import INSTALLATION, features_matrix
from pipelines.defs.partitions import nights
from pipelines.defs.retries import tried_again
from pipelines.release import promotion
from pipelines.training import ablation, controls, evaluating, fitting, labelling


@asset(group_name="model", deps=[features_matrix], partitions_def=nights, required_resource_keys=INSTALLATION)
def model_labels(context: AssetExecutionContext) -> MaterializeResult:
    """For each index row and task: days to the next onset or event, days followed up, masked or not."""
    return MaterializeResult(metadata=labelling.make_labels(context.resources.installation, context.partition_key))


@asset(group_name="model", deps=[model_labels], partitions_def=nights, required_resource_keys=INSTALLATION)
def model_evaluation(context: AssetExecutionContext) -> MaterializeResult:
    """The model and every baseline on subjects they never saw, with intervals from resampled subjects."""
    return MaterializeResult(metadata=evaluating.evaluate(context.resources.installation, context.partition_key))


@asset(group_name="model", deps=[model_evaluation], partitions_def=nights, required_resource_keys=INSTALLATION)
def model_ablation(context: AssetExecutionContext) -> MaterializeResult:
    """What each family of features adds; made on request, for it takes longer than all the rest of a training."""
    return MaterializeResult(metadata=ablation.ablate(context.resources.installation, context.partition_key))


@asset(group_name="model", deps=[model_evaluation], partitions_def=nights, required_resource_keys=INSTALLATION)
def model_controls(context: AssetExecutionContext) -> MaterializeResult:
    """Whether anything leaks: labels that say nothing, features from raw rows, a fit without its test rows."""
    return MaterializeResult(metadata=controls.check(context.resources.installation, context.partition_key))


# Of the ablation only what belongs to this very training is logged with it.
@asset(group_name="model", deps=[model_evaluation, model_controls, model_ablation], partitions_def=nights,
       required_resource_keys=INSTALLATION)  # fmt: skip
def model_challenger(context: AssetExecutionContext) -> MaterializeResult:
    """The predictor that earned it, fitted on everybody and registered as challenger."""
    installation, night = context.resources.installation, context.partition_key
    with tried_again():
        return MaterializeResult(metadata=fitting.register(installation, night, ablation.tables(installation, night)))


@asset(group_name="model", deps=["report_model"], partitions_def=nights, required_resource_keys=INSTALLATION)
def model_champion(context: AssetExecutionContext) -> MaterializeResult:
    """The release decision: the challenger serves if the policy, the audit included, allows it."""
    with tried_again():
        return MaterializeResult(metadata=promotion.decide(context.resources.installation, context.partition_key))


ASSETS = (model_labels, model_evaluation, model_controls, model_challenger, model_champion)
ON_REQUEST = (model_ablation,)
