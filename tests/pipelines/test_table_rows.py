"""What a mapping can say about rows: anchors, filters, units, scales, attributes; and what single bad cells become."""

import json
from datetime import UTC, date, datetime

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from pipelines.errors import ForetideError
from pipelines.sources.table import read
from pipelines.sources.table.mapping import load_mapping
from pipelines.sources.table.units import conversion
from tests.pipelines.mapped import broken, given, in_pandas, refusal, utc

EVENT = {"table": "events", "columns": {"subject_id": "id", "occurred_at": "at", "kind": {"value": "panic"}}}
WEARABLE = {"subject_id": "id", "minute_at": "at"}


def events(**at: object) -> dict:
    """A section of events whose time has this origin."""
    return {"table": "events", "columns": {"subject_id": "id", "occurred_at": at, "kind": {"value": "panic"}}}


def wearable(**columns: object) -> dict:
    return {"table": "wearable", "columns": {"subject_id": "id", "minute_at": "at", **columns}}


def test_day_numbers_count_from_each_subjects_own_start_in_another_file(tmp_path):
    """Day 0 is the day in the file of people; local midnight in a zone with a clock change is meant; strangers are found."""
    (tmp_path / "people.csv").write_text("who;start\na;28.03.2026\nb;01.06.2026\n", encoding="latin-1")
    people = {"path": "people.csv", "table": "subjects", "separator": ";",
              "columns": {"subject_id": "who", "enrolled_on": {"column": "start", "format": "%d.%m.%Y"}}}  # fmt: skip
    anchor = {"path": "people.csv", "subject": "who", "date": "start", "format": "%d.%m.%Y"}
    content = "id,day\na,0\na,2\nb,1.5\nstranger,0\n"
    batch, _ = given(tmp_path, content, events(column="day", anchor=anchor), people)
    assert batch.frame["occurred_at"].tolist()[:3] == utc("2026-03-27 23:00", "2026-03-29 22:00", "2026-06-02 10:00")
    assert broken(batch) == [None, None, None, "occurred_at_has_an_anchor"]


def test_the_anchors_own_day_may_have_the_number_one(tmp_path):
    """Studies that call the first day day 1 say so once, and dates are right."""
    anchor = {"column": "start", "first_day": 1}
    section = {"table": "wearable_days", "columns": {"subject_id": "id", "local_date": {"column": "day", "anchor": anchor}},
               "melt": {"into": "metric", "columns": {"steps": "n"}}}  # fmt: skip
    (batch,) = given(tmp_path, "id,start,day,n\na,2026-06-01,1,9\na,2026-06-01,8,9\n", section)
    assert batch.frame["local_date"].tolist() == [date(2026, 6, 1), date(2026, 6, 8)]


def test_a_cohort_without_dates_gets_one_made_up_start_for_everybody(tmp_path):
    """Days and times of day of a study without a calendar lie in the right order and distance of each other."""
    at = {"column": "day", "anchor": {"everyone": date(2000, 1, 3)}, "time": "clock"}
    (batch,) = given(tmp_path, "id,day,clock\na,0,23:30\na,1,7:05\n", events(**at), zone="UTC")
    assert batch.frame["occurred_at"].tolist() == utc("2000-01-03 23:30", "2000-01-04 07:05")


def test_time_since_the_start_may_be_in_hours(tmp_path):
    """A column of hours counts from the midnight of the anchor."""
    at = {"column": "h", "unit": "h", "anchor": {"everyone": date(2000, 1, 3)}}
    (batch,) = given(tmp_path, "id,h\na,36\n", events(**at), zone="UTC")
    assert batch.frame["occurred_at"].tolist() == utc("2000-01-04 12:00")


@pytest.mark.parametrize(("time", "value"), [("t", "22:15"), ({"column": "t", "unit": "min"}, "1335"),
                                             ({"column": "t", "format": "%I.%M %p"}, "10.15 PM")])  # fmt: skip
def test_date_and_time_of_day_stand_in_two_columns(tmp_path, time, value):
    """Clock times, minutes since midnight and clock times of a format are added to the day."""
    at = {"column": "d", "format": "%d.%m.%Y", "time": time}
    (batch,) = given(tmp_path, f"id,d,t\na,01.06.2026,{value}\n", events(**at))
    assert batch.frame["occurred_at"].tolist() == utc("2026-06-01 20:15")


