"""How every command answers: a table for people or one JSON object for machines, and the exit code.

Exit codes: 0 done, 1 refused (data or policy), 2 usage or configuration, 3 fault, 130 stopped by a signal. An unforeseen
error prints its type and place only, since its text may hold somebody's data; FORETIDE_DEBUG=1 shows all of it.
"""

import json
import math
import os
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines import full_disk
from pipelines.errors import ForetideError, Stopped

WIDE = 400
WHAT_STANDS = "Nothing is half-written, and what was delivered stands. Make room, then give the same command again."
# What a shell says of a command that Ctrl-C ended.
STOPPED = 130


@dataclass
class Answer:
    """What a command has to say: tidy rows, the files it made, and a sentence or two.

    Sentences follow the table, where the eye is when a command ends, unless the table is only their detail.
    """

    command: str
    rows: Sequence[Mapping[str, Any]] = ()
    paths: Iterable[Path] = ()
    sentences: Sequence[str] = ()
    ok: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)
    is_told_first: bool = False


def give(answer: Answer, as_json: bool) -> None:
    """Print the answer on standard output."""
    if as_json:
        body = {"command": answer.command, "ok": answer.ok, "rows": [_plain(row) for row in answer.rows]}
        body["paths"] = [str(path) for path in answer.paths]
        print(json.dumps({**body, **answer.extra}, ensure_ascii=False, default=str))
        return
    # In a pipe nothing limits the width; a terminal wraps by itself.
    console = Console() if sys.stdout.isatty() else Console(width=WIDE)
    if answer.rows and not answer.is_told_first:
        console.print(_table(answer.rows))
    for sentence in answer.sentences:
        console.print(sentence, markup=False, highlight=False)
    if answer.rows and answer.is_told_first:
        console.print(_table(answer.rows))
    for path in answer.paths:
        console.print(f"  {path}", markup=False, highlight=False, soft_wrap=True)


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON knows it: no NaN, no numpy scalars."""
    plain = {key: value.item() if hasattr(value, "item") else value for key, value in row.items()}
    return {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in plain.items()}


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    names = list(rows[0])
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        is_number = all(isinstance(row.get(name), int | float) or row.get(name) is None for row in rows)
        # What does not fit is folded: of a name that is cut off nobody knows which it is.
        table.add_column(name.replace("_", " "), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        # As text: in somebody's reason brackets are no markup.
        table.add_row(*(Text(_cell(row.get(name))) for name in names))
    return table


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def exit_with(command: str, error: BaseException, as_json: bool) -> int:
    """Say what went wrong and return the exit code for it."""
    code, message = explained(error)
    if as_json:
        print(json.dumps({"command": command, "ok": False, "rows": [], "paths": [], "error": message}))
    else:
        console = Console(stderr=True) if sys.stderr.isatty() else Console(stderr=True, width=WIDE)
        console.print(message, style="red" if code == 3 else None, markup=False, highlight=False)
    return code


def explained(error: BaseException) -> tuple[int, str]:
    """The exit code of an error and its words, which hold nobody's data."""
    if isinstance(error, KeyboardInterrupt):
        # A plain one's text is nobody's word.
        kept = f" {error}" if isinstance(error, Stopped) else ""
        return STOPPED, f"Stopped before the end. Nothing is half-written: give the same command again.{kept}"
    if isinstance(error, ForetideError):
        return error.exit_code, str(error)
    from features.errors import FeaturesError
    from models.errors import ModelsError

    if isinstance(error, FeaturesError | ModelsError):
        return 1, str(error)
    if (of_disk := full_disk.told_by(error)) is not None:
        return 3, f"{of_disk} {WHAT_STANDS}"
    if os.environ.get("FORETIDE_DEBUG"):
        traceback.print_exception(error, file=sys.stderr)
    places = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(places[-1].filename).name}:{places[-1].lineno}" if places else ""
    return 3, f"Unforeseen fault: {type(error).__name__}{place}. Set FORETIDE_DEBUG=1 to see all of it (may show data)."
