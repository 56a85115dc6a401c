"""The rules a row must keep to get into the lake, as SQL conditions derived from `features/tables.py`."""

from features.tables import (
    CLOCK_SKEW_MIN,
    DAILY_METRICS,
    PROVENANCE,
    SLEEP_EPISODE_LONGEST_H,
    Column,
    Table,
)

NOT_ENROLLED = "subject_is_enrolled"
NOT_FROM_THE_FUTURE = "event_is_not_after_receipt"


def rules(table: Table) -> dict[str, str]:
    """Rule name -> SQL condition that is true for a row which breaks it; the first one broken is the one reported."""
    broken: dict[str, str] = {}
    for column in (*table.columns, *PROVENANCE):
        broken.update(_column_rules(column))
    if table.time is not None and table.column(table.time).kind == "instant":
        broken[NOT_FROM_THE_FUTURE] = f"epoch_us({table.time}) > epoch_us(received_at) + {CLOCK_SKEW_MIN * 60_000_000}"
    elif table.time is not None:
        # Somewhere on Earth it is already tomorrow.
        broken[NOT_FROM_THE_FUTURE] = f"{table.time} > CAST(received_at AS DATE) + 1"
    return {**broken, **_table_rules(table.name)}


def _column_rules(column: Column) -> dict[str, str]:
    found = {}
    if column.is_required:
        found[f"{column.name}_is_given"] = f"{column.name} IS NULL"
    if column.low is not None or column.high is not None:
        low, high = column.low, column.high
        outside = [f"{column.name} < {low}"] if low is not None else []
        outside += [f"{column.name} > {high}"] if high is not None else []
        found[f"{column.name}_is_plausible"] = " OR ".join(outside)
    elif column.kind == "real":
        found[f"{column.name}_is_finite"] = f"isinf({column.name})"
    if column.allowed:
        names = ", ".join(f"'{name}'" for name in column.allowed)
        found[f"{column.name}_is_known"] = f"{column.name} NOT IN ({names})"
    return found


def _table_rules(name: str) -> dict[str, str]:
    """Rules that look at more than one column."""
    if name == "mood":
        return {
            "scale_has_a_width": "scale_min >= scale_max",
            "value_is_on_its_scale": "value < scale_min OR value > scale_max",
        }
    if name == "sleep":
        longest = int(SLEEP_EPISODE_LONGEST_H * 60)
        return {
            "sleep_ends_after_it_began": "offset_at <= onset_at",
            "sleep_is_not_too_long": f"offset_at > onset_at + INTERVAL {longest} MINUTE",
        }
    if name == "wearable_days":
        units = " OR ".join(f"(metric = '{m}' AND unit <> '{unit}')" for m, (unit, _, _) in DAILY_METRICS.items())
        ranges = " OR ".join(
            f"(metric = '{m}' AND (value < {low} OR value > {high}))" for m, (_, low, high) in DAILY_METRICS.items()
        )
        known = ", ".join(f"'{m}'" for m in DAILY_METRICS)
        return {
            "metric_is_known": f"metric NOT IN ({known})",
            "unit_is_the_metrics": units,
            "value_is_plausible": ranges,
        }
    return {}
