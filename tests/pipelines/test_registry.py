"""The registry: what is promoted is what is served, verified, also when the registry is away."""

import hashlib
import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable

from models import risk
from pipelines.door.intake import ingest
from pipelines.errors import Fault, Refused
from pipelines.lake import Lake
from pipelines.release import datasets
from pipelines.release.registry import CHALLENGER, CHAMPION, CONTENT_TAG, Registry
from pipelines.release.stored import content_hash
from pipelines.release.tracking import metrics_of
from pipelines.sources.batch import Batch
from tests.pipelines.small_registry import NAME, ROWS, Made, fitted, make_registry, train


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    """One store for the module, since a fresh one takes seconds; each test leaves it as it was."""
    return make_registry(tmp_path_factory.mktemp("registry"))


def test_no_champion_is_said_and_makes_nothing(tmp_path):
    """Asking an installation that never trained is refused with the cure, and leaves no files behind."""
    registry = Registry(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "artifacts", tmp_path / "cache")
    with pytest.raises(Refused, match="No champion yet.*foretide train"):
        registry.champion(NAME)
    assert list(tmp_path.iterdir()) == []


def test_a_name_without_versions_has_no_champion(made):
    """A store with other models in it gives the same refusal for a name it does not know."""
    with pytest.raises(Refused, match="No champion yet"):
        made.registry.champion("foretide-other")
    assert made.registry.find(NAME, "nobody") is None


def test_the_champion_is_the_promoted_version_with_its_files(made):
    """The folder handed out holds what was registered, byte for byte, and its predictions are the same."""
    served = made.again().champion(NAME)
    assert (served.name, served.version, served.is_from_cache) == (NAME, "1", False)
    assert content_hash(served.folder) == content_hash(made.folder / "trees") == served.model.content_sha256
    assert served.model.tags["code_version"] == "0.1.0"
    matrix = pd.DataFrame({"mood_level": [-1.0, 1.0], "sleep_level": [0.0, np.nan]})
    expected = risk.predict(risk.load(made.folder / "trees"), matrix)
    assert (risk.predict(risk.load(served.folder), matrix) == expected).all()
    assert made.registry.find(NAME, CHALLENGER) == made.versions[1]


def test_a_run_names_what_was_learnt_from_and_holds_no_row_of_it(made, tmp_path):
    """Dataset inputs are the lake's tables with their Delta versions and the digest of what was known; no schema, no profile."""
    from mlflow import MlflowClient

    lake, told = Lake(tmp_path / "lake"), "0123456789abcdef" * 4
    for number, name in enumerate(("zebra-1", "zebra-2")):
        row = pd.DataFrame({"subject_id": [name], "source": "a", "device_id": "registry", "enrolled_on": date(2026, 5, 1),
                            "received_at": pd.Timestamp("2026-05-01", tz="UTC").as_unit("us"), "is_deleted": False})  # fmt: skip
        ingest(lake, [Batch("subjects", row, "subjects")], f"told {number}")
    folder = fitted(made.folder / "of a lake", "logistic", ("mood_level",))
    known_at = pd.Timestamp("2026-07-01", tz="UTC")
    version = train(made.registry, folder, "foretide-lake", lambda: datasets.log(datasets.inputs(lake, told), known_at))
    (found,) = MlflowClient(made.registry.tracking_uri).get_run(version.run_id).inputs.dataset_inputs
    of = found.dataset
    assert (of.name, of.digest, of.source_type) == ("subjects", told[:36], "delta_table")
    version_read = DeltaTable(str(lake.root / "raw" / "subjects")).version()
    assert version_read >= 1
    assert json.loads(of.source) == {"path": str(lake.root / "raw" / "subjects"), "delta_table_version": version_read}
    assert (of.schema, of.profile) == (None, None)
    assert {tag.key: tag.value for tag in found.tags}["known_at"] == known_at.isoformat()
    assert "zebra" not in json.dumps(of.to_dictionary())


def test_a_model_without_features_is_registered_and_served(made):
    """The prevalence needs no feature; it is served through the same files and classes."""
    folder = fitted(made.folder / "prevalence", "logistic", ())
    version = train(made.registry, folder, "foretide-prevalence")
    made.registry.set_alias(version, CHAMPION)
    served = made.again().champion("foretide-prevalence")
    assert risk.predict(risk.load(served.folder), pd.DataFrame(index=range(3))).shape == (3, 2)


def test_a_run_shows_metrics_tables_figures_features_and_no_pickle(made):
    """Everything that a data scientist looks for is on the run; nothing anywhere in the artifacts is code but ours."""
    from mlflow import MlflowClient

    client = MlflowClient(made.registry.tracking_uri)
    run = client.get_run(made.versions[0].run_id)
    assert run.data.params == {"seed": "1"}
    assert run.data.metrics == {
        "unseen_subjects/onset_14d_auroc": 0.7,
        "unseen_subjects/onset_14d_auroc_tenure_only": 0.6,
    }
    artifacts = {p.name for p in made.registry.artifact_root.rglob("*") if p.is_file()}
    assert {"results.json", "flow.json", "curve.png", "features.json", "model.ubj", "serving_model.py"} <= artifacts
    assert not [name for name in artifacts if name.endswith((".pkl", ".pickle", ".joblib"))]
    assert not list(Path.cwd().glob("mlruns"))


