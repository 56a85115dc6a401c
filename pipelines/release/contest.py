"""The challenger against the champion: what each is made by, fitted in the same folds, on the same rows.

A champion was trained on the very subjects that a challenger is tested on, so its file cannot be compared. Its recipe
can: features, learner and how its trees are grown, fitted anew by today's code as every predictor of the evaluation is
(decision 0018).
"""

import pandas as pd

from models import contest, protocol, risk
from models.baselines import MODEL, Predictor
from models.contest import Contest, Standing
from models.outcomes import Outcome
from models.risk import HazardModel
from pipelines import engineering
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.release import ledger
from pipelines.release.registry import CHALLENGER, CHAMPION, ModelVersion, model_name
from pipelines.training import evaluating, labelling, looks
from pipelines.training.candidates import candidates

INCUMBENT = "champion"


def against_champion(
    installation: Installation, night: str, outcome: Outcome, served: str, split: str
) -> Contest | None:
    """How the predictor that is to serve compares with the champion's; None where there is no champion yet.

    A challenger that is champion already is compared with the one that it took the place of, so that the same training
    is judged alike before and after.
    """
    champion = _rival(installation, model_name(outcome.name))
    if champion is None:
        return None
    try:
        model = risk.load(installation.registry.fetch(champion))
    except Refused:
        return Contest(champion.tags.get("predictor", "unknown"), Standing.ALTERED)
    matrix = installation.lake.load(f"training_matrix_{outcome.name}")
    settings = installation.settings
    today = {p.name: p for p in candidates(matrix, settings.features_on(), settings.training)}
    twin = next((p for p in today.values() if is_alike(p, model)), None)
    if twin is not None and twin.name == served:
        return Contest(model.name, Standing.SAME)
    if twin is not None and served != MODEL:
        return Contest(model.name, Standing.WEIGHED)
    known, subjects = settings.catalog().by_name, engineering.cohort(installation, night).subjects
    is_there = all(name in matrix.columns or name in known for name in model.features)
    if not is_there or (model.reweighed_by and model.reweighed_by not in subjects.columns):
        return Contest(model.name, Standing.GONE)
    if twin is not None:
        rows, name = installation.lake.load(f"predictions_{outcome.name}").query("split == @split"), twin.name
    else:
        incumbent = Predictor(INCUMBENT, model.learner, model.features, model.growth, model.reweighed_by)
        looks.record(installation, night, outcome.name, f"contest with {champion.content_sha256}", 1)
        rows, name = fitted(installation, night, outcome, (today[served], incumbent), split), INCUMBENT
    if rows.empty:
        return Contest(model.name, Standing.COMPARED)
    how = settings.training
    auroc, brier = contest.difference(rows, served, name, how.resamples, how.seed)
    return Contest(model.name, Standing.COMPARED, *auroc, brier)


def _rival(installation: Installation, name: str) -> ModelVersion | None:
    registry = installation.registry
    champion = registry.find(name, CHAMPION)
    if champion is None or champion != registry.find(name, CHALLENGER):
        return champion
    earlier = ledger.before(installation.audit_log, champion)
    return None if earlier is None else registry.version(name, earlier)


def is_alike(one: Predictor | HazardModel, other: Predictor | HazardModel) -> bool:
    """Whether both are made by the same learner, grown alike, from the same features, reweighed alike."""
    return all(
        (
            one.learner == other.learner, set(one.features) == set(other.features), one.growth == other.growth,
            one.reweighed_by == other.reweighed_by,
        )
    )  # fmt: skip


def fitted(
    installation: Installation, night: str, outcome: Outcome, predictors: tuple[Predictor, ...], split: str
) -> pd.DataFrame:
    """Test rows of the split of the last training, with the risks of each predictor, all fitted in the same folds."""
    installation.report(f"comparing models of {outcome.name}")
    how, lake = installation.settings.training, installation.lake
    asked = {name for predictor in predictors for name in predictor.features}
    matrix = engineering.widened(installation, night, outcome, lake.load(f"training_matrix_{outcome.name}"), asked)
    labels = lake.load(f"labels_{outcome.name}")
    onset = labels[labels["task"] == "onset"].reset_index(drop=True)
    onset = labelling.grouped(installation, night, onset, {p.reweighed_by for p in predictors} - {""})
    planned = [s for s in evaluating.planned_splits(onset, outcome, how, how.seed) if s.name == split]
    found = protocol.cross_predict(
        matrix, onset, outcome.horizons_days, predictors, planned, how.train_every_days, how.seed, how.threads,
        lambda share: installation.report(f"comparing models of {outcome.name}", share),
    )  # fmt: skip
    declared = installation.settings.outcomes[outcome.name]
    return evaluating.tested(found[0], declared) if found else pd.DataFrame()
