"""The mapping files of docs/examples/, by the real command on files of the real layout: what they promise comes in.

The real cohorts are found through FORETIDE_DATA_DIR (default `../shared/data`); without them their tests are skipped.
Rows of all other files are made up by hand; headers are those that the systems write.
"""

import gzip
import json
import os
from pathlib import Path

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from pipelines.cli.main import app
from pipelines.lake import Lake

# PyArrow 25 calls what pandas 3.1 deprecates: its warning, not ours.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning an ndarray:DeprecationWarning")

ROOT = Path(__file__).parents[2]
DATA = (ROOT / os.environ.get("FORETIDE_DATA_DIR", "../shared/data")).resolve()
EXAMPLES = ROOT / "docs" / "examples"
BY_NOW = pd.Timestamp("2026-12-01T00:00:00Z")
SIGNALS = ("deep", "light", "rem", "awake", "unknown", "asleep", "restless")


@pytest.fixture
def home(tmp_path) -> Path:
    """A folder with the configuration that the how-tos ask for."""
    settings = {
        "outcomes": {"crisis": {"events": ["emergency", "low_mood"], "horizons_days": [7]}},
        "signals": {"time_in_bed": {"unit": "min", "low": 0, "high": 1500}}
        | {"heart_rate": {"unit": "bpm", "low": 25, "high": 240}}
        | {f"sleep_{level}": {"unit": "min"} for level in SIGNALS},
    }
    (tmp_path / "foretide.yaml").write_text(yaml.safe_dump(settings))
    return tmp_path


def ingested(home: Path, files: Path, example: str, *more: str) -> dict[str, tuple[int, int, int]]:
    """Rows received, appended and quarantined per table."""
    arguments = ["ingest", "table", str(files), "--mapping", str(EXAMPLES / example), *more, "--json"]
    done = CliRunner().invoke(app, [*arguments, "--config", str(home / "foretide.yaml")])
    answer = json.loads(done.stdout)
    assert done.exit_code == 0, answer["error"]
    return {row["table"]: (row["received"], row["appended"], row["quarantined"]) for row in answer["rows"]}


def rows(home: Path, table: str, columns: str) -> list[tuple[object, ...]]:
    """What the lake knows of a table by the end, sorted; times as text in UTC."""
    found = Lake(home / ".state" / "lake").read(table, BY_NOW)
    return sorted(found.project(columns).fetchall(), key=str)


def written(path: Path, content: str) -> None:
    """A file, packed where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content.encode()) if path.suffix == ".gz" else content.encode())


def cohort(name: str) -> Path:
    """The real files of a public cohort."""
    if not (DATA / name).is_dir():
        pytest.skip(f"the public files of {name} are not here; FORETIDE_DATA_DIR names their folder")
    return DATA / name


REDCAP = """\
record_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,redcap_data_access_group,\
redcap_survey_identifier,enrol_date,withdrawn_date,sex,age_group,education,household___1,household___2,\
demographics_complete,phq9_timestamp,phq9_total,phq9_complete,diary_timestamp,diary_mood,diary_anxiety,diary_complete,\
crisis_time,crisis_type,crisis_severity,crisis_action___1,crisis_action___2,crisis_notes,crisis_complete
101,baseline_arm_1,,,north,,2026-05-01,,1,2,3,1,0,2,2026-05-01 10:15:00,14,2,,,,,,,,0,0,,
102,baseline_arm_1,,,south,,2026-05-03,2026-06-30,9,4,1,0,1,2,[not completed],,0,,,,,,,,0,0,,
101,month_1_arm_1,,,north,,,,,,,0,0,,2026-06-01 09:00:00,9,2,,,,,,,,0,0,,
101,month_1_arm_1,diary,1,north,,,,,,,0,0,,,,,2026-05-02 20:30:00,4,7,2,,,,0,0,,
101,month_1_arm_1,diary,2,north,,,,,,,0,0,,,,,2026-05-03 21:00:00,5,,2,,,,0,0,,
101,month_1_arm_1,crisis,1,north,,,,,,,0,0,,,,,,,,,2026-05-20 03:10,2,4,1,1,"came alone, was seen by the team on duty",2
102,month_1_arm_1,crisis,1,south,,,,,,,0,0,,,,,,,,,2026-05-21 18:00,1,2,0,1,,2
"""


def test_a_redcap_export_with_repeating_instruments_comes_in(home, tmp_path):
    """Each instrument's rows go to their table; codes are recoded, checkboxes told apart, free text is never read."""
    written(tmp_path / "export" / "Study_DATA_2026-06-10_0900.csv", REDCAP)
    assert ingested(home, tmp_path / "export", "redcap.yaml") == {
        "subjects": (2, 2, 0), "assessments": (2, 2, 0), "mood": (3, 3, 0), "events": (2, 2, 0),
        "interventions": (3, 3, 0),
    }  # fmt: skip
    assert rows(home, "subjects", "subject_id, site, sex, age_band, consent_until::VARCHAR, attributes") == [
        ("101", "north", "F", "30-44", None, '{"education":"tertiary","lives_alone":"yes"}'),
        ("102", "south", None, "65+", "2026-06-30", '{"education":"primary","lives_alone":"no"}'),
    ]
    # 10:15 in Berlin in summer is 08:15 UTC.
    scores = rows(home, "assessments", "completed_at::VARCHAR, instrument, score")
    assert scores == [("2026-05-01 08:15:00+00", "phq_9", 14.0), ("2026-06-01 07:00:00+00", "phq_9", 9.0)]
    assert rows(home, "mood", "item, value, scale_max") == [
        ("anxiety", 7.0, 10.0), ("mood", 4.0, 10.0), ("mood", 5.0, 10.0)
    ]  # fmt: skip
    assert rows(home, "events", "subject_id, record_id, kind, severity") == [
        ("101", "1", "emergency", 4.0), ("102", "1", "crisis_contact", 2.0)
    ]  # fmt: skip
    done = rows(home, "interventions", "subject_id, kind")
    assert done == [("101", "appointment"), ("101", "phone_call"), ("102", "appointment")]


