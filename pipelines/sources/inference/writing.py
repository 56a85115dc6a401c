"""A draft as YAML with comments: what was guessed and why, blanks for people to fill, and what was left out."""

import json
import re
import textwrap

from pipelines.sources.inference import vocabulary as says
from pipelines.sources.inference.entries import Guess, Told
from pipelines.sources.inference.samples import ROWS, Unread
from pipelines.sources.inference.sights import Kind
from pipelines.sources.inference.view import DAILY, View

PLAIN = re.compile(r"[A-Za-z_][\w.-]*")
NOT_TEXT = re.compile(r"(?i)y|n|yes|no|on|off|true|false|null|none")
WIDTH = 110
LEFT: dict[Kind, str] = {
    "number": "not mapped, numbers (other streams may go to `signals`)", "text": "not mapped, texts",
    "day": "not mapped, days", "time": "not mapped, times", "clock": "not mapped, times of day",
    "empty": "empty in these rows",
}  # fmt: skip


def head(has_received: bool) -> list[str]:
    """The top of the file."""
    receipt = (
        "rows without a `received_at` of their own" if has_received else "the export does not say; or --received-at"
    )
    return [
        f"# A draft, made from names, types and the first {ROWS:,} rows of each kind of file. It loads once its",
        "# blanks are filled; every other TODO says what to check. docs/bring-your-data.md explains every key.",
        "source: my_study  # TODO the name of this feed",
        "time_zone:  # TODO the zone of times without an offset, like Europe/Berlin",
        f"received: end_of_local_day  # TODO check: {receipt}",
        "files:",
    ]


def nobody_enrolled(why: str) -> list[str]:
    """That no entry says who is enrolled."""
    return _comment(why, "  ")


def section(seen: View, found: list[Guess]) -> list[str]:
    """Everything about one kind of file."""
    sample = seen.sample
    many = f", {sample.files} files" if sample.files > 1 else ""
    told = f"; it needs {', '.join(f'`{line}`' for line in _layout(seen))}" if not found and _layout(seen) else ""
    lines = ["", *_comment(f"{sample.pattern}{many}: {sample.rows.num_columns} columns{told}", "  ")]
    ready = {says.READY[name] for name in seen.sights if name in says.READY}
    lines += [
        line for name in ready for line in _comment(f"TODO docs/examples/{name} maps such exports: use it.", "  ")
    ]
    lines += _comment(seen.note, "  ") if seen.note else []
    lines += [] if found else _comment(f"Not mapped: {_why_not(seen)}.", "  ")
    for number, guess in enumerate(found):
        lines += _entry(seen, guess, is_first=number == 0)
    return lines + _left(seen, found)


def _why_not(seen: View) -> str:
    if seen.subject is None:
        return "no column tells whose the rows are"
    if seen.time is None:
        return "no column tells when"
    if seen.rows_a_day > DAILY and not seen.has_minutes:
        return f"{seen.rows_a_day:.1f} rows for a person and day are neither daily values nor minutes"
    return "nothing here looks like one of our tables"


def unread(file: Unread) -> list[str]:
    """A file that could not be looked at."""
    return ["", *_comment(f"{file.pattern}: {file.why}", "  ")]


def scalar(text: str) -> str:
    """A text as YAML, in quotation marks where it could be read as something else."""
    if PLAIN.fullmatch(text) and not NOT_TEXT.fullmatch(text):
        return text
    # YAML takes no control characters as they are.
    return json.dumps(text, ensure_ascii=not text.isprintable())


def _entry(seen: View, guess: Guess, is_first: bool) -> list[str]:
    lines = _comment(guess.todo, "  ") if guess.todo else []
    lines += [f"  - path: {scalar(seen.sample.pattern)}", f"    table: {guess.table}  # {guess.why}"]
    lines += [f"    {line}" for line in _layout(seen)]
    lines += ["    columns:", *_columns(guess.columns, "      ")]
    if guess.melt:
        lines += ["    melt:", f"      into: {guess.into}", "      columns:", *_columns(guess.melt, "        ")]
    if guess.attributes:
        lines += ["    attributes:  # TODO name them under `audit: attributes:` in foretide.yaml too"]
        lines += _columns(guess.attributes, "      ")
    if is_first and seen.identifying:
        lines += ["    drop:"]
        lines += [f"      - {scalar(name)}  # {one.identifier}: {one.reason}" for name, one in seen.identifying.items()]
    return lines


def _layout(seen: View) -> list[str]:
    """How the file is read, where it is not the way that goes without saying."""
    layout = seen.sample.layout
    lines = [f"separator: {json.dumps(layout.separator)}"] if layout.separator != "," else []
    lines += [f"decimal: {json.dumps(seen.decimal)}"] if seen.decimal != "." else []
    return lines + ([f"encoding: {layout.encoding}"] if layout.encoding != "utf-8" else [])


def _columns(columns: dict[str, Told], indent: str) -> list[str]:
    return [f"{indent}{scalar(name)}: {_origin(told)}".rstrip() + (f"  # {told.note}" if told.note else "")
            for name, told in columns.items()]  # fmt: skip


def _origin(told: Told) -> str:
    if told.column is not None and not told.keys and not told.blank:
        return scalar(told.column)
    parts = [] if told.column is None else [f"column: {scalar(told.column)}"]
    parts += [f"{key}: {_value(key, value)}" for key, value in told.keys]
    parts += [f"{told.blank}: "] if told.blank else []
    return f"{{{', '.join(parts)}}}" if parts else ""


def _value(key: str, value: str) -> str:
    if key == "time" and not value.startswith("{"):
        return scalar(value)
    return json.dumps(value) if key == "format" and "%" in value else value


def _left(seen: View, found: list[Guess]) -> list[str]:
    """Columns that no entry maps, by what they hold."""
    mapped = frozenset().union(*(guess.mapped for guess in found))
    left = [one for name, one in seen.sights.items() if name not in mapped]
    lines = []
    for kind, meaning in LEFT.items():
        names = [scalar(one.name) for one in left if one.kind == kind]
        lines += _comment(f"{meaning}: {', '.join(names)}", "    ") if names else []
    if not found and seen.identifying:
        told = ", ".join(f"{scalar(name)} ({one.identifier})" for name, one in seen.identifying.items())
        lines += _comment(f"identifying: {told}", "    ")
    return lines


def _comment(text: str, indent: str) -> list[str]:
    plain = "".join(letter if letter.isprintable() else " " for letter in text)
    return textwrap.wrap(
        plain, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}#   ", break_long_words=False,
        break_on_hyphens=False,
    )  # fmt: skip
