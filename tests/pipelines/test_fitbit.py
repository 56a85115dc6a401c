"""The `fitbit` format: what the files of an export become, clocks included."""

from datetime import UTC, date, datetime
from itertools import permutations

import pandas as pd
import pytest

from features.calendar import local_day
from pipelines.ingestion import ingest_source
from pipelines.installation import Installation
from pipelines.sections import FileSource
from pipelines.settings import settings_from
from pipelines.sources.fitbit import Enrolment
from tests.pipelines.fitbit_exports import BERLIN, batches, beat, entry, log, quarantined, rows, summary, write


def utc(*times: str) -> list[pd.Timestamp]:
    return [pd.Timestamp(time, tz="UTC") for time in times]


def test_steps_and_heart_rate_of_a_minute_are_one_row(tmp_path):
    """Minutes are UTC; confident samples are averaged, those of no confidence (70 bpm: not worn) are no heart rate."""
    write(tmp_path / "p01", {
        "steps-2026-06-01.json": [entry("06/01/26 22:30:00", "12"), entry("06/01/26 22:32:00", "0")],
        "heart_rate-2026-06-01.json": [
            beat("06/01/26 22:30:05", 60), beat("06/01/26 22:30:20", 64, 1), beat("06/01/26 22:30:55", 70, 0),
            beat("06/01/26 22:31:10", 58, 3), beat("06/01/26 22:32:10", 70, 0)],
    })  # fmt: skip
    found = rows(tmp_path / "p01", "wearable")
    assert found["minute_at"].tolist() == utc("2026-06-01 22:30", "2026-06-01 22:31", "2026-06-01 22:32")
    assert found["steps"].fillna(-1).tolist() == [12, -1, 0]
    assert found["heart_rate"].fillna(-1).tolist() == [62, 58, -1]
    assert set(found["utc_offset_min"]) == {120}
    assert set(found["subject_id"]) == {"p01"}
    assert set(found["source"]) == {"fitbit"}


def test_the_offset_of_minutes_follows_the_clock_change(tmp_path):
    """The hour after 01:00 UTC of 25 October is winter time in Berlin; the minutes stay a minute apart."""
    times = ("10/25/26 00:59:00", "10/25/26 01:00:00")
    write(tmp_path / "p01", {"steps-2026-10-01.json": [entry(time, "5") for time in times]})
    found = rows(tmp_path / "p01", "wearable")
    assert found["utc_offset_min"].tolist() == [120, 60]
    assert found["minute_at"].diff()[1] == pd.Timedelta(minutes=1)


def test_files_that_overlap_tell_a_minute_once(tmp_path):
    """A minute cut in two by the end of a file has the mean of all its samples; of two step counts the larger counts."""
    write(tmp_path / "p01", {
        "heart_rate-2026-06-01.json": [beat("06/01/26 12:00:05", 60), beat("06/01/26 12:00:10", 60)],
        "heart_rate-2026-06-02.json": [beat("06/01/26 12:00:30", 90)],
        "steps-2026-05-02.json": [entry("06/01/26 12:00:00", "3")],
        "steps-2026-06-01.json": [entry("06/01/26 12:00:00", "30")],
    })  # fmt: skip
    found = rows(tmp_path / "p01", "wearable")
    assert found[["steps", "heart_rate"]].to_numpy().tolist() == [[30, 70]]


def test_a_night_with_stages_belongs_to_the_day_of_its_awakening(tmp_path):
    """A log from before midnight has wall-clock times, stages from the summary, and the civil day `dateOfSleep` says."""
    levels = summary(deep=80, light=200, rem=90, wake=40)
    write(tmp_path / "p01", {"sleep-2026-06-01.json": [log(31000000001, "2026-06-01T23:10", "2026-06-02T06:00", 410,
                                                           minutesAsleep=370, levels=levels)]})  # fmt: skip
    found = rows(tmp_path / "p01", "sleep")
    row = found.iloc[0]
    assert [row["onset_at"], row["offset_at"]] == utc("2026-06-01 21:10", "2026-06-02 04:00")
    assert local_day(found["offset_at"], found["utc_offset_min"])[0] == pd.Timestamp("2026-06-02")
    assert row[[f"minutes_{name}" for name in ("asleep", "awake", "light", "deep", "rem")]].tolist() == [
        370,
        40,
        200,
        80,
        90,
    ]
    assert (row["record_id"], bool(row["is_main"])) == ("31000000001", True)


