"""Files as they really come: packed, nested, in other encodings, damaged, misnamed or hostile."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.errors import Refused
from pipelines.sources.table import read
from pipelines.sources.table.chunks import ROWS
from pipelines.sources.table.mapping import load_mapping
from tests.pipelines.mapped import broken, given, in_pandas, refusal

EVENTS = {"table": "events", "columns": {"subject_id": "id", "occurred_at": "at", "kind": "k"}}
ROW = "zebra,2026-06-01T10:00Z,panic\n"
GOOD = "id,at,k\n" + ROW
SECRETS = ("zebra", "panic", "2026-06-01")


def from_folder(folder: Path, path: str, source: Path | None = None, **section: object) -> list:
    """Batches of the files that match a pattern."""
    (folder / "mapping").write_text(yaml.safe_dump({"source": "s", "files": [{**EVENTS, "path": path, **section}]}))
    return [in_pandas(batch) for batch in read(source or folder, load_mapping(folder / "mapping"))]


def test_files_of_sub_folders_are_read_packed_or_not(tmp_path):
    """A pattern reaches into folders; gzip and plain CSV beside each other are one source."""
    (tmp_path / "2026" / "05").mkdir(parents=True)
    (tmp_path / "2026" / "05" / "e.csv.gz").write_bytes(gzip.compress(GOOD.encode()))
    (tmp_path / "2026" / "e.csv").write_text(GOOD)
    assert [batch.file for batch in from_folder(tmp_path, "**/e.csv*")] == ["e.csv.gz", "e.csv"]


def test_a_zip_is_read_like_the_folder_in_it(tmp_path):
    """The members that the mapping names come out of a zip, and messages call it by its own name."""
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("study/e.csv", GOOD)
        archive.writestr("study/notes.txt", "not asked for")
    (batch,) = from_folder(tmp_path, "**/e.csv", tmp_path / "export.zip")
    assert (batch.file, len(batch.frame)) == ("e.csv", 1)
    with pytest.raises(Refused, match=r"No file at `export\.zip` matches `other\.csv`"):
        from_folder(tmp_path, "other.csv", tmp_path / "export.zip")


@pytest.mark.parametrize("path", ["../e.csv", "/etc/e.csv", "a/../../e.csv", "C:\\e.csv"])
def test_a_pattern_cannot_lead_out_of_the_folder(tmp_path, path):
    """A mapping from somebody else reads nothing but what it was pointed at."""
    assert "must stay below the folder" in refusal(tmp_path, GOOD, {**EVENTS, "path": path})


def test_rows_know_their_line_whatever_stands_between_them(tmp_path):
    """Blank lines, line ends within quotation marks and lines that are no rows shift no one else's line number."""
    content = (
        "id,at,k\r\n"
        + ROW
        + "\n"
        + 'b,2026-06-01T11:00Z,"fire\nand\nwater"\n'
        + "c,too few\n"
        + "d,2026-06-01T12:00Z,x\n,,\n"
        + "e,,,\n\n"
    )
    batch, ragged = given(tmp_path, content, EVENTS, zone=None)
    assert dict(zip(batch.frame["subject_id"], batch.lines.tolist(), strict=True)) == {"zebra": 2, "b": 4, "d": 8}
    assert (ragged.lines.tolist(), broken(ragged)) == ([7, 10], ["line_has_all_fields"] * 2)


def test_lines_stay_true_over_the_blocks_of_a_long_file(tmp_path, monkeypatch):
    """Portions of a file go on counting where the last one ended."""
    monkeypatch.setattr("pipelines.sources.table.delimited.BLOCK", 1000)
    monkeypatch.setattr("pipelines.sources.table.chunks.ROWS", 50)
    rows = [f"s{n},2026-06-01T10:00Z,k{n}" if n % 97 else f"s{n},gone" for n in range(2, 602)]
    batches = given(tmp_path, "\n".join(["id,at,k", *rows]), EVENTS, zone=None)
    whole = [batch for batch in batches if batch.broken is None]
    assert len(whole) > 5
    assert all(
        kind == f"k{line}" for batch in whole for kind, line in zip(batch.frame["kind"], batch.lines, strict=True)
    )
    assert [line for batch in batches if batch.broken is not None for line in batch.lines] == list(range(97, 602, 97))


