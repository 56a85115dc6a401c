"""The model registry: MLflow runs and versions, and the verified model folders that scoring reads.

A version's files are hashed when they are registered; the hash lies in MLflow's database, apart from the files, and
is compared before a model is handed out. What was verified is kept in a cache, from which the last champion is served
when the database or the files cannot be reached; files that were altered are refused, whatever the cache holds.
Promotions are recorded in the audit log by whoever decides them, since MLflow keeps no history of aliases.
"""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pipelines import durable, locks
from pipelines.errors import Fault, Refused
from pipelines.release import tracking
from pipelines.release.stored import content_hash, verified_copy

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient

CHAMPION, CHALLENGER = "champion", "challenger"
CONTENT_TAG = "content_sha256"
# Which results were measured in the training that made a version.
RESULTS_TAG = "results_sha256"


@dataclass(frozen=True)
class ModelVersion:
    """A registered version: its run, the hash of its files, and what was noted about it."""

    name: str
    version: str
    run_id: str
    content_sha256: str
    tags: Mapping[str, str] = field(default_factory=dict)

    def has_seen_beyond(self, known_at: pd.Timestamp) -> bool:
        """Whether it was trained on what came to be known after an instant."""
        trained = self.tags.get("known_at")
        return trained is not None and pd.Timestamp(trained) > known_at


@dataclass(frozen=True)
class ServedModel:
    """A version whose files were verified and lie in `folder`; `is_from_cache` if the registry, or its files, could not be
    reached."""

    model: ModelVersion
    folder: Path
    is_from_cache: bool = False

    @property
    def name(self) -> str:
        """The registered name."""
        return self.model.name

    @property
    def version(self) -> str:
        """The version's number."""
        return self.model.version


def model_name(outcome: str) -> str:
    """The name under which an outcome's model is registered."""
    return f"foretide-{outcome}"