def test_several_logs_a_night_stay_several(tmp_path):
    """Main sleep and nap are two rows, told apart by `mainSleep`, or by `isMainSleep` as the web interface calls it."""
    nap = {**log(2, "2026-06-02T14:05", "2026-06-02T14:47", 42, minutesAsleep=38, minutesAwake=4), "isMainSleep": False}
    del nap["mainSleep"]
    write(tmp_path / "p01", {"sleep-2026-06-01.json": [log(1, "2026-06-01T23:10", "2026-06-02T06:00", 410), nap]})
    assert rows(tmp_path / "p01", "sleep")["is_main"].tolist() == [True, False]


def test_a_classic_log_has_no_stages(tmp_path):
    """Restless and awake are awake; where totals are not told they come from the levels, and stages are missing."""
    told = log(1, "2026-06-02T14:00", "2026-06-02T15:00", 60, levels=summary(asleep=48, restless=9, awake=3))
    write(tmp_path / "p01", {"sleep-2026-06-01.json": [{k: v for k, v in told.items() if not k.startswith("minutes")}]})
    row = rows(tmp_path / "p01", "sleep").iloc[0]
    assert (row["minutes_asleep"], row["minutes_awake"]) == (48, 12)
    assert row[["minutes_light", "minutes_deep", "minutes_rem"]].isna().all()


def test_without_a_summary_stages_come_from_the_levels(tmp_path):
    """A short wake counts as awake and not as the stage around it, also where it lies across two of them."""
    levels = {
        "data": [{"dateTime": "2026-06-02T00:00:00.000", "level": "wake", "seconds": 600},
                 {"dateTime": "2026-06-02T00:10:00.000", "level": "light", "seconds": 3000},
                 {"dateTime": "2026-06-02T01:00:00.000", "level": "deep", "seconds": 3600}],
        "shortData": [{"dateTime": "2026-06-02T00:59:00.000", "level": "wake", "seconds": 120}],
    }  # fmt: skip
    write(
        tmp_path / "p01",
        {"sleep.json": [log(1, "2026-06-02T00:00", "2026-06-02T02:00", 120, minutesAwake=12, levels=levels)]},
    )
    row = rows(tmp_path / "p01", "sleep").iloc[0]
    assert row[["minutes_light", "minutes_deep", "minutes_awake"]].tolist() == [49, 59, 12]
    assert pd.isna(row["minutes_rem"])


@pytest.mark.parametrize(
    ("zone", "start", "end", "hours", "onset"),
    [
        (BERLIN, "2026-03-28T23:00", "2026-03-29T08:00", 8, "2026-03-28 22:00"),
        (BERLIN, "2026-10-24T23:00", "2026-10-25T07:00", 9, "2026-10-24 21:00"),
        # As the vendor may write it, who adds the duration to the start on the wall clock.
        (BERLIN, "2026-10-24T23:00", "2026-10-25T08:00", 9, "2026-10-24 21:00"),
        # From the second 02:30 of that night.
        (BERLIN, "2026-10-25T02:30", "2026-10-25T07:30", 5, "2026-10-25 01:30"),
        (BERLIN, "2026-10-25T02:30", "2026-10-25T06:30", 5, "2026-10-25 00:30"),
        ("America/New_York", "2026-11-01T00:30", "2026-11-01T06:30", 7, "2026-11-01 04:30"),
        ("Australia/Lord_Howe", "2026-04-04T23:00", "2026-04-05T06:30", 8, "2026-04-04 12:00"),
    ],
)
def test_nights_of_a_clock_change_last_as_long_as_they_did(tmp_path, zone, start, end, hours, onset):
    """Duration comes from time that passed, not from the wall clock, in zones with an hour's and a half hour's shift."""
    write(tmp_path / "p01", {"sleep-2026-03-01.json": [log(1, start, end, hours * 60)]})
    row = rows(tmp_path / "p01", "sleep", zone).iloc[0]
    assert row["offset_at"] - row["onset_at"] == pd.Timedelta(hours=hours)
    assert row["onset_at"] == pd.Timestamp(onset, tz="UTC")


