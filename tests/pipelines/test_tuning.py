"""`foretide tune`: what it quotes is of people no search saw; every trial is on record; what cannot be tuned is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from models import tuning as searches
from models.baselines import MODEL, Predictor
from models.growth import Growth
from models.tuning import GAIN_OF_TUNING
from pipelines.cli.answer import STOPPED, exit_with
from pipelines.cli.main import app
from pipelines.errors import Stopped
from pipelines.ingestion import ingest_all
from pipelines.installation import Installation
from pipelines.release import reporting, tracking
from pipelines.reports import tuning as report
from pipelines.settings import load_settings
from pipelines.training import looks, trials, tuning
from pipelines.training.controls import CONTROLS, EXPECTED
from pipelines.training.provenance import basis
from pipelines.training.tuning import Tuned
from tests.models.made_up import FEATURES, cohort
from tests.pipelines.small_job import NIGHT, make_home

TRIALS, SEARCHES = 3, 3
TABLES = ("training_matrix_crisis", "labels_crisis", "served", CONTROLS)


@pytest.fixture(scope="module")
def ingested(tmp_path_factory) -> Path:
    """A home with data and nothing trained: two folds, horizons as in the made-up cohort."""
    home = make_home(tmp_path_factory.mktemp("tuned"), subjects=20)
    content = yaml.safe_load((home / "foretide.yaml").read_text())
    content["training"] |= {"folds": 2}
    content["outcomes"]["crisis"] |= {"horizons_days": [7, 14]}
    (home / "foretide.yaml").write_text(yaml.safe_dump(content))
    ingest_all(installed(home))
    return home


def installed(home: Path) -> Installation:
    """The home's installation, opened anew."""
    return Installation(load_settings(home / "foretide.yaml"))


@pytest.fixture(scope="module")
def few_features() -> Any:
    """The model and one baseline over the features of the made-up cohort, whatever is on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tuning, "candidates", lambda matrix, on, how: (
            Predictor(MODEL, "boosted_trees", FEATURES, how.model.growth()),
            Predictor("history_only", "logistic", FEATURES[:1])))  # fmt: skip
        yield


@pytest.fixture(scope="module")
def home(ingested: Path, few_features: None) -> Path:
    """A home whose training is made up, as stored tables go: tuning reads nothing else."""
    installation = installed(ingested)
    matrix, labels = cohort(subjects=60, days=90)
    controls = pd.DataFrame(
        {"outcome": "crisis", "control": EXPECTED, "figure": 0.5, "is_passed": True, "told": "all is well"}
    )
    served = pd.DataFrame({"outcome": ["crisis"], "served": [MODEL], "split": ["unseen_subjects"], "reason": [""]})
    tables = (matrix, labels, served, controls)
    for name, table in zip(TABLES, tables, strict=True):
        installation.lake.replace(name, table, version=basis(installation, NIGHT))
    return ingested


@pytest.fixture(scope="module")
def tuned(home: Path) -> Tuned:
    """What three trials of each search came to."""
    return tuning.tune(installed(home), NIGHT, "crisis", TRIALS, lambda: False)


def answered(home: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of the command."""
    done = CliRunner().invoke(app, ["tune", *arguments, "--as-of", NIGHT, "--config", str(home / "foretide.yaml")])
    return done.exit_code, " ".join(done.output.split())


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("relapse",), 2, "No such outcome is declared. It is one of `crisis`."),
        (("crisis", "--trials", "0"), 2, "greater than or equal to 2"),
        (("crisis",), 1, "No controls were run on a training of what is known and declared now"),
    ],
)
def test_what_cannot_be_tuned_is_refused_with_the_cure(ingested, tmp_path, arguments, code, told):
    """An outcome nobody declared, no trial, nothing trained: nothing is searched and no store is made."""
    (tmp_path / ".state").symlink_to(ingested / ".state")
    (tmp_path / "foretide.yaml").write_text((ingested / "foretide.yaml").read_text() + "\n")
    if (ingested / ".state" / "lake" / "derived" / f"{CONTROLS}.version").exists():
        other = yaml.safe_load((tmp_path / "foretide.yaml").read_text())
        other["training"]["seed"] = 77
        (tmp_path / "foretide.yaml").write_text(yaml.safe_dump(other))
    found, output = answered(tmp_path, *arguments)
    assert found == code, output
    assert told in output


def test_an_empty_lake_is_refused(tmp_path):
    """Nothing was taken in, so there is nobody to tune on."""
    code, output = answered(make_home(tmp_path / "empty"), "crisis")
    assert code == 1
    assert "No controls were run" in output


