"""`foretide run` as its user meets it: one command, then everything that it promises is there."""

import hashlib
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from dagster import AssetKey, DagsterInstance, DagsterRunStatus

from features.tables import TABLES
from models import risk
from pipelines import engineering
from pipelines.installation import Installation
from pipelines.lake import Lake
from pipelines.release import tracking
from pipelines.settings import load_settings
from pipelines.training.example import simulated_row
from pipelines.turn import alone
from tests.pipelines.small_job import NIGHT, ROOT, foretide, make_home


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A home where the whole job ran once."""
    folder = make_home(tmp_path_factory.mktemp("main-job"))
    code, answer, said = foretide(folder, "run")
    assert code == 0, (answer, said)
    return folder


def tree(folder: Path) -> dict[str, str]:
    """Hash of every file under a folder."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*") if p.is_file()
    }


def delivery(home: Path) -> Path:
    """The night's only delivery."""
    (folder,) = (p for p in (home / ".state/deliveries" / NIGHT).iterdir() if p.is_dir())
    return folder


def test_everybody_on_the_roster_has_a_row_and_nobody_ineligible_a_probability(home: Path):
    """One row per subject and horizon; a probability exactly where the status is scored."""
    installation = Installation(load_settings(home / "foretide.yaml"))
    scores = pd.read_parquet(delivery(home) / "scores.parquet")
    roster = set(engineering.cohort(installation, NIGHT).roster["subject_id"])
    assert set(scores["subject_id"]) == roster
    assert not scores.duplicated(["subject_id", "outcome", "horizon_days"]).any()
    assert (scores["probability"].notna() == (scores["status"] == "scored")).all()
    assert {"scored", "not_eligible"} <= set(scores["status"])
    wide = scores[scores["status"] == "scored"].pivot(index="subject_id", columns="horizon_days", values="probability")
    assert (wide.diff(axis=1).iloc[:, 1:] >= 0).all(axis=None)


def test_the_delivery_verifies_and_an_altered_one_does_not(home: Path, tmp_path: Path):
    """`foretide verify` exits 0, and 1 after a single byte changed."""
    assert foretide(home, "verify", str(delivery(home)))[0] == 0
    shutil.copytree(delivery(home), tmp_path / "altered")
    file = tmp_path / "altered" / "scores.csv"
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    assert foretide(home, "verify", str(tmp_path / "altered"))[0] == 1


def test_scoring_the_same_night_again_changes_no_byte(home: Path):
    """Same inputs, same bytes, same folder."""
    before = tree(home / ".state/deliveries")
    code, _, said = foretide(home, "score", "--as-of", NIGHT)
    assert code == 0, said
    assert tree(home / ".state/deliveries") == before


def test_training_again_on_the_same_data_makes_no_new_version(home: Path):
    """Running a command twice has the effect of running it once: same model, same version, same delivery."""
    before, deliveries = version_of_the_champion(home), tree(home / ".state/deliveries")
    code, answer, said = foretide(home, "train", "--as-of", NIGHT)
    assert code == 0, (answer, said)
    assert version_of_the_champion(home) == before
    assert foretide(home, "score", "--as-of", NIGHT)[0] == 0
    assert tree(home / ".state/deliveries") == deliveries


def version_of_the_champion(home: Path) -> str:
    """Which version the alias points to."""
    champion = Installation(load_settings(home / "foretide.yaml")).registry.find("foretide-crisis", "champion")
    assert champion is not None
    return champion.version


def test_a_night_before_the_training_is_not_scored_with_its_own_future(home: Path):
    """Refused, and nothing is delivered for it."""
    code, answer, _ = foretide(home, "score", "--as-of", "2026-06-20")
    assert code == 1
    assert "has seen what came to be known after the night of 2026-06-20" in answer["error"]
    assert not (home / ".state/deliveries/2026-06-20").exists()


def test_the_default_night_has_the_data_of_the_day_before(home: Path):
    """Somebody's last 28 days are all there, yesterday included."""
    scores = pd.read_parquet(delivery(home) / "scores.parquet")
    assert scores["completeness"].max() == 1.0


def test_two_commands_do_not_work_in_one_installation_at_a_time(home: Path):
    """The second is refused at once and changes nothing."""
    with alone(Installation(load_settings(home / "foretide.yaml"))):
        code, answer, _ = foretide(home, "score", "--as-of", NIGHT)
    assert code == 1
    assert "is at work in this installation" in answer["error"]


