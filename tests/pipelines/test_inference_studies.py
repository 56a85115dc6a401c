"""Drafts for what studies send: files of other languages and decimal commas, who is enrolled, no column unmentioned."""

import string
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.sources.inference import draft
from pipelines.sources.inference.enrolment import MISSING
from pipelines.sources.table import read
from pipelines.sources.table.mapping import load_mapping
from tests.pipelines.inferred import filled

# PyArrow 25 calls what pandas 3.1 deprecates: its warning, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")

PEOPLE, DAYS = range(4), range(1, 29)


def drafted(folder: Path, files: dict[str, list[str]]) -> tuple[str, list[dict]]:
    """The draft for files of these lines, and its entries, blanks filled."""
    for name, lines in files.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    text = draft(folder)
    return text, yaml.safe_load(filled(text))["files"] or []


def rows(line: str) -> list[str]:
    """A line for every person `{who}` and day `{day:02d}`; `{next:02d}` is the day after, `{low}` runs from 0 to 6."""
    return [line.format(who=who, day=day, next=day % 28 + 1, low=day % 7) for who in PEOPLE for day in DAYS[:-1]]


def plain(text: str) -> str:
    """A draft as one line without comment marks."""
    return " ".join(text.replace("#", " ").split())


EVENTS = ["id,at,kind,sex", *(f"a{n},2026-06-0{n + 1}T10:00:00Z,ER,f" for n in PEOPLE)]
DIARY = ["id,at,mood", *rows("a{who},2026-06-{day:02d}T20:00:00Z,{low}")]


@pytest.mark.parametrize("name", ["crisis_events", "interventions", "care_status"])
def test_who_had_an_event_is_not_who_was_enrolled(tmp_path, name):
    """From what happened to people nobody is enrolled, even where it tells their sex: that selects on the outcome."""
    text, entries = drafted(tmp_path, {f"{name}.csv": [line.replace("kind", "status") for line in EVENTS]})
    assert "subjects" not in {entry["table"] for entry in entries}
    assert MISSING in plain(text)


def test_enrolment_from_a_stream_says_that_enrolment_is_missing(tmp_path):
    """With a diary and more people in events, the diary enrols, under a TODO that asks for the list."""
    more = [EVENTS[0], *(f"b{n},2026-06-03T10:00:00Z,ER,f" for n in range(50))]
    text, entries = drafted(tmp_path, {"diary.csv": DIARY, "events.csv": more})
    assert [entry["path"] for entry in entries if entry["table"] == "subjects"] == ["diary.csv"]
    assert f"{MISSING} Until then whoever has rows here counts as enrolled" in plain(text)


def test_rows_of_nobody_enrol_nobody(tmp_path):
    """A file that tells sex and day, but not whose, is not mapped."""
    text, entries = drafted(tmp_path, {"people.csv": ["sex,start", *rows("f,2026-06-{day:02d}")]})
    assert entries == []
    assert "no column tells whose the rows are" in plain(text)


def test_a_list_of_people_goes_before_streams(tmp_path):
    """Where a list tells who was enrolled when, a stream with attributes enrols nobody, and nothing is missing."""
    told = ["id,at,mood,sex", *rows("a{who},2026-06-{day:02d}T20:00:00Z,{low},f")]
    people = ["id,joined", *(f"a{who},2026-06-01" for who in PEOPLE)]
    text, entries = drafted(tmp_path, {"diary.csv": told, "liste.csv": people})
    (subjects,) = (entry for entry in entries if entry["table"] == "subjects")
    assert (subjects["path"], subjects["columns"]) == ("liste.csv", {"subject_id": "id", "enrolled_on": "joined"})
    assert MISSING not in plain(text)


GERMAN = {
    "teilnehmer.csv": ["Kennung;Geschlecht;Einschluss", *(f"P{who};w;15.05.2026" for who in PEOPLE)],
    "schlaf.csv": [
        "person;Zubettgehzeit;Aufgestanden;Schlaf_h",
        *rows("P{who};{day:02d}.05.2026 23:10;{next:02d}.05.2026 07:40;7,77"),
    ],
    "stimmung.csv": [
        "Proband;Datum;Uhrzeit;Stimmung;Angst;Energie", *rows("P{who};{day:02d}.05.2026;20:15;{low};{low},5;{low}")
    ],
    "tage.csv": ["Teilnehmer;Datum;Schritte;Ruhepuls", *rows("P{who};{day:02d}.05.2026;5{low}00;61,5")],
    "ereignisse.csv": ["Kennung;Datum;Uhrzeit;Art", *(f"P{who};20.05.2026;12:00;Notfall" for who in PEOPLE)],
}  # fmt: skip


def test_a_german_study_is_drafted_and_goes_in(tmp_path):
    """Semicolons, decimal commas and German names: every file is mapped, and 7,77 hours are 466.2 minutes."""
    text, entries = drafted(tmp_path, GERMAN)
    assert {entry["table"] for entry in entries} == {"subjects", "sleep", "mood", "wearable_days", "events"}
    assert "Not mapped" not in text
    assert "not mapped" not in text
    assert {entry["separator"] for entry in entries} == {";"}
    commas = {entry["path"] for entry in entries if entry.get("decimal") == ","}
    assert commas == {"schlaf.csv", "stimmung.csv", "tage.csv"}
    (tmp_path / "mapping").write_text(filled(text), encoding="utf-8")
    frames = {batch.table: batch.frame for batch in read(tmp_path, load_mapping(tmp_path / "mapping"))}
    assert frames["sleep"]["minutes_asleep"].to_pylist() == [pytest.approx(466.2)] * 108
    assert 61.5 in frames["wearable_days"]["value"].to_pylist()
    assert {0.5, 3.5} <= set(frames["mood"]["value"].to_pylist())


