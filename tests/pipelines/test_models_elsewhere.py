"""`foretide validate` and `foretide compare`: registered models on people they never saw, and beside one another."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from typer.testing import CliRunner

from models import risk
from models.baselines import Predictor
from models.contest import DIFFERENCE
from models.evaluation import COLUMNS, GAIN
from models.external_validation import WAYS
from pipelines import contents, engineering
from pipelines.cli.main import app
from pipelines.door.intake import ingest
from pipelines.ingestion import ingest_all
from pipelines.installation import Installation
from pipelines.release.comparing import Compared
from pipelines.release.registry import CHAMPION, ModelVersion
from pipelines.reports import versus
from pipelines.settings import load_settings
from pipelines.sources.batch import Batch
from pipelines.training import controls, evaluating, fitting, labelling, looks
from tests.pipelines.small_job import NIGHT, make_home

NAME = "foretide-crisis"
HISTORY = ("history_episode_rate", "history_days_since_last_episode")
SLEEP = "sleep_duration_mean_7d_min"


def changed(home: Path, **sections: Any) -> Path:
    """The home's configuration with some keys of some sections set otherwise."""
    path = home / "foretide.yaml"
    content = yaml.safe_load(path.read_text())
    for section, values in sections.items():
        content[section] = [content[section][0] | values[0]] if isinstance(values, list) else content[section] | values
    path.write_text(yaml.safe_dump(content))
    return path


def small(folder: Path, seed: int) -> Path:
    """A home with 70 simulated people, 14 and 28 days ahead, hardly any feature beside history."""
    home = make_home(folder, subjects=70)
    content = yaml.safe_load((home / "foretide.yaml").read_text())
    content["sources"][0]["seed"] = seed
    content["training"] |= {"folds": 2, "cuts": 1}
    content["outcomes"]["crisis"] |= {"horizons_days": [14, 28]}
    content["features"] = {"drop": ["mood", "circadian", "heart", "own_past", "adherence", "activity"]}
    content["audit"]["attributes"] = ["sex", "site"]
    (home / "foretide.yaml").write_text(yaml.safe_dump(content))
    ingest_all(Installation(load_settings(home / "foretide.yaml")))
    return home


def registered(installation: Installation, model: risk.HazardModel, folder: Path) -> ModelVersion:
    """A version of the model, as if a training of that night had made it."""
    risk.save(model, folder)
    known_at = engineering.cohort(installation, NIGHT).known_at
    tags = {"data_version": contents.version(installation.lake, known_at), "known_at": known_at.isoformat()}
    example = pd.DataFrame([dict.fromkeys(model.features, 1.0)])
    rows = pd.DataFrame(columns=list(COLUMNS))
    return installation.registry.log_training(
        NAME, model.name, {}, {**tags, "predictor": model.name}, rows, {}, {}, folder, model.features, model.horizons_days, example
    )  # fmt: skip