def test_the_runs_are_seen_by_dagster_with_their_assets_and_checks(home: Path, monkeypatch):
    """The jobs are on the job page (repository tag), every asset is materialised, every check passed."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with DagsterInstance.get() as instance:
        runs = instance.get_runs()
        assert {run.job_name for run in runs} == {"take_in", "retrain", "nightly"}
        assert all(run.status == DagsterRunStatus.SUCCESS for run in runs)
        assert all(run.tags[".dagster/repository"] == "__repository__@pipelines.definitions" for run in runs)
        wanted = [f"raw_{table}" for table in TABLES] + [
            "core_roster", "core_days", "features_matrix", "features_night", "model_labels", "model_evaluation", "model_controls",
            "model_challenger", "model_champion", "model_scores", "report_fairness", "report_model", "report_delivery",
            "report_nightly", "model_shadow_scores", "report_monitoring", "report_lake",
        ]  # fmt: skip
        found = instance.get_latest_materialization_events([AssetKey(name) for name in wanted])
        assert all(found.values())


def test_the_champion_is_in_the_registry_with_its_lineage(home: Path):
    """Both aliases point to a version that knows its code, its data and its predictor; the files are whole."""
    registry = Installation(load_settings(home / "foretide.yaml")).registry
    champion, challenger = (registry.find("foretide-crisis", alias) for alias in ("champion", "challenger"))
    assert champion is not None
    assert champion == challenger
    served = registry.champion("foretide-crisis")
    assert (served.folder / "model.json").is_file()
    tags = (
        tracking.import_mlflow()
        .MlflowClient(registry.tracking_uri)
        .get_model_version(champion.name, champion.version)
        .tags
    )
    assert {"code_version", "data_version", "outcome", "predictor"} <= set(tags)


def test_the_row_that_shows_how_the_champion_is_fed_is_nobodys(home: Path):
    """MLflow stores the simulated row, whoever the cohort is, and the champion scores it."""
    installation, mlflow = Installation(load_settings(home / "foretide.yaml")), tracking.import_mlflow()
    mlflow.set_tracking_uri(installation.settings.tracking_uri)
    model = mlflow.pyfunc.load_model("models:/foretide-crisis@champion")
    (outcome,) = engineering.outcomes(installation)
    features = risk.load(installation.registry.champion("foretide-crisis").folder).features
    pd.testing.assert_frame_equal(model.input_example, simulated_row(installation.settings, outcome, features))
    assert model.predict(model.input_example).notna().all(axis=None)


def test_the_model_card_lies_beside_the_report_and_with_the_training(home: Path):
    """The same bytes in the report site and in the run that made the champion, linked from the index."""
    registry = Installation(load_settings(home / "foretide.yaml")).registry
    champion, reports = registry.find("foretide-crisis", "champion"), home / ".state/reports"
    assert champion is not None
    for name in ("model-crisis.card.json", "model-crisis.card.md"):
        logged = registry.artifact_root / champion.run_id / "artifacts/card" / name
        assert logged.read_bytes() == (reports / name).read_bytes()
        assert name in (reports / "index.html").read_text()
    card = json.loads((reports / "model-crisis.card.json").read_text())
    assert card["model_version"] == f"foretide-crisis/{champion.version}"
    assert card["sections"]["versions"]["facts"]["Model files (sha256)"] == champion.content_sha256


def test_no_subject_is_named_outside_lake_and_delivery(home: Path):
    """Reports, Dagster's records, MLflow's files, logs and the audit log hold no subject_id."""
    lake = Lake(home / ".state/lake")
    with lake.connection() as connection:
        subjects = [
            s.encode() for (s,) in lake.rows("subjects", connection).project("subject_id").distinct().fetchall()
        ]
    for place in ("reports", "dagster", "mlflow", "audit", "models"):
        files = [p for p in (home / ".state" / place).rglob("*") if p.is_file()]
        assert files, place
        named = [p.name for p in files if any(subject in p.read_bytes() for subject in subjects)]
        assert named == [], place


def test_doctor_and_audit_find_nothing_wrong_afterwards(home: Path):
    """Both commands exit 0 on a healthy installation; the audit has a verdict for each comparison."""
    assert foretide(home, "doctor")[0] == 0
    code, answer, said = foretide(home, "audit")
    assert code == 0, said
    assert {row["verdict"] for row in answer["rows"]} <= {"pass", "fail", "insufficient_evidence"}


def test_the_notebook_runs_from_top_to_bottom(home: Path, monkeypatch):
    """Every code cell, in order, in one namespace."""
    monkeypatch.chdir(home)
    cells = json.loads((ROOT / "notebooks/first-look.ipynb").read_text())["cells"]
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)
    assert len(names["risks"]) == len(names["matrix"])


def test_taking_the_same_source_in_again_changes_nothing(home: Path):
    """The answer says so, and no byte of the raw tables changes."""
    before = tree(home / ".state/lake/raw")
    code, answer, said = foretide(home, "ingest", "simulated")
    assert code == 0, said
    assert sum(row["appended"] for row in answer["rows"]) == 0
    assert tree(home / ".state/lake/raw") == before
