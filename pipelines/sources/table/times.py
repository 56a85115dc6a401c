"""Days and instants: by format, epoch, day number or ISO 8601, in the zone that is declared, or with their own offset."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from pipelines.errors import Refused
from pipelines.sources.table.columns import Read
from pipelines.sources.table.origins import ColumnMapping, TimeOfDay
from pipelines.sources.table.parsing import (
    Finding,
    Parser,
    Place,
    Values,
    as_text,
    codes_of,
    given_count,
    is_text,
    strictly,
    unread,
)
from pipelines.sources.table.units import conversion

WALL = pa.timestamp("us")
UTC = pa.timestamp("us", "UTC")
DURATION = pa.duration("us")
US_PER_DAY = 86_400_000_000
US_PER_MINUTE = 60_000_000
# Other years come from a misread number or a broken clock, and overflow time zone arithmetic.
FIRST, LAST = (int((year - 1970) * 365.2425) * US_PER_DAY for year in (1900, 2200))
TICKS_US = {"s": 1_000_000, "ms": 1000, "us": 1, "ns": 1e-3}
EPOCH_US = {f"epoch_{unit}": factor for unit, factor in TICKS_US.items()}
OWN_OFFSET = r":\d\d([.,]\d+)?\s?(Z|[+-]\d\d(:?\d\d)?)$"
# DuckDB reads `infinity`, eras and zones by name as well; ISO 8601 has no letters but these.
ISO = "CASE WHEN NOT regexp_matches(t, '[A-SU-Ya-z(]') THEN try_cast(t AS {}) END"
NO_TIME = "are not times of that format. Give `format:`."
NO_TIME_OF_DAY = "are not times of day. Give `format:` or `unit:` under `time:`."
NO_DAY = "are not dates of that format. Give `format:`."


@dataclass(frozen=True)
class Clock:
    """Times as read: instants, or wall-clock times where `values` has no zone; `wall` beside instants where known."""

    values: Values
    wall: Values | None = None


def days(
    parser: Parser, values: Values, told: ColumnMapping, place: Place, zone: str | None, anchor: Values | None
) -> Read:
    """Civil days: of the wall clock that is written, or of the zone where the file holds instants."""
    if types.is_date(values.type) and anchor is None:
        return Read(pc.cast(values, pa.date32()), [])
    read = _clock(parser, values, told, anchor, place)
    found = read.wall if read.wall is not None else read.values
    if found.type.tz is not None:
        found = pc.local_timestamp(pc.cast(found, pa.timestamp("us", zone or found.type.tz)))
    found = pc.cast(pc.floor_temporal(found, unit="day"), pa.date32())
    return Read(found, unread(place, "is_readable", values, found, NO_DAY))


def clock(
    parser: Parser, values: Values, told: ColumnMapping, place: Place, anchor: Values | None, time: Values | None
) -> tuple[Clock, list[Finding]]:
    """Times as the file tells them; with `anchor`, days are counted from it, and with `time` the time of day is added.

    Raises:
        Refused: some times have an offset of their own and others have none.
    """
    read = _clock(parser, values, told, anchor, place)
    findings = unread(place, "is_readable", values, read.values, NO_TIME)
    if time is None or told.time is None:
        return read, findings
    of_day = _time_of_day(parser, time, told.time)
    findings += unread(place, "is_readable", time, of_day, NO_TIME_OF_DAY)
    return Clock(pc.add(read.values, of_day)), findings


def instants(read: Clock, zone: str | None, offset: Values | None, place: Place) -> Values:
    """UTC instants: by the times' own offset, the declared zone, or the offset that the file gives beside them.

    An hour that occurs twice means the first; a time that was skipped means the instant after the gap.

    Raises:
        Refused: nobody says where on Earth the clock stood.
    """
    if read.values.type.tz is not None:
        return pc.cast(read.values, UTC)
    if zone is not None:
        placed = pc.assume_timezone(read.values, zone, ambiguous="earliest", nonexistent="latest")
        return pc.cast(placed, UTC)
    if offset is not None:
        return pc.cast(pc.subtract(read.values, _minutes(offset)), UTC)
    given = given_count(read.values)
    if given:
        raise Refused(f"{place}: {given} times have no time zone. Give `time_zone:` in the mapping.")
    return pc.cast(read.values, UTC)


def offsets(read: Clock, found: Values, zone: str | None) -> Values | None:
    """Local time minus UTC in minutes: in the zone, or as the times themselves say; None where nobody does."""
    zone = zone or read.values.type.tz
    if read.wall is not None and zone in (None, "UTC"):
        local = read.wall
    elif zone is None or zone == "UTC":
        return None
    else:
        local = pc.local_timestamp(pc.cast(found, pa.timestamp("us", zone)))
    ahead = pc.cast(pc.subtract(local, pc.cast(found, WALL)), pa.int64())
    return pc.cast(pc.divide(ahead, US_PER_MINUTE), pa.int32())


def next_midnights(found: Values, zone: str | None, offset: Values | None) -> Values:
    """The instant at which the civil day of each instant or day is over."""
    if types.is_date(found.type):
        local, offset = pc.cast(found, WALL), offset if zone is None else None
    elif zone is None and offset is not None:
        local = pc.add(pc.cast(found, WALL), _minutes(offset))
    else:
        local, offset = pc.local_timestamp(pc.cast(found, pa.timestamp("us", zone or "UTC"))), None
    # Days are few, and a time zone's arithmetic is dear.
    day = codes_of(pc.divide(pc.cast(local, pa.int64()), US_PER_DAY))
    midnight = pc.cast(pc.multiply(pc.add(day.dictionary, 1), US_PER_DAY), WALL)
    placed = pc.assume_timezone(midnight, zone or "UTC", ambiguous="earliest", nonexistent="latest")
    at = pc.cast(placed, UTC).take(day.indices)
    return at if offset is None else pc.subtract(at, _minutes(offset))


def _minutes(offset: Values) -> Values:
    return pc.cast(pc.multiply(pc.cast(offset, pa.int64()), US_PER_MINUTE), DURATION)


def _clock(parser: Parser, values: Values, told: ColumnMapping, anchor: Values | None, place: Place) -> Clock:
    if anchor is not None:
        shift = _numbers_us(parser, values, told.unit or "d")
        return Clock(_plausible(pc.add(pc.cast(anchor, WALL), shift)))
    if types.is_timestamp(values.type) or types.is_date(values.type):
        return Clock(_plausible(values))
    if told.format in EPOCH_US:
        return Clock(_plausible(pc.cast(_ticks(parser, values, EPOCH_US[told.format]), UTC)))
    if is_text(values.type) or told.format is not None:
        return _of_distinct(parser, as_text(values), told.format, place)
    return Clock(pa.nulls(len(values), WALL))


def _of_distinct(parser: Parser, texts: Values, format: str | None, place: Place) -> Clock:
    """Texts that come as codes are read once each."""
    if not types.is_dictionary(texts.type):
        return _of_texts(parser, texts, format, place)
    coded = codes_of(texts)
    read = _of_texts(parser, coded.dictionary, format, place)
    wall = None if read.wall is None else read.wall.take(coded.indices)
    return Clock(read.values.take(coded.indices), wall)


def _of_texts(parser: Parser, texts: Values, format: str | None, place: Place) -> Clock:
    if format is not None:
        quoted = format.replace("'", "''")
        return Clock(_plausible(parser.parse(texts, f"try_strptime(t, '{quoted}')")))
    # Clean columns are cast at once; a cast to one kind refuses the other.
    clean = strictly(texts, WALL)
    if clean is not None:
        return Clock(_plausible(clean))
    clean = strictly(texts, UTC)
    wall = _plausible(parser.parse(texts, ISO.format("TIMESTAMP")))
    if clean is not None:
        return Clock(_plausible(clean), wall)
    return _of_unclean(parser, texts, wall, place)


def mixed(place: Place, told: str) -> Refused:
    """The refusal of a column in which some times say where on Earth they are meant, and others do not."""
    return Refused(f"{place}: {told}. Write all of them with one, or all without.")


def _of_unclean(parser: Parser, texts: Values, wall: Values, place: Place) -> Clock:
    own = pc.and_(pc.match_substring_regex(texts, OWN_OFFSET), pc.is_valid(wall))
    with_offset, readable = pc.sum(own).as_py() or 0, given_count(wall)
    if 0 < with_offset < readable:
        raise mixed(place, f"{with_offset} of {readable} times have a UTC offset and the others have none")
    if not with_offset:
        return Clock(wall)
    return Clock(_plausible(pc.cast(parser.parse(texts, ISO.format("TIMESTAMPTZ")), UTC)), wall)


def _ticks(parser: Parser, values: Values, us: float) -> Values:
    """Counts of an epoch's ticks as microseconds since 1970; a count too large to be one is missing."""
    if is_text(values.type):
        values = parser.parse(values, "try_cast(t AS DOUBLE)")
    elif not (types.is_integer(values.type) or types.is_floating(values.type)):
        return pa.nulls(len(values), WALL)
    scaled = pc.round(pc.multiply(pc.cast(values, pa.float64()), us))
    return pc.cast(pc.cast(_between(scaled), pa.int64()), WALL)