def test_figures_of_a_training_that_failed_a_control_are_not_searched_on(home, monkeypatch):
    """Refused with what leaks, before a trial: what leaks would be quoted. So is a training that was cut off."""
    lake, before = installed(home).lake, looked(home)
    for name, wrong, version, told in ((CONTROLS, {"is_passed": False}, None, "5 of 5 controls failed"),
                                       ("labels_crisis", {}, "another", "did not come to its end")):  # fmt: skip
        rows, stored = lake.load(name), lake.derived_version(name)
        lake.replace(name, rows.assign(**wrong), version or stored)
        code, output = answered(home, "crisis")
        lake.replace(name, rows, stored)
        assert (code, told in output) == (1, True), output
        assert "TO QUOTE" not in output
    assert looked(home) == before


def looked(home: Path) -> looks.Looks:
    """What the ledger holds."""
    return looks.of(installed(home).audit_log, "crisis")


def test_nobody_who_is_tested_was_in_the_search_that_chose(home, monkeypatch):
    """The people of each outer fold are in neither fits nor folds of the search whose choice is tested on them."""
    seen: dict[str, set[str]] = {}
    tested: list[set[str]] = []
    try_next, test = searches.try_next, searches.tested

    def spied_search(study, search):
        seen.setdefault(study.study_name.split(" ", 2)[2], set()).update(search.labels["subject_id"])
        try_next(study, search)

    def spied_test(search, planned, growths, baselines, threads):
        tested.extend(set(search.labels["subject_id"][split.test]) for split in planned)
        return test(search, planned, growths, baselines, threads)

    monkeypatch.setattr(searches, "try_next", spied_search)
    monkeypatch.setattr(searches, "tested", spied_test)
    tuning.tune(apart(home, monkeypatch, "people"), NIGHT, "crisis", 1, lambda: False)
    assert len(tested) == SEARCHES - 1
    for fold, people in enumerate(tested):
        assert people
        assert not people & seen[f"without fold {fold}"]
        assert people <= seen["everybody"]


def apart(home: Path, monkeypatch, name: str) -> Installation:
    """The installation, whose trials from now on are of another search: those of before are not gone on with."""
    identity = tuning._identity
    monkeypatch.setattr(tuning, "_identity", lambda *of: f"{identity(*of)}-{name}")
    return installed(home)


def test_every_trial_is_a_run_nested_in_one(home, tuned):
    """Values tried and figures of each, below one run that says what tuning is worth; asked again, nothing is added."""
    before = looked(home)
    again = tuning.tune(installed(home), NIGHT, "crisis", TRIALS, lambda: False)
    assert looked(home) == before
    pd.testing.assert_frame_equal(again.rows, tuned.rows)
    assert again.n_tried == tuned.n_tried == TRIALS * SEARCHES
    parent, nested = logged(home)
    assert len(nested) == TRIALS * SEARCHES
    assert parent.data.metrics[f"nested/{GAIN_OF_TUNING}_tuned"] == pytest.approx(tuned.rows["value"].iloc[0])
    first = next(run for run in nested if run.data.tags[trials.TRIAL_TAG] == "everybody 0")
    assert Growth(**{k: type(getattr(Growth, k))(v) for k, v in first.data.params.items()}) == Growth()
    assert first.data.metrics["auroc"] == pytest.approx(tuned.own[0])
    assert {run.info.status for run in (parent, *nested)} == {"FINISHED"}


def logged(home: Path) -> tuple[Any, list[Any]]:
    """The run of the tuning and those nested in it."""
    settings = load_settings(home / "foretide.yaml")
    client, experiment = tracking.open_store(settings.tracking_uri, settings.artifacts_folder)
    runs = client.search_runs([experiment])
    (parent,) = (
        run for run in runs if trials.TUNING_TAG in run.data.tags and "-" not in run.data.tags[trials.TUNING_TAG]
    )
    return parent, [run for run in runs if run.data.tags.get(trials.PARENT_TAG) == parent.info.run_id]


def test_a_tuning_that_is_out_of_time_stands_alike_in_every_search_and_goes_on(home, tuned, monkeypatch):
    """One round is always made, so that there is a nested figure; the same command then comes to what it would have."""
    installation = apart(home, monkeypatch, "time")
    short = tuning.tune(installation, NIGHT, "crisis", TRIALS, lambda: True)
    assert (short.trials, short.n_tried, short.proposed) == (1, SEARCHES, short.declared)
    whole = tuning.tune(installation, NIGHT, "crisis", TRIALS, lambda: False)
    pd.testing.assert_frame_equal(whole.rows, tuned.rows)
    assert whole.proposed == tuned.proposed