def test_a_date_corrected_in_redcap_corrects_the_event(home, tmp_path):
    """The next export with another date of the same instance leaves one event, with the new date."""
    written(tmp_path / "export" / "Study_DATA_2026-06-10_0900.csv", REDCAP)
    ingested(home, tmp_path / "export", "redcap.yaml")
    later = REDCAP.replace("2026-05-20 03:10", "2026-05-20 05:10")
    written(tmp_path / "export" / "Study_DATA_2026-06-10_0900.csv", later)
    assert ingested(home, tmp_path / "export", "redcap.yaml")["events"] == (2, 1, 0)
    times = rows(home, "events", "subject_id, occurred_at::VARCHAR")
    assert times == [("101", "2026-05-20 03:10:00+00"), ("102", "2026-05-21 16:00:00+00")]


KEY = "key.projectId,key.userId,key.sourceId"
WHO = "trial,6f1f3c52-0d0a-4c41-9f0a-6f6b9e1f1a01,0a3d7a55-5b0e-4e0f-8f3b-2f4f7a6b9c02"
TOPICS = {
    "connect_fitbit_intraday_steps/20260601_0800.csv.gz": (
        "value.time,value.timeReceived,value.timeInterval,value.steps",
        ["1.7803008E9,1.78031E9,60,0", "1.78030086E9,1.78031E9,60,41"],
    ),
    "connect_fitbit_intraday_heart_rate/20260601_0800.csv.gz": (
        "value.time,value.timeReceived,value.timeInterval,value.heartRate",
        ["1.7803008E9,1.78031E9,60,71", "1.780300815E9,1.78031E9,1,70"],
    ),
    "connect_fitbit_resting_heart_rate/20260601_0000.csv.gz": (
        "value.date,value.timeReceived,value.restingHeartRate", ["2026-06-01,1.78031E9,58"]
    ),
    "connect_fitbit_sleep_stages/20260601_0000.csv.gz": (
        "value.dateTime,value.timeReceived,value.duration,value.level,value.efficiency",
        ["2026-06-01T00:10:00.000,1.78031E9,1800,DEEP,93", "2026-06-01T00:40:00.000,1.78031E9,90,AWAKE,93"],
    ),
    "connect_fitbit_sleep_classic/20260602_0000.csv.gz": (
        "value.dateTime,value.timeReceived,value.duration,value.level,value.efficiency",
        ["2026-06-02T00:10:00.000,1.7804E9,3600,ASLEEP,90"],
    ),
    "questionnaire_phq8/20260601_1800.csv.gz": (
        "value.time,value.timeCompleted,value.timeNotification,value.name,value.version,"
        + ",".join(f"value.answers.{n}.{what}" for n in range(8) for what in ("questionId", "value", "startTime", "endTime")),
        ["1.78034E9,1.78034E9,1.780339E9,PHQ8,0.2.0," + ",".join(f"phq8_{n + 1},{n % 4},1.78034E9,1.78034E9" for n in range(8))],
    ),
    "questionnaire_esm/20260601_1900.csv.gz": (
        "value.time,value.timeCompleted,value.timeNotification,value.name,value.version,"
        + ",".join(f"value.answers.{n}.{what}" for n in range(2) for what in ("questionId", "value", "startTime", "endTime")),
        ["1.78034E9,1.78034E9,1.780339E9,ESM,1.0,esm_relaxed,5,1.78034E9,1.78034E9,esm_irritable,2,1.78034E9,1.78034E9"],
    ),
}  # fmt: skip


