"""Looks for damage in the lake: every page of every file that counts is read and compared with its checksum.

The night itself reads by DuckDB, which does not compare checksums (docs/decisions/0041). It looks at what is new or was touched
(`scrubbing`); this is for whenever a disk is in doubt.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

RAW = "raw"


def is_lake(folder: Path) -> bool:
    """Whether a folder is that of a lake."""
    return any((folder / RAW).glob("*/_delta_log"))


def damaged(root: Path) -> tuple[int, list[str]]:
    """How many files count, and in sentences which of them, or which logs, cannot be read as they were written."""
    files, faults, root = 0, [], root.resolve()
    for log in sorted(root.glob("**/_delta_log")):
        table = log.parent
        try:
            paths = [Path(uri) for uri in DeltaTable(str(table)).file_uris()]
        except DeltaError:
            faults.append(f"The log of `{table.relative_to(root)}` is damaged: nothing of that table can be read.")
            continue
        files += len(paths)
        faults += [f"`{path.relative_to(root)}` {why}." for path in paths for why in faults_of(path)]
    return files, faults


def faults_of(path: Path) -> Iterator[str]:
    """Why a file of Parquet cannot be read as it was written, in words; nothing if it can."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            for group in range(file.num_row_groups):
                file.read_row_group(group)
    except FileNotFoundError:
        yield "is gone"
    except (OSError, pa.ArrowException):
        yield "is damaged: restore it from a backup, or have its stream sent again"