def test_daily_values_become_metrics_of_their_local_day(tmp_path):
    """A resting heart rate of 0 is none, zones are minutes, exercise is summed up by local day, once for each log."""
    run = {"logId": 9, "activityName": "Run with Zebra", "startTime": "06/01/26 22:30:00", "duration": 1_800_000}
    write(tmp_path / "p01", {
        "resting_heart_rate-2026-01-01.json": [
            entry("06/01/26 00:00:00", {"date": "06/01/26", "value": 58.4, "error": 6.1}),
            entry("06/02/26 00:00:00", {"date": None, "value": 0, "error": 0})],
        "time_in_heart_rate_zones-2026-06-01.json": [entry("06/01/26 00:00:00", {"valuesInZones": {
            "BELOW_DEFAULT_ZONE_1": 900.0, "IN_DEFAULT_ZONE_1": 41.0, "IN_DEFAULT_ZONE_2": 3.0, "IN_DEFAULT_ZONE_3": 0.0}})],
        "exercise-0.json": [run, {**run, "logId": 10, "startTime": "06/02/26 06:00:00", "activeDuration": 600_000}],
        "exercise-100.json": [run],
    })  # fmt: skip
    found = rows(tmp_path / "p01", "wearable_days")
    values = {(str(day), metric): value for day, metric, value in
              found[["local_date", "metric", "value"]].itertuples(index=False)}  # fmt: skip
    assert values == {
        ("2026-06-01", "resting_heart_rate"): 58.4, ("2026-06-01", "heart_zone_below_minutes"): 900,
        ("2026-06-01", "heart_zone_fat_burn_minutes"): 41, ("2026-06-01", "heart_zone_cardio_minutes"): 3,
        ("2026-06-01", "heart_zone_peak_minutes"): 0, ("2026-06-02", "exercise_minutes"): 40,
    }  # fmt: skip
    assert quarantined(tmp_path / "p01") == []


def test_a_sleep_score_belongs_to_the_day_on_its_own_clock(tmp_path):
    """Its time, written with a Z, is the wearer's; a night without a score has none."""
    scores = "sleep_log_entry_id,timestamp,overall_score,restlessness\n31,2026-06-02T23:50:30Z,81,0.07\n32,2026-06-04T07:00:00Z,,\n"
    write(tmp_path / "p01", {"sleep_score.csv": scores}, "Takeout/Fitbit/Sleep Score")
    found = rows(tmp_path / "p01", "wearable_days", "America/New_York")
    assert found[["metric", "value", "unit"]].to_numpy().tolist() == [["sleep_score", 81.0, "points"]]
    assert found["local_date"].astype(str).tolist() == ["2026-06-02"]


def test_plain_names_of_research_releases_are_read_alike(tmp_path):
    """`steps.json` with times as PMData writes them gives the rows of the account export's file."""
    write(tmp_path / "p01", {"steps-2026-06-01.json": [entry("06/01/26 12:00:00", "12")]}, "")
    write(tmp_path / "r" / "p01", {"steps.json": [entry("2026-06-01 12:00:00", "12")]}, "fitbit")
    pd.testing.assert_frame_equal(rows(tmp_path / "p01", "wearable"), rows(tmp_path / "r" / "p01", "wearable"))


