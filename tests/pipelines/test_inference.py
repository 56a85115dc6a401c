"""`foretide ingest table --infer`: a draft that says what it guessed and why, blanks what it cannot know, leaks nothing.

Rows are made up by hand; the real cohorts are in `test_inference_cohorts.py`.
"""

import csv as csv_module
import gzip
import json
import random
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from features.tables import TABLES
from pipelines.cli.main import app
from pipelines.errors import Refused
from pipelines.sources.inference import draft
from pipelines.sources.table import read
from pipelines.sources.table.mapping import load_mapping
from tests.pipelines.inferred import filled

# PyArrow 25 calls what pandas 3.1 deprecates: its warning, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")


def drafted(folder: Path, **files: str) -> tuple[str, dict[str, dict]]:
    """The draft for CSV files of these names and contents, and its entries by table, blanks filled."""
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content)
    text = draft(folder)
    return text, {entry["table"]: entry for entry in yaml.safe_load(filled(text))["files"]}


def days(format: str, months: int = 1, days: int = 28) -> list[str]:
    """Some days of 2026 as text."""
    return [f"{pd.Timestamp(2026, m + 1, d + 1):{format}}" for m in range(months) for d in range(days)]


def csv(header: str, lines: list[str]) -> str:
    return "\n".join([header, *lines]) + "\n"


def test_a_sleep_diary_is_recognised_and_goes_in(tmp_path):
    """Begin and end, minutes in the unit of their names and the device are mapped; the filled draft reads the rows."""
    lines = [f"s{n},{day} 23:10,{day} 23:55,{30 + n},2400000,band" for n, day in enumerate(days("%d.%m.%Y"))]
    text, found = drafted(tmp_path, sleep=csv("subject,bedtime,waketime,minutesAsleep,awake_ms,device", lines))
    assert found["sleep"]["columns"] == {
        "subject_id": "subject", "onset_at": {"column": "bedtime", "format": "%d.%m.%Y %H:%M"},
        "offset_at": {"column": "waketime", "format": "%d.%m.%Y %H:%M"},
        "minutes_asleep": {"column": "minutesAsleep", "unit": "min"},
        "minutes_awake": {"column": "awake_ms", "unit": "ms"}, "device_id": "device",
    }  # fmt: skip
    (tmp_path / "mapping").write_text(filled(text))
    tables = {batch.table: batch.frame.num_rows for batch in read(tmp_path, load_mapping(tmp_path / "mapping"))}
    assert tables == {"subjects": 28, "sleep": 28}


@pytest.mark.parametrize(
    ("written", "format"),
    [("%d/%m/%Y", "%d/%m/%Y"), ("%m/%d/%Y", "%m/%d/%Y"), ("%Y/%m/%d", "%Y/%m/%d"), ("%d.%m.%y", "%d.%m.%y"),
     ("%Y%m%d", "%Y%m%d"), ("%d-%b-%Y", "%d-%b-%Y")],
)  # fmt: skip
def test_the_order_of_day_and_month_is_told_from_values(tmp_path, written, format):
    """Where a day is above 12 only one order fits, and the draft names it without a question."""
    text, found = drafted(tmp_path, daily=csv("id,date,steps", [f"a,{day},{n}" for n, day in enumerate(days(written))]))
    assert found["wearable_days"]["columns"]["local_date"] == {"column": "date", "format": format}
    assert "month first" not in text


def test_an_order_that_values_leave_open_is_asked_for(tmp_path):
    """Where all days are below 13 the draft says that both orders fit; another column of the file settles it."""
    short = [f"a,{day},{n}" for n, day in enumerate(days("%d/%m/%Y", days=12))]
    text, _ = drafted(tmp_path, daily=csv("id,date,steps", short))
    assert "TODO day first or month first? Both fit" in text
    told = [f"{line},12/25/2025" for line in short]
    text, found = drafted(tmp_path, daily=csv("id,date,steps,made", told))
    assert "Both fit" not in text
    assert found["wearable_days"]["columns"]["local_date"]["format"] == "%m/%d/%Y"


def test_minutes_with_a_day_and_a_minute_column_are_minutes(tmp_path):
    """Hundreds of rows a day are a wearable's minutes; the time of day comes from the column that counts it."""
    lines = [f"a,2026-06-01,{n},{n % 90}" for n in range(600)]
    _, found = drafted(tmp_path, minutes=csv("id,date,minute,steps", lines))
    assert found["wearable"]["columns"] == {
        "subject_id": "id", "minute_at": {"column": "date", "time": {"column": "minute", "unit": "min"}},
        "steps": "steps",
    }  # fmt: skip


