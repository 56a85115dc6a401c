"""How published scores turned out, as outcomes are known by now: once a week, of nights whose horizon is over."""

import json
from collections.abc import Mapping

import numpy as np
import pandas as pd

from models.evaluation import at_headline
from models.fairness.groups import levels_of
from models.monitoring import prospective
from models.monitoring.prospective import Promise
from models.outcomes import Outcome, at_horizon
from pipelines import durable, engineering
from pipelines.by_night import NIGHT
from pipelines.installation import Installation
from pipelines.monitoring import past, published
from pipelines.release import tracking
from pipelines.release.registry import RESULTS_TAG, model_name
from pipelines.training import deeds, labelling

PROMISES = "promises.json"


def look(
    installation: Installation, night: str, rows: pd.DataFrame, attributes: pd.DataFrame, budget: float
) -> pd.DataFrame:
    """Figures of every outcome and version that published scores whose outcomes are known (`prospective.FIGURES`).

    Args:
        rows: published ones (`published.SCHEMA`).
        budget: false alarms a year that are accepted of all of them together.
    """
    found, promises = [], read_promises(installation)
    turned_out = [
        of for outcome in engineering.outcomes(installation) if len(of := known(installation, night, rows, outcome))
    ]
    n_versions = sum(of["model_version"].nunique() for of in turned_out)
    seed, resamples = installation.settings.training.seed, installation.settings.monitoring.resamples
    for of in turned_out:
        for version, part in of.groupby("model_version"):
            part = prospective.thinned(part).reset_index(drop=True)
            levels = levels_of(attributes, pd.Index(part["subject_id"].unique()))
            figures = prospective.figures(part, levels, resamples, seed)
            promise = promises.get(str(version))
            told = prospective.judged(figures, promise, budget / n_versions)
            outcome = str(part["outcome"].iloc[0])
            horizon = installation.settings.alert_horizons[outcome]
            found.append(told.assign(outcome=outcome, horizon_days=horizon, model=version, first_night=part[NIGHT].min(),
                                     last_night=part[NIGHT].max()))  # fmt: skip
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def known(installation: Installation, night: str, rows: pd.DataFrame, outcome: Outcome) -> pd.DataFrame:
    """Published scores of an outcome at its alert horizon whose outcome is known by a night.

    Returns:
        `rows` with `label`, `onset`, `is_alert`, `is_acted_on`.
    """
    horizon = installation.settings.alert_horizons[outcome.name]
    is_over = rows[NIGHT] + pd.Timedelta(days=horizon) <= pd.Timestamp(night)
    rows = rows.assign(is_alert=published.is_alert(rows))
    rows = rows[(rows["outcome"] == outcome.name) & (rows["status"] == "scored") & is_over].reset_index(drop=True)
    if rows.empty:
        return rows
    cohort = engineering.cohort(installation, night)
    days = engineering.panel(installation, night) if outcome.needs_reports else None
    reports = past.reports(days, outcome)
    index = rows[["subject_id"]].assign(index_date=rows[NIGHT])
    labels = labelling.as_known(installation, cohort, outcome, index, reports)
    onset = labels[labels["task"] == "onset"].reset_index(drop=True)
    label = at_horizon(onset, horizon)
    acted = deeds.known(installation.lake, cohort).marks(index, horizon, outcome.name)
    told = rows.assign(
        label=label, onset=rows[NIGHT] + pd.to_timedelta(onset["days_to_event"], unit="D"), is_acted_on=acted
    )
    return told[np.isfinite(label)].reset_index(drop=True)


def note_promises(installation: Installation, versions: Mapping[str, str]) -> None:
    """Keep the AUROC that the evaluation of each serving version found, for as long as its results are those of the last training.

    Args:
        versions: what deliveries call the version that serves, by outcome.
    """
    known, found = read_promises(installation), {}
    for outcome, called in versions.items():
        if called not in known and (promise := _promise(installation, outcome)) is not None:
            found[called] = promise
    if found:
        folder = installation.settings.monitoring_folder
        folder.mkdir(parents=True, exist_ok=True)
        told = {name: vars(of) for name, of in {**known, **found}.items()}
        durable.replace(folder / PROMISES, json.dumps(told, indent=1).encode())


def read_promises(installation: Installation) -> dict[str, Promise]:
    """The AUROC promised of each version, by what deliveries call it."""
    path = installation.settings.monitoring_folder / PROMISES
    return {name: Promise(**of) for name, of in json.loads(path.read_text()).items()} if path.is_file() else {}


def _promise(installation: Installation, outcome: str) -> Promise | None:
    """What the champion's own evaluation found; None where the results at hand are of another training."""
    try:
        results = installation.lake.load("results").query("outcome == @outcome")
        split = str(installation.lake.load("served").set_index("outcome").loc[outcome, "split"])
    except KeyError:
        return None
    model = installation.registry.champion(model_name(outcome)).model
    if model.tags.get(RESULTS_TAG) != tracking.content_of(results):
        return None
    rows = at_headline(results, split, installation.settings.alert_horizons[outcome])
    rows = rows[(rows["metric"] == prospective.AUROC) & (rows["model"] == model.tags.get("predictor"))]
    if rows.empty:
        return None
    row = rows.iloc[0]
    return Promise(float(row["value"]), float(row["low"]), float(row["high"]))
