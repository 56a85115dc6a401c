"""The rows of a night: what they are made of, and what the delivery says of everyone on the roster."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from features import phrases
from models import alerting, explanation, outcomes, risk
from models.outcomes import Outcome
from pipelines import alerts, contents, engineering, observations
from pipelines import cohort as cohorts
from pipelines.cohort import Cohort
from pipelines.delivery import rows as delivery_rows
from pipelines.delivery import standing
from pipelines.delivery.contract import DeliveryContext
from pipelines.delivery.publish import in_place_of
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.release import horizons, ledger
from pipelines.release.context import policy_version
from pipelines.release.registry import ServedModel, model_name
from pipelines.training.provenance import code_version

DRIVERS = 5
Serving = Mapping[str, ServedModel]


@dataclass(frozen=True)
class Basis:
    """What decides a night's rows.

    Args:
        known: the cohort of the night.
        served: what scores each outcome.
        past: earlier alerts that are in force (`alerts.past`).
        context: what decides the bytes of its delivery.
    """

    installation: Installation
    known: Cohort
    served: Serving
    past: pd.DataFrame
    context: DeliveryContext


def champions(installation: Installation, known: Cohort) -> Serving:
    """What may score a night: the champion of each outcome.

    Raises:
        Refused: an outcome has no champion, its files were altered, no promotion on record made it champion, or it was
            trained for other horizons than are declared, or on what came to be known after that night.
    """
    return {outcome: _champion(installation, known, outcome) for outcome in installation.settings.outcomes}


def _champion(installation: Installation, known: Cohort, outcome: str) -> ServedModel:
    served = installation.registry.champion(model_name(outcome))
    if not ledger.is_released(installation.audit_log, served.model):
        raise Refused(
            f"`{served.name}` version {served.version} is champion in MLflow, but no promotion on record made it so. Give "
            "`foretide promote` or `foretide rollback`."
        )
    if served.model.has_seen_beyond(known.known_at):
        raise Refused(
            f"The champion `{served.name}` version {served.version} has seen what came to be known after the night of "
            f"{known.as_of:%Y-%m-%d}; its scores of that night would look better than they were. Score a later night, "
            "or train as of an earlier one."
        )
    horizons.refuse_others(installation.settings, served)
    return served


def basis(installation: Installation, night: str, served: Serving | None = None) -> Basis:
    """What decides a night's rows, beside its features.

    Args:
        served: what scores instead of the champions.

    Raises:
        Refused: nobody is on the roster, or as `champions` refuses.
    """
    known = engineering.cohort(installation, night)
    cohorts.refuse_an_empty_roster(known)
    served = champions(installation, known) if served is None else served
    past, root = alerts.past(installation, known.as_of), installation.settings.deliveries_folder
    return based_on(installation, known, served, past, root)


def based_on(installation: Installation, known: Cohort, served: Serving, past: pd.DataFrame, root: Path) -> Basis:
    """The same of a cohort, what scores it, its past alerts, and the folder of the deliveries among which it is to be."""
    settings = installation.settings
    context = DeliveryContext(
        as_of=known.as_of,
        known_at=known.known_at,
        model_versions={name: _version(installation, model) for name, model in served.items()},
        policy_version=policy_version(settings),
        input_content=contents.version(installation.lake, known.known_at),
        code_version=code_version(),
        roster_size=len(known.roster),
        formats=settings.delivery.formats,
        alert_history=alerts.content_of(past),
    )
    return Basis(installation, known, served, past, in_place_of(root, context))


def stored_matrices(installation: Installation) -> dict[str, pd.DataFrame]:
    """Features of the night by outcome, one row per subject on the roster, as they were built last."""
    return {name: installation.lake.load(f"night_matrix_{name}") for name in installation.settings.outcomes}


@dataclass(frozen=True)
class Decided:
    """A night's rows in the delivery contract's columns, and its alerts (`alerts.COLUMNS`)."""

    rows: pd.DataFrame
    alerts: pd.DataFrame


def decide(of: Basis, matrices: Mapping[str, pd.DataFrame]) -> Decided:
    """The delivery's rows of a night, and the alerts among them.

    Args:
        matrices: features of the night by outcome, one row per subject on the roster.
    """
    roster = _roster(of, next(iter(matrices.values())))
    parts: dict[str, list[pd.DataFrame]] = {}
    outcomes_of = [outcome for outcome in engineering.outcomes(of.installation) if outcome.name in of.served]
    for outcome in outcomes_of:
        for name, part in _outcome(of, roster, matrices[outcome.name], outcome).items():
            parts.setdefault(name, []).append(part)
    stacked = {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}
    made = stacked.pop("alerts")
    asked = {o.name: o.horizons_days for o in outcomes_of}
    return Decided(delivery_rows.build(of.context, asked, **stacked), made[alerts.COLUMNS])


def _roster(of: Basis, matrix: pd.DataFrame) -> pd.DataFrame:
    """Roster subjects with `completeness` over 28 days and `last_observation_at`, as known at the cutoff."""
    roster = of.known.roster[["subject_id", "site"]].merge(matrix[["subject_id", engineering.COMPLETENESS]], how="left")
    last = observations.last_observations(of.installation.lake, of.known)
    return roster.rename(columns={engineering.COMPLETENESS: "completeness"}).assign(
        last_observation_at=lambda rows: rows["subject_id"].map(last)
    )


def _outcome(of: Basis, roster: pd.DataFrame, matrix: pd.DataFrame, outcome: Outcome) -> dict[str, pd.DataFrame]:
    """Standings, scores, tiers, drivers and alerts of one outcome."""
    policy, declared = of.installation.settings.alert_policy, of.installation.settings.outcomes[outcome.name]
    model = risk.load(of.served[outcome.name].folder)
    since = _days_since_event(of, roster, outcome)
    inside = pd.Series(outcomes.is_refractory(since.to_numpy(), outcome), index=since.index)
    care = cohorts.care_status(of.installation.lake, of.known)
    standings = standing.decide(roster.drop(columns="site"), outcome.name, care, inside, policy.min_completeness)
    eligible = standings.loc[standings["status"] == "scored", "subject_id"]
    matrix = matrix[matrix["subject_id"].isin(eligible)].reset_index(drop=True)
    scores = _scores(model, matrix)
    tiers = _tiers(of, roster, scores, since, outcome.name, declared.alert_horizon)
    drivers = _drivers(of, model, matrix, tiers, declared.alert_horizon)
    named = {
        "standings": _with_waiting(standings, tiers), "scores": scores, "drivers": drivers,
        "tiers": tiers[["subject_id", "tier", "rank", "alert", "action"]],
        "alerts": alerting.alerts_of(tiers, of.known.as_of),
    }  # fmt: skip
    return {name: frame.assign(outcome=outcome.name) for name, frame in named.items()}


def _days_since_event(of: Basis, roster: pd.DataFrame, outcome: Outcome) -> pd.Series:
    """Days since each roster subject's newest event of the outcome, as known at the cutoff; missing where there is none."""
    events = cohorts.in_force(cohorts.outcome_event_days(of.installation.lake, of.known, outcome), of.known.as_of)
    index = roster[["subject_id"]].assign(index_date=of.known.as_of)
    return pd.Series(outcomes.days_since_event(index, events), index=index["subject_id"])