def test_hourly_values_are_not_taken_for_minutes_or_days(tmp_path):
    """Rows that no table of ours holds are named, with their number a day, and mapped to nothing."""
    lines = [f"a,2026-06-0{day},{hour},7" for day in range(1, 9) for hour in range(24)]
    text, found = drafted(tmp_path, hourly=csv("id,date,hour,steps", lines))
    assert found == {}
    assert "24.0 rows for a person and day are neither daily values nor minutes" in text


def test_a_unit_that_no_name_tells_is_a_blank(tmp_path):
    """`resting_hr` says nothing of its unit: the draft does not load before somebody fills it in."""
    text, _ = drafted(tmp_path, daily=csv("id,date,resting_hr", [f"a,{day},60" for day in days("%Y-%m-%d")]))
    assert "resting_heart_rate: {column: resting_hr, unit: }  # TODO unit; ours is bpm" in text
    (tmp_path / "mapping").write_text(text)
    with pytest.raises(Exception, match="resting_heart_rate` has no unit"):
        load_mapping(tmp_path / "mapping")
    (tmp_path / "mapping").write_text(filled(text))
    load_mapping(tmp_path / "mapping")


def test_items_questionnaires_events_and_people_find_their_tables(tmp_path):
    """A diary, scores, events, people and a status file feed five tables; scale bounds are proposals to be checked."""
    when = days("%Y-%m-%d")
    text, found = drafted(
        tmp_path,
        diary=csv("id,date,mood,anxiety,steps_goal", [f"a,{day},{n % 8},{n % 4},9000" for n, day in enumerate(when)]),
        scores=csv("id,date,phq9_total,gad7_total", [f"a,{day},{n},{n}" for n, day in enumerate(when[:5])]),
        crisis_events=csv(
            "id,occurred_at,type,severity", [f"a,{day} 10:00,x{n % 2},3" for n, day in enumerate(when[:6])]
        ),
        people=csv("id,gender,age_group,enrolled,education", [f"{who},F,18-29,2026-01-01,2" for who in "ab"]),
        care_status=csv("id,since,status", ["a,2026-01-03,adm", "a,2026-01-05,dis"]),
    )
    assert set(found) == {"subjects", "mood", "assessments", "events", "care_status"}
    assert found["mood"]["melt"]["columns"] == {
        "mood": {"column": "mood", "scale": [0, 7]}, "anxiety": {"column": "anxiety", "scale": [0, 3]}
    }  # fmt: skip
    assert "TODO check the scale" in text
    assert found["assessments"]["melt"]["columns"] == {"phq_9": "phq9_total", "gad_7": "gad7_total"}
    assert found["events"]["columns"]["kind"] == "type"
    assert "kind: type  # recode: 2 distinct values" in text
    assert found["subjects"]["columns"] == {
        "subject_id": "id", "enrolled_on": "enrolled", "sex": "gender", "age_band": "age_group"
    }  # fmt: skip
    assert found["subjects"]["attributes"] == {"education": "education"}
    assert "# not mapped, numbers (other streams may go to `signals`): steps_goal" in text


def test_columns_that_differ_by_a_number_stay_apart(tmp_path):
    """Items 1 and 2 are two items, and names that YAML would read as something else are quoted."""
    lines = [f"a,{day},{n % 8},{n % 4},1" for n, day in enumerate(days("%Y-%m-%d"))]
    _, found = drafted(tmp_path, diary=csv('id,date,mood_1,mood_2,"sad, or: not"', lines))
    assert found["mood"]["melt"]["columns"].keys() == {"mood_1", "mood_2", "sad_or_not"}
    assert found["mood"]["melt"]["columns"]["sad_or_not"]["column"] == "sad, or: not"


def test_a_long_file_keeps_its_form(tmp_path):
    """One column that names what another holds is mapped as it is, with a blank for the unit."""
    lines = [f"a,{day} 08:00,{name},{n}" for n, day in enumerate(days("%Y-%m-%d")) for name in ("words", "pitch")]
    _, found = drafted(tmp_path, voice=csv("id,time,variable,value", lines))
    columns = found["signals"]["columns"]
    assert (columns["name"], columns["value"]["column"]) == ("variable", "value")


