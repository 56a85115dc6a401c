"""One night: the champion scores everybody who may be scored, and the delivery is published whole or not at all."""

from datetime import date
from functools import partial
from pathlib import Path

import pandas as pd

from features import phrases
from features.tables import TABLES
from models import explanation, outcomes, risk
from pipelines import cohort as cohorts
from pipelines import data_nights, engineering
from pipelines.cohort import Cohort
from pipelines.delivery import rows as delivery_rows
from pipelines.delivery import standing, tiers
from pipelines.delivery.contract import DeliveryContext
from pipelines.delivery.publish import current, publish, read_scores
from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.progress import Counts
from pipelines.release import ledger
from pipelines.release.context import policy_version
from pipelines.release.registry import ServedModel, model_name
from pipelines.release.reporting import serving
from pipelines.reports.data_page import write_data_page
from pipelines.reports.nightly import count_rows, write_nightly
from pipelines.reports.site import Context, write_index
from pipelines.training.provenance import code_version, dataset_name
from pipelines.validation import held

DRIVERS = 5


def refuse_early(installation: Installation, night: str) -> None:
    """Find out whether the night can be scored before anything is written.

    Raises:
        Refused: nobody was known by then, an outcome has no champion, its files were altered, no promotion on record made
            it champion, or it was trained on what came to be known after that night.
    """
    known = engineering.cohort(installation, night)
    for outcome in installation.settings.outcomes:
        _champion(installation, known, outcome)


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
    return served


def score(installation: Installation, night: str) -> Counts:
    """Score the roster and store the delivery's rows as `scores`; rows by status."""
    rows = build_rows(installation, night)
    stored = rows.assign(reason_codes=rows["reason_codes"].map(list), drivers=rows["drivers"].map(list))
    installation.lake.replace("scores", stored)
    return {status: int(count) for status, count in rows["status"].value_counts().items()}


def build_rows(installation: Installation, night: str) -> pd.DataFrame:
    """The delivery's rows of a night, in the contract's columns.

    Raises:
        Refused: no champion was promoted yet, or nobody is on the roster.
    """
    known = engineering.cohort(installation, night)
    cohorts.refuse_an_empty_roster(known)
    roster = _roster(installation, known)
    parts: dict[str, list[pd.DataFrame]] = {"standings": [], "scores": [], "tiers": [], "drivers": []}
    for outcome in engineering.outcomes(installation):
        for name, part in _outcome(installation, known, roster, outcome).items():
            parts[name].append(part)
    stacked = {name: pd.concat(frames, ignore_index=True) for name, frames in parts.items()}
    horizons = {o.name: o.horizons_days for o in engineering.outcomes(installation)}
    return delivery_rows.build(context(installation, night), horizons, **stacked)


def _roster(installation: Installation, known: Cohort) -> pd.DataFrame:
    """Roster subjects with `completeness` over 28 days and `last_observation_at`, as known at the cutoff."""
    first = engineering.outcomes(installation)[0]
    matrix = installation.lake.load(f"night_matrix_{first.name}")
    roster = known.roster[["subject_id"]].merge(matrix[["subject_id", engineering.COMPLETENESS]], how="left")
    last = cohorts.last_observations(installation.lake, known)
    return roster.rename(columns={engineering.COMPLETENESS: "completeness"}).assign(
        last_observation_at=lambda rows: rows["subject_id"].map(last)
    )


def _outcome(
    installation: Installation, known: Cohort, roster: pd.DataFrame, outcome: outcomes.Outcome
) -> dict[str, pd.DataFrame]:
    """Standings, scores, tiers and drivers of one outcome."""
    settings = installation.settings
    model = risk.load(_champion(installation, known, outcome.name).folder)
    events = cohorts.in_force(cohorts.outcome_event_days(installation.lake, known, outcome), known.as_of)
    index = roster[["subject_id"]].assign(index_date=known.as_of)
    inside = pd.Series(outcomes.is_masked(index, events, outcome), index=index["subject_id"])
    care = cohorts.care_status(installation.lake, known)
    standings = standing.decide(roster, outcome.name, care, inside, settings.alert_policy.min_completeness)
    eligible = standings.loc[standings["status"] == "scored", "subject_id"]
    matrix = installation.lake.load(f"night_matrix_{outcome.name}")
    matrix = matrix[matrix["subject_id"].isin(eligible)].reset_index(drop=True)
    scores = _scores(model, matrix, outcome)
    policy, declared = settings.alert_policy, settings.outcomes[outcome.name]
    tiered = tiers.assign_tiers(scores, declared.alert_horizon, policy.high_share, policy.elevated_share)
    explained = tiered.loc[tiered["tier"].isin(delivery_rows.EXPLAINED_TIERS), "subject_id"]
    rows = matrix[matrix["subject_id"].isin(explained)]
    catalog = settings.catalog()
    language = explanation.Language(partial(phrases.phrase, catalog), catalog.about, catalog.in_units)
    usual = explanation.medians(model, matrix)
    said = explanation.drivers(model, rows, usual, declared.alert_horizon, language, DRIVERS)
    drivers = pd.DataFrame({"subject_id": rows["subject_id"], "drivers": said})
    named = {"scores": scores, "tiers": tiered, "drivers": drivers}
    return {"standings": standings, **{name: frame.assign(outcome=outcome.name) for name, frame in named.items()}}