def test_typed_dates_and_times_of_day_of_a_parquet_file_are_put_together(tmp_path):
    """A date column and a time column of a Parquet file give the same instant as their texts."""
    rows = pa.table({"id": ["a"], "d": pa.array([date(2026, 6, 1)]), "t": pa.array([80_100], pa.time32("s"))})
    pq.write_table(rows, tmp_path / "rows.parquet")
    (tmp_path / "m").write_text(yaml.safe_dump({"source": "s", "time_zone": "Europe/Berlin", "files": [
        {"path": "rows.parquet", **events(column="d", time="t")}]}))  # fmt: skip
    (batch,) = map(in_pandas, read(tmp_path, load_mapping(tmp_path / "m")))
    assert batch.frame["occurred_at"].tolist() == utc("2026-06-01 20:15")


@pytest.mark.parametrize(("format", "value"), [("epoch_s", "1780344900.0"), ("epoch_ms", "1780344900000"),
                                               ("epoch_ns", "1780344900000000000")])  # fmt: skip
def test_seconds_since_1970_need_no_zone(tmp_path, format, value):
    """An epoch's ticks are instants."""
    (batch,) = given(tmp_path, f"id,at\na,{value}\n", events(column="at", format=format), zone=None)
    assert batch.frame["occurred_at"].tolist() == utc("2026-06-01 20:15")


def test_each_column_may_have_a_zone_of_its_own(tmp_path):
    """What a column's origin says about its zone goes before what the file and the mapping say."""
    columns = {"subject_id": "id", "item": {"value": "mood"}, "value": "v", "scale_min": {"value": 0}, "scale_max": {"value": 9},
               "answered_at": {"column": "at", "time_zone": "Asia/Seoul"}, "prompted_at": "at"}  # fmt: skip
    section = {"table": "mood", "time_zone": "America/New_York", "columns": columns}
    (batch,) = given(tmp_path, "id,at,v\na,2026-06-01 12:00,3\n", section)
    assert batch.frame.loc[0, ["answered_at", "prompted_at", "utc_offset_min"]].tolist() == [
        *utc("2026-06-01 03:00", "2026-06-01 16:00"), 540
    ]  # fmt: skip


def test_wall_clock_times_are_placed_by_the_offset_that_stands_beside_them(tmp_path):
    """Where no zone is declared, a column of offsets says where the clock stood, row by row."""
    section = wearable(utc_offset_min={"column": "o", "unit": "h"}, steps="n")
    (batch,) = given(tmp_path, "id,at,o,n\na,2026-06-01 12:00,9,1\na,2026-06-01 12:00,-4,1\n", section, zone=None)
    assert batch.frame["minute_at"].tolist() == utc("2026-06-01 03:00", "2026-06-01 16:00")
    assert batch.frame["utc_offset_min"].tolist() == [540, -240]


def test_times_say_their_own_offset_from_utc(tmp_path):
    """Without a declared zone, the offset in a time's text is the offset of its row."""
    (batch,) = given(tmp_path, "id,at\na,2026-01-01T10:00+01:00\nb,2026-07-01T10:00-04:00\n", EVENT, zone=None)
    assert batch.frame["utc_offset_min"].tolist() == [60, -240]


def test_what_the_times_of_a_file_mean_does_not_change_on_the_way(tmp_path, monkeypatch):
    """Times with an offset far below times without one are refused like those beside them."""
    monkeypatch.setattr("pipelines.sources.table.chunks.ROWS", 2)
    monkeypatch.setattr("pipelines.sources.table.delimited.BLOCK", 60)
    times = ["2026-06-01T10:00", "2026-06-01T11:00", "2026-06-01T10:00+02:00", "2026-06-01T11:00+02:00"]
    message = refusal(tmp_path, "\n".join(["id,at", *(f"a,{time}" for time in times)]), EVENT)
    assert "`events.occurred_at` in rows.csv: some times have a UTC offset" in message


