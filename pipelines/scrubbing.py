"""Damage in the lake, and in the audit log, found before a night or a training builds on it: what counts is as it was written.

DuckDB compares no checksums. So a file that is seen for the first time is read with its pages' checksums compared, and a digest
of it is kept. It is compared with that digest whenever anything touched the file, and once in `PERIOD_DAYS` in turn, for rot
leaves no mark. The cost grows with what is new, and with a small share of history. What is remembered names no subject, and may
be thrown away at any time, or damaged: then every file counts as new.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from zlib import crc32

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from pipelines import durable, lake_check, memory
from pipelines.errors import ForetideError, Refused
from pipelines.file_digests import mark_of, sha256_of
from pipelines.installation import Installation
from pipelines.lake import Lake
from pipelines.panel import state
from pipelines.panel.view import stores
from pipelines.raw_rows import RAW
from pipelines.reports import words

PERIOD_DAYS = 28
READERS = 2
DERIVED = "derived"
# Not the quarantine: nothing is computed from it.
FAMILIES = (RAW, "repeats", "retained", DERIVED)
LOG, OF_TABLE = "_delta_log", "?table="


@dataclass(frozen=True)
class Sound:
    """A file that was as it was written: its mark, the digest of its content, and the period of its last look."""

    mark: str
    digest: str
    period: int


def refuse_damage(installation: Installation) -> None:
    """Look for damage. What can be made anew is removed, so that what stores it makes it; a night says so (`removed`).

    A night looks before it reads, and at its end, at what it wrote itself. So it does at the audit log: what was delivered must be
    put on record, and an edited ledger could let any model serve.

    Raises:
        Fault: the audit log is damaged.
        Refused: of what nothing gives anew files are damaged or gone; by table and count, with the cure.
    """
    installation.audit_log.refuse_damage()
    installation.report("looking for damage in the lake")
    lake, now = installation.lake, installation.now
    found = damaged(lake.root, now.toordinal() if now else 0)
    anew = [table for table in found if _is_made_anew(lake, table)]
    if anew:
        _remove(lake, anew, _named(found, anew))
    if lost := [table for table in found if table not in anew]:
        raise Refused(
            f"Damaged or gone in the lake: {_named(found, lost)}. Nothing was read of it. Restore it from a backup of the state "
            "folder, or have the streams sent again into a new lake (docs/operations.md)."
        )


def despite_damage(installation: Installation, work: Callable[[], None]) -> None:
    """Do what must read the lake before a night looks for damage; where that breaks down, look, and do it once more.

    Raises:
        Refused: as `refuse_damage`; beside whatever the work raises for another reason.
    """
    try:
        work()
    except ForetideError:
        raise
    except Exception:  # noqa: BLE001 (whatever a reader makes of damaged bytes; it is raised again by the second try)
        refuse_damage(installation)
        work()


def removed(lake: Lake) -> list[str]:
    """What was removed since it was said last, in a sentence; nothing if there is nothing to say."""
    file = _note(lake)
    return [file.read_text()] if file.is_file() else []


def say_no_more(lake: Lake) -> None:
    """What was removed is said."""
    _note(lake).unlink(missing_ok=True)


def _named(found: Counter[str], tables: list[str]) -> str:
    return words.listing([_told(table, found[table]) for table in sorted(tables)])


def _told(table: str, files: int) -> str:
    return f"{words.counted(files, 'file')} of `{table}`"


def damaged(root: Path, day: int) -> Counter[str]:
    """By table, such as `raw/mood`, how many of its files are not as they were written; what is sound is remembered.

    Args:
        day: the day of looking, as a number that rises by one a day.
    """
    known, found = _remembered(root), Counter[str]()
    names: list[str] = []
    unread: dict[str, Sound | None] = {}
    for table in _tables(root, known):
        try:
            names += _counting(root, table, known)
        except DeltaError:
            found[table] += 1
            unread |= {name: sound for name, sound in known.items() if _table_of(name) == table}
    with ThreadPoolExecutor(READERS) as pool:
        looked_at = pool.map(lambda name: _looked_at(root, name, known.get(name), day), names)
        seen = dict(zip(names, looked_at, strict=True))
    found.update(_table_of(name) for name, sound in seen.items() if sound is None)
    # What is damaged is remembered as it was, so that it stays damaged until it is put back.
    _remember(root, known, unread | {name: sound or known.get(name) for name, sound in seen.items()})
    return found


def _tables(root: Path, known: Iterable[str]) -> list[str]:
    """Tables that are there, and raw ones that were: those nobody ever removes."""
    there = {log.parent.relative_to(root).as_posix() for family in FAMILIES for log in root.glob(f"{family}/*/{LOG}")}
    return sorted(there | {_table_of(name) for name in known if name.startswith(f"{RAW}/")})


def _counting(root: Path, table: str, known: Iterable[str]) -> Iterator[str]:
    """The files of a table that count, and those of its log, which never change either; named below the lake."""
    stored = DeltaTable(str(root / table))
    for uri in stored.file_uris():
        yield f"{table}/{uri.rpartition(f'/{table}/')[2]}"
    # A derived table that was begun anew has other commits by the same names. A raw one never is: its id is guarded, too.
    begin, end = f"{table}/{LOG}/", "" if table.startswith(f"{RAW}/") else f"{OF_TABLE}{stored.metadata().id}"
    commits = [f"{begin}{path.name}{end}" for path in (root / table / LOG).glob("*.json")]
    yield from commits
    # Old commits may go once a checkpoint holds them. Without the newest, what it brought would be missing, and nothing would say so.
    newest = max(commits, default=begin)
    yield from (name for name in known if name.startswith(begin) and name.endswith(end) and name > newest)


def _table_of(name: str) -> str:
    return "/".join(name.split("/")[:2])


def _looked_at(root: Path, name: str, known: Sound | None, day: int) -> Sound | None:
    """What is to be remembered of a file; None if it is damaged or gone."""
    path, period = root / name.partition(OF_TABLE)[0], (day + crc32(name.encode())) // PERIOD_DAYS
    try:
        mark = mark_of(path)
        if known is not None:
            is_due = (known.mark, known.period) != (mark, period)
            is_sound = not is_due or sha256_of(path) == known.digest
            return Sound(mark, known.digest, period) if is_sound else None
        is_sound = path.parent.name == LOG or not list(lake_check.faults_of(path))
        return Sound(mark, sha256_of(path), period) if is_sound else None
    except OSError:
        return None


def _is_made_anew(lake: Lake, table: str) -> bool:
    """Whether a table is stored whole, and by the next run of what stores it: a night, or a training."""
    family, _, name = table.partition("/")
    return family == DERIVED and (name in stores(lake) or lake.mark_of(name).is_file())


def _remove(lake: Lake, tables: list[str], named: str) -> None:
    """Take tables away, with the word that the day panel is whole, which rests on several of them; what they were stays to be said."""
    with lake.writing():
        lake.check_turn()
        durable.replace(
            _note(lake),
            (
                f"Damaged or gone in the lake, removed and made anew from the rest: {named}; what a training stores comes with the "
                "next `foretide train`. Look at the disk."
            ).encode(),
        )
        state.forget(lake)
        for table in tables:
            lake.mark_of(table.partition("/")[2]).unlink(missing_ok=True)
            shutil.rmtree(lake.root / table)


def _note(lake: Lake) -> Path:
    return lake.root / DERIVED / "removed.txt"


def _file(root: Path) -> Path:
    return root / DERIVED / "digests.json"


def _remembered(root: Path) -> dict[str, Sound]:
    return {name: Sound(*of) for name, of in memory.recall(_file(root)).items()}


def _remember(root: Path, known: dict[str, Sound], seen: dict[str, Sound | None]) -> None:
    sound = {name: of for name, of in seen.items() if of is not None}
    if sound != known:
        memory.remember(_file(root), {name: astuple(of) for name, of in sorted(sound.items())})