def _scores(model: risk.HazardModel, matrix: pd.DataFrame) -> pd.DataFrame:
    """Risks of each subject, told by the horizons that the model was fitted for."""
    probability = risk.predict(model, matrix)
    low, high = risk.predict_interval(model, matrix)
    return pd.concat(
        [pd.DataFrame({"subject_id": matrix["subject_id"], "horizon_days": horizon, "probability": probability[:, k],
                       "mean_risk_low": low[:, k], "mean_risk_high": high[:, k]})
         for k, horizon in enumerate(model.horizons_days)],
        ignore_index=True,
    )  # fmt: skip


def _tiers(
    of: Basis, roster: pd.DataFrame, scores: pd.DataFrame, since: pd.Series, outcome: str, alert_horizon: int
) -> pd.DataFrame:
    """Tier, rank, alert and step of care of each scored subject, by the alert policy."""
    policy = of.installation.settings.alert_policy
    at_horizon = scores.loc[scores["horizon_days"] == alert_horizon, ["subject_id", "probability"]]
    scored = at_horizon.rename(columns={"probability": "risk"}).merge(roster[["subject_id", "site"]], on="subject_id")
    night = scored.assign(is_quiet=alerting.is_quiet(scored["subject_id"].map(since)))
    past = of.past[of.past["outcome"] == outcome]
    decided = alerting.decide(night, past, alerts.rules_of(policy), of.known.as_of)
    waits = decided["waits"] & (decided["tier"] == alerting.BASELINE)
    return decided.assign(action=decided["tier"].map(policy.actions()).mask(waits, policy.waiting_action))


def _with_waiting(standings: pd.DataFrame, tiers: pd.DataFrame) -> pd.DataFrame:
    """Standings that say who would be in the high tier, had it room: nobody's risk is to be hidden by a capacity."""
    waiting = standings["subject_id"].isin(tiers.loc[tiers["waits"], "subject_id"])
    told = [
        (*reasons, standing.WAITS) if waits else reasons
        for reasons, waits in zip(standings["reason_codes"], waiting, strict=True)
    ]
    return standings.assign(reason_codes=told)


def _drivers(
    of: Basis, model: risk.HazardModel, matrix: pd.DataFrame, tiers: pd.DataFrame, alert_horizon: int
) -> pd.DataFrame:
    """What the scores of the explained tiers are associated with, in words."""
    explained = tiers.loc[tiers["tier"].isin(delivery_rows.EXPLAINED_TIERS), "subject_id"]
    rows = matrix[matrix["subject_id"].isin(explained)]
    said = explanation.drivers(
        model, rows, explanation.medians(model, matrix), alert_horizon, language(of.installation), DRIVERS
    )
    return pd.DataFrame({"subject_id": rows["subject_id"], "drivers": said})


def language(installation: Installation) -> explanation.Language:
    """How features are told in this installation."""
    catalog = installation.settings.catalog()
    return explanation.Language(partial(phrases.phrase, catalog), catalog.about, catalog.in_units)


def _version(installation: Installation, served: ServedModel) -> str:
    """What made a score: name, version, whether it is the model or a baseline by name, whether outside the policy, and whether
    it had to come from the verified cache."""
    override = ", released by override" if ledger.override_of(installation.audit_log, served.model) else ""
    cached = ", from the verified cache" if served.is_from_cache else ""
    return f"{served.name}/{served.version} ({risk.load(served.folder).name}{override}{cached})"