def test_a_wrong_date_format_is_told_although_the_times_of_day_are_right(tmp_path):
    """Of a date and a time of day, each is counted for itself."""
    section = events(column="d", format="%d.%m.%Y", time="t")
    assert "1 of 1 values are not times" in refusal(tmp_path, "id,d,t\na,2026-06-01,10:00\n", section)


def test_the_receipt_of_a_whole_file_is_an_instant_in_the_mapping(tmp_path):
    """YAML's own way to write an instant is understood."""
    section = EVENT | {
        "columns": EVENT["columns"] | {"received_at": {"value": datetime(2026, 7, 1, 0, 30, tzinfo=UTC)}}
    }
    (batch,) = given(tmp_path, "id,at\na,2026-06-01T10:00Z\n", section)
    assert batch.frame["received_at"].tolist() == utc("2026-07-01 00:30")


def test_only_rows_that_the_filter_wants_are_read_and_lines_stay_true(tmp_path):
    """Repeat instruments of one flat file go to their tables; blank means missing; each row knows its line."""
    content = "id,form,at,score,start\na,,,,2026-05-01\na,phq,2026-06-01T10:00Z,11,\na,gad,2026-06-02T10:00Z,5,\n"
    people = {"table": "subjects", "where": {"form": ""}, "columns": {"subject_id": "id", "enrolled_on": "start"}}
    scores = {"table": "assessments", "where": {"form": ["phq", "other"]},
              "columns": {"subject_id": "id", "completed_at": "at", "instrument": "form", "score": "score"}}  # fmt: skip
    answers, enrolled = given(tmp_path, content, people, scores)
    assert (len(enrolled.frame), enrolled.lines.tolist()) == (1, [2])
    assert (answers.frame["score"].tolist(), answers.lines.tolist()) == ([11.0], [3])


def test_a_typed_column_is_filtered_by_what_an_export_would_write(tmp_path):
    """1 in a mapping means the number 1 of a Parquet file, be it whole or 1.0."""
    section = EVENT | {"where": {"arm": 1}}
    frame = pd.DataFrame({"id": ["a", "b"], "at": utc("2026-06-01", "2026-06-02"), "arm": [1.0, 2.0]})
    (batch,) = given(tmp_path, frame, section, name="rows.parquet")
    assert (batch.frame["subject_id"].tolist(), batch.lines.tolist()) == (["a"], [1])


def test_each_melted_row_keeps_the_line_and_the_scale_of_its_item(tmp_path):
    """Two questions of one line become two rows of that line, each with the answers that were possible."""
    section = {"table": "mood", "columns": {"subject_id": "id", "answered_at": "at"},
               "melt": {"into": "item", "columns": {"calm": {"column": "c", "scale": [0, 3]},
                                                    "sad": {"column": "s", "scale": [1, 7], "missing": [-99]}}}}  # fmt: skip
    (batch,) = given(tmp_path, "id,at,c,s\na,2026-06-01T10:00Z,1,2\nb,2026-06-01T10:00Z,3,-99\n", section)
    told = batch.frame[["item", "value", "scale_min", "scale_max"]].to_numpy().tolist()
    assert told == [["calm", 1, 0, 3], ["calm", 3, 0, 3], ["sad", 2, 1, 7]]
    assert batch.lines.tolist() == [2, 3, 2]


def test_a_long_file_names_metric_value_and_unit_in_each_row(tmp_path):
    """Units of single rows, recoded to UCUM, become the metric's; one that cannot is found, and a metric of nobody's is left."""
    section = {"table": "wearable_days", "columns": {
        "subject_id": "id", "local_date": "d", "metric": {"column": "m", "recode": {"STEP": "steps", "TST": "minutes_asleep",
                                                                                    "X": "stairs"}},
        "value": "v", "unit": {"column": "u", "recode": {"count": "steps", "hours": "h", "kilo": "kg"}}}}  # fmt: skip
    rows = [
        "a,2026-06-01,STEP,9000,count",
        "a,2026-06-01,TST,7.5,hours",
        "a,2026-06-01,TST,7,kilo",
        "a,2026-06-01,X,1,count",
    ]
    (batch,) = given(tmp_path, "\n".join(["id,d,m,v,u", *rows]), section)
    assert batch.frame["value"].tolist()[:2] == [9000, 450]
    assert batch.frame["unit"].tolist()[:2] == ["steps", "min"]
    assert broken(batch) == [None, None, "unit_is_convertible", None]


