"""What the files of the raw tables hold, in counts: which ingest brought how many rows, and when the newest was received.

A file never changes and its name never comes again. So each is looked through once and remembered, and what is asked of all
history costs what is new of it. No subject stands here; what is remembered can be thrown away at any time,
and does not count once it is damaged.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from features.calendar import is_knowable_sql
from features.tables import TABLES
from pipelines import memory
from pipelines.lake import Lake
from pipelines.raw_rows import RAW, sql_list


@dataclass(frozen=True)
class Content:
    """Of a file: the newest receipt, in microseconds since 1970, and rows by the ingest that brought them."""

    received_at: int
    rows: Mapping[str, int]


def of(lake: Lake, table: str) -> dict[str, Content]:
    """The content of each file of a raw table, by path."""
    places = {path.rpartition(f"/{RAW}/{table}/")[2]: path for path in lake.files(table)}
    known = _remembered(lake, table)
    fresh = _looked_through(lake, {name: path for name, path in places.items() if name not in known})
    found = {name: known[name] if name in known else fresh[name] for name in places}
    if found.keys() != known.keys():
        _remember(lake, table, found)
    return {places[name]: content for name, content in found.items()}


def version(lake: Lake, known_at: pd.Timestamp) -> str:
    """Hash of which ingests had brought rows by an instant: equal content known, equal version."""
    digest = hashlib.sha256()
    for table in TABLES:
        contents = of(lake, table)
        if contents:
            digest.update(f"{table}{sorted(_known_rows(lake, contents, known_at).items())}".encode())
    return digest.hexdigest()


def ingest_ids(lake: Lake, table: str) -> list[str]:
    """Which ingests brought rows of a table, in a stable order."""
    return sorted({ingest_id for content in of(lake, table).values() for ingest_id in content.rows})


def last_received_at(lake: Lake, table: str, known_at: pd.Timestamp | None = None) -> pd.Timestamp | None:
    """When the newest row of a table came in, of those received by `known_at` if given; None if there is none."""
    contents = of(lake, table)
    whole, partly = _split(contents, known_at)
    received = [contents[path].received_at for path in whole]
    if partly and known_at is not None:
        with lake.connection() as connection:
            rows = connection.sql(f"SELECT max(epoch_us(received_at)) FROM {_scan(partly)} WHERE {_known(known_at)}")
            received += [newest for (newest,) in rows.fetchall() if newest is not None]
    return pd.Timestamp(max(received), unit="us", tz="UTC") if received else None


def _known_rows(lake: Lake, contents: Mapping[str, Content], known_at: pd.Timestamp) -> Counter[str]:
    """Rows by ingest that were received by an instant."""
    whole, partly = _split(contents, known_at)
    rows: Counter[str] = Counter()
    for path in whole:
        rows.update(contents[path].rows)
    if partly:
        with lake.connection() as connection:
            found = connection.sql(f"""
                SELECT ingest_id, count(*) FROM {_scan(partly)} WHERE {_known(known_at)} GROUP BY ingest_id""")
            rows.update(dict(found.fetchall()))
    return rows


def _split(contents: Mapping[str, Content], known_at: pd.Timestamp | None) -> tuple[list[str], list[str]]:
    """Files of which every row was received by an instant, and the others."""
    latest = None if known_at is None else known_at.value // 1000
    is_whole = {path: latest is None or content.received_at <= latest for path, content in contents.items()}
    return [path for path, told in is_whole.items() if told], [path for path, told in is_whole.items() if not told]


def _known(known_at: pd.Timestamp) -> str:
    return is_knowable_sql(f"'{pd.Timestamp(known_at).isoformat()}'::TIMESTAMPTZ")


def _scan(paths: Iterable[str], more: str = "") -> str:
    return f"read_parquet({sql_list(paths)}, hive_partitioning = false{more})"


def _looked_through(lake: Lake, places: Mapping[str, str]) -> dict[str, Content]:
    if not places:
        return {}
    names = {Path(path).name: name for name, path in places.items()}
    with lake.connection() as connection:
        found = connection.sql(f"""
            SELECT parse_filename(filename), ingest_id, count(*), max(epoch_us(received_at))
            FROM {_scan(places.values(), ", filename = true, union_by_name = true")} GROUP BY ALL""").fetchall()
    rows: dict[str, dict[str, int]] = {name: {} for name in places}
    newest: dict[str, int] = dict.fromkeys(places, 0)
    for file, ingest_id, n, received_at in found:
        rows[names[file]][ingest_id] = n
        newest[names[file]] = max(newest[names[file]], received_at)
    return {name: Content(newest[name], rows[name]) for name in places}


def _remembered(lake: Lake, table: str) -> dict[str, Content]:
    return {name: Content(*of) for name, of in memory.recall(_file(lake)).get(table, {}).items()}


def _remember(lake: Lake, table: str, found: Mapping[str, Content]) -> None:
    told = {name: (of.received_at, dict(of.rows)) for name, of in sorted(found.items())}
    every = memory.recall(_file(lake)) | {table: told}
    memory.remember(_file(lake), {name: files for name, files in sorted(every.items()) if files})


def _file(lake: Lake) -> Path:
    return lake.root / "derived" / "contents.json"
