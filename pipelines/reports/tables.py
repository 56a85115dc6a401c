"""Tables of a page: what each cell shows, how it sorts, and the same as CSV, cell by cell.

`templates/_table.html.j2` draws them; what is downloaded holds the numbers that are shown and no others.
"""

import csv as standard_csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pandas as pd
import pyarrow as pa

from pipelines.delivery import csv
from pipelines.reports import words

MINUS = "−"
NOTE = "note"


@dataclass(frozen=True)
class Cell:
    """One cell as it is shown: a text or a number, its interval, its verdict.

    `key` is what the column is sorted by; None stands last, whichever way.
    """

    value: str
    low: str = ""
    high: str = ""
    verdict: str = ""
    key: float | str | None = None
    is_number: bool = False

    @property
    def span(self) -> str:
        """The interval in words; empty where there is none."""
        return f"{self.low} to {self.high}" if self.low else ""


@dataclass(frozen=True)
class Row:
    """One row; the first cell heads it.

    `note` stands below the heading; of a row without figures (`is_hidden`, only the first cell) in place of them.
    """

    cells: tuple[Cell, ...]
    note: str = ""
    is_hidden: bool = False
    is_own: bool = False


@dataclass(frozen=True)
class Table:
    """A table with its caption. `name` names the file to download, and what a screen reader jumps to."""

    name: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    @property
    def is_text(self) -> tuple[bool, ...]:
        """Of each column whether it holds no number."""
        return tuple(not any(c.is_number for c in self._column(k)) for k in range(len(self.columns)))

    @property
    def csv(self) -> str:
        """The table as CSV: numbers as shown with a plain minus and no separators, a dash as nothing, verdicts in words.

        Intervals and verdicts have columns of their own, where the column has any; so have notes.
        """
        parts = [(k, part) for k in range(len(self.columns)) for part in self._parts(k)]
        header = [f"{self.columns[k]}{'' if part == 'value' else f', {part}'}" for k, part in parts]
        lines = [[_plain(row, k, part) for k, part in parts] for row in self.rows]
        if any(row.note for row in self.rows):
            header, lines = [*header, NOTE], [[*line, row.note] for line, row in zip(lines, self.rows, strict=True)]
        sink = io.StringIO()
        standard_csv.writer(sink, lineterminator="\n").writerows([header, *map(_disarmed, lines)])
        return sink.getvalue()

    @property
    def link(self) -> str:
        """The CSV as an address that needs no server."""
        return f"data:text/csv;charset=utf-8,{quote(self.csv)}"

    def _column(self, k: int) -> list[Cell]:
        return [row.cells[k] for row in self.rows if k < len(row.cells)]

    def _parts(self, k: int) -> list[str]:
        cells = self._column(k)
        has = {
            "low": any(c.low for c in cells),
            "high": any(c.high for c in cells),
            "verdict": any(c.verdict for c in cells),
        }
        return ["value", *(part for part, is_there in has.items() if is_there)]


def text(value: str, key: float | str | None = None) -> Cell:
    """A cell of words, sorted by them or by the key."""
    return Cell(value, key=value if key is None else key)


def count(value: Any) -> Cell:
    """A count; a dash where it is not there."""
    if pd.isna(value):
        return Cell(words.DASH, is_number=True)
    return Cell(words.count(value), key=float(value), is_number=True)


def figure(
    value: float, low: float = float("nan"), high: float = float("nan"), *,
    decimals: int = words.DECIMALS, is_signed: bool = False, verdict: str = "",
) -> Cell:  # fmt: skip
    """A figure with its interval and verdict; a dash alone where it is not defined."""
    value, low, high = (float("nan") if pd.isna(v) else float(v) for v in (value, low, high))
    shown = words.number(value, is_signed, decimals)
    if shown == words.DASH:
        return Cell(shown, verdict=verdict, is_number=True)
    span = ("", "")
    if words.span(low, high):
        span = (words.number(low, is_signed, decimals), words.number(high, is_signed, decimals))
    return Cell(shown, *span, verdict=verdict, key=round(value, decimals), is_number=True)


def _plain(row: Row, k: int, part: str) -> str:
    """A part of a cell as CSV has it."""
    if k >= len(row.cells):
        return ""
    cell = row.cells[k]
    if part == "verdict":
        return words.VERDICTS[cell.verdict][1] if cell.verdict else ""
    shown = str(getattr(cell, part))
    if not cell.is_number:
        return shown
    return "" if shown == words.DASH else shown.replace(MINUS, "-").replace(",", "").removeprefix("+")


def _disarmed(line: Sequence[str]) -> list[str]:
    return [str(cell) for cell in csv.disarmed(pa.chunked_array([pa.array(line, pa.string())])).to_pylist()]
