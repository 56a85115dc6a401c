"""The `table` format: any CSV or Parquet by a mapping; what cannot be read is named, with its cure and no value."""

import re
import textwrap
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pipelines.errors import Usage
from pipelines.sources.table import mapping, origins, read
from pipelines.sources.table.mapping import load_mapping
from tests.pipelines.mapped import given, in_pandas, refusal, utc

SLEEP = {"subject_id": "id", "onset_at": "bed", "offset_at": "up"}
DAYS = {"subject_id": "id", "local_date": "day"}


def test_columns_units_formats_and_fixed_values_become_canonical(tmp_path):
    """US dates in a declared zone, milliseconds and hours, and one value for all rows give canonical columns."""
    content = "id,bed,up,ms,h\n007,06/01/2026 23:30,06/02/2026 07:00,25200000,0.5\n"
    columns = SLEEP | {
        "onset_at": {"column": "bed", "format": "%m/%d/%Y %H:%M"},
        "offset_at": {"column": "up", "format": "%m/%d/%Y %H:%M"},
        "minutes_asleep": {"column": "ms", "unit": "ms"}, "minutes_awake": {"column": "h", "unit": "h"},
        "is_main": {"value": True},
    }  # fmt: skip
    (batch,) = given(tmp_path, content, {"table": "sleep", "columns": columns})
    row = batch.frame.iloc[0]
    assert (batch.table, batch.file, row["source"], row["subject_id"]) == ("sleep", "rows.csv", "study", "007")
    assert [row["onset_at"], row["offset_at"]] == utc("2026-06-01 21:30", "2026-06-02 05:00")
    assert (row["minutes_asleep"], row["minutes_awake"], row["is_main"]) == (420.0, 30.0, True)
    assert row["utc_offset_min"] == 120


def test_a_parquet_file_gives_the_same_rows_as_its_csv(tmp_path):
    """Typed columns of a Parquet file and the texts of a CSV file with the same content are the same batch."""
    frame = pd.DataFrame({"id": ["s-1", "s-2"], "bed": pd.to_datetime(["2026-06-01 23:30", "2026-06-03 00:10"]),
                          "up": pd.to_datetime(["2026-06-02 07:00", "2026-06-03 08:00"]), "asleep": [400, 450]})  # fmt: skip
    section = {"table": "sleep", "columns": SLEEP | {"minutes_asleep": {"column": "asleep", "unit": "min"}}}
    (tmp_path / "csv").mkdir()
    (as_csv,) = given(tmp_path / "csv", frame.to_csv(index=False), section)
    (as_parquet,) = given(tmp_path, frame, section, name="rows.parquet")
    pd.testing.assert_frame_equal(as_parquet.frame, as_csv.frame, check_dtype=False)


def test_a_column_per_metric_becomes_a_row_per_metric(tmp_path):
    """A wide file of daily summaries becomes long: metric, value and the metric's unit; missing values give no row."""
    section = {
        "table": "wearable_days", "columns": DAYS,
        "melt": {"into": "metric", "columns": {"steps": "steps", "minutes_asleep": {"column": "slept", "unit": "h"}}},
    }  # fmt: skip
    (batch,) = given(tmp_path, "id,day,steps,slept\na,2026-06-01,9000,7\nb,2026-06-01,,8\n", section)
    rows = batch.frame.sort_values(["subject_id", "metric"])[["subject_id", "metric", "value", "unit"]]
    assert rows.to_numpy().tolist() == [
        ["a", "minutes_asleep", 420, "min"], ["a", "steps", 9000, "steps"], ["b", "minutes_asleep", 480, "min"]
    ]  # fmt: skip
    assert set(batch.frame["local_date"]) == {date(2026, 6, 1)}


