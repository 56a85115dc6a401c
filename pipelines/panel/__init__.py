"""The day panel, kept from night to night: only subject-days that new rows concern are computed, and put beside the rest.

The result is that of a panel made from scratch, to the bit. What makes all of it anew: other code, another cutoff or
device preference, or a state that was cut off. What makes all days of some subjects anew: another time zone, a subject
who was not known, files that are gone. A night before the stored one is answered from what is stored, which stays.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import duckdb
import pandas as pd

import features
from features import days
from features.flags import restarts_of
from pipelines.cohort import PANEL_STREAMS, Cohort
from pipelines.lake import BUCKETS, Lake, bucket_of
from pipelines.panel import flagging, news, rows, state
from pipelines.panel.extent import DAY_KEY, Extent
from pipelines.panel.flagging import FLAGS, OF_NIGHT, Changed
from pipelines.panel.news import News
from pipelines.panel.state import State
from pipelines.panel.store import Change
from pipelines.panel.view import DAYS, NOTES, Panel, frames, stores
from pipelines.side_by_side import side_by_side

SUBJECTS = "panel_subjects"
# Rows of all streams that are summarised at once, and how many a subject-day may have: its minutes, and those near it.
ROWS_AT_ONCE = 4_000_000
ROWS_PER_DAY = 4_000


def refresh(lake: Lake, cohort: Cohort) -> Panel:
    """Bring the stored panel, its flags and counts to the cohort's night, and say what changed.

    The lake's lock is held meanwhile. A night before the stored one leaves the stored panel as it is.
    """
    with lake.writing():
        panel = _refreshed(lake, cohort)
        # Taken while nobody else can ask for another night, whose flags would lie there instead.
        return replace(panel, restarts=restarts_of(lake.load(OF_NIGHT)))


def _refreshed(lake: Lake, cohort: Cohort) -> Panel:
    with lake.connection() as connection:
        stored, made_with = state.read(lake), _made_with(cohort)
        if stored is not None and stored.made_with != made_with:
            stored = None
        known = {} if stored is None else stored.raw
        files = {table: state.files_of(lake, table, known.get(table, {})) for table in PANEL_STREAMS}
        kept = state.kept_files(lake, {} if stored is None else stored.kept)
        panel = Panel(lake, cohort, _name(cohort, made_with, files), files)
        if stored is None:
            panel = _from_scratch(panel, connection)
        else:
            told = news.find(lake, cohort, stored, _zones(lake), files, kept, connection)
            if cohort.as_of < stored.as_of:
                return _look_back(panel, told, connection)
            if not told and cohort.as_of == stored.as_of and flagging.is_published(panel):
                return replace(panel, since=stored.as_of)
            panel = _go_on(panel, told, stored.as_of, connection)
        state.write(lake, State(panel.name, f"{cohort.as_of:%Y-%m-%d}", made_with, files, kept))
    return panel


def _from_scratch(panel: Panel, connection: duckdb.DuckDBPyConnection) -> Panel:
    state.forget(panel.lake)
    for store in stores(panel.lake).values():
        store.begin_anew()
    panel.lake.replace(FLAGS, flagging.NO_FLAGS)
    return replace(_go_on(panel, news.everything(panel.cohort), None, connection), changed_past=frozenset())


def _go_on(panel: Panel, told: News, since: pd.Timestamp | None, connection: duckdb.DuckDBPyConnection) -> Panel:
    """Store what is new, then the night's flags and counts."""
    lake, every = panel.lake, stores(panel.lake)
    panel = replace(panel, since=since)
    changes, fresh, computed = {name: Change() for name in every}, [flagging.NOBODY], 0
    for buckets, extent, made in side_by_side(partial(_portion, panel), _portions(lake, told)):
        computed += len(made[DAYS][DAY_KEY].drop_duplicates())
        fresh.append(flagging.first_new(made[DAYS], made[NOTES], since))
        outgoing = Extent(extent.whole | {name for name in told.gone if bucket_of(name) in buckets}, extent.days)
        for name, store in every.items():
            changes[name] += store.put(made[name], outgoing, since)
    state.forget(lake)
    for name, store in every.items():
        store.commit(changes[name])
    past = changes[DAYS].others | changes[NOTES].others
    changed = Changed(frozenset(past - told.gone), pd.concat(fresh).groupby(level=0).min(), frozenset(told.gone))
    former = lake.load(FLAGS)
    found = flagging.renewed(panel, changed, former)
    lake.replace(FLAGS, found)
    lake.replace(
        SUBJECTS, pd.DataFrame({"subject_id": panel.cohort.zones.index, "zone": panel.cohort.zones.to_numpy()})
    )
    flagging.publish(panel, found, connection)
    past |= flagging.others_known(former, found, since)
    return replace(panel, changed_past=frozenset(past), days_computed=computed)