def test_enrolment_is_the_first_day_with_any_row(tmp_path):
    """Whom the lake does not know is enrolled on the first local day; who is known keeps the enrolment there is."""
    write(tmp_path / "p01", {
        "steps-2026-06-01.json": [entry("05/31/26 22:30:00", "12"), entry("05/01/26 12:00:00", "777123")],
        "sleep-2026-06-01.json": [log(1, "2026-06-01T23:10", "2026-06-02T06:00", 410)],
    })  # fmt: skip
    assert rows(tmp_path / "p01", "subjects")["enrolled_on"].astype(str).tolist() == ["2026-06-01"]
    by_a_registry = Enrolment(date(2026, 7, 1), datetime(2026, 7, 1, tzinfo=UTC), False)
    assert rows(tmp_path / "p01", "subjects", enrolled={"p01": [by_a_registry]}).empty


@pytest.mark.parametrize("order", list(permutations(["01", "02", "03"])))
def test_enrolment_is_the_same_whichever_export_comes_first(tmp_path, order):
    """January, February and March in any order: on every night what would be known had they come in turn."""
    settings = settings_from({"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}}}, tmp_path)
    installation = Installation(settings)
    for month in order:
        export = write(tmp_path / month / "p01", {"steps.json": [entry(f"{month}/10/26 12:00:00", "3")]})
        ingest_source(installation, FileSource(format="fitbit", path=export), None)
    found = {night: installation.lake.read("subjects", pd.Timestamp(night, tz="UTC")).df()["enrolled_on"].astype(str).tolist()
             for night in ("2026-01-10", "2026-01-12", "2026-02-12", "2026-03-12")}  # fmt: skip
    assert found == {night: ["2026-01-10"] if night > "2026-01-10" else [] for night in found}


def test_without_a_told_receipt_a_row_is_received_at_the_end_of_its_day(tmp_path):
    """A past cohort's minute is known at the next local midnight, its night at the midnight after the awakening."""
    write(tmp_path / "p01", {
        "steps-2026-06-01.json": [entry("06/01/26 21:59:00", "12"), entry("06/01/26 22:00:00", "12")],
        "sleep-2026-06-01.json": [log(1, "2026-06-01T23:10", "2026-06-02T06:00", 410)],
    })  # fmt: skip
    minutes, night = (rows(tmp_path / "p01", table, is_receipt_told=False) for table in ("wearable", "sleep"))
    assert minutes["received_at"].tolist() == utc("2026-06-01 22:00", "2026-06-02 22:00")
    assert night["received_at"].tolist() == utc("2026-06-02 22:00")
    assert all("received_at" not in batch.frame.column_names for batch in batches(tmp_path / "p01"))


BROKEN = {
    "a time that is none": ("steps.json", entry("13/45/26 00:00:00", "3"), "time_is_readable"),
    "no time": ("steps.json", {"value": "3"}, "time_is_readable"),
    "steps in words": ("steps.json", entry("06/01/26 12:01:00", "many"), "value_is_a_number"),
    "steps that are a list": ("steps.json", entry("06/01/26 12:01:00", [3]), "value_is_a_number"),
    "endless steps": ("steps.json", entry("06/01/26 12:01:00", "1e999"), "value_is_a_number"),
    "impossible steps": ("steps.json", entry("06/01/26 12:01:00", "777123"), "steps_is_plausible"),
    "beats that are no object": ("heart_rate.json", entry("06/01/26 12:01:00", "61"), "value_is_a_number"),
    "impossible beats": ("heart_rate.json", beat("06/01/26 12:01:00", 777123), "heart_rate_is_plausible"),
    "zones without values": ("time_in_heart_rate_zones.json", entry("06/01/26 00:00:00", {}), "value_is_a_number"),
    "a resting rate of nobody": ("resting_heart_rate.json", entry("06/01/26 00:00:00", {"value": 417}), "value_is_plausible"),
    "an exercise of weeks": (
        "exercise.json", {"logId": 3, "startTime": "06/01/26 12:00:00", "duration": 10**10}, "value_is_plausible"),
    "an end in another year": ("sleep.json", log(3, "2026-06-01T23:00", "2031-06-02T07:00", 480), "duration_fits_start_and_end"),
    "a date of sleep that is wrong": (
        "sleep.json", log(3, "2026-06-01T23:00", "2026-06-02T07:00", 480, dateOfSleep="2031-01-01"), "date_of_sleep_fits_its_end"),
    "a flag in words": (
        "sleep.json", log(3, "2026-06-01T23:00", "2026-06-02T07:00", 480, mainSleep="perhaps"), "flag_is_readable"),
    "minutes in words": (
        "sleep.json", log(3, "2026-06-01T23:00", "2026-06-02T07:00", 480, minutesAsleep="some"), "value_is_a_number"),
    "a stage in words": (
        "sleep.json", log(3, "2026-06-01T23:00", "2026-06-02T07:00", 480, levels=summary(deep="long")), "value_is_a_number"),
    "a length beyond all": ("sleep.json", log(3, "2026-06-01T23:00", "2026-06-02T07:00", 10**290), "duration_fits_start_and_end"),
    "a date of sleep in words": (
        "sleep.json", log(3, "2026-06-01T23:00", "2026-06-02T07:00", 480, dateOfSleep="Monday"), "time_is_readable"),
    "an id of no end": ("sleep.json", log("3" * 99, "2026-06-01T23:00", "2026-06-02T07:00", 480), "record_id_is_plausible"),
    "the first year": ("steps.json", entry("0001-01-01 00:00:00", "3"), "time_is_readable"),
    "the last year": ("resting_heart_rate.json", entry("9999-12-31 00:00:00", {"value": 55}), "time_is_readable"),
    "no end": ("sleep.json", log(3, "2026-06-01T23:00", "2026-06-02T07:00", 480, endTime=None), "time_is_readable"),
}  # fmt: skip
SOUND = {
    "steps.json": entry("06/01/26 12:00:00", "3"),
    "heart_rate.json": beat("06/01/26 12:00:00", 61),
    "time_in_heart_rate_zones.json": entry("06/01/26 00:00:00", {"valuesInZones": {"BELOW_DEFAULT_ZONE_1": 9}}),
    "resting_heart_rate.json": entry("06/01/26 00:00:00", {"value": 55}),
    "exercise.json": {"logId": 2, "startTime": "06/01/26 12:00:00", "duration": 60_000},
    "sleep.json": log(2, "2026-06-01T13:00", "2026-06-01T14:00", 60),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_bad_entry_goes_into_quarantine_and_its_neighbours_do_not(tmp_path, case):
    """The second of three entries breaks a rule: it is named by file, number and rule, and the other two are sound."""
    name, bad, rule = BROKEN[case]
    write(tmp_path / "p01", {name: [SOUND[name], bad, {**SOUND[name], "logId": 4}]})
    found = quarantined(tmp_path / "p01")
    assert {(file, number, broken) for file, number, broken in found} == {(name, 2, rule)}
    table = {"sleep.json": "sleep", "steps.json": "wearable", "heart_rate.json": "wearable"}.get(name, "wearable_days")
    assert len(rows(tmp_path / "p01", table)) >= 1


def test_an_export_goes_through_the_door_twice_with_the_effect_of_once(tmp_path):
    """Declared in foretide.yaml: rows and enrolment get in, months that overlap tell a night once, again is no news."""
    night = log(31000000001, "2026-06-01T23:10", "2026-06-02T06:00", 410)
    write(tmp_path / "data" / "p01", {
        "sleep-2026-05-03.json": [night], "sleep-2026-06-02.json": [night, {**night, "logId": 31000000002, "mainSleep": False}],
        "steps-2026-06-01.json": [entry("06/01/26 12:00:00", "3")],
    })  # fmt: skip
    settings = settings_from({"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}}}, tmp_path)
    installation = Installation(settings)
    source = FileSource(format="fitbit", path=tmp_path / "data" / "p01")
    report = ingest_source(installation, source, None)
    assert {table: report.count(table, "appended") for table in report.counts} == {
        "wearable": 1,
        "sleep": 2,
        "subjects": 1,
    }
    assert not ingest_source(installation, source, None).is_new
