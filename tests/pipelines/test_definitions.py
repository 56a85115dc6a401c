"""Dagster's definitions: the assets, jobs and schedules that operators find in its pages."""

import datetime

import pandas as pd
import pytest
from dagster import AssetKey, DagsterInstance, DagsterRun, DagsterRunStatus, DefaultSensorStatus, build_schedule_context

from features.tables import TABLES
from pipelines import night_record
from pipelines.definitions import defs
from pipelines.defs import schedules
from pipelines.nights_due import is_delivered, is_in_service, nights_due
from pipelines.settings import Settings, load_settings, settings_from
from tests.pipelines.small_job import ROOT

# Written by hand: a renamed or lost asset breaks the operators' dashboards and this test.
ASSETS = {
    "raw_subjects", "raw_mood", "raw_sleep", "raw_wearable", "raw_wearable_days", "raw_assessments", "raw_signals",
    "raw_events", "raw_care_status", "raw_interventions", "raw_feedback", "core_roster", "core_days", "features_matrix",
    "features_night", "model_labels", "model_evaluation", "model_controls", "model_ablation", "model_challenger",
    "model_champion", "model_scores", "report_fairness", "report_model", "report_delivery", "report_sinks", "report_nightly",
    "model_shadow_scores", "report_late", "report_monitoring", "report_lake",
}  # fmt: skip


def test_the_assets_are_the_ones_that_are_promised():
    """One raw asset per table, and everything downstream, by name."""
    graph = defs.get_repository_def().asset_graph
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == ASSETS
    assert {f"raw_{table}" for table in TABLES} == {name for name in ASSETS if name.startswith("raw_")}


def test_every_raw_table_has_a_blocking_check():
    """Bad rows stop what lies downstream; so do data that are too old or too few for a night, where that is declared."""
    graph = defs.get_repository_def().asset_graph
    checked = {key.asset_key.to_user_string() for key in graph.asset_check_keys if graph.get(key).blocking}
    assert checked == {name for name in ASSETS if name.startswith("raw_")} | {"features_night"}


def test_what_is_after_the_raw_tables_is_partitioned_by_night():
    """Daily partitions; raw tables hold all nights."""
    graph = defs.get_repository_def().asset_graph
    for name in ASSETS:
        assert graph.get(AssetKey(name)).is_partitioned == (not name.startswith("raw_")), name


def test_the_jobs_select_what_they_need():
    """`nightly` trains nothing; `retrain` delivers nothing."""
    nightly = {key.to_user_string() for key in defs.resolve_job_def("nightly").asset_layer.executable_asset_keys}
    retrain = {key.to_user_string() for key in defs.resolve_job_def("retrain").asset_layer.executable_asset_keys}
    assert "model_challenger" not in nightly
    assert "report_delivery" in nightly
    assert "report_delivery" not in retrain
    assert {"model_challenger", "model_champion", "report_fairness"} <= retrain


@pytest.mark.parametrize(("hour", "night"), [(6, "2026-06-30"), (7, "2026-07-01")])
def test_the_nightly_schedule_waits_for_the_last_cutoff(hour: int, night: str, monkeypatch, tmp_path):
    """New York's 3 o'clock is 7:00 UTC: before it the newest night is that of the day before; after it that day's runs, once."""
    monkeypatch.chdir(ROOT)
    at = datetime.datetime(2026, 7, 1, hour, 30, tzinfo=datetime.UTC)
    schedule, repository = defs.resolve_schedule_def("nightly_schedule"), defs.get_repository_def()
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        context = build_schedule_context(instance, scheduled_execution_time=at, repository_def=repository)
        requests = schedule.evaluate_tick(context).run_requests
    assert [(r.partition_key, r.run_key) for r in requests] == [(night, f"{night} {hour:02}")]


@pytest.mark.parametrize(
    ("status", "is_asked_for"),
    [(DagsterRunStatus.SUCCESS, False), (DagsterRunStatus.STARTED, False), (DagsterRunStatus.FAILURE, True)],
)
def test_a_night_is_asked_for_again_only_if_it_failed(status, is_asked_for, monkeypatch, tmp_path):
    """The schedule looks every hour; a night that ran well or is under way is left alone."""
    monkeypatch.chdir(ROOT)
    at = datetime.datetime(2026, 7, 1, 12, 30, tzinfo=datetime.UTC)
    schedule, repository = defs.resolve_schedule_def("nightly_schedule"), defs.get_repository_def()
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        run = instance.create_run_for_job(
            defs.resolve_job_def("nightly"), tags={"dagster/partition": "2026-07-01"}, status=status
        )
        assert run.status == status
        context = build_schedule_context(instance, scheduled_execution_time=at, repository_def=repository)
        requests = schedule.evaluate_tick(context).run_requests
    assert [r.partition_key for r in requests] == (["2026-07-01"] if is_asked_for else [])