def test_one_unit_may_hold_for_a_whole_long_file(tmp_path):
    """`unit:` of the value stands for every row of a long file."""
    columns = {
        "subject_id": "id",
        "local_date": "d",
        "metric": {"value": "minutes_asleep"},
        "value": {"column": "v", "unit": "h"},
    }
    (batch,) = given(tmp_path, "id,d,v\na,2026-06-01,8\n", {"table": "wearable_days", "columns": columns})
    assert batch.frame[["value", "unit"]].to_numpy().tolist() == [[480.0, "min"]]


@pytest.mark.parametrize(("source", "declared", "becomes"), [("h", "min", 5940.0), ("degF", "Cel", 37.222)])
def test_declared_signals_come_in_their_declared_unit(tmp_path, source, declared, becomes):
    """A signal is converted to the unit that the configuration declares for it, wide and long, degrees included."""
    wide = {"table": "signals", "columns": {"subject_id": "id", "observed_at": "at"},
            "melt": {"into": "name", "columns": {"reading": {"column": "v", "unit": source}}}}  # fmt: skip
    long = {"table": "signals", "columns": {"subject_id": "id", "observed_at": "at", "name": {"value": "reading"},
                                            "value": {"column": "v", "unit": source}}}  # fmt: skip
    (tmp_path / "rows.csv").write_text("id,at,v\na,2026-06-01T10:00Z,99\n")
    files = [{"path": "rows.csv", **section} for section in (wide, long)]
    (tmp_path / "m").write_text(yaml.safe_dump({"source": "s", "files": files}))
    for batch in map(in_pandas, read(tmp_path, load_mapping(tmp_path / "m"), {"reading": declared})):
        assert batch.frame[["value", "unit"]].to_numpy().tolist() == [[pytest.approx(becomes, abs=1e-3), declared]]


@pytest.mark.parametrize(("source", "target", "value", "becomes"), [
    ("degF", "Cel", 212, 100), ("K", "degC", 273.15, 0), ("Cel", "[degF]", 37, 98.6), ("lb", "kg", 100, 45.359237),
    ("ms", "min", 25_200_000, 420), ("1", "percent", 0.93, 93), ("mmol/L", "umol/L", 1.5, 1500), ("Hz", "bpm", 1.2, 72),
    ("kJ", "kcal", 4184, 1000), ("mi", "km", 1, 1.609344),
])  # fmt: skip
def test_units_become_each_other_by_their_ucum_names(source, target, value, becomes):
    """Well-known values come out, offsets of temperatures included."""
    change = conversion(source, target)
    assert value * change.factor + change.shift == pytest.approx(becomes)


def test_units_of_different_kinds_do_not_become_each_other():
    """Steps are no minutes; a minute's count of steps is no day's; mmol/L is no mg/dL without the substance."""
    assert [conversion(*pair) for pair in (("steps", "min"), ("steps/min", "steps"), ("mmol/L", "mg/dL"))] == [None] * 3


def test_further_audit_attributes_become_one_json_object(tmp_path):
    """Declared attributes of a subject, recoded, are kept by name; one that is missing is null."""
    section = {"table": "subjects", "columns": {"subject_id": "id", "enrolled_on": "d"},
               "attributes": {"education": {"column": "e", "recode": {1: "school", 2: "university"}}, "order": "h"}}  # fmt: skip
    (batch,) = given(tmp_path, 'id,d,e,h\na,2026-06-01,2,\nb,2026-06-01,1,"rented, shared"\n', section)
    assert [json.loads(text) for text in batch.frame["attributes"]] == [
        {"education": "university", "order": None}, {"education": "school", "order": "rented, shared"}
    ]  # fmt: skip


