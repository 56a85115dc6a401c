"""Names of files that hold the id of somebody who withdrew: replaced wherever a record keeps them.

The door replaces such a name where it knows the id; it does not where the id stands in the name alone, and not in the
rows that came with it.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from markupsafe import escape

from pipelines import durable
from pipelines.consent.erasure import rewrite
from pipelines.consent.tombstones import Tombstones
from pipelines.installation import Installation
from pipelines.lake import Lake

NAMELESS = "a file whose name was removed"


def remove_names(installation: Installation, tombstones: Tombstones) -> None:
    """Replace them in quarantine, in the data nights on record, and on their pages; safe to repeat after a kill.

    Pages come first: which names stand on them is told by the other two.
    """
    settings, lake = installation.settings, installation.lake
    quarantine, nights = lake.root / "quarantine", sorted((settings.state_folder / "data_nights").glob("*.json"))
    recorded = _in_quarantine(lake, quarantine).union(*map(_in_night, nights))
    telling = _telling(recorded, tombstones)
    if not telling:
        return
    for page in sorted(settings.reports_folder.glob("data-*.html")):
        _replace(page, {str(escape(name)): NAMELESS for name in telling})
    for night in nights:
        _replace(night, {json.dumps(name): json.dumps(NAMELESS) for name in telling})
    if quarantine.is_dir():
        rewrite(quarantine, _files(quarantine), lambda rows: _renamed(rows, telling))


def _telling(names: Iterable[str], tombstones: Tombstones) -> list[str]:
    """Those of the names that hold such an id, the longest first: one may stand within another."""
    return sorted((name for name in names if tombstones.withdrawn(_runs(name))), key=len, reverse=True)


def _runs(name: str) -> set[str]:
    """Every run of whole words of a name, with what stands between them."""
    pieces = re.split(r"([^0-9A-Za-z]+)", name)
    ends = range(1, len(pieces) + 1)
    return {"".join(pieces[start:end]) for end in ends for start in range(end)} - {""}


def _in_quarantine(lake: Lake, folder: Path) -> set[str]:
    files = [str(path) for path in _files(folder)] if folder.is_dir() else []
    if not files:
        return set()
    with lake.connection() as connection:
        return {name for (name,) in connection.read_parquet(files).project("file").distinct().fetchall()}


def _in_night(night: Path) -> set[str]:
    return {name for refusal in json.loads(night.read_bytes())["refused"] for name in refusal["files"]}


def _files(table: Path) -> list[Path]:
    return [Path(path) for path in DeltaTable(str(table)).file_uris()]


def _replace(path: Path, words: dict[str, str]) -> None:
    former = content = path.read_text(encoding="utf-8")
    for word, other in words.items():
        content = content.replace(word, other)
    if content != former:
        durable.replace(path, content.encode())


def _renamed(rows: pa.Table, telling: list[str]) -> pa.Table | None:
    names = rows["file"].cast(pa.string())
    is_told = pc.is_in(names, value_set=pa.array(telling, pa.string()))
    if not pc.any(is_told).as_py():
        return None
    return rows.set_column(rows.column_names.index("file"), "file", pc.if_else(is_told, NAMELESS, names))