def test_topics_in_folders_become_patterns(tmp_path):
    """Packed files of one topic under several people's folders are one pattern; epochs and receipt are recognised."""
    for who in ("u1", "u2"):
        for topic, value in (("intraday_steps", "steps"), ("intraday_heart_rate", "heartRate")):
            lines = [f"p,{who},w,{1_780_300_800 + 60 * n}.0,1780400000.0,60,{n % 60 + 40}" for n in range(300)]
            names = (
                f"key.projectId,key.userId,key.sourceId,value.time,value.timeReceived,value.timeInterval,value.{value}"
            )
            path = tmp_path / "p" / who / topic / f"2026060{who[1]}_0800.csv.gz"
            path.parent.mkdir(parents=True)
            path.write_bytes(gzip.compress(csv(names, lines).encode()))
    entries = yaml.safe_load(filled(draft(tmp_path)))["files"]
    wearable = {entry["path"]: entry["columns"] for entry in entries if entry["table"] == "wearable"}
    assert set(wearable) == {"**/intraday_steps/*.csv.gz", "**/intraday_heart_rate/*.csv.gz"}
    columns = wearable["**/intraday_heart_rate/*.csv.gz"]
    assert columns["subject_id"] == "key.userId"
    assert columns["minute_at"] == {"column": "value.time", "format": "epoch_s"}
    assert columns["received_at"] == {"column": "value.timeReceived", "format": "epoch_s"}


def test_separator_and_encoding_are_found_by_trying(tmp_path):
    """A German export with semicolons and umlauts in latin-1 gets both keys."""
    lines = [f"ä{n};{day};{n}" for n, day in enumerate(days("%d.%m.%Y"))]
    (tmp_path / "tage.csv").write_bytes(csv("id;datum_date;steps", lines).encode("latin-1"))
    (subjects, steps) = yaml.safe_load(filled(draft(tmp_path)))["files"]
    assert (steps["separator"], steps["encoding"], subjects["separator"]) == (";", "latin-1", ";")


def test_identifying_columns_are_dropped_by_class(tmp_path):
    """Names and addresses stand under `drop:` with their class, and the filled draft reads the file."""
    lines = [f"a{n},Zebra Quagga,z{n}@q.example,{day},{n}" for n, day in enumerate(days("%Y-%m-%d"))]
    text, found = drafted(tmp_path, daily=csv("id,first_name,contact,date,steps", lines))
    assert found["subjects"]["drop"] == ["first_name", "contact"]
    assert "- first_name  # names, class A: by its name" in text
    assert "- contact  # electronic mail addresses, class F" in text
    (tmp_path / "mapping").write_text(filled(text))
    assert {batch.table for batch in read(tmp_path, load_mapping(tmp_path / "mapping"))} == {
        "subjects",
        "wearable_days",
    }


def test_no_value_of_the_data_stands_in_a_draft(tmp_path):
    """Ids, texts, codes, dates and measured numbers of every kind of column are absent, with a header or without."""
    pick = random.Random(7)
    told = [f"q{pick.randrange(10**9)}x" for _ in range(28)]
    lines = [
        f"{mark},{day},{mark}-s,{mark}-t,{8_123 + n},{mark}"
        for n, (mark, day) in enumerate(zip(told, days("%Y-%m-%d"), strict=True))
    ]
    content = csv("id,date,sex,status,steps,free", lines)
    text, _ = drafted(tmp_path, daily=content, care_status=content, events=content)
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "bare.csv").write_text("\n".join(["1,2026-01-01,17,4", *["2,2026-01-02,18,5"] * 40]))
    text += draft(tmp_path / "bare")
    assert "has no line with the names of its columns" in text
    for value in (*told, *days("%Y-%m-%d"), *(str(8_123 + n) for n in range(28)), "2026"):
        assert value not in text


def test_what_cannot_be_read_is_said_and_passed_over(tmp_path):
    """A spreadsheet under the name of a CSV is named with its cure; the other file is drafted all the same."""
    (tmp_path / "sheet.csv").write_bytes(b"PK\x03\x04 something")
    text, found = drafted(tmp_path, daily=csv("id,date,steps", [f"a,{day},1" for day in days("%Y-%m-%d")]))
    assert "sheet.csv" in text
    assert "a zip or a spreadsheet" in " ".join(text.split())
    assert set(found) == {"subjects", "wearable_days"}
    with pytest.raises(Refused, match="holds no CSV or Parquet file"):
        draft(tmp_path / "nothing" if (tmp_path / "nothing").mkdir() else tmp_path / "nothing")


def test_ids_that_no_enrolled_subject_has_are_pointed_out(tmp_path):
    """A second file with ids of another kind gets a note, for none of its rows would pass the door."""
    when = days("%Y-%m-%d")
    text, _ = drafted(
        tmp_path,
        daily=csv("id,date,sex,steps", [f"a{n},{day},F,1" for n, day in enumerate(when)]),
        diary=csv("id,date,mood", [f"b{n},{day},{n % 5}" for n, day in enumerate(when)]),
    )
    assert "TODO none of its 28 ids seen stands in daily.csv" in " ".join(text.replace("#", " ").split())


