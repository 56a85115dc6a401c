"""The `fitbit` format: broken and hostile files are refused in bounded time and memory, and told without their content."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.errors import Refused
from pipelines.sources import archive
from tests.pipelines.fitbit_exports import ROOT, beat, encoded, entry, log, refusal, rows, write, zipped, zipped_link

MOMENT = "06/01/31 23:17:00"
SOUND = encoded([entry(MOMENT, "61.25")] * 3)
DEEP = 300_000
# Content of a steps file -> words that the message must have.
FILES: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "nothing": (b"", ("is empty",)),
    "blanks": (b" \n ", ("is empty",)),
    "cut off within a value": (SOUND[:-20], ("cut off", "entry")),
    "cut off between entries": (SOUND.rstrip(b"]"), ("cut off",)),
    "UTF-16": (SOUND.decode().encode("utf-16"), ("UTF-8",)),
    "UTF-16 without a mark": (SOUND.decode().encode("utf-16-le"), ("UTF-8",)),
    "NUL in a value": (SOUND.replace(b"61", b"\0"), ("UTF-8",)),
    "NUL far behind": (encoded([entry(MOMENT, "61.25")] * 500).replace(b"]", b"\0]"), ("cut off, or not readable",)),
    "Latin-1": (SOUND.replace(b"61", b"\xe9"), ("UTF-8",)),
    "an object": (encoded({"sleep": []}), ("not a list",)),
    "a list of numbers": (b"[61.25, 417]", ("not a list",)),
    "a list in a list": (b"[" + SOUND + b"]", ("not a list",)),
    "an entry among entries that is none": (SOUND[:-1] + b", 417]", ("not a list", "entry 4")),
    "lines of JSON": (b'{"dateTime": "x"}\n{"dateTime": "y"}\n', ("not a list",)),
    "a page of the web": (b"<html>Zebra</html>", ("not a list",)),
    "two lists": (SOUND + SOUND, ("cut off, or not readable",)),
    "a key twice": (b'[{"dateTime": "Zebra", "dateTime": "Zebra", "value": "417"}]', ("same key twice",)),
    "a huge value": (encoded([entry(MOMENT, "9" * 40_000_000)]), ("larger than 16 MB",)),
    "deep lists": (b"[" * DEEP, ("cut off",)),
    "deep lists that end": (b"[" * DEEP + b"]" * DEEP, ("not a list",)),
    "none that is readable": (encoded([entry("Zebra", "417"), entry("quagga@example.org", "777123")]), ("none of its 2 entries",)),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES)
def test_a_broken_file_is_refused_by_name_and_reason(tmp_path, case):
    """The message has the file's name, what is wrong with it and a cure, and nothing that stands in it."""
    content, words = FILES[case]
    message = refusal(write(tmp_path / "p01", {"steps-2026-06-01.json": content}))
    assert "`steps-2026-06-01.json`" in message
    assert all(word in message for word in words), message


def test_of_several_people_the_one_with_a_broken_file_is_told_by_number(tmp_path):
    """Fifty people have a `steps.json` each: the message says in which folder, without its name."""
    for name, content in (("Zebra-1", encoded([])), ("Zebra-2", SOUND[:-20]), ("Zebra-3", encoded([]))):
        write(tmp_path / "cohort", {"steps.json": content}, name)
    assert refusal(tmp_path / "cohort").startswith("In number 2 of 3 folders or zips of people, by name: `steps.json`")


@pytest.mark.parametrize("kind", ["heart_rate", "sleep", "resting_heart_rate", "time_in_heart_rate_zones", "exercise"])
def test_every_kind_of_file_is_refused_alike(tmp_path, kind):
    """Whatever reads it, a file that is cut off is named."""
    assert f"`{kind}.json`" in refusal(write(tmp_path / "p01", {f"{kind}.json": b'[{"dateTime": "Zebra", "value"'}))


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "is empty"), (b"a,b\n1,2\n", "no column `timestamp`"), ("timestamp,overall_score\nZebra,417\n".encode("utf-16"), "UTF-8"),
     (b'timestamp,overall_score\n"2031,417\n', "not readable"), (b"timestamp,overall_score\nZebra,777123\n", "none of its 1"),
     (b"timestamp,overall_score\n" + b"9" * 40_000_000, "larger than")],
)  # fmt: skip
def test_a_broken_score_file_is_refused(tmp_path, content, words):
    """The CSV among the files is held to the same."""
    message = refusal(write(tmp_path / "p01", {"sleep_score.csv": content}))
    assert "`sleep_score.csv`" in message
    assert words in message


