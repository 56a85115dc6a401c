"""Files and the mapping that reads them, made by hand, and what comes of them."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import yaml

from pipelines.errors import ForetideError
from pipelines.sources.batch import Batch
from pipelines.sources.table import read
from pipelines.sources.table.mapping import load_mapping
from pipelines.sources.table.parsing import plain


def given(
    folder: Path, content: object, *files: dict, zone: str | None = "Europe/Berlin", name: str = "rows.csv"
) -> list[Batch]:
    """The batches of a file with this content, read by a mapping made of these file sections."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    if isinstance(content, pd.DataFrame):
        content.to_parquet(path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else str(content).encode())
    sections = [{"path": "rows.*", **section} for section in files]
    mapping = folder / "mapping"
    mapping.write_text(yaml.safe_dump({"source": "study", "files": sections} | ({"time_zone": zone} if zone else {})))
    return [in_pandas(batch) for batch in read(folder, load_mapping(mapping))]


def broken(batch: Batch) -> list[str | None]:
    """The rule that each row of a batch broke."""
    return [None] * len(batch.frame) if batch.broken is None else batch.broken.to_pylist()


def utc(*times: str) -> list[pd.Timestamp]:
    """Instants as tests write them."""
    return [pd.Timestamp(time, tz="UTC") for time in times]


def in_pandas(batch: Batch) -> Batch:
    """The batch with rows as tests compare them most easily."""
    assert isinstance(batch.frame, pa.Table)
    return replace(
        batch, frame=pa.table({name: plain(batch.frame[name]) for name in batch.frame.column_names}).to_pandas()
    )


def refusal(folder: Path, content: object, *files: dict, **options: str | None) -> str:
    """The message with which that is refused."""
    with pytest.raises(ForetideError) as caught:
        given(folder, content, *files, **options)
    return str(caught.value)
