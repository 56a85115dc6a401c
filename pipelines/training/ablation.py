"""Tries every family of features on a training's own cohort, and stores what each adds; switches nothing."""

import pandas as pd

from models import ablation
from models.ablation import Trial
from models.outcomes import Outcome
from pipelines import engineering
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.progress import Counts
from pipelines.training import evaluating, looks
from pipelines.training.candidates import feature_families
from pipelines.training.provenance import basis, dataset_name

TABLE = "ablation"
# Folds and fits are drawn anew so often: one draw moves a difference by as much as a small family adds.
SEEDS = 3


def ablate(installation: Installation, night: str) -> Counts:
    """Try the families of features for every outcome on the training's headline split; store tidy rows as `ablation`.

    Raises:
        Refused: nothing was evaluated yet.
        ModelsError: too few subjects with an event.
    """
    parts = [_of_outcome(installation, night, outcome) for outcome in engineering.outcomes(installation)]
    rows = pd.concat(parts, ignore_index=True)
    installation.lake.replace(TABLE, rows, version=basis(installation, night))
    for outcome, own in rows.groupby("outcome"):
        looks.record(installation, night, str(outcome), "ablation", int(own["configurations"].max()))
    return {"configurations": int(rows["configurations"].max()), "comparisons": len(rows)}


def tables(installation: Installation, night: str) -> dict[str, pd.DataFrame]:
    """The stored rows by the table's name, where they were made of what the night's training is made of; else nothing."""
    stored = installation.lake.derived_version(TABLE)
    # Nothing stored, nothing to compare it with: an ordinary training does not pay for it.
    if stored is None or stored != basis(installation, night):
        return {}
    return {TABLE: installation.lake.load(TABLE)}


def _of_outcome(installation: Installation, night: str, outcome: Outcome) -> pd.DataFrame:
    settings, lake = installation.settings, installation.lake
    stored, labels = lake.load(f"training_matrix_{outcome.name}"), lake.load(f"labels_{outcome.name}")
    onset = labels[labels["task"] == "onset"].reset_index(drop=True)
    full = ablation.core(settings.catalog())
    x = engineering.widened(installation, night, outcome, stored, full)
    contrasts = ablation.plan(feature_families(x), settings.features_on(), full,
                              settings.training.model.growth())  # fmt: skip

    def progress(share: float) -> None:
        installation.report(f"trying families of features, {outcome.name}", share)

    return ablation.ablate(x, onset, contrasts, _trial(installation, outcome, onset), dataset_name(installation),
                           progress)  # fmt: skip


def _trial(installation: Installation, outcome: Outcome, onset: pd.DataFrame) -> Trial:
    how = installation.settings.training
    split = headline(installation, outcome)
    splits = {
        seed: [s for s in evaluating.planned_splits(onset, outcome, how, seed) if s.name == split]
        for seed in range(how.seed, how.seed + SEEDS)
    }
    return Trial(outcome.horizons_days, splits, how.train_every_days, how.resamples, how.threads)


def headline(installation: Installation, outcome: Outcome) -> str:
    """The split that the training's evaluation headlined.

    Raises:
        Refused: nothing was evaluated yet.
    """
    try:
        return str(installation.lake.load("served").set_index("outcome").loc[outcome.name, "split"])
    except KeyError as error:
        raise Refused(f"Nothing was evaluated yet for `{outcome.name}`. Run `foretide train --ablate`.") from error
