"""The page of one night's data: what came in, what was refused, what does not hold, and how it was on other nights.

Internal: row counts are shown as they are, values and subjects never.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd

from pipelines.data_nights import NIGHTS_SHOWN, Broken, DataNight, StreamNight
from pipelines.reports import words
from pipelines.reports.site import Context, write_page
from pipelines.truths import Truth

# Symbol, words, CSS class: never colour alone.
STOPS, WAIVED, NOTED = ("▲", "stops the night", "fail"), ("◆", "waived", "unsure"), ("?", "to look at", "unsure")
HOLDS = ("✓", "holds", "pass")
# Told of where there are any.
DROPPED = {"withdrawn": "of withdrawn subjects", "expired": "of minutes no longer kept"}
# With fewer nights on record nobody can say what is usual.
NIGHTS_TO_COMPARE = 5
MEASURES: dict[str, Callable[[StreamNight], int]] = {
    "rows added": lambda stream: stream.counts["appended"],
    "rows in quarantine": lambda stream: stream.counts["quarantined"],
    "rows that do not hold": lambda stream: sum(broken.rows for broken in stream.broken),
}
BAR_HEIGHT = 26


def write_data_page(
    folder: Path,
    nights: Sequence[DataNight],
    held: Mapping[str, Mapping[str, Truth]],
    implausible: pd.DataFrame | None,
    silent: Mapping[str, int],
    max_bad_share: float,
    context: Context,
) -> Path:
    """Write the page of the last of some nights and give its path.

    Args:
        folder: the report site.
        nights: on record, oldest first; the last one is the page's.
        held: what is to be true of each table, by name.
        implausible: as of `features.plausibility.counts`; None before the night's day panel is built.
        silent: days without anything new, of streams that have been silent for long.
        max_bad_share: share of bad rows above which the door refuses a delivery whole.
    """
    *earlier, tonight = nights
    return write_page(
        folder,
        f"data {tonight.night}",
        "data",
        f"Data of {tonight.night}",
        _finding(tonight),
        context,
        night=tonight,
        outstanding=_outstanding(tonight, earlier, silent, max_bad_share),
        totals=_totals(tonight, held),
        streams=[_stream(name, stream, held[name]) for name, stream in tonight.streams.items()],
        broken=_broken(tonight),
        dropped=_dropped(tonight),
        refused=[_refusal(line, held) for line in tonight.refused],
        implausible=None if implausible is None else _implausible(implausible),
        history=_history(nights),
        figures=_figures(nights),
        marks={"stops": STOPS, "waived": WAIVED, "noted": NOTED, "holds": HOLDS},
        height=BAR_HEIGHT,
        words=words,
    )


def _finding(night: DataNight) -> str:
    """The night in a sentence or two."""
    count = _summed(night)
    if not night.deliveries:
        came = "Nothing new came in."
    else:
        came = (
            f"{words.counted(len(night.deliveries), 'delivery', 'deliveries')} brought {words.counted(count['received'], 'row')}: "
            f"{words.count(count['appended'])} added, {words.count(count['duplicate'])} known already, "
            f"{words.count(count['quarantined'])} in quarantine."
        )
    broken = [broken for stream in night.streams.values() for broken in stream.broken]
    if night.is_stopped:
        return f"The night is stopped: rows in the lake break what must hold. {came}"
    if not broken:
        return f"{came} Everything that should hold does."
    return f"{came} {words.counted(len(broken), 'expectation does', 'expectations do')} not hold; none stops the night."


def _summed(night: DataNight) -> dict[str, int]:
    kinds = next(iter(night.streams.values())).counts
    return {kind: sum(stream.counts[kind] for stream in night.streams.values()) for kind in kinds}


def _outstanding(
    night: DataNight, earlier: Sequence[DataNight], silent: Mapping[str, int], max_bad_share: float
) -> list[dict[str, Any]]:
    """What a reader should know first, the worst first: stream, mark, sentence."""
    found = [
        {"stream": name, "mark": _mark(broken), "text": _broken_words(broken)}
        for name, stream in night.streams.items()
        for broken in stream.broken
    ]
    found.sort(key=lambda line: (STOPS, WAIVED, NOTED).index(line["mark"]))
    for name, stream in night.streams.items():
        if not stream.has_few_in_quarantine(max_bad_share / 2):
            text = (
                f"{words.percent(round(100 * stream.quarantine_share) / 100)} of its rows are in quarantine. "
                f"Above {words.percent(max_bad_share)} the door refuses a delivery whole."
            )
            found.append({"stream": name, "mark": NOTED, "text": text})
        before = [other.streams[name].counts["appended"] for other in earlier]
        if name not in silent and (text := _unusual(stream.counts["appended"], before)):
            found.append({"stream": name, "mark": NOTED, "text": text})
    found += [
        {"stream": name, "mark": NOTED, "text": f"Nothing has come in for {days} days."}
        for name, days in silent.items()
    ]
    return found + [{"stream": "waivers", "mark": NOTED, "text": text.replace("`", "")} for text in night.idle_waivers]


def _mark(broken: Broken) -> tuple[str, str, str]:
    if broken.stops_the_night:
        return STOPS
    return WAIVED if broken.waived_because else NOTED


def _broken_words(broken: Broken) -> str:
    said = f"{words.counted(broken.rows, 'row breaks', 'rows break')}: “{broken.words}”"
    return f"{said} Waived until {broken.waived_until}: {broken.waived_because}" if broken.waived_because else said


def _unusual(added: int, before: list[int]) -> str:
    """A sentence when a stream brought far more or far less than on an ordinary night."""
    ordinary = median(before) if len(before) >= NIGHTS_TO_COMPARE else 0
    if ordinary and not ordinary / 2 <= added <= 2 * ordinary:
        change = "Far fewer" if added < ordinary else "Far more"
        return f"{change} rows than usual: {words.count(added)} added, where {words.count(ordinary)} are ordinary."
    return ""


def _totals(night: DataNight, held: Mapping[str, Mapping[str, Truth]]) -> list[tuple[str, str]]:
    count = _summed(night)
    judged = sum(len(held[name]) for name, stream in night.streams.items() if stream.judged or stream.broken)
    broken = sum(len(stream.broken) for stream in night.streams.values())
    facts = {
        "deliveries": words.count(len(night.deliveries)),
        "rows received": words.count(count["received"]),
        "added": words.count(count["appended"]),
        "known already": words.count(count["duplicate"]),
        "in quarantine": words.count(count["quarantined"]),
        "expectations hold": f"{words.count(judged - broken)} of {words.count(judged)}",
    }
    dropped = {f"{said}, dropped": words.count(count[kind]) for kind, said in _dropped(night).items()}
    return list((facts | dropped).items())


def _dropped(night: DataNight) -> dict[str, str]:
    """Kinds of rows that were dropped on the night, in words."""
    count = _summed(night)
    return {kind: said for kind, said in DROPPED.items() if count[kind]}


def _stream(name: str, stream: StreamNight, held: Mapping[str, Truth]) -> dict[str, Any]:
    broken = {found.truth for found in stream.broken}
    return {
        "name": words.plain(name),
        "counts": {kind: words.count(number) for kind, number in stream.counts.items()},
        "is_quiet": not stream.counts["received"],
        "judged": words.count(stream.judged),
        "is_judged": bool(stream.judged or broken),
        "holding": [truth for truth in held.values() if truth.name not in broken],
    }


def _broken(night: DataNight) -> list[dict[str, Any]]:
    return [
        {"stream": words.plain(name), "name": found.truth, "words": found.words, "rows": words.count(found.rows),
         "mark": _mark(found), "because": found.waived_because, "until": found.waived_until}
        for name, stream in night.streams.items()
        for found in stream.broken
    ]  # fmt: skip


def _refusal(line: Mapping[str, Any], held: Mapping[str, Mapping[str, Truth]]) -> dict[str, Any]:
    truth = held[line["table"]].get(line["rule"])
    further = line["n_files"] - len(line["files"])
    return {
        "stream": words.plain(line["table"]),
        "rule": line["rule"],
        "words": truth.words if truth else f"{words.plain(line['rule']).capitalize()}.",
        "rows": words.count(line["rows"]),
        "files": ", ".join(line["files"]) + (f" and {words.count(further)} more" if further else ""),
    }


def _implausible(counts: pd.DataFrame) -> list[dict[str, Any]]:
    """One line per stream and rule: of the night, and of all that is known."""
    columns = {True: "tonight", False: "known"}
    lines: dict[tuple[str, str], dict[str, Any]] = {}
    for row in counts.to_dict("records"):
        line = lines.setdefault((row["stream"], row["rule"]), {
            "stream": words.plain(row["stream"]), "rule": words.plain(row["rule"]).capitalize(),
            "tonight": ("0", "0"), "known": ("0", "0"),
        })  # fmt: skip
        line[columns[row["is_of_the_night"]]] = (words.count(row["n_subjects"]), words.count(row["n_rows_or_days"]))
    return list(lines.values())


def _calendar(nights: Sequence[DataNight]) -> dict[str, DataNight | None]:
    """The last thirty nights, whether on record or not."""
    known, last = {night.night: night for night in nights}, date.fromisoformat(nights[-1].night)
    days = [(last - timedelta(days=back)).isoformat() for back in reversed(range(NIGHTS_SHOWN))]
    return {day: known.get(day) for day in days}


def _history(nights: Sequence[DataNight]) -> list[dict[str, Any]]:
    """One line per stream that ever brought anything: a small chart for each measure."""
    calendar = _calendar(nights)
    lines = []
    for name in nights[-1].streams:
        streams = [None if night is None else night.streams[name] for night in calendar.values()]
        charts = [_chart(label, [None if stream is None else measure(stream) for stream in streams])
                  for label, measure in MEASURES.items()]  # fmt: skip
        if any(chart["highest"] for chart in charts):
            lines.append({"stream": words.plain(name), "charts": charts})
    return lines


def _chart(label: str, values: list[int | None]) -> dict[str, Any]:
    """Bars as heights; a night that is not on record has none."""
    known = [value for value in values if value is not None]
    highest = max(known)
    bars = [None if v is None else max(v / highest * BAR_HEIGHT, 1.5) if v else 0.0 for v in values]
    said = f"{label}: {words.count(known[-1])} tonight, at most {words.count(highest)} on {len(known)} nights on record"
    return {
        "bars": bars,
        "tonight": words.count(known[-1]),
        "highest": highest,
        "top": words.count(highest),
        "said": said,
    }


def _figures(nights: Sequence[DataNight]) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """The charts as figures, newest night first: per measure, per night, one for each stream."""
    return [
        (label, [(night.night, [words.count(measure(stream)) for stream in night.streams.values()])
                 for night in reversed(nights)])
        for label, measure in MEASURES.items()
    ]  # fmt: skip