def test_parquet_rows_are_counted_from_one_over_row_groups(tmp_path):
    """The number of a row in a Parquet file does not begin anew with each row group."""
    rows = pa.table({"id": ["a"] * 10, "at": ["2026-06-01T10:00Z"] * 10, "k": [str(n) for n in range(1, 11)]})
    pq.write_table(rows, tmp_path / "e.parquet", row_group_size=3)
    (batch,) = from_folder(tmp_path, "e.parquet")
    assert [int(kind) for kind in batch.frame["kind"]] == batch.lines.tolist() == list(range(1, 11))


@pytest.mark.parametrize(("encoding", "declared"), [("utf-16", "utf-16"), ("latin-1", "latin-1"), ("utf-8-sig", "utf-8"),
                                                    ("cp1252", "cp1252"), ("utf-16-le", "utf-16-le")])  # fmt: skip
def test_declared_encodings_are_read(tmp_path, encoding, declared):
    """Names of columns and values with umlauts arrive; a byte-order mark is no part of the first name."""
    content = "id,zeit,k\nzebra,2026-06-01T10:00Z,Übelkeit\n".encode(encoding)
    columns = EVENTS["columns"] | {"occurred_at": "zeit"}
    (batch,) = given(tmp_path, content, EVENTS | {"encoding": declared, "columns": columns}, zone=None)
    assert batch.frame["kind"].tolist() == ["Übelkeit"]


def parquet_of(**columns: object) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


