"""Dagster's entry point, nothing else; what is defined lives in `pipelines/defs/`."""

from dagster import Definitions, load_assets_from_modules

from pipelines.defs import audit, engineer, ingest, monitor, score, train
from pipelines.defs.checks import night_has_enough_to_go_on, nothing_implausible_is_new, raw_tables_are_fit
from pipelines.defs.jobs import nightly, retrain, retrain_and_ablate, take_in
from pipelines.defs.resources import installation
from pipelines.defs.schedules import nightly_schedule, retrain_schedule
from pipelines.defs.sensors import night_failed, retrain_that_was_asked_for

defs = Definitions(
    assets=load_assets_from_modules([ingest, engineer, train, audit, score, monitor]),
    asset_checks=[raw_tables_are_fit, nothing_implausible_is_new, night_has_enough_to_go_on],
    jobs=[take_in, retrain, retrain_and_ablate, nightly],
    schedules=[nightly_schedule, retrain_schedule],
    sensors=[night_failed, retrain_that_was_asked_for],
    resources={"installation": installation},
)
