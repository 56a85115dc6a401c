"""Which files a mapping reads, and which of its entries are read from each."""

from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from pipelines.errors import Refused
from pipelines.sources.table.chunks import Layout
from pipelines.sources.table.mapping import FileMapping, Mapping


@dataclass(frozen=True)
class Passage:
    """One reading of one file, for all entries of the mapping that read it in the same way."""

    file: Path
    layout: Layout
    entries: tuple[int, ...]
    dropped: frozenset[str]


def is_named(name: str, mapping: Mapping) -> bool:
    """Whether an entry or an anchor of the mapping may ask for a file of that name, so that it is worth unpacking."""
    told = [one for mapped in mapping.files for one in mapped.origins]
    patterns = [mapped.path for mapped in mapping.files] + [
        one.anchor.path for one in told if one.anchor and one.anchor.path
    ]
    return any(fnmatch(PurePosixPath(name).name, PurePosixPath(pattern).name) for pattern in patterns)


def matching(path: Path, pattern: str, named: str) -> list[Path]:
    """Files below a folder that match a pattern, or the file itself; messages call the folder as it is `named`.

    Raises:
        Refused: there is none.
    """
    if path.is_file():
        found = [path] if path.match(Path(pattern).name) else []
    else:
        found = sorted(file for file in path.glob(pattern) if file.is_file())
    if not found:
        raise Refused(f"No file at `{named}` matches `{pattern}`. Check `path:` in the mapping.")
    return found


def passages(path: Path, mapping: Mapping, named: str) -> list[Passage]:
    """Every reading that a mapping asks for, in the order of its entries and then of names.

    A file alone is read for the entries that match its name.

    Raises:
        Refused: an entry matches no file; or one entry drops a column of a file that another one maps.
    """
    readings: dict[tuple[Path, Layout], list[int]] = {}
    entries = list(enumerate(mapping.files))
    if path.is_file():
        entries = [(n, mapped) for n, mapped in entries if path.match(Path(mapped.path).name)] or entries[:1]
    for number, mapped in entries:
        for file in matching(path, mapped.path, named):
            readings.setdefault((file, Layout.of(mapped)), []).append(number)
    dropped: dict[Path, frozenset[str]] = {}
    for (file, _), numbers in readings.items():
        dropped[file] = dropped.get(file, frozenset()).union(*(mapping.files[n].drop for n in numbers))
    _refuse_contradictions(mapping, readings, dropped)
    return [Passage(file, layout, tuple(n), dropped[file]) for (file, layout), n in readings.items()]


def layout_of(mapping: Mapping, pattern: str) -> tuple[Layout, frozenset[str]]:
    """How the mapping says that a file is read which it names elsewhere; as any other, where it does not."""
    same = [mapped for mapped in mapping.files if mapped.path == pattern]
    mapped = same[0] if same else FileMapping.model_construct(**_DEFAULTS)
    return Layout.of(mapped), frozenset().union(*(one.drop for one in same))


_DEFAULTS = {name: FileMapping.model_fields[name].default for name in ("separator", "encoding", "missing")}


def _refuse_contradictions(
    mapping: Mapping, readings: dict[tuple[Path, Layout], list[int]], dropped: dict[Path, frozenset[str]]
) -> None:
    for (file, _), numbers in readings.items():
        both = sorted(
            {*dropped[file]}.intersection(*[set().union(*(mapping.files[n].source_columns for n in numbers))])
        )
        if both:
            raise Refused(
                f"`{file.name}`: {len(both)} columns are both mapped and under `drop:`: {', '.join(both)}. "
                "Drop or map each of them in the mapping."
            )
