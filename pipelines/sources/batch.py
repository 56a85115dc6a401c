"""What every source hands to the intake: some rows of one canonical table, and where in which file they stood."""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray


@dataclass(frozen=True)
class Batch:
    """Rows of `table` in canonical columns, at most some million at a time so that memory stays bounded.

    Args:
        table: name of a canonical table.
        frame: the rows, as pandas or (faster, for long files) as Arrow; text columns may be dictionary-encoded.
        file: names where the rows stood, for the quarantine's reference; no path, no person.
        lines: line of each row in the file, counted from 1 with the header; rows are numbered in turn if not given.
        broken: name of the rule that the reader found a row to break (a number that is none, a time that cannot be
            read), None where it keeps them all; such a row goes into quarantine, with the value missing.
    """

    table: str
    frame: pd.DataFrame | pa.Table
    file: str
    lines: NDArray[np.int64] | None = None
    broken: pa.Array | None = None


def row_hash(frame: pd.DataFrame, columns: list[str]) -> pd.Series:
    """A stable id per row from the columns that identify it, for sources that give none."""
    joined = ["|".join(map(str, told)) for told in frame[columns].astype(str).itertuples(index=False)]
    return pd.Series(joined, index=frame.index, dtype="str").map(
        lambda text: hashlib.sha256(text.encode()).hexdigest()[:16]
    )