def test_metrics_leave_out_groups_and_what_is_not_estimable():
    """Only ungrouped, finite values become metrics, and of a baseline only the headline."""
    assert set(metrics_of(ROWS)) == {"unseen_subjects/onset_14d_auroc", "unseen_subjects/onset_14d_auroc_tenure_only"}


def test_an_altered_model_is_refused_and_never_parsed(made):
    """Files changed in the artifact store, hashes and all, are refused: the true hash lies in the database."""
    stored = next(made.registry.artifact_root.rglob("*/artifacts/artifacts/plain/model.json"))
    hashes, original = stored.with_name("hashes.json"), stored.read_bytes()
    before = hashes.read_bytes()
    stored.write_bytes(original.replace(b'"logistic"', b'"sinister"'))
    hashes.write_bytes(json.dumps({"model.json": hashlib.sha256(stored.read_bytes()).hexdigest()}).encode())
    with pytest.raises(Refused, match="not those that were registered"):
        made.registry.set_alias(made.versions[1], CHAMPION)
    stored.write_bytes(original)
    hashes.write_bytes(before)
    assert made.again().champion(NAME).version == "1"


def test_a_champion_altered_in_the_artifact_store_alone_is_refused(made):
    """What was verified lies whole in the cache, and still an altered file beside the registry is not passed over."""
    assert not made.again().champion(NAME).is_from_cache
    stored = next(made.registry.artifact_root.rglob("*/artifacts/artifacts/trees/model.ubj"))
    original = stored.read_bytes()
    try:
        for altered in (original[:-1] + b"x", original[: len(original) // 2]):
            stored.write_bytes(altered)
            with pytest.raises(Refused, match="altered or swapped. Restore MLflow's artifacts"):
                made.again().champion(NAME)
    finally:
        stored.write_bytes(original)
    assert not made.again().champion(NAME).is_from_cache


def test_without_its_files_in_the_store_the_champion_is_served_from_the_cache_and_marked(made):
    """Files that are gone are no altered ones: as with the registry away."""
    stored = next(made.registry.artifact_root.rglob("*/artifacts/artifacts/trees"))
    kept = stored.rename(made.registry.artifact_root.parent / "away")
    try:
        served = made.again().champion(NAME)
        assert (served.version, served.is_from_cache) == ("1", True)
    finally:
        kept.rename(stored)
    assert not made.again().champion(NAME).is_from_cache


def test_a_state_that_was_moved_is_not_called_altered(made):
    """MLflow keeps where files lie as a whole path; nothing there is another thing than something else there."""
    stored = next(made.registry.artifact_root.rglob("*/artifacts/artifacts/plain"))
    elsewhere = stored.rename(stored.with_name("elsewhere.away"))
    kept = elsewhere.rename(made.registry.artifact_root.parent / "away")
    try:
        with pytest.raises(Refused, match="lie where the registry says. Put the state folder back"):
            Registry(made.registry.tracking_uri, made.registry.artifact_root, made.registry.cache / "none").fetch(
                made.versions[1]
            )
    finally:
        kept.rename(stored)
    assert made.again().champion(NAME).version == "1"


def test_an_altered_cache_is_fetched_again(made):
    """A flipped bit in the cache is found and the files are fetched anew."""
    served = made.registry.champion(NAME)
    path = served.folder / "model.ubj"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert content_hash(made.again().champion(NAME).folder) == served.model.content_sha256


@pytest.mark.parametrize("fault", ["gone", "not a database"])
def test_without_the_registry_the_last_champion_is_served_and_marked(made, tmp_path, fault):
    """With the database away or broken, the verified copy serves and says so; without a copy nothing does."""
    made.registry.champion(NAME)
    uri = tmp_path / "mlflow.db"
    if fault == "not a database":
        uri.write_bytes(b"garbage " * 1000)
    broken = Registry(f"sqlite:///{uri}", tmp_path / "artifacts", made.registry.cache)
    served = broken.champion(NAME)
    assert (served.version, served.is_from_cache) == ("1", True)
    path = served.folder / "model.ubj"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    with pytest.raises(Fault, match="no verified copy"):
        broken.champion(NAME)
    path.write_bytes(whole)
    assert uri.exists() == (fault == "not a database")


def test_a_version_that_foretide_did_not_register_is_refused(made):
    """A version without a recorded hash cannot be verified, so it cannot serve."""
    client = made.registry._client
    client.create_registered_model("foretide-foreign")
    client.create_model_version("foretide-foreign", source=client.get_model_version(NAME, "1").source)
    client.set_registered_model_alias("foretide-foreign", CHAMPION, "1")
    with pytest.raises(Refused, match=CONTENT_TAG):
        made.registry.champion("foretide-foreign")
