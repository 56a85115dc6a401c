"""A registered model in a notebook: loaded by MLflow, compared with what was registered, and silent about rows."""

import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from models import risk
from models.errors import ModelsError
from pipelines.errors import Refused
from pipelines.release.registry import CHALLENGER, CHAMPION
from pipelines.release.stored import content_hash
from tests.pipelines.small_registry import NAME, Made, fitted, make_registry, train

OF_VERSION, OF_LOGGED_MODEL, OF_RUN = "models:/{name}/{version}", "models:/{model_id}", "runs:/{run_id}/model"


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Made:
    """One store for the module, since a fresh one takes seconds; each test leaves it as it was."""
    return make_registry(tmp_path_factory.mktemp("notebook"))


@pytest.fixture(autouse=True)
def _a_notebook_of_its_own(made, monkeypatch):
    """MLflow asks the store, and nobody has said yet what its errors may hold."""
    mlflow.set_tracking_uri(made.registry.tracking_uri)
    monkeypatch.delenv("MLFLOW_DISABLE_SCHEMA_DETAILS", raising=False)
    yield
    mlflow.set_tracking_uri(made.registry.tracking_uri)


def stored(made: Made, model: str) -> Path:
    """The folder of a model's files in the artifact store."""
    return next(made.registry.artifact_root.rglob(f"*/artifacts/artifacts/{model}"))


@contextmanager
def altered(folder: Path) -> Iterator[Path]:
    """A folder of the artifact store to be altered; as it was, afterwards."""
    whole = folder.with_name(f"{folder.name}.whole")
    shutil.copytree(folder, whole)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        whole.rename(folder)


def test_a_frame_is_scored_by_name_whatever_else_it_holds(made):
    """`mlflow.pyfunc.load_model` gives one risk per horizon, rising; a missing value is no fault."""
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@{CHAMPION}")
    frame = pd.DataFrame(
        {"subject_id": ["a", "b"], "sleep_level": [0.0, np.nan], "mood_level": [-1.0, 1.0]}, index=[7, 8]
    )
    scored = model.predict(frame)
    assert list(scored.columns) == ["risk_7d", "risk_14d"]
    assert list(scored.index) == [7, 8]
    assert (scored["risk_7d"] <= scored["risk_14d"]).all()
    assert (scored.to_numpy() == risk.predict(risk.load(made.folder / "trees"), frame)).all()


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


@pytest.mark.parametrize("uri", [OF_VERSION, OF_LOGGED_MODEL, OF_RUN])
def test_altered_files_are_refused_before_they_are_parsed(made, uri):
    """However a model is asked for, files changed in the artifact store, hashes and all, are not even read as JSON."""
    version = made.versions[1]
    model_id = mlflow.pyfunc.load_model(OF_RUN.format(run_id=version.run_id)).metadata.model_id
    told = uri.format(name=NAME, version=version.version, run_id=version.run_id, model_id=model_id)
    assert len(mlflow.pyfunc.load_model(told).predict(pd.DataFrame({"mood_level": [0.5]}))) == 1
    with altered(stored(made, "plain")) as folder:
        (folder / "model.json").write_text("no JSON at all")
        (folder / "hashes.json").write_text("nor this")
        with pytest.raises(Refused, match="not those that were registered"):
            mlflow.pyfunc.load_model(told)


def test_another_registered_model_in_its_place_is_refused(made):
    """Who asks for a version gets that one: not another's files, though these are registered and all notes beside them agree."""
    with altered(stored(made, "trees").parent.parent) as fetched:
        others = stored(made, "plain")
        shutil.rmtree(fetched / "artifacts" / "trees")
        shutil.copytree(others, fetched / "artifacts" / "trees")
        shutil.copy(others.parent.parent / "registered_model_meta", fetched)
        about, ids = (
            fetched / "MLmodel",
            [mlflow.models.Model.load(path).model_id for path in (fetched, others.parents[1])],
        )
        about.write_text(about.read_text().replace(*ids))
        assert content_hash(fetched / "artifacts" / "trees") == made.versions[1].content_sha256
        with pytest.raises(Refused, match="not those that were registered"):
            mlflow.pyfunc.load_model(f"models:/{NAME}@{CHAMPION}")


def test_a_copy_is_loaded_only_where_its_registry_is_asked(made, tmp_path, monkeypatch):
    """In a folder of its own a model is compared with the same registry; where that is not asked it is refused, and no store made."""
    copy = mlflow.artifacts.download_artifacts(f"models:/{NAME}/1", dst_path=str(tmp_path))
    assert len(mlflow.pyfunc.load_model(copy).predict(pd.DataFrame({"mood_level": [0.5], "sleep_level": [0.5]}))) == 1
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri("sqlite:///another.db")
    with pytest.raises(Refused, match="does not know the model"):
        mlflow.pyfunc.load_model(copy)
    assert not (tmp_path / "another.db").exists()