def test_ctrl_c_keeps_the_trials_that_were_finished(home, tuned, monkeypatch, capsys):
    """What was finished before one search was stopped is there and told, and the same command comes to what it would have."""
    installation, before = apart(home, monkeypatch, "stopped"), looked(home)
    # A search of its own in the ledger, too.
    monkeypatch.setattr(looks, "basis", lambda *_: "stopped")
    try_next = searches.try_next

    def stopped(study, search):
        if "fold 1" in study.study_name and searches.finished(study):
            raise KeyboardInterrupt
        try_next(study, search)

    with monkeypatch.context() as patch:
        patch.setattr(searches, "try_next", stopped)
        with pytest.raises(Stopped) as stop:
            tuning.tune(installation, NIGHT, "crisis", TRIALS, lambda: False)
    n_kept = sum(finished(installation, "stopped").values())
    assert n_kept >= SEARCHES
    assert exit_with("tune", stop.value, as_json=False) == STOPPED
    assert f"give the same command again. {n_kept} trials are kept" in capsys.readouterr().err
    stopped_at = looked(home).configurations - before.configurations
    assert sum(finished(installation, "stopped").values()) <= stopped_at < TRIALS * SEARCHES
    whole = tuning.tune(installation, NIGHT, "crisis", TRIALS, lambda: False)
    pd.testing.assert_frame_equal(whole.rows, tuned.rows)
    assert looked(home) == looks.Looks(before.times + 1, before.configurations + TRIALS * SEARCHES)


def finished(installation: Installation, name: str) -> dict[str, int]:
    """Finished trials of each search of that name."""
    studies = trials.studies_of(trials.storage(installation), "crisis")
    return {of: len(searches.finished(study)) for of, study in studies.items() if f"-{name} " in of}


@pytest.mark.parametrize(("gain", "is_proposed"), [(0.02, True), (0.0004, False), (0.0, False), (-0.01, False)])
def test_only_what_gained_on_people_it_never_saw_is_proposed(tuned, gain, is_proposed):
    """Where such a choice gained nothing, or less than is printed, no lines are given: the trees stay as declared."""
    rows = tuned.rows.copy()
    rows.loc[rows["metric"] == GAIN_OF_TUNING, ["value", "low", "high"]] = gain, gain - 0.05, gain + 0.05
    said = "\n".join(report.sentences(replace(tuned, rows=rows, proposed=Growth(rounds=77))))
    assert ("rounds: 77" in said, "The trees stay as they are declared" in said) == (is_proposed, not is_proposed)


def test_other_declarations_begin_anew_and_say_so(home, tuned):
    """Trials of another seed are others: none of before counts, and they are told as looks at these people."""
    path = home / "foretide.yaml"
    before = path.read_text()
    content = yaml.safe_load(before)
    content["training"]["seed"] = 5
    try:
        path.write_text(yaml.safe_dump(content))
        installation = installed(home)
        marks = [installation.lake.derived(name).with_suffix(".version") for name in TABLES]
        kept = marks[0].read_text()
        for mark in marks:
            mark.write_text(basis(installation, NIGHT))
        code, output = answered(home, "crisis", "--trials", "2")
        for mark in marks:
            mark.write_text(kept)
    finally:
        path.write_text(before)
    assert code == 0, output
    assert f"6 trials in {SEARCHES} searches" in output
    assert "TO QUOTE: on people whom neither search nor fit saw" in output
    assert "have changed since" in output


def test_a_machine_gets_the_same_in_json(home, tuned):
    """Tidy rows, and what was declared and proposed."""
    done = CliRunner().invoke(app, ["tune", "crisis", "--trials", str(TRIALS), "--as-of", NIGHT, "--json",
                                    "--config", str(home / "foretide.yaml")])  # fmt: skip
    answer = json.loads(done.output.splitlines()[-1])
    assert [row["value"] for row in answer["rows"]] == pytest.approx(list(tuned.rows["value"]))
    assert Growth(**answer["proposed"]) == tuned.proposed
    assert not any("p0" in str(value) for value in answer.values())


def test_a_training_with_searched_trees_says_that_it_is_no_test_of_them(home, tuned):
    """Values that a search tried, and any beside them, were chosen where these people had been searched; the default was not."""
    installation = installed(home)
    assert not tuning.is_of_a_search(installation, "crisis", Growth())
    studies = trials.studies_of(trials.storage(installation), "crisis")
    everybody = next(s for name, s in studies.items() if "-" not in name and name.endswith("everybody"))
    searched = searches.grown(searches.finished(everybody)[1].params)
    for growth in (
        searched,
        replace(searched, rounds=searched.rounds + 1),
        replace(Growth(), rounds=Growth.rounds + 1),
    ):
        assert tuning.is_of_a_search(installation, "crisis", growth)
        assert not tuning.is_of_a_search(installation, "relapse", growth)
    assert "is of people whom that choice never saw" in reporting.tuning_report.warning("crisis")


def test_a_search_is_known_by_its_look_and_by_its_trials(home, tuned, monkeypatch):
    """Either is enough: trials may be deleted, and a search that was stopped is on no record of looks."""
    installation, other = installed(home), Growth(rounds=77)
    with monkeypatch.context() as deleted:
        deleted.setattr(trials, "is_there", lambda _: False)
        assert tuning.is_of_a_search(installation, "crisis", other)
    with monkeypatch.context() as stopped:
        stopped.setattr(tuning.looks, "is_on_record", lambda *_: False)
        assert tuning.is_of_a_search(installation, "crisis", other)
        stopped.setattr(trials, "is_there", lambda _: False)
        assert not tuning.is_of_a_search(installation, "crisis", other)