def unmade(model: risk.HazardModel, feature: str) -> risk.HazardModel:
    """The model with a feature of another name in the place of its second."""
    features = (model.features[0], feature)
    return replace(model, name=feature, features=features, linear=replace(model.linear, features=features))


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A home that was trained, up to its controls. Versions 1 and 2 learnt from history, and from sleep besides; 1 serves.
    3 is version 1 on other days, 4 needs a signal that nobody declares, 5 is of another outcome, 6 needs a feature that is
    misspelt."""
    folder = small(tmp_path_factory.mktemp("own"), seed=3)
    installation = Installation(load_settings(folder / "foretide.yaml"))
    engineering.training_matrices(installation, NIGHT)
    labelling.make_labels(installation, NIGHT)
    evaluating.evaluate(installation, NIGHT)
    controls.check(installation, NIGHT)
    outcome, how = engineering.outcomes(installation)[0], installation.settings.training
    matrix, labels = installation.lake.load("training_matrix_crisis"), installation.lake.load("labels_crisis")
    first, second = (
        fitting.fit_final(matrix, labels, outcome, Predictor(name, "logistic", features), how)
        for name, features in (("history", HISTORY), ("and_sleep", (*HISTORY, SLEEP)))
    )
    strange, misspelt = (unmade(first, name) for name in ("signals_speech_mean_7d", f"{SLEEP}s"))
    again = replace(first, name="again", lines=((1.0,), (0.1,)))
    made = [first, second, again, strange, replace(second, outcome="relapse"), misspelt]
    versions = [registered(installation, model, folder / "made" / str(i)) for i, model in enumerate(made)]
    installation.registry.set_alias(versions[0], CHAMPION)
    installation.audit_log.append("training", {"model": NAME}, engineering.cohort(installation, NIGHT).known_at)
    return folder


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory) -> Path:
    """Other simulated people in an installation of their own."""
    return small(tmp_path_factory.mktemp("elsewhere"), seed=8)


def answered(home: Path, command: str, *arguments: str) -> tuple[int, str]:
    """Exit code and output of a command in the home."""
    done = CliRunner().invoke(app, [command, *arguments, "--config", str(home / "foretide.yaml")])
    return done.exit_code, " ".join(done.output.split())


def rows_of(home: Path, command: str, *arguments: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The tidy rows of the answer, and the answer."""
    done = CliRunner().invoke(app, [command, *arguments, "--config", str(home / "foretide.yaml"), "--json"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout.splitlines()[-1])
    return pd.DataFrame(answer["rows"]), answer


def test_the_champion_is_tried_on_another_cohort_in_every_way_at_every_horizon(home, elsewhere):
    """Tidy rows with intervals; nothing is stored but the cohort's day panel, and the model is that of the registry."""
    before = sorted(path.name for path in (elsewhere / ".state").iterdir())
    rows, answer = rows_of(home, "validate", "--cohort", str(elsewhere), "--as-of", NIGHT)
    assert tuple(rows.columns) == COLUMNS
    assert answer["model"] == f"{NAME}/1"
    assert set(rows["horizon_days"]) == {14, 28}
    for horizon in (14, 28):
        gains = rows[(rows["metric"] == GAIN) & (rows["horizon_days"] == horizon)]
        assert set(gains["model"]) == set(WAYS)
        assert gains["low"].notna().all()
    assert not (elsewhere / ".state" / "lake" / "derived" / "training_matrix_crisis").exists()
    assert {*before, "installation.lock"} >= {path.name for path in (elsewhere / ".state").iterdir()} - {"audit"}


def test_a_person_is_told_first_what_it_means_and_what_cannot_be_known(home, elsewhere):
    """Ranking beside the best simple rule, whether risks are right, and that pseudonyms tell nothing of persons."""
    code, output = answered(
        home, "validate", "--model", f"{NAME}/2", "--cohort", str(elsewhere / "foretide.yaml"), "--as-of", NIGHT
    )
    assert code == 0, output
    assert f"as it is, {NAME}/2 ranks with AUROC" in output
    assert "simple rule there" in output
    assert "conditional on the fitted models)" in output
    assert "(intercept " in output
    assert "pseudonym" in output
    assert output.index("Its risks are") < output.index("as is")


def test_other_declarations_and_features_without_a_value_are_said(home, elsewhere, tmp_path):
    """Where the refractory time is longer and a declared signal never came, the model is tested, and both are told."""
    path = twin(elsewhere, tmp_path)
    changed(tmp_path, signals={"speech": {"unit": "/min"}})
    changed(
        tmp_path, outcomes={"crisis": yaml.safe_load(path.read_text())["outcomes"]["crisis"] | {"refractory_days": 21}}
    )
    _, answer = rows_of(home, "validate", "--model", f"{NAME}/4", "--cohort", str(path), "--as-of", NIGHT)
    told = " ".join(answer["remarks"])
    assert "declares its outcome otherwise (`refractory_days`)" in told
    assert "1 of the model's 2 features have no value for anybody here" in told


def twin(home: Path, folder: Path) -> Path:
    """The same state under a configuration of its own."""
    (folder / ".state").symlink_to(home / ".state")
    (folder / "foretide.yaml").write_text((home / "foretide.yaml").read_text())
    return folder / "foretide.yaml"


@pytest.mark.parametrize(
    ("model", "code", "told"),
    [
        ("crisis", 2, "`NAME/VERSION` or `NAME@ALIAS`"),
        (f"{NAME}/77", 1, "There is no model"),
        (f"{NAME}@nobody", 1, "There is no model"),
        ("foretide-other/1", 1, "There is no model"),
        (f"{NAME}/4", 1, "1 of the model's 2 features cannot be made of this cohort, first `signals_speech_mean_7d`"),
        (f"{NAME}/6", 1, f"first `{SLEEP}s` (nearest: `{SLEEP}`). Declare the `signals:`"),
        (f"{NAME}/5", 1, "The cohort declares no outcome `relapse`. Say by `--outcome` which of its own to test on: `crisis`"),
    ],
)  # fmt: skip
def test_a_model_that_is_not_there_or_cannot_be_used_there_is_refused(home, elsewhere, model, code, told):
    """With the reason and the cure, before anything is computed."""
    found, output = answered(home, "validate", "--model", model, "--cohort", str(elsewhere), "--as-of", NIGHT)
    assert (found, told in output) == (code, True), output


def test_the_cohort_it_was_trained_on_is_refused_also_as_a_copy(home, tmp_path):
    """By where it lies, and by what it holds."""
    assert "trained on this very cohort" in answered(home, "validate", "--cohort", str(home), "--as-of", NIGHT)[1]
    copy = small(tmp_path / "copy", seed=3)
    code, output = answered(home, "validate", "--cohort", str(copy), "--as-of", NIGHT)
    assert (code, "trained on this very cohort" in output) == (1, True), output


def test_a_cohort_that_is_not_there_or_asks_for_other_horizons_or_has_no_event_is_refused(home, elsewhere, tmp_path):
    """Each with what to do."""
    code, output = answered(home, "validate", "--cohort", str(tmp_path / "nowhere"))
    assert (code, "There is no cohort at" in output) == (2, True), output
    path = twin(elsewhere, tmp_path)
    for told, events, horizons in (("Declare `horizons_days: [14, 28]`", ["crisis_contact"], [7, 14]),
                                   ("No stream gives the outcome `crisis`", ["never"], [14, 28])):  # fmt: skip
        declared = {"events": events, "horizons_days": horizons, "alert_horizon_days": 14}
        changed(tmp_path, outcomes={"crisis": declared})
        code, output = answered(home, "validate", "--cohort", str(path), "--as-of", NIGHT)
        assert (code, told in output) == (1, True), output


def test_a_cohort_of_the_model_s_own_people_and_one_more_is_refused(home, tmp_path):
    """Another lake, other content, the same persons: no figure, and no look."""
    more = small(tmp_path / "more", seed=3)
    lake, day = Installation(load_settings(more / "foretide.yaml")).lake, pd.Timestamp("2026-05-01T10:00Z")
    frame = pd.DataFrame({"subject_id": ["p-71"], "site": ["north"], "enrolled_on": [day.date()], "received_at": [day]})
    ingest(lake, [Batch("subjects", frame, "one.csv")], "one")
    code, output = answered(home, "validate", "--cohort", str(more), "--as-of", NIGHT)
    assert (code, "70 of 71 pseudonyms occur in the model's cohort too" in output) == (1, True), output
    assert looks_of(more) == []


def looks_of(home: Path) -> list[dict[str, Any]]:
    """Every look on record there, oldest first."""
    entries = Installation(load_settings(home / "foretide.yaml")).audit_log.entries()
    return [entry["details"] for entry in entries if entry["kind"] == looks.KIND]


def test_every_look_is_on_record_once(home, elsewhere):
    """The training, a comparison either way round, a validation in the cohort tested: by the content of the models, and the
    same again is none."""
    first, second = (Installation(load_settings(home / "foretide.yaml")).registry.version(NAME, n) for n in ("1", "2"))
    for one, other in (("1", "2"), ("2", "1")):
        assert answered(home, "compare", f"{NAME}/{one}", f"{NAME}/{other}")[0] == 0
        assert answered(home, "validate", "--model", f"{NAME}/2", "--cohort", str(elsewhere), "--as-of", NIGHT)[0] == 0
    pair = " and ".join(sorted((first.content_sha256, second.content_sha256)))
    told = [(look["what"], look["configurations"]) for look in looks_of(home)]
    assert told == [("evaluation", 1), (f"comparison of {pair}", 2)]
    told = [(look["what"], look["configurations"]) for look in looks_of(elsewhere)]
    assert told.count((f"validation of {second.content_sha256}", len(WAYS))) == 1


def test_no_comparison_rests_on_a_training_that_failed_or_was_cut_off(home, elsewhere, tmp_path):
    """A failed control, other declarations, tables of a later training: refused with the cure, and no look."""
    installation, before = Installation(load_settings(home / "foretide.yaml")), looks_of(home)
    lake = installation.lake
    for name, wrong, told in (
        (controls.CONTROLS, lambda rows: rows.assign(is_passed=False), "controls failed"),
        ("training_matrix_crisis", None, "a later one did not come to its end"),
        ("labels_crisis", None, "a later one did not come to its end"),
        ("served", None, "a later one did not come to its end"),
    ):
        rows, version = lake.load(name), lake.derived_version(name)
        lake.replace(name, rows if wrong is None else wrong(rows), "another" if wrong is None else version)
        code, output = answered(home, "compare", f"{NAME}/1", f"{NAME}/2")
        lake.replace(name, rows, version)
        assert (code, told in output) == (1, True), (name, output)
    path = twin(home, tmp_path)
    changed(tmp_path, training={"seed": 77})
    code, output = answered(path.parent, "compare", f"{NAME}/1", f"{NAME}/2")
    assert (code, "No controls were run" in output) == (1, True), output
    assert looks_of(home) == before


def test_altered_files_are_refused(home, elsewhere, monkeypatch):
    """Neither tried elsewhere nor compared."""
    installation = Installation(load_settings(home / "foretide.yaml"))
    second = installation.registry.version(NAME, "2")
    assert second is not None
    monkeypatch.setattr(type(installation.registry), "version", lambda *_: replace(second, content_sha256="0" * 64))
    for given in (["validate", "--model", f"{NAME}/2", "--cohort", str(elsewhere), "--as-of", NIGHT],
                  ["compare", f"{NAME}/2", f"{NAME}/1"]):  # fmt: skip
        code, output = answered(home, *given)
        assert (code, "are not those that were registered" in output) == (1, True), output


def test_two_models_are_compared_on_the_same_rows_overall_and_by_group(home):
    """Each model and the paired difference: three metrics, for everybody and for each group that may be shown."""
    rows, _ = rows_of(home, "compare", f"{NAME}@champion", f"{NAME}/2")
    assert tuple(rows.columns) == COLUMNS
    assert set(rows["model"]) == {f"{NAME}/1", f"{NAME}/2", DIFFERENCE}
    assert {"all", "sex=F", "sex=M"} <= set(rows["group"])
    everybody = rows[rows["group"] == "all"].pivot(index="metric", columns="model", values="value")
    assert set(everybody.index) == {"auroc", "brier", "tpr"}
    apart = everybody[f"{NAME}/1"] - everybody[f"{NAME}/2"]
    pd.testing.assert_series_equal(apart, everybody[DIFFERENCE], check_names=False)


def test_a_comparison_begins_with_a_sentence_for_a_clinician(home):
    """Which ranks better or that it is not proven, what each catches, whose risks are nearer, then the table."""
    code, output = answered(home, "compare", f"{NAME}/1", f"{NAME}/2")
    assert code == 0, output
    places = ("of 100 days before an event", "(Brier score", "Both were fitted anew", "sex=F")
    assert sorted(places, key=output.index) == list(places)


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (0.0002, 0.004, "The risks of b are nearer to what happened than those of a ("),
        (-0.004, -0.0002, "The risks of a are nearer to what happened than those of b ("),
        (-0.001, 0.002, "It is not proven that the risks of either are nearer to what happened ("),
    ],
)
def test_a_comparison_says_whose_risks_are_nearer(low, high, told):
    """By the whole interval of the paired difference of Brier scores, smaller is better; the figures are in the sentence."""
    rows = pd.DataFrame(
        [
            ("all", model, metric, value, start, end)
            for metric, (value, start, end) in {
                "auroc": (0.1, -0.1, 0.2),
                "tpr": (0.3, 0.1, 0.5),
                "brier": (0.0011, low, high),
            }.items()
            for model in ("a", "b", DIFFERENCE)
        ],
        columns=["group", "model", "metric", "value", "low", "high"],
    ).assign(outcome="crisis", horizon_days=1, split="unseen_subjects")
    said = versus.sentences(Compared(rows, ("a", "b"), 0.1, {}))
    assert "crisis, 1 day, unseen subjects" in said[0]
    span = f"{low:+.4f} to {high:+.4f}".replace("-", "−")
    assert said[1] == f"{told}Brier score, smaller is better, a minus b: +0.0011, 95 % {span})."


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        ("1", "3", "the same learner from the same 2 features"),
        ("1", "4", "1 feature of these models cannot be made any more, first `signals_speech_mean_7d`"),
        ("1", "5", "One model is of `crisis`, the other of `relapse`"),
    ],
)
def test_what_cannot_be_compared_is_refused(home, one, other, told):
    """The same recipe, features that are gone, another outcome: exit code 1 with the reason."""
    code, output = answered(home, "compare", f"{NAME}/{one}", f"{NAME}/{other}")
    assert (code, told in output) == (1, True), output


def test_a_champion_that_is_not_there_is_named(home, elsewhere):
    """The champion of the only outcome; where it serves nobody yet, that is said."""
    code, output = answered(elsewhere, "validate", "--cohort", str(home), "--as-of", NIGHT)
    assert (code, f"There is no model `{NAME}@{CHAMPION}`" in output) == (1, True), output
