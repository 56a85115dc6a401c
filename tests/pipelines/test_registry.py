"""The registry: what is promoted is what is served, verified, also when the registry is away."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable
from matplotlib.figure import Figure

from models import risk
from pipelines.door.intake import ingest
from pipelines.errors import Fault, Refused
from pipelines.lake import Lake
from pipelines.release import datasets
from pipelines.release.registry import (
    CHALLENGER,
    CHAMPION,
    CONTENT_TAG,
    ModelVersion,
    Registry,
    content_hash,
    model_name,
)
from pipelines.release.tracking import metrics_of
from pipelines.sources.batch import Batch

NAME = model_name("crisis")
ROWS = pd.DataFrame(
    [
        ("boosted_hazard", "all", "auroc", 0.7),
        ("tenure_only", "all", "auroc", 0.6),
        ("tenure_only", "all", "brier", 0.1),
        ("boosted_hazard", "all", "e90", float("nan")),
        ("boosted_hazard", "sex=F", "auroc", 0.7),
    ],
    columns=["model", "group", "metric", "value"],
).assign(dataset="simulated", outcome="crisis", task="onset", horizon_days=14, split="unseen_subjects")


def fitted(folder: Path, learner: str, features: tuple[str, ...]) -> Path:
    """A small model, saved: 60 subjects, whose risk rises with `mood_level`."""
    generator = np.random.default_rng(3)
    matrix = pd.DataFrame({"mood_level": generator.normal(size=600), "sleep_level": generator.normal(size=600)})
    has_event = generator.random(600) < 0.1 + 0.3 * (matrix["mood_level"] > 0)
    labels = pd.DataFrame(
        {
            "subject_id": [f"s{n % 60:02}" for n in range(600)], "outcome": "crisis", "task": "onset",
            "days_to_event": np.where(has_event, generator.integers(0, 14, 600), np.nan), "followed_days": 30,
            "is_masked": False,
        }
    )  # fmt: skip
    risk.save(risk.fit(matrix, labels, (7, 14), features, learner, seed=1, threads=1), folder)
    return folder


def train(
    registry: Registry, folder: Path, name: str = NAME, log_inputs: Callable[[], None] = lambda: None
) -> ModelVersion:
    """Register the model in the folder."""
    model = risk.load(folder)
    example = pd.DataFrame({feature: [0.5] for feature in model.features})
    return registry.log_training(
        name, "training", {"seed": 1}, {"code_version": "0.1.0"}, ROWS, {"flow": ROWS.head(1)}, {"curve": Figure()},
        folder, model.features, model.horizons_days, example, log_inputs,
    )  # fmt: skip


@dataclass
class Made:
    """A registry with a champion, version 1, and a challenger, version 2."""

    registry: Registry
    folder: Path
    versions: list[ModelVersion]

    def again(self) -> Registry:
        """The same registry as another process would open it."""
        return Registry(self.registry.tracking_uri, self.registry.artifact_root, self.registry.cache)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    """One store for the module, since a fresh one takes seconds; each test leaves it as it was."""
    folder = tmp_path_factory.mktemp("registry")
    registry = Registry(
        f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}", folder / "mlflow" / "artifacts", folder / "cache"
    )
    trees = fitted(folder / "trees", "boosted_trees", ("mood_level", "sleep_level"))
    plain = fitted(folder / "plain", "logistic", ("mood_level",))
    versions = [train(registry, trees), train(registry, plain)]
    registry.set_alias(versions[0], CHAMPION)
    registry.set_alias(versions[1], CHALLENGER)
    return Made(registry, folder, versions)


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


def test_the_registered_model_scores_a_frame_in_a_notebook(made):
    """`mlflow.pyfunc.load_model` gives one risk per horizon, rising, whatever other columns the frame has."""
    import mlflow

    mlflow.set_tracking_uri(made.registry.tracking_uri)
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@{CHAMPION}")
    frame = pd.DataFrame(
        {"subject_id": ["a", "b"], "sleep_level": [0.0, np.nan], "mood_level": [-1.0, 1.0]}, index=[7, 8]
    )
    scored = model.predict(frame)
    assert list(scored.columns) == ["risk_7d", "risk_14d"]
    assert list(scored.index) == [7, 8]
    assert (scored["risk_7d"] <= scored["risk_14d"]).all()
    assert (scored.to_numpy() == risk.predict(risk.load(made.folder / "trees"), frame)).all()
    with pytest.raises(mlflow.exceptions.MlflowException, match="mood_level"):
        model.predict(frame.drop(columns="mood_level"))


FRAME = (
    "pd.DataFrame({'mood_level': np.linspace(-3, 3, 201), "
    "'sleep_level': np.where(np.arange(201) % 3, np.cos(np.arange(201)), np.nan)})"
)
BY_MLFLOW = f"""
import sys, numpy as np, pandas as pd
from pipelines.release import tracking
mlflow = tracking.import_mlflow()
mlflow.set_tracking_uri(sys.argv[1])
scored = mlflow.pyfunc.load_model("models:/{NAME}@{CHAMPION}").predict({FRAME})
print(np.ascontiguousarray(scored.to_numpy()).tobytes().hex())
"""
BY_CACHE = f"""
import sys, numpy as np, pandas as pd
from pathlib import Path
from models import risk
from pipelines.release.registry import Registry
served = Registry(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])).champion("{NAME}")
print(np.ascontiguousarray(risk.predict(risk.load(served.folder), {FRAME})).tobytes().hex())
"""


def test_mlflow_and_the_verified_cache_score_to_the_same_bytes_in_processes_of_their_own(made):
    """What a notebook loads with `mlflow.pyfunc.load_model` and what the night serves give the same 201 rows of risks."""
    of = made.registry
    where = (of.tracking_uri, str(of.artifact_root), str(of.cache))
    first, second = (
        subprocess.run([sys.executable, "-c", code, *where], capture_output=True, text=True, check=True).stdout.split()[
            -1
        ]
        for code in (BY_MLFLOW, BY_CACHE)
    )
    assert len(first) == 201 * 2 * 8 * 2
    assert first == second


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
