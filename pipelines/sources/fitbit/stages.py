"""Minutes at each level of a sleep log that has no summary: from its list of levels and the short wakes over it.

`data` covers the night without gaps; `shortData` lists wakes of at most three minutes that lie within its segments,
and count as awake and not as the level around them.
"""

import json
from collections import defaultdict
from datetime import datetime
from typing import NamedTuple

# Sixteen hours in pieces of half a minute have 1920; more is no night, and would take for ever to compare.
MOST_SEGMENTS = 4000


class Segment(NamedTuple):
    """A stretch of one level, in seconds since the first one's day began."""

    level: str
    begin: float
    end: float


def minutes_by_level(levels: str) -> dict[str, float]:
    """Minutes at each level; none at all where the list cannot be read."""
    try:
        told = json.loads(levels)
        segments = [_segment(entry) for entry in told["data"]]
        short = [_segment(entry) for entry in told.get("shortData") or []]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return {}
    if max(len(segments), len(short)) > MOST_SEGMENTS:
        return {}
    seconds: dict[str, float] = defaultdict(float)
    for segment in segments:
        # A segment that is awake stays so; a short wake takes its time from what is around it.
        woken = sum(_shared(segment, wake) for wake in short) if segment.level != "wake" else 0.0
        seconds[segment.level] += segment.end - segment.begin - woken
        seconds["wake"] += woken
    return {level: total / 60 for level, total in seconds.items() if total or level != "wake"}


def _segment(entry: dict[str, object]) -> Segment:
    begin = datetime.fromisoformat(str(entry["dateTime"])).replace(tzinfo=None) - datetime(1970, 1, 1)  # noqa: DTZ001
    return Segment(str(entry["level"]), begin.total_seconds(), begin.total_seconds() + float(str(entry["seconds"])))


def _shared(one: Segment, other: Segment) -> float:
    return max(0.0, min(one.end, other.end) - max(one.begin, other.begin))
