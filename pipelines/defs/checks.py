"""Asset checks: what must hold of raw tables stops everything downstream, the rest warns; metadata are counts only."""

from collections.abc import Iterator, Mapping

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    asset_check,
    multi_asset_check,
)

from features.tables import TABLES
from pipelines import cohort, data_nights, night, night_status, supply
from pipelines.data_nights import Broken, StreamNight
from pipelines.defs.engineer import core_days, features_night
from pipelines.installation import Installation

HOLD, FEW_BAD, NEEDED = "rows_are_valid", "few_rows_are_in_quarantine", "waivers_are_needed"
MEANINGS = {
    HOLD: "Every row that came in keeps its table's declared types, units, ranges and keys.",
    FEW_BAD: "Of the night's deliveries, no larger share is in quarantine than the door would let through.",
    NEEDED: "Every waiver lets something through; one that does not is a mistake or a leftover.",
}
SPECS = [
    AssetCheckSpec(name, asset=f"raw_{table}", description=meaning, blocking=name == HOLD)
    for table in TABLES
    for name, meaning in MEANINGS.items()
]
PARTITION = "dagster/partition"


@multi_asset_check(specs=SPECS, required_resource_keys={"installation"})
def raw_tables_are_fit(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
    """The night's data are put on record, shown on a page, and stop the night where they must."""
    installation: Installation = context.resources.installation
    # Raw tables have no partitions; without a night it is the first one that could use everything that came in.
    as_of = (
        context.run.tags.get(PARTITION)
        or f"{cohort.newest_night(installation.lake, installation.settings.sites):%Y-%m-%d}"
    )
    found = data_nights.take_stock(installation, as_of)
    night.report_data(installation, as_of)
    for table, stream in found.streams.items():
        yield _holds(table, stream)
        yield _few_bad(table, stream, installation.settings.door.max_bad_share)
        idle = [text for text in found.idle_waivers if f"on `{table}`" in text]
        yield _result(table, NEEDED, not idle, {"idle_waivers": idle})


@asset_check(asset=core_days, required_resource_keys={"installation"})
def nothing_implausible_is_new(context: AssetCheckExecutionContext) -> AssetCheckResult:
    """No sensor came to be seen as stuck, no device, unit or clock as changed, on this night."""
    counts = context.resources.installation.lake.load("plausibility_counts")
    new = counts[counts["is_of_the_night"]].to_dict("records")
    told = {f"{c['stream']}: {c['rule']}": f"{c['n_subjects']} subjects, {c['n_rows_or_days']} days" for c in new}
    return AssetCheckResult(passed=not new, severity=AssetCheckSeverity.WARN, metadata=told)


@multi_asset_check(
    specs=[
        AssetCheckSpec(
            supply.FRESH, asset=features_night, blocking=True,
            description="The newest row of each stream is no older at the cutoff than declared (`night: freshness:`).",
        ),
        AssetCheckSpec(
            supply.COMPLETE, asset=features_night, blocking=True,
            description="About as large a share of the roster as usual has any data lately (`night: completeness:`).",
        ),
    ],
    required_resource_keys={"installation"},
)  # fmt: skip
def night_has_enough_to_go_on(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
    """The night begins: what its data lack is put on record, and stops it where that was declared."""
    installation, as_of = context.resources.installation, context.run.tags[PARTITION]
    counts, remarks = supply.take_stock(installation, as_of)
    night_status.begin(installation, as_of, counts)
    for remark in remarks:
        night_status.add(installation, as_of, remark.level, remark.words)
    for check in (supply.FRESH, supply.COMPLETE):
        found = [remark for remark in remarks if remark.check == check]
        stops = any(remark.level == "red" for remark in found)
        severity = AssetCheckSeverity.ERROR if stops else AssetCheckSeverity.WARN
        yield AssetCheckResult(
            asset_key="features_night", check_name=check, passed=not found, severity=severity,
            metadata={**counts, "found": [remark.words for remark in found]},
        )  # fmt: skip


def _holds(table: str, stream: StreamNight) -> AssetCheckResult:
    """Fails as an error where the night must stop, as a warning where something is waived or worth a look."""
    stops = any(broken.stops_the_night for broken in stream.broken)
    broken = [_in_words(found) for found in stream.broken]
    return _result(table, HOLD, not broken, {"rows_judged": stream.judged, "broken": broken}, is_error=stops)


def _in_words(found: Broken) -> str:
    waived = f", waived until {found.waived_until}: {found.waived_because}" if found.waived_until else ""
    return f"{found.truth}: {found.rows} rows{waived}"


def _few_bad(table: str, stream: StreamNight, most: float) -> AssetCheckResult:
    told = {"share": round(stream.quarantine_share, 4), "rows_in_quarantine": stream.counts["quarantined"]}
    return _result(table, FEW_BAD, stream.has_few_in_quarantine(most), told)


def _result(
    table: str, check: str, passed: bool, metadata: Mapping[str, float | list[str]], is_error: bool = False
) -> AssetCheckResult:
    severity = AssetCheckSeverity.ERROR if is_error else AssetCheckSeverity.WARN
    return AssetCheckResult(
        asset_key=f"raw_{table}", check_name=check, passed=passed, severity=severity, metadata=metadata
    )