def test_a_model_registered_without_a_hash_is_refused(made):
    """Nothing says what its files should be."""
    client = mlflow.MlflowClient()
    client.create_registered_model("foretide-unhashed")
    client.create_model_version("foretide-unhashed", source=client.get_model_version(NAME, "1").source)
    with pytest.raises(Refused, match="does not know the model"):
        mlflow.pyfunc.load_model("models:/foretide-unhashed/1")


def test_the_signature_names_features_and_risks_and_the_example_fits_it():
    """Features are doubles that may be missing, risks doubles that are not; the example is scored as it is stored."""
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@{CHALLENGER}")
    given, made_of_it = model.metadata.signature.inputs, model.metadata.signature.outputs
    assert [(c.name, c.type.name, c.required) for c in given] == [("mood_level", "double", False)]
    assert [(c.name, c.type.name) for c in made_of_it] == [("risk_7d", "double"), ("risk_14d", "double")]
    assert model.input_example.to_dict("list") == {"mood_level": [0.5]}
    assert model.predict(model.input_example).shape == (1, 2)


def test_a_model_without_features_scores_any_frame(made):
    """The prevalence: its signature has only what comes out, and every row gets the same, under its own index."""
    folder = fitted(made.folder / "no features", "logistic", ())
    train(made.registry, folder, "foretide-no-features")
    model = mlflow.pyfunc.load_model("models:/foretide-no-features/1")
    assert model.metadata.signature.inputs is None
    assert model.metadata.signature.outputs.input_names() == ["risk_7d", "risk_14d"]
    scored = model.predict(pd.DataFrame({"subject_id": ["a", "b"]}, index=[7, 8]))
    assert list(scored.index) == [7, 8]
    assert (scored.to_numpy() == risk.predict(risk.load(folder), pd.DataFrame(index=range(2)))).all()
    assert model.predict(model.input_example).shape == (1, 2)


@pytest.mark.parametrize(
    "values", [np.array([0, 1]), np.array([3, 4], dtype="int32"), pd.array([3.0, None], dtype="Float64"), [3.0, None]]
)
def test_numbers_that_lose_nothing_as_doubles_are_scored_as_doubles(made, values):
    """Small integers and optional numbers give what the same doubles give."""
    frame = pd.DataFrame({"mood_level": values, "sleep_level": [0.5, np.nan]})
    scored = mlflow.pyfunc.load_model(f"models:/{NAME}@{CHAMPION}").predict(frame)
    expected = risk.predict(risk.load(made.folder / "trees"), frame.astype("float64"))
    assert (scored.to_numpy() == expected).all()


UNFIT = {
    "text": ({"mood_level": ["zebra", "yak"], "sleep_level": [71.625, 72.625]}, "mood_level.*str to float64"),
    "long integers": ({"mood_level": [7162, 7163], "sleep_level": [71.625, 72.625]}, "mood_level.*int64 to float64"),
    "an absent column": ({"sleep_level": [71.625, 72.625]}, "lacks 1 of the model's 2 features, first `mood_level`"),
    "an infinite value": ({"mood_level": [np.inf, 71.625], "sleep_level": [71.625, 72.625]}, "holds 1 infinite values"),
}  # fmt: skip


@pytest.mark.parametrize(("columns", "told"), UNFIT.values(), ids=UNFIT)
def test_what_is_told_of_a_frame_that_does_not_fit_names_columns_and_holds_no_row(columns, told):
    """Neither the error nor those that led to it, as a notebook prints them all, hold a value or a subject's id."""
    frame = pd.DataFrame({"subject_id": ["zebra-1", "zebra-2"], **columns})
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@{CHAMPION}")
    with pytest.raises((MlflowException, ModelsError)) as raised:
        model.predict(frame)
    printed = "".join(traceback.format_exception(raised.value))
    assert pd.Series([printed]).str.contains(told).all()
    assert not [value for value in ("zebra", "yak", "71.625", "72.625", "7162", "7163") if value in printed]


def test_columns_that_no_feature_needs_are_said_by_name_only(caplog):
    """MLflow's warning about further columns holds none of their values."""
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@{CHALLENGER}")
    with caplog.at_level("WARNING", "mlflow"):
        model.predict(pd.DataFrame({"subject_id": ["zebra-1"], "mood_level": [71.625]}))
    assert "subject_id" in caplog.text
    assert "zebra" not in caplog.text
    assert "71.625" not in caplog.text


def test_who_wants_mlflow_to_print_frames_is_not_overruled(monkeypatch):
    """The variable is only set where nobody has set it."""
    monkeypatch.setenv("MLFLOW_DISABLE_SCHEMA_DETAILS", "false")
    model = mlflow.pyfunc.load_model(f"models:/{NAME}@{CHALLENGER}")
    with pytest.raises(MlflowException, match="yak"):
        model.predict(pd.DataFrame({"mood_level": ["yak"]}))
