"""Compares two registered models of one outcome: their recipes on the same rows, overall and by group (decision 0018)."""

from dataclasses import dataclass

import pandas as pd

from models import contest as contests
from models.baselines import Predictor
from models.evaluation import COLUMNS
from models.outcomes import Outcome
from models.risk import HazardModel
from pipelines import engineering
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.release import contest, judgement, registered
from pipelines.release.context import last_night
from pipelines.reports import words
from pipelines.training import controls, looks
from pipelines.training.attributes import attributes
from pipelines.training.auditing import with_sites
from pipelines.training.provenance import dataset_name


@dataclass(frozen=True)
class Compared:
    """Tidy rows of both models and of their difference; what they are about; how many groups of each attribute are hidden."""

    rows: pd.DataFrame
    models: tuple[str, str]
    top_share: float
    hidden: dict[str, int]


def compare(installation: Installation, told: tuple[str, str]) -> Compared:
    """How the recipes of two models do, fitted anew in the folds of the last training, on the rows that it tested.

    Args:
        told: the models, as `registered.named` takes them.

    Raises:
        Refused: no such model, altered files, other outcomes, the same recipe, features that are gone, too few subjects; or
            what lies in the lake is not of one training that passed its controls.
    """
    versions = [registered.named(installation, name) for name in told]
    models = [registered.load(installation, version) for version in versions]
    one, other = (registered.label(version) for version in versions)
    outcome = _outcome(installation, models)
    _refuse_the_same(models)
    _refuse_what_is_gone(installation, models)
    _, split = judgement.served(installation, outcome.name)
    night = last_night(installation)
    controls.passed(installation, night)
    predictors = tuple(
        Predictor(name, model.learner, model.features, model.growth, model.reweighed_by)
        for name, model in zip((one, other), models, strict=True)
    )
    rows = contest.fitted(installation, night, outcome, predictors, split)
    if rows.empty or rows["label"].nunique() < 2:
        raise Refused(f"Too few subjects with an event of `{outcome.name}` to fit both anew and test them on others.")
    of = " and ".join(sorted(version.content_sha256 for version in versions))
    looks.record(installation, night, outcome.name, f"comparison of {of}", len(predictors))
    settings = installation.settings
    subjects = engineering.cohort(installation, night).subjects
    found, hidden = contests.by_group(
        with_sites(rows, subjects), one, other, attributes(installation, night),
        settings.audit.top_share, settings.training.resamples, settings.training.seed,
    )  # fmt: skip
    horizon = settings.outcomes[outcome.name].alert_horizon
    tidy = found.assign(
        dataset=dataset_name(installation), outcome=outcome.name, task="onset", horizon_days=horizon, split=split
    )
    return Compared(tidy[list(COLUMNS)], (one, other), settings.audit.top_share, hidden)


def _outcome(installation: Installation, models: list[HazardModel]) -> Outcome:
    if models[0].outcome != models[1].outcome:
        raise Refused(
            f"One model is of `{models[0].outcome}`, the other of `{models[1].outcome}`. Compare models of one outcome."
        )
    found = {outcome.name: outcome for outcome in engineering.outcomes(installation)}.get(models[0].outcome)
    if found is None:
        raise Refused(
            f"`{models[0].outcome}`, the outcome of both models, is declared no more. Declare it, and train again."
        )
    return found


def _refuse_the_same(models: list[HazardModel]) -> None:
    if contest.is_alike(*models):
        raise Refused(
            f"Both are made by the same learner from the same {words.counted(len(models[0].features), 'feature')}. They differ by "
            "the data they learnt from alone, and the rows at hand are among those: there is nothing to compare them on."
        )


def _refuse_what_is_gone(installation: Installation, models: list[HazardModel]) -> None:
    known = installation.settings.catalog().by_name
    gone = sorted({name for model in models for name in model.features if name not in known})
    if gone:
        raise Refused(
            f"{words.counted(len(gone), 'feature')} of these models cannot be made any more, first `{gone[0]}`. Declare the "
            "`signals:` they are made of, or compare models of now."
        )