def test_a_long_file_with_names_of_its_own_is_recoded(tmp_path):
    """A long file goes in as it stands, its words recoded; a word that is not recoded is missing, for the door to count."""
    columns = {"subject_id": "id", "occurred_at": "at", "kind": {"column": "what", "recode": {"ER": "emergency"}}}
    content = "id,at,what\na,2026-06-01T10:00Z,ER\nb,2026-06-01T10:00Z,visit\n"
    (batch,) = given(tmp_path, content, {"table": "events", "columns": columns}, zone=None)
    assert batch.frame["kind"].isna().tolist() == [False, True]
    assert batch.frame["kind"].iloc[0] == "emergency"
    assert batch.frame["record_id"].is_unique


def test_two_kinds_of_event_at_one_instant_are_two_events(tmp_path):
    """An emergency and a crisis contact with one time are not corrections of each other: their record ids differ."""
    columns = {"subject_id": "id", "occurred_at": "at", "kind": "what"}
    content = "id,at,what\na,2026-06-01T10:00Z,emergency\na,2026-06-01T10:00Z,crisis_contact\n"
    (batch,) = given(tmp_path, content, {"table": "events", "columns": columns}, zone=None)
    assert batch.frame["record_id"].nunique() == 2


def test_items_and_instruments_are_melted_too(tmp_path):
    """Mood items and questionnaires that stand side by side become one row per answer and per score."""
    scale = {"scale_min": {"value": 0}, "scale_max": {"value": 3}}
    mood = {"table": "mood", "columns": {"subject_id": "id", "answered_at": "at"} | scale,
            "melt": {"into": "item", "columns": {"calm": "c", "sad": "s"}}}  # fmt: skip
    scores = {"table": "assessments", "columns": {"subject_id": "id", "completed_at": "at"},
              "melt": {"into": "instrument", "columns": {"phq_9": "phq"}}}  # fmt: skip
    answers, scored = given(tmp_path, "id,at,c,s,phq\na,2026-06-01T10:00Z,1,2,11\n", mood, scores)
    assert answers.frame[["item", "value", "scale_max"]].to_numpy().tolist() == [["calm", 1, 3.0], ["sad", 2, 3.0]]
    assert scored.frame[["instrument", "score"]].to_numpy().tolist() == [["phq_9", 11]]


def test_one_row_a_subject_is_kept_with_the_earliest_enrolment(tmp_path):
    """Where a file repeats its subjects, as a daily export does, each is enrolled on the first of their days."""
    section = {"table": "subjects", "columns": {"subject_id": "id", "enrolled_on": "day"}}
    (batch,) = given(tmp_path, "id,day\na,2026-06-03\nb,2026-06-02\na,2026-06-01\n", section)
    days = dict(zip(batch.frame["subject_id"], batch.frame["enrolled_on"], strict=True))
    assert days == {"a": date(2026, 6, 1), "b": date(2026, 6, 2)}


def test_the_end_of_consent_does_not_depend_on_the_order_of_the_rows(tmp_path):
    """Of two rows of one subject the same facts are kept, whichever stands first: an end of consent is never lost."""
    columns = {"subject_id": "id", "enrolled_on": "day", "consent_until": "end"}
    told = []
    for rows in (["a,2026-06-01,", "a,2026-06-01,2026-06-20"], ["a,2026-06-01,2026-06-20", "a,2026-06-01,"]):
        content = "\n".join(["id,day,end", *rows]) + "\n"
        (batch,) = given(tmp_path, content, {"table": "subjects", "columns": columns})
        told.append(sorted(map(str, batch.frame["consent_until"])))
    assert told[0] == told[1]
    assert "2026-06-20" in told[0]


def test_the_hour_that_a_clock_change_repeats_or_skips_is_read(tmp_path):
    """02:30 means the first of two when clocks go back, and the first instant that exists when they go forward."""
    content = "id,bed,up\na,2026-03-29 02:30,2026-03-29 09:00\nb,2026-10-25 02:30,2026-10-25 09:00\n"
    (batch,) = given(tmp_path, content, {"table": "sleep", "columns": SLEEP})
    assert batch.frame["onset_at"].tolist() == utc("2026-03-29 01:00", "2026-10-25 00:30")
    assert batch.frame["utc_offset_min"].tolist() == [120, 60]  # at the table's event time, the awakening


