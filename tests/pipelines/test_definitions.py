"""Dagster's definitions: the assets, jobs and schedules that operators find in its pages."""

import datetime

import pytest
from dagster import AssetKey, DagsterInstance, DagsterRunStatus, DefaultSensorStatus, build_schedule_context

from features.tables import TABLES
from pipelines import night_record
from pipelines.definitions import defs
from pipelines.nights_due import is_in_service, nights_due
from pipelines.settings import settings_from
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


@pytest.mark.parametrize(("hour", "is_over"), [(6, False), (7, True)])
def test_the_nightly_schedule_waits_for_the_last_cutoff(hour: int, is_over: bool, monkeypatch, tmp_path):
    """New York's 3 o'clock is 7:00 UTC: before it the night is not over; after it that day's partition runs, once."""
    monkeypatch.chdir(ROOT)
    at = datetime.datetime(2026, 7, 1, hour, 30, tzinfo=datetime.UTC)
    schedule, repository = defs.resolve_schedule_def("nightly_schedule"), defs.get_repository_def()
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        context = build_schedule_context(instance, scheduled_execution_time=at, repository_def=repository)
        requests = schedule.evaluate_tick(context).run_requests
    assert [(r.partition_key, r.run_key) for r in requests] == ([("2026-07-01", "2026-07-01 07")] if is_over else [])


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


MISSED = [f"2026-07-{day:02}" for day in range(4, 11)]


@pytest.mark.parametrize(
    ("delivered", "due"),
    [([], ["2026-07-10"]), (["2026-07-09"], ["2026-07-10"]), (["2026-07-07"], ["2026-07-08", "2026-07-09", "2026-07-10"]),
     (["2026-07-10"], ["2026-07-10"]), (["2026-06-01"], MISSED), (["2026-07-05", "2026-07-08"], ["2026-07-09", "2026-07-10"])],
)  # fmt: skip
def test_nights_that_were_missed_are_run_too(delivered: list[str], due: list[str], tmp_path):
    """Those since the last delivery, oldest first, no more than declared; before the first delivery none counts as missed."""
    outcomes = {"crisis": {"events": ["panic"], "horizons_days": [7]}}
    settings = settings_from({"outcomes": outcomes, "night": {"catch_up_nights": 6}}, tmp_path)
    for night in delivered:
        (settings.deliveries_folder / night).mkdir(parents=True)
        (settings.deliveries_folder / night / "latest.json").write_text('{"run_id": "a"}')
    now = datetime.datetime(2026, 7, 10, 4, 30, tzinfo=datetime.UTC)
    assert nights_due(settings, now) == due
    assert nights_due(settings, now.replace(hour=2)) == due[:-1]


@pytest.mark.parametrize("night", ["2026-07-06", "2026-07-10"])
def test_a_damaged_pointer_stops_no_other_night(night: str, tmp_path):
    """A night of which nobody can tell whether it is delivered is due, that it be told; the missed ones and tonight's are too."""
    outcomes = {"crisis": {"events": ["panic"], "horizons_days": [7]}}
    settings = settings_from({"outcomes": outcomes, "night": {"catch_up_nights": 6}}, tmp_path)
    for of, content in (("2026-07-08", '{"run_id": "a"}'), (night, "{")):
        (settings.deliveries_folder / of).mkdir(parents=True)
        (settings.deliveries_folder / of / "latest.json").write_text(content)
    due = nights_due(settings, datetime.datetime(2026, 7, 10, 4, 30, tzinfo=datetime.UTC))
    assert due == sorted({night, "2026-07-09", "2026-07-10"})


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
