"""The audit within the whole job: its tables beside the page, in MLflow and in Dagster; an earlier version; releases on record."""

import io
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml
from dagster import AssetKey, DagsterInstance

from models.fairness.coverage import MEASURES
from pipelines.installation import Installation
from pipelines.release import tracking
from pipelines.release.registry import CHALLENGER
from pipelines.settings import load_settings
from tests.pipelines.small_job import foretide, make_smallest_home

MODEL = "foretide-crisis"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the whole job ran, and after it a training that grew its trees otherwise."""
    folder = make_smallest_home(tmp_path_factory.mktemp("home"))
    content = yaml.safe_load((folder / "foretide.yaml").read_text())
    content["sources"][0] |= {"subjects": 90}
    content["audit"] |= {"attributes": ["sex", "site", "device"], "resamples": 100}
    (folder / "foretide.yaml").write_text(yaml.safe_dump(content))
    assert foretide(folder, "run")[0] == 0
    content["training"] |= {"seed": 2}
    (folder / "foretide.yaml").write_text(yaml.safe_dump(content))
    assert foretide(folder, "train")[0] == 0
    return folder


def bundle(home: Path, version: int, name: str = "internal") -> Path:
    """The folder of a bundle of a version."""
    return home / ".state" / "reports" / "fairness" / "crisis" / str(version) / name


def test_every_version_has_its_bundle_and_so_has_its_run(home):
    """The files beside the page are those at the version's MLflow run, byte by byte."""
    installation = Installation(load_settings(home / "foretide.yaml"))
    mlflow = tracking.import_mlflow()
    mlflow.set_tracking_uri(installation.registry.tracking_uri)
    for number in (1, 2):
        version = installation.registry.version(MODEL, str(number))
        kept = Path(mlflow.artifacts.download_artifacts(run_id=version.run_id, artifact_path="fairness"))
        beside = bundle(home, number)
        assert "insufficient evidence" in mlflow.get_run(version.run_id).data.tags["fairness"]
        assert {path.name for path in kept.iterdir()} == {path.name for path in beside.iterdir()}
        for path in beside.iterdir():
            assert (kept / path.name).read_bytes() == path.read_bytes()


def test_the_device_that_people_wear_is_audited(home):
    """No source gives such an attribute: it is the model that most of somebody's rows come from."""
    cells = pd.read_csv(bundle(home, 1) / "cells.csv")
    assert {"Lumen 2", "Pacer S"} <= set(cells.loc[cells["attribute"] == "device", "group"])


def test_how_much_data_each_group_has_is_told(home):
    """Every measure that this installation knows, as a share."""
    coverage = pd.read_csv(bundle(home, 1) / "coverage.csv")
    assert set(MEASURES) - {"answers"} <= set(coverage["measure"])
    shares = coverage.loc[coverage["measure"].isin(MEASURES), "value"]
    assert shares.between(0, 1).all()


def test_dagster_shows_the_verdicts(home, monkeypatch):
    """The newest materialization has a table of them, the counts and where the page lies."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    with DagsterInstance.get() as instance:
        found = instance.get_latest_materialization_events([AssetKey("report_fairness")])[AssetKey("report_fairness")]
    metadata = found.asset_materialization.metadata
    rows = metadata["crisis: verdicts"].records
    assert {row.data["attribute"] for row in rows} <= {"sex", "site", "device"}
    assert "insufficient evidence" in metadata["crisis"].value
    assert Path(metadata["crisis: page"].value).is_file()


def test_the_champions_audit_stands_beside(home):
    """The page of the second version compares with the first, figure by figure."""
    page = (bundle(home, 2) / "report.html").read_text(encoding="utf-8")
    assert f"{MODEL}/1" in page
    assert re.search(r"None of the \d+ verdicts|Of \d+ verdicts", page)


def test_a_release_is_in_the_log_and_the_same_again_is_the_same(home):
    """What left once is not put on record twice; the log knows the bundle's hash."""
    challenger = Installation(load_settings(home / "foretide.yaml")).registry.find(MODEL, CHALLENGER)
    for _ in range(2):
        code, answer, _ = foretide(home, "audit", "--release")
        assert code == 0
    assert answer["paths"][-1].endswith(f"{challenger.version}/releasable")
    entries = [
        entry for entry in Installation(load_settings(home / "foretide.yaml")).audit_log.entries()
        if entry["kind"] == "fairness_release"
    ]  # fmt: skip
    assert {entry["details"]["number"] for entry in entries} == {1}
    assert not list((home / ".state" / "releases").rglob("*unfinished*"))
    text = (Path(answer["paths"][-1]) / "cells.csv").read_text()
    counts = pd.read_csv(io.StringIO(text))["n_subjects"].dropna()
    assert (counts % 5 == 0).all()
