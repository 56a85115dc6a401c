"""What every source hands to the intake: some rows of one canonical table, and the file they came from."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Batch:
    """Rows of `table` in canonical columns; `file` names where they stood, for the quarantine's reference."""

    table: str
    frame: pd.DataFrame
    file: str