PANIC = {"table": "events", "columns": {"subject_id": "id", "occurred_at": "at", "kind": {"value": "panic"}}}


def test_a_year_of_local_times_with_their_offsets_is_read(tmp_path):
    """+01:00 in winter and +02:00 in summer stand in one file of any place whose clocks change."""
    (batch,) = given(tmp_path, "id,at\na,2026-01-01T10:00+01:00\na,2026-07-01T10:00+02:00\n", PANIC)
    assert batch.frame["occurred_at"].tolist() == utc("2026-01-01 09:00", "2026-07-01 08:00")


def test_times_with_and_without_an_offset_in_one_column_are_refused_in_words(tmp_path):
    """What half of a column means is not guessed at, and the refusal names the column."""
    message = refusal(tmp_path, "id,at\na,2026-01-01T10:00+01:00\na,2026-07-01T10:00\n", PANIC, zone=None)
    assert "`events.occurred_at` in rows.csv" in message


@pytest.mark.parametrize(("column", "unit"), [("hrv_rmssd", "ms"), ("steps", "steps"), ("heart_rate", "bpm")])
def test_each_measure_can_be_mapped_in_its_own_unit(tmp_path, column, unit):
    """A column given in the unit in which Foretide keeps it is taken as it is."""
    columns = {"subject_id": "id", "minute_at": "at", column: {"column": "v", "unit": unit}}
    (batch,) = given(tmp_path, "id,at,v\na,2026-06-01T10:00Z,40\n", {"table": "wearable", "columns": columns})
    assert batch.frame[column].tolist() == [40]


@pytest.mark.parametrize("table", ["sleep", "events", "mood", "subjects"])
def test_a_file_with_a_header_only_is_no_rows_and_no_fault(tmp_path, table):
    """An export of a night without data is an empty batch, whatever table it feeds."""
    time = {"sleep": SLEEP, "events": {"subject_id": "id", "occurred_at": "bed", "kind": "up"},
            "mood": {"subject_id": "id", "answered_at": "bed", "item": "up", "value": "up", "scale_min": {"value": 0},
                     "scale_max": {"value": 1}}, "subjects": {"subject_id": "id", "enrolled_on": "bed"}}  # fmt: skip
    (batch,) = given(tmp_path, "id,bed,up\n", {"table": table, "columns": time[table]})
    assert batch.frame.empty