class Registry:
    """The MLflow store at `tracking_uri`, its artifacts, and the cache of verified models.

    `fence` raises once another run took the place of this one.
    """

    def __init__(
        self, tracking_uri: str, artifact_root: Path, cache: Path, fence: Callable[[], None] = locks.unfenced
    ) -> None:
        self._fence = fence
        self.tracking_uri = tracking_uri
        self.artifact_root = artifact_root
        self.cache = cache
        # Champions whose files were compared as they lie in the store, and whether they were there: asked once in a process.
        self._compared: dict[tuple[str, str, str], bool] = {}

    @cached_property
    def _store(self) -> tuple["MlflowClient", str]:
        return tracking.open_store(self.tracking_uri, self.artifact_root)

    @property
    def _client(self) -> "MlflowClient":
        client = self._store[0]
        # MLflow asks the process-wide store in places; another registry may have been opened since.
        tracking.import_mlflow().set_tracking_uri(self.tracking_uri)
        return client

    def log_training(
        self,
        name: str,
        run_name: str,
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        rows: pd.DataFrame,
        tables: Mapping[str, pd.DataFrame],
        figures: Mapping[str, "Figure"],
        model_folder: Path,
        feature_list: Sequence[str],
        horizons_days: Sequence[int],
        input_example: pd.DataFrame,
        log_inputs: Callable[[], None] = lambda: None,
    ) -> ModelVersion:
        """Record a training as an MLflow run and register its model as a new version of `name`.

        The same model made of the same things as the present challenger is that challenger, and nothing is recorded.

        Args:
            params: what the training was told, e.g. seed, folds, learner.
            tags: what it was made of, e.g. code version, content version of the lake; also put on the version.
            rows: tidy result rows; logged whole as a table, the model's own also as metrics.
            tables: further tables, by name. No subject may be in them.
            figures: matplotlib figures, by name.
            model_folder: what `models.risk.save` wrote.
            feature_list: the model's features, in order.
            horizons_days: the model's horizons, in order.
            input_example: a simulated row with (at least) these features; never a row of the cohort, it is stored.
            log_inputs: puts what was learnt from onto the run that is open (`pipelines.release.datasets`).
        """
        mlflow = tracking.import_mlflow()
        client, experiment = self._client, self._store[1]
        digest = content_hash(model_folder)
        before = self.find(name, CHALLENGER)
        if before and before.content_sha256 == digest and dict(tags).items() <= before.tags.items():
            return before
        with mlflow.start_run(experiment_id=experiment, run_name=run_name, tags=dict(tags)) as run:
            log_inputs()
            mlflow.log_params(dict(params))
            mlflow.log_metrics(tracking.metrics_of(rows))
            tracking.log_results({"results": rows, **tables}, figures)
            mlflow.log_dict({"features": list(feature_list)}, "features.json")
            of_files = {CONTENT_TAG: digest}
            logged = tracking.log_model(model_folder, feature_list, horizons_days, input_example, of_files)
        _ensure_name(client, name)
        made = client.create_model_version(
            name, logged.model_uri, run.info.run_id, tags={**tags, **of_files}, model_id=logged.model_id
        )
        return _version(made)

    def find(self, name: str, alias: str) -> ModelVersion | None:
        """The version that an alias points to; none if there is no such model or alias."""
        if not tracking.is_there(self.tracking_uri):
            return None
        try:
            number = self._client.get_registered_model(name).aliases.get(alias)
        except tracking.import_mlflow().exceptions.MlflowException as error:
            if error.error_code == tracking.NOT_FOUND:
                return None
            raise
        return None if number is None else _version(self._client.get_model_version(name, str(number)))

    def version(self, name: str, number: str) -> ModelVersion | None:
        """A version by its number; none if it was deleted."""
        try:
            return _version(self._client.get_model_version(name, number))
        except tracking.import_mlflow().exceptions.MlflowException as error:
            if error.error_code == tracking.NOT_FOUND:
                return None
            raise

    def set_alias(self, model: ModelVersion, alias: str) -> None:
        """Point an alias to a version; a new champion's files are verified and cached first.

        Raises:
            Refused: the version's files are not those that were registered, or another run took this one's place.
        """
        self._fence()
        if alias == CHAMPION:
            self._remember(model, self.fetch(model))
        self._fence()
        self._client.set_registered_model_alias(model.name, alias, model.version)

    def champion(self, name: str) -> ServedModel:
        """The serving model, its files verified before anything reads them, those in the artifact store too.

        Raises:
            Refused: nothing was promoted yet, or the files were altered, be it in the artifact store alone.
            Fault: the registry cannot be reached, and no champion was ever verified here.
        """
        if not tracking.is_there(self.tracking_uri) and self._memory(name).is_file():
            return self._remembered(name, None)
        try:
            found = self.find(name, CHAMPION)
        except tracking.unreachable() as error:
            return self._remembered(name, error)
        if found is None:
            raise Refused(
                f"No champion yet for `{name}`: the registry has none. Run `foretide train`; its report says why the release "
                "policy holds a model back. If one served before, restore MLflow's folder from a backup."
            )
        folder = self.fetch(found)
        is_there = self._is_stored(found)
        self._remember(found, folder)
        return ServedModel(found, folder, is_from_cache=not is_there)

    def fetch(self, model: ModelVersion) -> Path:
        """A folder with the version's files, verified against the hash that was registered with it.

        Raises:
            Refused: the files are not those that were registered.
        """
        folder = self.cache / model.name / model.content_sha256
        self.cache.mkdir(parents=True, exist_ok=True)
        with locks.in_turn(self.cache / ".lock"):
            if not folder.is_dir() or content_hash(folder) != model.content_sha256:
                self._download(model, folder)
        return folder

    def _is_stored(self, model: ModelVersion) -> bool:
        """Whether the registered files lie in the artifact store; False if they are gone or cannot be reached.

        Raises:
            Refused: other files lie there.
        """
        key = model.name, model.version, model.content_sha256
        if key not in self._compared:
            try:
                with locks.in_turn(self.cache / ".lock"), self._stored(model) as found:
                    self._compared[key] = found is not None
            except tracking.unreachable():
                self._compared[key] = False
        return self._compared[key]

    @contextmanager
    def _stored(self, model: ModelVersion) -> Iterator[Path | None]:
        """A copy of the version's files as they lie in the artifact store, gone after the block; None if none lie there.

        Raises:
            Refused: they are not those that were registered.
        """
        fresh = self.cache / model.name / f".{model.content_sha256}.partial"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        try:
            yield verified_copy(self.tracking_uri, model.name, model.version, model.content_sha256, fresh)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def _download(self, model: ModelVersion, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        with self._stored(model) as found:
            if found is None:
                raise Refused(
                    f"No files of `{model.name}` version {model.version} lie where the registry says. Put the state folder back "
                    "where it was when the model was trained, restore MLflow's artifacts from a backup, or train and promote again."
                )
            found.rename(folder)
        durable.sync_folder(folder.parent)

    def _memory(self, name: str) -> Path:
        return self.cache / name / "champion.json"

    def _remember(self, model: ModelVersion, folder: Path) -> None:
        content = json.dumps(asdict(model) | {"tags": dict(model.tags)}, sort_keys=True).encode()
        memory = self._memory(model.name)
        if not memory.is_file() or memory.read_bytes() != content:
            durable.replace(folder.parent / memory.name, content)

    def _remembered(self, name: str, error: Exception | None) -> ServedModel:
        memory = self._memory(name)
        if memory.is_file():
            model = ModelVersion(**json.loads(memory.read_bytes()))
            folder = self.cache / name / model.content_sha256
            if folder.is_dir() and content_hash(folder) == model.content_sha256:
                return ServedModel(model, folder, is_from_cache=True)
        raise Fault(
            f"The model registry cannot be reached and no verified copy of `{name}` is here; nothing was scored. "
            "Bring the registry back, then try again."
        ) from error


def _version(made: Any) -> ModelVersion:
    if CONTENT_TAG not in made.tags:
        raise Refused(
            f"`{made.name}` version {made.version} carries no `{CONTENT_TAG}` and so cannot be verified: it was not "
            "registered by Foretide. Train and promote a model of your own."
        )
    return ModelVersion(made.name, str(made.version), str(made.run_id), made.tags[CONTENT_TAG], dict(made.tags))


def _ensure_name(client: "MlflowClient", name: str) -> None:
    try:
        client.create_registered_model(name)
    except tracking.import_mlflow().exceptions.MlflowException as error:
        if error.error_code != tracking.EXISTS:
            raise
