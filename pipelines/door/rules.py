"""The rules a row must keep to get into the lake, as SQL conditions derived from `features/tables.py`."""

from datetime import UTC

from features.instruments import INSTRUMENTS
from features.sleep import IN_BED_SQL
from features.tables import (
    CLOCK_SKEW_MIN,
    DAILY_METRICS,
    EARLIEST_EVENT,
    PROVENANCE,
    SLEEP_EPISODE_LONGEST_H,
    SLEEP_ROUNDING_MIN,
    Column,
    Table,
)
from pipelines.door.policy import DoorPolicy, SignalLimits
from pipelines.pseudonyms import LONGEST

# An id that cannot be written down on a line of its own could not be withdrawn.
UNCLEAN_ID = (
    f"subject_id <> trim(subject_id) OR length(subject_id) > {LONGEST} OR regexp_matches(subject_id, '[[:cntrl:]]')"
)
NOT_ENROLLED = "subject_is_enrolled"
RECEIVED = "receipt_does_not_lie_ahead"
NOT_FROM_THE_FUTURE = "event_is_not_after_receipt"
NOT_BEFORE_DEVICES = "event_is_not_before_2000"
CLEAN_ID = "subject_id_is_clean"


def rules(table: Table, policy: DoorPolicy) -> dict[str, str]:
    """Rule name -> SQL condition that is true for a row which breaks it; the first one broken is the one reported."""
    broken = {CLEAN_ID: UNCLEAN_ID}
    for column in (*table.columns, *PROVENANCE):
        broken.update(_column_rules(column, table))
    if policy.now is not None:
        latest = policy.now.astimezone(UTC).isoformat()
        broken[RECEIVED] = f"received_at > TIMESTAMPTZ '{latest}' + INTERVAL {CLOCK_SKEW_MIN} MINUTE"
    return {**broken, **_time_rules(table), **_table_rules(table.name), **_signal_rules(table, policy)}


def _time_rules(table: Table) -> dict[str, str]:
    if table.time is None:
        return {}
    if table.column(table.time).kind == "instant":
        late = f"epoch_us({table.time}) > epoch_us(received_at) + {CLOCK_SKEW_MIN * 60_000_000}"
        early = f"{table.time} < TIMESTAMPTZ '{EARLIEST_EVENT} 00:00:00+00'"
    else:
        # Somewhere on Earth it is already tomorrow.
        late = f"{table.time} > CAST(received_at AS DATE) + 1"
        early = f"{table.time} < DATE '{EARLIEST_EVENT}'"
    return {NOT_FROM_THE_FUTURE: late, NOT_BEFORE_DEVICES: early}


def _column_rules(column: Column, table: Table) -> dict[str, str]:
    found = {}
    if column.is_required:
        is_missing = f"{column.name} IS NULL"
        # Who takes a row back need not say again what was in it.
        is_content = column.name in table.column_names and column.name not in (*table.key, table.time)
        found[f"{column.name}_is_given"] = f"{is_missing} AND NOT is_deleted" if is_content else is_missing
    if column.low is not None or column.high is not None:
        found[f"{column.name}_is_plausible"] = _outside(column.name, column.low, column.high)
    elif column.kind == "real":
        found[f"{column.name}_is_finite"] = f"isinf({column.name})"
    if column.allowed:
        found[f"{column.name}_is_known"] = f"{column.name} NOT IN ({_texts(column.allowed)})"
    return found


def _table_rules(name: str) -> dict[str, str]:
    """Rules that look at more than one column."""
    if name == "mood":
        return {
            "scale_has_a_width": "scale_min >= scale_max",
            "value_is_on_its_scale": "value < scale_min OR value > scale_max",
        }
    if name == "wearable":
        return {"minute_is_whole": "epoch_us(minute_at) % 60000000 <> 0"}
    if name == "sleep":
        longest = int(SLEEP_EPISODE_LONGEST_H * 60)
        return {
            "sleep_ends_after_it_began": "offset_at <= onset_at",
            "sleep_is_not_too_long": f"offset_at > onset_at + INTERVAL {longest} MINUTE",
            "sleep_is_no_longer_than_its_episode": f"minutes_asleep - {IN_BED_SQL} > {SLEEP_ROUNDING_MIN}",
        }
    if name == "assessments":
        return {f"{instrument}_is_on_its_scale": f"instrument = {_text(instrument)} AND ({_outside('score', low, high)})"
                for instrument, (low, high) in INSTRUMENTS.items()}  # fmt: skip
    if name == "wearable_days":
        declared = {name: SignalLimits(unit, low, high) for name, (unit, low, high) in DAILY_METRICS.items()}
        return _named_value_rules("metric", declared)
    return {}


def _signal_rules(table: Table, policy: DoorPolicy) -> dict[str, str]:
    return _named_value_rules("name", dict(policy.signals)) if table.name == "signals" else {}


def _named_value_rules(name: str, declared: dict[str, SignalLimits]) -> dict[str, str]:
    """Rules for long tables, where one column names what another holds."""
    known = {f"{name}_is_known": f"{name} NOT IN ({_texts(declared)})" if declared else "TRUE"}
    units = " OR ".join(f"({name} = {_text(n)} AND unit <> {_text(limits.unit)})" for n, limits in declared.items())
    ranges = " OR ".join(
        f"({name} = {_text(n)} AND ({_outside('value', limits.low, limits.high)}))"
        for n, limits in declared.items()
        if limits.low is not None or limits.high is not None
    )
    unit_rule = {f"unit_is_the_{name}s": units} if units else {}
    return known | unit_rule | ({"value_is_plausible": ranges} if ranges else {})


def _outside(column: str, low: float | None, high: float | None) -> str:
    outside = [f"{column} < {low}"] if low is not None else []
    outside += [f"{column} > {high}"] if high is not None else []
    return " OR ".join(outside)


def _texts(names: "dict[str, SignalLimits] | tuple[str, ...]") -> str:
    return ", ".join(_text(name) for name in names)


def _text(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