SOUND = parquet_of(id=["zebra"] * 5000, at=["2026-06-01T10:00Z"] * 5000, k=[str(n) for n in range(5000)])
HOSTILE = {
    "Parquet under the name of CSV": ("rows.csv", SOUND, ["Parquet", ".parquet"]),
    "gzip under the name of CSV": ("rows.csv", gzip.compress(GOOD.encode()), ["gzip", ".csv.gz"]),
    "a spreadsheet under the name of CSV": ("rows.csv", b"PK\x03\x04" + b"\0" * 50, ["spreadsheet"]),
    "CSV under the name of Parquet": ("rows.parquet", GOOD.encode(), ["Parquet"]),
    "UTF-16 that is not declared": ("rows.csv", GOOD.encode("utf-16"), ["UTF-16", "`encoding: utf-16`"]),
    "UTF-16 without a mark": ("rows.csv", GOOD.encode("utf-16-le"), ["line 1", "NUL", "utf-16-le"]),
    "mixed encodings": ("rows.csv", GOOD.encode() + "b,2026-06-01T10:00Z,Übel\n".encode("latin-1"), ["line 3", "`encoding:`"]),
    "mixed encodings far down": (
        "rows.csv", GOOD.encode() * 1 + ROW.encode() * 60_000 + b"b,2026-06-01T10:00Z,\xff\n", ["line 60003", "`encoding:`"]),
    "NUL far down": ("rows.csv", GOOD.encode() + ROW.encode() * 60_000 + b"b,2026-06-01T10:00Z,\0\n", ["line 60003", "NUL", "`k`"]),
    "a huge field": ("rows.csv", GOOD.encode() + b"b,2026-06-01T10:00Z," + b"x" * (2 << 20) + b"\n", ["line 3", "1 MB", "`k`"]),
    "a field beyond any block": ("rows.csv", GOOD.encode() + b"b,2026-06-01T10:00Z," + b"x" * (9 << 20) + b"\n", ["4 MB"]),
    "a header beyond any": ("rows.csv", b"id," * 400_000, ["header line"]),
    "a name beyond any": ("rows.csv", b"id,at," + b"k" * 300_000 + b"\n", ["header line"]),
    "a quotation mark that never closes": ("rows.csv", GOOD.encode() + b'b,"' + ROW.encode() * 300_000, ["quotation mark"]),
    "a blank first line": ("rows.csv", b"\n" + GOOD.encode(), ["first line names no columns"]),
    "a header without end": ("rows.csv", b'id,"at', ["header line"]),
    "a name twice": ("rows.csv", b"id,at,k,k\nzebra,2026-06-01T10:00Z,a,b\n", ["1 column names twice", "`k`", "`drop:`"]),
    "names that differ by case": ("rows.csv", b"id,at,k,K \nzebra,2026-06-01T10:00Z,a,b\n", ["differ by case or blanks", "`drop:`"]),
    "a name with blanks": ("rows.csv", GOOD.replace("at", " At").encode(), ["no column `at`", "` At`"]),
    "another separator": ("rows.csv", GOOD.replace(",", ";").encode(), ["no column `id`", "`separator:`"]),
    "a list in a column": ("rows.parquet", parquet_of(id=["zebra"], at=["x"], k=["y"], l=[[1]]), ["nested", "`l`", "`drop:`"]),
    "bytes in a column": ("rows.parquet", parquet_of(id=["zebra"], at=["x"], k=[b"y"]), ["binary", "`k`"]),
    "a huge text in Parquet": ("rows.parquet", parquet_of(id=["zebra"], at=["x" * (2 << 20)], k=["y"]), ["`at`", "1 MB"]),
    "NUL in Parquet": ("rows.parquet", parquet_of(id=["zebra"], at=["x\0"], k=["y"]), ["`at`", "NUL"]),
    "no text in a Parquet text": (
        "rows.parquet", parquet_of(id=["zebra"], at=["x"], k=pa.array([b"\xff"]).view(pa.string())), ["Parquet, or cut off"]),
    "columns without number": ("rows.csv", b"," * 50_000 + b"\n", ["first line names no columns"]),
    "far too many columns": ("rows.csv", ",".join(map(str, range(20_000))).encode() + b"\n", ["20000 columns", "`separator:`"]),
    "a gzip that is cut off": ("rows.csv.gz", gzip.compress(GOOD.encode() * 5000)[:-40], ["cut off"]),
    "a gzip with flipped bytes": ("rows.csv.gz", gzip.compress(GOOD.encode() * 50)[:30] + b"\xff" * 30, ["cut off or damaged"]),
    "a gzip that is none": ("rows.csv.gz", GOOD.encode(), ["cut off"]),
    "a gzip bomb": ("rows.csv.gz", gzip.compress(GOOD.encode() + b"\n" * (80 << 20)), ["times its size"]),
    "a folder of another kind": ("rows.txt.d/rows.csv", GOOD.encode(), ["No file"]),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_is_not_what_it_says_is_refused_in_words(tmp_path, case):
    """The message names the file, the line where there is one, and the cure; it quotes nothing."""
    name, content, told = HOSTILE[case]
    message = refusal(tmp_path, content, {**EVENTS, "path": "rows.*"}, zone=None, name=name)
    assert all(word in message for word in told), message
    assert not any(secret in message for secret in SECRETS), message


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.5, 0.9, 0.999])
def test_a_parquet_file_that_is_cut_off_is_refused(tmp_path, kept):
    """Wherever the copy broke off, nothing of it is believed."""
    assert "Parquet, or cut off" in refusal(
        tmp_path, SOUND[: int(len(SOUND) * kept)], EVENTS, zone=None, name="rows.parquet"
    )


