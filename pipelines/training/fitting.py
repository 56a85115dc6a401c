"""Fits what earned being served on every subject and registers it as a challenger, if its training passed the controls."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from models import importance, protocol, risk
from models.baselines import Predictor
from models.outcomes import Outcome
from pipelines import contents, engineering
from pipelines.installation import Installation
from pipelines.progress import Counts
from pipelines.release import datasets, tracking
from pipelines.release.registry import CHALLENGER, RESULTS_TAG, model_name
from pipelines.sections import Training
from pipelines.training import controls
from pipelines.training.candidates import candidates
from pipelines.training.controls import CONTROLS
from pipelines.training.evaluating import IMPORTANCE
from pipelines.training.example import simulated_row
from pipelines.training.provenance import code_version


def register(installation: Installation, night: str, tables: Mapping[str, pd.DataFrame]) -> Counts:
    """Fit what earned being served on every subject, and register it as the challenger of its outcome.

    Args:
        tables: what else is logged with the training, by name; no subject may be in them.

    Raises:
        Refused: a control failed, or not all were run on this training.
    """
    tables = {CONTROLS: controls.passed(installation, night), IMPORTANCE: installation.lake.load(IMPORTANCE), **tables}
    served, moved = installation.lake.load("served").set_index("outcome"), tables[IMPORTANCE]
    how = installation.settings.training
    counts: Counts = {}
    for outcome in engineering.outcomes(installation):
        installation.report(f"registering {outcome.name}")
        matrix = installation.lake.load(f"training_matrix_{outcome.name}")
        labels = installation.lake.load(f"labels_{outcome.name}")
        name = str(served.loc[outcome.name, "served"])
        predictor = next(p for p in candidates(matrix, installation.settings.features_on(), how) if p.name == name)
        unsaid = importance.contradicted(moved, outcome.name, name)
        model = replace(fit_final(matrix, labels, outcome, predictor, how), unsaid=unsaid)
        registered = _log(installation, night, outcome, model, tables)
        installation.registry.set_alias(registered, CHALLENGER)
        installation.audit_log.append(
            "training",
            {"model": registered.name, "version": registered.version, "predictor": name, "sha256": registered.content_sha256},
            engineering.cohort(installation, night).known_at,
        )  # fmt: skip
        counts[registered.name] = f"version {registered.version}, {name}"
    return counts


def fit_final(
    matrix: pd.DataFrame, labels: pd.DataFrame, outcome: Outcome, predictor: Predictor, training: Training,
    with_intervals: bool = True,
) -> risk.HazardModel:  # fmt: skip
    """Fit a predictor of onset on every subject, on such rows as in evaluation, calibrated by cross-fitting."""
    onset = labels[labels["task"] == "onset"].reset_index(drop=True)
    kept = protocol.learnt_from(matrix, onset, predictor.features, training.train_every_days)
    return protocol.fit_one(
        matrix[kept], onset[kept], outcome.horizons_days, predictor, training.seed, training.threads, with_intervals
    )


def _log(  # type: ignore[no-untyped-def]
    installation: Installation, night: str, outcome: Outcome, model: risk.HazardModel, tables: Mapping[str, pd.DataFrame]
):  # fmt: skip
    from pipelines.reports.figures import training_figures

    lake, settings = installation.lake, installation.settings
    rows = lake.load("results").query("outcome == @outcome.name")
    known = engineering.cohort(installation, night)
    params = {**settings.training.model_dump(), "night": night, "learner": model.learner, "predictor": model.name,
              "features": len(model.features), **{f"outcome.{k}": v for k, v in vars(outcome).items()}}  # fmt: skip
    tags = {"code_version": code_version(), "data_version": contents.version(lake, known.known_at),
            "known_at": known.known_at.isoformat(), "outcome": outcome.name, "predictor": model.name,
            RESULTS_TAG: tracking.content_of(rows),
            **({"mitigation": f"reweighing by {model.reweighed_by}"} if model.reweighed_by else {}),
            # A training with more to show is another one, and is recorded.
            **{f"{name}_table": "logged" for name in tables}}  # fmt: skip
    declared = settings.outcomes[outcome.name]
    figures = training_figures(rows, lake.load(f"predictions_{outcome.name}"), model.name, declared.alert_horizon)
    example = simulated_row(settings, outcome, model.features)
    with tempfile.TemporaryDirectory(dir=settings.state_folder) as folder:
        risk.save(model, Path(folder) / "model")
        return installation.registry.log_training(
            model_name(outcome.name), f"{outcome.name} {night}", params, tags, rows, {"flow": lake.load("flow"), **tables}, figures,
            Path(folder) / "model", model.features, model.horizons_days, example,
            lambda: datasets.log(datasets.inputs(lake, tags["data_version"]), known.known_at),
        )  # fmt: skip