@pytest.mark.parametrize(("tried_at", "is_asked_for"), [("06:50", True), ("07:10", False)])
def test_a_missed_night_that_failed_is_tried_once_with_each_night(tried_at, is_asked_for, monkeypatch, tmp_path):
    """It failed before tonight's cutoff, at 7:00 UTC, or after: one that is refused for good keeps no later one waiting."""
    monkeypatch.chdir(ROOT)
    settings = load_settings().model_copy(update={"home": tmp_path})
    point(settings, "2026-07-08")
    monkeypatch.setattr(schedules, "load_settings", lambda: settings)
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        run = DagsterRun("nightly", status=DagsterRunStatus.FAILURE, tags={"dagster/partition": "2026-07-09"})
        instance.run_storage.add_historical_run(run, datetime.datetime.fromisoformat(f"2026-07-10T{tried_at}Z"))
        at = datetime.datetime(2026, 7, 10, 8, 30, tzinfo=datetime.UTC)
        context = build_schedule_context(
            instance, scheduled_execution_time=at, repository_def=defs.get_repository_def()
        )
        requests = defs.resolve_schedule_def("nightly_schedule").evaluate_tick(context).run_requests
    assert [r.partition_key for r in requests] == ["2026-07-09"] * is_asked_for + ["2026-07-10"]


MISSED = [f"2026-07-{day:02}" for day in range(4, 11)]


@pytest.mark.parametrize(
    ("delivered", "due"),
    [([], ["2026-07-10"]), (["2026-07-09"], ["2026-07-10"]), (["2026-07-07"], ["2026-07-08", "2026-07-09", "2026-07-10"]),
     (["2026-07-10"], ["2026-07-10"]), (["2026-06-01"], MISSED),
     (["2026-07-05", "2026-07-08"], ["2026-07-06", "2026-07-07", "2026-07-09", "2026-07-10"])],
)  # fmt: skip
def test_nights_that_were_missed_are_run_too(delivered: list[str], due: list[str], tmp_path):
    """Those without scores, oldest first, no more than declared; a later delivery hides none, and before the first none counts."""
    outcomes = {"crisis": {"events": ["panic"], "horizons_days": [7]}}
    settings = settings_from({"outcomes": outcomes, "night": {"catch_up_nights": 6}}, tmp_path)
    for night in delivered:
        point(settings, night)
    now = datetime.datetime(2026, 7, 10, 4, 30, tzinfo=datetime.UTC)
    assert nights_due(settings, now) == due