def test_care_status_and_interventions_are_mapped_like_anything_else(tmp_path):
    """Who may be scored, and what was done, come from a file each."""
    care = {"table": "care_status", "columns": {"subject_id": "id", "since": "at",
                                                "status": {"column": "s", "recode": {"ADM": "inpatient"}}}}  # fmt: skip
    done = {"table": "interventions", "columns": {"subject_id": "id", "done_at": "at", "kind": {"value": "call"}}}
    status, calls = given(tmp_path, "id,at,s\na,2026-06-01T10:00Z,ADM\n", care, done)
    assert (status.frame["status"].tolist(), calls.frame["kind"].tolist()) == (["inpatient"], ["call"])


def test_two_devices_and_their_measures_share_a_file(tmp_path):
    """Steps and heart rate of several devices keep the device of each row."""
    section = wearable(steps="n", heart_rate={"column": "hr", "unit": "/min"}, device_id="dev", worn={"column": "w"})
    (batch,) = given(
        tmp_path, "id,at,n,hr,dev,w\na,2026-06-01T10:00Z,5,71,x,yes1\na,2026-06-01T10:00Z,7,,y,1\n", section
    )
    assert batch.frame["device_id"].tolist() == ["x", "y"]
    assert batch.frame["steps"].tolist() == [5, 7]
    assert broken(batch) == ["worn_is_readable", None]


CELLS = {
    "a number that is none": (wearable(steps="v"), "12 steps", "7", "steps_is_a_number"),
    "a comma where none is declared": (wearable(steps="v"), '"7,5"', "7", "steps_is_a_number"),
    "a time that cannot be read": (wearable(steps={"value": 1}, minute_at="v"), "31 June", "2026-06-01T10:00",
                                   "minute_at_is_readable"),
    "an impossible date": (wearable(steps={"value": 1}, minute_at="v"), "2026-06-31T10:00", "2026-06-01T10:00",
                           "minute_at_is_readable"),
    "a time in words": (wearable(steps={"value": 1}, minute_at="v"), "infinity", "2026-06-01T10:00", "minute_at_is_readable"),
    "a year of no study": (wearable(steps={"value": 1}, minute_at="v"), "9999-12-31T10:00", "2026-06-01T10:00",
                           "minute_at_is_readable"),
    "an epoch too large": (wearable(steps={"value": 1}, minute_at={"column": "v", "format": "epoch_s"}), "1e30", "1780344900",
                           "minute_at_is_readable"),
    "a flag that is none": (wearable(steps={"value": 1}, worn="v"), "maybe", "1", "worn_is_readable"),
    "a code that is not declared": (wearable(steps={"value": 1}, device_model={"column": "v", "recode": {"1": "ring"}}), "9", "1",
                                    "device_model_is_recoded"),
}  # fmt: skip


@pytest.mark.parametrize("case", CELLS)
def test_a_bad_cell_breaks_a_rule_on_its_line_and_stops_nothing(tmp_path, case):
    """What cannot be read is missing, its row is told with rule and line, and every other row is taken."""
    section, bad, good, rule = CELLS[case]
    content = "\n".join(
        ["id,at,v", f"a,2026-06-01T10:00,{good}", f"a,2026-06-01T10:01,{bad}", f"b,2026-06-01T10:02,{good}"]
    )
    (batch,) = given(tmp_path, content + "\n", section)
    assert broken(batch) == [None, rule, None]
    assert batch.lines.tolist() == [2, 3, 4]
    assert batch.frame["subject_id"].tolist() == ["a", "a", "b"]


def test_an_answer_that_is_no_number_is_told_although_its_row_has_no_value(tmp_path):
    """Melting drops what is missing, not what is wrong."""
    section = {"table": "wearable_days", "columns": {"subject_id": "id", "local_date": "d"},
               "melt": {"into": "metric", "columns": {"steps": "n"}}}  # fmt: skip
    (batch,) = given(tmp_path, "id,d,n\na,2026-06-01,many\na,2026-06-02,\na,2026-06-03,5\n", section)
    assert (broken(batch), batch.lines.tolist()) == (["value_is_a_number", None], [2, 4])