def test_a_byte_order_mark_and_empty_lists_are_no_fault(tmp_path):
    """A mark before the list is skipped, and a month without data is an empty list."""
    write(
        tmp_path / "p01",
        {"steps-2026-06-01.json": b"\xef\xbb\xbf" + SOUND.replace(b"61.25", b"3"), "sleep-2026-06-01.json": []},
    )
    assert len(rows(tmp_path / "p01", "wearable")) == 1


@pytest.mark.parametrize("filling", [b"[", b'{"a":'])
def test_deep_values_of_an_entry_cost_nothing(tmp_path, filling):
    """A value nested a hundred thousand deep is one bad entry among sound ones."""
    closing = {b"[": b"]", b'{"a":': b"}"}[filling]
    deep = b'{"dateTime": "x", "value": ' + filling * DEEP + b"1" + closing * DEEP + b"}"
    sound = encoded(entry("06/01/26 12:00:00", "3"))
    write(tmp_path / "p01", {"steps.json": b"[" + sound + b"," + deep + b"]"})
    assert len(rows(tmp_path / "p01", "wearable")) == 1


def test_levels_that_cannot_be_read_leave_the_stages_out(tmp_path):
    """Levels of a wrong type, nested deep, or of more pieces than a night has: the log counts, its stages are missing."""
    piece = {"dateTime": "2026-06-02T00:00:00.000", "level": "light", "seconds": 30}
    deep = json.loads("[" * 500 + "]" * 500)
    told = [
        "Zebra",
        {"data": [417]},
        {"data": deep},
        {"data": [piece] * 9000, "shortData": [piece] * 9000},
        [piece],
        None,
    ]
    logs = [log(at, "2026-06-01T23:00", "2026-06-02T07:00", 480, levels=levels) for at, levels in enumerate(told)]
    found = rows(write(tmp_path / "p01", {"sleep.json": logs}), "sleep")
    assert found["minutes_asleep"].tolist() == [440] * len(told)
    assert found["minutes_light"].isna().all()


def test_characters_of_patterns_in_a_folder_name_are_taken_as_they_are(tmp_path):
    """A folder `p[01]*'` is read, and no other folder in its stead."""
    write(tmp_path / "p0'", {"steps.json": [entry("06/01/26 12:00:00", "9")]}, "")
    assert (
        rows(write(tmp_path / "p[01]*'", {"steps.json": [entry("06/01/26 12:00:00", "3")]}, ""), "wearable")["steps"][0]
        == 3
    )


