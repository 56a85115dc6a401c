"""Every trial of a search as an MLflow run, nested in one run of the whole tuning; and the file that trials are kept in.

The file is what a search goes on from. MLflow mirrors it: a trial that was finished when a command was stopped, but not yet
mirrored, is by the next one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import optuna
import pandas as pd

from models import tuning
from pipelines.installation import Installation
from pipelines.release import tracking

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

TUNING_TAG, TRIAL_TAG, PARENT_TAG = "tuning", "tuning_trial", "mlflow.parentRunId"
FOLDER, FILE = "tuning", "trials.db"


def is_there(installation: Installation) -> bool:
    """Whether anything was ever tuned here."""
    return (installation.settings.state_folder / FOLDER / FILE).is_file()


def storage(installation: Installation) -> optuna.storages.RDBStorage:
    """Where trials are kept, below the state folder: values tried and figures of folds, of no subject."""
    folder = installation.settings.state_folder / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna.storages.RDBStorage(f"sqlite:///{folder / FILE}")


def studies_of(storage: optuna.storages.RDBStorage, outcome: str) -> dict[str, optuna.Study]:
    """Every search ever made for an outcome, by name."""
    names = [name for name in optuna.get_all_study_names(storage) if name.startswith(f"{outcome} ")]
    return {name: optuna.load_study(study_name=name, storage=storage) for name in names}


class Mirror:
    """The MLflow run of one tuning, found again by its name, and the trials that it shows."""

    def __init__(self, installation: Installation, name: str, run_name: str, params: Mapping[str, Any]) -> None:
        settings = installation.settings
        self._client, self._experiment = tracking.open_store(settings.tracking_uri, settings.artifacts_folder)
        known = next(self._runs(TUNING_TAG, name), None)
        if known is None:
            known = self._client.create_run(self._experiment, tags={TUNING_TAG: name}, run_name=run_name)
            for key, value in params.items():
                self._client.log_param(known.info.run_id, key, value)
        self.run_id = str(known.info.run_id)
        self._client.update_run(self.run_id, status="RUNNING")
        self._shown = {run.data.tags[TRIAL_TAG] for run in self._runs(PARENT_TAG, self.run_id)}

    def _runs(self, tag: str, value: str) -> Iterator[Any]:
        token: str | None = ""
        while token is not None:
            page = self._client.search_runs([self._experiment], f"tags.`{tag}` = '{value}'", page_token=token or None)
            yield from page
            token = page.token or None

    def show(self, studies: Mapping[str, optuna.Study]) -> None:
        """Make a nested run of every finished trial that has none yet.

        Args:
            studies: by what each is called, e.g. the fold that it was searched without.
        """
        for called, study in studies.items():
            for trial in tuning.finished(study):
                key = f"{called} {trial.number}"
                if key not in self._shown:
                    self._add(called, key, trial)
                    self._shown.add(key)

    def _add(self, called: str, key: str, trial: "FrozenTrial") -> None:
        from mlflow.entities import Metric, Param

        begun, ended = (int(at.timestamp() * 1000) for at in (trial.datetime_start, trial.datetime_complete) if at)
        tags = {PARENT_TAG: self.run_id, TRIAL_TAG: key, "search": called, "state": trial.state.name.lower()}
        run_id = self._client.create_run(self._experiment, start_time=begun, tags=tags, run_name=key).info.run_id
        figures = [Metric("auroc_so_far", value, ended, step) for step, value in trial.intermediate_values.items()]
        figures.append(Metric(tuning.LOG_LOSS, trial.user_attrs[tuning.LOG_LOSS], ended, 0))
        if trial.state == optuna.trial.TrialState.COMPLETE and trial.value is not None:
            figures.append(Metric("auroc", trial.value, ended, 0))
        params = [Param(name, str(value)) for name, value in asdict(tuning.grown(trial.params)).items()]
        self._client.log_batch(run_id, metrics=figures, params=params)
        self._client.set_terminated(run_id, end_time=ended)

    def close(self, rows: pd.DataFrame, proposed: Mapping[str, float]) -> None:
        """Put what tuning came to onto the run, over what stood there before."""
        for row in rows.to_dict("records"):
            self._client.log_metric(self.run_id, f"nested/{row['metric']}_{row['model']}", float(row["value"]))
        self._client.log_text(self.run_id, rows.to_csv(index=False), "tables/tuning.csv")
        self._client.log_dict(self.run_id, dict(proposed), "proposed.json")
        self._client.set_terminated(self.run_id)