def test_a_format_that_fits_no_row_is_refused_over_all_files(tmp_path):
    """One unreadable file among readable ones is a matter of its rows; all of them are a matter of the mapping."""
    section = events(column="at", format="%d.%m.%Y") | {"path": "*.csv"}
    (tmp_path / "a.csv").write_text("id,at\na,2026-06-01\n")
    fine, bad = given(tmp_path, "id,at\na,01.06.2026\n", section, name="b.csv")[::-1]
    assert (broken(bad), broken(fine)) == (["occurred_at_is_readable"], [None])
    message = refusal(tmp_path, "id,at\na,2026/06/01\n", section, name="b.csv")
    assert "`events.occurred_at` in a.csv: 2 of 2 values are not times" in message


def test_an_odd_value_in_a_column_that_is_hardly_ever_filled_stops_nothing(tmp_path):
    """One word among empty cells is a bad row; the mapping is not at fault."""
    rows = [
        "a,2026-06-01T10:00Z,",
        *(f"a,2026-06-01T10:{minute}Z," for minute in range(11, 59)),
        "b,2026-06-02T10:00Z,severe",
    ]
    section = EVENT | {"columns": EVENT["columns"] | {"severity": "s"}}
    (batch,) = given(tmp_path, "\n".join(["id,at,s", *rows]), section)
    assert broken(batch) == [None] * 49 + ["severity_is_a_number"]


def test_files_of_one_name_in_two_folders_may_write_their_times_differently(tmp_path):
    """That times of a file mean one thing is asked of each file by itself."""
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "rows.csv").write_text("id,at\na,2026-06-01T10:00\n")
    first, second = given(tmp_path, "id,at\na,2026-06-01T10:00Z\n", EVENT | {"path": "**/rows.csv"})
    assert [*first.frame["occurred_at"], *second.frame["occurred_at"]] == utc("2026-06-01 08:00", "2026-06-01 10:00")


def test_every_unreadable_row_of_a_subject_is_told(tmp_path):
    """Reducing a subject's rows to one takes sound rows only; each bad one stays with its line."""
    section = {"table": "subjects", "columns": {"subject_id": "id", "enrolled_on": "d"}}
    (batch,) = given(tmp_path, "id,d\na,2026-06-02\na,2026-06-01\na,soon\na,later\n,2026-06-01\n,2026-06-02\n", section)
    assert broken(batch) == [None, "enrolled_on_is_readable", "enrolled_on_is_readable", None, None]
    assert batch.lines.tolist() == [3, 4, 5, 6, 7]


def test_a_code_that_means_no_value_is_missing_and_breaks_no_rule(tmp_path):
    """`null` in a recode is a declared meaning, whatever the kind of the column."""
    recode = {"column": "v", "recode": {1: True, 2: False, 9: None}}
    (batch,) = given(
        tmp_path, "id,at,v\na,2026-06-01T10:00,1\na,2026-06-01T10:01,9\n", wearable(worn=recode, steps={"value": 1})
    )
    assert (broken(batch), batch.frame["worn"].isna().tolist()) == ([None, None], [False, True])


@pytest.mark.parametrize(("zone", "midnight"), [("Asia/Seoul", "2026-06-01 15:00"), (None, "2026-06-02 04:00")])
def test_days_are_over_by_the_zone_or_else_by_the_offset_of_their_row(tmp_path, zone, midnight):
    """A day that nobody placed by a zone ends by the clock whose offset stands beside it."""
    columns = {"subject_id": "id", "local_date": "d", "utc_offset_min": {"column": "o", "unit": "min"}}
    section = {
        "path": "rows.csv",
        "table": "wearable_days",
        "columns": columns,
        "melt": {"into": "metric", "columns": {"steps": "n"}},
    }
    mapping = {"source": "s", "received": "end_of_local_day", "files": [section]} | (
        {"time_zone": zone} if zone else {}
    )
    (tmp_path / "m").write_text(yaml.safe_dump(mapping))
    (tmp_path / "rows.csv").write_text("id,d,o,n\na,2026-06-01,-240,9\n")
    (batch,) = map(in_pandas, read(tmp_path, load_mapping(tmp_path / "m")))
    assert batch.frame["received_at"].tolist() == utc(midnight)