EVENTS = {
    "table": "events",
    "columns": {"subject_id": "id", "occurred_at": "at", "severity": "s", "kind": {"value": "panic"}},
}
GOOD = "id,at,s\nzebra,2026-06-01T10:00,77123\n"
FILES_THAT_CANNOT_BE_USED = {
    "no file": (GOOD, {**EVENTS, "path": "other*.csv"}, ["other*.csv", "`path:`"]),
    "a column is missing": (GOOD.replace(",s\n", ",t\n"), EVENTS, ["`events.severity` in rows.csv", "column `s`"]),
    "not a date": (GOOD.replace("2026-06-01T10:00", "zebra"), EVENTS, ["`events.occurred_at`", "1 of 1", "`format:`"]),
    "not a number": (GOOD.replace("77123", "quagga"), EVENTS, ["`events.severity`", "1 of 1", "numbers"]),
    "all rows of unlike length": ("id,at,s\nzebra,1,2,3,4\n", EVENTS, ["`rows.csv`", "Export it again"]),
    "nothing at all": (b"", EVENTS, ["`rows.csv`", "UTF-8 CSV"]),
    "UTF-16": (GOOD.encode("utf-16"), EVENTS, ["`rows.csv`", "UTF-8 CSV"]),
    "no time column mapped": (GOOD, {"table": "events", "columns": {"subject_id": "id"}}, ["occurred_at", "events"]),
    "a unit of another kind": (
        GOOD, {"table": "wearable", "columns": {"subject_id": "id", "minute_at": "at",
                                                "heart_rate": {"column": "s", "unit": "min"}}},
        ["`wearable.heart_rate`", "`min` cannot become bpm", "`unit:`"],
    ),
    "a metric that is not declared": (
        GOOD, {"table": "wearable_days", "columns": {"subject_id": "id", "local_date": "at"},
               "melt": {"into": "metric", "columns": {"stairs": "s"}}}, ["`stairs`", "steps"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FILES_THAT_CANNOT_BE_USED)
def test_a_file_that_cannot_be_used_is_refused_with_its_cure_and_no_value(tmp_path, case):
    """The message names file, table, column or count, says what to do, and quotes nothing of the rows."""
    content, section, told = FILES_THAT_CANNOT_BE_USED[case]
    message = refusal(tmp_path, content, section)
    assert all(word in message for word in told), message
    assert not any(value in message for value in ("zebra", "quagga", "77123"))


def test_times_without_a_zone_are_refused_and_counted(tmp_path):
    """Wall-clock times with no zone in the mapping are not guessed at; times with an offset need none."""
    assert "1 times have no time zone. Give `time_zone:`" in refusal(tmp_path, GOOD, EVENTS, zone=None)
    (batch,) = given(tmp_path, GOOD.replace("T10:00", "T10:00+02:00"), EVENTS, zone=None)
    assert batch.frame["occurred_at"].tolist() == utc("2026-06-01 08:00")


def test_a_file_that_is_no_parquet_is_refused(tmp_path):
    """Bytes under the name of a Parquet file are refused by that name."""
    assert "`rows.parquet` is not readable as Parquet" in refusal(tmp_path, b"PAR1 no", EVENTS, name="rows.parquet")


MAPPINGS_THAT_ARE_OFF = {
    "an unknown table": ("files: [{path: a, table: event, columns: {}}]", ["`table: event`", "events"]),
    "an unknown column": ("files: [{path: a, table: events, columns: {ocurred_at: at}}]", ["`ocurred_at`", "`occurred_at`?"]),
    "an unknown unit": (
        "files: [{path: a, table: sleep, columns: {minutes_asleep: {column: m, unit: mins}}}]", ["unit", "`min`?"]),
    "an unknown key": ("files: [{path: a, table: sleep, colums: {}}]", ["colums"]),
    "an unknown zone": ("time_zone: Mars/Base\nfiles: [{path: a, table: sleep, columns: {}}]", ["time_zone", "Europe/Berlin"]),
    "both a column and a value": (
        "files: [{path: a, table: sleep, columns: {is_main: {column: m, value: true}}}]", ["`column:` or `value:`"]),
    "no files": ("time_zone: UTC", ["files"]),
    "melted into another table's word": (
        "files: [{path: a, table: mood, columns: {}, melt: {into: metric, columns: {steps: s}}}]", ["`melt: into: metric`", "mood"]),
    "a scale where there is none": (
        "files: [{path: a, table: assessments, columns: {subject_id: i, completed_at: a}, melt: {into: instrument, "
        "columns: {phq_9: {column: p, scale: [0, 27]}}}}]", ["`scale:`", "mood"]),
    "codes that YAML takes for truth": (
        "files: [{path: a, table: events, columns: {kind: {column: k, recode: {yes: panic}}}}]", ["recode", "quote"]),
    "a format that is none": (
        "files: [{path: a, table: events, columns: {occurred_at: {column: t, format: '%Q'}}}]", ["occurred_at.format", "%d.%m.%Y"]),
    "half an anchor": (
        "files: [{path: a, table: events, columns: {occurred_at: {column: t, anchor: {path: p.csv}}}}]", ["anchor", "`subject:`"]),
    "two anchors": ("files: [{path: a, table: events, columns: {occurred_at: {column: t, anchor: {column: s, "
                    "everyone: 2000-01-03}}}}]", ["anchor", "one of"]),
    "an encoding that is none": ("files: [{path: a, table: events, columns: {}, encoding: utf-9}]", ["encoding", "latin-1"]),
    "attributes of no subject": (
        "files: [{path: a, table: events, columns: {}, attributes: {education: e}}]", ["`attributes:`", "subjects"]),
    "an attribute that is ours": ("files: [{path: a, table: subjects, columns: {subject_id: i, enrolled_on: d}, "
                                  "attributes: {sex: s}}]", ["`attributes:`", "sex", "columns"]),
    "an attribute with a strange name": (
        "files: [{path: a, table: subjects, columns: {}, attributes: {\"a b\": s}}]", ["attributes"]),
    "a pattern that is none": ("files: [{path: 'a**b', table: events, columns: {}}]", ["path", "*.csv"]),
    "a column of Foretide's own": ("files: [{path: a, table: events, columns: {ingest_id: i}}]", ["`ingest_id`", "not a column"]),
    "a separator of two signs": ("files: [{path: a, table: events, columns: {}, separator: ';;'}]", ["separator"]),
    "not YAML": ("files: [", ["not readable as YAML"]),
    "not text": (b"source: \xe9\xff", ["not readable as YAML"]),
    "a list": ("- a", ["my.yaml"]),
}  # fmt: skip


@pytest.mark.parametrize("case", MAPPINGS_THAT_ARE_OFF)
def test_a_mapping_that_is_off_is_named_with_its_cure(tmp_path, case):
    """Whatever is wrong with a mapping file is a matter of usage, and the message names the file and the key."""
    content, told = MAPPINGS_THAT_ARE_OFF[case]
    path = tmp_path / "my.yaml"
    path.write_bytes(content if isinstance(content, bytes) else f"source: s\n{content}".removesuffix("\n").encode())
    if case == "a list":
        path.write_text(str(content))
    with pytest.raises(Usage) as caught:
        load_mapping(path)
    assert all(word in str(caught.value) for word in ("my.yaml", *told)), str(caught.value)


def test_a_missing_mapping_is_named(tmp_path):
    """A mapping file that is not there is named, with a place to find some."""
    with pytest.raises(Usage, match=r"`my\.yaml`.*docs/examples"):
        load_mapping(tmp_path / "my.yaml")


def test_the_mapping_that_the_guide_shows_is_one(tmp_path):
    """`docs/bring-your-data.md` is read by people who copy it."""
    guide = (Path(__file__).parents[2] / "docs" / "bring-your-data.md").read_text()
    shown = textwrap.dedent(guide.split("```yaml\n")[2].split("   ```")[0])
    (tmp_path / "shown.yaml").write_text(shown)
    assert [file.table for file in load_mapping(tmp_path / "shown.yaml").files] == [
        "subjects", "sleep", "mood", "events", "care_status"
    ]  # fmt: skip


def test_where_no_column_says_so_rows_are_received_at_the_midnight_after_their_day(tmp_path):
    """Only where the mapping declares it: a diary answer of 1 June 21:00 in Berlin is known from 2 June 0:00 on."""
    mapping = {"source": "s", "time_zone": "Europe/Berlin", "received": "end_of_local_day",
               "files": [{"path": "rows.csv", **EVENTS}]}  # fmt: skip
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(mapping))
    (tmp_path / "rows.csv").write_text("id,at,s\nann,2026-06-01T21:00,1\n")
    (batch,) = map(in_pandas, read(tmp_path / "rows.csv", load_mapping(tmp_path / "m.yaml")))
    assert batch.frame["received_at"].tolist() == utc("2026-06-01 22:00")


def test_the_guide_and_the_reference_name_every_key_of_the_language():
    """What a mapping can say stands in the guide and in the module's reference, where people and tools look it up."""
    models = (mapping.Mapping, mapping.FileMapping, origins.ColumnMapping, origins.MeltedColumn, origins.Melt, origins.Anchor,
              origins.TimeOfDay)  # fmt: skip
    keys = {key for model in models for key in model.model_fields}
    guide = (Path(__file__).parents[2] / "docs" / "bring-your-data.md").read_text()
    for told in (guide, str(mapping.__doc__)):
        assert [key for key in sorted(keys) if not re.search(rf"\b{key}\b", told)] == []
