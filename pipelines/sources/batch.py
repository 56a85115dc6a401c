"""What every source hands to the intake: some rows of one canonical table, and the file they came from."""

import hashlib
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Batch:
    """Rows of `table` in canonical columns; `file` names where they stood, for the quarantine's reference."""

    table: str
    frame: pd.DataFrame
    file: str


def row_hash(frame: pd.DataFrame, columns: list[str]) -> pd.Series:
    """A stable id per row from the columns that identify it, for sources that give none."""
    joined = ["|".join(map(str, told)) for told in frame[columns].astype(str).itertuples(index=False)]
    return pd.Series(joined, index=frame.index, dtype="str").map(
        lambda text: hashlib.sha256(text.encode()).hexdigest()[:16]
    )
