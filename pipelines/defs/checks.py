"""Asset checks: Great Expectations suites over the raw tables; a failing one stops everything downstream."""

from collections.abc import Iterator

from dagster import AssetCheckExecutionContext, AssetCheckResult, AssetCheckSpec, multi_asset_check

from features.tables import TABLES
from pipelines.validation import validate_table

NAME = "rows_are_valid"
MEANING = "Every row that came since the last check keeps its table's declared types, units, ranges and keys."
SPECS = [AssetCheckSpec(NAME, asset=f"raw_{table}", description=MEANING, blocking=True) for table in TABLES]


@multi_asset_check(specs=SPECS, required_resource_keys={"installation"})
def rows_are_valid(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
    """Every row of the newest deliveries keeps its table's declared types, units, ranges and keys."""
    for table in TABLES:
        result = validate_table(context.resources.installation, table)
        failures = [f"{expectation} on {column}: {count} rows" for expectation, column, count in result.failures]
        yield AssetCheckResult(
            asset_key=f"raw_{table}",
            check_name=NAME,
            passed=result.success,
            metadata={"new_rows": result.rows, "failures": failures},
        )
