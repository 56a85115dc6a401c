"""Many nights as they would have happened, each from what was known at its own cutoff, in a folder of their own.

Consumers never see one: what is in force stays. Features of all nights are built at once, as those of a training are; alerts
follow one another night by night. A backtest can be made again from the lake at any time, and goes when somebody withdraws.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from features import history
from models import risk
from models.baselines import LAST_MOOD
from models.outcomes import Outcome
from pipelines import alerts, engineering, past_nights, scoring
from pipelines import cohort as cohorts
from pipelines.cohort import Cohort
from pipelines.delivery.publish import publish
from pipelines.errors import Refused, Usage
from pipelines.installation import Installation
from pipelines.release import horizons
from pipelines.release.registry import ModelVersion, ServedModel, model_name
from pipelines.release.stored import content_hash
from pipelines.scoring import Serving
from pipelines.training.candidates import candidates
from pipelines.training.fitting import fit_final
from pipelines.training.labelling import labelled_past

KIND = "backtest"


@dataclass(frozen=True)
class Backtest:
    """Where a backtest's deliveries lie, a row per night with subjects by status and its alerts, and what scored them, in words."""

    deliveries: Path
    nights: pd.DataFrame
    models: tuple[str, ...]


def backtest(installation: Installation, first: str, last: str) -> Backtest:
    """Score and deliver every night from the first to the last into `.state/backtests/FIRST_LAST/deliveries`.

    An outcome is scored by its champion where that had not seen beyond the first night; else by what the champion's recipe
    gives when it is fitted on what was known by the first night.

    Raises:
        Refused: an outcome has no champion, or one that would serve was trained for other horizons than are declared, or a night
            knew nobody.
    """
    home = installation.settings.backtests_folder / f"{first}_{last}"
    nights = pd.date_range(first, last).as_unit("us")
    known = [engineering.cohort(installation, f"{night:%Y-%m-%d}") for night in nights]
    served = _served(installation, known[0], home / "models")
    matrices = past_nights.matrices(installation, known, served)
    past, told = [past_nights.NO_ALERTS], list[pd.DataFrame]()
    for of_night in known:
        installation.report("backtesting", len(told) / len(known))
        basis = scoring.based_on(installation, of_night, served, _lately(past, installation), home / "deliveries")
        decided = scoring.decide(basis, {name: rows[of_night.as_of] for name, rows in matrices.items()})
        publish(home / "deliveries", decided.rows, basis.context)
        past.append(decided.alerts)
        told.append(_counted(of_night.as_of, decided))
    versions = tuple(sorted(set(basis.context.model_versions.values())))
    installation.audit_log.append(
        KIND, {"first": first, "last": last, "nights": len(told), "models": list(versions)}, known[-1].known_at
    )
    return Backtest(home / "deliveries", pd.concat(told, ignore_index=True), versions)


def _lately(past: list[pd.DataFrame], installation: Installation) -> pd.DataFrame:
    days = alerts.rules_of(installation.settings.alert_policy).lookback_days
    found = pd.concat(past[-days:], ignore_index=True)
    return found.sort_values([*alerts.COLUMNS[:3]], ignore_index=True)


def _counted(as_of: pd.Timestamp, decided: scoring.Decided) -> pd.DataFrame:
    """How many subjects of each outcome have which status, and how many alerts there were, on a night."""
    status = decided.rows.drop_duplicates(["subject_id", "outcome"]).groupby(["outcome", "status"]).size()
    counts = status.unstack(fill_value=0).rename_axis(columns=None)
    alerted = decided.alerts.groupby("outcome").size().reindex(counts.index, fill_value=0)
    return counts.assign(alerts=alerted).reset_index().assign(as_of_date=as_of)


def _served(installation: Installation, first: Cohort, folder: Path) -> Serving:
    """What scores each outcome."""
    served = {}
    for outcome in engineering.outcomes(installation):
        champion = installation.registry.champion(model_name(outcome.name))
        is_fit = not champion.model.has_seen_beyond(first.known_at)
        if is_fit:
            horizons.refuse_others(installation.settings, champion)
        served[outcome.name] = champion if is_fit else _fitted_then(installation, first, outcome, champion, folder)
    return served


def _fitted_then(
    installation: Installation, first: Cohort, outcome: Outcome, champion: ServedModel, folder: Path
) -> ServedModel:
    """The champion's recipe, fitted on what was known by the first night."""
    night, how = f"{first.as_of:%Y-%m-%d}", installation.settings.training
    installation.report(f"fitting {outcome.name} as of {night}")
    recipe = risk.load(champion.folder)
    features = dict.fromkeys([*history.NAMES, LAST_MOOD, engineering.COMPLETENESS, *recipe.features])
    matrix, labels = labelled_past(installation, night, outcome, tuple(features))
    found = next((p for p in candidates(matrix, recipe.features, how) if p.name == recipe.name), None)
    if found is None:
        raise Refused(f"`{recipe.name}` cannot be fitted on what was known by {night}. Begin the backtest later.")
    fitted = replace(fit_final(matrix, labels, outcome, found, how), unsaid=recipe.unsaid)
    place = folder / outcome.name
    shutil.rmtree(place, ignore_errors=True)
    risk.save(fitted, place)
    tags = {"known_at": first.known_at.isoformat()}
    # Its content is part of the name, so that another fit makes other runs.
    content = content_hash(place)
    return ServedModel(ModelVersion(champion.name, f"as-of-{night}-{content[:8]}", "", content, tags), place)


def refuse_a_range(installation: Installation, first: pd.Timestamp, last: pd.Timestamp) -> None:
    """Nights in the wrong order, or beyond what the lake holds.

    Raises:
        Usage: the first comes after the last.
        Refused: the lake does not hold them.
    """
    if first > last:
        raise Usage(f"`--from` {first:%Y-%m-%d} is later than `--to` {last:%Y-%m-%d}: give them the other way round.")
    newest = cohorts.newest_night(installation.lake, installation.settings.sites)
    if last > newest:
        raise Refused(
            f"The lake holds what was known up to the night of {newest:%Y-%m-%d}. Give `--from` a night, and `--to` the same or a "
            "later one up to that."
        )
