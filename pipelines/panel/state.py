"""What the stored day panel rests on: for which night, made by what, from which files of the raw tables.

No subject is named here. A file that the panel rests on and that is gone without a word makes its bucket untrusted: who
takes rows away with good reason (an erasure, retention) says so (`follow`).
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from pipelines import durable, kept_hours
from pipelines.lake import Lake
from pipelines.raw_rows import RAW

# Where a file does not say what its rows hold at most, it may hold anything.
UNTOLD = 2**62


@dataclass(frozen=True)
class Held:
    """What a file of a raw table holds at most: the newest receipt, in microseconds since 1970, and version."""

    received_at: int
    version: int


@dataclass(frozen=True)
class State:
    """The night of the stored panel; by table its raw files, named below their table; buckets to make anew.

    Args:
        name: a hash of all that the panel was made from.
        made_with: a hash of code and settings.
        kept: the newest `known_on` in each file of kept hours, as days since 1970.
    """

    name: str
    night: str
    made_with: str
    raw: dict[str, dict[str, Held]] = field(default_factory=dict)
    kept: dict[str, int] = field(default_factory=dict)
    untrusted: list[int] = field(default_factory=list)

    @property
    def as_of(self) -> pd.Timestamp:
        """The night."""
        return pd.Timestamp(self.night).as_unit("us")


def read(lake: Lake) -> State | None:
    """The state of the stored panel; None if there is none, or its writing was cut off."""
    return _read(_file(lake.root))


def write(lake: Lake, state: State) -> None:
    """Say that the stored panel is whole."""
    _write(_file(lake.root), state)


def forget(lake: Lake) -> None:
    """Say that the stored panel is no more, or not whole."""
    _file(lake.root).unlink(missing_ok=True)


def files_of(lake: Lake, table: str, known: Mapping[str, Held]) -> dict[str, Held]:
    """The files of a raw table as they are now; only those not known yet are looked into."""
    found = {}
    for path in lake.files(table):
        name = path.rpartition(f"/{RAW}/{table}/")[2]
        found[name] = known.get(name) or _looked_into(Path(path))
    return found


def kept_files(lake: Lake, known: Mapping[str, int]) -> dict[str, int]:
    """The files of kept hours as they are now, each with its newest `known_on` as days since 1970."""
    found = {}
    with lake.connection() as connection:
        for path in kept_hours.files(lake):
            name = Path(path).name
            newest = connection.read_parquet(path).aggregate("max(known_on)::DATE - DATE '1970-01-01'")
            found[name] = known[name] if name in known else newest.fetchall()[0][0]
    return found


def bucket_in(name: str) -> int:
    """The bucket of a file, from its place."""
    return int(name.partition("bucket=")[2].partition("/")[0])


def follow(table: Path, replaced: Mapping[str, str | None]) -> None:
    """Go along with rows that were taken out of files of a raw table, with all that is derived from them.

    Args:
        table: the folder of the table.
        replaced: by name each file that was put anew, and the one in its place; None where no row was left.
    """
    file = _file(table.parents[1])
    state = _read(file)
    if state is None or table.parent.name != RAW:
        return
    held = state.raw.get(table.name, {})
    known = {former: held[former] for former in replaced if former in held}
    left = {new: known[former] for former, new in replaced.items() if former in known and new is not None}
    files = {name: what for name, what in held.items() if name not in known} | left
    _write(file, replace(state, raw=state.raw | {table.name: files}))


def distrust(lake: Lake, table: str, names: Iterable[str]) -> None:
    """Have the buckets of those files made anew that the stored panel does not rest on yet, before they lose rows."""
    state = read(lake)
    if state is not None:
        unseen = {bucket_in(name) for name in names if name not in state.raw.get(table, {})}
        write(lake, replace(state, untrusted=sorted(unseen.union(state.untrusted))))


def _looked_into(path: Path) -> Held:
    footer = pq.read_metadata(path)
    groups = [footer.row_group(at) for at in range(footer.num_row_groups)]
    at = {footer.schema.column(place).path: place for place in range(footer.num_columns)}
    received, version = (
        _most([group.column(at[name]).statistics for group in groups]) for name in ("received_at", "version")
    )
    return Held(received, version)


def _most(statistics: Collection[pq.Statistics | None]) -> int:
    if any(one is None or not one.has_min_max for one in statistics):
        return UNTOLD
    most = max(one.max for one in statistics if one is not None)
    return most if isinstance(most, int) else pd.Timestamp(most).value // 1000


def _file(root: Path) -> Path:
    return root / "derived" / "day_panel.json"


def _read(file: Path) -> State | None:
    if not file.is_file():
        return None
    told = json.loads(file.read_bytes())
    raw = {table: {name: Held(*what) for name, what in files.items()} for table, files in told.pop("raw").items()}
    return State(raw=raw, **told)


def _write(file: Path, state: State) -> None:
    raw = {table: {name: (what.received_at, what.version) for name, what in files.items()}
           for table, files in state.raw.items()}  # fmt: skip
    durable.replace(file, json.dumps(asdict(replace(state, raw={})) | {"raw": raw}, sort_keys=True).encode())
