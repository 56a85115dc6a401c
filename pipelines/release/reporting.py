"""Writes what people read about the challenger and about what the release policy says of it."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pandas as pd

from models import evaluation, reliability, risk
from models.baselines import MODEL
from models.characteristics import characteristics
from pipelines.installation import Installation
from pipelines.progress import Counts
from pipelines.release import card, judgement, ledger
from pipelines.release.context import context_of, overrides
from pipelines.release.fairness import audited_of
from pipelines.release.registry import CHALLENGER, CHAMPION, ServedModel, model_name
from pipelines.reports import tuning as tuning_report
from pipelines.reports import words
from pipelines.reports.fairness import page_name as fairness_name
from pipelines.reports.model import PEOPLE, finding, page_name, write_model
from pipelines.reports.nightly import Serving
from pipelines.reports.site import slug, write_index
from pipelines.settings import Settings
from pipelines.training import ablation, abstention, controls, looks
from pipelines.training.attributes import attributes
from pipelines.training.controls import CONTROLS
from pipelines.training.deeds import ACTED_ON
from pipelines.training.evaluating import IMPORTANCE


def model_report(installation: Installation, night: str) -> Counts:
    """Judge every outcome's challenger, write its model report, and the index of the report site."""
    judgement.judge(installation, night)
    ablated = ablation.tables(installation, night)
    for outcome in installation.settings.outcomes:
        _report(installation, night, outcome, {**ablated, **_beside(installation, night, outcome)})
    return {"pages": str(write_index(installation.settings.reports_folder).name)}


def _report(installation: Installation, night: str, outcome: str, tables: dict[str, pd.DataFrame]) -> None:
    """The model report of one outcome, and its card."""
    lake, settings = installation.lake, installation.settings
    served, split = judgement.served(installation, outcome)
    predictions = lake.load(f"predictions_{outcome}").query("split == @split")
    curves = reliability.curves(predictions, dict.fromkeys((served, MODEL)))
    decision, context = judgement.decision_of(installation, outcome), context_of(installation, night, outcome)
    told = _told(settings)
    said = [judgement.reason(installation, outcome), *_remarks(installation, outcome)]
    remark = " ".join([*said, looks.sentence(installation.audit_log, outcome)])
    name = model_name(outcome)
    is_serving = (of := installation.registry.find(name, CHALLENGER)) is not None and of == installation.registry.find(
        name, CHAMPION
    )
    page = write_model(
        settings.reports_folder, outcome, lake.load("results"), lake.load("flow"), curves, served, decision,
        settings.outcomes[outcome].alert_horizon, context, tables, told, remark, split=split,
        is_serving=is_serving,
    )  # fmt: skip
    audited = fairness_name(audited_of(installation, outcome))
    card.make(
        installation, night, outcome, page.stem, tables, told, context, finding(served, decision, remark, is_serving),
        f"{slug(audited)}.html",
    )  # fmt: skip


def _told(settings: Settings) -> dict[str, str]:
    """What a clinician calls each feature."""
    return {name: feature.words for name, feature in settings.catalog().by_name.items()}


def _beside(installation: Installation, night: str, outcome: str) -> dict[str, pd.DataFrame]:
    """What stands beside an outcome's results in its report, by name, as far as its training made it."""
    lake, settings = installation.lake, installation.settings
    subjects = attributes(installation, night)
    onset = lake.load(f"labels_{outcome}").query("task == 'onset'")
    horizon = settings.outcomes[outcome].alert_horizon
    found = {PEOPLE: characteristics(subjects, onset, settings.audit.reference_groups, horizon)}
    found |= abstention.tables(installation, night, outcome)
    for name in (CONTROLS, IMPORTANCE, ACTED_ON):
        with suppress(KeyError):
            found[name] = lake.load(name)
    return found


def model_page(settings: Settings, outcome: str) -> Path:
    """Where an outcome's model report lies."""
    return settings.reports_folder / f"{slug(page_name(outcome))}.html"


