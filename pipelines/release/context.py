"""What a report about a challenger belongs to: its night, its data, its model version, its policy, and who answers for what serves."""

from datetime import date

import pandas as pd

from pipelines.errors import Refused
from pipelines.installation import Installation
from pipelines.release import ledger
from pipelines.release.registry import CHALLENGER, CHAMPION, model_name
from pipelines.reports.site import Context
from pipelines.settings import Settings
from pipelines.training.provenance import code_version, dataset_name

# Sections of the configuration that decide rows: what a subject's day and night are, what is measured and in which unit it is told,
# which device speaks, what is foretold, who may serve, and who is brought to attention.
DECIDES: dict[str, bool | set[str]] = {
    "sites": True,
    "signals": True,
    "door": {"device_preference"},
    "outcomes": True,
    "release_policy": True,
    "alert_policy": True,
}


def context_of(installation: Installation, night: str, outcome: str) -> Context:
    """What a page about an outcome's challenger belongs to."""
    challenger = installation.registry.find(model_name(outcome), CHALLENGER)
    return Context(
        as_of=date.fromisoformat(night),
        dataset=dataset_name(installation),
        model_version="" if challenger is None else f"{challenger.name}/{challenger.version}",
        policy_version=policy_version(installation.settings),
        code_version=code_version(),
        overrides=overrides(installation, outcome),
    )


def policy_version(settings: Settings) -> str:
    """A short hash of all that is declared and decides rows of a delivery beside its night, models, code and formats.

    These are the sections of `DECIDES`. The others decide whether a night goes ahead, how it is told and whom it is brought to
    (rest of `door:`, `night:`, `delivery:`, `notices:`, `monitoring:`), or decide rows by way of what a run names already:
    `sources:` and `consent:` what the lake holds; `features:`, `training:` and `audit:` the model.
    """
    from pipelines.delivery.contract import short_hash

    return short_hash(settings.model_dump_json(include=DECIDES))[:12]


def overrides(installation: Installation, outcome: str) -> tuple[str, ...]:
    """In a sentence, that the outcome's champion serves outside the release policy; nothing where it does not."""
    champion = installation.registry.find(model_name(outcome), CHAMPION)
    return () if champion is None else ledger.overrides(installation.audit_log, [champion])


def last_night(installation: Installation) -> str:
    """The night of the last training, from the audit log.

    Raises:
        Refused: nothing was trained here.
    """
    trained = [entry["at"] for entry in installation.audit_log.entries() if entry["kind"] == "training"]
    if not trained:
        raise Refused("Nothing was trained yet. Run `foretide train` first.")
    return f"{pd.Timestamp(trained[-1]).tz_convert(installation.settings.sites.default_time_zone):%Y-%m-%d}"
