"""Retention: raw minutes older than a date go; what the day panel needs of them stays, as whole-number sums per hour.

Sums add up (`features.minutes`), also within an hour of which some minutes stay, so that the panel is the same to the
bit. A kill leaves a note that the next command follows: while sums are being kept they are made anew; once minutes
are being removed, that is gone on with.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake

from features import minutes
from pipelines import cohort as cohorts
from pipelines import durable
from pipelines.cohort import Cohort
from pipelines.consent.erasure import rewrite_without, scrub
from pipelines.installation import Installation
from pipelines.kept_hours import intent, kept_from, mark, table
from pipelines.lake import BUCKETS, DELTA, WRITER, Lake
from pipelines.panel import state
from pipelines.raw_rows import FAMILIES, RAW

KIND = "retention"
KEEPING, REMOVING = "keeping hours", "removing minutes"
STREAM, TIME = "wearable", "minute_at"

SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("subject_id", *minutes.DEVICE)]
    + [("utc_offset_min", pa.int32()), ("hour", pa.int64()), ("known_on", pa.timestamp("us"))]
    + [(name, pa.int64()) for name in minutes.SUMS]
    + [("bucket", pa.int32()), ("removed_before", pa.string())]
)

# Subjects' local days whose minutes stay, by subject, as days since 1970.


@dataclass(frozen=True)
class Retained:
    """Minutes that went, hours that are kept in their place, days of two devices that keep their minutes, and minutes
    that went from quarantine."""

    removed_before: str
    minutes: int = 0
    hours: int = 0
    quarantined: int = 0


def retain(installation: Installation, before: date) -> Retained:
    """Remove raw minutes before a day, in UTC; safe to repeat. The caller holds the installation.

    In quarantine, where nothing is kept in their place, no minute stays either.
    """
    lake = installation.lake
    done_before = kept_from(lake)
    has_none = STREAM not in lake.tables() and not _quarantine(lake).is_dir()
    if has_none or (done_before is not None and before <= done_before):
        return Retained(before.isoformat())
    with lake.writing():
        _note(lake, before, KEEPING)
        return _carry_out(installation)


def finish(installation: Installation) -> None:
    """Finish a retention that was cut off, if one was (`intent`)."""
    if not intent(installation.lake).is_file():
        return
    with installation.lake.writing():
        _carry_out(installation)


def _carry_out(installation: Installation) -> Retained:
    lake, note = installation.lake, json.loads(intent(installation.lake).read_bytes())
    before = date.fromisoformat(note["before"])
    done = Retained(note["before"], quarantined=_remove_quarantined(lake, before))
    # Once minutes are being removed there may be none left.
    if note["step"] == REMOVING or STREAM in lake.tables():
        done = _remove_raw(installation, before, note["step"], done)
    _record(installation, done)
    intent(lake).unlink()
    return done


def _remove_raw(installation: Installation, before: date, step: str, done: Retained) -> Retained:
    lake, settings = installation.lake, installation.settings
    known = cohorts.load(lake, settings, cohorts.newest_night(lake, settings.sites))
    with lake.connection() as connection:
        if step == KEEPING:
            _forget_unfinished(lake, before)
            for bucket in range(BUCKETS):
                installation.report("keeping hours", bucket / BUCKETS)
                _keep(lake, known, bucket, before, connection)
            _note(lake, before, REMOVING)
    durable.replace(mark(lake), json.dumps({"kept_from": before.isoformat()}).encode())
    installation.report("removing minutes")
    removed = _remove(lake, before, _is_gone(known, before))
    return replace(done, minutes=removed, hours=_hours(lake, before))


def _note(lake: Lake, before: date, step: str) -> None:
    intent(lake).parent.mkdir(exist_ok=True)
    durable.replace(intent(lake), json.dumps({"before": before.isoformat(), "step": step}).encode())


def _leaving(lake: Lake, before: date, connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyRelation:
    return lake.rows(STREAM, connection).filter(f"{TIME} < TIMESTAMPTZ '{before} 00:00:00+00'")


def _keep(lake: Lake, known: Cohort, bucket: int, before: date, connection: duckdb.DuckDBPyConnection) -> None:
    """Add the hours of a bucket's minutes that are to leave."""
    rows = _leaving(lake, before, connection).filter(f"bucket = {bucket}")
    hours = minutes.kept_hours(connection, rows, known.zones, known.cutoff)
    if len(hours):
        hours = hours.assign(bucket=bucket, removed_before=before.isoformat())[SCHEMA.names]
        content = pa.Table.from_pandas(hours, SCHEMA, preserve_index=False).replace_schema_metadata(None)
        write_deltalake(
            str(table(lake)), content, mode="append", schema_mode="merge", configuration=DELTA, writer_properties=WRITER
        )