def _numbers_us(parser: Parser, values: Values, unit: str) -> Values:
    """Numbers in a unit of time as durations."""
    change = conversion(unit, "us")
    if change is None:
        raise Refused(f"Unit `{unit}` is no unit of time. Correct `unit:` beside `anchor:` in the mapping.")
    return pc.cast(pc.cast(_ticks(parser, values, change.factor), pa.int64()), DURATION)


def _time_of_day(parser: Parser, values: Values, told: TimeOfDay) -> Values:
    """Time since midnight, as a duration."""
    if told.unit is not None:
        return _numbers_us(parser, values, told.unit)
    if types.is_time(values.type):
        return pc.cast(pc.cast(pc.cast(values, pa.time64("us"), safe=False), pa.int64()), DURATION)
    if types.is_timestamp(values.type):
        wall = pc.local_timestamp(values) if values.type.tz else values
        return pc.cast(pc.subtract(wall, pc.floor_temporal(wall, unit="day")), DURATION)
    quoted = (told.format or "").replace("'", "''")
    read = f"try_strptime(t, '{quoted}')::TIME" if told.format else "try_cast(t AS TIME)"
    return pc.cast(parser.parse(as_text(values), f"epoch_us({read})"), DURATION)


def _plausible(values: Values) -> Values:
    """Times in microseconds; those of years that no study lies in are missing."""
    if types.is_date(values.type):
        values = (
            pc.cast(values, pa.timestamp("s")) if types.is_date32(values.type) else pc.cast(values, pa.timestamp("ms"))
        )
    if values.type.unit != "us":
        ticks = pc.cast(values, pa.int64())
        kept = _between(ticks, 1 / TICKS_US[values.type.unit])
        return pc.cast(pc.cast(kept, values.type), pa.timestamp("us", values.type.tz), safe=False)
    return pc.cast(_between(pc.cast(values, pa.int64())), values.type)


def _between(ticks: Values, per_us: float = 1) -> Values:
    low, high = (pa.scalar(int(bound * per_us), pa.int64()).cast(ticks.type) for bound in (FIRST, LAST))
    bounds = pc.min_max(ticks)
    if bounds["min"].as_py() is None or (
        pc.greater_equal(bounds["min"], low).as_py() and pc.less_equal(bounds["max"], high).as_py()
    ):
        return ticks
    inside = pc.and_(pc.greater_equal(ticks, low), pc.less_equal(ticks, high))
    return pc.if_else(inside, ticks, pa.scalar(None, ticks.type))