@pytest.mark.parametrize(
    ("header", "table", "columns"),
    [
        ("participante;fecha;hora;ánimo;ansiedad", "mood", {"ánimo", "ansiedad"}),
        ("code_sujet;date;heure;humeur;fatigue", "mood", {"humeur", "fatigue"}),
        ("참가자번호;날짜;시각;기분;불안", "mood", {"기분", "불안"}),
    ],
)
def test_other_languages_are_understood_as_well(tmp_path, header, table, columns):
    """Spanish, French and Korean names of ids, days, times of day and feelings find their places."""
    text, entries = drafted(tmp_path, {"x.csv": [header, *rows("p{who};{day:02d}.06.2026;20:00;{low},5;{low}")]})
    (entry,) = (entry for entry in entries if entry["table"] == table)
    assert set(entry["melt"]["columns"]) == columns
    assert set(entry["columns"]["answered_at"]) == {"column", "format", "time"}
    assert "not mapped" not in text


@pytest.mark.parametrize(
    ("header", "line", "decimal"),
    [("id,date,steps", 'a{who},2026-06-{day:02d},"1{low},5"', ","),  # between commas, in quotation marks
     ("id,date,steps", 'a{who},2026-06-{day:02d},"8,12{low}"', None),  # thousands
     ("id;date;steps", "a{who};2026-06-{day:02d};8,12{low}", ","),
     ("id;date;steps", "a{who};2026-06-{day:02d};8.12{low}", None),
     ("id,date,steps,energy,mood", 'a{who},2026-06-{day:02d},1.5,2.{low},"1,{low}"', None)],
)  # fmt: skip
def test_the_decimal_mark_is_told_from_values(tmp_path, header, line, decimal):
    """A comma is one unless it parts thousands, or more columns of a file between commas have a point."""
    _, entries = drafted(tmp_path, {"daily.csv": [header, *rows(line)]})
    assert {entry.get("decimal") for entry in entries} <= {decimal}
    is_number = "wearable_days" in {entry["table"] for entry in entries}
    assert is_number == ('"8,12' not in line)


def test_a_file_that_is_not_mapped_says_how_it_is_read(tmp_path):
    """Its separator and decimal mark stand beside what was seen, for whoever writes its entry."""
    text, _ = drafted(tmp_path, {"x.csv": ["id;at;foo", *rows("a{who};2026-06-{day:02d} 10:00;{low},5")]})
    assert 'it needs `separator: ";"`, `decimal: ","`' in plain(text)


def test_moods_contacts_and_numbered_questions_find_their_tables(tmp_path):
    """A wide mood file, contacts with their type and a diary of `q1` are mapped, with the column that tells when."""
    _, entries = drafted(tmp_path, {
        "mood.csv": ["id,when,stimmung,angst,energie", *rows("a{who},2026-06-{day:02d} 20:00,{low},{low},3")],
        "contacts.csv": ["subject_id,seen,type", *(f"a{who},2026-06-03 10:00,ER" for who in PEOPLE)],
        "diary.csv": ["subject_id,time,q1", *rows("a{who},2026-06-{day:02d} 20:00,{low}")],
    })  # fmt: skip
    found = {entry["path"]: entry for entry in entries if entry["table"] != "subjects"}
    assert set(found["mood.csv"]["melt"]["columns"]) == {"stimmung", "angst", "energie"}
    assert found["mood.csv"]["columns"]["answered_at"] == "when"
    assert found["contacts.csv"]["table"] == "events"
    assert found["contacts.csv"]["columns"] == {"subject_id": "subject_id", "occurred_at": "seen", "kind": "type"}
    assert found["diary.csv"]["columns"]["answered_at"] == "time"
    assert set(found["diary.csv"]["melt"]["columns"]) == {"q1"}


CELLS = {
    "text": "{who}x", "number": "{low}", "day": "2026-06-{day:02d}", "time": "2026-06-{day:02d} 20:00", "clock": "20:00",
    "empty": "", "address": "z{who}@q.example",
}  # fmt: skip
NAMES = ("id", "subject_id", "seen", "time", "date", "received", "prompted", "clock", "minute", "sex", "mood", "steps",
         "status", "type", "device", "start", "end", "bedtime", "waketime", "enrolled", "first_name", "value", "item")  # fmt: skip
FILES = ("diary.csv", "events.csv", "care_status.csv", "people.csv", "sleep.csv", "x.csv")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(FILES),
    st.dictionaries(st.sampled_from(NAMES), st.sampled_from(sorted(CELLS)), min_size=2, max_size=7),
)
def test_every_column_is_mapped_dropped_or_listed(tmp_path, name, columns):
    """Whatever a file is taken for, no column of it goes unmentioned, the one that tells who or when included."""
    for file in tmp_path.iterdir():
        file.unlink()
    # Names that stand nowhere else in a draft.
    marked = {f"{column}_{string.ascii_uppercase[n] * 9}": cell for n, (column, cell) in enumerate(columns.items())}
    text, _ = drafted(tmp_path, {name: [",".join(marked), *rows(",".join(CELLS[cell] for cell in marked.values()))]})
    assert [column for column in marked if column not in text] == []
