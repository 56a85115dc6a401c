"""Ways to mitigate a gap between groups, tried on what serves, in the folds of the last training; applies none of them.

Where a mitigation is declared, all are compared with what would serve without it.
"""

from dataclasses import dataclass, replace

import pandas as pd

from models.evaluation import COLUMNS
from models.fairness import audit, disclosure, frontier, mitigation
from models.fairness.frontier import Frontier
from models.fairness.mitigation import Trial
from models.fairness.ways import WAYS
from models.outcomes import Outcome
from pipelines import engineering
from pipelines.errors import Refused, Usage
from pipelines.installation import Installation
from pipelines.release import judgement
from pipelines.training import controls, evaluating, labelling, looks
from pipelines.training.attributes import attributes
from pipelines.training.auditing import with_sites
from pipelines.training.candidates import candidates
from pipelines.training.provenance import dataset_name


@dataclass(frozen=True)
class Compared:
    """Every way beside what serves.

    Attributes:
        rows: tidy rows (`models.fairness.frontier.Frontier`).
        groups: of the attribute, everybody first, with is_shown and is_counted.
        attribute: by which groups are told apart.
        served: the predictor that serves, compared without its mitigation; `reweighed_by` is what that is, if any is declared.
        n_left_out: fits of the split that could not be made, of `n_planned`.
        scope: within what capacity is counted.
    """

    rows: pd.DataFrame
    groups: pd.DataFrame
    attribute: str
    served: str
    reweighed_by: str
    top_share: float
    margin: float
    resamples: int
    seed: int
    n_left_out: int
    n_planned: int
    scope: str


def compare(installation: Installation, night: str, name: str, attribute: str | None) -> Compared:
    """What each way gains and costs on people whom no fit saw.

    Args:
        name: of an outcome.
        attribute: one of `audit.attributes`; by default the first that has two groups large enough to be shown.

    Raises:
        Usage: no such outcome or attribute is declared.
        Refused: no training of what is known and declared now passed its controls, or no two groups are large enough.
        ModelsError: too few people with an event to learn from in two groups.
    """
    settings = installation.settings
    outcome = _declared(installation, name)
    if attribute is not None and attribute not in settings.audit.attributes:
        raise Usage(
            f"`{attribute}` is not among `audit: attributes:`, which are {', '.join(f'`{of}`' for of in settings.audit.attributes)}."
        )
    controls.passed(installation, night)
    served, split = judgement.served(installation, name)
    by = _with_groups(installation, night, name, served, split, attribute)
    how, lake = settings.training, installation.lake
    matrix, labels = lake.load(f"training_matrix_{name}"), lake.load(f"labels_{name}")
    onset = labels[labels["task"] == "onset"].reset_index(drop=True)
    predictor = next(p for p in candidates(matrix, settings.features_on(), how) if p.name == served)
    onset = labelling.grouped(installation, night, onset, {by})
    planned = [s for s in evaluating.planned_splits(onset, outcome, how, how.seed) if s.name == split]
    horizon = settings.outcomes[name].alert_horizon
    trial = Trial(
        replace(predictor, reweighed_by=""), outcome.horizons_days, horizon, by, settings.audit.top_share, how.train_every_days,
        how.seed, how.threads,
    )  # fmt: skip
    looks.record(installation, night, name, f"mitigation by {by}", len(WAYS) - 1)
    tried = mitigation.mitigate(
        matrix, onset, planned, trial, lambda share: installation.report(f"mitigating {name} by {by}", share)
    )
    found = _measured(installation, night, tried.rows, by)
    tidy = found.rows.assign(
        dataset=dataset_name(installation), outcome=name, task="onset", horizon_days=horizon, split=split
    )
    return Compared(
        tidy[list(COLUMNS)], found.groups, by, served, predictor.reweighed_by, settings.audit.top_share, settings.audit.margin,
        settings.audit.resamples, how.seed, tried.n_left_out, len(planned), found.scope,
    )  # fmt: skip


def _declared(installation: Installation, name: str) -> Outcome:
    declared = {outcome.name: outcome for outcome in engineering.outcomes(installation)}
    if name not in declared:
        raise Usage(f"No such outcome is declared. It is one of {', '.join(f'`{known}`' for known in declared)}.")
    return declared[name]


def _with_groups(
    installation: Installation, night: str, name: str, served: str, split: str, attribute: str | None
) -> str:
    """The attribute asked for, else the first declared one, of which two groups of those tested may be shown.

    Raises:
        Refused: there are no two such groups.
    """
    subjects = attributes(installation, night)
    tested = installation.lake.load(f"predictions_{name}").query("split == @split")
    tested = tested.rename(columns={served: "probability"})
    for by in [attribute] if attribute else installation.settings.audit.attributes:
        _, groups = audit.divide(tested, subjects[["subject_id", by]], {})
        if int(disclosure.is_showable(groups.iloc[1:]).sum()) > 1:
            return by
    which = f"`{attribute}`" if attribute else "any attribute under `audit: attributes:`"
    raise Refused(
        f"By {which} no two groups of those tested are large enough to be shown ({disclosure.SMALLEST_SUBJECTS} subjects, "
        f"{disclosure.SMALLEST_EVENT_SUBJECTS} of them with an event), so no gap can be told. Gather more data."
    )


def _measured(installation: Installation, night: str, rows: pd.DataFrame, attribute: str) -> Frontier:
    settings, subjects = installation.settings, engineering.cohort(installation, night).subjects
    installation.report(f"measuring {len(WAYS)} ways")
    return frontier.measure(
        with_sites(rows, subjects), attributes(installation, night)[["subject_id", attribute]], settings.audit.top_share,
        settings.audit.resamples, settings.training.seed,
    )  # fmt: skip