@pytest.fixture
def radar(home, tmp_path) -> Path:
    """The output folder of one project and one person."""
    project, user, _ = WHO.split(",")
    for topic, (names, lines) in TOPICS.items():
        content = "".join(f"{line}\n" for line in (f"{KEY},{names}", *(f"{WHO},{line}" for line in lines)))
        written(tmp_path / "output" / project / user / topic, content)
    written(tmp_path / "output" / "people.csv", f"id,start\n{user},2026-05-25\n")
    return tmp_path / "output"


def test_radar_base_topics_come_in(home, radar):
    """Every topic goes to its table in UTC and our units; single seconds of heart rate are a signal, not minutes."""
    assert ingested(home, radar, "radar-base.yaml") == {
        "subjects": (1, 1, 0), "wearable": (3, 3, 0), "wearable_days": (1, 1, 0), "signals": (4, 4, 0),
        "mood": (10, 10, 0),
    }  # fmt: skip
    assert rows(home, "wearable", "minute_at::VARCHAR, device_id, steps, heart_rate, utc_offset_min") == [
        ("2026-06-01 08:00:00+00", "heart_rate", None, 71, 60), ("2026-06-01 08:00:00+00", "steps", 0, None, 60),
        ("2026-06-01 08:01:00+00", "steps", 41, None, 60),
    ]  # fmt: skip
    assert rows(home, "signals", "observed_at::VARCHAR, name, value, unit") == [
        ("2026-05-31 23:10:00+00", "sleep_deep", 30.0, "min"), ("2026-05-31 23:40:00+00", "sleep_awake", 1.5, "min"),
        ("2026-06-01 08:00:15+00", "heart_rate", 70.0, "bpm"), ("2026-06-01 23:10:00+00", "sleep_asleep", 60.0, "min"),
    ]  # fmt: skip
    resting = rows(home, "wearable_days", "local_date::VARCHAR, metric, value, received_at::VARCHAR")
    assert resting == [("2026-06-01", "resting_heart_rate", 58.0, "2026-06-01 10:33:20+00")]
    answers = rows(home, "mood", "item, value, scale_min, scale_max, answered_at - prompted_at > INTERVAL 0 HOUR")
    assert answers[:3] == [
        ("irritable", 2.0, 1.0, 7.0, True), ("phq8_appetite", 0.0, 0.0, 3.0, True),
        ("phq8_concentration", 2.0, 0.0, 3.0, True),
    ]  # fmt: skip


SEMA3 = """\
PARTICIPANT_ID;PARTICIPANT_TZ;STUDY_ID;STUDY_VERSION;SURVEY_ID;SURVEY_NAME;TRIGGER;EXPORT_TZ;CREATED_TS;SCHEDULED_TS;\
STARTED_TS;COMPLETED_TS;EXPIRED_TS;TOTAL_RT;HAPPY;HAPPY_RT;SAD;SAD_RT;ANXIOUS;ANXIOUS_RT;RELAXED;RELAXED_RT
s486;local;st1;3;sv1;Momentary;scheduled;Australia/Melbourne;2026-06-01 09:00:00;2026-06-01 09:07:00;\
2026-06-01 09:08:00;2026-06-01 09:09:00;;61000;53;3538;37;6605;<not-shown>;;93;6605
s486;local;st1;3;sv1;Momentary;scheduled;Australia/Melbourne;2026-06-01 12:00:00;2026-06-01 12:01:00;\
<no-response>;<no-response>;2026-06-01 12:31:00;;<no-response>;<no-response>;<no-response>;<no-response>;\
<no-response>;<no-response>;<no-response>;<no-response>
s487;local;st1;3;sv2;Weekly;scheduled;Australia/Melbourne;2026-06-02 09:00:00;2026-06-02 09:07:00;\
2026-06-02 09:08:00;2026-06-02 09:09:00;;61000;;;;;;;;
"""


def test_a_sema3_export_comes_in(home, tmp_path):
    """Answered items become rows with prompt and answer; expired surveys, items not shown and other surveys none."""
    written(tmp_path / "export" / "study.csv", SEMA3)
    assert ingested(home, tmp_path / "export", "sema3.yaml") == {"subjects": (2, 2, 0), "mood": (3, 3, 0)}
    assert rows(home, "mood", "subject_id, item, value, prompted_at::VARCHAR, answered_at::VARCHAR") == [
        ("s486", item, value, "2026-05-31 23:07:00+00", "2026-05-31 23:09:00+00")
        for item, value in (("happy", 53.0), ("relaxed", 93.0), ("sad", 37.0))
    ]
    assert rows(home, "subjects", "subject_id, enrolled_on::VARCHAR") == [
        ("s486", "2026-06-01"),
        ("s487", "2026-06-02"),
    ]


