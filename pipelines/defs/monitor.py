"""Watching itself, last of the night: what is out of the ordinary warns, and stops nothing."""

from collections.abc import Iterator

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    MaterializeResult,
    asset,
)

from models.monitoring.signals import CALIBRATION, DECAY, DRIFT, MISSINGNESS, ORDER, RANKING, SCORES, VOLUME
from pipelines import scrubbing
from pipelines.defs.engineer import INSTALLATION
from pipelines.defs.partitions import nights
from pipelines.defs.score import model_shadow_scores
from pipelines.monitoring import reporting
from pipelines.monitoring.record import NightRecord

MEANINGS = {
    "features_have_not_drifted": "What is measured is as in the weeks before, in everybody and in each group.",
    "nothing_went_missing": "As much is missing, and as many have a score, as in the weeks before.",
    "scores_have_not_drifted": "Risks are spread as in the weeks before.",
    "risks_keep_their_order": "Risks order people much as on the nights before, or as the model before did.",
    "alerts_keep_to_their_volume": "As many are alerted at each site as in the weeks before.",
    "past_scores_were_calibrated": "As many events came as past scores said, as far as their horizons are over.",
    "past_scores_ranked_as_promised": "Past scores ordered people as well as the evaluation promised.",
}
# Kind and, of decay, statistic of the signals that fail each check.
OF_CHECK = dict(
    zip(MEANINGS, ((DRIFT, ""), (MISSINGNESS, ""), (SCORES, ""), (ORDER, ""), (VOLUME, ""), (DECAY, CALIBRATION), (DECAY, RANKING)),
        strict=True)
)  # fmt: skip
SPECS = [AssetCheckSpec(name, asset="report_monitoring", description=meaning) for name, meaning in MEANINGS.items()]


@asset(
    group_name="report",
    deps=[model_shadow_scores],
    partitions_def=nights,
    required_resource_keys=INSTALLATION,
    check_specs=SPECS,
)
def report_monitoring(context: AssetExecutionContext) -> MaterializeResult:
    """How the night compares with those before, how past scores turned out, and a page that says so."""
    told, record = reporting.watch_and_report(context.resources.installation, context.partition_key)
    return MaterializeResult(metadata=told, check_results=[*_checks(record)])


def _checks(record: NightRecord | None) -> Iterator[AssetCheckResult]:
    """A check fails by its signals, and where the night could not be watched."""
    for name, (kind, statistic) in OF_CHECK.items():
        those = (
            []
            if record is None
            else [of for of in record.signals if of.kind == kind and statistic in ("", of.statistic)]
        )
        passed = record is not None and not those
        yield AssetCheckResult(
            check_name=name, passed=passed, severity=AssetCheckSeverity.WARN,
            metadata={"signals": len(those), "judged": _judged(record, kind)},
        )  # fmt: skip


def _judged(record: NightRecord | None, kind: str) -> int:
    if record is None:
        return 0
    return sum(bool(of["n_subjects"]) for of in record.figures) if kind == DECAY else record.judged.get(kind, 0)


# Whatever the night wrote is looked at before anybody builds on it, and the next night finds nothing new.
@asset(group_name="report", deps=[report_monitoring], partitions_def=nights, required_resource_keys=INSTALLATION)
def report_lake(context: AssetExecutionContext) -> MaterializeResult:
    """The lake after the night: every file that counts is as it was written."""
    scrubbing.refuse_damage(context.resources.installation)
    return MaterializeResult()


ASSETS = (report_monitoring, report_lake)
