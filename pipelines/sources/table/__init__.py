"""Any CSV or Parquet by a mapping file: no code needed for a new cohort.

`read` goes through the files in portions (`files`, `chunks`, `delimited`, `heads`, `parquet`), hands each to the gate,
and lets every entry of the mapping turn it into canonical rows (`entries`, `convert`, `columns`, `times`, `rows`).
"""

from collections.abc import Collection, Iterator
from collections.abc import Mapping as Named
from pathlib import Path

from pipelines.deidentification.gate import refuse_identifiers
from pipelines.errors import Refused
from pipelines.sources.archive import open_source
from pipelines.sources.batch import Batch
from pipelines.sources.table.anchors import Anchors
from pipelines.sources.table.entries import Entry
from pipelines.sources.table.files import Passage, is_named, passages
from pipelines.sources.table.formats import read_chunks
from pipelines.sources.table.mapping import Mapping
from pipelines.sources.table.parsing import Parser

NO_UNITS: Named[str, str] = {}


def read(
    path: Path, mapping: Mapping, units: Named[str, str] = NO_UNITS, known: Collection[Path] = ()
) -> Iterator[Batch]:
    """Canonical batches from the files below `path` (or `path` itself) that the mapping names.

    Args:
        path: a folder, a zip or a file.
        mapping: what the files hold.
        units: unit of each declared signal; values in another one are converted.
        known: files that were taken in before; only enrolment is read of them, for it is told by all files together.

    Raises:
        Refused: a file is missing, unreadable, identifies people or lacks a mapped column; a time has no zone; none
            of a column's values can be read. Single ones that cannot are told in `Batch.broken`.
    """
    parser = Parser()
    try:
        with open_source(path, lambda name: is_named(name, mapping)) as folder:
            anchors = Anchors(folder, path.name, mapping, parser)
            entries = [Entry(mapped, mapping, parser, anchors, units) for mapped in mapping.files]
            for passage in passages(folder, mapping, path.name):
                of_file = [entries[number] for number in passage.entries]
                if passage.file not in known or any(entry.mapped.table == "subjects" for entry in of_file):
                    yield from _passage(passage, of_file)
            for entry in entries:
                yield from entry.finish()
    finally:
        parser.close()


def _passage(passage: Passage, entries: list[Entry]) -> Iterator[Batch]:
    """One file, read once for all entries that read it alike."""
    file, rows, ragged = passage.file.name, 0, 0
    for entry in entries:
        entry.begin()
    for chunk in read_chunks(passage.file, passage.layout, passage.dropped):
        refuse_identifiers(file, chunk.rows, passage.dropped)
        for entry in entries:
            yield from entry.batches(chunk, file)
        if len(chunk.ragged):
            yield entries[0].ragged(chunk.ragged, file)
        rows, ragged = rows + len(chunk.rows), ragged + len(chunk.ragged)
    if ragged and not rows:
        raise Refused(
            f"`{file}`: all {ragged} lines have another number of fields than its header. Export it again, or "
            "check `separator:` in the mapping."
        )