def test_lifesnaps_comes_in_by_its_mapping_alone(home):
    """71 people; every value of the daily file and both questionnaires; 33 days with SAD and TENSE are one event each."""
    files = cohort("lifesnaps")
    # 30 values of the release are no plausible ones (a daily mean of heart rate of 0 and the like).
    assert ingested(home, files, "lifesnaps.yaml") == {
        "subjects": (71, 71, 0), "wearable_days": (41_297, 41_267, 30), "signals": (3_551, 3_551, 0),
        "mood": (16_030, 16_030, 0), "events": (631, 598, 0), "assessments": (279 + 2 * 268, 815, 0),
    }  # fmt: skip
    daily = pd.read_csv(files / "daily_fitbit_sema_df_unprocessed.csv", low_memory=False)
    (told,) = rows(home, "signals", "sum(value)::DOUBLE")
    assert told[0] == pytest.approx(daily["sleep_duration"].sum() / 60_000)
    assert rows(home, "mood", "count(*)") == [(daily[["ALERT", "HAPPY", "NEUTRAL", "RESTED/RELAXED", "SAD",
                                                       "TENSE/ANXIOUS", "TIRED"]].count().sum(),)]  # fmt: skip
    assert rows(home, "assessments", "instrument").count(("stai",)) == 279


def test_bellabeat_comes_in_by_its_mapping_alone(home):
    """33 people; 940 days of 3 metrics and 413 nights, of which 3 stand twice; the first day is in April, not later."""
    counts = ingested(home, cohort("bellabeat"), "bellabeat.yaml")
    assert counts == {"subjects": (33, 33, 0), "wearable_days": (940 * 3 + 413, 940 * 3 + 410, 0)}
    days = rows(home, "wearable_days", "min(local_date)::VARCHAR, max(local_date)::VARCHAR")
    assert days == [("2016-04-12", "2016-05-12")]


VERDICTS = """\
subject_id,score_id,reviewed_at,verdict
101,0a1b2c3d4e5f60718293a4b5,2026-05-21 09:30,acted on it
101,0a1b2c3d4e5f60718293a4b6,2026-05-21 09:30,helpful
102,1a1b2c3d4e5f60718293a4b5,2026-05-22 10:00,knew already
102,1a1b2c3d4e5f60718293a4b7,2026-05-23 10:00,splendid
"""
ACTIONS = "subject_id,done_at,action\n101,2026-05-21 10:15,phone_call\n"


def test_verdicts_and_actions_of_a_health_system_come_in(home, tmp_path):
    """Two verdicts at one time are two where they are about two scores; a word that nobody declared goes to quarantine; a verdict
    that is sent again with another word is a correction."""
    written(tmp_path / "study" / "Study_DATA_2026-06-10_0900.csv", REDCAP)
    ingested(home, tmp_path / "study", "redcap.yaml")
    configuration = yaml.safe_load((home / "foretide.yaml").read_text())
    # Of four rows one is bad, on purpose.
    (home / "foretide.yaml").write_text(yaml.safe_dump(configuration | {"door": {"max_bad_share": 0.5}}))
    clinic = tmp_path / "clinic"
    written(clinic / "verdicts.csv", VERDICTS)
    written(clinic / "actions.csv", ACTIONS)
    received = [("--received-at", f"2026-06-1{day}T01:00:00+00:00") for day in (1, 2)]
    assert ingested(home, clinic, "feedback.yaml", *received[0]) == {"feedback": (4, 3, 1), "interventions": (1, 1, 0)}
    found = rows(home, "feedback", "subject_id, verdict, score_id, given_at::VARCHAR")
    assert found == [
        ("101", "acted", "0a1b2c3d4e5f60718293a4b5", "2026-05-21 07:30:00+00"),
        ("101", "useful", "0a1b2c3d4e5f60718293a4b6", "2026-05-21 07:30:00+00"),
        ("102", "already_known", "1a1b2c3d4e5f60718293a4b5", "2026-05-22 08:00:00+00"),
    ]
    written(clinic / "verdicts.csv", VERDICTS.replace("09:30,helpful", "09:30,not helpful"))
    assert ingested(home, clinic, "feedback.yaml", *received[1])["feedback"][1] == 1
    assert [verdict for (verdict,) in rows(home, "feedback", "verdict")] == ["acted", "already_known", "not_useful"]