def _look_back(panel: Panel, told: News, connection: duckdb.DuckDBPyConnection) -> Panel:
    """The panel of a night before the stored one: what the stored one does not tell is computed beside it."""
    parts = [made for _, _, made in side_by_side(partial(_portion, panel), _portions(panel.lake, told))]
    if parts:
        beside = {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in parts[0]}
        computed = len(beside[DAYS][DAY_KEY].drop_duplicates())
        panel = replace(panel, beside=beside, instead_of=told.extent, days_computed=computed)
    panel = replace(panel, is_looking_back=True)
    if not flagging.is_published(panel):
        flagging.publish(panel, flagging.of_everybody(panel), connection)
    return panel


def computed_anew(panel: Panel, subject_id: str) -> Panel:
    """The panel with every day of a subject computed from the raw rows, whatever is stored of them; nothing is stored."""
    extent = Extent(frozenset({subject_id}))
    with panel.lake.connection() as connection:
        made = _computed(panel, extent, (bucket_of(subject_id),), connection)
    before = {name: rows[~extent.holds(rows)] for name, rows in panel.beside.items()}
    beside = {
        name: pd.concat([before[name], rows], ignore_index=True) if name in before else rows
        for name, rows in made.items()
    }
    others = panel.instead_of.days[panel.instead_of.days["subject_id"] != subject_id]
    instead_of = Extent(panel.instead_of.whole | extent.whole, others)
    return replace(panel, beside=beside, instead_of=instead_of, is_looking_back=True)


def _portions(lake: Lake, told: News) -> Iterator[tuple[tuple[int, ...], Extent]]:
    """Buckets to work on at a time, few where rows are many, so that memory does not grow with the cohort."""
    whole = {bucket_of(name) for name in told.extent.whole}
    of_bucket = sum(lake.count(name) for name in PANEL_STREAMS) // BUCKETS
    days = told.extent.buckets.value_counts()
    some: tuple[int, ...] = ()
    rows_of_some = 0
    for bucket in sorted(told.extent.every_bucket | {bucket_of(name) for name in told.gone}):
        more = of_bucket * (bucket in whole) + ROWS_PER_DAY * int(days.get(bucket, 0))
        if some and rows_of_some + more > ROWS_AT_ONCE:
            yield some, told.extent.among(some)
            some, rows_of_some = (), 0
        some, rows_of_some = (*some, bucket), rows_of_some + more
    if some:
        yield some, told.extent.among(some)


def _portion(
    panel: Panel, portion: tuple[tuple[int, ...], Extent]
) -> tuple[tuple[int, ...], Extent, dict[str, pd.DataFrame]]:
    """A portion with what is stored of it, by a connection of its own."""
    buckets, extent = portion
    with panel.lake.connection() as connection:
        return buckets, extent, _computed(panel, extent, buckets, connection)


def _computed(
    panel: Panel, extent: Extent, buckets: tuple[int, ...], connection: duckdb.DuckDBPyConnection
) -> dict[str, pd.DataFrame]:
    """What is stored of the subject-days of some buckets."""
    cohort = panel.cohort
    read = rows.streams(panel.lake, cohort, extent, buckets, panel.files, connection)
    kept = rows.kept(panel.lake, cohort, extent, buckets, connection)
    found = days.build_days(
        connection, read, cohort.zones, cohort.cutoff, cohort.device_preference, kept, cohort.as_of
    )  # fmt: skip
    return frames(found, extent)


def _zones(lake: Lake) -> pd.Series:
    """The zone of each subject of the stored panel."""
    return lake.load(SUBJECTS).set_index("subject_id")["zone"]


def _made_with(cohort: Cohort) -> str:
    """A hash of the code and the settings that a panel is made with."""
    folders = (Path(features.__file__).parent, Path(__file__).parent)
    digest = hashlib.sha256(f"{cohort.cutoff}|{cohort.device_preference}".encode())
    for file in sorted(file for folder in folders for file in folder.glob("*.py")):
        digest.update(file.read_bytes())
    digest.update(f"{[version(name) for name in ('duckdb', 'numpy', 'pandas')]}".encode())
    return digest.hexdigest()


def _name(cohort: Cohort, made_with: str, files: news.Files) -> str:
    listed = {table: sorted(names) for table, names in files.items()}
    told = f"{made_with}|{cohort.as_of}|{cohort.known_at}|{sorted(cohort.zones.items())}|{sorted(listed.items())}"
    return hashlib.sha256(told.encode()).hexdigest()