def _forget_unfinished(lake: Lake, before: date) -> None:
    """Take away hours that a killed run had begun to keep."""
    folder = table(lake)
    if folder.is_dir():
        files = [Path(path) for path in DeltaTable(str(folder)).file_uris()]
        rewrite_without(folder, files, lambda rows: pc.equal(rows["removed_before"], before.isoformat()))


def _hours(lake: Lake, before: date) -> int:
    folder = table(lake)
    if not folder.is_dir():
        return 0
    with lake.connection() as connection:
        rows = connection.read_parquet(DeltaTable(str(folder)).file_uris(), union_by_name=True)
        return len(rows.filter(f"removed_before = '{before}'"))


def _is_gone(known: Cohort, before: date) -> Callable[[pa.Table], pa.ChunkedArray]:
    """Which minutes leave: early ones of known subjects."""
    instant = int(np.datetime64(before, "us").astype(np.int64))
    subjects = pa.array(sorted(map(str, known.zones.index)), pa.string())

    def choose(rows: pa.Table) -> pa.ChunkedArray:
        at, named = rows[TIME].cast(pa.int64()), rows["subject_id"].cast(pa.string())
        return pc.and_(pc.less(at, instant), pc.is_in(named, value_set=subjects))

    return choose


def _remove(lake: Lake, before: date, is_gone: Callable[[pa.Table], pa.ChunkedArray]) -> int:
    """Remove the minutes, each table in one commit, with their file versions; how many they were."""
    removed = 0
    for family in FAMILIES:
        folder = lake.root / family / STREAM
        if not folder.is_dir():
            continue
        files = [Path(path) for path in DeltaTable(str(folder)).file_uris() if _month(path) <= f"{before:%Y-%m}"]
        if family == RAW:
            # What the day panel has not yet taken in will be told by kept hours, which are no news to it.
            state.distrust(lake, STREAM, [path.relative_to(folder).as_posix() for path in files])
        rows = rewrite_without(folder, files, is_gone)
        scrub(folder)
        removed += rows if family == RAW else 0
    return removed


def _remove_quarantined(lake: Lake, before: date) -> int:
    """Remove minutes that broke a rule at the door; one without a readable time is as old as its receipt."""
    folder = _quarantine(lake)
    if not folder.is_dir():
        return 0
    at, received = (f"TRY_CAST(\"row\"->>'{name}' AS TIMESTAMPTZ)" for name in (TIME, "received_at"))
    condition = f"\"table\" = '{STREAM}' AND coalesce({at}, {received}) < TIMESTAMPTZ '{before} 00:00:00+00'"
    with lake.connection() as connection:

        def is_gone(rows: pa.Table) -> pa.ChunkedArray:
            numbered = rows.select(["table", "row"]).append_column("place", pa.array(np.arange(rows.num_rows)))
            gone = np.zeros(rows.num_rows, bool)
            gone[connection.from_arrow(numbered).filter(condition).project("place").fetchnumpy()["place"]] = True
            return pa.chunked_array([pa.array(gone)])

        removed = rewrite_without(folder, [Path(path) for path in DeltaTable(str(folder)).file_uris()], is_gone)
    scrub(folder)
    return removed


def _quarantine(lake: Lake) -> Path:
    return lake.root / "quarantine"


def _month(path: str) -> str:
    """The month of a file of a raw table, from its place."""
    return path.partition("/month=")[2].partition("/")[0]


def _record(installation: Installation, done: Retained) -> None:
    """Record it in the audit log, once."""
    before = [e for e in installation.audit_log.entries() if e["kind"] == KIND]
    if done.removed_before not in [entry["details"]["removed_before"] for entry in before]:
        installation.audit_log.append(KIND, asdict(done), pd.Timestamp(done.removed_before, tz="UTC"))