def test_decimal_commas_and_semicolons_are_declared(tmp_path):
    """A German export reads as it was meant, and a point in it is not taken for a decimal sign."""
    section = {"table": "assessments", "separator": ";", "decimal": ",", "encoding": "latin-1", "columns": {
        "subject_id": "Schlüssel", "completed_at": "at", "instrument": {"value": "phq_9"}, "score": "wert"}}  # fmt: skip
    content = "Schlüssel;at;wert\na;2026-06-01T10:00;7,5\na;2026-06-02T10:00;1.250\n".encode("latin-1")
    (batch,) = given(tmp_path, content, section)
    assert batch.frame["score"].tolist()[0] == 7.5
    assert broken(batch) == [None, "score_is_a_number"]


def test_what_means_no_value_is_declared_per_file_and_column(tmp_path):
    """A file's markers take the place of the usual ones, a column's come on top; numbers of Parquet count as well."""
    section = wearable(steps={"column": "v", "missing": [-1]}, device_model="m") | {"missing": ["-", ""]}
    (batch,) = given(tmp_path, "id,at,v,m\na,2026-06-01T10:00,-1,NA\na,2026-06-01T10:01,4,-\n", section)
    assert batch.frame["steps"].isna().tolist() == [True, False]
    assert batch.frame["device_model"].fillna("none").tolist() == ["NA", "none"]
    typed = pd.DataFrame({"id": ["a", "a"], "at": utc("2026-06-01", "2026-06-02"), "v": [-1, 4], "m": ["-", "x"]})
    (tmp_path / "rows.csv").unlink()
    (batch,) = given(tmp_path, typed, section, name="rows.parquet")
    assert batch.frame["steps"].isna().tolist() == [True, False]
    assert batch.frame["device_model"].fillna("none").tolist() == ["none", "x"]


def test_a_value_of_a_column_that_has_a_unit_needs_its_unit(tmp_path):
    """No unit, no ingest: minutes are not guessed at; counts and points, which have one way to be given, need none."""
    sleep = {
        "table": "sleep",
        "columns": {"subject_id": "id", "onset_at": "a", "offset_at": "b", "minutes_asleep": "m"},
    }
    message = refusal(tmp_path, "id\n", sleep)
    assert "`sleep.minutes_asleep` has no unit" in message
    assert "unit: min" in message


@pytest.mark.parametrize("rows", [1, 3])
def test_subjects_of_many_files_are_one_row_each(tmp_path, rows):
    """Monthly files that repeat their subjects enrol each once, on the first day of all, from the file that holds it."""
    for month in range(1, rows + 1):
        (tmp_path / f"m{month}.csv").write_text(f"id,d\na,2026-0{9 - month}-01\nb,2026-05-0{month}\n")
    mapping = {
        "source": "s",
        "files": [{"path": "m*.csv", "table": "subjects", "columns": {"subject_id": "id", "enrolled_on": "d"}}],
    }
    (tmp_path / "mapping").write_text(yaml.safe_dump(mapping))
    batches = [in_pandas(batch) for batch in read(tmp_path, load_mapping(tmp_path / "mapping"))]
    told = {
        (name, day): batch.file
        for batch in batches
        for name, day in batch.frame[["subject_id", "enrolled_on"]].to_numpy()
    }
    assert told == {("a", date(2026, 9 - rows, 1)): f"m{rows}.csv", ("b", date(2026, 5, 1)): "m1.csv"}


def test_a_fixed_value_that_cannot_be_read_is_the_mappings_fault(tmp_path):
    """It is refused with the column, whatever the rows hold."""
    section = {"table": "subjects", "columns": {"subject_id": "id", "enrolled_on": {"value": "summer"}}}
    with pytest.raises(ForetideError, match="`subjects.enrolled_on` in rows.csv: `value:`"):
        given(tmp_path, "id\na\n", section)


def test_a_fixed_day_is_written_as_yaml_writes_days(tmp_path):
    """Whole numbers, days and truth values of the mapping arrive as such."""
    section = {"table": "subjects", "columns": {"subject_id": "id", "enrolled_on": {"value": date(2026, 6, 1)},
                                                "deprivation_quintile": {"value": 3}}}  # fmt: skip
    (batch,) = given(tmp_path, "id\na\n", section)
    assert batch.frame.loc[0, ["enrolled_on", "deprivation_quintile"]].tolist() == [date(2026, 6, 1), "3"]