def _scores(model: risk.HazardModel, matrix: pd.DataFrame, outcome: outcomes.Outcome) -> pd.DataFrame:
    probability = risk.predict(model, matrix)
    low, high = risk.predict_interval(model, matrix)
    return pd.concat(
        [pd.DataFrame({"subject_id": matrix["subject_id"], "horizon_days": horizon, "probability": probability[:, k],
                       "mean_risk_low": low[:, k], "mean_risk_high": high[:, k]})
         for k, horizon in enumerate(outcome.horizons_days)],
        ignore_index=True,
    )  # fmt: skip


def context(installation: Installation, night: str) -> DeliveryContext:
    """What decides the bytes of a night's delivery."""
    known, settings = engineering.cohort(installation, night), installation.settings
    served = {name: installation.registry.champion(model_name(name)) for name in settings.outcomes}
    return DeliveryContext(
        as_of=known.as_of,
        known_at=known.known_at,
        model_versions={name: _version(installation, model) for name, model in served.items()},
        policy_version=policy_version(settings),
        input_content=installation.lake.content_version(known.known_at),
        code_version=code_version(),
        roster_size=len(known.roster),
        formats=settings.delivery.formats,
    )


def _version(installation: Installation, served: ServedModel) -> str:
    """What made a score: name, version, whether it is the model or a baseline by name, and whether outside the policy."""
    override = ", released by override" if ledger.override_of(installation.audit_log, served.model) else ""
    return f"{served.name}/{served.version} ({risk.load(served.folder).name}{override})"


def deliver(installation: Installation, night: str) -> Counts:
    """Publish the stored rows of the night; the same inputs again change nothing."""
    installation.report("delivering")
    made = context(installation, night)
    rows = installation.lake.load("scores")
    folder = publish(installation.settings.deliveries_folder, rows, made)
    installation.audit_log.append(
        "delivery",
        {"night": night, "run_id": made.run_id, "rows": len(rows), "model": dict(made.model_versions), "policy": made.policy_version},
        made.known_at,
    )  # fmt: skip
    return {"run_id": folder.name, "rows": len(rows), "roster": made.roster_size}


def report(installation: Installation, night: str) -> Counts:
    """Write the page that says how the night went: counts only."""
    settings, made = installation.settings, context(installation, night)
    scores = installation.lake.load("scores")
    silent = data_nights.silent_streams(installation, night)
    notices = [f"Nothing of `{table}` has come in for {days} days." for table, days in silent.items()]
    page = Context(
        as_of=date.fromisoformat(night), dataset=dataset_name(installation), code_version=made.code_version,
        model_version=", ".join(made.model_versions.values()), policy_version=made.policy_version, run_id=made.run_id,
        overrides=overrides(installation),
    )  # fmt: skip
    write_nightly(settings.reports_folder, count_rows(scores), notices, made.roster_size, page, serving(installation))
    report_data(installation, night, installation.lake.load("plausibility_counts"))
    return {"notices": len(notices)}


def overrides(installation: Installation) -> tuple[str, ...]:
    """In sentences, which champions serve outside the release policy, as far as the verified cache where need be."""
    served = [installation.registry.champion(model_name(name)).model for name in installation.settings.outcomes]
    return ledger.overrides(installation.audit_log, served)


def report_data(installation: Installation, night: str, implausible: pd.DataFrame | None = None) -> Path:
    """Write the page that says how the night's data are, from what is on record: counts only.

    Args:
        installation: whose data.
        night: a night on record.
        implausible: what the night's day panel set aside or flagged; None before it is built.
    """
    settings = installation.settings
    page = write_data_page(
        settings.reports_folder,
        data_nights.on_record(installation, night),
        {table: held(settings, table) for table in TABLES},
        implausible,
        data_nights.silent_streams(installation, night),
        settings.door.max_bad_share,
        Context(date.fromisoformat(night), dataset_name(installation), code_version=code_version()),
    )
    write_index(settings.reports_folder)
    return page


def delivered(installation: Installation, night: str) -> tuple[list[dict[str, object]], Path]:
    """Subjects by status and tier of the delivery in force for a night, and its folder, verified.

    Raises:
        Refused: the night was never delivered, or the delivery is damaged.
    """
    folder = current(installation.settings.deliveries_folder, pd.Timestamp(night))
    if folder is None:
        raise Refused(f"There is no delivery for {night}. Run `foretide score --as-of {night}`.")
    return count_rows(read_scores(folder)).to_dict("records"), folder