def _remarks(installation: Installation, outcome: str) -> list[str]:
    """What a reader must know beside the policy: that trees were tuned on these people, and what else decides."""
    tuned = [tuning_report.warning(outcome)] if judgement.is_tuned(installation, outcome) else []
    row = installation.lake.load("served").set_index("outcome").loc[outcome]
    return [*_mitigated(row), *_unused(row), *tuned, *_standing(installation, outcome)]


def _mitigated(row: pd.Series) -> list[str]:
    """That what serves is made with a mitigation, from the row of `served`; nothing where it is not."""
    # Trainings of before had no such column.
    by = row.get("reweighed_by", "")
    return [words.mitigated(by)] if by else []


def _unused(row: pd.Series) -> list[str]:
    """How many features that are on say nothing here, from the row of `served`; nothing where all do."""
    if not row["without_value"] + row["constant"]:
        return []
    return [
        f"Of {row['features_on']} features that are on, {row['without_value']} without any value and {row['constant']} with the same "
        "value everywhere were left out."
    ]


def _left_out(installation: Installation, outcome: str) -> list[str]:
    """How many fits of a split could not be made; nothing where all were."""
    rows = installation.lake.load("results").query("outcome == @outcome")
    told = rows[rows["metric"] == evaluation.LEFT_OUT].drop_duplicates(["task", "split"])
    return [
        f"Fits left out of {words.SPLITS[row.split]} ({words.TASKS[row.task]}): {row.value:g}. They had too few subjects with an "
        "event to learn from, or nobody to test."
        for row in told.itertuples()
    ]


def _standing(installation: Installation, outcome: str) -> list[str]:
    """What stands beside the policy in deciding whether the challenger serves."""
    name = model_name(outcome)
    challenger, champion = (installation.registry.find(name, of) for of in (CHALLENGER, CHAMPION))
    if (
        challenger is not None
        and challenger == champion
        and not judgement.decision_of(installation, outcome).is_promoted
    ):
        return ["It serves already: by an override, or since the policy was another."]
    if ledger.is_taken_back(installation.audit_log, name):
        return ["Not yet: a person took the last champion back, and nothing follows it before a person says so."]
    return []


def serving(installation: Installation, by_outcome: Mapping[str, ServedModel]) -> list[Serving]:
    """What scores each outcome, in terms of the reports."""
    found = []
    for outcome, served in by_outcome.items():
        is_outside = ledger.override_of(installation.audit_log, served.model) is not None
        model = risk.load(served.folder)
        found.append(Serving(outcome, model.name, served.name, served.version, is_outside, model.reweighed_by))
    return found


def findings(installation: Installation) -> tuple[pd.DataFrame, list[str]]:
    """Tidy result rows of the last evaluation, and in sentences what earned being served and whether it may be."""
    served = installation.lake.load("served")
    sentences = [str(reason) for reason in served["reason"]]
    for outcome in installation.settings.outcomes:
        row = served.set_index("outcome").loc[outcome]
        sentences += [*_mitigated(row), *_unused(row), *_left_out(installation, outcome)]
        decision = judgement.decision_of(installation, outcome)
        verb = "lets" if decision.is_promoted else "does NOT let"
        sentences.append(f"The release policy {verb} it serve {outcome}: {'; '.join(decision.reasons)}.")
        if ledger.is_taken_back(installation.audit_log, model_name(outcome)):
            sentences.append(
                f"A person took the last champion of {outcome} back; `foretide promote` lets its successor serve."
            )
        sentences += [looks.sentence(installation.audit_log, outcome), *overrides(installation, outcome)]
        if judgement.is_tuned(installation, outcome):
            sentences.append(tuning_report.warning(outcome))
    sentences.append(controls.sentence(installation.lake.load(CONTROLS)))
    return installation.lake.load("results"), sentences