def test_a_file_a_zip_and_parquet_give_the_same_entries(tmp_path):
    """However the rows are packed, the same columns are found; only the path differs."""
    content = csv("id,date,steps", [f"a,{day},{n}" for n, day in enumerate(days("%Y-%m-%d"))])
    (tmp_path / "daily.csv").write_text(content)
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.write(tmp_path / "daily.csv", "inner/daily.csv")
    frame = pd.read_csv(tmp_path / "daily.csv", parse_dates=["date"])
    frame.to_parquet(tmp_path / "daily.parquet")
    entries = [yaml.safe_load(filled(draft(tmp_path / name)))["files"]
               for name in ("daily.csv", "export.zip", "daily.parquet")]  # fmt: skip
    assert [entry[1].pop("path") for entry in entries] == ["daily.csv", "inner/daily.csv", "daily.parquet"]
    assert entries[0][1] == entries[1][1] == entries[2][1]


def test_a_hostile_zip_is_refused(tmp_path):
    """A member that leads out of the zip stops the draft, as it stops an ingest."""
    with zipfile.ZipFile(tmp_path / "export.zip", "w") as archive:
        archive.writestr("../daily.csv", "id,date,steps\n")
    code, output = run("--infer", str(tmp_path / "export.zip"))
    assert (code, "leads out of the zip" in output) == (1, True)


def test_exports_that_have_a_ready_mapping_are_pointed_to_it(tmp_path):
    """A flat file of REDCap needs `where:` for each instrument: the draft sends people to the example that has it."""
    header = "record_id,redcap_repeat_instrument,redcap_repeat_instance,date,steps"
    text, _ = drafted(tmp_path, export=csv(header, [f"a,,,{day},1" for day in days("%Y-%m-%d")]))
    assert "TODO docs/examples/redcap.yaml maps such exports: use it." in text


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["ingest", "table", *arguments])
    return done.exit_code, done.output


def test_the_command_shows_writes_or_answers_and_touches_nothing_else(tmp_path, monkeypatch):
    """Without a foretide.yaml: the draft on standard output, in a file that is never overwritten, or in JSON."""
    files, elsewhere = tmp_path / "files", tmp_path / "elsewhere"
    files.mkdir()
    elsewhere.mkdir()
    (files / "daily.csv").write_text(csv("id,date,steps", [f"a,{day},1" for day in days("%Y-%m-%d")]))
    monkeypatch.chdir(elsewhere)
    expected = draft(files)
    assert run("--infer", str(files)) == (0, expected)
    assert json.loads(run("--infer", str(files), "--json")[1])["draft"] == expected
    assert list(elsewhere.iterdir()) == []
    assert run("--infer", str(files), "--out", "my.yaml")[0] == 0
    assert (elsewhere / "my.yaml").read_text() == expected
    code, output = run("--infer", str(files), "--out", "my.yaml")
    assert (code, "is there already" in output) == (2, True)
    assert [path.name for path in elsewhere.iterdir()] == ["my.yaml"]


@pytest.mark.parametrize("other", [["--mapping", "m.yaml"], ["--received-at", "2026-06-01T00:00:00Z"], ["files"]])
def test_the_command_takes_infer_alone(tmp_path, other):
    """Together with a path, a mapping or a receipt it is a mistake of usage: nothing is ingested."""
    code, output = run("--infer", str(tmp_path), *other)
    assert (code, "with nothing else" in output) == (2, True)
    assert run("--out", "my.yaml")[0] == 2


CELLS = st.one_of(
    st.text(max_size=12), st.integers().map(str), st.floats().map(str), st.dates().map(str), st.datetimes().map(str),
    st.sampled_from(["", "NA", "0", "1", "23:59", "12/11/2026", "1e400", "-0", "2026-06-01T00:00:00Z", "\0", '"', "٣"]),
)  # fmt: skip
NAMES = st.one_of(
    st.text(max_size=10),
    st.sampled_from(["id", "date", "time", "steps", "mood", "mood: 1", "on", "start", "end", "sleep", "value", "item"]),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(NAMES, min_size=1, max_size=6), st.lists(st.lists(CELLS, min_size=1, max_size=6), max_size=12))
def test_whatever_a_file_holds_its_draft_is_yaml(tmp_path, names, lines):
    """No name or value of a column can break the draft or stop it: it is YAML, and its blanks can be filled."""
    with (tmp_path / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv_module.writer(file)
        writer.writerow(names)
        writer.writerows(lines)
    loaded = yaml.safe_load(filled(draft(tmp_path)))
    assert loaded["source"] == "my_study"
    for entry in loaded["files"] or []:
        assert entry["table"] in TABLES
