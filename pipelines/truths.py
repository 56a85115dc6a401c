"""What is true of every row in the lake, by table and in words a clinician understands.

Derived from `features/tables.py`; where the door refuses rows for the same reason the name is that of its rule, so
that rows which got past the door are found here. What the door lets in but a reader should look at is not binding.
Rules about other tables (enrolment) belong to the door alone.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from features.instruments import INSTRUMENTS
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
from pipelines.door.rules import CLEAN_ID, UNCLEAN_ID
from pipelines.pseudonyms import LONGEST
from pipelines.sections import Signal

US_PER_MIN = 60_000_000.0


@dataclass(frozen=True)
class Truth:
    """One thing that is true of every row.

    Args:
        name: reads as a truth, e.g. `heart_rate_is_plausible`; a waiver names it.
        column: the column it is about.
        words: the same for people.
        sight: what is looked at, as the name of a column of judged rows.
        sql: how it follows from a row; NULL is not judged, but where presence itself is the truth.
        low, high: the closed range that it lies in.
        above: a bound that it must exceed.
        allowed: the texts that it may be.
        is_binding: whether the night stops where it does not hold.
    """

    name: str
    column: str
    words: str
    sight: str
    sql: str
    low: float | None = None
    high: float | None = None
    above: float | None = None
    allowed: tuple[str, ...] | None = None
    is_binding: bool = True

    @property
    def is_of_presence(self) -> bool:
        """Whether all that is asked is that something is there."""
        return all(asked is None for asked in (self.low, self.high, self.above, self.allowed))


# Looked at once per delivery over all of its rows, not row by row.
STORED_ONCE = Truth(
    "version_is_stored_once", "version", "No delivery brings the same version of a row twice.", "copies", "", 1, 1
)


def truths(table: Table, signals: Mapping[str, Signal]) -> tuple[Truth, ...]:
    """What holds for each row of a table, in the order of its columns; `STORED_ONCE` holds besides."""
    found = [_of_ids(), *(truth for column in (*table.columns, *PROVENANCE) for truth in _of_column(column, table))]
    found.append(_loose(
        "utc_offset_is_in_quarter_hours", "utc_offset_min", "Offsets from UTC are whole quarters of an hour.",
        "minutes_past_quarter_hour", "utc_offset_min % 15", 0, 0,
    ))  # fmt: skip
    return (
        *found,
        *_of_time(table),
        *_of_table(table.name),
        *(_of_signals(signals) if table.name == "signals" else ()),
    )


def _loose(
    name: str, column: str, words: str, sight: str, sql: str, low: float | None = None, high: float | None = None
) -> Truth:
    """A truth that a reader should look at where it does not hold, but that stops nothing."""
    return Truth(name, column, words, sight, sql, low, high, is_binding=False)


def _of_ids() -> Truth:
    words = f"Ids are at most {LONGEST} characters, without blanks around them and without control characters."
    return Truth(CLEAN_ID, "subject_id", words, "unclean_id", f"CASE WHEN {UNCLEAN_ID} THEN 1 ELSE 0 END", high=0)


def _of_column(column: Column, table: Table) -> list[Truth]:
    name, said = column.name, f"{column.meaning[0].upper()}{column.meaning[1:]}"
    is_bounded = column.low is not None or column.high is not None
    seen = name if is_bounded or column.kind == "real" or column.allowed else f"CASE WHEN {name} IS NOT NULL THEN 1 END"
    found = []
    if column.is_required and column in table.columns and name not in (*table.key, table.time):
        found.append(Truth(
            f"{name}_is_given", name, f"{said}: always given, but in rows that the sender took back.",
            f"{name} or taken back", f"CASE WHEN {name} IS NULL AND NOT is_deleted THEN NULL ELSE 1 END",
        ))  # fmt: skip
    elif column.is_required:
        found.append(Truth(f"{name}_is_given", name, f"{said}: always given.", name, seen))
    if is_bounded:
        words = f"{said}: {between(column.low, column.high, column.unit)}."
        found.append(Truth(f"{name}_is_plausible", name, words, name, seen, column.low, column.high))
    elif column.kind == "real":
        largest = sys.float_info.max
        found.append(Truth(f"{name}_is_finite", name, f"{said}: a finite number.", name, seen, -largest, largest))
    if column.allowed:
        words = f"{said}: one of {', '.join(column.allowed)}."
        found.append(Truth(f"{name}_is_known", name, words, name, seen, allowed=column.allowed))
    return found


def between(low: float | None, high: float | None, unit: str) -> str:
    """A closed range in words."""
    if low is None or high is None:
        bound = f"at least {low:,g}" if high is None else f"at most {high:,g}"
    else:
        bound = f"{low:,g} to {high:,g}"
    return f"{bound} {unit}".strip()


def _of_time(table: Table) -> list[Truth]:
    if table.time is None:
        return []
    time, earliest = table.time, f"Nothing happened before {EARLIEST_EVENT[:4]}: a clock that was reset says 1970."
    if table.column(time).kind == "instant":
        return [
            Truth("event_is_not_after_receipt", time,
                  f"Nothing happened more than {CLOCK_SKEW_MIN} minutes after it was received.", "minutes_ahead",
                  f"greatest(0, epoch_us({time}) - epoch_us(received_at)) / {US_PER_MIN}", high=CLOCK_SKEW_MIN),
            Truth("event_is_not_before_2000", time, earliest, "minutes_too_early",
                  f"greatest(0, epoch_us(TIMESTAMPTZ '{EARLIEST_EVENT} 00:00:00+00') - epoch_us({time})) / {US_PER_MIN}",
                  high=0),
        ]  # fmt: skip
    return [
        Truth("event_is_not_after_receipt", time, "No day lies after the day of receipt, wherever on Earth.",
              "days_ahead", f"greatest(0, {time} - CAST(received_at AS DATE))", high=1),
        Truth("event_is_not_before_2000", time, earliest, "days_too_early",
              f"greatest(0, DATE '{EARLIEST_EVENT}' - {time})", high=0),
    ]  # fmt: skip


def _of_table(name: str) -> Iterable[Truth]:
    """What holds between columns of one row."""
    return {
        "subjects": _of_subjects,
        "mood": _of_mood,
        "sleep": _of_sleep,
        "wearable": _of_wearable,
        "wearable_days": _of_daily_values,
        "assessments": _of_assessments,
    }.get(name, tuple)()


def _of_subjects() -> list[Truth]:
    return [_loose("consent_ends_after_enrolment", "consent_until", "Consent does not end before enrolment.",
                   "days_of_consent", "consent_until - enrolled_on", 0)]  # fmt: skip


def _of_mood() -> list[Truth]:
    return [
        Truth("scale_has_a_width", "scale_max", "The highest possible answer is above the lowest.", "flat_scale",
              "CASE WHEN scale_min >= scale_max THEN 1 ELSE 0 END", high=0),
        Truth("value_is_on_its_scale", "value", "Each answer lies on its scale.", "off_scale",
              "CASE WHEN value < scale_min OR value > scale_max THEN 1 ELSE 0 END", high=0),
        _loose("answer_is_not_before_its_prompt", "prompted_at", "Nobody answers before the question was asked.",
               "minutes_to_answer", f"(epoch_us(answered_at) - epoch_us(prompted_at)) / {US_PER_MIN}", -CLOCK_SKEW_MIN),
    ]  # fmt: skip


def _of_sleep() -> list[Truth]:
    episode, longest = f"(epoch_us(offset_at) - epoch_us(onset_at)) / {US_PER_MIN}", SLEEP_EPISODE_LONGEST_H
    return [
        Truth("sleep_ends_after_it_began", "offset_at", "Sleep ends after it began.", "episode_min", episode, above=0),
        Truth("sleep_is_not_too_long", "offset_at", f"No sleep episode is longer than {longest:g} hours.",
              "episode_min", episode, high=60 * longest),
        Truth("sleep_is_no_longer_than_its_episode", "minutes_asleep", "Nobody sleeps longer than the episode lasts.",
              "minutes_asleep_over_episode", f"minutes_asleep - {episode}", high=SLEEP_ROUNDING_MIN),
        _loose("sleep_fits_its_episode", "minutes_asleep", "Minutes asleep and awake fit between onset and awakening.",
               "minutes_over_episode", f"minutes_asleep + coalesce(minutes_awake, 0) - {episode}", high=SLEEP_ROUNDING_MIN),
        _loose("stages_fit_the_sleep", "minutes_light", "Light, deep and REM sleep together are no longer than the sleep.",
               "minutes_over_sleep", "minutes_light + minutes_deep + minutes_rem - minutes_asleep", high=SLEEP_ROUNDING_MIN),
    ]  # fmt: skip


def _of_wearable() -> list[Truth]:
    return [
        Truth("minute_is_whole", "minute_at", "A row stands for a whole minute, and is dated at its start.",
              "seconds_into_minute", "epoch_us(minute_at) % 60000000 / 1000000.0", high=0),
        _loose("device_off_the_body_feels_no_heart", "worn", "A device off the body gives no heart rate.",
               "beats_unworn", "CASE WHEN NOT worn AND heart_rate IS NOT NULL THEN 1 ELSE 0 END", high=0),
    ]  # fmt: skip


def _of_daily_values() -> list[Truth]:
    declared = {name: Signal(unit=unit, low=low, high=high) for name, (unit, low, high) in DAILY_METRICS.items()}
    return _of_named_values("metric", declared)


def _of_assessments() -> list[Truth]:
    return [Truth(f"{name}_is_on_its_scale", "score", f"{name.replace('_', '-').upper()}: {between(low, high, 'points')}.",
                  name, f"CASE WHEN instrument = '{name}' THEN score END", low, high)
            for name, (low, high) in INSTRUMENTS.items()]  # fmt: skip


def _of_signals(signals: Mapping[str, Signal]) -> list[Truth]:
    return _of_named_values("name", signals)


def _of_named_values(column: str, declared: Mapping[str, Signal]) -> list[Truth]:
    """Of long tables, where one column names what another holds: which names, in which unit, in which range."""
    names = tuple(declared)
    units = tuple(f"{name} in {limits.unit}" for name, limits in declared.items())
    known = f"{column} IN ({', '.join(map(_text, names))})" if names else "FALSE"
    found = [
        Truth(f"{column}_is_known", column, "Every value is one of those declared.", f"{column} as text", column, allowed=names),
        Truth(f"unit_is_the_{column}s", "unit", "Every value has the unit declared for it.", f"unit_of_{column}",
              f"CASE WHEN {known} THEN {column} || ' in ' || unit END", allowed=units),
    ]  # fmt: skip
    for name, limits in declared.items():
        if limits.low is not None or limits.high is not None:
            words = f"{name.replace('_', ' ').capitalize()}: {between(limits.low, limits.high, limits.unit)}."
            found.append(Truth(
                f"{name}_is_plausible", "value", words, f"value of {name}",
                f"CASE WHEN {column} = {_text(name)} THEN value END", limits.low, limits.high,
            ))  # fmt: skip
    return found


def _text(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
