"""Before training: what this cohort can prove, from labels and cross-fitted simple rules alone.

Features beside history are not built, and no model that sees them is fitted.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from features import history
from models import evaluation, power, protocol
from models.baselines import Predictor, predictors
from models.errors import ModelsError
from models.fairness.audit import Audit, Audited
from models.outcomes import Outcome
from pipelines import engineering
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.training import evaluating, labelling
from pipelines.training.auditing import audit_of
from pipelines.training.candidates import feature_families
from pipelines.training.provenance import dataset_name

# Baselines that see nothing but past episodes and time enrolled.
RULES = (
    "prevalence",
    "past_episode_rate",
    "days_since_last_episode",
    "tenure_only",
    "history_only",
    "history_and_tenure",
)


@dataclass(frozen=True)
class Plan:
    """What can be proven of one outcome: `models.power.prospects`, beside the rule and the audit that they rest on.

    `auroc` is the rule's, `least_gain` what a gain must exceed by the release policy, `hidden` counts the groups of each
    attribute that are too small to be shown, and `is_refitted` says whether the rule was fitted again on resampled subjects.
    """

    audit: Audit
    auroc: float
    least_gain: float
    is_refitted: bool
    prospects: pd.DataFrame
    hidden: dict[str, int]


def plan(installation: Installation, night: str) -> list[Plan]:
    """What the subjects known for the night can prove of each declared outcome.

    Raises:
        Refused: no attribute is declared, or nobody was enrolled and followed up.
        ModelsError: too few subjects, or too few of them with an event.
    """
    if not installation.settings.audit.attributes:
        raise Refused(
            "No attribute is declared, so there is no group gap to plan for. Name some under `audit: attributes:`."
        )
    return [_plan(installation, night, outcome) for outcome in engineering.outcomes(installation)]


def _plan(installation: Installation, night: str, outcome: Outcome) -> Plan:
    settings = installation.settings
    features = (*history.NAMES, engineering.COMPLETENESS)
    matrix, labels = labelling.labelled_past(installation, night, outcome, features)
    rules = _rules(matrix)
    planned = evaluating.planned_splits(labels, outcome, settings.training, settings.training.seed)
    predicted = protocol.cross_predict(
        matrix, labels, outcome.horizons_days, rules, planned, settings.training.train_every_days, settings.training.seed,
        settings.training.threads, lambda share: installation.report(f"trying simple rules on {outcome.name}", share),
    )  # fmt: skip
    horizon = settings.outcomes[outcome.name].alert_horizon
    split = evaluation.headline_split(predicted, horizon)
    headline = next((p for p in predicted if p.split == split), None)
    found = pd.DataFrame() if headline is None else evaluation.aurocs(headline).query("horizon_days == @horizon")
    if headline is None or found.empty:
        raise ModelsError(
            f"Too few subjects with an episode of `{outcome.name}` to try even the simplest rule on others, so nothing can be "
            "said of what this cohort could prove. Gather more data, or set fewer `training.folds`."
        )
    best = found.sort_values(["auroc", "model"], ascending=[False, True]).iloc[0]
    bar = next(rule for rule in rules if rule.name == best["model"])
    tested = evaluating.tested(headline, settings.outcomes[outcome.name]).rename(columns={bar.name: "probability"})
    error = _standard_error(installation, matrix, labels, outcome, bar, split, tested)
    audited = audit_of(installation, night, Audited(
        dataset_name(installation), outcome.name, "onset", horizon, split, bar.name), tested)  # fmt: skip
    prospects, hidden = power.prospects(audited, error), power.n_hidden(audited)
    least = settings.release_policy.min_gain_low
    return Plan(audited, float(best["auroc"]), least, settings.training.refits > 0, prospects, hidden)


def _rules(matrix: pd.DataFrame) -> tuple[Predictor, ...]:
    families = feature_families(matrix)
    return tuple(rule for rule in predictors(families, seen=()) if rule.name in RULES)


def _standard_error(
    installation: Installation, matrix: pd.DataFrame, labels: pd.DataFrame, outcome: Outcome, bar: Predictor, split: str,
    tested: pd.DataFrame,
) -> float:  # fmt: skip
    """How much the rule's AUROC varies over subjects, with what fitting again adds where the installation asks for it."""
    settings = installation.settings.training
    if not settings.refits:
        return power.standard_error(tested, settings.resamples, settings.seed)
    again = evaluating.refit(matrix, labels, outcome, (bar,), split, settings, installation.report)[bar.name]
    horizon = installation.settings.outcomes[outcome.name].alert_horizon
    return float(np.nanstd(again[:, outcome.horizons_days.index(horizon)], ddof=1))
