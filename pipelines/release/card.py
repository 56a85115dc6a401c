"""Gathers what a model card tells of an outcome's training, writes it, and keeps it with the training's MLflow run."""

from collections import Counter
from collections.abc import Mapping

import pandas as pd

from features.feature import family
from pipelines import contents, engineering
from pipelines.installation import Installation
from pipelines.release import judgement, tracking
from pipelines.release.registry import CHALLENGER, RESULTS_TAG, ModelVersion, model_name
from pipelines.reports import acted_on
from pipelines.reports.card import Facts, write_card
from pipelines.reports.model import PEOPLE
from pipelines.reports.site import Context
from pipelines.training import abstention
from pipelines.training.candidates import candidates
from pipelines.training.controls import CONTROLS
from pipelines.training.deeds import ACTED_ON
from pipelines.training.evaluating import IMPORTANCE

FOLDER = "card"


def make(
    installation: Installation, night: str, outcome: str, stem: str, tables: Mapping[str, pd.DataFrame],
    told: Mapping[str, str], context: Context, finding: str, fairness_page: str,
) -> None:  # fmt: skip
    """Write the card of an outcome's model beside its report, and log it with the training that made the model.

    Args:
        stem: name of the report's file without its ending.
        tables: what else the training found, as the model report gets it; `characteristics` and
            both of `pipelines.training.abstention` among them.
        told: what a clinician calls each feature.
        finding: what serves, in a sentence.
        fairness_page: name of the file with the audit.
    """
    settings, lake = installation.settings, installation.lake
    served, split = judgement.served(installation, outcome)
    matrix = lake.load(f"training_matrix_{outcome}")
    tried = candidates(matrix, settings.features_on(), settings.training)
    predictor = next(predictor for predictor in tried if predictor.name == served)
    known_at = engineering.cohort(installation, night).known_at
    results = lake.load("results").query("outcome == @outcome")
    challenger = _challenger(installation, outcome, results)
    reasons = lake.load("served").set_index("outcome")["reason"]
    facts = Facts(
        outcome=next(o for o in engineering.outcomes(installation) if o.name == outcome),
        finding=finding, reason=str(reasons[outcome]), served=served, split=split,
        alert_horizon=settings.outcomes[outcome].alert_horizon, learner=predictor.learner, features=predictor.features,
        reweighed_by=predictor.reweighed_by,
        families=Counter(family(name) for name in predictor.features),
        decision=judgement.decision_of(installation, outcome), context=context, rows=results,
        flow=lake.load("flow").query("outcome == @outcome"), people=tables[PEOPLE], controls=tables.get(CONTROLS),
        importance=tables.get(IMPORTANCE), abstention=tables[abstention.FIGURES],
        abstained_by_group=tables[abstention.BY_GROUP], verdicts=lake.load("verdicts").query("outcome == @outcome"),
        fairness_page=fairness_page, told=told, known_at=known_at.isoformat(), data_version=contents.version(lake, known_at),
        model_hash="" if challenger is None else challenger.content_sha256, training=settings.training,
        acted_on=tuple(acted_on.sentences(tables.get(ACTED_ON), results, outcome, split)),
        is_tuned=judgement.is_tuned(installation, outcome), release_policy=settings.release_policy,
        alert_policy=settings.alert_policy, audit=settings.audit,
    )  # fmt: skip
    texts = write_card(settings.reports_folder, stem, facts)
    if challenger is not None:
        tracking.log_texts(installation.registry.tracking_uri, challenger.run_id, FOLDER, texts)


def _challenger(installation: Installation, outcome: str, results: pd.DataFrame) -> ModelVersion | None:
    """The challenger, if it came of the training that these results are of."""
    found = installation.registry.find(model_name(outcome), CHALLENGER)
    return found if found and found.tags.get(RESULTS_TAG) == tracking.content_of(results) else None
