"""Raw tables: whatever the declared sources brought, through the door into the lake."""

from collections.abc import Iterator

from dagster import AssetExecutionContext, AssetSpec, MaterializeResult, multi_asset

from features.tables import TABLES
from pipelines.defs.retries import tried_again
from pipelines.ingestion import ingest_all
from pipelines.scrubbing import refuse_damage

SPECS = [AssetSpec(f"raw_{table.name}", group_name="raw", description=table.meaning) for table in TABLES.values()]


@multi_asset(specs=SPECS, required_resource_keys={"installation"})
def raw_tables(context: AssetExecutionContext) -> Iterator[MaterializeResult]:
    """Look for damage in the lake, then ingest every declared source; rows that break a rule go to quarantine, content seen
    before changes nothing."""
    installation = context.resources.installation
    refuse_damage(installation)
    with tried_again():
        reports = ingest_all(installation)
    for table in TABLES:
        counts = {name: sum(report.count(table, name) for report in reports)
                  for name in ("received", "appended", "duplicate", "quarantined")}  # fmt: skip
        yield MaterializeResult(asset_key=f"raw_{table}", metadata=counts)
