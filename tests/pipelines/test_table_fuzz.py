"""Whatever bytes come, the reader takes rows or refuses in words; and portions of a file are the file."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import ForetideError
from pipelines.sources.batch import Batch
from pipelines.sources.table import chunks, delimited, read
from pipelines.sources.table.mapping import Mapping

COLUMNS = {"subject_id": "id", "completed_at": "at", "instrument": {"value": "phq_9"}, "score": "v"}
MAPPING = {"source": "s", "time_zone": "Asia/Kathmandu", "received": "end_of_local_day"}
many = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
cells = st.one_of(
    st.sampled_from(["", "7", "7.5", "nan", "1e400", "2026-06-01", "2026-06-01T10:00Z", "2026-06-01 10:00", "infinity",
                     "0000-00-00", "99999-01-01", '"', "a,b", "\n", "x\r\ny", "-", "NA", "\0"]),
    st.text(max_size=12),
)  # fmt: skip


def batches(folder: Path, name: str, content: bytes) -> list[Batch]:
    """What the reader makes of a file."""
    (folder / name).write_bytes(content)
    files = [{"path": name, "table": "assessments", "columns": COLUMNS}]
    return list(read(folder, Mapping.model_validate({**MAPPING, "files": files})))


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"'


@many
@given(start=st.sampled_from([b"", b"id,at,v\n", b"id,at,v\r\n", b"\xef\xbb\xbfid,at,v\n", b"PAR1"]), rest=st.binary(max_size=300),
       name=st.sampled_from(["f.csv", "f.csv.gz", "f.parquet"]))  # fmt: skip
def test_any_bytes_are_rows_or_refused(tmp_path, start, rest, name):
    """No content makes the reader fail in any other way than by a refusal."""
    content = gzip.compress(start + rest) if name == "f.csv.gz" and rest[:1] > b"\x40" else start + rest
    try:
        found = batches(tmp_path, name, content)
    except ForetideError:
        return
    assert all(len(batch.frame) == len(batch.lines) for batch in found)


@many
@given(rows=st.lists(st.tuples(cells, cells, cells), max_size=8))
def test_any_cells_are_rows_or_refused(tmp_path, rows):
    """Cells of every kind, well quoted, give rows or a refusal, and every row is sound, broken or blank."""
    content = "\n".join(["id,at,v", *(",".join(map(quoted, row)) for row in rows)])
    try:
        found = batches(tmp_path, "f.csv", content.encode("utf-8", "surrogatepass"))
    except ForetideError:
        return
    assert sum(len(batch.frame) for batch in found) <= len(rows)


@many
@given(flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=4))
def test_a_parquet_file_with_flipped_bytes_is_rows_or_refused(tmp_path, flips):
    """A damaged Parquet file never does worse than to be refused."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"id": ["a", "b"], "at": ["2026-06-01T10:00Z"] * 2, "v": [1.0, 2.0]}), sink)
    content = bytearray(sink.getvalue().to_pybytes())
    for at, change in flips:
        content[at % len(content)] ^= change
    try:
        batches(tmp_path, "f.parquet", bytes(content))
    except ForetideError:
        return


@many
@given(rows=st.lists(st.sampled_from(["a,2026-06-01T10:00Z,1", "b,2026-06-01T10:00Z,many", "", "c,2", '"d\ne",2026-06-01T10:00Z,3']),
                     min_size=1, max_size=40), block=st.integers(60, 300), length=st.integers(1, 9))  # fmt: skip
def test_portions_of_a_file_are_the_file(tmp_path, rows, block, length):
    """However small the blocks and portions, the same rows stand on the same lines and break the same rules."""

    def told() -> list[tuple]:
        content = "\n".join(["id,at,v", "z,2026-06-01T10:00Z,0", *rows]).encode()
        return sorted(
            (line, rule, subject)
            for batch in batches(tmp_path, "f.csv", content)
            for line, rule, subject in zip(
                batch.lines.tolist(),
                [None] * len(batch.lines) if batch.broken is None else batch.broken.to_pylist(),
                batch.frame["subject_id"].to_pylist(),
                strict=True,
            )
        )

    whole = told()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "BLOCK", block)
        patch.setattr(chunks, "ROWS", length)
        assert told() == whole
