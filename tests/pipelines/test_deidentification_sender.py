"""`foretide deidentify`: what a sender gets for a folder of files, and what is refused before anything is written."""

import gzip
import hashlib
import json
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipelines.cli.main import app
from pipelines.deidentification.dates import moved_back
from pipelines.deidentification.gate import refuse_identifiers
from pipelines.deidentification.keys import Key

PEOPLE = """mrn,surname,birth_date,zip,sex,ward,enrolled
007,Zebrano,1931-03-27,10115,F,north,2026-05-01
12,Quagga,1984-11-30,10117,M,south,2026-05-02
13,Okapi,2010-06-02,10119,F,north,2026-05-03
"""
SLEEP = """mrn,bed,up,asleep,serial,seen
007,2026-06-01 23:00,2026-06-02T07:00:00.5+02:00,431.77,SN-1,01/06/2026 08:30
007,2026-06-02 23:10,2026-06-03T07:10:00Z,417.99,SN-1,02/06/2026 08:30
12,2026-06-01 22:00,2026-06-02T06:00:00+02:00,400,SN-2,01/06/2026 09:00
,,,,,
"""
KEY = bytes(range(64))


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder with two files to send, a file of another kind, and a key beside it."""
    (tmp_path / "source" / "nights").mkdir(parents=True)
    (tmp_path / "source" / "people.csv").write_text(PEOPLE)
    (tmp_path / "source" / "nights" / "sleep.csv").write_text(SLEEP)
    (tmp_path / "source" / "letter.docx").write_text("Dear Mrs Zebrano")
    write_key(tmp_path / "key")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_key(path: Path, content: bytes = KEY) -> None:
    path.write_bytes(content)
    path.chmod(0o600)


def deidentify(*options: str, code: int = 0) -> dict:
    """Run the command; its answer."""
    done = CliRunner().invoke(app, ["deidentify", *options, "--json"])
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def prepare(*options: str, code: int = 0, source: str = "source") -> dict:
    return deidentify(source, "--key-file", "key", "--out", "out", *options, code=code)


def csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def content(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_identifies_is_replaced_or_left_out(place):
    """Ids and serials become pseudonyms, births bands, names and places nothing; the rest stays as it is."""
    prepare("--as-of", "2026-06-01")
    people, sleep = csv(place / "out" / "people.csv"), csv(place / "out" / "nights" / "sleep.csv")
    key = Key(KEY)
    assert list(people.columns) == ["subject_id", "age_band", "sex", "ward", "enrolled"]
    assert list(people["subject_id"]) == [key.pseudonym("s", one) for one in ("007", "12", "13")]
    assert list(people["age_band"]) == ["90+", "40-49", "<18"]
    assert list(people["enrolled"]) == ["2026-05-01", "2026-05-02", "2026-05-03"]
    assert list(sleep.columns) == ["subject_id", "bed", "up", "asleep", "device_id", "seen"]
    assert set(sleep["subject_id"]) < set(people["subject_id"])
    assert list(sleep["device_id"]) == [key.pseudonym("d", one) for one in ("SN-1", "SN-1", "SN-2")]
    assert list(sleep["asleep"]) == ["431.77", "417.99", "400"]


def test_the_output_passes_the_gate_and_holds_nothing_of_what_went(place):
    """The gate at the other end has nothing to say, and no name, id, birth or serial stands in any byte."""
    prepare("--as-of", "2026-06-01")
    for path in (place / "out").rglob("*.csv"):
        refuse_identifiers(path.name, pa.csv.read_csv(path))
        text = path.read_text()
        assert [word for word in ("Zebrano", "Quagga", "1931", "10115", "007", "SN-1") if word in text] == []
    assert not (place / "out" / "letter.docx").exists()


def test_the_report_tells_every_column_in_counts(place):
    """What was done per file and column, with the reason, and never a value."""
    answer = prepare("--as-of", "2026-06-01")
    told = {(row["file"], row["column"]): (row["done"], row["becomes"], row["values"]) for row in answer["rows"]}
    assert told["people.csv", "mrn"] == ("pseudonym", "subject_id", 3)
    assert told["people.csv", "birth_date"] == ("birth date to age band", "age_band", 3)
    assert told["people.csv", "surname"] == ("dropped", None, 3)
    assert told["people.csv", "enrolled"] == ("kept", "enrolled", 3)
    assert told["nights/sleep.csv", "serial"] == ("device pseudonym", "device_id", 3)
    assert len(told) == 13
    assert not [word for word in ("Zebrano", "007", "1931", "431.77") if word in json.dumps(answer)]


def test_a_dry_run_needs_no_key_and_writes_nothing(place):
    """It says what would be done, and leaves the disk as it is."""
    before = content(place)
    answer = deidentify("source", "--dry-run", "--as-of", "2026-06-01")
    assert content(place) == before
    assert answer["rows"] == prepare("--as-of", "2026-06-01")["rows"]


def test_the_same_key_gives_the_same_bytes_and_another_key_other_pseudonyms(place):
    """Next month's files fit this month's; without the key nobody can make or undo a pseudonym."""
    prepare("--as-of", "2026-06-01")
    deidentify("source", "--key-file", "key", "--out", "again", "--as-of", "2026-06-01")
    assert content(place / "out") == content(place / "again")
    write_key(place / "other", KEY[::-1])
    deidentify("source", "--key-file", "other", "--out", "foreign", "--as-of", "2026-06-01")
    assert not set(csv(place / "out" / "people.csv")["subject_id"]) & set(
        csv(place / "foreign" / "people.csv")["subject_id"]
    )


def test_dates_of_a_person_move_together_by_whole_weeks(place):
    """1 to 26 weeks back, the same in every file; weekday, time of day, offset and intervals stay as they are."""
    prepare("--shift-dates", "--id", "mrn", "--date", "seen=%d/%m/%Y %H:%M", "--as-of", "2026-06-01")
    people, sleep = csv(place / "out" / "people.csv"), csv(place / "out" / "nights" / "sleep.csv")
    weeks = [Key(KEY).shift_weeks(one) for one in ("007", "12", "13")]
    assert all(1 <= one <= 26 for one in weeks)
    moved = [(date(2026, 5, 1 + n) - date.fromisoformat(day)).days for n, day in enumerate(people["enrolled"])]
    assert moved == [7 * one for one in weeks]
    first = datetime.fromisoformat(sleep["bed"][0])
    assert (datetime(2026, 6, 1, 23) - first).days == 7 * weeks[0]
    assert first.weekday() == datetime(2026, 6, 1).weekday()
    assert [text[10:] for text in sleep["bed"]] == [" 23:00", " 23:10", " 22:00"]
    assert [text[10:] for text in sleep["up"]] == ["T07:00:00.5+02:00", "T07:10:00Z", "T06:00:00+02:00"]
    assert pd.to_datetime(sleep["seen"][2], format="%d/%m/%Y %H:%M") == datetime(2026, 6, 1, 9) - pd.Timedelta(
        weeks=weeks[1]
    )


def test_shifts_spread_over_all_26_weeks():
    """No shift is so rare that it would tell whose it is."""
    shifts = pd.Series([Key(KEY).shift_weeks(str(number)) for number in range(2600)]).value_counts()
    assert sorted(shifts.index) == list(range(1, 27))
    assert shifts.min() > 60


@pytest.mark.parametrize(
    ("dates", "way", "moved"),
    [
        (pa.array(["2026-03-30T02:10:00.5+02:00", "2024-02-29", "bad"]), None, ["2026-03-23T02:10:00.5+02:00", "2023-08-31", None]),
        (pa.array(["3/30/2026 2:10", "12/31/2025 0:00", None]), "%m/%d/%Y %H:%M", ["03/23/2026 02:10", "07/02/2025 00:00", None]),
        (pa.array(["1497606300.123", "1497606300", ""]), "s", ["1497001500.123", "1481881500", None]),
        (pa.array([1_497_606_300_123, 1_497_606_300_000, None]), "ms", [1_497_001_500_123, 1_481_881_500_000, None]),
        (pa.array([date(2026, 3, 30), date(2024, 2, 29), None]), None, [date(2026, 3, 23), date(2023, 8, 31), None]),
        (pa.array([datetime(2026, 3, 30, 4, 5, 6, 7), datetime(2024, 2, 29), None], pa.timestamp("us")), None,
         [datetime(2026, 3, 23, 4, 5, 6, 7), datetime(2023, 8, 31), None]),
    ],
)  # fmt: skip
def test_dates_are_moved_in_the_way_they_are_written(dates, way, moved):
    """By 1 and 26 weeks, in the type, the format and the precision they came in; what is unreadable is missing."""
    found = moved_back(dates, pa.array([1, 26, 3], pa.int64()), way)
    assert (found.to_pylist(), found.type) == (moved, dates.type)


def test_parquet_keeps_its_types_and_loses_its_metadata(place):
    """Instants, numbers and whole-number ids, floats for lack of some among them, come out as they should."""
    frame = pd.DataFrame({
        "mrn": [12.0, 12.0, 13.0], "at": pd.to_datetime(["2026-06-01 23:00", "2026-06-01 23:01", "2026-06-02 23:00"], utc=True),
        "steps": [3, 4, 5], "surname": "Quagga", "age": [41, 41, 97],
    })  # fmt: skip
    frame.to_parquet(place / "minutes.parquet")
    prepare("--shift-dates", source="minutes.parquet")
    read = pq.read_table(place / "out" / "minutes.parquet")
    weeks = Key(KEY).shift_weeks("12")
    assert read.column_names == ["subject_id", "at", "steps", "age_band"]
    assert read["subject_id"].to_pylist() == [Key(KEY).pseudonym("s", one) for one in ("12", "12", "13")]
    assert read["at"][0].as_py() == frame["at"][0] - pd.Timedelta(weeks=weeks)
    assert read["age_band"].to_pylist() == ["40-49", "40-49", "90+"]
    assert b"surname" not in (place / "out" / "minutes.parquet").read_bytes()


def test_a_packed_file_comes_out_packed(place):
    """A `.csv.gz` stays one under its name, so that the same mapping reads it, with the same bytes each time."""
    (place / "source" / "people.csv").unlink()
    (place / "source" / "people.csv.gz").write_bytes(gzip.compress(PEOPLE.encode()))
    prepare()
    deidentify("source", "--key-file", "key", "--out", "again")
    assert csv(place / "out" / "people.csv.gz")["subject_id"][0] == Key(KEY).pseudonym("s", "007")
    assert content(place / "out") == content(place / "again")
    assert (place / "out" / "people.csv.gz").read_bytes()[4:8] == bytes(4)  # no time of packing


def test_a_late_identifier_drops_the_whole_column(place):
    """A column is looked through to its end before anything of it is written."""
    rows = "".join(f"12,2026-06-01,{'call +49 30 901820' if n == 1_199_999 else 'ok'}\n" for n in range(1_200_000))
    (place / "long.csv").write_text("id,day,remark_kind\n" + rows)
    answer = prepare(source="long.csv")
    assert [row["done"] for row in answer["rows"]] == ["pseudonym", "kept", "dropped"]
    assert (place / "out" / "long.csv").read_text().splitlines()[0] == '"id","day"'


def test_a_birth_date_without_a_day_to_reckon_from_goes(place):
    """Without --as-of a date of birth is dropped; declared as one, it asks for the day."""
    rows = {row["column"]: row["done"] for row in prepare()["rows"]}
    assert rows["birth_date"] == "dropped"
    assert "--as-of" in prepare("--birth-date", "birth_date", code=2)["error"]


REFUSED = {
    "an existing folder": (("--out", "source"), "source"),
    "out within the source": (("--out", "source/out"), "--out"),
    "the key within the source": (("--key-file", "source/key"), "The key file"),
    "the key within out": (("--key-file", "out/key"), "The key file"),
    "no key": (("--key-file", "nowhere"), "--new-key"),
    "an open key": (("--key-file", "open"), "chmod 600"),
    "a short key": (("--key-file", "short"), "32 random bytes"),
    "a key of zeros": (("--key-file", "zeros"), "32 random bytes"),
    "an existing key": (("--new-key",), "exists already"),
    "dates in another format": (("--shift-dates", "--id", "mrn"), "`seen`"),
    "the wrong format": (("--shift-dates", "--id", "mrn", "--date", "seen=%Y.%m.%d"), "3 of 3 values of `seen`"),
    "a person that is not clear": (("--shift-dates", "--drop", "seen", "--drop", "mrn"), "--id COLUMN"),
    "another separator": (("--separator", ";"), "--separator"),
    "names declared as dates": (("--date", "surname"), "`surname` (names, class A"),
    "two columns of one name": (("--id", "mrn", "--id", "surname"), "`subject_id`"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_safely_is_refused(place, case):
    """Exit code 1, the cure, no value, and nothing written."""
    options, said = REFUSED[case]
    write_key(place / "short", KEY[:31])
    write_key(place / "zeros", bytes(64))
    write_key(place / "open")
    (place / "open").chmod(0o640)
    before = content(place)
    error = prepare(*options, code=1)["error"]
    assert said in error
    assert not [word for word in ("Zebrano", "007", "2026-06", "SN-1") if word in error]
    assert content(place) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--id", "nobody"), "`nobody`"), (("--as-of", "soon"), "`--as-of`"), (("--separator", "::"), "`--separator`"),
        (("--encoding", "klingon"), "`--encoding`"),
    ],
)  # fmt: skip
def test_a_mistyped_option_is_a_matter_of_usage(place, options, said):
    """Exit code 2, and the option to correct."""
    assert said in prepare(*options, code=2)["error"]


def test_ragged_lines_and_rows_without_a_person_are_refused(place):
    """A row that cannot be told is not sent."""
    (place / "ragged.csv").write_text("id,day\n1,2026-06-01\n2,2026-06-01,x\n")
    assert "line 3" in prepare(source="ragged.csv", code=1)["error"]
    (place / "nobody.csv").write_text("id,day\n1,2026-06-01\n ,2026-06-01\n")
    assert "1 rows without `id`" in prepare("--shift-dates", source="nobody.csv", code=1)["error"]


def test_a_file_named_after_a_person_is_refused(place):
    """Names of files and folders go out as well."""
    (place / "source" / "007").mkdir()
    (place / "source" / "nights" / "sleep.csv").rename(place / "source" / "007" / "sleep.csv")
    assert "1 files lie in folders, or have names, that are ids" in prepare(code=1)["error"]
    assert not (place / "out").exists()


def test_a_new_key_is_random_and_for_its_owner_only(place):
    """32 bytes, mode 0600, another one each time."""
    deidentify("source", "--key-file", "fresh", "--new-key", "--out", "out")
    deidentify("source", "--key-file", "other", "--new-key", "--out", "again")
    assert (place / "fresh").stat().st_mode & 0o777 == 0o600
    assert len((place / "fresh").read_bytes()) == 32
    assert (place / "fresh").read_bytes() != (place / "other").read_bytes()


def test_a_leftover_of_a_killed_run_does_not_matter(place):
    """The next run begins anew, and nothing half done appears under the name of the output."""
    (place / ".out.partial").mkdir()
    (place / ".out.partial" / "half.csv").write_text("id\n1\n")
    prepare()
    assert sorted(content(place / "out")) == ["nights/sleep.csv", "people.csv"]
    assert not (place / ".out.partial").exists()
