"""The gate: files and rows that tell who somebody is are refused, by column and class, never with a value."""

from collections.abc import Collection

import pyarrow as pa

from features.tables import Table


def refuse_identifiers(file: str, rows: pa.Table, dropped: Collection[str] = ()) -> None:
    """Refuse source columns that identify people by their name or their values; `dropped` ones are never read."""


def refuse_identifying_rows(table: Table, rows: pa.Table, file: str) -> None:
    """Refuse canonical rows, whatever reader they come from, whose text columns hold what identifies a person."""