def test_a_flipped_byte_is_noticed_where_pages_have_checksums(tmp_path):
    """A Parquet file written with checksums is not read after it changed."""
    path = tmp_path / "e.parquet"
    pq.write_table(pa.table({"id": ["a"], "at": ["2026-06-01T10:00Z"], "k": ["panic"]}), path, write_page_checksum=True,
                   compression="none", use_dictionary=False, write_statistics=False)  # fmt: skip
    content = bytearray(path.read_bytes())
    content[content.index(b"panic")] ^= 1
    path.write_bytes(content)
    with pytest.raises(Refused, match="Parquet, or cut off"):
        from_folder(tmp_path, "e.parquet")


def test_a_dropped_column_is_not_even_read(tmp_path):
    """What a mapping leaves out knowingly may be nested, doubled or damaged, in Parquet and in CSV."""
    rows = pa.table(
        {
            "id": ["a"],
            "at": ["2026-06-01T10:00Z"],
            "k": pa.array(["panic"], pa.large_string()),
            "note": [[1]],
            "K": ["x"],
        }
    )
    pq.write_table(rows, tmp_path / "e.parquet")
    assert len(from_folder(tmp_path, "e.parquet", drop=["note", "K"])[0].frame) == 1
    (tmp_path / "e.csv").write_bytes(b"id,at,k,note,K\na,2026-06-01T10:00Z,panic," + b"x" * (2 << 20) + b",y\n")
    assert len(from_folder(tmp_path, "e.csv", drop=["note", "K"])[0].frame) == 1


def test_a_column_is_mapped_or_dropped_and_not_both(tmp_path):
    """A contradiction within a mapping is named, also over two entries for one file."""
    assert "`drop:` names 1 mapped columns: k" in refusal(tmp_path, GOOD, {**EVENTS, "drop": ["k"]})
    people = {"table": "subjects", "columns": {"subject_id": "id", "enrolled_on": "at"}, "drop": ["k"]}
    assert "both mapped and under `drop:`: k" in refusal(tmp_path, GOOD, EVENTS, people)


def test_too_many_lines_that_are_no_rows_are_not_collected(tmp_path, monkeypatch):
    """A file of other lines than its header announces is refused early, for its lines would be kept in memory."""
    monkeypatch.setattr("pipelines.sources.table.delimited.RAGGED_MOST", 100)
    message = refusal(tmp_path, GOOD + "a,b\n" * 200, EVENTS, zone=None)
    assert "more than 100 lines" in message
    assert "`separator:`" in message


def test_identifiers_in_columns_that_nobody_mapped_are_refused(tmp_path):
    """The gate sees every column that is read; under `drop:` it is not read, and passes."""
    content = "id,at,k,email\nzebra,2026-06-01T10:00Z,panic,a@example.org\n"
    assert "`rows.csv`" in refusal(tmp_path, content, EVENTS, zone=None)
    assert len(given(tmp_path, content, {**EVENTS, "drop": ["email"]}, zone=None)[0].frame) == 1


def test_memory_does_not_grow_with_the_file(tmp_path):
    """Three times as many rows come in more portions, none of them longer."""
    rows = ROWS * 3 + 7
    table = pa.table({"id": pa.array(["a"]).take(pa.array(np.zeros(rows, np.int32))),
                      "at": pa.array(np.arange(rows) * 60_000_000).cast(pa.timestamp("us", "UTC")),
                      "k": pa.array(["panic"]).take(pa.array(np.zeros(rows, np.int32)))})  # fmt: skip
    pq.write_table(table, tmp_path / "e.parquet")
    (tmp_path / "mapping").write_text(yaml.safe_dump({"source": "s", "files": [{**EVENTS, "path": "e.parquet"}]}))
    del table
    lengths, peak = [], 0
    before = pa.total_allocated_bytes()
    for batch in read(tmp_path, load_mapping(tmp_path / "mapping")):
        lengths.append(len(batch.frame))
        peak = max(peak, pa.total_allocated_bytes() - before)
    assert sum(lengths) == rows
    assert max(lengths) <= 2 * ROWS
    assert peak < 200 << 20