def test_a_night_that_was_never_in_force_is_not_the_first_one(tmp_path):
    """A run of it was killed before a pointer named it: nobody was waiting for the nights after it."""
    settings = settings_from({"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}}}, tmp_path)
    (settings.deliveries_folder / "2026-07-05" / "a").mkdir(parents=True)
    point(settings, "2026-07-08")
    now = datetime.datetime(2026, 7, 10, 4, 30, tzinfo=datetime.UTC)
    assert nights_due(settings, now) == ["2026-07-09", "2026-07-10"]


def test_a_night_whose_delivery_has_no_manifest_is_not_delivered(tmp_path):
    """The pointer names a folder, but that is no delivery."""
    settings = settings_from({"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}}}, tmp_path)
    (settings.deliveries_folder / "2026-07-09" / "a").mkdir(parents=True)
    (settings.deliveries_folder / "2026-07-09" / "latest.json").write_text('{"run_id": "a"}')
    assert is_delivered(settings, pd.Timestamp("2026-07-09")) is False


def point(settings: Settings, night: str, content: str = '{"run_id": "a"}') -> None:
    """Put a pointer to a night's delivery in place."""
    (settings.deliveries_folder / night / "a").mkdir(parents=True)
    (settings.deliveries_folder / night / "a" / "manifest.json").touch()
    (settings.deliveries_folder / night / "latest.json").write_text(content)


# By hand: 3 o'clock on the wall, less the offset from UTC, is the first instant at which that day's night is over.
CUTOFFS = [("Asia/Kolkata", "2026-11-26T21:30Z"), ("Asia/Tokyo", "2026-11-26T18:00Z"), ("Pacific/Auckland", "2026-11-26T14:00Z"),
           ("Pacific/Honolulu", "2026-11-27T13:00Z"), ("Europe/Berlin", "2026-11-27T02:00Z")]  # fmt: skip


@pytest.mark.parametrize(("zone", "cutoff"), CUTOFFS)
def test_tonight_is_the_newest_night_that_is_over_wherever_the_sites_are(zone: str, cutoff: str, tmp_path):
    """From its cutoff on it is the night of the 27th, a minute before it that of the 26th, whatever day UTC has."""
    outcomes = {"crisis": {"events": ["panic"], "horizons_days": [7]}}
    settings = settings_from({"outcomes": outcomes, "sites": {"default_time_zone": zone}}, tmp_path)
    point(settings, "2026-11-25")
    over = datetime.datetime.fromisoformat(cutoff)
    assert nights_due(settings, over) == ["2026-11-26", "2026-11-27"]
    assert nights_due(settings, over - datetime.timedelta(minutes=1)) == ["2026-11-26"]
    assert nights_due(settings, over + datetime.timedelta(hours=23))[-1] == "2026-11-27"


@pytest.mark.parametrize(("zone", "cutoff"), CUTOFFS)
def test_the_model_is_retrained_on_the_first_night_of_a_month(zone: str, cutoff: str, monkeypatch, tmp_path):
    """By the sites' own days: from the first cutoff of the month until the next, and not before."""
    outcomes = {"crisis": {"events": ["panic"], "horizons_days": [7]}}
    settings = settings_from({"outcomes": outcomes, "sites": {"default_time_zone": zone}}, tmp_path)
    monkeypatch.setattr(schedules, "load_settings", lambda: settings)
    first = datetime.datetime.fromisoformat(cutoff) + datetime.timedelta(days=4)
    schedule, repository = defs.resolve_schedule_def("retrain_schedule"), defs.get_repository_def()
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        asked = []
        for minutes in (-1, 0, 23 * 60, 24 * 60):
            at = first + datetime.timedelta(minutes=minutes)
            context = build_schedule_context(instance, scheduled_execution_time=at, repository_def=repository)
            asked.append([r.partition_key for r in schedule.evaluate_tick(context).run_requests or []])
    assert asked == [[], ["2026-12-01"], ["2026-12-01"], []]


@pytest.mark.parametrize("night", ["2026-07-04", "2026-07-06", "2026-07-10"])
@pytest.mark.parametrize("damage", ["{", '{"run_id": "b"}'])
def test_a_damaged_pointer_stops_no_other_night(night: str, damage: str, tmp_path):
    """A night of which nobody can tell whether it is delivered is due, that it be told; the missed ones and tonight's are too."""
    outcomes = {"crisis": {"events": ["panic"], "horizons_days": [7]}}
    settings = settings_from({"outcomes": outcomes, "night": {"catch_up_nights": 6}}, tmp_path)
    for of, content in (("2026-07-05", '{"run_id": "a"}'), ("2026-07-07", '{"run_id": "a"}'), (night, damage)):
        point(settings, of, content)
    due = nights_due(settings, datetime.datetime(2026, 7, 10, 4, 30, tzinfo=datetime.UTC))
    assert due == sorted({night, "2026-07-06", "2026-07-08", "2026-07-09", "2026-07-10"})


def test_a_failed_night_under_the_daemon_is_told_without_being_switched_on():
    """The sensor that says so runs from the start."""
    assert defs.resolve_sensor_def("night_failed").default_status == DefaultSensorStatus.RUNNING


@pytest.mark.parametrize(
    ("newest", "on_record", "is_so"),
    [("2026-07-02", None, True), ("2026-07-01", None, False), ("2026-05-01", "2026-07-02", True),
     ("2026-05-01", "2026-05-01", False)],
)  # fmt: skip
def test_a_study_that_is_over_has_no_tonight(newest: str, on_record: str | None, is_so: bool, tmp_path):
    """Tonight is scored where data came in or a night was begun lately, so that nobody takes an outage of weeks for the end."""
    settings = settings_from({"outcomes": {"crisis": {"events": ["panic"], "horizons_days": [7]}}}, tmp_path)
    if on_record is not None:
        night_record.write(settings.state_folder, night_record.NightStatus(on_record, "red"))
    assert is_in_service(settings, newest, datetime.datetime(2026, 7, 10, 12, tzinfo=datetime.UTC)) == is_so