def test_memory_stays_bounded_however_long_a_file_is(tmp_path):
    """A heart rate file that would not fit is read within one gigabyte of address space beyond the libraries' own."""
    one = encoded([beat("06/01/26 12:00:05", 61)])[1:-1]
    (tmp_path / "p01").mkdir()
    with (tmp_path / "p01" / "heart_rate.json").open("wb") as file:
        file.write(b"[" + one)
        for _ in range(60):
            file.write((b"," + one) * 50_000)
        file.write(b"]")
    code = f"""
from pathlib import Path
from pipelines.sources.fitbit import read
print(sum(batch.frame.num_rows for batch in read(Path({str(tmp_path / "p01")!r}), "UTC", True)))
# Not getrusage: it also counts the memory of the process that started this one.
print([line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")][0])"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    count, kilobytes = map(int, done.stdout.split())
    assert count == 2
    assert kilobytes < 900_000


NAMES = {
    "up": "../steps.json", "up within": "a/../../steps.json", "absolute": "/tmp/steps.json", "of a drive": "C:/steps.json",
    "with backslashes": "..\\steps.json",
}  # fmt: skip


@pytest.mark.parametrize("case", NAMES)
def test_members_that_lead_out_are_refused(tmp_path, case):
    """No file is written outside, and the member is told by its number."""
    path = zipped(tmp_path / "p01.zip", {f"{ROOT}/steps.json": SOUND, NAMES[case]: SOUND}, "")
    message = refusal(path)
    assert "`p01.zip`: member 2 has a path that leads out" in message
    assert NAMES[case] not in message
    assert not (tmp_path / "steps.json").exists()


def test_links_are_refused(tmp_path):
    """A member that would become a link to another file is none of an export."""
    assert "member 1 is a link" in refusal(zipped_link(tmp_path / "p01.zip", f"{ROOT}/steps.json", "/etc/passwd"))


def test_a_name_twice_is_refused(tmp_path):
    """Of two members with one name it could not be told which counts."""
    path = zipped(tmp_path / "p01.zip", {"steps-1.json": SOUND, "steps-2.json": SOUND}, "")
    path.write_bytes(path.read_bytes().replace(b"steps-2", b"steps-1"))
    assert "member 2 has the name of another one" in refusal(path)


def test_a_file_that_is_a_folder_elsewhere_is_refused(tmp_path):
    """`sleep.json` as a file and as a folder cannot both be unpacked."""
    path = zipped(tmp_path / "p01.zip", {"sleep.json": [], "sleep.json/sleep.json": []}, "")
    with pytest.raises(Refused, match="member 2 cannot be unpacked"), archive.open_source(path):
        pass


def test_encrypted_members_are_refused(tmp_path):
    """The flag of encryption is enough."""
    path = zipped(tmp_path / "p01.zip", {"steps.json": SOUND}, "")
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "member 1 is encrypted" in refusal(path)


def test_a_bomb_stops_at_the_limit(tmp_path, monkeypatch):
    """Bytes are counted as they come out: nothing beyond the limit is written, whatever the header says."""
    path = zipped(tmp_path / "p01.zip", {"steps.json": b"[" + b" " * (80 << 20) + b"]"}, "")
    folder = tmp_path / "unpacked"
    folder.mkdir()
    monkeypatch.setattr(archive.tempfile, "TemporaryDirectory", lambda prefix: _Kept(folder))
    assert "unpacks beyond 250 times" in refusal(path)
    assert (folder / "steps.json").stat().st_size <= archive.RATIO_COUNTS_FROM


def test_a_header_that_lies_about_a_size_is_found_out(tmp_path):
    """A member that says it is small and is not, is no whole zip."""
    path = zipped(tmp_path / "p01.zip", {"steps.json": SOUND + b" " * 1_000_000}, "")
    content = bytearray(path.read_bytes())
    for at in (22, content.index(b"PK\x01\x02") + 24):
        struct.pack_into("<I", content, at, 10)
    path.write_bytes(content)
    assert "not a whole zip" in refusal(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_zip_cut_off_is_refused(tmp_path, share):
    """A download that ended early is told from a whole one."""
    path = zipped(
        tmp_path / "p01.zip", {"steps.json": SOUND, "sleep.json": [log(1, "2031-06-01T23:17", "2031-06-02T07:00", 417)]}
    )
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert "not a whole zip" in refusal(path)


def test_a_flipped_byte_is_found(tmp_path):
    """The checksum of a member is verified before its content is read."""
    path = zipped(tmp_path / "p01.zip", {"steps.json": SOUND * 50}, "")
    content = bytearray(path.read_bytes())
    content[60] ^= 0xFF
    path.write_bytes(content)
    assert "not a whole zip" in refusal(path)


def test_a_directory_of_millions_of_members_is_not_even_read(tmp_path):
    """What a zip's end says of the length of its directory is checked before that is held in memory."""
    path = zipped(tmp_path / "p01.zip", {"steps.json": SOUND}, "")
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.rindex(b"PK\x05\x06") + 12, 1 << 30)
    path.write_bytes(content)
    assert "more members than any export has" in refusal(path)


class _Kept:
    """A temporary folder that stays, so that a test can look into it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> str:
        return str(self._folder)

    def __exit__(self, *_: object) -> None:
        return None
