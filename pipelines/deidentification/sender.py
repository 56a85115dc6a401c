"""Help for senders: a folder of CSV and Parquet becomes one that passes the gate, whole or not at all.

Files are read twice, portion by portion: once to see what the columns hold, once to write. Same input and key, same
bytes. What is written is judged by the gate that will judge it at the other end.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.deidentification.gate import refuse_identifiers
from pipelines.deidentification.keys import Key
from pipelines.deidentification.plan import Declared, Sight, Step, look_at, person_column, plan
from pipelines.deidentification.rewriting import identities, rewritten
from pipelines.deidentification.writing import writer
from pipelines.durable import sync_folder
from pipelines.errors import Refused, Usage
from pipelines.progress import Report
from pipelines.sources.table.chunks import Layout
from pipelines.sources.table.formats import read_chunks

ENDINGS = (".csv", ".csv.gz", ".parquet")
OTHER_SEPARATORS = ";\t|,"


@dataclass(frozen=True)
class Planned:
    """One file: its name below the source, what its columns hold, and what is done with them."""

    path: Path
    name: str
    sights: dict[str, Sight]
    steps: list[Step]

    def told(self) -> list[dict[str, object]]:
        """One row per column, counts only."""
        return [{"file": self.name, "column": step.column, "done": step.done, "becomes": step.becomes or None,
                 "values": self.sights[step.column].filled, "why": step.why or None} for step in self.steps]  # fmt: skip


@dataclass(frozen=True)
class Preparation:
    """What a sender wants done with which files."""

    source: Path
    declared: Declared
    layout: Layout
    report: Report

    def plans(self) -> list[Planned]:
        """What will be done; nothing is written and no key is needed.

        Raises:
            Refused: no file, a file that cannot be read, or one that is not clear.
            Usage: a declared column that no file has.
        """
        files = self._files()
        planned = [self._planned(file, position / len(files)) for position, file in enumerate(files)]
        unknown = sorted(
            self.declared.names - {name for one in planned for name in one.sights} - {*self.declared.dropped}
        )
        if unknown:
            raise Usage(f"No file has a column {', '.join(f'`{name}`' for name in unknown)}. Correct the name.")
        return planned

    def left_out(self) -> int:
        """Number of files that are neither CSV nor Parquet; they are not prepared."""
        return 0 if self.source.is_file() else sum(f.is_file() for f in self.source.rglob("*")) - len(self._files())

    def write(self, plans: list[Planned], out: Path, key: Key) -> None:
        """Write all files into `out`, which appears when it is complete.

        Raises:
            Refused: `out` exists or lies within the source; a row, date or name cannot go out.
        """
        refuse_within(out, self.source, "--out")
        if out.exists():
            raise Refused(f"`{out.name}` exists already. Name another folder, or remove it first.")
        partial = out.with_name(f".{out.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)  # of a run that was killed
        try:
            partial.mkdir(parents=True)
            named = sum(self._write(one, partial, key) for one in plans)
            if named:
                raise Refused(f"{named} files lie in folders, or have names, that are ids of their rows. Rename them.")
            partial.rename(out)
            sync_folder(out.parent)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def _files(self) -> list[Path]:
        found = [self.source] if self.source.is_file() else sorted(
            file for file in self.source.rglob("*") if file.is_file() and file.name.endswith(ENDINGS))  # fmt: skip
        if not found:
            raise Refused(
                f"No {', '.join(ENDINGS)} file at `{self.source.name}`. Check the path; unpack archives first."
            )
        return found

    def _planned(self, file: Path, share: float) -> Planned:
        self.report(f"looking at {file.name}", share / 2)
        sights = look_at(self._portions(file))
        name = file.name if file == self.source else file.relative_to(self.source).as_posix()
        return Planned(file, name, sights, plan(file.name, sights, self.declared))

    def _portions(self, file: Path) -> Iterator[pa.Table]:
        for chunk in read_chunks(file, self.layout, frozenset(self.declared.dropped)):
            if len(chunk.ragged):
                raise Refused(
                    f"`{file.name}` line {chunk.ragged[0]} has another number of fields than the header. Export it again."
                )
            if chunk.rows.num_columns == 1 and any(other in chunk.rows.column_names[0] for other in OTHER_SEPARATORS):
                raise Refused(f"`{file.name}` has one column only. Give its --separator.")
            yield chunk.rows

    def _write(self, one: Planned, folder: Path, key: Key) -> bool:
        """Write one file; whether it, or a folder of it, is named after an id of its own rows."""
        self.report(f"writing {one.path.name}")
        person = person_column(one.steps, self.declared)
        own, is_named, sink = pa.array([part.split(".")[0] for part in Path(one.name).parts]), False, None
        with ExitStack() as stack:
            for rows in self._portions(one.path):
                prepared = rewritten(rows, one.steps, person, key, self.declared, one.path.name)
                refuse_identifiers(one.path.name, prepared)
                sink = sink or stack.enter_context(writer(folder / one.name, prepared.schema, self.layout.separator))
                sink.write(prepared)
                is_named |= person is not None and pc.any(pc.is_in(own, identities(rows[person]))).as_py()
        return is_named


def refuse_within(path: Path, folder: Path, what: str) -> None:
    """Refuse a path inside a folder, or that is the folder.

    Raises:
        Refused: it is; says which option to change.
    """
    if path.resolve().is_relative_to(folder.resolve()):
        raise Refused(f"{what} lies within `{folder.name}`. Name a place outside of it.")
